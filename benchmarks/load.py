"""What it costs to load a configuration of 30 keys, beside only reading its file."""

import os
import tomllib
from collections.abc import Callable, Iterator
from time import perf_counter

import attrs
import yaml
from mooring import core

from benchmarks.measure import DIFFERENCE, Against, Group, measure

TOMLLIB = "tomllib.load"
SAFE_LOAD = "yaml.safe_load"
TOML = "core.load, TOML"
YAML = "core.load, YAML"
ENVIRONMENT = "core.load, environment"
BROKEN = "core.explain, 10 problems"

_KEYS = 30
# Seconds over what reads the file: 5 ms is the project's goal.
_COMPARE = (
    Against(TOML, TOMLLIB, 0.005),
    Against(YAML, SAFE_LOAD),
    Against(ENVIRONMENT, TOMLLIB, 0.005),
    Against(BROKEN, TOMLLIB, 0.05),
)


def options() -> dict[str, str]:
    """Return 30 options of PostgreSQL, each as TOML and as YAML write it."""
    found = {"driver": '"postgres"', "host": '"db.example.org"'}
    info = core.default_registry().info("postgres")
    for key, field in core.option_fields(info.config_class).items():
        if len(found) == _KEYS:
            break
        value = field.default
        if isinstance(value, bool):
            found.setdefault(key, str(value).lower())
        elif isinstance(value, int | float):
            found.setdefault(key, repr(value))
        elif value == "" and not attrs.fields_dict(info.config_class)[key].validator:
            found.setdefault(key, '""')
    return found


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield what each way of loading takes."""
    given = options()
    files = {
        "good.toml": "\n".join(
            ["[database]", *(f"{k} = {v}" for k, v in given.items())]
        ),
        "good.yaml": "\n".join(
            ["database:", *(f"  {k}: {v}" for k, v in given.items())]
        ),
        "broken.toml": "\n".join(
            ["[database]", *(f"{k} = [1]" for k in list(given)[-10:]), 'host = "db"']
        ),
    }
    paths = {name: os.path.join(folder, name) for name in files}
    for name, text in files.items():
        with open(paths[name], "w", encoding="utf-8") as stream:
            stream.write(text)
    env = {f"DB_{key.upper()}": value.strip('"') for key, value in given.items()}

    def toml() -> object:
        with open(paths["good.toml"], "rb") as stream:
            return tomllib.load(stream)

    def safe() -> object:
        with open(paths["good.yaml"], "rb") as stream:
            return yaml.safe_load(stream)

    def timed(call: Callable[[], object]) -> Callable[[int], float]:
        def once(_: int) -> float:
            started = perf_counter()
            call()
            return perf_counter() - started

        return once

    cases = {
        TOMLLIB: toml,
        SAFE_LOAD: safe,
        TOML: lambda: core.load(paths["good.toml"], env={}),
        YAML: lambda: core.load(paths["good.yaml"], env={}),
        ENVIRONMENT: lambda: core.load(env=env),
        BROKEN: lambda: core.explain(paths["broken.toml"], env={}),
    }
    yield measure(
        "load",
        f"configuration: {len(given)} keys",
        {name: timed(call) for name, call in cases.items()},
        _COMPARE,
        rounds,
        compared=DIFFERENCE,
    )
