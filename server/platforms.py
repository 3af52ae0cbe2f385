"""The wiring of the messaging platforms: from their webhooks to the inbox, and from the outbox back to them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from channels.base import Channel
from config.settings import Settings
from server.accounts import Accounts
from server.api.channels import ChannelsApi
from server.api.media import MediaApi
from server.api.simulator import SimulatorApi
from server.api.webhooks import WebhooksApi
from server.buttons import Buttons
from server.catchup import CatchUp
from server.channel_tests import ChannelTests
from server.doors import Doors
from server.engine.present import Presenter
from server.gateway import Gateway
from server.handoff import Handoff
from server.inbox import Inbox
from server.intake import Intake
from server.media import Addresses, Media
from server.outbox.delivery import Delivery
from server.outbox.sender import Sender
from server.pulse import Pulse
from server.routes import Route
from server.secrets import InstallationKeys
from server.simulator import Simulator
from server.store.contract import Store
from server.switch import BotSwitch
from server.telemetry import Metrics

Running = Callable[[], AbstractAsyncContextManager[None]]


class Platforms:
    """Every object between the store and the messaging platforms, for one process of any role."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        metrics: Metrics,
        keys: InstallationKeys,
        gateway: Gateway,
        handoff: Handoff,
        switch: BotSwitch,
    ) -> None:
        self._store = store
        self._settings = settings
        self._switch = switch
        self.pulse = Pulse(store)
        self._addresses = Addresses(lambda: keys.file, settings.http.public_url)
        self.media = Media(store, self._channel, settings, self._addresses)
        self.accounts = Accounts(settings, store, self.media.file, self.media.file_url)
        self.buttons = Buttons(settings.tenant, lambda: keys.button)
        inbox = Inbox(store, gateway, handoff, self.buttons, settings.tenant, asks_reasons=self.accounts.asks_reasons,
                      surveys=settings.surveys)  # fmt: skip
        self.intake = Intake(inbox, self.pulse)
        self.doors = Doors(store, settings.tenant)
        self.tests = ChannelTests(store, gateway, settings.tenant)
        self.simulator = Simulator(store, settings.tenant, self.accounts.sandboxes, inbox.accept, self.buttons)
        self.catch_up = CatchUp(store, self.accounts, self.intake, self.pulse, settings.tenant)
        self.presenter = Presenter(store, self._channel, metrics, settings)
        delivery = Delivery(
            store, self._channel, metrics, settings, feedback=self._thumbs, person=self._person, silent=self._silent,
            reasons=self.buttons.reasons,
        )  # fmt: skip
        self.sender = Sender(store, delivery, settings)

    def routes(self) -> list[Route]:
        """What platforms call (webhooks, addresses of files), and what staff see and try of the channels."""
        webhooks = WebhooksApi(self.accounts, self.intake, self.catch_up, self.pulse, self._settings.http, self.doors)
        channels = ChannelsApi(self._store, self.accounts, self._settings, self.doors, self.tests)
        simulator = SimulatorApi(self._store, self._settings.http, self.simulator)
        media = MediaApi(self.media, self._addresses)
        return [*webhooks.routes(), *media.routes(), *channels.routes(), *simulator.routes()]

    def receiving(self) -> list[Running]:
        """What a process that takes messages in starts besides the channels themselves."""
        return [self.pulse.running, self.intake.running, self.catch_up.running, self.doors.running]

    def _channel(self, channel: str, account: str) -> Channel | None:
        return self.accounts.get(channel, account)

    def _silent(self, channel: str, account: str) -> bool:
        return not self._settings.engine.enabled or self._switch.silent(channel, account)

    def _thumbs(self, channel: str, account: str, message_id: str) -> tuple[str, str] | None:
        if not self.accounts.asks_feedback(channel, account):
            return None
        return self.buttons.thumbs(channel, account, message_id)

    def score(self, channel: str, account: str, ref: str) -> str:
        """The payload of a survey's button; ``ref`` is ``<score>:<survey id>``."""
        return self.buttons.payload(channel, account, "score", ref)

    def _person(self, channel: str, account: str, conversation_id: str) -> str:
        return self.buttons.payload(channel, account, "person", conversation_id)
