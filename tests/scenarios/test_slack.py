"""Slack's own cases (../shared/CHANNELS.md S40 to S50): the whole service, driven by signed deliveries."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.platform import Hook
from tests.doubles.slack import Slack, Workspace, hook, signature
from tests.model_double import Pace
from tests.places import until
from tests.scenarios.chats import BOT, SIGNING, SlackChats, in_slack

SLOW = Pace(tokens_per_s=16.0)
LONG = " ".join(f"word{number}" for number in range(40))  # two and a half seconds of it
PAYLOADS = Path(__file__).parents[1] / "channels" / "payloads" / "slack"


async def posted(desk: SlackChats, sent: Hook) -> tuple[int, str]:
    answer = await desk.service.http.request(sent.method, sent.url, data=sent.body, headers=dict(sent.headers))
    return answer.status, await answer.text()


async def streaming(desk: SlackChats, channel: str) -> dict[str, Any]:
    """The message that an answer begins to grow in."""
    await until(lambda: desk.ours(channel) and desk.slack.calls["chat.startStream"], 5.0)
    return desk.ours(channel)[-1]


def mention(text: str) -> str:
    return f"<@{BOT}> {text}"


async def test_s40_url_verification_and_ssl_check(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack) as desk:
        challenge = {"type": "url_verification", "token": "t", "challenge": "3eZbrw1aB10"}
        assert await posted(desk, hook(desk.url(), SIGNING, challenge)) == (200, "3eZbrw1aB10")
        assert (await posted(desk, hook(desk.url(), "guessed", challenge)))[0] == 401
        for what in ("events", "actions"):
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            assert (await posted(desk, Hook(desk.url(what), b"ssl_check=1&token=t", form)))[0] == 200
        assert not await desk.rows("conversations")


async def test_s41_wrong_times_and_forgeries_are_401_and_leave_nothing(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack) as desk:
        (payload,) = slack.say("D1", "hello")
        body = json.dumps(payload).encode()
        for shift_s in (400, -400):
            assert (await posted(desk, hook(desk.url(), SIGNING, payload, at_s=time.time() + shift_s)))[0] == 401
        for stamp in ("soon", "", "\uff11\uff17", "-1", "1" * 400, "1e9"):
            headers = signature(SIGNING, body) | {"X-Slack-Request-Timestamp": stamp}
            assert (await posted(desk, Hook(desk.url(), body, headers)))[0] == 401, stamp
        changed = Hook(desk.url(), body.replace(b"hello", b"hallo"), signature(SIGNING, body))
        bare = Hook(desk.url(), body, {"Content-Type": "application/json"})
        for forged in (changed, bare, hook(desk.url(), "another secret", payload)):
            assert (await posted(desk, forged))[0] == 401
        assert not await desk.rows("conversations")
        assert (await desk.tells(payload)).statuses == [200], "the same message, signed and in time"
        assert await desk.answered("D1") == ["answer to: hello"]


@pytest.mark.parametrize("order", ["as sent", "turned round", "at once"])
async def test_s42_a_mention_and_its_twin_get_one_reply_in_the_thread(
    store_url: str, tmp_path: Path, order: str
) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack) as desk:
        twins = slack.say("C1", mention("where is my parcel?"))
        assert [twin["event"]["type"] for twin in twins] == ["app_mention", "message"]
        if order == "at once":
            await asyncio.gather(*(desk.tells(twin) for twin in twins * 3))
        else:
            for twin in twins if order == "as sent" else twins[::-1]:
                await desk.tells(twin)
        assert await desk.answered("C1") == ["answer to: where is my parcel?"]
        assert desk.ours("C1")[0]["thread_ts"] == twins[0]["event"]["ts"]
        assert desk.model.stats.requests == 1
        await desk.laws()


async def test_s43_nobody_is_answered_who_did_not_ask(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack) as desk:
        await desk.says("C1", mention("hello"))
        (ours,) = [await desk.answered("C1"), desk.ours("C1")][1]
        place = {"type": "message", "channel": "C1", "channel_type": "channel"}
        own = {**place, **ours, "event_ts": ours["ts"]}
        silent: list[dict[str, Any]] = [
            own,
            {**own, "channel": "D1", "channel_type": "im"},
            {key: value for key, value in own.items() if key != "user"},
            # an edit of ours that names only the bot, which bolt's own filter lets through
            {**place, "subtype": "message_changed", "ts": slack.now(), "event_ts": slack.now(),
             "message": {"type": "message", "bot_id": "BDESK", "text": "new", "ts": ours["ts"]},
             "previous_message": {"type": "message", "bot_id": "BDESK", "text": "old", "ts": ours["ts"]}},
            {**place, "subtype": "bot_message", "bot_id": "BELSE", "text": mention("hi"), "ts": slack.now()},
            {**place, "type": "app_mention", "bot_id": "BELSE", "user": "UELSE", "text": mention("hi"),
             "ts": slack.now()},
            {**place, "subtype": "channel_join", "user": "UBOB", "text": "<@UBOB> has joined", "ts": slack.now()},
            {**place, "subtype": "message_deleted", "hidden": True, "deleted_ts": ours["ts"], "ts": slack.now()},
            {**place, "user": "USLACKBOT", "text": mention("reminder"), "ts": slack.now()},
        ]  # fmt: skip
        for event in silent:
            assert (await desk.event(event)).statuses == [200], event
        await desk.says("C1", "who brings the cake?")
        await desk.says("C1", "ask <@UBOB>")
        await desk.quiet()
        assert desk.texts("C1") == ["answer to: hello"]
        assert desk.model.stats.requests == 1
        assert len(await desk.rows("conversations")) == 1


async def test_s44_a_thread_goes_on_without_mentions_and_others_stay_private(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack) as desk:
        first = await desk.says("C1", mention("one"))
        await desk.answered("C1")
        await desk.says("C1", "two", thread_ts=first, user="UBOB")
        assert await desk.answered("C1", 2) == ["answer to: one", "answer to: two"]
        assert {each["thread_ts"] for each in desk.ours("C1")} == {first}
        theirs = await desk.says("C1", "nobody asked us")
        await desk.says("C1", "nor here", thread_ts=theirs)
        await desk.quiet()
        assert len(desk.ours("C1")) == 2
        assert len(await desk.rows("conversations")) == 1
        await desk.laws()


async def test_s45_a_press_is_acknowledged_and_counts_once(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack) as desk:
        await desk.says("C1", mention("hello"))
        await desk.answered("C1")
        (message,) = desk.ours("C1")
        row = next(block for block in message["blocks"] if block["type"] == "context_actions")
        up, down = (row["elements"][0][name]["value"] for name in ("positive_button", "negative_button"))
        press = slack.press("C1", message["ts"], up)
        for _ in range(2):
            delivered = await desk.tells(press, "actions")
            assert delivered.statuses == [200]
            assert delivered.ack_s is not None
            assert delivered.ack_s < 1.0
            assert delivered.body == b""
        assert [rating["value"] for rating in await desk.rows("ratings")] == ["up"]
        await desk.tells(slack.press("C1", message["ts"], down), "actions")
        assert [rating["value"] for rating in await desk.rows("ratings")] == ["down"]
        forged = json.loads(json.dumps(press).replace(up, up[:-2] + ("AA" if up[-2:] != "AA" else "BB")))
        assert (await desk.tells(forged, "actions")).accepted
        await desk.quiet()
        assert [rating["value"] for rating in await desk.rows("ratings")] == ["down"], "a forged thumb rates nothing"
        asked = desk.ours("C1")[-1]
        assert asked["text"] == "What was wrong with this answer?"
        assert asked["thread_ts"] == message["thread_ts"]
        (row,) = [block for block in asked["blocks"] if block["type"] == "actions"]
        reasons = {button["text"]["text"]: button["value"] for button in row["elements"]}
        for label in ("Wrong", "Unclear"):
            await desk.tells(slack.press("C1", asked["ts"], reasons[label]), "actions")
        (rating,) = await desk.rows("ratings")
        assert (rating["value"], rating["reason"]) == ("down", "unclear"), "a repeat changes and adds nothing"
        await desk.tells(slack.press("C1", message["ts"], up), "actions")
        (rating,) = await desk.rows("ratings")
        assert (rating["value"], rating["reason"]) == ("up", None)
        await desk.quiet()
        assert len(desk.ours("C1")) == 2, "asked once"


async def test_s46_an_expired_stream_is_completed_by_updates(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack, pace=SLOW) as desk:
        desk.model.say_next(LONG)
        await desk.says("C1", mention("tell me all"))
        shown = await streaming(desk, "C1")
        assert LONG.startswith(shown["text"])
        slack.expire_streams()
        await until(lambda: slack.calls["chat.update"], 5.0)
        assert desk.ours("C1") == [shown]
        await until(lambda: shown["text"] == LONG)
        assert await desk.answered("C1") == [LONG]
        assert desk.ours("C1")[0]["ts"] == shown["ts"]
        await desk.laws()


@pytest.mark.parametrize("told", ["by the refused stream", "by the event"])
async def test_s47_the_readers_stop_ends_the_answer(store_url: str, tmp_path: Path, told: str) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack, pace=SLOW) as desk:
        desk.model.say_next(LONG)
        thread = await desk.says("C1", mention("tell me all"))
        shown = await streaming(desk, "C1")
        slack.stop_stream(shown["ts"])
        if told == "by the event":
            stopped = {"type": "agent_session_stopped", "channel": "C1", "thread_ts": thread, "user": "UANNA",
                       "streaming_message_ts": [shown["ts"]], "event_ts": slack.now()}  # fmt: skip
            assert (await desk.event(stopped)).accepted
        await until(lambda: desk.model.stats.cancelled == 1, 5.0)
        await desk.laws()
        (only,) = desk.ours("C1")
        assert only["ts"] == shown["ts"]
        assert LONG.startswith(only["text"])
        assert len(only["text"]) < len(LONG)
        assert desk.model.stats.requests == 1, "what was stopped is not begun again"
        await desk.says("C1", "and now?", thread_ts=thread)
        assert (await desk.answered("C1", 2))[1] == "answer to: and now?"


async def test_s48_a_reaction_is_a_rating_until_it_is_taken_away(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack) as desk:
        await desk.says("C1", mention("hello"))
        await desk.answered("C1")
        item = {"type": "message", "channel": "C1", "ts": desk.ours("C1")[0]["ts"]}
        reaction = {"user": "UANNA", "reaction": "+1", "item": item, "item_user": BOT, "event_ts": slack.now()}
        values = []
        for kind in ("reaction_added", "reaction_added", "reaction_removed"):
            assert (await desk.event({**reaction, "type": kind})).accepted
            values.append([rating["value"] for rating in await desk.rows("ratings")])
        assert values == [["up"], ["up"], [None]]
        await desk.event({**reaction, "type": "reaction_added", "reaction": "cake"})
        assert [rating["value"] for rating in await desk.rows("ratings")] == [None]
        assert desk.model.stats.requests == 1


async def test_s49_the_model_reads_what_people_wrote(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack) as desk:
        said = (
            "is a &lt; b &amp;&amp; c? see <https://shop.example/a|the list>, <https://shop.example>, ask <@UBOB|bob>"
        )
        await desk.says("C1", mention(f"{said} in <#C9|help> <!here>"))
        await desk.answered("C1")
        (read,) = desk.model.stats.last_user_messages
        wanted = "is a < b && c? see the list (https://shop.example/a), https://shop.example, ask @bob in #help @here"
        assert read == wanted
        (answer,) = desk.ours("C1")
        assert "<!here>" not in json.dumps(answer["blocks"])
        assert "<!here>" not in answer["text"]


async def test_s50_markdown_reaches_the_reader(store_url: str, tmp_path: Path) -> None:
    written = "# Prices\n\n**Small** parcels:\n\n| to | costs |\n|---|---|\n| Oslo | 5 & more |\n\n[all](https://shop.example)"
    for newer in (True, False):
        slack, folder = Slack(Workspace("T1", "xoxb-1")), tmp_path / str(newer)
        slack.markdown_known = newer
        folder.mkdir()
        async with slack.running(), in_slack(store_url, folder, slack) as desk:
            desk.model.say_next(written)
            await desk.says(f"C{newer}", mention("what does it cost?"))
            await desk.answered(f"C{newer}")
            (message,) = desk.ours(f"C{newer}")
            first = message["blocks"][0]
            if newer:
                assert first["type"] == "markdown"
                assert "| Oslo | 5 & more |" in first["text"]
                assert "**Small**" in first["text"]
            else:
                assert first["type"] == "section"
                assert "*Small*" in first["text"]["text"]
                assert "<https://shop.example|all>" in first["text"]["text"]
            assert "Oslo" in message["text"], "notifications and screen readers get the words too"
            assert "5 &amp; more" in message["text"]
