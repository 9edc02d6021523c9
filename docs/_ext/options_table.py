"""The directive ``options``: a configuration class as a table, read from its fields.

Name, variable, type, range, unit, default and meaning come from the class itself, so
that the page cannot say something else than the code.
"""

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import attrs
from docutils import nodes
from docutils.statemachine import StringList
from mooring.core import ConfigError, Secret
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Options(SphinxDirective):
    """``options:: package.Class``, with ``:own:`` or ``:shared:`` for a part."""

    required_arguments = 1
    option_spec = {"own": lambda _: True, "shared": lambda _: True}  # noqa: RUF012 - docutils' form

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        module, _, name = self.arguments[0].rpartition(".")
        rows = rows_of(
            getattr(import_module(module), name),
            own="shared" not in self.options,
            shared="own" not in self.options,
        )
        lines = [
            "| option | variable | default | unit | allowed | meaning |",
            "| - | - | - | - | - | - |",
        ]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        holder = nodes.container()
        text = StringList(lines, source=self.arguments[0])
        self.state.nested_parse(text, self.content_offset, holder)
        return holder.children


def rows_of(
    config_class: type[Any], *, own: bool = True, shared: bool = True
) -> list[tuple[str, ...]]:
    """Return a row for each option, its cells in the order of the table."""
    inherited = {
        field.name
        for base in config_class.__mro__[1:]
        if attrs.has(base)
        for field in attrs.fields(base)
    }
    required = _required(config_class)
    # For defaults that depend on other options.
    others = SimpleNamespace(**{f.name: f.default for f in attrs.fields(config_class)})
    return [
        (
            f"`{field.name}`",
            f"`DB_{field.name.upper()}`",
            _default(field, required, others),
            field.metadata["unit"],
            _allowed(field),
            field.metadata["doc"],
        )
        for field in attrs.fields(config_class)
        if field.init and (shared if field.name in inherited else own)
    ]


def _required(config_class: type[Any]) -> set[str]:
    """Return the options without which there is no instance."""
    try:
        config_class()
    except ConfigError as error:
        return {problem.key for problem in error.problems}
    return set()


def _default(
    field: "attrs.Attribute[Any]", required: set[str], others: SimpleNamespace
) -> str:
    if field.name in required:
        return "required"
    value = field.default
    if hasattr(value, "factory"):  # one that is made of other options
        value = value.factory(others)
    shown = f"{value:g}" if type(value) is float else repr(value).replace("'", '"')
    return f"`{shown}`"


def _allowed(field: "attrs.Attribute[Any]") -> str:
    rule: Any = field.metadata["rule"]
    if rule.choices:
        return " ".join(f'`"{choice}"`' for choice in rule.choices)
    kinds: dict[Any, str] = {
        bool: "`True` `False`",
        int: "int",
        float: "number",
        str: "str",
        int | str: "int, or str",
        Secret | None: "secret",
    }
    return " ".join(filter(None, (kinds.get(field.type, ""), rule.range())))


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directive."""
    app.add_directive("options", Options)
    return {"version": "1", "parallel_read_safe": True}
