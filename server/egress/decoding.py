"""Unpacking bodies while they arrive: a small answer that unpacks into a huge one is stopped, not stored."""

from __future__ import annotations

import zlib

from server.egress.contract import EgressFailed, TooLarge

ACCEPT_ENCODING = "gzip, deflate"
PIECE_BYTES = 256 * 1024  # unpacked at once
MOST_RATIO = 200  # unpacked to packed; pages reach 20, a prepared bomb 1,000
FREE_BYTES = 1_000_000  # unpacked without looking at the ratio: short pages of much white space
_AUTO = 32 + zlib.MAX_WBITS  # a gzip or a zlib header, whichever comes


class Body:
    """Collects an answer of at most ``most`` bytes, unpacked."""

    def __init__(self, encoding: str, most: int) -> None:
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise EgressFailed("the answer is packed in a way that was not asked for")
        self._most = most
        self._unpack = zlib.decompressobj(_AUTO) if name not in {"", "identity"} else None
        self._may_be_raw = name == "deflate"  # some servers send it without the zlib header
        self._packed = 0
        self._size = 0
        self._pieces: list[bytes] = []

    def add(self, data: bytes) -> None:
        """Take the next piece as it came; raises TooLarge and EgressFailed."""
        self._packed += len(data)
        if self._unpack is None:
            self._keep(data)
            return
        while data:
            try:
                piece = self._unpack.decompress(data, PIECE_BYTES)
            except zlib.error:
                if not self._may_be_raw or self._size:
                    raise EgressFailed("the packed answer is damaged") from None
                self._unpack, piece = zlib.decompressobj(-zlib.MAX_WBITS), b""
                self._may_be_raw = False
                continue
            self._may_be_raw = False
            self._keep(piece)
            if self._size > FREE_BYTES and self._size > MOST_RATIO * self._packed:
                raise TooLarge(f"the answer unpacks to more than {MOST_RATIO} times its size")
            if self._unpack.eof:
                return  # what follows the end belongs to nobody
            data = self._unpack.unconsumed_tail

    def whole(self) -> bytes:
        """Everything; raises EgressFailed when the packed answer ended early."""
        if self._unpack is not None and self._packed and not self._unpack.eof:
            self._keep(self._unpack.flush(PIECE_BYTES))
            if not self._unpack.eof:
                raise EgressFailed("the packed answer ended early")
        return b"".join(self._pieces)

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._most:
            raise TooLarge(f"the answer is larger than {self._most} bytes")
        if piece:
            self._pieces.append(piece)


def gunzip(data: bytes, most: int) -> bytes:
    """Unpack one gzip file within the same limits; raises EgressFailed."""
    body = Body("gzip", most)
    body.add(data)
    return body.whole()
