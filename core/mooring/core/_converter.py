"""Reading rows into classes: the portable values, whatever the engine keeps them as."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin

import attrs
from cattrs import Converter

from mooring.core._mapper import Mapper, can_map, make_mapper
from mooring.core.errors import ResultError

_COLLECTIONS = (dict, list, tuple, set, frozenset, Mapping)
# Classes that are made while a program runs must not pile up.
_KEPT_MAPPERS: Final = 500


class RowConverter(Converter):
    """A cattrs converter for rows; register your own hooks on it.

    It gives ``datetime`` as UTC, ``bool`` from 0 and 1, ``bytes``, and what stands in
    the column as JSON (a dict, a list, an attrs class) as that type, whether the
    engine keeps it as text or parsed. Nothing else is coerced: an ``int`` field
    refuses text.
    """

    def __init__(self) -> None:
        # By class and columns.
        self._mappers: dict[tuple[Any, ...], Mapper] = {}
        # Which types have a hook that is not one of those below.
        self._added: tuple[Callable[[Any], object], ...] = ()
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
        self._added = ()

    def read(self, row: Mapping[str, object], cls: type[Any]) -> Any:
        """Return *row* as an instance of *cls*.

        Raises:
            ResultError: A field has no column and no default, or a value does not
                fit; the message names the field and the types, not the value.
        """
        values: dict[str, object] = {}
        for field in _fields(cls):
            if field.name in row:
                values[str(field.alias)] = self._reader(cls, field)(row[field.name])
            elif field.default is attrs.NOTHING:
                raise ResultError(
                    f"{cls.__name__}.{field.name} has no column;"
                    f" the row has {', '.join(row)}"
                )
        return cls(**values)

    def read_all(
        self, rows: Sequence[tuple[Any, ...]], names: Sequence[str], cls: type[Any]
    ) -> list[Any]:
        """Return each of *rows* as `read` does, in much less time.

        Args:
            rows: The values of each row, in the order of the columns.
            names: The columns' names.
            cls: The class; what reads these columns into it is made once, and kept.

        Raises:
            ResultError: As `read`, for the first row that does not fit.
        """
        given: Any = cls
        # What is no class may have no hash either.
        key = (cls, *names) if isinstance(given, type) else ()
        mappers = self._mappers
        mapper = mappers.get(key)
        if mapper is None:
            mapper = self._mapper(cls, names)
            if len(mappers) >= _KEPT_MAPPERS:
                mappers.clear()
            mappers[key] = mapper
        return mapper(rows)

    if not TYPE_CHECKING:  # their types are those of cattrs

        def register_structure_hook(self, *args: Any, **kwargs: Any) -> Any:
            """Add a hook for a class; see cattrs."""
            self._note(partial(_covers, args[0] if args else kwargs["cl"]))
            return super().register_structure_hook(*args, **kwargs)

        def register_structure_hook_func(self, *args: Any, **kwargs: Any) -> Any:
            """Add a hook for the classes that a function picks; see cattrs."""
            self._note(args[0] if args else kwargs["check_func"])
            return super().register_structure_hook_func(*args, **kwargs)

        def register_structure_hook_factory(self, *args: Any, **kwargs: Any) -> Any:
            """Add a factory of hooks for what a function picks; see cattrs."""
            self._note(args[0] if args else kwargs["predicate"])
            return super().register_structure_hook_factory(*args, **kwargs)

    def _note(self, has_hook: Callable[[Any], object]) -> None:
        self._added = (*self._added, has_hook)
        # Another one: a thread that knew less may just be adding to the old.
        self._mappers = {}

    def _is_ours(self, type_: Any) -> bool:
        """Return whether no hook that was added can have a part in reading a type."""
        for has_hook in self._added:
            # As cattrs asks it: what raises says no.
            with suppress(Exception):
                if has_hook(type_):
                    return False
        parts = get_args(type_)
        if not parts and (get_origin(type_) or type_) in _COLLECTIONS:
            parts = (Any,)
        return all(map(self._is_ours, parts))

    def _mapper(self, cls: type[Any], names: Sequence[str]) -> Mapper:
        fields = _fields(cls)
        if not can_map(fields, names):
            return lambda rows: [
                self.read(dict(zip(names, values, strict=True)), cls) for values in rows
            ]
        return make_mapper(
            cls,
            {field.name: field for field in fields if field.name in names},
            names,
            reader=partial(self._reader, cls),
            is_ours=self._is_ours,
        )

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

    def _reader(
        self, cls: type, field: "attrs.Attribute[Any]"
    ) -> Callable[[object], object]:
        """Return what reads the values of a field."""
        type_: Any = field.type
        shapes = tuple(_shapes(type_)) if _is_json(type_) else None

        def read(value: object) -> object:
            try:
                if shapes is not None:
                    value = _document(value, shapes)
                return self.structure(value, type_)
            except Exception as cause:
                kind = type(value).__name__
                name = getattr(type_, "__name__", type_)
                raise ResultError(
                    f"{cls.__name__}.{field.name}: the column's {kind} is not a {name}"
                ) from cause

        return read


def _fields(cls: type[Any]) -> "list[attrs.Attribute[Any]]":
    """Return the fields that the class takes, their types resolved."""
    given: Any = cls
    if not (isinstance(given, type) and attrs.has(given)):
        name = getattr(given, "__name__", type(given).__name__)
        raise ResultError(
            f"cannot read a row into {name}: it is not an attrs class",
            hint="decorate the class with @attrs.frozen",
        )
    try:
        attrs.resolve_types(cls)
    except NameError as cause:
        raise ResultError(
            f"cannot read a row into {cls.__name__}: {cause}",
            hint="its annotations must name types that its module knows",
        ) from cause
    return [field for field in attrs.fields(cls) if field.init]


def _covers(hooked: Any, type_: Any) -> bool:
    """Return whether a hook for a class is one for a type, too."""
    kind = get_origin(type_) or type_
    return bool(type_ == hooked) or (
        isinstance(hooked, type) and isinstance(kind, type) and issubclass(kind, hooked)
    )


def _is_json(type_: Any) -> bool:
    """Return whether a field of that type is kept as JSON."""
    origin = get_origin(type_)
    if origin is Union or origin is UnionType:
        inner = [arg for arg in get_args(type_) if arg is not type(None)]
        return all(_is_json(arg) for arg in inner)
    return (origin or type_) in _COLLECTIONS or attrs.has(origin or type_)


def _document(value: object, shapes: tuple[type, ...]) -> object:
    """Return what a column of JSON holds; cattrs would make a list of a dict's keys."""
    if isinstance(value, str | bytes):
        from json import loads

        value = loads(value)
    if value is not None and not isinstance(value, shapes):
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
