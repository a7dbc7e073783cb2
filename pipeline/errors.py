"""The tree of Spanfeed's own errors; a class's docstring is its default message."""


class SpanfeedError(Exception):
    """Something in Spanfeed went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class SettingError(SpanfeedError):
    """A setting has a value that cannot be used."""


class InvalidEvent(SpanfeedError):
    """The event breaks a rule of its shape."""


class InvalidCursor(SpanfeedError):
    """The cursor is not the id of an event."""


class BusUnavailable(SpanfeedError):
    """Redis did not answer in time."""


class BusRefused(SpanfeedError):
    """Redis refused a command."""


class StoreUnavailable(SpanfeedError):
    """The database did not answer in time."""


class IdempotencyMismatch(SpanfeedError):
    """The idempotency key was used before, for another request."""


class KeyRefused(SpanfeedError):
    """The key cannot be made or changed like this."""

    def __init__(self, message: str | None = None, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class TooManyInFlight(SpanfeedError):
    """This session has too many messages that are not answered yet."""


class FenceLost(SpanfeedError):
    """The stage is no longer held by this worker."""


class RunLost(FenceLost):
    """The stage's run is unknown: Redis has lost it, or never had it."""


class StageRefused(SpanfeedError):
    """The stage may not begin: it is done, held by another worker, or its run has ended."""


class StageFailed(SpanfeedError):
    """The stage cannot do its work and trying again would not help."""


class TransientFault(SpanfeedError):
    """The stage could not do its work now; trying again may help."""

    def __init__(self, message: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RetrievalFailed(SpanfeedError):
    """A document collection could not be searched."""


class EmbeddingsFailed(SpanfeedError):
    """The embeddings could not be had."""


class UnsupportedDocument(SpanfeedError):
    """The file's format is not one that can be read."""


class TargetRefused(SpanfeedError):
    """Nothing is sent to this receiver."""

    def __init__(self, message: str | None = None, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing
        """Whether it may be another way later."""
