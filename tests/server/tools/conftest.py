"""A store of each kind with one conversation in it, and HTTP that tools may use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.message import Inbound
from config.settings import Settings
from server.gateway import Gateway
from server.store.contract import Store
from server.telemetry import Metrics
from server.tools.wire import GuardedHttp
from tests.doubles.crm import CrmDouble
from tests.places import Place


@pytest.fixture
def place(store_url: str) -> Place:
    return Place(store_url.partition(":")[0], store_url)


@pytest.fixture
async def store(place: Place, tmp_path: Path) -> AsyncIterator[Store]:
    """Conversations c1 and c2 exist, each with one message."""
    async with place.open() as opened:
        gateway = Gateway(opened, Settings.model_validate({"data_dir": str(tmp_path)}), Metrics())
        for name in ("c1", "c2"):
            await gateway.accept(
                Inbound(
                    channel="web",
                    account="default",
                    address=f"visitor-{name}",
                    external_id=f"{name}:1",
                    text="hello",
                    sent_at=0.0,
                    conversation_id=name,
                    profile={"locale": "en"},
                )
            )
        yield opened


@pytest.fixture
async def crm() -> AsyncIterator[CrmDouble]:
    async with CrmDouble(late_s=5.0).running() as double:
        yield double


@pytest.fixture
async def http() -> AsyncIterator[GuardedHttp]:
    client = GuardedHttp()
    async with client.running():
        yield client
