"""What a call of the migrator returns: values in an order, with what they add up to."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class Listing(Sequence[T]):
    """A frozen value that is also the sequence of its parts."""

    __slots__ = ()

    @property
    @abstractmethod
    def parts(self) -> tuple[T, ...]:
        """What it lists, in order."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        """Return one part, or several."""
        return self.parts[index]

    def __len__(self) -> int:
        """Return how many there are: an empty one is false."""
        return len(self.parts)
