"""From the settings to a tool box."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from config.tools import Tools
from config.wording import ConfigError
from server.store.contract import Store
from server.telemetry import Metrics
from server.tools.contract import Result
from server.tools.limits import Limits
from server.tools.registry import build
from server.tools.runner import ToolBox
from server.tools.wire import GuardedHttp
from tests.doubles.crm import CrmDouble
from tests.places import Place
from tests.server.tools.bench import FunctionTool, caller
from tests.server.tools.test_runner import fine


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """No tool of these tests is counted."""
    async with Place("sqlite", f"sqlite:///{tmp_path / 'desk.db'}").open() as opened:
        yield opened


BUILTIN = {name: FunctionTool(fine, {}, name, effect="read") for name in ("order_status", "create_ticket")}


def built(store: Store, folder: Path, text: str | None, **settings: Any) -> ToolBox:
    if text is not None:
        settings["file"] = folder / "tools.yaml"
        settings["file"].write_text(text, encoding="utf-8")
    return build(
        Tools(**settings), BUILTIN, environ={"CRM_TOKEN": "t"}, http=GuardedHttp(), limits=Limits(store, 100.0),
        metrics=Metrics(),
    )  # fmt: skip


def names(box: ToolBox) -> list[str]:
    return [tool.spec.name for _, tool in box.listed()]


async def test_without_a_file_there_are_the_built_in_tools(store: Store, tmp_path: Path) -> None:
    assert names(built(store, tmp_path, None)) == ["create_ticket", "order_status"]
    assert names(built(store, tmp_path, None, enabled=False)) == []


async def test_every_kind_of_entry(store: Store, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("def fee(country: str) -> str:\n    return country\n", encoding="utf-8")
    document = CrmDouble().document() | {"servers": [{"url": "https://crm.example"}]}
    (tmp_path / "crm.json").write_text(json.dumps(document), encoding="utf-8")
    box = built(
        store,
        tmp_path,
        """
fee: {python: "shop.py:fee", effect: read}
where_is_it: {builtin: order_status, description: "Find a parcel.", per_hour: 3}
crm: {openapi: crm.json, token_env: CRM_TOKEN, operations: [getOrder]}
stock: {mcp_url: "https://stock.example/mcp"}
""",
    )
    assert names(box) == ["create_ticket", "fee", "get_order", "where_is_it"]
    renamed = box.tool("where_is_it")
    assert (renamed.spec.description, renamed.policy.per_hour, renamed.policy.effect) == ("Find a parcel.", 3, "read")
    assert (await box.run("where_is_it", {}, caller(), "k")).ok
    assert await box.run("fee", {"country": "DE"}, caller(), "k") == Result({"text": "DE"})
    assert [(state.name, state.kind) for state in box.sources()] == [("crm", "openapi"), ("stock", "mcp")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x: {builtin: teleport}", "there is no built-in tool teleport; known are create_ticket, order_status"),
        ("order_status: {python: 'textwrap:fill'}", "has this name already|has no type"),
        ("create_ticket: {builtin: order_status}", "tool create_ticket: a built-in tool has this name already"),
        ("crm: {openapi: crm.json, token_env: NO_TOKEN}", "tool crm: set the environment variable NO_TOKEN"),
        ("a: {openapi: crm.json}\nb: {openapi: crm.json}", "tool b: its operation get_order has the name of tool a"),
    ],
)
async def test_each_mistake_has_its_sentence(store: Store, tmp_path: Path, text: str, words: str) -> None:
    document = CrmDouble().document() | {"servers": [{"url": "https://crm.example"}]}
    (tmp_path / "crm.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        built(store, tmp_path, text)
