"""What is built, and what it does where nothing but it is installed."""

import json
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

Run = Callable[..., str]
Dists = Mapping[str, list[Path]]
Wheels = Mapping[str, Path]

MIGRATIONS = {
    "20250603124835_create_workflow_states.sql",
    "20250603124915_create_task_states.sql",
    "20250711163857_create_users.sql",
    "20250711163858_create_api_keys.sql",
}
FOLDERS = {
    "mooring": "core",
    "mooring_sqlite": "drivers/sqlite",
    "mooring_postgres": "drivers/postgres",
    "mooring_duckdb": "examples/duckdb-driver",
    "mooring_keyvalue": "examples/keyvalue-driver",
}
PACKAGES = sorted(FOLDERS)
# Opens a store, writes, and reads it back after a second opening.
ROUND_TRIP = """
    from mooring import core, migrate

    def round_trip(config):
        with core.open(config) as store:
            row = {"id": "u1", "email": "a@b.c", "role": "admin"}
            sql = "INSERT INTO users (id, email, role) VALUES (:id, :email, :role)"
            store.execute(sql, row)
        with core.open(config, migrate="verify") as store:
            assert store.execute("SELECT email FROM users").scalar() == "a@b.c"
            assert core.health_check(store, deep=True, timeout=10).ok
            return len(migrate.Migrator(store).source.files())
    """
SQLITE_ROUND_TRIP = f"""{ROUND_TRIP}
    import os, tempfile
    import mooring_sqlite

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "app.db")
        count = round_trip({{"driver": "sqlite", "path": path}})
    print(count, os.path.dirname(mooring_sqlite.__file__))
    """


def members(dist: Path) -> set[str]:
    if dist.suffix == ".whl":
        with zipfile.ZipFile(dist) as archive:
            return set(archive.namelist())
    with tarfile.open(dist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def metadata(wheel: Path, file: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(f".dist-info/{file}"))
        return archive.read(name).decode()


def headers(wheel: Path) -> Message:
    return Parser().parsestr(metadata(wheel, "METADATA"))


def sources(root: Path, package: str) -> set[str]:
    """List the files of a package in the tree, as they are called in its wheel."""
    member = root / FOLDERS[package]
    return {
        str(file.relative_to(member))
        for file in (member / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


# -- what is in them ----------------------------------------------------------


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_holds_the_package_its_metadata_and_nothing_else(
    wheels: Wheels, root: Path, package: str
) -> None:
    info = f"{package}-0.1.0.dist-info"
    metadata = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    expected = sources(root, package) | {f"{info}/{name}" for name in metadata}
    assert members(wheels[package]) == expected
    assert f"{package}/py.typed" in expected


@pytest.mark.parametrize("package", PACKAGES)
def test_sdist_holds_what_is_needed_to_build_the_wheel_and_nothing_else(
    dists: Dists, root: Path, package: str
) -> None:
    (sdist,) = (file for file in dists[package] if file.suffix == ".gz")
    # hatchling adds .gitignore, so that a build from the sdist leaves out the same.
    extra = {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"}
    assert members(sdist) - {".gitignore"} == sources(root, package) | extra


@pytest.mark.parametrize(
    "package", ["mooring_duckdb", "mooring_postgres", "mooring_sqlite"]
)
def test_wheel_of_a_driver_holds_its_migrations(wheels: Wheels, package: str) -> None:
    found = {name for name in members(wheels[package]) if ".sql" in name}
    assert found == {f"{package}/migrations/{name}" for name in MIGRATIONS}


def test_core_wheel_needs_pluggy_attrs_and_cattrs_and_nothing_else(
    wheels: Wheels,
) -> None:
    requires = headers(wheels["mooring"]).get_all("Requires-Dist") or []
    needed = [line for line in requires if "extra ==" not in line]
    names = {re.split(r"[^\w.-]", line)[0] for line in needed}
    assert names == {"pluggy", "attrs", "cattrs"}


@pytest.mark.parametrize("package", ["mooring_sqlite", "mooring_keyvalue"])
def test_driver_wheel_needs_mooring_and_attrs_and_nothing_else(
    wheels: Wheels, package: str
) -> None:
    requires = headers(wheels[package]).get_all("Requires-Dist") or []
    assert sorted(requires) == ["attrs>=24.2", "mooring<0.2,>=0.1"]


def test_postgres_wheel_needs_its_client_library_and_brings_it_by_an_extra(
    wheels: Wheels,
) -> None:
    requires = headers(wheels["mooring_postgres"]).get_all("Requires-Dist") or []
    needed = {line for line in requires if "extra ==" not in line}
    extras = {line.rpartition("extra == ")[2] for line in requires} - needed
    assert needed == {"attrs>=24.2", "mooring<0.2,>=0.1", "psycopg<4,>=3.3.9"}
    assert extras == {"'binary'", "'testing'"}


@pytest.mark.parametrize(
    ("package", "offered"),
    [
        ("mooring", "[console_scripts]\nmooring = mooring.cli:main"),
        (
            "mooring_sqlite",
            (
                "[mooring.drivers]\nsqlite = mooring_sqlite\n\n"
                "[mooring.scratch_databases]\n"
                "sqlite = mooring_sqlite._scratch:scratch_databases"
            ),
        ),
        (
            "mooring_postgres",
            (
                "[mooring.drivers]\npostgres = mooring_postgres\n"
                "postgresql = mooring_postgres\n\n"
                "[mooring.scratch_databases]\n"
                "postgres = mooring_postgres.testing._scratch:scratch_databases"
            ),
        ),
        ("mooring_duckdb", "[mooring.drivers]\nduckdb = mooring_duckdb"),
        ("mooring_keyvalue", "[mooring.drivers]\nkeyvalue = mooring_keyvalue"),
    ],
)
def test_wheel_offers_these_entry_points(
    wheels: Wheels, package: str, offered: str
) -> None:
    assert metadata(wheels[package], "entry_points.txt").strip() == offered


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_says_its_license_and_the_version_that_the_package_says(
    wheels: Wheels, root: Path, package: str
) -> None:
    found = headers(wheels[package])
    init = (root / FOLDERS[package] / package / "__init__.py").read_text()
    assert f'__version__ = "{found["Version"]}"' in init
    assert (found["License-Expression"], found["Requires-Python"]) == (
        "Apache-2.0",
        ">=3.11",
    )
    license_text = metadata(wheels[package], "licenses/LICENSE")
    assert license_text == (root / "LICENSE").read_text()
    assert "# mooring" in str(found.get_payload())


# -- core alone ---------------------------------------------------------------


def test_core_alone_knows_no_driver_and_says_what_to_install(
    alone: Path, run: Run
) -> None:
    code = """
        from mooring import core
        assert core.drivers() == []
        for config in ({"driver": "sqlite", "path": "x.db"}, "sqlite:x.db", {}):
            try:
                core.open(config)
            except core.UnknownDriverError as error:
                assert error.installed == (), error.installed
                print(error.hint)
        """
    hints = run(alone, code).splitlines()
    drivers = ("sqlite", "sqlite", "postgres")
    for hint, driver in zip(hints, drivers, strict=True):
        assert f"install mooring[{driver}] from where" in hint


def test_core_passes_its_own_tests_without_any_driver(
    alone: Path, run: Run, root: Path
) -> None:
    code = """
        import os, sys
        import mooring, pytest

        root = sys.argv[1]
        tests = os.path.join(root, "tests")
        assert not mooring.__file__.startswith(root)
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = os.getcwd()
        sys.exit(pytest.main([
            "-q", "-c", os.path.join(root, "pyproject.toml"), "--confcutdir", tests,
            "-p", "no:cacheprovider", "--basetemp", os.path.join(os.getcwd(), "core"),
            os.path.join(tests, "unit", "core"), os.path.join(tests, "unit", "migrate"),
        ]))
        """
    found = re.search(r"(\d+) passed", run(alone, code, root))
    assert found
    assert int(found[1]) > 100


# -- and drivers --------------------------------------------------------------


def test_sqlite_from_its_wheel_opens_migrates_and_reads_back(
    with_sqlite: Path, run: Run
) -> None:
    count, folder = run(with_sqlite, SQLITE_ROUND_TRIP).split()
    assert (count, Path(folder).parent.name) == ("4", "site-packages")


def test_postgres_from_its_wheel_opens_migrates_and_reads_back(
    with_postgres: Path, run: Run, postgres_config: dict[str, object]
) -> None:
    code = f"""{ROUND_TRIP}
    import json, os, sys
    import mooring_postgres

    count = round_trip(json.loads(sys.argv[1]))
    print(count, os.path.dirname(mooring_postgres.__file__))
    """
    count, folder = run(with_postgres, code, json.dumps(postgres_config)).split()
    assert (count, Path(folder).parent.name) == ("4", "site-packages")


def test_third_partys_driver_for_sql_opens_migrates_and_reads_back(
    with_duckdb: Path, run: Run, tmp_path: Path
) -> None:
    code = f"""{ROUND_TRIP}
    import os, sys
    import mooring_duckdb

    count = round_trip({{"driver": "duckdb", "path": sys.argv[1]}})
    assert [entry.name for entry in core.drivers()] == ["duckdb"]
    print(count, os.path.dirname(mooring_duckdb.__file__))
    """
    count, folder = run(with_duckdb, code, tmp_path / "app.duckdb").split()
    assert (count, Path(folder).parent.name) == ("4", "site-packages")


def test_third_partys_driver_is_listed_opened_and_asked_for_its_health(
    with_keyvalue: Path, run: Run, tmp_path: Path
) -> None:
    code = """
        import sys
        from mooring import core

        entry = next(entry for entry in core.drivers() if entry.name == "keyvalue")
        assert "mooring_keyvalue" not in sys.modules
        print(entry.distribution, entry.version, entry.target, entry.state)
        config = {"driver": "keyvalue", "path": sys.argv[1]}
        with core.open(config) as store:
            store.put("a", b"1")
            print(store.get("a"), core.health_check(store).status)
            assert isinstance(store, core.Store)
            assert not isinstance(store, core.SqlStore)
        print(core.health_check(store).status, repr(store).split()[-1])
        with core.open(f"keyvalue:{sys.argv[1]}") as store:
            print(store.get("a"))
        """
    assert run(with_keyvalue, code, tmp_path / "values").splitlines() == [
        "mooring_keyvalue 0.1.0 mooring_keyvalue available",
        "b'1' ok",
        "failed closed>",
        "b'1'",
    ]


def test_third_partys_driver_proves_itself_by_its_own_tests(
    with_keyvalue_testing: Path, run: Run, root: Path, tmp_path: Path
) -> None:
    # Only the tests: what they import is the wheel.
    tests = root / FOLDERS["mooring_keyvalue"] / "tests"
    shutil.copytree(tests, tmp_path / "tests")
    code = """
        import os, sys
        import mooring_keyvalue, pytest

        assert "site-packages" in mooring_keyvalue.__file__
        os.chdir(sys.argv[1])
        plugins = ("-p", "no:cacheprovider", "-p", "mooring.testing.report")
        sys.exit(pytest.main(["-q", "-W", "error", *plugins, "tests"]))
        """
    output = run(with_keyvalue_testing, code, tmp_path).splitlines()

    assert "verdict: conformant" in output
    assert "  stores    speak no SQL: what is about SQL is not applicable" in output


def test_third_partys_driver_refuses_a_wrong_configuration_with_all_that_is_wrong(
    with_keyvalue: Path, run: Run
) -> None:
    code = """
        from mooring import core

        config = {"driver": "keyvalue", "path": 1, "pool_timeout": 0, "pth": "values"}
        try:
            core.open(config)
        except core.ConfigError as error:
            print(sorted(problem.key for problem in error.problems))
        """
    assert run(with_keyvalue, code).strip() == "['path', 'pool_timeout', 'pth']"


def test_sqlite_is_the_same_beside_a_third_partys_driver(
    with_keyvalue: Path, run: Run
) -> None:
    code = f"""{SQLITE_ROUND_TRIP}
    import sys
    assert "mooring_keyvalue" not in sys.modules
    """
    assert run(with_keyvalue, code).startswith("4 ")


def test_broken_distribution_harms_no_other(
    with_broken: Path, run: Run, tmp_path: Path
) -> None:
    missing = "a_library_that_is_not_installed"
    assert run(with_broken, SQLITE_ROUND_TRIP).startswith("4 ")
    code = """
        import sys
        from mooring import core

        for name in ("broken", "nowhere"):
            try:
                core.open({"driver": name})
            except core.DriverLoadError as error:
                assert isinstance(error.__cause__, ModuleNotFoundError)
                print(error.hint)
        core.open({"driver": "keyvalue", "path": sys.argv[1]}).close()
        for entry in core.drivers():
            print(entry.name, entry.state, entry.reason)
        """
    assert run(with_broken, code, tmp_path / "values").splitlines() == [
        f"install the module {missing!r} that mooring_broken needs",
        "install the module 'mooring_nowhere' that mooring_broken needs",
        f"broken broken No module named {missing!r}",
        "keyvalue loaded ",
        "nowhere broken No module named 'mooring_nowhere'",
        "sqlite available ",
    ]


def test_store_opens_from_wheels_that_are_still_zipped(
    bare: Path, run: Run, wheels: Wheels
) -> None:
    code = f"""
    import sys
    sys.path[:0] = sys.argv[1:]
    {SQLITE_ROUND_TRIP}
    assert core.__file__.startswith(sys.argv[1])
    assert [entry.name for entry in core.drivers()] == ["sqlite"]
    """
    wanted = (wheels["mooring"], wheels["mooring_sqlite"])
    count, folder = run(bare, code, *wanted).split()
    assert (count, Path(folder)) == ("4", wanted[1] / "mooring_sqlite")


# An application whose migrations differ from dialect to dialect, in SQL and in Python.
SHOP = {
    "shop/__init__.py": "",
    **{
        f"shop/migrations/{dialect}/{name}": text
        for dialect in ("sqlite", "postgres")
        for name, text in {
            "__init__.py": "raise SystemExit",
            "1_orders.sql": "-- +goose Up\nCREATE TABLE orders (x int, by text);\n",
            "2_fill.py": "def up(tx):\n"
            "    tx.execute('INSERT INTO orders VALUES (:x, :by)',"
            f" {{'x': 1, 'by': '{dialect}'}})\n"
            "def down(tx):\n"
            "    raise ValueError('there is no way back')\n",
            "3_alone.py": "transaction = False\n"
            "def up(connection):\n"
            "    with connection.transaction() as tx:\n"
            "        tx.execute('UPDATE orders SET x = x + 1')\n",
        }.items()
    },
}
OPEN_SHOP = """
    import json, os, sys, traceback
    sys.path[:0] = sys.argv[2:]
    from mooring import core, migrate
    import shop

    config = core.configure(json.loads(sys.argv[1]))
    folder = core.package_folder("shop", f"migrations/{config.driver}")
    source = migrate.Source(folder, table="shop_versions")
    assert migrate.validate(source) == (), migrate.validate(source)
    with core.open(config, migrations=source) as store:
        print(*store.execute("SELECT x, by FROM orders").one())
    with core.open(config, migrations=source, migrate="verify") as store:
        migrator = migrate.Migrator(store, source)
        print([one.state for one in migrator.status()])
        try:
            migrator.down(to=1)
        except core.MigrationFailedError as error:
            print(error.message.partition("\\n")[0])
            text = traceback.format_exc()
    place = os.path.join(sys.argv[2], "shop", "migrations", config.driver, "2_fill.py")
    assert f'File "{place}", line 4, in down' in text, text
    assert "    raise ValueError('there is no way back')" in text, text
    assert not os.path.exists(place)
    """
OPENED = [
    "2 {}",
    "['applied', 'applied', 'applied']",
    "2_fill.py:4: ValueError: there is no way back",
]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of that application, as far as an import needs it."""
    wheel = tmp_path_factory.mktemp("shop") / "shop-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in SHOP.items():
            archive.writestr(name, text)
    return wheel


def test_an_application_migrates_where_all_wheels_are_still_zipped(
    bare: Path, run: Run, wheels: Wheels, shop: Path, tmp_path: Path
) -> None:
    wanted = (shop, wheels["mooring"], wheels["mooring_sqlite"])
    config = json.dumps({"driver": "sqlite", "path": str(tmp_path / "app.db")})

    output = run(bare, OPEN_SHOP, config, *wanted).splitlines()
    assert output == [line.format("sqlite") for line in OPENED]


def test_a_zipped_application_migrates_on_postgres(
    with_postgres: Path, run: Run, shop: Path, postgres_config: dict[str, object]
) -> None:
    output = run(with_postgres, OPEN_SHOP, json.dumps(postgres_config), shop)
    assert output.splitlines() == [line.format("postgres") for line in OPENED]


@pytest.mark.parametrize(
    ("project", "installed"),
    [
        ("core", "with_keyvalue"),
        ("drivers/sqlite", "with_sqlite"),
        ("drivers/postgres", "with_postgres"),
        ("examples/duckdb-driver", "with_duckdb"),
        ("examples/keyvalue-driver", "with_keyvalue"),
    ],
)
def test_examples_in_its_readme_run(
    request: pytest.FixtureRequest, run: Run, root: Path, project: str, installed: str
) -> None:
    python = request.getfixturevalue(installed)
    text = (root / project / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for block in blocks:
        run(python, block)
