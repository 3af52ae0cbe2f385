from __future__ import annotations

import hashlib

from server.knowledge.fetched import Fetched, Known, SourceDown, raw_digest


def test_bytes_have_one_digest() -> None:
    item = Fetched("a", "https://shop.example/a", "text/html", b"hello")
    assert item.raw_digest == raw_digest(b"hello") == hashlib.sha256(b"hello").hexdigest()
    assert "hello" not in repr(item)


def test_known_is_empty_by_default() -> None:
    assert Known() == ("", "", "")
    assert SourceDown("later", 5.0).retry_s == 5.0
    assert str(SourceDown("later")) == "later"
