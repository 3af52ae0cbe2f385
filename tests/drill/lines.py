"""One line per platform account: its double, the courier that delivers for it, and what its customers see.

A line knows four things: the settings that bind an account of the service to its double, how customer number N writes,
under which address the service keeps that customer, and what stands on each customer's screen.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.meta import MetaDouble
from tests.doubles.platform import META, SLACK, TELEGRAM, TWILIO, Courier, Delivered, Fault, Faults, Patience, Platform
from tests.doubles.slack import Conversation, Slack, Workspace
from tests.doubles.telegram import TOKEN, Telegram
from tests.doubles.twilio import TwilioDouble
from tests.drill.options import Options

HANG_S = 12.0  # longer than outbox.send_timeout_s as shipped
PREFIX = "FRONTDESK_CHANNELS__"
BUTTONS = re.compile(r" \[[^\]=]*=f1[^\]]*\]")  # how the doubles of WhatsApp show quick replies


@dataclass
class Screen:
    """What one customer sees of us, in order; ``unfinished`` is what still looks as if it were being written."""

    texts: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


class Line(ABC):
    """A platform account; ``look_up`` tells whether an unknown send can be settled there, so never comes twice."""

    name: str
    channel: str
    account = "default"
    look_up = False
    reads_back = False  # what was missed can be read from the platform
    after: tuple[Fault, ...] = (Fault.RESET_AFTER, Fault.HANG_AFTER)  # hidden successes that this platform has
    patience: Patience

    def __init__(self, options: Options, number: int) -> None:
        self.seed = options.seed * 100 + number
        self.base = ""
        self.courier = Courier(
            self._patience(options), duplicate=options.duplicates, reorder=options.reorder, seed=self.seed
        )
        self.faults = Faults({}, self.seed)
        self._rates = self._faults(options)

    def _patience(self, options: Options) -> Patience:
        del options
        return self.patience

    def _faults(self, options: Options) -> dict[Fault, float]:
        often, rare = self.after[0], self.after[1:]
        shares = {each: 0.1 * options.hidden / len(rare) for each in rare} | {often: 0.9 * options.hidden}
        half = options.errors / 2
        return shares | {Fault.LIMITED: options.limited, Fault.ERROR_BEFORE: half, Fault.RESET_BEFORE: half}

    def disturb(self) -> None:
        """From now on calls meet faults; before, the service settles in."""
        self.faults.rates = self._rates

    @property
    @abstractmethod
    def platform(self) -> Platform:
        """The double."""

    @abstractmethod
    def settings(self) -> Mapping[str, str]:
        """Environment of the service that binds the account to the double; the double is running."""

    @abstractmethod
    async def write(self, customer: int, text: str) -> Delivered:
        """A customer writes; returns when the platform has delivered it or given up."""

    @abstractmethod
    def address(self, customer: int) -> str:
        """How the service names the conversation with a customer."""

    @abstractmethod
    def screens(self) -> Mapping[str, Screen]:
        """By address, what customers see of us."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The double listens, the courier can deliver."""
        async with self.platform.running(), self.courier.running():
            yield

    async def settle(self) -> None:
        """Wait for deliveries that nobody waits for: duplicates, status callbacks."""
        await self.courier.settle()

    def _named(self, **values: str) -> dict[str, str]:
        section = f"{PREFIX}{self.channel.upper()}__{self.account.upper()}__"
        return {f"{section}{name.upper()}": value for name, value in values.items()}


class TwilioLine(Line):
    """WhatsApp through Twilio: look-up by the Messages list, catch-up by the same list, unordered callbacks."""

    name, channel = "whatsapp", "whatsapp"
    look_up = reads_back = True
    after = (Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.ERROR_AFTER)
    patience = TWILIO

    def __init__(self, options: Options, number: int) -> None:
        super().__init__(options, number)
        self.double = TwilioDouble(
            faults=self.faults, hang_s=HANG_S, window=True, callbacks="wild", courier=self.courier, seed=self.seed
        )

    @property
    def platform(self) -> Platform:
        """The double."""
        return self.double

    def settings(self) -> Mapping[str, str]:
        """Secrets of the double."""
        self.double.webhook_url = f"{self.base}/webhooks/whatsapp"
        sender = self.double.sender.removeprefix("whatsapp:")
        return self._named(
            account_sid=self.double.account_sid, auth_token=self.double.auth_token, api_base=self.double.base_url
        ) | self._named(**{"from": sender})

    async def write(self, customer: int, text: str) -> Delivered:
        """A customer writes."""
        return await self.double.say(self.address(customer), text)

    def address(self, customer: int) -> str:
        """A phone number."""
        return f"+4915110{customer:06d}"

    def screens(self) -> Mapping[str, Screen]:
        """Messages that arrived."""
        return {customer: Screen(texts) for customer, texts in self.double.visible.items()}

    async def settle(self) -> None:
        """Callbacks too."""
        await self.double.settled()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The double runs its courier itself."""
        async with self.double.running():
            yield


class MetaLine(Line):
    """WhatsApp through Meta's Cloud API: no look-up, so an unknown send is repeated once at most."""

    name, channel, account = "meta", "whatsapp", "cloud"
    patience = Patience(META.deadline_s, (1.0, 2.0, 4.0) + (8.0,) * 200)  # really hours, ever more slowly

    def __init__(self, options: Options, number: int) -> None:
        super().__init__(options, number)
        self.double = MetaDouble(
            faults=self.faults, hang_s=HANG_S, window="answer", statuses="wild", courier=self.courier, seed=self.seed
        )

    @property
    def platform(self) -> Platform:
        """The double."""
        return self.double

    def settings(self) -> Mapping[str, str]:
        """Secrets of the double."""
        self.double.webhook_url = f"{self.base}/webhooks/whatsapp/meta/{self.account}"
        return self._named(
            provider="meta",
            phone_number_id=self.double.phone_number_id,
            access_token=self.double.access_token,
            app_secret=self.double.app_secret,
            verify_token=self.double.verify_token,
            api_base=self.double.base_url,
        )

    async def write(self, customer: int, text: str) -> Delivered:
        """A customer writes."""
        return await self.double.say(self.address(customer).removeprefix("+"), text)

    def address(self, customer: int) -> str:
        """A phone number."""
        return f"+4915220{customer:06d}"

    def screens(self) -> Mapping[str, Screen]:
        """Messages that arrived, without their quick replies."""
        return {
            f"+{customer.removeprefix('+')}": Screen([BUTTONS.sub("", text) for text in texts])
            for customer, texts in self.double.visible.items()
        }

    async def settle(self) -> None:
        """Statuses too."""
        await self.double.settled()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The double runs its courier itself."""
        async with self.double.running():
            yield


class SlackLine(Line):
    """A workspace: even customers write direct messages, odd ones mention the bot and go on in a thread."""

    name, channel = "slack", "slack"
    look_up = reads_back = True
    after = (Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.ERROR_AFTER)
    patience = SLACK
    team, secret = "T1", "slack-signing-secret"

    def __init__(self, options: Options, number: int) -> None:
        super().__init__(options, number)
        self.double = Slack(Workspace(self.team, "xoxb-1"), faults=self.faults, hang_s=HANG_S)
        self._roots: dict[int, str] = {}  # ts of each odd customer's first message
        self._opened: dict[int, asyncio.Event] = {}  # its delivery is over: only then is there a thread to follow up in
        self._known: set[int] = set()  # whose thread the service has acknowledged

    def _patience(self, options: Options) -> Patience:
        """Pauses of a minute and five are shortened, so that a drill ends; in an outage they must run out within it."""
        longest_s = options.outage_s / 3 if options.outage_s else options.database_away_s or 6.0
        return Patience(SLACK.deadline_s, (0.1, longest_s / 6, longest_s * 5 / 6))

    @property
    def platform(self) -> Platform:
        """The double."""
        return self.double

    @property
    def _bot(self) -> str:
        return self.double.workspaces[0].bot_user

    def settings(self) -> Mapping[str, str]:
        """Secrets of the double."""
        token = self.double.workspaces[0].token
        return self._named(bot_token=token, signing_secret=self.secret, api_base=self.double.api_base)

    async def write(self, customer: int, text: str) -> Delivered:
        """A customer writes; in a thread that the service acknowledged, without a mention."""
        if self._place(customer).kind == "im":
            return await self._deliver(customer, text, {})
        opened = self._opened.get(customer)
        if opened is None:
            self._opened[customer] = asyncio.Event()
            done = await self._deliver(customer, f"<@{self._bot}> {text}", {})
            if done.accepted:
                self._known.add(customer)
            self._opened[customer].set()
            return done
        await opened.wait()
        spoken = text if customer in self._known else f"<@{self._bot}> {text}"
        return await self._deliver(customer, spoken, {"thread_ts": self._roots[customer]})

    async def _deliver(self, customer: int, text: str, more: Mapping[str, Any]) -> Delivered:
        """Every event of a message (a mention has two); accepted when any of them was."""
        events = self.double.say(self._place(customer).id, text, team=self.team, user=f"U{customer:06d}", **more)
        self._roots.setdefault(customer, str(events[0]["event"]["ts"]))
        url = f"{self.base}/webhooks/slack/events"
        done = await asyncio.gather(*(self.double.deliver(self.courier, url, self.secret, event) for event in events))
        return next((each for each in done if each.accepted), done[0])

    def _place(self, customer: int) -> Conversation:
        name = f"D{customer:06d}" if customer % 2 == 0 else f"C{customer % 8:06d}"
        return self.double.place(name, self.team)

    def address(self, customer: int) -> str:
        """Team, channel and thread; known once the customer has written."""
        place = self._place(customer)
        thread = "" if place.kind == "im" else self._roots.get(customer, "")
        return "/".join(filter(None, (self.team, place.id, thread)))

    def screens(self) -> Mapping[str, Screen]:
        """Our messages by direct message or thread; streams still open are unfinished."""
        bot, found = self.double.workspaces[0].bot_id, dict[str, Screen]()
        for (team, channel), place in self.double.places.items():
            for message in place.visible:
                if message.get("bot_id") == bot:
                    address = "/".join(filter(None, (team, channel, message.get("thread_ts") or "")))
                    screen = found.setdefault(address, Screen())
                    screen.texts.append(str(message["text"]))
                    if message["ts"] in self.double._streams:
                        screen.unfinished.append(str(message["text"]))
        return found


class TelegramLine(Line):
    """A bot with previews that vanish by themselves; no look-up."""

    name, channel = "telegram", "telegram"
    patience = TELEGRAM
    stream, token = "draft", TOKEN
    secret = "drill-secret"
    first_chat = 10_000_000

    def __init__(self, options: Options, number: int) -> None:
        super().__init__(options, number)
        self.double = Telegram(self.faults, token=self.token, hang_s=HANG_S)

    @property
    def platform(self) -> Platform:
        """The double."""
        return self.double

    def settings(self) -> Mapping[str, str]:
        """Secrets of the double."""
        return self._named(
            token=self.token, secret_token=self.secret, api_base=self.double.base_url, stream=self.stream
        )

    async def write(self, customer: int, text: str) -> Delivered:
        """A customer writes."""
        update = self.double.says(self.first_chat + customer, text)
        suffix = "" if self.account == "default" else f"/{self.account}"
        return await self.courier.deliver(
            self.double.hook(update, f"{self.base}/webhooks/telegram{suffix}", self.secret)
        )

    def address(self, customer: int) -> str:
        """The chat's number."""
        return str(self.first_chat + customer)

    def screens(self) -> Mapping[str, Screen]:
        """The bot's messages; previews younger than their life are unfinished."""
        return {str(chat): Screen(self.double.visible(chat), self.double.drafts(chat)) for chat in self.double.chats}


class TelegramEditLine(TelegramLine):
    """A second bot, which shows growing answers by a message that it edits."""

    name, account, stream = "telegram-edit", "edits", "edit"
    token = "7000000002:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


LINES: Mapping[str, tuple[type[Line], ...]] = {
    "whatsapp": (TwilioLine,),
    "meta": (MetaLine,),
    "slack": (SlackLine,),
    "telegram": (TelegramLine, TelegramEditLine),
}


def lines(options: Options) -> list[Line]:
    """The lines of the chosen channels."""
    kinds = [kind for channel in options.channels for kind in LINES[channel]]
    return [kind(options, number) for number, kind in enumerate(kinds)]
