"""How psycopg passes values: as it does, but for what that would refuse or lose."""

from functools import cache
from typing import Final, cast

import psycopg
from psycopg.abc import AdaptContext
from psycopg.adapt import AdaptersMap, Buffer, Dumper, Loader, PyFormat
from psycopg.pq import Format
from psycopg.types.numeric import Int2BinaryDumper, Int4, Int4BinaryDumper
from psycopg.types.numeric import IntBinaryDumper as AnyIntDumper
from psycopg.types.string import TextLoader

# JSON stays text: parsed, NULL and the JSON null would be one, and a string in JSON
# could be taken for JSON again. Reading a row into a class parses it.
_AS_TEXT: Final = ("json", "jsonb")
# Infinity, and years that Python has not, would be an error after the statement is
# done, when it is too late to say that it had no effect.
_TIMES: Final = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")
_INFINITE: Final = (b"infinity", b"-infinity")


class IntDumper(AnyIntDumper):
    """Give an int the type of the same literal: integer, or bigint beyond 32 bits.

    psycopg takes smallint where it can, and then ``:a * :b`` of 200 and 200 is out of
    range (PostgreSQL, 4.1.2.6 "Numeric Constants" has the rule for literals).
    """

    _integer: Final = Int4BinaryDumper(Int4)

    def upgrade(self, obj: int, format: PyFormat) -> Dumper:  # noqa: A002 - psycopg's
        """Return what dumps *obj*."""
        found = super().upgrade(obj, format)
        return self._integer if isinstance(found, Int2BinaryDumper) else found


def adapters() -> AdaptersMap:
    """Return what a connection of this driver adapts values with."""
    found = AdaptersMap(psycopg.adapters)
    found.register_dumper(int, IntDumper)
    for name in _AS_TEXT:
        found.register_loader(name, TextLoader)
    for name in _TIMES:
        oid = psycopg.adapters.types[name].oid
        # psycopg has one for each of them.
        strict = cast("type[Loader]", psycopg.adapters.get_loader(oid, Format.TEXT))
        found.register_loader(name, _lenient(strict, name))
    return found


@cache  # psycopg keeps every class that it loaded with, as long as the process lives
def _lenient(strict: type[Loader], name: str) -> type[Loader]:
    """Return a loader that gives the server's text where Python has no such value."""

    class LenientLoader(Loader):
        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            super().__init__(oid, context)
            self._load = strict(oid, context).load

        def load(self, data: Buffer) -> object:
            try:
                return self._load(data)
            except (psycopg.DataError, NotImplementedError):
                # The second: intervals and dates in a style that psycopg does not read.
                return bytes(data).decode()

    class IntervalLoader(LenientLoader):
        def load(self, data: Buffer) -> object:
            text = bytes(data)
            # psycopg takes it for an interval of no length.
            return text.decode() if text in _INFINITE else super().load(data)

    return IntervalLoader if name == "interval" else LenientLoader
