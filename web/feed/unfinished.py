"""Which of a WebSocket client's bytes belong to a message that is not whole yet (RFC 6455, 5.2). No I/O."""

from __future__ import annotations

import struct

_FINAL, _CONTROL, _MASKED = 0x80, 0x08, 0x80


class Unfinished:
    """What a parser needs to go on: the pieces of an open text, and the half of a frame, as they came.

    Frames between the pieces (pings) are left out. Right for whatever a parser accepts.
    """

    __slots__ = ("_pieces", "_rest")

    def __init__(self, data: bytes = b"") -> None:
        self._pieces = bytearray()
        self._rest = b""
        self.add(data)

    def __len__(self) -> int:
        return len(self._pieces) + len(self._rest)

    def __bytes__(self) -> bytes:
        return bytes(self._pieces) + self._rest

    def add(self, data: bytes) -> None:
        """Takes what has come."""
        data = self._rest + data
        place = 0
        while (end := _end_of_frame(data, place)) is not None:
            if not data[place] & _CONTROL:
                if data[place] & _FINAL:
                    self._pieces.clear()
                else:
                    self._pieces += data[place:end]
            place = end
        self._rest = data[place:]


def _end_of_frame(data: bytes, place: int) -> int | None:
    """Where the frame that begins at `place` ends; None if that has not come yet."""
    if len(data) < place + 2:
        return None
    length, head = data[place + 1] & 0x7F, 2
    if length == 126:
        head = 4
    elif length == 127:
        head = 10
    if len(data) < place + head:
        return None
    if length == 126:
        [length] = struct.unpack_from("!H", data, place + 2)
    elif length == 127:
        [length] = struct.unpack_from("!Q", data, place + 2)
    end = place + head + (4 if data[place + 1] & _MASKED else 0) + length
    return end if end <= len(data) else None
