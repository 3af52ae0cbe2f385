from __future__ import annotations

import pytest

from server.knowledge.fetched import Known
from server.knowledge.visit import ACCEPT, _kind, validators


def test_validators_are_sent_where_they_are_known() -> None:
    assert validators(None) == validators(Known()) == {"Accept": ACCEPT}
    assert validators(Known(etag='"x"', last_modified="then")) == {
        "Accept": ACCEPT,
        "If-None-Match": '"x"',
        "If-Modified-Since": "then",
    }


@pytest.mark.parametrize(
    ("mime", "url", "kind"),
    [
        ("text/html", "https://shop.example/a.pdf", "text/html"),
        ("", "https://shop.example/a.PDF?x=1", "application/pdf"),
        ("application/octet-stream", "https://shop.example/a.md", "text/markdown"),
        ("application/octet-stream", "https://shop.example/a.bin", "application/octet-stream"),
        ("image/png", "https://shop.example/a.html", "image/png"),
    ],
)
def test_the_name_decides_only_where_the_server_does_not(mime: str, url: str, kind: str) -> None:
    assert _kind(mime, url) == kind
