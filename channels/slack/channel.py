"""One Slack workspace: events in over HTTP or a socket, answers out as messages and native streams.

An answer is one message in the customer's thread. Every message carries its part id in the metadata, so that an
unknown outcome is looked up in the history before anything is sent again.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog

from channels.base import (
    Accept,
    Delivery,
    Health,
    Limits,
    Outgoing,
    Pace,
    Received,
    Refused,
    SendError,
    Sent,
    Services,
    Unauthorized,
    Unknown,
    Unreachable,
)
from channels.message import Attachment, Fact, Outbound
from channels.slack import door, events, files, parts, sdk
from channels.slack.api import Api
from channels.slack.drafts import Drafts
from channels.slack.history import PART_EVENT, History
from channels.slack.missed import missed_facts
from channels.slack.route import placed, provider_id
from channels.slack.socket import Socket
from channels.slack.staff import Room
from config.accounts import SlackAccount
from config.approved import Approved

log = structlog.get_logger()

EDIT_INTERVAL_S = 1.0  # appends are allowed a hundred times a minute and more, counted per workspace
CHAT_PACE = Pace(per_s=1.0, burst=5)
ACCOUNT_PACE = Pace(per_s=10.0, burst=50)  # "several hundred messages per minute"; Retry-After corrects the rest
MEDIA_BYTES = 1_000_000_000
UNPOSTABLE_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "blocks_too_long"})
LOST_DRAFT = frozenset({"message_not_found", "edit_window_closed", "cant_update_message"})
STATUS = "is writing…"


class SlackChannel:
    """One configured workspace; the token, the signing secret and the app token stay inside."""

    name = events.CHANNEL

    def __init__(
        self,
        account: str,
        settings: SlackAccount,
        teams: Mapping[str, str],
        services: Services,
        rooms: Mapping[str, str] | None = None,
    ) -> None:
        self.account = account
        self.settings = settings
        self.limits = Limits(
            text_units=parts.TEXT_CHARACTERS,
            unit="characters",
            edit_interval_s=EDIT_INTERVAL_S if settings.stream else None,
            draft="message" if settings.stream else "none",
            account_pace=ACCOUNT_PACE,
            chat_pace=CHAT_PACE,
            look_up=True,
            media_bytes=MEDIA_BYTES,
        )
        self._services = services
        self._teams = teams
        self._rooms = {account: settings.staff_channel} if rooms is None else rooms
        self._api = Api(settings.bot_token.get_secret_value(), settings.api_base, services.send_timeout_s)
        self._app = Api(settings.app_token.get_secret_value(), settings.api_base, services.send_timeout_s)
        self._history = History(self._api)
        self._drafts = Drafts(self._api)
        self.staff = Room(self._api, self._history)
        self._socket = Socket(self._app, self._normalized, self.catch_up if settings.catch_up else None, services)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the connections to Slack for the time of the block; asks nothing of it."""
        sdk.load()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._api.running())
            if self.settings.app_token.get_secret_value():
                await stack.enter_async_context(self._app.running())
            yield

    # in

    async def receive(self, delivery: Delivery) -> Received:
        """Verify and read an event, a button press or a check of the address; raises Rejected 400 or 401."""
        if door.is_ssl_check(delivery):
            return Received()
        payload = door.opened(delivery, self.settings.signing_secret.get_secret_value())
        if payload.get("type") == "url_verification":
            return Received(body=str(payload.get("challenge") or "").encode())
        if payload.get("type") == "app_rate_limited":
            log.warning(
                "slack_events_limited", team=str(payload.get("team_id")), repair="catch-up reads what is missing"
            )
            return Received()
        return Received(self.normalize(payload, now_s=delivery.now_s))

    def normalize(self, payload: Mapping[str, Any], *, now_s: float) -> Sequence[Fact]:  # noqa: ARG002 - Slack's own times count
        """The facts in an event callback or interaction; none for workspaces that are not configured."""
        fallback = "" if self.settings.team_id else self.account
        return events.facts(payload, events.Desk(self._teams, fallback, self._history.bot_user, self._rooms))

    async def listen(self, accept: Accept) -> None:
        """Take events over Socket Mode until cancelled; returns at once without an app token."""
        if not self.settings.app_token.get_secret_value():
            return
        await self._socket.listen(accept)

    async def catch_up(self, since_s: float) -> AsyncIterator[Sequence[Fact]]:
        """Read every conversation the bot is in since then; raises SendError when Slack is away in the middle."""
        try:
            me = await self._history.me()
            async for conversation, messages in self._history.missed(since_s):
                facts = missed_facts(conversation, messages, me, since_s, self._normalized)
                if facts:
                    yield facts
        except Unauthorized:
            raise
        except Refused as error:
            log.warning("slack_catch_up_impossible", code=error.code, detail=error.detail)

    def _normalized(self, payload: Mapping[str, Any]) -> Sequence[Fact]:
        return self.normalize(payload, now_s=time.time())

    async def fetch(self, attachment: Attachment, route: Mapping[str, str]) -> AsyncIterator[bytes]:  # noqa: ARG002 - files need no route
        """Download a customer's file from files.slack.com with the token; raises SendError."""
        async for chunk in files.download(self._api, attachment, self._services.send_timeout_s):
            yield chunk

    # out

    def render(self, message: Outbound) -> Sequence[Mapping[str, Any]]:
        """The payloads of the messages that together show ``message``."""
        return parts.payloads(message)

    def template(self) -> Mapping[str, Any] | None:
        """None: Slack takes free text at any time."""
        return None

    def templates(self) -> Sequence[Approved]:
        """None: Slack takes free text at any time."""
        return ()

    async def send(self, out: Outgoing) -> Sent:
        """Post one part, or turn its draft into it; both can be told by the part's id afterwards."""
        return await (self._finish(out) if out.draft else self._post(out))

    async def find(self, out: Outgoing) -> Sent | None:
        """Look for the part in the thread's history by its id."""
        found = await self._history.find_part(out)
        return Sent(found) if found else None

    async def open_draft(self, draft_id: str, route: Mapping[str, str], text: str) -> str:  # noqa: ARG002 - streams carry no id
        """Start a native stream; raises Refused where there can be none, so that the answer is posted whole."""
        if not self.settings.stream:
            raise Refused("streams_off", "stream is off in this account's settings")
        try:
            return await self._drafts.open(route, text)
        except Unreachable as error:  # that nobody is streamed to does not mean that nobody is there
            raise Refused(error.code, error.detail) from None

    async def update_draft(self, provider_id: str, route: Mapping[str, str], text: str) -> None:
        """Append to the stream, or update the message; Refused("stopped_by_user") when the reader stopped it."""
        await self._drafts.update(provider_id, route, text)

    async def find_draft(self, draft_id: str, route: Mapping[str, str], tried_at: float) -> str:  # noqa: ARG002 - streams carry no id
        """The unfinished message of ours in the thread since then, "" when there is none."""
        return await self._history.find_draft(route, tried_at)

    async def withdraw_draft(self, provider_id: str, route: Mapping[str, str]) -> None:
        """Delete the shown message."""
        await self._drafts.withdraw(provider_id, route)

    async def typing(self, route: Mapping[str, str]) -> None:
        """Show "is writing…" below the thread; Slack takes it away with the next message."""
        if thread := route.get("thread_ts"):
            channel = route.get("channel", "")
            await self._api.call("assistant_threads_setStatus", channel_id=channel, thread_ts=thread, status=STATUS)

    async def confirm(self, fact: Fact) -> None:
        """Nothing: the 200 (or the envelope's acknowledgement) was the confirmation."""

    async def check(self) -> Health:
        """Ask Slack who the token belongs to."""
        try:
            me = await self._history.me(again=True)
        except SendError as error:
            return Health(ok=False, detail=f"auth.test says {error.code}: check bot_token, and install the app again")
        team = str(me.get("team_id") or "")
        if self.settings.team_id and team and team != self.settings.team_id:
            return Health(ok=False, detail=f"bot_token belongs to {team}, not to team_id {self.settings.team_id}")
        return Health(ok=True, detail=f"connected as {me.get('user', 'a bot')} in {me.get('team', team)}")

    async def _post(self, out: Outgoing) -> Sent:
        channel = out.route.get("channel", "")
        where = {"channel": channel, "unfurl_links": False, "unfurl_media": False}
        if thread := out.route.get("thread_ts"):
            where["thread_ts"] = thread
        answer = await self._with_blocks("chat_postMessage", where, out)
        if not answer.get("ts"):
            raise Unknown("no_ts", "Slack did not say which message it became")
        return Sent(provider_id(str(answer.get("channel") or channel), str(answer["ts"])))

    async def _finish(self, out: Outgoing) -> Sent:
        """End the stream and set the message to the whole part: done twice it is the same."""
        await self._drafts.close(out.draft, out.route)
        channel, ts = placed(out.draft, out.route)
        try:
            await self._with_blocks("chat_update", {"channel": channel, "ts": ts}, out)
        except Refused as error:
            if error.code not in LOST_DRAFT:
                raise
            return await self._instead(out)
        return Sent(out.draft)

    async def _instead(self, out: Outgoing) -> Sent:
        """The draft was deleted, or may not be edited any more: post the answer, unless an earlier try did."""
        if found := await self.find(out):
            return found
        try:
            await self._drafts.withdraw(out.draft, out.route)
        except Refused as error:
            log.info("slack_draft_stays", code=error.code)
        return await self._post(out)

    async def _with_blocks(self, method: str, where: Mapping[str, Any], out: Outgoing) -> Mapping[str, Any]:
        """Call with blocks; with plainer ones where a workspace does not know the newer, for then it did nothing."""
        payload = self._linked(out.payload)
        metadata = {"event_type": PART_EVENT, "event_payload": {"id": out.id}}
        said = {**where, "text": payload["text"], "metadata": metadata}
        try:
            return await self._api.call(method, **said, blocks=parts.blocks(payload))
        except Refused as error:
            if error.code not in UNPOSTABLE_BLOCKS:
                raise
            log.info("slack_blocks_refused", code=error.code)
            return await self._api.call(method, **said, blocks=parts.blocks(payload, rich=False))

    def _linked(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """A file's part with its short-lived address, made now because it ages."""
        if "file" not in payload:
            return payload
        url = str(payload.get("url") or "") or self._services.file_url(str(payload["file"]))
        return {**payload, "text": f"<{url}|{payload['text']}>"} if url else payload


def make(account: str, accounts: Mapping[str, SlackAccount], services: Services) -> SlackChannel:
    """The channel of one account; events of other workspaces that run the same app become facts of their accounts."""
    own = accounts[account]
    teams = {each.team_id: name for name, each in accounts.items() if each.on and each.team_id and _same_app(own, each)}
    rooms = {name: accounts[name].staff_channel for name in {account, *teams.values()} if accounts[name].staff_channel}
    return SlackChannel(account, own, teams, services, rooms)


def _same_app(one: SlackAccount, other: SlackAccount) -> bool:
    """Whether two accounts are installations of one app: then they share its signing secret or its app token."""
    pairs = ((one.signing_secret, other.signing_secret), (one.app_token, other.app_token))
    return any(left.get_secret_value() and left == right for left, right in pairs)
