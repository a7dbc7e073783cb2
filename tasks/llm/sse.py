"""Takes a byte stream of server-sent events apart, however it was cut into pieces on its way."""

from __future__ import annotations

from pipeline.errors import TransientFault

EVENT_LIMIT_BYTES = 1_048_576


class EventParser:
    """Bytes in, the `data` of finished events out.

    Lines are cut as bytes and decoded whole, so a character split between two reads survives. Lines end with LF,
    CRLF or CR. Comments, names and ids of events are skipped: no endpoint that we know says anything with them.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._first_line = True

    def feed(self, piece: bytes) -> list[str]:
        """The data of the events that `piece` completed. Raises TransientFault when one is longer than 1 MiB."""
        if self._after_cr and piece:
            # The LF of a CRLF that was split between two reads ends no second line.
            piece = piece.removeprefix(b"\n")
            self._after_cr = False
        if piece.endswith(b"\r"):
            self._after_cr = True
        lines = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        found: list[str] = []
        for ended in lines[:-1]:
            self._line += ended
            found += self._end_line()
        self._line += lines[-1]
        if self._size + len(self._line) > EVENT_LIMIT_BYTES:
            raise TransientFault("The model's endpoint sent an event that is too long.")
        return found

    def finish(self) -> list[str]:
        """The data of the last event, when the stream ended without the blank line that closes it."""
        return self._end_line() + self._end_event()

    def _end_line(self) -> list[str]:
        line = bytes(self._line)
        self._line.clear()
        if self._first_line:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._first_line = False
        if not line:
            return self._end_event()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value)
        return []

    def _end_event(self) -> list[str]:
        data, self._data, self._size = self._data, [], 0
        return [b"\n".join(data).decode("utf-8", "replace")] if data else []
