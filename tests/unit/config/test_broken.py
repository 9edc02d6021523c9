"""Every option wrong in every way: each problem is named, and no secret is shown."""

import json
import random
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import attrs
import pytest
from mooring import core
from mooring.cli._app import run
from mooring_postgres import PostgresConfig
from mooring_sqlite import SqliteConfig

Write = Callable[[str, str], None]

# With signs that break URLs, and that are written otherwise in TOML and in JSON.
SECRET = 's3cr\\t/Pa55@w"rd%zz'  # noqa: S105 - of these tests
CLASSES: dict[str, type[core.StoreConfig]] = {
    "sqlite": SqliteConfig,
    "postgres": PostgresConfig,
}
GOOD = {"sqlite": {"path": "app.db"}, "postgres": {"host": "db"}}


class Plant(NamedTuple):
    """One thing that is planted: an option, its value, and the key that is told."""

    key: str
    value: object
    told: str


def plants(driver: str) -> Iterator[Plant]:
    config_class = attrs.resolve_types(CLASSES[driver])
    for key, field in core.option_fields(config_class).items():
        told = field.metadata["same_as"] or key
        rule = field.metadata["rule"]
        kind: Any = field.type
        numeric = kind in (int, float)
        wrong: list[object] = [[SECRET], {"a": SECRET}]
        wrong += [SECRET, True, -7 if rule.range() else None] if numeric else []
        wrong += [2.5] if kind is int else [1e300] if kind is float else []
        wrong += [SECRET, 1] if kind is bool else []
        wrong += [SECRET, 5] if kind is str and rule.choices else []
        wrong += [5] if kind in (str, core.Secret | None) and not rule.choices else []
        wrong += [SECRET, 0, 65536] if kind == int | str else []
        yield from (Plant(key, value, told) for value in wrong if value is not None)
        misspelt = f"{key}_x"
        yield Plant(misspelt, SECRET, misspelt)


ALL = [(driver, plant) for driver in CLASSES for plant in plants(driver)]


def combinations(count: int) -> Iterator[tuple[str, list[Plant]]]:
    """Yield several at once, at most one for each key; the same in each run."""
    chance = random.Random(20261127)  # noqa: S311 - nothing depends on it
    for _ in range(count):
        driver = chance.choice(list(CLASSES))
        chosen = chance.sample(list(plants(driver)), chance.randint(2, 9))
        yield driver, list({plant.told: plant for plant in chosen}.values())


CASES = [(driver, [plant]) for driver, plant in ALL] + list(combinations(60))


def as_toml(driver: str, options: dict[str, object]) -> str:
    lines = ["[database]", f'driver = "{driver}"']
    for key, value in options.items():
        inline = isinstance(value, dict)
        text = f"{{ a = {json.dumps(SECRET)} }}" if inline else json.dumps(value)
        lines.append(f"{key} = {text}")
    return "\n".join(lines)


def as_yaml(driver: str, options: dict[str, object]) -> str:
    lines = ["database:", f"  driver: {driver}"]
    return "\n".join([*lines, *(f"  {k}: {json.dumps(v)}" for k, v in options.items())])


def line_of(text: str, key: str) -> int:
    (found,) = (
        number
        for number, line in enumerate(text.splitlines(), start=1)
        if line.split("=")[0].split(":")[0].strip() == key
    )
    return found


def assert_silent(*texts: str) -> None:
    for text in texts:
        for form in (SECRET, json.dumps(SECRET)[1:-1], repr(SECRET)[1:-1], "s3cr"):
            assert form not in text


def test_there_are_at_least_two_hundred() -> None:
    assert len(CASES) >= 200


@pytest.mark.parametrize("form", ["toml", "yaml"])
def test_each_problem_is_named_with_its_line(form: str, write: Write) -> None:
    for driver, planted in CASES:
        options = {**GOOD[driver], **{plant.key: plant.value for plant in planted}}
        text = (as_toml if form == "toml" else as_yaml)(driver, options)
        write(f"mooring.{form}", text)
        found = core.explain(env={})
        assert found.error is not None, (driver, planted)
        with pytest.raises(core.ConfigError) as caught:
            core.load(env={})
        assert caught.value.__context__ is None
        places = {problem.key: problem.source for problem in found.error.problems}
        for plant in planted:
            place = f"mooring.{form}:{line_of(text, plant.key)}"
            assert places.get(plant.told) == place, (plant, places)
        assert_silent(
            str(found.error),
            repr(found.error.problems),
            repr(found),
            "".join(traceback.format_exception(caught.value)),
        )


def test_in_the_environment_each_problem_is_named_with_its_variable() -> None:
    looked_at = 0
    for driver, plant in ALL:
        if plant.value != SECRET or plant.key != plant.told.removesuffix("_x"):
            continue
        looked_at += 1
        env = {"DB_DRIVER": driver, f"DB_{plant.key.upper()}": SECRET}
        env |= {f"DB_{key.upper()}": text for key, text in GOOD[driver].items()}
        error = core.explain(env=env).error
        assert error is not None, plant
        assert [p.source for p in error.problems if p.key == plant.told] == [
            f"env DB_{plant.key.upper()}"
        ]
        assert_silent(str(error), repr(error.problems))
    assert looked_at > 30


@pytest.mark.parametrize(
    "url",
    [
        f"postgres://ada:{SECRET}@db/app",
        "postgresql://ada:s3cr%zzet@db/app",
        "postgresql://ada:s3cret@[::1/db",
        "postgresql://ada:s3cret@db:99999/app",
        "postgres//ada:s3cret@db",
        "postgresql+psycopg2://ada:s3cret@db/app",
        "sqlite://ada:s3cret@db",
        "sqlite:app.db?key=s3cret",
        "sqlite:s3cret%zz",
        "://s3cret",
        "s3cret",
    ],
)
@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "DB_URL", "DB_CONN_STRING", "DB_DRIVER", "DB_HOST"]
)
def test_a_secret_in_a_url_that_is_broken_or_in_a_wrong_place_is_not_shown(
    name: str, url: str
) -> None:
    if (name, url) == ("DB_DRIVER", "s3cret"):
        return  # a word like any other, which nothing tells from a driver's name
    try:
        found = core.explain(env={name: url})
    except (core.ConfigError, core.DriverError) as error:
        assert_silent("".join(traceback.format_exception(error)))
        return
    if found.error is not None:
        assert_silent("".join(traceback.format_exception(found.error)), repr(found))
    else:
        # Whatever may be the name of a host is one.
        assert name == "DB_HOST"
        assert "@" not in url


@pytest.mark.parametrize("verb", [["config", "check"], ["config", "show"]])
def test_the_command_exits_3_and_shows_no_secret(
    verb: list[str], write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (driver, planted) in enumerate(CASES[::2]):
        options = {**GOOD[driver], **{plant.key: plant.value for plant in planted}}
        write("mooring.toml", as_toml(driver, options))
        as_json = ["--json"] if number % 2 else []
        assert run([*verb, *as_json]) == 3
        told = capsys.readouterr()
        assert_silent(told.out, told.err)
        if as_json:
            problems = json.loads(told.out)["error"]["problems"]
            assert {p.told for p in planted} <= {p["key"] for p in problems}
        else:
            assert all(plant.told in told.err for plant in planted)
