import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring.migrate._source import version_of


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("00001_users.sql", 1),
        ("20250603124835_create_workflow_states.sql", 20250603124835),
        ("1_a_b_c.sql", 1),
    ],
)
def test_the_version_is_the_number_before_the_first_underscore(
    filename: str, version: int
) -> None:
    assert version_of(filename) == version


def test_a_plus_sign_is_part_of_the_number() -> None:
    assert version_of("+1_a.sql") == 1


def test_the_words_after_the_underscore_may_be_missing() -> None:
    assert version_of("7_.sql") == 7


def test_leading_zeros_are_free() -> None:
    assert version_of("0" * 5000 + "12_a.sql") == 12


@pytest.mark.parametrize("filename", ["4_UP.SQL", "4_up.Sql", "4_up.sql~", "4_up.go"])
def test_only_the_exact_suffix_counts(filename: str) -> None:
    assert version_of(filename) is None


@pytest.mark.parametrize(
    "filename",
    ["6.sql", "5-x.sql", "_x.sql", ".sql", "", "a_b.sql", "1.5_x.sql", "dir/1_x.sql"],
)
def test_a_name_without_a_number_and_an_underscore_is_no_migration(
    filename: str,
) -> None:
    assert version_of(filename) is None


@pytest.mark.parametrize("filename", ["-3_n.sql", "00_z.sql", "0_z.sql", "+0_z.sql"])
def test_a_version_is_at_least_one(filename: str) -> None:
    assert version_of(filename) is None


def test_a_version_fits_in_a_signed_64_bit_integer() -> None:
    assert version_of("9223372036854775807_x.sql") == 2**63 - 1
    assert version_of("9223372036854775808_x.sql") is None
    assert version_of("10000000000000000000_x.sql") is None
    assert version_of("9" * 5000 + "_x.sql") is None


@pytest.mark.parametrize(
    "filename", ["++1_x.sql", " 1_x.sql", "1 _x.sql", "\u0661_x.sql", "\u00b2_x.sql"]
)
def test_nothing_but_ascii_digits_makes_a_number(filename: str) -> None:
    assert version_of(filename) is None


@given(st.text())
def test_any_text_has_a_version_in_range_or_none(text: str) -> None:
    version = version_of(text + ".sql")
    assert version is None or 1 <= version < 2**63


@given(st.integers(1, 2**63 - 1), st.integers(0, 30), st.text())
def test_every_version_is_read_back(version: int, width: int, words: str) -> None:
    assert version_of(f"{version:0{width}}_{words}.sql") == version
