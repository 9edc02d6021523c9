"""An application's migrations in a folder for each dialect."""

import sys
from pathlib import Path

import pytest
from mooring import core, migrate

SQL = {
    "sqlite": "-- +goose Up\nCREATE TABLE orders (id INTEGER PRIMARY KEY, at TEXT);\n",
    "postgres": "-- +goose Up\n"
    "CREATE TABLE orders (id bigserial PRIMARY KEY, at timestamptz);\n",
}
PYTHON = """\
def up(tx):
    from datetime import UTC, datetime

    at = datetime(2026, 1, 1, tzinfo=UTC)
    tx.execute("INSERT INTO orders (at) VALUES (:at)", {"at": at})
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with migrations for both."""
    package = tmp_path / "a_shop"
    for driver, text in SQL.items():
        folder = package / "migrations" / driver
        folder.mkdir(parents=True)
        (folder / "1_orders.sql").write_text(text)
        (folder / "2_first_order.py").write_text(PYTHON)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "a_shop", raising=False)


def open_shop(config: core.StoreConfig) -> core.SqlStore:
    # As docs/how-to/own-migrations.md has it.
    folder = f"migrations/{config.driver}"
    source = migrate.Source(
        core.package_folder("a_shop", folder), table="shop_versions"
    )
    return core.open(config, migrations=source)


@pytest.mark.usefixtures("shop")
def test_the_configuration_chooses_the_folder(place: dict[str, object]) -> None:
    config = core.configure(place)
    for _ in range(2):
        with open_shop(config) as store:
            assert store.driver == place["driver"]
            assert store.execute("SELECT count(*) FROM orders").scalar() == 1
            assert store.execute("SELECT count(*) FROM users").scalar() == 0
            rows = store.execute("SELECT version_id FROM shop_versions ORDER BY id")
            assert [row["version_id"] for row in rows] == [0, 1, 2]


@pytest.mark.usefixtures("shop")
def test_what_is_loaded_chooses_it_too(place: dict[str, object]) -> None:
    config = core.load(env={}, overrides=place)
    with open_shop(config) as store:
        assert store.execute("SELECT count(*) FROM orders").scalar() == 1


@pytest.mark.usefixtures("shop")
def test_a_dialect_without_a_folder_is_named() -> None:
    with pytest.raises(NotADirectoryError, match="migrations/oracle"):
        core.package_folder("a_shop", "migrations/oracle")


@pytest.mark.parametrize("url", ["postgres://h/d", "postgresql://h/d"])
def test_an_alias_leads_to_the_name_of_the_driver(url: str) -> None:
    assert core.configure(url).driver == "postgres"
