"""What each verb writes with --json is what its JSON Schema says, and no more."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mooring.cli._app import app

Run = Callable[..., Any]

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "json"
SCHEMAS = {file.stem: json.loads(file.read_text()) for file in FOLDER.glob("*.json")}
PAGE = FOLDER.parent / "command.md"

# How each verb is called, in an empty folder with a database that is two behind.
CALLS = {
    "drivers": ["drivers", "--load"],
    "config-check": ["config", "check", "sqlite:app.db"],
    "config-show": ["config", "show", "sqlite:app.db"],
    "health": ["health", "sqlite:app.db"],
    "doctor": ["doctor", "sqlite:app.db", "--integrity"],
    "migrate-status": ["migrate", "status", "sqlite:app.db"],
    "migrate-up": ["migrate", "up", "sqlite:app.db"],
    "migrate-down": ["migrate", "down", "sqlite:app.db", "--yes"],
    "migrate-redo": ["migrate", "redo", "sqlite:app.db", "--yes"],
    "migrate-reset": ["migrate", "reset", "sqlite:app.db", "--yes"],
    "migrate-plan": ["migrate", "plan", "sqlite:app.db", "--sql"],
    "migrate-wait": ["migrate", "wait", "sqlite:current.db"],
    "migrate-stamp": ["migrate", "stamp", "sqlite:app.db", "--to", "20250711163857"],
    "migrate-repair": ["migrate", "repair", "sqlite:app.db", "--yes"],
    "migrate-new": ["migrate", "new", "add users", "--dir", "."],
    "migrate-validate": ["migrate", "validate", "."],
    "driver-new": ["driver", "new", "mine"],
    "driver-check": ["driver", "check", "sqlite", "--group", "identity"],
    "demo": ["demo", "--seconds", "0.1"],
    "completion": ["completion", "fish"],
    "version": ["version"],
}
ERRORS = {
    "usage": ["health"],
    "config": ["health", "sqlite:app.db", "-o", "busy_timout=1"],
    "unknown_driver": ["health", "sqlit:app.db"],
    "open": ["doctor", "sqlite:other.db"],
}


def closed(schema: Any) -> Any:
    """Return a schema that allows no key which it does not tell of."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(part) for key, part in schema.items()}
    if "properties" in found and found.get("type") == "object":
        found["additionalProperties"] = False
    return found


def compare(schema: str, document: Any) -> None:
    Draft202012Validator(closed(SCHEMAS[schema])).validate(document)


def verbs(command: Any, name: str = "") -> list[str]:
    """Return all verbs of the command, those of groups as ``group-verb``."""
    listed = getattr(command, "list_commands", None)
    if listed is None:
        return [name]
    return [
        verb
        for below in listed(None)
        for verb in verbs(
            command.get_command(None, below), f"{name}-{below}".strip("-")
        )
    ]


def test_each_verb_has_a_schema_and_each_schema_a_verb() -> None:
    assert sorted(SCHEMAS) == sorted([*verbs(app), "error"])
    assert sorted(CALLS) == sorted(verbs(app))


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one_and_is_on_the_page(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    verb = name.replace("-", " ")
    told = "an error" if name == "error" else f"`{verb}`"

    assert f"\n| {told} | [{name}.json](json/{name}.json) | " in PAGE.read_text()


@pytest.mark.parametrize("name", CALLS)
def test_what_a_verb_writes_is_what_its_schema_says(run: Run, name: str) -> None:
    run("migrate", "up", "sqlite:app.db", "--to", "20250603124915")
    run("migrate", "up", "sqlite:current.db")
    done = run(*CALLS[name], "--json")

    assert done.err == ""
    compare(name, done.document)


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_is_what_its_schema_says(run: Run, code: str) -> None:
    done = run(*ERRORS[code], "--json")

    assert done.err == ""
    compare("error", done.document)
    assert done.document["error"]["code"] == code
    assert done.code != 0


def test_quiet_leaves_the_one_object(run: Run) -> None:
    compare("version", run("version", "--json", "--quiet").document)
