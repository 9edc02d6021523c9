"""Reading many rows into a class: one function, made for the class and the columns.

It knows the values that a column ordinarily holds, and takes those as they are. Every
other value is the business of `RowConverter`, which reads or refuses it, so that both
give the same. The code is written out as text since nothing else is as fast: a call
for each value costs more than what is done to the value.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from inspect import CO_VARARGS, CO_VARKEYWORDS
from keyword import iskeyword
from types import FunctionType, UnionType
from typing import Any, Final, Union, get_args, get_origin

import attrs

from mooring.core._json_text import Loads, loads_for

Rows = Sequence[tuple[Any, ...]]
Mapper = Callable[[Rows], list[Any]]
# Reads a field's value by the rules, or raises.
Read = Callable[[Any], Any]

# How many rows are looked at together. Their JSON is copied for that, into pieces that
# are small enough for a processor's caches.
_TOGETHER: Final = 200

# What is done to the value {v} of a field. Where it may be None, {none} lets None pass,
# and so does {otherwise}, which is "else" elsewhere.
_AS_IS = "if type({v}) is not {kind}{none}: {v} = {read}({v})"
_BOOL = """\
if type({v}) is not bool{none}:
    {v} = {v} == 1 if type({v}) is int and 0 <= {v} <= 1 else {read}({v})"""
# Naive text means UTC; to read it with a zone behind takes a fraction of the time that
# it takes to put one on. But before a zone Python overlooks a character, and any behind
# six decimals. "YYYY-MM-DD HH:MM:SS", with six or none, leaves no room for those: where
# a text of that length has a colon behind the minutes, all of it was read.
_TIME = """\
if type({v}) is str:
    if (len({v}) == 26 or len({v}) == 19) and {v}[16] == ":":
        try: {v} = from_text({v} + "+00:00")
        except ValueError: {v} = {read}({v})
    else: {v} = {read}({v})
elif type({v}) is datetime and {v}.tzinfo is not None:
    try: {v} = {v}.astimezone(UTC)
    except OverflowError: {v} = {read}({v})
{otherwise}: {v} = {read}({v})"""
_JSON = """\
if type({v}) is str:
    try: document = loads({v})
    except Exception: {v} = {read}({v})
    else: {v} = document if type(document) is {kind} else {read}({v})
{otherwise}: {v} = {read}({v})"""
_ANYTHING = ""
_OTHER = "{v} = {read}({v})", ""

# By type; a type with arguments as a tuple of what it is made of.
_KINDS: Final[Mapping[Any, tuple[str, str]]] = {
    Any: (_ANYTHING, ""),
    bool: (_BOOL, ""),
    bytes: (_AS_IS, "bytes"),
    datetime: (_TIME, ""),
    dict: (_JSON, "dict"),
    (dict,): (_JSON, "dict"),
    (dict, str, Any): (_JSON, "dict"),
    float: (_AS_IS, "float"),
    int: (_AS_IS, "int"),
    list: (_JSON, "list"),
    (list,): (_JSON, "list"),
    (list, Any): (_JSON, "list"),
    str: (_AS_IS, "str"),
}


def make_mapper(
    cls: type[Any],
    fields: Mapping[str, "attrs.Attribute[Any]"],
    names: Sequence[str],
    *,
    reader: Callable[["attrs.Attribute[Any]"], Read],
    is_ours: Callable[[Any], bool],
) -> Mapper:
    """Return what reads rows of the columns *names* into *cls*.

    Args:
        cls: An attrs class.
        fields: By column, the fields that its ``__init__`` takes from one.
        names: The columns, in order; of those that have one name, the last counts.
        reader: Returns what reads the values of a field by the rules.
        is_ours: Says if a type is read by mooring's rules alone, whatever hooks an
            application added.
    """
    at = {name: f"v{place}" for place, name in enumerate(names)}
    scope: dict[str, Any] = {
        "cls": cls,
        "UTC": UTC,
        "datetime": datetime,
        "from_text": datetime.fromisoformat,
    }
    lines: list[str] = []
    documents = []
    for name, field in fields.items():
        (template, kind), may_be_none = _form(field.type, is_ours)
        v, read = at[name], f"read_{at[name]}"
        scope[read] = reader(field)
        text = template.format(
            v=v,
            read=read,
            kind=kind,
            none=f" and {v} is not None" if may_be_none else "",
            otherwise=f"elif {v} is not None" if may_be_none else "else",
        )
        lines += text.splitlines()
        if template is _JSON:
            documents.append(int(v[1:]))
    values = {str(field.alias): at[name] for name, field in fields.items()}
    body = "\n        ".join([*lines, *_call(cls, values, scope)])
    code = (
        "def read_rows(rows, loads):\n"
        "    found = []\n"
        "    append = found.append\n"
        f"    for {', '.join(f'v{place}' for place in range(len(names)))}, in rows:\n"
        f"        {body}\n"
        "    return found\n"
    )
    exec(compile(code, f"<rows of {cls.__qualname__}>", "exec"), scope)  # noqa: S102 - the only text in it that is not ours are the class's names for its arguments
    return _in_parts(scope["read_rows"], documents)


def can_map(fields: Sequence["attrs.Attribute[Any]"], names: Sequence[str]) -> bool:
    """Return whether a mapper can be made: each value has a column, or a default."""
    return bool(names) and all(
        str(field.alias).isidentifier()
        and not iskeyword(str(field.alias))
        and (field.name in names or field.default is not attrs.NOTHING)
        for field in fields
    )


def _in_parts(
    read_rows: Callable[[Rows, Loads | None], list[Any]], documents: Sequence[int]
) -> Mapper:
    """Let rows with JSON be read some at a time, by what reads all that they hold."""
    if not documents:
        return lambda rows: read_rows(rows, None)

    def mapper(rows: Rows) -> list[Any]:
        found: list[Any] = []
        for start in range(0, len(rows), _TOGETHER):
            part = rows[start : start + _TOGETHER]
            texts = [
                row[place]
                for place in documents
                for row in part
                if type(row[place]) is str
            ]
            found += read_rows(part, loads_for(texts))
        return found

    return mapper


def _form(type_: Any, is_ours: Callable[[Any], bool]) -> tuple[tuple[str, str], bool]:
    """Return the lines for a field of that type, and whether it may be None."""
    may_be_none = False
    if not is_ours(type_):
        return _OTHER, False
    if get_origin(type_) in (Union, UnionType):
        inner = [arg for arg in get_args(type_) if arg is not type(None)]
        if len(inner) != 1:
            return _OTHER, False
        (type_,), may_be_none = inner, True
    if origin := get_origin(type_):
        type_ = (origin, *get_args(type_))
    try:
        return _KINDS.get(type_, _OTHER), may_be_none
    except TypeError:  # a type that has no hash
        return _OTHER, False


def _call(
    cls: type[Any], values: Mapping[str, str], scope: dict[str, Any]
) -> list[str]:
    """Return lines that make an instance, in time that depends on how they do.

    By position an argument costs a third of what it costs by name, and an ``__init__``
    whose arguments have names only can be given them by position, too: it has the same
    body then. Where this might not be the same, the class is called by names.

    Args:
        cls: The class.
        values: By name of the argument, the variable that holds it.
        scope: What the lines know; what they need beside is added.
    """
    init: Any = cls.__init__
    names = _all_arguments(cls)
    if set(names) != set(values):
        arguments = ", ".join(f"{name}={value}" for name, value in values.items())
        return [f"append(cls({arguments}))"]
    arguments = ", ".join(values[name] for name in names)
    if not init.__code__.co_kwonlyargcount:
        return [f"append(cls({arguments}))"]
    code = init.__code__.replace(co_argcount=1 + len(names), co_kwonlyargcount=0)
    scope["init"] = FunctionType(
        code, init.__globals__, init.__name__, None, init.__closure__
    )
    scope["new"] = object.__new__
    return ["one = new(cls)", f"init(one, {arguments})", "append(one)"]


def _all_arguments(cls: type[Any]) -> tuple[str, ...]:
    """Return all arguments of a class that is made as usual; () of any other."""
    kind: Any = type(cls)
    new: Any = cls.__new__
    init: Any = cls.__init__
    if kind.__call__ is not type.__call__ or new is not object.__new__:
        return ()
    if type(init) is not FunctionType:
        return ()
    code = init.__code__
    if code.co_flags & (CO_VARARGS | CO_VARKEYWORDS):
        return ()
    names: tuple[str, ...] = code.co_varnames[
        1 : code.co_argcount + code.co_kwonlyargcount
    ]
    return names
