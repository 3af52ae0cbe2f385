"""Proves that a conversation belongs to a customer of the shop: a code goes to the address the shop has on file.

Whoever asks never learns whether the order exists: for an unknown one everything happens alike, except that no letter
goes out and no code can be right. Codes are 6 digits, good for 10 minutes and 5 tries, stored as a keyed hash; a
conversation gets 3 of them an hour and a customer 5, from all conversations together.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from server.store.contract import Row, Store, Tx
from server.tools.contract import Caller
from server.tools.mail import Letter, Mailroom
from server.tools.replies import say
from server.tools.slots import CODE_DIGITS

CODE_S = 600.0
TRIES = 5
AGAIN_S = 60.0  # a code asked for sooner is the one that is on its way already
HOUR_S = 3_600.0
SENDS = 3  # codes for one conversation in an hour
SUBJECT_SENDS = 5  # codes to one customer in an hour
MINUTE_S = 60.0
NOBODY = ""  # the subject of a verification that cannot succeed


class Started(StrEnum):
    """What became of a wish for a code; said to the customer in these terms only."""

    SENT = "verify"
    AGAIN = "verify_again"
    LIMIT = "verify_limit"


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a code was right, how many tries are left, and whose conversation it is now."""

    right: bool
    left: int = 0
    subject: str = ""


def new_code() -> str:
    """Six digits from the system's randomness."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def masked(contact: str) -> str:
    """An address that its owner recognises and nobody else can use: ``n…@mail.example``."""
    name, at, host = contact.partition("@")
    return f"{name[:1]}…{at}{host}" if at else f"…{contact[-2:]}"


class Verification:
    """Codes and proofs of one tenant; ``key`` is the installation's secret, ``clock`` epoch seconds."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        mailroom: Mailroom,
        key: Callable[[], bytes],
        *,
        shop_name: str,
        verify_s: float,
        clock: Callable[[], float] = time.time,
        code: Callable[[], str] = new_code,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._mailroom = mailroom
        self._key = key
        self._shop_name = shop_name
        self._verify_s = verify_s
        self._clock = clock
        self._code = code

    async def start(self, caller: Caller, subject: str, contact: str) -> Started:
        """Send a code to ``contact`` of the shop's customer ``subject``; both are empty where there is nobody."""
        code, now = self._code(), self._clock()

        async def unit(tx: Tx) -> tuple[Started, bool]:
            row = await tx.row("tools.lock_verification", conversation_id=caller.conversation_id)
            counted_from, sends = _counted(row, now)
            if row is not None and _on_its_way(row, subject, now):
                return Started.AGAIN, False
            if sends >= SENDS:
                return Started.LIMIT, False
            reaches = bool(subject) and await self._has_room(tx, subject, now)
            await tx.run(
                "tools.start_verification",
                conversation_id=caller.conversation_id,
                tenant=self._tenant,
                subject=subject if reaches else NOBODY,
                contact=masked(contact) if reaches else "",
                code_hash=self._hash(caller.conversation_id, code if reaches else new_code() + "-"),
                now=now,
                sends=sends + 1,
                counted_from=counted_from,
                expires_at=now + CODE_S,
            )
            return Started.SENT, reaches

        started, reaches = await self._store.write(unit, order=caller.conversation_id)
        if reaches:
            self._mailroom.post(self._letter(contact, code, caller.language))
        return started

    async def check(self, conversation_id: str, code: str) -> Checked:
        """Compare a code with the one that was sent; a right one is good once and makes the conversation verified."""
        now, given = self._clock(), self._hash(conversation_id, code)

        async def unit(tx: Tx) -> Checked:
            row = await tx.row("tools.lock_verification", conversation_id=conversation_id)
            if row is None:
                return Checked(right=False)
            if not row["code_hash"] and (row["verified_until"] or 0) > now:
                return Checked(right=True, subject=row["subject"])  # a repeat of the step that proved it
            if not row["code_hash"] or row["expires_at"] <= now:
                return Checked(right=False)
            if row["subject"] and hmac.compare_digest(row["code_hash"], given):
                await tx.run("tools.prove", conversation_id=conversation_id, now=now, until=now + self._verify_s)
                return Checked(right=True, subject=row["subject"])
            left = TRIES - row["tries"] - 1
            kept = row["code_hash"] if left > 0 else None
            await tx.run("tools.count_try", conversation_id=conversation_id, tries=row["tries"] + 1, code_hash=kept)
            return Checked(right=False, left=left)

        return await self._store.write(unit, order=conversation_id)

    async def subject(self, conversation_id: str) -> str:
        """The shop's id of the customer this conversation proved to be, empty when it did not or too long ago."""
        row = await self._store.row("tools.verification", conversation_id=conversation_id)
        return row["subject"] if row and (row["verified_until"] or 0) > self._clock() else ""

    async def _has_room(self, tx: Tx, subject: str, now: float) -> bool:
        row = await tx.row("tools.codes_to_subject", tenant=self._tenant, subject=subject, since=now - HOUR_S)
        return row is None or int(row["sends"]) < SUBJECT_SENDS

    def _hash(self, conversation_id: str, code: str) -> str:
        text = f"verification\n{self._tenant}\n{conversation_id}\n{code}"
        return hmac.new(self._key(), text.encode(), hashlib.sha256).hexdigest()

    def _letter(self, contact: str, code: str, language: str) -> Letter:
        fields = {"code": code, "shop": self._shop_name, "minutes": int(CODE_S / MINUTE_S)}
        return Letter(contact, say("mail_subject", language, **fields), say("mail_body", language, **fields))


def _counted(row: Row | None, now: float) -> tuple[float, int]:
    """Since when, and how many codes this conversation has had in the hour."""
    if row is None or row["counted_from"] is None or row["counted_from"] <= now - HOUR_S:
        return now, 0
    return row["counted_from"], row["sends"]


def _on_its_way(row: Row, subject: str, now: float) -> bool:
    """Whether the code sent last still serves: a repeated step, or an impatient customer."""
    if not row["code_hash"] or row["expires_at"] <= now or row["sent_at"] <= now - AGAIN_S:
        return False
    return row["subject"] in {subject, NOBODY}
