"""Who a conversation belongs to, as far as it is proven: the only place that makes a :class:`Caller`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from server.store.contract import Row, Store
from server.tools.contract import Caller

PROVEN_BY_SITE = "user:"  # how addresses of the web channel begin whose page's owner signed the customer's id

Contacts = Callable[[str], Awaitable[tuple[str, str]]]
"""(name, address on file) of a shop's customer, empty where the shop does not know them."""


async def no_contacts(_subject: str) -> tuple[str, str]:
    """The look-up of a desk without a shop database."""
    return "", ""


class Callers:
    """Reads callers of one tenant; ``contacts`` looks up what the shop has on file for a proven customer.

    A customer is proven by a signed identity of the web site's owner, or by a code (server.tools.verification). What a
    platform calls verified (a member of a Slack team, a telephone number) is no proof of being a customer of the shop.
    """

    def __init__(
        self, store: Store, tenant: str, contacts: Contacts = no_contacts, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._contacts = contacts
        self._clock = clock

    async def __call__(self, conversation_id: str) -> Caller:
        """The caller behind a conversation; somebody unknown when there is no such conversation."""
        row = await self._store.row("tools.caller", conversation_id=conversation_id, tenant=self._tenant)
        if row is None:
            return Caller(self._tenant, conversation_id, "", "", "")
        subject = self._subject(row)
        name, contact = await self._contacts(subject) if subject else ("", "")
        return Caller(
            tenant=self._tenant,
            conversation_id=conversation_id,
            channel=row["channel"],
            account=row["account"],
            customer_id=row["customer_id"],
            language=row["language"] or "en",
            subject=subject,
            contact=contact,
            name=name or row["name"],
        )

    def _subject(self, row: Row) -> str:
        address = str(row["address"])
        if row["channel"] == "web" and row["verified"] and address.startswith(PROVEN_BY_SITE):
            return address.removeprefix(PROVEN_BY_SITE)
        return str(row["subject"]) if (row["verified_until"] or 0) > self._clock() else ""
