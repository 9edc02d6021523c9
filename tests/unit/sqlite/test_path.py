import os
import sqlite3
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest
from mooring import core
from mooring_sqlite import SqliteConfig


def problem(path: str) -> str:
    with pytest.raises(core.ConfigError) as caught:
        core.configure({"driver": "sqlite", "path": path})
    (found,) = caught.value.problems
    assert found.key == "path"
    return found.message


def problem_of_url(url: str) -> str:
    with pytest.raises(core.ConfigError) as caught:
        core.configure(url)
    (found,) = caught.value.problems
    assert caught.value.__context__ is None
    return found.message


def use(path: object) -> None:
    """Open the database, write to it, and close it."""
    with core.open({"driver": "sqlite", "path": str(path)}) as store:
        store.execute(
            "INSERT INTO users (id, email, role) VALUES ('u', 'a@b.c', 'user')"
        )


def content(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    """Return what lies in a folder, with modes and bytes."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for place in sorted(folder.rglob("*")):
        mode = place.lstat().st_mode
        what: bytes | str = ""
        if place.is_symlink():
            what = os.readlink(place)
        elif stat.S_ISREG(mode):
            what = place.read_bytes()
        found[str(place.relative_to(folder))] = mode, what
    return found


def modes(folder: Path) -> dict[str, int]:
    return {name: stat.S_IMODE(mode) for name, (mode, _) in content(folder).items()}


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    before = content(folder)
    yield
    assert content(folder) == before


def refused(path: object, folder: Path) -> core.StoreError:
    """Return the error of opening; it must leave everything as it was."""
    with unchanged(folder), pytest.raises(core.StoreError) as caught:
        core.open({"driver": "sqlite", "path": str(path)})
    assert caught.value.hint
    return caught.value


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a good database, in WAL mode and of several pages."""
    path = tmp_path_factory.mktemp("valid") / "app.db"
    use(path)
    assert path.stat().st_size > 8192
    return path.read_bytes()


# -- what a configuration may name --------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        ":memory:",
        "app.db",
        "./app.db",
        "../app.db",
        "a/../b.db",
        "/var/lib/app.db",
        "./~",
        "a~.db",
        "...",
        ".db",
        " app.db ",
        "a b.db",
        "a?mode=ro",
        "100%.db",
        "a#b",
        "grün/数据.db",
        "a\tb",
        "File:app.db",
        ":Memory:",
        "C:\\app.db",
        "x" * 5000,
        "file:app.db",
        "file:./a%20b.db",
        "file:/var/app.db",
        "file:///var/app.db",
        "file://localhost/var/app.db",
        "file:app.db?mode=rw",
        "file:app.db?mode=rwc&cache=private",
        "file::memory:",
        "file::memory:?cache=private",
        "file:a%3fb%23c%25d.db",
    ],
)
def test_a_path_that_may_be_configured(path: str) -> None:
    config = core.configure({"driver": "sqlite", "path": path})

    assert isinstance(config, SqliteConfig)
    assert config.path == path


@pytest.mark.parametrize("path", ["", " ", "\t", "\n", "file:", "file: ", "file://"])
def test_an_empty_path_is_none(path: str) -> None:
    assert problem(path) == 'sqlite driver requires path: a file, or ":memory:"'


@pytest.mark.parametrize(
    "path", ["a\0b", "a\nb", "a\rb", "app.db\n", "\0", "file:a%00b", "file:a%0ab"]
)
def test_a_nul_and_a_line_break_are_refused(path: str) -> None:
    assert problem(path) == "must not hold a NUL or a line break"


@pytest.mark.parametrize("path", ["~", "~/app.db", "~user/app.db", "file:~/app.db"])
def test_a_home_folder_is_not_expanded_and_never_a_folder_of_that_name(
    path: str,
) -> None:
    assert "'~' is not expanded" in problem(path)


@pytest.mark.parametrize(
    "path", ["/", ".", "..", "data/", "a/.", "a/..", "../..", "file:data/", "file:."]
)
def test_a_path_that_can_only_be_a_directory_is_refused(path: str) -> None:
    assert "names a directory" in problem(path)


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        ("mode=ro", "mode='ro'"),
        ("mode=memory", "mode='memory'"),
        ("mode=", "mode=''"),
        ("mode", "mode=''"),
        ("mode=RW", "mode='RW'"),
        ("mode=rw;cache=shared", "mode='rw;cache=shared'"),
        ("cache=shared", "cache='shared'"),
        ("vfs=unix-none", "'vfs'"),
        ("immutable=1", "'immutable'"),
        ("nolock=1", "'nolock'"),
        ("psow=0", "'psow'"),
        ("_pragma=foreign_keys(0)", "'_pragma'"),
        ("modeof=x", "'modeof'"),
        ("MODE=rw", "'MODE'"),
        ("%6dode=ro", "mode='ro'"),
        ("mode=rw&cache=shared", "cache='shared'"),
        ("mode=rw&mode=ro", "mode='ro'"),
    ],
)
@pytest.mark.parametrize("uri", ["file:app.db", "file::memory:"])
def test_a_uri_may_not_change_how_the_database_is_opened(
    uri: str, parameter: str, told: str
) -> None:
    assert told in problem(f"{uri}?{parameter}")


@pytest.mark.parametrize(
    "uri",
    ["file://app.db", "file://host/app.db", "file://host", "file:////", "file://~/a"],
)
def test_a_uri_with_a_host_is_refused(uri: str) -> None:
    # "file://app.db" is a slip: it would be /app.db, at the root.
    assert problem(uri)


@pytest.mark.parametrize(
    "uri", ["file:%ff.db", "file:a%zz.db", "file:100%", "file:%e4"]
)
def test_a_uri_with_broken_escapes_is_refused(uri: str) -> None:
    assert "percent-escapes" in problem(uri)


def test_a_uri_inside_a_uri_is_refused() -> None:
    assert "holds another one" in problem("file:file:app.db")


@pytest.mark.parametrize("path", ["\ud800.db", "file:\ud800.db"])
def test_a_path_that_no_file_system_can_name_is_refused(path: str) -> None:
    assert problem(path)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:app.db", "app.db"),
        ("sqlite:./app.db", "./app.db"),
        ("sqlite:../data/app.db", "../data/app.db"),
        ("sqlite:/var/lib/app.db", "/var/lib/app.db"),
        ("SQLITE:app.db", "app.db"),
        ("sqlite::memory:", ":memory:"),
        ("sqlite:a%20b.db", "a b.db"),
        ("sqlite:a b.db", "a b.db"),
        ("sqlite:gr%C3%BCn.db", "grün.db"),
        ("sqlite:grün.db", "grün.db"),
        ("sqlite:100%25.db", "100%.db"),
        ("sqlite:a%3Fb%23c", "a?b#c"),
        ("sqlite:a%2Fb", "a/b"),
        ("sqlite:a+b", "a+b"),
    ],
)
def test_a_url_names_a_path(url: str, path: str) -> None:
    config = core.configure(url)

    assert isinstance(config, SqliteConfig)
    assert config.path == path


@pytest.mark.parametrize("url", ["sqlite:///app.db", "sqlite:////a", "sqlite://h/a.db"])
def test_a_url_with_slashes_is_ambiguous(url: str) -> None:
    assert "ambiguous" in problem_of_url(url)


@pytest.mark.parametrize("url", ["sqlite:a?mode=ro", "sqlite:a?", "sqlite:a#b"])
def test_a_url_takes_no_options(url: str) -> None:
    assert "takes no options" in problem_of_url(url)


@pytest.mark.parametrize(
    "url", ["sqlite:%ff", "sqlite:a%zz", "sqlite:100%", "sqlite:%2"]
)
def test_a_url_with_broken_escapes_is_refused(url: str) -> None:
    assert "percent-escapes" in problem_of_url(url)


@pytest.mark.parametrize("url", ["sqlite:", "sqlite:%20", "sqlite: "])
def test_a_url_without_a_path_names_none(url: str) -> None:
    assert "sqlite driver requires path" in problem_of_url(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [("sqlite:a%00b", "NUL"), ("sqlite:data/", "directory"), ("sqlite:~/a", "'~'")],
)
def test_the_path_of_a_url_follows_the_rules_of_paths(url: str, told: str) -> None:
    assert told in problem_of_url(url)


# -- names that are really opened ---------------------------------------------


def test_a_relative_path_is_of_the_folder_in_which_the_store_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    monkeypatch.chdir(first)
    with core.open({"driver": "sqlite", "path": "app.db"}) as store:
        monkeypatch.chdir(second)
        store.execute("CREATE TABLE t (a)")
        with store.read() as snapshot:  # a connection made here and now
            snapshot.execute("SELECT * FROM t")
        health = core.health_check(store, deep=True, timeout=30)

    assert health.status != "failed"
    assert (first / "app.db").stat().st_size
    assert list(second.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "a b.db",
        " a ",
        "a?mode=ro",
        "a?mode=memory&cache=shared",
        "100%.db",
        "a%20b",
        "%2e%2e%2fx",
        "a#b",
        "a&b=c;d",
        "a'b\"c",
        "a\\b",
        "grün 数据 🚢.db",
        "a\tb\x1b",
        "-x",
        "File:x",
        "x" * 200,
    ],
)
def test_a_name_is_taken_literally(tmp_path: Path, name: str) -> None:
    use(tmp_path / name)
    left = {entry.name for entry in tmp_path.iterdir()}

    assert left - {f"{name}-mooring.lock"} == {name}
    with sqlite3.connect(tmp_path / name) as connection:
        (count,) = connection.execute("SELECT count(*) FROM users").fetchone()
    connection.close()
    assert count == 1


def test_a_name_that_looks_like_a_uri_or_a_home_is_opened_by_a_longer_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("file:x.db", "~", ":memory:"):
        use(f"./{name}")
        assert (tmp_path / name).stat().st_size


def test_uris_and_urls_name_the_same_file(tmp_path: Path) -> None:
    name = str(tmp_path / "a b?c#d%.db")
    use(name)
    before = Path(name).stat().st_ino
    for form in (
        f"sqlite:{quote(name)}",
        {"driver": "sqlite", "path": f"file:{quote(name)}"},
        {"driver": "sqlite", "path": f"file://{quote(name)}?mode=rw"},
        {"driver": "sqlite", "path": f"file://localhost{quote(name)}?mode=rwc"},
    ):
        with core.open(form) as store:
            assert store.execute("SELECT count(*) FROM users").scalar() == 1

    assert Path(name).stat().st_ino == before
    assert {entry.name for entry in tmp_path.iterdir()} <= {
        "a b?c#d%.db",
        "a b?c#d%.db-mooring.lock",
    }


@pytest.mark.parametrize("path", [":memory:", "file::memory:", "file:%3Amemory:"])
def test_memory_leaves_no_file(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    use(path)

    assert list(tmp_path.iterdir()) == []


def test_a_uri_can_forbid_to_create(tmp_path: Path) -> None:
    error = refused(f"file:{tmp_path}/app.db?mode=rw", tmp_path)

    assert type(error) is core.OpenError
    assert "does not exist" in error.message


# -- modes --------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177, 0o777])
def test_what_is_made_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with core.open(
            {"driver": "sqlite", "path": str(tmp_path / "one/two/app.db")}
        ) as store:
            store.execute("CREATE TABLE t (a)")
            found = modes(tmp_path)
    finally:
        os.umask(before)

    assert found.pop("one") == found.pop("one/two") == 0o700
    assert {"one/two/app.db", "one/two/app.db-wal", "one/two/app.db-shm"} <= set(found)
    assert set(found.values()) == {0o600}


def test_a_folder_and_a_file_that_exist_keep_their_modes(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    file = tmp_path / "app.db"
    file.touch()
    file.chmod(0o640)
    use(file)

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


# -- things that are no file --------------------------------------------------


def test_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    error = refused(tmp_path / "data", tmp_path)

    assert type(error) is core.OpenError
    assert "is a directory" in error.message


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert "not a regular file" in refused(tmp_path / "pipe", tmp_path).message


def test_a_device_is_refused(tmp_path: Path) -> None:
    assert "not a regular file" in refused("/dev/null", tmp_path).message


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    error = refused(tmp_path / "data" / "app.db", tmp_path)

    assert type(error) is core.OpenError


def test_a_link_leads_to_its_file_and_wal_lies_beside_that(tmp_path: Path) -> None:
    real, links = tmp_path / "real", tmp_path / "links"
    real.mkdir()
    links.mkdir()
    use(real / "app.db")
    (links / "link.db").symlink_to("../real/app.db")
    with core.open({"driver": "sqlite", "path": str(links / "link.db")}) as store:
        store.execute("DELETE FROM users")
        beside = {entry.name for entry in real.iterdir()}

    assert {"app.db", "app.db-wal", "app.db-shm"} <= beside
    assert [entry.name for entry in links.iterdir()] == ["link.db"]


def test_a_dangling_link_makes_its_target_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to("target/app.db")
    use(tmp_path / "link.db")

    assert (tmp_path / "link.db").is_symlink()
    assert modes(tmp_path)["target/app.db"] == 0o600
    assert not list(tmp_path.glob("link.db-*"))


def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    assert type(refused(tmp_path / "a", tmp_path)) is core.OpenError
    assert type(refused(tmp_path / "a" / "app.db", tmp_path)) is core.OpenError


@pytest.mark.parametrize("length", [245, 253, 255, 256, 5000])
@pytest.mark.parametrize("folder", ["", "missing/deeper"])
def test_a_name_that_is_too_long_leaves_nothing(
    tmp_path: Path, length: int, folder: str
) -> None:
    error = refused(tmp_path / folder / ("x" * length), tmp_path)

    assert type(error) is core.OpenError


# -- without the right to -----------------------------------------------------


@pytest.fixture
def shared() -> Iterator[Path]:
    """Return a folder that every user can reach; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        for place in [folder, *folder.rglob("*")]:
            place.chmod(0o777)


@pytest.fixture
def open_unprivileged(
    start_unprivileged: Callable[..., "subprocess.Popen[str]"],
) -> Callable[..., list[str]]:
    """Open databases as a user who is not root; return what happened to each."""
    program = """
        from mooring import core
        become_nobody()
        for path in sys.argv[1:]:
            try:
                core.open({"driver": "sqlite", "path": path}).close()
                print("opened")
            except core.MooringError as error:
                print(type(error).__name__, error.message, "|", error.hint)
        """

    def run(*paths: Path) -> list[str]:
        answer, errors = start_unprivileged(program, *paths).communicate(timeout=60)
        assert errors == ""
        return list(answer.splitlines())

    return run


def test_a_user_without_the_right_is_told_which_and_nothing_changes(
    shared: Path, valid: bytes, open_unprivileged: Callable[..., list[str]]
) -> None:
    places = {name: shared / name for name in ("locked", "open", "hidden", "free")}
    for folder in places.values():
        folder.mkdir()
        folder.chmod(0o777)
        (folder / "app.db").write_bytes(valid)
        (folder / "app.db").chmod(0o666)
    (places["open"] / "app.db").chmod(0o444)
    (places["open"] / "blind.db").write_bytes(valid)
    (places["open"] / "blind.db").chmod(0o222)
    places["locked"].chmod(0o555)
    places["hidden"].chmod(0o000)
    before = content(shared) if os.geteuid() == 0 else {}
    locked, new, deep, read_only, write_only, hidden = open_unprivileged(
        places["locked"] / "app.db",
        places["locked"] / "new.db",
        places["locked"] / "deeper" / "new.db",
        places["open"] / "app.db",
        places["open"] / "blind.db",
        places["hidden"] / "app.db",
    )
    after = content(shared) if os.geteuid() == 0 else {}

    for answer in (locked, new, deep, read_only, write_only, hidden):
        assert answer.startswith("OpenError ")
    assert f"folder {places['locked']} is not writable" in locked
    assert f"file {places['open']}/app.db is not writable" in read_only
    assert "mode 0444" in read_only
    assert "blind.db" in write_only
    assert "Permission denied" in new
    assert "Permission denied" in deep
    assert "Permission denied" in hidden
    assert after == before
    assert open_unprivileged(places["free"] / "app.db") == ["opened"]


# -- files that are no database -----------------------------------------------

_random = Random(20250711)  # noqa: S311 - the same bytes each time
NO_DATABASES = {
    "one byte": b"x",
    "16 random bytes": _random.randbytes(16),
    "4 KiB of high entropy": _random.randbytes(4096),
    "1 MiB of high entropy": _random.randbytes(1 << 20),
    "a text": b"-- +goose Up\nCREATE TABLE users (id TEXT);\n" * 100,
    "a short text": b"hello\n",
    "zeros": bytes(8192),
    "only the header's first words": b"SQLite format 3\0",
    "a header and noise": b"SQLite format 3\0" + _random.randbytes(4080),
}


@pytest.mark.parametrize("data", NO_DATABASES.values(), ids=NO_DATABASES)
def test_a_file_that_is_no_database_is_left_as_it_is(
    tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "app.db").write_bytes(data)
    error = refused(tmp_path / "app.db", tmp_path)

    assert type(error) is core.CorruptStoreError
    assert "app.db" in error.message


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("keep", [50, 100, 511, 4096, 5000, 8192, -4096])
def test_a_truncated_database_is_left_as_it_is(
    tmp_path: Path, valid: bytes, keep: int, mode: str
) -> None:
    path = tmp_path / "app.db"
    path.write_bytes(valid)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.close()
    path.write_bytes(path.read_bytes()[:keep])
    error = refused(path, tmp_path)

    assert type(error) is core.CorruptStoreError


def test_a_file_without_bytes_is_an_empty_database(tmp_path: Path) -> None:
    (tmp_path / "app.db").touch()
    use(tmp_path / "app.db")

    assert (tmp_path / "app.db").read_bytes().startswith(b"SQLite format 3\0")
