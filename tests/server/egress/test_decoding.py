from __future__ import annotations

import gzip
import os
import zlib

import pytest

from server.egress.contract import EgressFailed, TooLarge
from server.egress.decoding import FREE_BYTES, Body, gunzip

TEXT = b"The Wren desk lamp comes with two spare friction discs. " * 200
PACKED = gzip.compress(TEXT, mtime=0)  # the hour in it would give the tests other names at every start


def whole(encoding: str, data: bytes, *, most: int = 1_000_000, step: int = 100) -> bytes:
    body = Body(encoding, most)
    for place in range(0, len(data), step):
        body.add(data[place : place + step])
    return body.whole()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", PACKED),
        (" X-GZIP ", PACKED),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT, wbits=-15)),
        ("gzip", PACKED + b"rubbish behind the end"),
    ],
)
def test_bodies_come_out_as_they_were(encoding: str, data: bytes) -> None:
    assert whole(encoding, data) == TEXT


def test_nothing_is_nothing() -> None:
    assert whole("gzip", b"") == b""


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_other_packings_are_refused(encoding: str) -> None:
    with pytest.raises(EgressFailed, match="not asked for"):
        Body(encoding, 1_000)


@pytest.mark.parametrize("data", [b"no gzip at all", PACKED[:-20], PACKED[:40]])
def test_damaged_bodies_fail(data: bytes) -> None:
    with pytest.raises(EgressFailed):
        whole("gzip", data)


def test_size_is_capped_packed_or_not() -> None:
    with pytest.raises(TooLarge, match="larger than 5000"):
        whole("", TEXT, most=5_000)
    with pytest.raises(TooLarge, match="larger than 5000"):
        whole("gzip", PACKED, most=5_000)


def test_a_bomb_is_stopped_by_its_ratio_before_it_fills_memory() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    body = Body("gzip", 100_000_000)
    with pytest.raises(TooLarge, match="200 times"):
        body.add(bomb)
    assert body._size < 25_000_000
    assert len(whole("gzip", gzip.compress(bytes(FREE_BYTES)), most=FREE_BYTES)) == FREE_BYTES


def test_gunzip_is_one_call() -> None:
    data = os.urandom(1_000)
    assert gunzip(gzip.compress(data), 1_000) == data
    with pytest.raises(TooLarge):
        gunzip(gzip.compress(data), 999)
