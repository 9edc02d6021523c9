"""Reading rows into classes: the portable values, whatever the engine keeps them as."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import UnionType
from typing import Any, Union, get_args, get_origin

import attrs
from cattrs import Converter

from mooring.core.errors import ResultError

_COLLECTIONS = (dict, list, tuple, set, frozenset, Mapping)


class RowConverter(Converter):
    """A cattrs converter for rows; register your own hooks on it.

    It gives ``datetime`` as UTC, ``bool`` from 0 and 1, ``bytes``, and what stands in
    the column as JSON (a dict, a list, an attrs class) as that type, whether the
    engine keeps it as text or parsed. Nothing else is coerced: an ``int`` field
    refuses text.
    """

    def __init__(self) -> None:
        super().__init__(detailed_validation=False)
        for type_, hook in (
            (datetime, _to_datetime),
            (bool, _to_bool),
            (bytes, _to_bytes),
            (int, _to_int),
            (float, _to_float),
            (str, _to_str),
        ):
            self.register_structure_hook(type_, hook)
        self.register_structure_hook_factory(_is_sequence, self._sequence_hook)

    def read(self, row: Mapping[str, object], cls: type[Any]) -> Any:
        """Return *row* as an instance of *cls*.

        Raises:
            ResultError: A field has no column and no default, or a value does not
                fit; the message names the field and the types, not the value.
        """
        given: Any = cls
        if not (isinstance(given, type) and attrs.has(given)):
            name = getattr(given, "__name__", type(given).__name__)
            raise ResultError(
                f"cannot read a row into {name}: it is not an attrs class",
                hint="decorate the class with @attrs.frozen",
            )
        values = {}
        try:
            attrs.resolve_types(cls)
        except NameError as cause:
            raise ResultError(
                f"cannot read a row into {cls.__name__}: {cause}",
                hint="its annotations must name types that its module knows",
            ) from cause
        for field in attrs.fields(cls):
            if not field.init:
                continue
            if field.name in row:
                values[field.alias] = self._field(cls, field, row[field.name])
            elif field.default is attrs.NOTHING:
                raise ResultError(
                    f"{cls.__name__}.{field.name} has no column;"
                    f" the row has {', '.join(row)}"
                )
        return cls(**values)

    def _sequence_hook(self, type_: Any) -> Callable[[Any, Any], object]:
        """Return the hook for a list, tuple or set: cattrs would take any iterable."""
        make, args = get_origin(type_) or type_, get_args(type_)
        same = make is not tuple or args[1:] in ((), (Ellipsis,))

        def hook(value: Any, _: object) -> object:
            if not isinstance(value, list | tuple):
                raise TypeError("not a list")
            types = (args[0] if args else Any,) * len(value) if same else args
            pairs = zip(value, types, strict=True)
            return make(self.structure(item, inner) for item, inner in pairs)

        return hook

    def _field(self, cls: type, field: "attrs.Attribute[Any]", value: object) -> object:
        try:
            if _is_json(field.type):
                value = _document(value, field.type)
            return self.structure(value, field.type)  # type: ignore[arg-type]  # any annotation
        except Exception as cause:
            kind = type(value).__name__
            name = getattr(field.type, "__name__", field.type)
            raise ResultError(
                f"{cls.__name__}.{field.name}: the column's {kind} is not a {name}"
            ) from cause


def _is_json(type_: Any) -> bool:
    """Return whether a field of that type is kept as JSON."""
    origin = get_origin(type_)
    if origin is Union or origin is UnionType:
        inner = [arg for arg in get_args(type_) if arg is not type(None)]
        return all(_is_json(arg) for arg in inner)
    return (origin or type_) in _COLLECTIONS or attrs.has(origin or type_)


def _document(value: object, type_: Any) -> object:
    """Return what a column of JSON holds; cattrs would make a list of a dict's keys."""
    if isinstance(value, str | bytes):
        from json import loads

        value = loads(value)
    if value is not None and not isinstance(value, tuple(_shapes(type_))):
        raise TypeError("not of that kind")
    return value


def _shapes(type_: Any) -> Iterator[type]:
    """Yield the types that a field's JSON may be read from."""
    origin = get_origin(type_)
    if origin is Union or origin is UnionType:
        for arg in get_args(type_):
            yield from _shapes(arg)
    elif (origin or type_) in (dict, Mapping) or attrs.has(origin or type_):
        yield dict
    elif type_ is not type(None):
        yield from (list, tuple)


def _is_sequence(type_: Any) -> bool:
    return (get_origin(type_) or type_) in (list, tuple, set, frozenset)


def _to_datetime(value: Any, _: Any) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise TypeError("not a time")
    # An engine without zones keeps UTC: that is how mooring writes it.
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _to_bool(value: Any, _: Any) -> bool:
    if value is True or value is False:
        return value
    if type(value) is int and value in (0, 1):
        return bool(value)
    raise TypeError("not a bool")


def _to_bytes(value: Any, _: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError("not bytes")


def _to_int(value: Any, _: Any) -> int:
    if type(value) is int:
        return value
    raise TypeError("not an int")


def _to_float(value: Any, _: Any) -> float:
    if type(value) in (int, float):
        return float(value)
    raise TypeError("not a float")


def _to_str(value: Any, _: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError("not a str")
