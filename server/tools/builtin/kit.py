"""The built-in tools of a desk, made from its settings: all of them where there is a shop's database.

What the tools file says in ``options`` of an entry is read here; names and limits of entries are the registry's work.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config.tools import Tools
from config.wording import ConfigError
from models.chat import ToolSpec
from server.store.contract import Store
from server.tools.builtin.appointments import BookAppointment, services
from server.tools.builtin.leads import CaptureLead
from server.tools.builtin.orders import ConfirmIdentity, Orders, OrderStatus
from server.tools.builtin.payments import STRIPE, LocalProvider, PaymentLink, Provider, StripeProvider
from server.tools.builtin.person import HandoffToStaff
from server.tools.builtin.shop import Shop
from server.tools.builtin.tickets import CreateTicket
from server.tools.callers import Callers, Contacts, no_contacts
from server.tools.contract import Caller, Tool
from server.tools.definitions import load, token
from server.tools.mail import Mailroom, Notifier
from server.tools.planner import plan
from server.tools.plans import Dialogue, Pending, Plan
from server.tools.slots import Vocabulary
from server.tools.verification import Verification
from server.tools.wire import Http

Options = Mapping[str, Any]


class Planner:
    """Plans turns with this shop's words; what the engine calls."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    async def __call__(
        self,
        question: str,
        history: Sequence[str],
        dialogue: Dialogue,
        pending: Pending | None,
        caller: Caller,
        tools: Sequence[ToolSpec],
        now: datetime,
    ) -> Plan:
        """What is to be done about a message: see :func:`server.tools.planner.plan`."""
        return plan(question, history, dialogue, pending, caller, tools, now, self.vocabulary)


class Kit:
    """Built-in tools, planner and callers of one desk; made by :func:`make`, alive inside :meth:`running`."""

    def __init__(
        self,
        tools: dict[str, Tool],
        planner: Planner,
        callers: Callers,
        verification: Verification,
        mailroom: Mailroom,
    ) -> None:
        self.tools = tools
        self.planner = planner
        self.callers = callers
        self.verification = verification
        self._mailroom = mailroom

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send letters until the block ends."""
        async with self._mailroom.running():
            yield


async def make(
    settings: Tools,
    store: Store,
    tenant: str,
    shop: Shop | None,
    notifier: Notifier,
    key: Callable[[], bytes],
    http: Http,
    *,
    shop_name: str,
    environ: Mapping[str, str],
    clock: Callable[[], float] = time.time,
) -> Kit:
    """The kit; ``shop`` must be running, ``key`` is a secret of the installation.

    Raises ConfigError on options that make no sense and ToolUnavailable when the shop's database does not answer.
    """
    options = _options(settings)
    vocabulary = await _vocabulary(shop, options)
    mailroom = Mailroom(notifier)
    verification = Verification(
        store, tenant, mailroom, key, shop_name=shop_name, verify_s=settings.verify_s, clock=clock
    )
    made: list[Tool] = [CaptureLead(store, clock), CreateTicket(store, clock), HandoffToStaff()]
    contacts: Contacts = no_contacts
    if shop is not None:
        zone = ZoneInfo(vocabulary.time_zone)
        orders = Orders(shop, vocabulary)
        contacts = orders.contact
        provider, limit_cents = _provider(settings, options.get("payment_link", {}), http, environ)
        made += [
            OrderStatus(orders, verification),
            ConfirmIdentity(orders, verification),
            BookAppointment(shop, orders, vocabulary, lambda: datetime.fromtimestamp(clock(), zone)),
            PaymentLink(orders, provider, limit_cents),
        ]
    callers = Callers(store, tenant, contacts, clock=clock)
    return Kit({tool.spec.name: tool for tool in made}, Planner(vocabulary), callers, verification, mailroom)


def _options(settings: Tools) -> dict[str, Options]:
    """Options by the name of the built-in tool they are for."""
    return {one.source.builtin: one.source.options for one in load(settings).values() if one.kind == "builtin"}


async def _vocabulary(shop: Shop | None, options: Mapping[str, Options]) -> Vocabulary:
    orders, booking = options.get("order_status", {}), options.get("book_appointment", {})
    zone = str(booking.get("time_zone", "UTC"))
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):
        raise ConfigError(
            f"tool book_appointment: time_zone {zone} is unknown; write one such as Europe/Dublin."
        ) from None
    return Vocabulary(
        prefix=str(orders.get("prefix", "MP")),
        digits=int(orders.get("digits", 5)),
        services=await services(shop, booking) if shop is not None else (),
        time_zone=zone,
    )


def _provider(settings: Tools, options: Options, http: Http, environ: Mapping[str, str]) -> tuple[Provider, int]:
    limit_cents = int(options.get("limit_cents", 30_000))
    kind = options.get("provider", "local")
    if kind == "local":
        return LocalProvider(str(options.get("base_url", "https://pay.marlowandpine.example"))), limit_cents
    if kind != "stripe":
        raise ConfigError(f"tool payment_link: provider {kind} is unknown; write local or stripe.")
    entry = next(one for one in load(settings).values() if one.source.builtin == "payment_link")
    secret, done_url = token(entry, environ), str(options.get("done_url", ""))
    if not secret or not done_url.startswith("https://"):
        raise ConfigError("tool payment_link: provider stripe needs token_env and options.done_url (https://…).")
    return StripeProvider(http, secret, done_url, str(options.get("api_base", STRIPE))), limit_cents


def demo_shop(config: Path) -> Path:
    """The script of the demo shop inside the configuration folder."""
    return config / "demo" / "orders.sql"
