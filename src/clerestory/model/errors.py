"""The one tree of errors that clerestory raises on purpose.

    ClerestoryError
      ConfigurationError        a setting, a file or an argument is wrong
      DataDirectoryInUseError   another server has the data directory
      LimitError                something is larger than a documented limit
      QueryError                a search cannot be understood; points at the character
      DeliveryError             a destination did not take a batch
        RetryError              it may take it later
        HoldError               it will not until somebody acts: a key, a permission, a group
        RefusedError            it never will
          TooLargeError           it would take less of it

Invariant: a message says which thing, what limit, what was got and what to do.
"""


class ClerestoryError(Exception):
    """Any error that clerestory raises on purpose."""


class ConfigurationError(ClerestoryError):
    """A setting, a configuration file or an argument is wrong."""


class DataDirectoryInUseError(ClerestoryError):
    """Another process has the data directory open."""


class LimitError(ClerestoryError):
    """Something is larger than a documented limit.

    Attributes:
        code: Short, stable name of the limit, such as `body_too_large`.
        status: The HTTP status that fits, 413 unless said otherwise.
    """

    def __init__(self, message: str, *, code: str, status: int = 413) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class QueryError(ClerestoryError):
    """A search cannot be understood.

    Attributes:
        position: Offset of the first wrong character, counted from 0.
        length: How many characters are wrong, at least 1.
        hint: What to write instead, where that is known.
    """

    def __init__(
        self, message: str, *, position: int, length: int = 1, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.position = position
        self.length = max(1, length)
        self.hint = hint


class DeliveryError(ClerestoryError):
    """A destination did not take a batch."""


class RetryError(DeliveryError):
    """The destination may take the batch later.

    Attributes:
        wait_s: How long the destination asked to wait, in seconds; None if it did not say.
    """

    def __init__(self, message: str, *, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class HoldError(DeliveryError):
    """The destination takes nothing until somebody acts; records wait and it is probed.

    The message says what to do.
    """


class RefusedError(DeliveryError):
    """The destination will never take the batch as it is."""


class TooLargeError(RefusedError):
    """The destination will not take so much at once; one record alone is shortened."""
