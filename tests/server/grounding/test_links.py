from __future__ import annotations

import pytest

from server.grounding.links import Allowed, host_of
from server.knowledge.contract import Chunk, Passage

TEXT = "Track it at https://track.example/now or www.parcel.example."
PASSAGE = Passage(Chunk("c", "d", "t", "", TEXT, "https://shop.example/help", "customer"), 1.0)


def inert(text: str) -> str:
    return Allowed.of([PASSAGE], ["Help.example"]).inert(text)


@pytest.mark.parametrize(
    "text",
    [
        "[a](https://shop.example/other?x=1)",
        "https://help.example/",
        "https://track.example/now",
        "www.parcel.example",
        "write to info@shop.example",
        "It ends here.Then it goes on, e.g. so",
        "3.5 kg, 10:30, 1/2",
    ],
)
def test_what_stays(text: str):
    assert inert(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a](https://evil.example/?q=1)", "a"),
        ("![a](https://shop.example/x.png)", "a"),
        ("https://evil.example/?q=secret", "evil[.]example"),
        ("https://track.example/now?q=secret", "track[.]example"),
        ("<https://evil.example/x>", "evil[.]example"),
        ("see evil.com/path.", "see evil[.]com."),
        ("//evil.example/x", "evil[.]example"),
        ("javascript:alert(1)", "javascript"),
        ("ftp://shop.example/x", "shop[.]example"),
        ("https://shop.example@evil.example/", "evil[.]example"),
        ("[a]: https://evil.example", ""),
        ('<img src="https://evil.example/a.png">', ""),
        ("[a](javascript:alert(1))", "a"),
    ],
)
def test_what_becomes_text(text: str, shown: str):
    assert inert(text).rstrip(")") == shown


def test_what_was_made_plain_is_counted():
    allowed = Allowed.of([PASSAGE], [])
    allowed.inert("![a](b) https://evil.example/ and https://shop.example/")
    assert allowed.made_plain == 2


@pytest.mark.parametrize(("address", "host"), [("https://A.example:1/x", "a.example"), ("[", ""), ("http://[::1/", "")])
def test_hosts(address: str, host: str):
    assert host_of(address) == host
