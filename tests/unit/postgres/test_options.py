"""The text of "options", as the server splits it."""

from hypothesis import given
from hypothesis import strategies as st
from mooring_postgres._options import as_options, names_in

NAMES = st.sampled_from(["statement_timeout", "search_path", "TimeZone", "a.b"])
VALUES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)


def split(text: str) -> list[str]:
    """Split as pg_split_opts of the server does, sign by sign."""
    words: list[str] = []
    position = 0
    while position < len(text):
        while position < len(text) and text[position] in " \t\n\v\f\r":
            position += 1
        word = ""
        started = position
        while position < len(text) and text[position] not in " \t\n\v\f\r":
            if text[position] == "\\":
                position += 1
            word += text[position : position + 1]
            position += 1
        words += [word] if position > started else []
    return words


@given(st.dictionaries(NAMES, VALUES))
def test_the_server_reads_back_what_was_written(settings: dict[str, str]) -> None:
    text = as_options(settings)

    pairs = [
        pair for key, value in settings.items() for pair in ("-c", f"{key}={value}")
    ]
    assert split(text) == pairs
    assert list(names_in(text)) == [name.lower() for name in settings]


def test_every_form_of_a_setting_is_seen() -> None:
    text = r"-c A=1 -cb=2 --c-d=3 -c e.f=x\ y\ -cg=4 -d 5 --h=6"

    assert list(names_in(text)) == ["a", "b", "c_d", "e.f", "h"]
