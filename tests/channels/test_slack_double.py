"""The double keeps Slack's promises: what the other tests rest on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from tests.channels.slack_rig import SECRET
from tests.doubles.slack import Slack, courier

TOKEN = "xoxb-1"


@asynccontextmanager
async def desk(*statuses: int, **headers: str) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """A service that answers with these statuses, the last one for ever."""
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        seen.append(request)
        return web.Response(status=statuses[min(len(seen), len(statuses)) - 1], headers=headers)

    app = web.Application()
    app.router.add_post("/webhooks/slack", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/slack", seen
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(slack: Slack, token: str = TOKEN) -> AsyncIterator[AsyncWebClient]:
    async with slack.running(), ClientSession() as session:
        made = AsyncWebClient(token, base_url=f"{slack.api_base}/", session=session, retry_handlers=[])
        made.proxy = None
        yield made


async def error_of(call: object) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call  # type: ignore[misc]
    return str(caught.value.response["error"])


async def test_events_are_signed_and_repeated_with_a_count() -> None:
    slack = Slack()
    (payload, _) = slack.say("C1", "<@UDESK> hello")
    async with desk(500, 503, 200) as (url, seen), courier(1_000.0).running() as post:
        delivered = await slack.deliver(post, url, SECRET, payload)
        assert delivered.statuses == [500, 503, 200]
        assert [request.headers.get("X-Slack-Retry-Num") for request in seen] == [None, "1", "2"]
        for request in seen:
            assert SignatureVerifier(SECRET).is_valid_request(await request.read(), dict(request.headers))
        assert json.loads(await seen[0].read()) == payload


async def test_a_service_may_ask_for_no_more() -> None:
    slack = Slack()
    async with (
        desk(503, **{"X-Slack-No-Retry": "1"}) as (url, seen),
        courier().running() as post,
    ):
        assert not (await slack.deliver(post, url, SECRET, slack.say("D1", "hi")[0])).accepted
        assert len(seen) == 1


async def test_a_mention_comes_twice_with_one_ts_and_two_event_ids() -> None:
    mention, message = Slack().say("C1", "<@UDESK> hello")
    assert mention["event"]["type"] == "app_mention"
    assert message["event"]["channel_type"] == "channel"
    assert mention["event"]["ts"] == message["event"]["ts"]
    assert mention["event_id"] != message["event_id"]


async def test_history_shows_metadata_only_when_asked() -> None:
    slack = Slack()
    slack.place("C1")
    async with client(slack) as api:
        metadata = {"event_type": "e", "event_payload": {"id": "1"}}
        posted = await api.chat_postMessage(channel="C1", text="hi", metadata=metadata)
        plain = await api.conversations_history(channel="C1", oldest="1")
        whole = await api.conversations_history(channel="C1", oldest="1", include_all_metadata=True)
        assert "metadata" not in plain["messages"][0]
        assert whole["messages"][0]["metadata"] == metadata
        assert (await api.conversations_history(channel="C1", oldest=posted["ts"]))["messages"] == []


async def test_tokens_and_limits() -> None:
    slack = Slack()
    slack.place("C1")
    async with client(slack, "xoxb-wrong") as api:
        assert await error_of(api.auth_test()) == "invalid_auth"
        api.token = TOKEN
        assert await error_of(api.chat_postMessage(channel="C2", text="hi")) == "channel_not_found"
        blocks = [{"type": "markdown", "text": "x" * 7_000}] * 2
        assert await error_of(api.chat_postMessage(channel="C1", text="hi", blocks=blocks)) == "msg_blocks_too_long"
        assert (
            await error_of(api.chat_postMessage(channel="C1", text="t", markdown_text="m")) == "markdown_text_conflict"
        )
        long = [{"type": "markdown", "text": "x" * 12_001}]
        assert await error_of(api.chat_postMessage(channel="C1", text="hi", blocks=long)) == "invalid_blocks"


async def test_streams_expire_and_cannot_be_updated_before() -> None:
    slack = Slack()
    slack.place("C1")
    async with client(slack) as api:
        start = {"channel": "C1", "thread_ts": "1.0", "markdown_text": "a"}
        assert await error_of(api.chat_startStream(**start)) == "missing_recipient_user_id"
        stream = await api.chat_startStream(**start, recipient_user_id="U1", recipient_team_id="T1")
        where = {"channel": "C1", "ts": stream["ts"]}
        assert await error_of(api.chat_update(**where, text="b")) == "streaming_state_conflict"
        await api.chat_appendStream(**where, markdown_text="b")
        slack.expire_streams()
        assert await error_of(api.chat_appendStream(**where, markdown_text="c")) == "message_not_in_streaming_state"
        await api.chat_update(**where, text="abc")
        assert slack.place("C1").said() == ["abc"]
