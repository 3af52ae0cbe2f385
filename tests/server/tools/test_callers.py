"""Who a conversation belongs to, as far as it is proven."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.message import Inbound
from config.settings import Settings
from server.gateway import Gateway
from server.store.contract import Store
from server.telemetry import Metrics
from server.tools.callers import Callers


async def contacts(subject: str) -> tuple[str, str]:
    return ("Ana", "ana@mail.example") if subject == "C-1" else ("", "")


@pytest.mark.parametrize(("channel", "address", "verified", "subject"), [
    ("web", "user:C-1", True, "C-1"),
    ("web", "user:C-1", False, ""),
    ("web", "visitor-1", True, ""),
    ("slack", "user:C-1", True, ""),  # a member of a Slack team is not thereby a customer
    ("whatsapp", "+353209150111", True, ""),
])  # fmt: skip
async def test_only_the_sites_own_signature_counts(
    store: Store, tmp_path: Path, channel: str, address: str, verified: bool, subject: str
) -> None:
    gateway = Gateway(store, Settings.model_validate({"data_dir": str(tmp_path)}), Metrics())
    await gateway.accept(
        Inbound(
            channel,
            "default",
            address,
            "m1",
            "hi",
            0.0,
            verified=verified,
            conversation_id="c9",
            profile={"locale": "de"},
        )
    )
    caller = await Callers(store, "default", contacts)("c9")
    assert (caller.subject, caller.contact, caller.language) == (subject, "ana@mail.example" if subject else "", "de")


async def test_nobody_is_behind_a_conversation_that_is_not_there(store: Store) -> None:
    caller = await Callers(store, "default")("nowhere")
    assert (caller.verified, caller.customer_id) == (False, "")
