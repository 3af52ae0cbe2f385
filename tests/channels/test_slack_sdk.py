"""What is used of the vendor's libraries, and what is switched off in them."""

from __future__ import annotations

import logging

import pytest

from channels.slack import sdk
from tests.doubles.slack import signature


def test_the_client_never_repeats_a_call() -> None:
    client = sdk.web_client("xoxb-1", "https://slack.com/api/", None)
    assert client.retry_handlers == []
    assert client.base_url == "https://slack.com/api/"


@pytest.mark.parametrize(
    ("base", "proxied"),
    [("http://127.0.0.1:9000/", False), ("https://excepted.example/api/", False), ("https://slack.com/api/", True)],
)
def test_the_environments_proxy_is_for_outside_hosts(base: str, proxied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "excepted.example")
    assert bool(sdk.web_client("xoxb-1", base, None).proxy) is proxied


def test_the_library_writes_no_requests_into_the_log() -> None:
    assert sdk.web_client("xoxb-1", "https://slack.com/api/", None).logger.level >= logging.WARNING


def test_signatures_follow_the_deliverys_clock() -> None:
    headers = {name.lower(): value for name, value in signature("s", b"body", 1_000.0).items()}
    assert sdk.signature_holds("s", b"body", headers, 1_299.0)
    assert not sdk.signature_holds("s", b"body", headers, 1_301.0)
    assert sdk.At(5.0).now() == 5.0


def test_who_acted() -> None:
    event = {"type": "message", "user": "U1", "team": "T2", "user_team": "T2"}
    payload = {"type": "event_callback", "team_id": "T1", "event": event, "is_ext_shared_channel": True}
    assert sdk.actors(payload)["team_id"] == "T1"
    assert sdk.actors(payload)["actor_team_id"] == "T2"
    assert sdk.actors({"team": 5, "event": []}) == {}


def test_the_error_type() -> None:
    assert sdk.api_error().__name__ == "SlackApiError"
