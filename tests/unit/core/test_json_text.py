"""JSON text is read as the standard library reads it, with orjson and without."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mooring.core import _json_text

Loads = Callable[[str], object]

EDGES = [
    *("0", "-0", "-0.0", "[-0 ]", "1E5", "1e400", "-1e400", "1e-400", "5e-324"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551615"),
    *("18446744073709551616", "-9223372036854775808", "-9223372036854775809"),
    *(f"[{'9' * size}, -{'9' * size}]" for size in (18, 19, 20, 21, 400, 5000)),
    *(
        "0.12345678901234567890123",
        "123456789012345678901234567890.5",
        "2e0000000000000000000001",
    ),
    *('{"a":1,"a":2,"b":3}', '{"b":1,"a":1,"b":2}', '{"":{"":[]}}'),
    *('"\\ud800"', '"\\ud83d\\ude00"', '"\\ude00\\ud83d"', '"\ud800"', '"\\u0000"'),
    *("NaN", "[Infinity]", "-Infinity", "nan", "01", "1.", ".5", "+1", "-", "0x1"),
    *(" 1", "1\n", "\ufeff1", "\u00a01", "1 2", "[1,]", '{"a":1,}', "", " ", "tru"),
    *('"\t"', '"\x7f"', '"\x00"', "[1]\x00", "'a'", "{1:2}", "/**/1", '"\\a"', '"\\/"'),
    *("[" * 2000 + "]" * 2000, "[" * 2000),
]


def documents() -> st.SearchStrategy[str]:
    """Draw JSON text: as mooring writes it, as others do, and spoiled."""
    leaves = (
        st.none()
        | st.booleans()
        | st.floats()
        | st.text()
        | st.integers()
        | st.integers(-(2**66), 2**66)
        | st.integers(-(10**40), 10**40)
    )
    values = st.recursive(
        leaves,
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
    texts = st.builds(
        lambda value, ascii_only, separators: json.dumps(
            value, ensure_ascii=ascii_only, separators=separators
        ),
        values,
        st.booleans(),
        st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]),
    )
    return st.one_of(
        texts,
        texts.map(lambda text: f"\n{text} "),
        texts.map(lambda text: text[:-1]),
        st.lists(texts, min_size=2, max_size=2).map("".join),
        st.text(),
        st.from_regex(r"[-0-9.eE, \[\]]{1,40}", fullmatch=True),
    )  # fmt: skip


def outcome(read: Loads, text: str) -> str:
    """Return what was read; its repr tells int from float and True, and knows NaN."""
    return repr(read(text))


@pytest.fixture(params=["orjson", "standard library"])
def chosen(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Iterable[str]], Loads]:
    if request.param != "orjson":
        monkeypatch.setattr(_json_text, "orjson_loads", lambda: None)
    else:
        assert _json_text.orjson_loads() is not None
    return _json_text.loads_for


@pytest.mark.parametrize("text", EDGES, ids=lambda text: ascii(text[:25]))
def test_what_is_read_is_what_the_standard_library_reads(
    chosen: Callable[[Iterable[str]], Loads], text: str
) -> None:
    try:
        found = outcome(chosen([text]), text)
    except Exception:  # noqa: BLE001 - then json.loads is asked
        return
    assert found == outcome(json.loads, text)


@given(st.lists(documents(), min_size=1, max_size=3), st.booleans())
@example([*EDGES], True)
@example([*EDGES], False)
def test_texts_are_read_alike_whoever_reads_them(
    texts: list[str], with_orjson: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if not with_orjson:
            patch.setattr(_json_text, "orjson_loads", lambda: None)
        read: Any = _json_text.loads_for(texts)
    for text in texts:
        try:
            found = outcome(read, text)
        except Exception:  # noqa: BLE001, S112 - then json.loads is asked
            continue
        assert found == outcome(json.loads, text)


def test_orjson_reads_what_it_reads_alike() -> None:
    texts = ['{"a":[1,1.5,"ü",null,true]}', "9" * 19, "-" + "9" * 18]

    assert _json_text.loads_for(texts) is _json_text.orjson_loads()


@pytest.mark.parametrize(
    "text", ["18446744073709551616", "[1,-9223372036854775809]", '"\ud800"'], ids=ascii
)
def test_orjson_is_not_given_what_it_may_read_otherwise(text: str) -> None:
    assert _json_text.loads_for(["1", text]) is not _json_text.orjson_loads()
