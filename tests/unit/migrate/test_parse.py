import codecs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mooring.core.errors import MigrationParseError
from mooring.migrate._migration import Migration, Statement, digest
from mooring.migrate._parse import SPACE, parse

BEGIN = "-- +goose StatementBegin"
END = "-- +goose StatementEnd"


def parsed(*lines: str, environ: dict[str, str] | None = None) -> Migration:
    text = "".join(f"{line}\n" for line in lines)
    return parse(text, name="00001_a.sql", environ=environ or {})


def ups(*lines: str, environ: dict[str, str] | None = None) -> list[str]:
    migration = parsed("-- +goose Up", *lines, environ=environ)
    return [statement.sql for statement in migration.up]


def refused(*lines: str, environ: dict[str, str] | None = None) -> MigrationParseError:
    with pytest.raises(MigrationParseError) as caught:
        parsed(*lines, environ=environ)
    assert caught.value.file == "00001_a.sql"
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


# What `test_goose_format` says of texts is not said again here: these are about values,
# lines and messages.


def test_a_file_has_statements_for_both_directions() -> None:
    text = "-- +goose Up\nSELECT 1;\nSELECT\n  2;\n-- +goose Down\n\nSELECT 3;\n"
    assert parse(text, name="00007_numbers.sql") == Migration(
        version=7,
        name="00007_numbers.sql",
        up=(Statement(sql="SELECT 1;", line=2), Statement(sql="SELECT\n  2;", line=3)),
        down=(Statement(sql="SELECT 3;", line=7),),
        transaction=True,
    )


def test_the_down_section_may_be_missing() -> None:
    assert parsed("-- +goose Up", "SELECT 1;").down == ()


def test_the_up_section_may_be_empty() -> None:
    assert parsed("-- +goose Up", "-- +goose Down", "SELECT 1;").up == ()


def test_the_last_line_needs_no_line_end() -> None:
    assert len(parse("-- +goose Up\nSELECT 1;", name="1_a.sql").up) == 1


def test_bytes_and_text_give_the_same_migration() -> None:
    text = "-- +goose Up\nSELECT 'h\u00e9';\n"
    assert parse(text.encode(), name="1_a.sql") == parse(text, name="1_a.sql")


def test_bytes_that_are_not_utf_8_are_refused_with_their_line() -> None:
    with pytest.raises(MigrationParseError, match="UTF-8") as caught:
        parse(b"-- +goose Up\nSELECT '\xff';\n", name="1_a.sql")
    assert caught.value.line == 2


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(MigrationParseError, match="UTF-8"):
        parse("-- +goose Up\nSELECT '\ud800';\n", name="1_a.sql")


def test_a_byte_order_mark_is_skipped() -> None:
    text = "-- +goose Up\nSELECT 1;\n"
    plain = parse(text, name="1_a.sql")
    assert parse(codecs.BOM_UTF8 + text.encode(), name="1_a.sql") == plain
    assert parse("\ufeff" + text, name="1_a.sql") == plain


def test_a_name_that_is_no_migrations_is_refused() -> None:
    with pytest.raises(MigrationParseError, match="not the name") as caught:
        parse("-- +goose Up\n", name="users.sql")
    assert (caught.value.file, caught.value.line) == ("users.sql", None)


@pytest.mark.parametrize("text", ["", "\n", "-- only a comment\n", " \t\n"])
def test_a_file_without_up_is_refused(text: str) -> None:
    with pytest.raises(MigrationParseError, match="no '-- \\+goose Up'") as caught:
        parse(text, name="1_a.sql")
    assert caught.value.line is None


def test_a_carriage_return_before_the_line_feed_is_dropped() -> None:
    text = "-- +goose Up\r\nSELECT\r\n1;\r\n-- +goose Down\r\nSELECT 2;\r"
    migration = parse(text, name="1_a.sql")
    assert [statement.sql for statement in migration.up] == ["SELECT\n1;"]
    assert [statement.sql for statement in migration.down] == ["SELECT 2;"]


def test_an_unknown_word_is_shortened_in_the_message() -> None:
    assert len(refused("-- +goose " + "x" * 10_000).message) < 200


@pytest.mark.parametrize("next_line", [None, "-- +goose Down"])
def test_an_up_statement_without_a_semicolon_is_refused(next_line: str | None) -> None:
    after = [next_line] if next_line else []
    error = refused("-- +goose Up", "SELECT 1;", "", "SELECT 2", "-- c", *after)
    assert "does not end" in error.message
    assert error.line == 4


def test_comments_and_empty_lines_before_a_statement_are_dropped() -> None:
    migration = parsed("-- +goose Up", "-- a", "", "  -- b", "SELECT 1;", "-- c")
    assert migration.up == (Statement(sql="SELECT 1;", line=5),)


def test_statements_are_trimmed_at_both_ends() -> None:
    migration = parsed("-- +goose Up", " \t", "\u00a0 SELECT", "  1 ; ", "")
    assert migration.up == (Statement(sql="SELECT\n  1 ;", line=3),)


def test_a_line_of_spaces_begins_a_statement_and_so_keeps_comments() -> None:
    migration = parsed("-- +goose Up", "  ", "-- c", "SELECT 1;")
    assert migration.up == (Statement(sql="-- c\nSELECT 1;", line=3),)


def test_a_comment_after_a_last_line_of_spaces_is_refused_with_its_reason() -> None:
    error = refused("-- +goose Up", "SELECT 1;", "  ", "-- note")
    assert "comment is taken for a statement" in error.message
    assert error.hint == "remove the spaces from the blank line above it"
    assert error.line == 4


def test_spaces_at_the_end_of_up_do_not_reach_down() -> None:
    migration = parsed("-- +goose Up", "  ", "-- +goose Down", "-- c", "SELECT 1;")
    assert migration.down == (Statement(sql="SELECT 1;", line=5),)


def test_a_block_may_hold_many_statements() -> None:
    migration = parsed("-- +goose Up", BEGIN, "SELECT 1;", "", "SELECT 2;", END)
    assert migration.up == (Statement(sql="SELECT 1;\n\nSELECT 2;", line=3),)


def test_blocks_work_in_down_as_well() -> None:
    down = parsed("-- +goose Up", "-- +goose Down", BEGIN, "SELECT;", "1;", END).down
    assert down == (Statement(sql="SELECT;\n1;", line=4),)


def test_a_statement_that_is_not_finished_goes_on_in_the_block() -> None:
    migration = parsed("-- +goose Up", "SELECT 1", BEGIN, "+ 2;", END)
    assert migration.up == (Statement(sql="SELECT 1\n+ 2;", line=2),)


@pytest.mark.parametrize("inside", [[], ["-- c"], [""], ["  "], ["  ", "-- c", "--"]])
def test_a_block_without_sql_is_no_statement_and_swallows_nothing(
    inside: list[str],
) -> None:
    assert ups(BEGIN, *inside, END, "CREATE TABLE a", "(x int);", "SELECT 1;") == [
        "CREATE TABLE a\n(x int);",
        "SELECT 1;",
    ]
    migration = parsed(
        "-- +goose Up", BEGIN, *inside, END, "-- +goose Down", BEGIN, *inside, END
    )
    assert (migration.up, migration.down) == ((), ())


def test_a_block_comment_in_a_block_is_sql() -> None:
    assert ups(BEGIN, "/* c */", END) == ["/* c */"]


def test_a_statement_begins_where_the_replaced_text_is_not_blank() -> None:
    migration = parsed("-- +goose Up", "-- +goose ENVSUB ON", "$A", "SELECT 1;")
    assert migration.up == (Statement(sql="SELECT 1;", line=4),)


def test_a_value_with_several_lines_is_not_taken_for_a_comment() -> None:
    lines = ["-- +goose ENVSUB ON", BEGIN, "$A", END]
    assert ups(*lines, environ={"A": "-- c\nSELECT 1"}) == ["-- c\nSELECT 1"]


@pytest.mark.parametrize("section", [(), ("-- +goose Down",)])
def test_a_required_variable_is_missed_in_both_directions(
    section: tuple[str, ...],
) -> None:
    lines = ["-- +goose Up", *section, "-- +goose ENVSUB ON", "SELECT ${PASSWORD?};"]
    error = refused(*lines)
    assert "$PASSWORD: not set" in error.message
    assert error.line == len(lines)


def test_the_process_environment_is_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MOORING_TEST", "one")
    text = "-- +goose Up\n-- +goose ENVSUB ON\nSELECT $MOORING_TEST;\n"
    assert parse(text, name="1_a.sql").up[0].sql == "SELECT one;"


# Digests


def test_a_digest_does_not_depend_on_line_ends_or_a_byte_order_mark() -> None:
    assert digest(b"a\r\nb\r\n") == digest(b"a\nb\n") == digest(b"\xef\xbb\xbfa\nb\n")
    assert digest(b"a\nb\n") != digest(b"a\nb")
    assert digest(b"a\rb") != digest(b"a\nb")


def test_a_digest_is_sha_256_in_hex() -> None:
    assert digest(b"abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


# Properties

_pieces = st.sampled_from(
    [
        "-- +goose Up",
        "-- +goose Down",
        BEGIN,
        END,
        "-- +goose ENVSUB ON",
        "-- +goose NO TRANSACTION",
        "SELECT 1;",
        "SELECT '$A ${B:-c}'",
        "${A?}",
        "-- c",
        "  ",
        "",
        ";",
    ]
)
_texts = st.lists(_pieces | st.text(max_size=20)).map("\n".join) | st.text()


@given(_texts | st.binary() | st.text(st.characters()))
@example("-- +goose Up\n-- +goose ENVSUB ON\n" + "${A:-" * 5000)
def test_parse_raises_nothing_but_its_own_error(text: str | bytes) -> None:
    try:
        migration = parse(text, name="1_a.sql", environ={})
    except MigrationParseError as error:
        assert error.hint  # noqa: PT017 - some texts do not raise
    else:
        assert all(statement.sql for statement in migration.up + migration.down)


@given(_texts.map(lambda text: text.replace("\r", "")))
def test_crlf_and_lf_files_are_equal(text: str) -> None:
    def outcome(text: str) -> Migration | str:
        try:
            return parse(text, name="1_a.sql", environ={})
        except MigrationParseError as error:
            return str(error)

    assert outcome(text) == outcome(text.replace("\n", "\r\n"))


_words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1).filter(
    lambda word: "--" not in word and not word.endswith(";")
)
_line = st.lists(_words, min_size=1, max_size=4).map(" ".join)
_noise = st.lists(st.sampled_from(["", "-- comment", "  -- other"]), max_size=2)


@st.composite
def _sections(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Draw the lines of a section, and the statements that they hold."""
    lines: list[str] = []
    statements: list[str] = []
    for body in draw(st.lists(st.lists(_line, min_size=1, max_size=3), max_size=4)):
        lines += draw(_noise)
        if draw(st.booleans()):
            lines += [BEGIN, *body, END]
            statements.append("\n".join(body))
        else:
            lines += [*body[:-1], body[-1] + ";"]
            statements.append("\n".join(body) + ";")
    return lines + draw(_noise), statements


@given(_sections(), _sections())
def test_no_text_of_a_well_formed_file_is_lost(
    up: tuple[list[str], list[str]], down: tuple[list[str], list[str]]
) -> None:
    lines = ["-- +goose Up", *up[0], "-- +goose Down", *down[0]]
    migration = parsed(*lines)
    assert [statement.sql for statement in migration.up] == up[1]
    assert [statement.sql for statement in migration.down] == down[1]
    for statement in migration.up + migration.down:
        assert lines[statement.line - 1] == statement.sql.partition("\n")[0]


_plain = st.lists(
    st.sampled_from(
        ["-- +goose Down", BEGIN, END, "A;", "B", "'c;", "-- d", "  ", "", ";", "/* e"]
    )
    | st.text(max_size=8),
    max_size=12,
)


def _sql(lines: list[str]) -> list[str]:
    """Return the lines that are neither blank nor comments, without their margins."""
    stripped = [line.strip(SPACE) for line in lines]
    return [line for line in stripped if line and not line.startswith("--")]


@given(_plain)
@example(["A", BEGIN, END, "B;"])
@example([BEGIN, END, "A;"])
@example([BEGIN, "-- a", END, "  ", "A;"])
def test_no_text_of_any_file_that_is_accepted_is_lost(lines: list[str]) -> None:
    text = "\n".join(["-- +goose Up", *lines])
    try:
        migration = parse(text, name="1_a.sql")
    except MigrationParseError:
        return
    pieces = [one.sql for one in migration.up + migration.down]
    assert _sql("\n".join(pieces).split("\n")) == _sql(text.split("\n"))
