"""Reads safetensors files that nobody vouches for: every size is checked before a byte is believed.

Errors::

    BadTensors    not this format, or a header that contradicts itself or the file; the message says what
"""

from __future__ import annotations

import json
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

MAX_HEADER_BYTES = 16 << 20
MAX_TENSORS = 100_000
MAX_DIMENSIONS = 8
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
ITEM_BYTES |= {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}
PIECE_BYTES = 4 << 20
PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # what torch.save writes
LENGTH_BYTES = 8


class BadTensors(Exception):
    """The file is not what its name says; ``kind`` is one word for tables and tests."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies: type as the format names it, shape, and its bytes counted from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def open_plain(name: str | Path, folder: int | None = None) -> int:
    """A descriptor of a regular file (relative to the open ``folder``), never through a symbolic link.

    Raises OSError, also for links, pipes and devices.
    """
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(f"{name} is not a regular file")
    return file


def read_header(file: int) -> dict[str, Tensor]:
    """Every tensor of the open file; together they cover it exactly, in any order. Raises BadTensors."""
    size = os.fstat(file).st_size
    start = os.pread(file, LENGTH_BYTES, 0)
    if start.startswith(PICKLES):
        raise BadTensors("pickle", "the file is a pickle, which can run code when it is loaded; save it as safetensors")
    if len(start) < LENGTH_BYTES:
        raise BadTensors("format", f"the file has {size} bytes, too few for a safetensors header")
    (length,) = struct.unpack("<Q", start)
    if length > MAX_HEADER_BYTES:
        raise BadTensors("header", f"the header claims {length} bytes; at most {MAX_HEADER_BYTES} are read")
    if LENGTH_BYTES + length > size:
        raise BadTensors("truncated", f"the header claims {length} bytes, but the file has {size}")
    rows = _rows(_read(file, LENGTH_BYTES, length))
    if len(rows) > MAX_TENSORS:
        raise BadTensors("header", f"the header names {len(rows)} tensors; at most {MAX_TENSORS} are read")
    data = LENGTH_BYTES + length
    found = {name: _tensor(name, row, data) for name, row in rows.items()}
    _check_cover(found, data, size)
    return found


def pieces(file: int, tensor: Tensor) -> Iterator[bytes]:
    """A tensor's bytes, some MiB at a time. Raises BadTensors when the file shrank meanwhile."""
    position = tensor.begin
    while position < tensor.end:
        piece = _read(file, position, min(PIECE_BYTES, tensor.end - position))
        position += len(piece)
        yield piece


def _read(file: int, begin: int, length: int) -> bytes:
    read = b""
    while len(read) < length:
        piece = os.pread(file, length - len(read), begin + len(read))
        if not piece:
            raise BadTensors("truncated", "the file became shorter while it was read")
        read += piece
    return read


def _rows(header: bytes) -> dict[str, Mapping[str, object]]:
    try:
        rows = json.loads(header, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BadTensors("header", f"the header is not readable as JSON ({type(error).__name__})") from error
    if not isinstance(rows, dict) or not isinstance(rows.pop("__metadata__", {}), dict):
        raise BadTensors("header", "the header is not a table of tensors")
    if not all(isinstance(row, dict) for row in rows.values()):
        raise BadTensors("header", "the header describes a tensor by something else than a table")
    return rows


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name stands twice")
    return table


def _tensor(name: str, row: Mapping[str, object], data: int) -> Tensor:
    dtype, shape, offsets = row.get("dtype"), _sizes(row.get("shape")), _sizes(row.get("data_offsets"))
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise BadTensors("header", f"{name[:200]} has the unknown type {str(dtype)[:40]!r}")
    if shape is None or offsets is None or len(offsets) != 2:  # noqa: PLR2004 - begin and end
        raise BadTensors("header", f"{name[:200]} has no readable shape or place")
    begin, end = offsets
    if end - begin != prod(shape) * ITEM_BYTES[dtype]:
        raise BadTensors("header", f"{name[:200]} has another size than its shape and type say")
    return Tensor(dtype, shape, data + begin, data + end)


def _sizes(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list) or len(value) > MAX_DIMENSIONS:
        return None
    whole = all(type(number) is int and 0 <= number < 1 << 48 for number in value)
    return tuple(value) if whole else None


def _check_cover(found: Mapping[str, Tensor], data: int, size: int) -> None:
    position = data
    for name, tensor in sorted(found.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != position:
            raise BadTensors("header", f"{name[:200]} overlaps another tensor or leaves a gap before it")
        position = tensor.end
    if position > size:
        raise BadTensors("truncated", f"the tensors need {position} bytes, but the file has {size}")
    if position < size:
        raise BadTensors("header", f"{size - position} bytes of the file belong to no tensor")
