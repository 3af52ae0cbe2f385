"""Destinations as people type them: routes for what fits, words for what does not."""

from __future__ import annotations

import pytest

from channels.destination import route_to


@pytest.mark.parametrize(
    ("platform", "provider", "typed", "route"),
    [
        ("telegram", "", " 4711 ", {"chat": "4711"}),
        ("telegram", "", "-100200", {"chat": "-100200", "group": "1"}),
        ("slack", "", "C0123ABCD", {"channel": "C0123ABCD"}),
        ("whatsapp", "twilio", "+1 (415) 523-8886", {"to": "whatsapp:+14155238886"}),
        ("whatsapp", "meta", "+14155238886", {"to": "14155238886"}),
    ],
)
def test_a_destination_becomes_a_route(platform: str, provider: str, typed: str, route: dict[str, str]):
    assert route_to(platform, provider, typed) == route


@pytest.mark.parametrize(
    ("platform", "typed", "words"),
    [
        ("telegram", "@ana", "number of a chat"),
        ("slack", "#general", "id of a channel"),
        ("whatsapp", "0171 123", "international form"),
        ("web", "anybody", "fetch their messages"),
    ],
)
def test_what_is_none_says_what_to_give(platform: str, typed: str, words: str):
    with pytest.raises(ValueError, match=words):
        route_to(platform, "", typed)
