"""What is wrong with a configuration: imported where something is."""

from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong in a configuration.

    Attributes:
        key: The option it is about, or "" for the whole.
        message: What is wrong and what would be right; never a secret's value.
        source: Where the option was given, such as "mooring.toml:4" or "env DB_PORT";
            "" where that is not known.
        value: What was given there, as it may be shown; "" where it may not.
    """

    key: str
    message: str
    source: str = ""
    value: str = ""

    @property
    def what(self) -> str:
        """The option, with its value where that may be shown."""
        return f"{self.key} = {self.value}" if self.value else self.key

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.source, self.what, self.message)))
