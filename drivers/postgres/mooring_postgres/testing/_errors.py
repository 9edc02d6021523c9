"""The one error of this package."""

from mooring.core import MooringError


class ServerError(MooringError):
    """A server for tests could not be started, stopped or reached.

    Attributes:
        log: The last lines that the program wrote; "" where there are none. They are
            part of the message too.
    """

    def __init__(self, message: str, *, log: str = "", hint: str | None = None) -> None:
        text = f"{message}; it wrote:\n{log}" if log else message
        super().__init__(text, hint=hint)
        self.log = log
