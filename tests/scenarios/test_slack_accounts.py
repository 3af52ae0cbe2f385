"""Slack's own cases S51 to S56: workspaces, tokens, other companies, files, and what was missed meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.doubles.platform import Platform
from tests.doubles.slack import Slack, Workspace
from tests.places import until
from tests.scenarios.chats import BOT, in_slack

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
OUTAGE_S = 360.0
BURST = 30


def mention(text: str) -> str:
    return f"<@{BOT}> {text}"


class Elsewhere(Platform):
    """A host that is not Slack's, and what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.app.router.add_get("/{name}", self._get)

    async def _get(self, request: web.Request) -> web.Response:
        self.shown.append(request.headers.get("Authorization", ""))
        return web.Response(body=PNG, content_type="image/png")


async def test_s51_workspaces_are_kept_apart(store_url: str, tmp_path: Path) -> None:
    slack = Slack(Workspace("T1", "xoxb-1"), Workspace("T2", "xoxb-2"))
    accounts = {"default": {"team_id": "T1"}, "labs": {"team_id": "T2", "bot_token": "xoxb-2"}}
    async with slack.running(), in_slack(store_url, tmp_path, slack, accounts=accounts) as desk:
        await desk.says("C1", mention("from the shop"), team="T1")
        await desk.says("C1", mention("from the labs"), team="T2")
        await desk.answered("C1", team="T1")
        await desk.answered("C1", team="T2")
        assert desk.texts("C1", "T1") == ["answer to: from the shop"]
        assert desk.texts("C1", "T2") == ["answer to: from the labs"]
        found = [(row["account"], row["address"].rpartition("/")[0]) for row in await desk.rows("conversations")]
        assert sorted(found) == [("default", "T1/C1"), ("labs", "T2/C1")]
        hello = {"type": "message", "channel": "D7", "channel_type": "im", "user": "UEVE", "text": "hello"}
        granted = [{"team_id": "T9", "user_id": "UDESK", "is_bot": True}]
        stranger = slack.envelope({**hello, "ts": slack.now()}) | {"team_id": "T9", "authorizations": granted}
        assert (await desk.tells(stranger)).accepted
        await desk.laws()
        assert len(await desk.rows("conversations")) == 2


async def test_s52_a_revoked_token_stops_sends_until_it_works_again(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack) as desk:
        await desk.says("D1", "before")
        await desk.answered("D1")
        slack.workspaces[0].revoked = True
        await desk.event({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [BOT]}, "event_ts": slack.now()})
        (state,) = await desk.rows("access")
        assert state["state"] == "revoked"
        assert "install the app again" in state["reason"]
        (told,) = [event for event in await desk.rows("events") if event["kind"] == "account"]
        assert told["audience"] == "staff"
        assert json.loads(told["body"])["state"] == "revoked"
        calls = slack.calls["chat.postMessage"]
        await desk.says("D1", "meanwhile")
        await until(lambda: desk.model.stats.answered == 2)
        assert slack.calls["chat.postMessage"] == calls, "nothing is sent with a token that was taken away"


async def test_s52_what_waited_is_sent_once_the_token_works(store_url: str, tmp_path: Path) -> None:
    slack = Slack()
    slack.workspaces[0].revoked = True
    async with slack.running():
        async with in_slack(store_url, tmp_path, slack) as desk:
            await desk.says("D1", "hello")
            async with asyncio.timeout(5):
                while [row["state"] for row in await desk.rows("access")] != ["revoked"]:
                    await asyncio.sleep(0.02)
            assert desk.texts("D1") == []
        slack.workspaces[0].revoked = False
        async with in_slack(store_url, tmp_path, slack) as desk:
            assert await desk.answered("D1") == ["answer to: hello"]
            assert [row["state"] for row in await desk.rows("access")] == ["ok"]
            await desk.laws()


async def test_s53_people_of_other_companies_are_answered_and_not_trusted(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack) as desk:
        slack.place("C7", ext_shared=True)
        other = {"user": "UZOE", "user_team": "T9", "source_team": "T9", "user_profile": {"display_name": "zoe"}}
        await desk.says("C7", mention("from outside"), **other)
        await desk.says("C7", mention("from inside"), user_team="T1", source_team="T1")
        assert sorted(await desk.answered("C7", 2)) == ["answer to: from inside", "answer to: from outside"]
        trust = {}
        for row in await desk.rows("conversations"):
            profile = json.loads(row["profile"])
            trust[profile["user"]] = (row["verified"], profile.get("team"), profile.get("external", ""))
        assert trust == {"UZOE": (0, "T9", "1"), "UANNA": (1, "T1", "")}


@asynccontextmanager
async def elsewhere() -> AsyncIterator[Elsewhere]:
    host = Elsewhere()
    async with host.running():
        yield host


async def test_s54_files_come_from_slack_only_with_the_token_and_within_limits(store_url: str, tmp_path: Path) -> None:
    media = {"max_bytes": 10_000}
    async with (
        elsewhere() as foreign,
        Slack().running() as slack,
        in_slack(store_url, tmp_path, slack, media=media) as desk,
    ):
        slack.files = {"a.png": ("image/png", PNG), "liar.png": ("image/png", PNG + bytes(50_000))}

        async def sends(name: str, size: int, base: str = slack.base_url + "/files") -> tuple[str, str | None]:
            file = {"id": f"F{name}", "name": name, "mimetype": "image/png", "size": size, "mode": "hosted",
                    "url_private": f"{base}/{name}"}  # fmt: skip
            await desk.says(f"D{name}", "what is this?", subtype="file_share", files=[file])
            notice, answer = await desk.answered(f"D{name}", 2)  # a picture cannot be read, its words can
            assert notice.startswith("Sorry")
            assert answer == "answer to: what is this?"
            row = (await desk.rows("files"))[-1]
            return row["state"], row["reason"]

        assert await sends("a.png", len(PNG)) == ("stored", None)
        asked = slack.calls["file"]
        assert await sends("big.png", 30_000_000) == ("refused", "too_large")
        assert slack.calls["file"] == asked, "a file that says it is too large is not even asked for"
        assert await sends("liar.png", 100) == ("refused", "too_large")
        assert await sends("b.png", 100, foreign.base_url) == ("refused", "host")
        assert foreign.shown == [], "no other host sees a request, let alone the token"
        slack.file_status = 404
        assert (await sends("gone.png", 100))[0] == "failed"
        assert "too large" in desk.texts("Dbig.png")[0]
        await desk.laws()


async def test_s55_a_socket_that_drops_under_load_loses_nothing(store_url: str, tmp_path: Path) -> None:
    slack = Slack(Workspace("T1", "xoxb-1", "xapp-1"))
    slack.ack_s = 0.5
    socket: dict[str, Any] = {"default": {"app_token": "xapp-1", "signing_secret": ""}}
    async with slack.running(), in_slack(store_url, tmp_path, slack, accounts=socket) as desk:
        await until(lambda: slack.sockets)
        for number in range(BURST):
            for payload in slack.say(f"D{number}", f"question {number}"):
                slack.push(payload)
            if number % 5 == 4:
                await until(lambda: slack.sockets)
                slack.drop()
            if number % 10 == 6:
                await until(lambda: slack.sockets)
                await slack.renew()
        await until(lambda: all(envelope.acked.is_set() for envelope in slack.envelopes.values()), 20.0)
        for number in range(BURST):
            assert await desk.answered(f"D{number}", timeout_s=20.0) == [f"answer to: question {number}"]
        assert desk.model.stats.requests == BURST
        assert slack.calls["apps.connections.open"] >= 6, "it came again after each drop and each renewal"
        await desk.laws()


async def test_s56_what_came_in_a_six_minute_outage_is_read_back_once(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack:
        async with in_slack(store_url, tmp_path, slack) as desk:
            thread = await desk.says("C1", mention("before"))
            await desk.answered("C1")
            await desk.aged(OUTAGE_S + 30)
        began = time.time() - OUTAGE_S
        lost = [
            *slack.say("C1", "in the thread", thread_ts=thread),
            *slack.say("C1", mention("anew"), at_s=began + 100),
            *slack.say("C1", "among us", at_s=began + 120),
            *slack.say("D1", "directly", at_s=began + 140, user="UBOB"),
        ]
        async with in_slack(store_url, tmp_path, slack) as desk:
            answers = await desk.answered("C1", 3)  # two threads, in either order
            assert sorted(answers) == ["answer to: anew", "answer to: before", "answer to: in the thread"]
            assert await desk.answered("D1") == ["answer to: directly"]
            for payload in lost:  # Slack's own late repeats
                assert (await desk.tells(payload)).accepted
            await desk.laws()
            assert (len(desk.ours("C1")), len(desk.ours("D1"))) == (3, 1)
            assert desk.model.stats.requests == 3
