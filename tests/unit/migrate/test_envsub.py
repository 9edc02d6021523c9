from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring.migrate._envsub import expand

ENVIRON = {
    "NAME": "value",
    "EMPTY": "",
    "HASH": "0123456789abcdef",
    "WORD": "h\u00e9llo",
    "TEXT": "one $NAME",
}


@pytest.mark.parametrize("line", ["$NAME", "${NAME}"])
def test_a_variable_is_replaced_with_or_without_braces(line: str) -> None:
    assert expand(f"a {line}; b", ENVIRON) == "a value; b"


@pytest.mark.parametrize("line", ["$MISSING", "${MISSING}", "${MISSING:2:3}"])
def test_a_variable_that_is_not_set_is_empty(line: str) -> None:
    assert expand(f"<{line}>", ENVIRON) == "<>"


def test_a_value_is_not_expanded_again() -> None:
    assert expand("$TEXT", ENVIRON) == "one $NAME"


def test_a_name_is_as_long_as_it_can_be() -> None:
    assert expand("$NAME_X|$NAME-X|${NAME}_X", ENVIRON) == "|value-X|value_X"


def test_a_name_may_have_letters_and_digits_of_any_script() -> None:
    assert expand("$\u00e9t\u00e91", {"\u00e9t\u00e91": "summer"}) == "summer"


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("${MISSING:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${NAME:-d}", "value"),
        ("${MISSING-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NAME-d}", "value"),
        ("${MISSING:-}", ""),
    ],
)
def test_a_default_stands_for_what_is_unset_or_with_a_colon_empty(
    line: str, result: str
) -> None:
    assert expand(line, ENVIRON) == result


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("${A:-${B:-$NAME}}", "value"),
        ("${A:-x ${NAME:-y} z}", "x value z"),
        ("${A:-${B-${C:-deep}}}!", "deep!"),
        ("${NAME:-${B:-$NAME}}", "value"),
    ],
)
def test_defaults_nest(line: str, result: str) -> None:
    assert expand(line, ENVIRON) == result


def test_defaults_nest_deeper_than_python_calls() -> None:
    depth = 20_000
    assert expand("${A:-" * depth + "x" + "}" * depth, {}) == "x"


def test_a_default_ends_at_its_first_brace() -> None:
    assert expand("${EMPTY:--:{}}", ENVIRON) == "-:{}"


def test_a_default_that_is_not_used_may_require_what_is_not_set() -> None:
    assert expand("${NAME:-${MISSING?}}", ENVIRON) == "value"
    with pytest.raises(ValueError, match=r"^\$MISSING: not set$"):
        expand("${EMPTY:-${MISSING?}}", ENVIRON)


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("${HASH:0}", "0123456789abcdef"),
        ("${HASH:10}", "abcdef"),
        ("${HASH: -3}", "def"),
        ("${HASH:+10}", "abcdef"),
        ("${HASH:99}", ""),
        ("${HASH: -99}", "0123456789abcdef"),
        ("${HASH:2:3}", "234"),
        ("${HASH: 2 : 3 }", "234"),
        ("${HASH: -4:2}", "cd"),
        ("${HASH:2:-3}", "23456789abc"),
        ("${HASH:2:0}", ""),
        ("${HASH:2:99}", "23456789abcdef"),
        ("${HASH:7:-99}", ""),
    ],
)
def test_a_part_of_a_value_has_an_offset_and_maybe_a_length(
    line: str, result: str
) -> None:
    assert expand(line, ENVIRON) == result


def test_a_negative_offset_without_a_space_is_a_default() -> None:
    assert expand("${MISSING:-7}|${HASH:-7}", ENVIRON) == "7|0123456789abcdef"


def test_offsets_count_bytes() -> None:
    assert expand("${WORD:3}", ENVIRON) == "llo"
    with pytest.raises(ValueError, match="cuts a character in two"):
        expand("${WORD:2}", ENVIRON)


@pytest.mark.parametrize("line", ["${NAME:x}", "${NAME:}", "${NAME:1:}", "${NAME:1"])
def test_an_offset_that_is_no_number_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="offset"):
        expand(line, ENVIRON)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("${MISSING?}", "$MISSING: not set"),
        ("${MISSING?set it :-{}", "$MISSING: set it :-{"),
        ("${MISSING?like $NAME}", "$MISSING: like value"),
    ],
)
def test_a_required_variable_that_is_not_set_is_an_error(
    line: str, message: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared whole below
        expand(line, ENVIRON)
    assert str(caught.value) == message


def test_a_required_variable_may_be_empty() -> None:
    assert expand("<${EMPTY?}${NAME?}>", ENVIRON) == "<value>"


def test_a_colon_before_the_question_mark_is_not_supported() -> None:
    with pytest.raises(ValueError, match="offset"):
        expand("${NAME:?message}", ENVIRON)


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("$$NAME", "$NAME"),
        (r"\$NAME", "$NAME"),
        ("$${NAME}", "${NAME}"),
        ("DO $$ BEGIN END $$", "DO $ BEGIN END $"),
        (r"\\", r"\\"),
        (r"\\$NAME", r"\\value"),
        (r"\n", r"\n"),
        ("$(NAME)", "$(NAME)"),
        ("cost 5$", "cost 5$"),
        ("}{", "}{"),
    ],
)
def test_escapes_and_lonely_signs(line: str, result: str) -> None:
    assert expand(line, ENVIRON) == result


@pytest.mark.parametrize("line", ["$_x", "$1", "$ x", "${_x}", "${}", "$;", "$\u00b2"])
def test_a_name_starts_with_a_letter(line: str) -> None:
    with pytest.raises(ValueError, match="starts with a letter"):
        expand(line, ENVIRON)


@pytest.mark.parametrize("line", ["${A", "${A!}", "${A:-", "${A?x", "${A:-${B}", "${"])
def test_an_open_brace_is_an_error(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - three texts, all of them expand's
        expand(line, {})


def test_a_value_that_is_not_utf_8_is_an_error() -> None:
    with pytest.raises(ValueError, match="not valid UTF-8"):
        expand("$A", {"A": "\udcff"})


_environs = st.dictionaries(st.sampled_from(["A", "B"]), st.text(max_size=5))


@given(st.text(alphabet=st.sampled_from("$$${{}}:-?\\(AB1_ ;\u00e9")), _environs)
def test_nothing_but_value_error_comes_out(
    line: str, environ: Mapping[str, str]
) -> None:
    try:
        expand(line, environ)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - most lines do not raise


@given(st.text())
def test_a_line_whose_dollars_are_doubled_comes_back(line: str) -> None:
    line = line.replace("\\", "")
    assert expand(line.replace("$", "$$"), {}) == line
