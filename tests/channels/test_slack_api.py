"""Every outcome of a Web API call, with the real client against the double."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from aiohttp import web

from channels.base import Limited, Refused, SendError, Unauthorized, Unavailable, Unknown, Unreachable
from channels.slack.api import Api
from tests.channels.slack_rig import rigged
from tests.doubles.platform import Fault
from tests.doubles.slack import Slack

POST = "chat.postMessage"


async def failure(fault: Fault, method: str = POST) -> tuple[SendError, int, int]:
    """What a post raises under a fault, how often it was called, and how many messages there are."""
    slack = Slack(hang_s=5.0)
    async with rigged(slack, timeout_s=1.2) as rig:
        fact = rig.inbound()
        slack.faults.script(method, fault)
        with pytest.raises(SendError) as caught:
            await rig.channel.send(rig.part(fact.route))
        return caught.value, slack.calls[method], len(rig.ours())


@pytest.mark.parametrize(
    ("fault", "kind", "messages"),
    [
        (Fault.LIMITED, Limited, 0),
        (Fault.REFUSED, Refused, 0),
        (Fault.ERROR_BEFORE, Unknown, 0),
        (Fault.ERROR_AFTER, Unknown, 1),
        (Fault.RESET_BEFORE, Unknown, 0),
        (Fault.RESET_AFTER, Unknown, 1),
        (Fault.HANG_BEFORE, Unknown, 0),
        (Fault.HANG_AFTER, Unknown, 1),
    ],
)
async def test_a_fault_is_told_and_nothing_is_repeated(fault: Fault, kind: type[SendError], messages: int) -> None:
    error, calls, seen = await failure(fault)
    assert type(error) is kind
    assert calls == 1
    assert seen == messages


async def test_retry_after_is_passed_on() -> None:
    slack = Slack()
    async with rigged(slack) as rig:
        fact = rig.inbound()
        slack.retry_after_s = 7
        slack.faults.script(POST, Fault.LIMITED)
        with pytest.raises(Limited) as caught:
            await rig.channel.send(rig.part(fact.route))
        assert (caught.value.retry_after_s, caught.value.scope) == (7.0, "chat")


async def test_a_refused_connection_sent_nothing() -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        api = Api("xoxb-1", f"http://127.0.0.1:{taken.getsockname()[1]}", 0.5)
        async with api.running():
            with pytest.raises(Unavailable):
                await api.call("auth_test")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_auth", Unauthorized),
        ("account_inactive", Unauthorized),
        ("token_revoked", Unauthorized),
        ("not_authed", Unauthorized),
        ("channel_not_found", Unreachable),
        ("is_archived", Unreachable),
        ("cannot_dm_bot", Unreachable),
        ("not_in_channel", Refused),
        ("msg_too_long", Refused),
        ("ratelimited", Limited),
        ("fatal_error", Unknown),
        ("internal_error", Unknown),
    ],
)
async def test_error_words(code: str, kind: type[SendError]) -> None:
    error = await answered(web.json_response({"ok": False, "error": code}))
    assert type(error) is kind
    assert error.code == code


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ({"status": 500, "text": "oops"}, Unknown, "http_500"),
        ({"status": 503, "text": "<html>", "content_type": "text/html"}, Unknown, "http_503"),
        ({"status": 404, "text": "not found"}, Refused, "http_404"),
        ({"status": 200, "text": "ok"}, Unknown, "bad_answer"),
        ({"status": 200, "text": "<html>", "content_type": "text/html"}, Unknown, "bad_answer"),
        ({"status": 200, "text": "{broken", "content_type": "application/json"}, Unknown, "bad_answer"),
        ({"status": 502, "text": "{broken", "content_type": "application/json"}, Unknown, "http_502"),
        ({"status": 200, "text": "[]", "content_type": "application/json"}, Unknown, "bad_answer"),
        ({"status": 200, "body": b"x", "content_type": "application/gzip"}, Unknown, "bad_answer"),
        ({"status": 429, "text": "slow down"}, Limited, "ratelimited"),
    ],
)
async def test_answers_that_are_no_json_objects(answer: dict[str, Any], kind: type[SendError], code: str) -> None:
    error = await answered(web.Response(**answer))
    assert (type(error), error.code) == (kind, code)


async def test_a_missing_scope_says_its_repair() -> None:
    error = await answered(web.json_response({"ok": False, "error": "missing_scope", "needed": "chat:write"}))
    assert "chat:write" in error.detail
    pointer = {"messages": ["[ERROR] must be less than 3001 characters [json-pointer:/blocks/0]"]}
    error = await answered(web.json_response({"ok": False, "error": "invalid_blocks", "response_metadata": pointer}))
    assert "json-pointer" in error.detail


async def test_errors_never_carry_tokens_or_words() -> None:
    error, _, _ = await failure(Fault.REFUSED)
    assert "xoxb" not in repr(error) + str(error.__cause__) + str(error.__context__)
    assert error.__suppress_context__


async def test_reads_have_no_unknown_outcome() -> None:
    slack = Slack()
    async with slack.running():
        api = Api("xoxb-1", slack.api_base, 0.5)
        slack.faults.script("auth.test", Fault.RESET_AFTER)
        async with api.running():
            with pytest.raises(Unavailable):
                await api.read("auth_test")
        assert (await api.read("auth_test"))["team_id"] == "T1"  # also outside, on a session of its own


async def answered(response: web.Response) -> SendError:
    """What a call raises when the platform answers so."""

    async def handler(_request: web.Request) -> web.Response:
        return response

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        api = Api("xoxb-1", f"http://127.0.0.1:{runner.addresses[0][1]}", 0.5)
        async with api.running():
            with pytest.raises(SendError) as caught:
                await api.call("chat_postMessage", channel="C1", text="hi")
        return caught.value
    finally:
        await runner.cleanup()
