"""Calls of operations against a double of a shop's service, through the guarded client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from config.wording import ConfigError
from server.tools.contract import Result, Tool, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.openapi_tools import OpenApiSource
from server.tools.wire import GuardedHttp
from tests.doubles.crm import TOKEN, CrmDouble
from tests.server.tools.bench import caller, definition

REFUND = {"order_id": "1042", "amount": 5, "note": None}


async def tools(crm: CrmDouble, http: GuardedHttp, **source: Any) -> dict[str, Tool]:
    entry: dict[str, Any] = {
        "openapi": f"{crm.url}/openapi.json",
        "allow_hosts": (crm.host,),
        "timeout_s": 2.0,
    } | source
    made = OpenApiSource(definition("crm", **entry), TOKEN, http)
    await made.load()
    assert made.reason == ""
    return dict(made.tools())


async def test_an_operation_is_called_where_its_document_says(crm: CrmDouble, http: GuardedHttp) -> None:
    found = await tools(crm, http)
    assert found.keys() == {"get_order", "search_orders", "create_refund"}
    assert (found["get_order"].policy.effect, found["create_refund"].policy.effect) == ("read", "write")
    order = await found["get_order"].run({"id": "1042"}, caller(language="de"), "c1:1:1")
    assert order == Result({"id": "1042", "status": "shipped"})
    sent = crm.requests[-1]
    assert sent["path"] == "/v1/orders/1042"
    assert sent["headers"]["Authorization"] == f"Bearer {TOKEN}"
    assert sent["headers"]["Idempotency-Key"] == "c1:1:1"
    assert sent["headers"]["Accept-Language"] == "de"


async def test_arguments_go_where_they_belong(crm: CrmDouble, http: GuardedHttp) -> None:
    found = await tools(crm, http)
    listed = await found["search_orders"].run({"tag": ["a b", "c&d"], "limit": 3, "X-Trace": "t1"}, caller(), "k")
    assert len(listed.data["result"]) == 2
    assert crm.requests[-1]["path"] == "/v1/orders?tag=a+b&tag=c%26d&limit=3"
    assert crm.requests[-1]["headers"]["X-Trace"] == "t1"
    await found["create_refund"].run(REFUND, caller(), "k")
    assert crm.requests[-1]["body"] == REFUND
    with pytest.raises(ToolRefused, match="X-Trace must be plain"):
        await found["search_orders"].run({"X-Trace": "a\r\nEvil: 1"}, caller(), "k")


@pytest.mark.parametrize("order", ["..", ".", ""])
async def test_a_path_cannot_be_left(crm: CrmDouble, http: GuardedHttp, order: str) -> None:
    found = await tools(crm, http)
    with pytest.raises(ToolRefused, match="id must not be empty or dots"):
        await found["get_order"].run({"id": order}, caller(), "k")
    await found["get_order"].run({"id": "a/b"}, caller(), "k")
    assert crm.requests[-1]["path"] == "/v1/orders/a%2Fb"


async def test_a_refusal_carries_the_other_sides_words(crm: CrmDouble, http: GuardedHttp) -> None:
    found = await tools(crm, http)
    with pytest.raises(ToolRefused, match=r"There is no such order\."):
        await found["get_order"].run({"id": "7"}, caller(), "k")


@pytest.mark.parametrize(("fault", "words"), [("500", "answered 500"), ("429", "answered 429"), ("redirect", "(307)")])
async def test_what_may_work_later_is_unavailable(crm: CrmDouble, http: GuardedHttp, fault: Any, words: str) -> None:
    found = await tools(crm, http)
    crm.faults.append(fault)
    with pytest.raises(ToolUnavailable) as error:
        await found["create_refund"].run(REFUND, caller(), "k")
    assert words in str(error.value)
    assert crm.effects == []
    assert not any(request["path"] == "/elsewhere" for request in crm.requests), "no redirect is followed"


@pytest.mark.parametrize("fault", ["late", "reset"])
async def test_no_answer_after_the_effect_and_a_repeat_with_the_key_is_one_effect(
    crm: CrmDouble, http: GuardedHttp, fault: Any
) -> None:
    found = await tools(crm, http, timeout_s=0.3)
    crm.faults.append(fault)
    with pytest.raises(ToolTimeout):
        await found["create_refund"].run(REFUND, caller(), "c1:1:1")
    for _ in range(3):
        again = await found["create_refund"].run(REFUND, caller(), "c1:1:1")
        assert again == Result({"refund": 1, "amount": 5})
    assert crm.effects == [{"key": "c1:1:1", **REFUND}]
    await found["create_refund"].run(REFUND, caller(), "c1:1:2")
    assert len(crm.effects) == 2


async def test_a_private_address_must_be_allowed(crm: CrmDouble, http: GuardedHttp) -> None:
    source = OpenApiSource(definition("crm", openapi=f"{crm.url}/openapi.json"), "", http)
    with pytest.raises(ToolUnavailable):
        await source.load()
    assert crm.requests == []
    found = await tools(crm, http, base_url="http://169.254.169.254/latest")
    with pytest.raises(ToolUnavailable):
        await found["get_order"].run({"id": "1"}, caller(), "k")


async def test_a_document_is_asked_for_until_it_can_be_read(crm: CrmDouble, http: GuardedHttp) -> None:
    crm.faults += ["500", "429"]
    entry = definition("crm", openapi=f"{crm.url}/openapi.json", allow_hosts=(crm.host,))
    source = OpenApiSource(entry, "", http, pauses_s=(0.01,))
    assert source.reason == "its document has not been read yet"
    async with asyncio.timeout(5):
        await source.run()
    assert (source.reason, len(source.tools())) == ("", 3)


async def test_a_service_that_is_down_is_unavailable(crm: CrmDouble, http: GuardedHttp) -> None:
    found = await tools(crm, http, base_url="http://127.0.0.1:9", allow_hosts=(crm.host, "127.0.0.1:9"))
    with pytest.raises(ToolUnavailable, match="cannot be reached"):
        await found["create_refund"].run(REFUND, caller(), "k")


async def test_a_file_is_read_at_once(tmp_path: Path, http: GuardedHttp) -> None:
    (tmp_path / "crm.json").write_text(json.dumps(CrmDouble().document()), encoding="utf-8")
    (tmp_path / "own.yaml").write_text(
        "openapi: 3.1.0\nservers: [{url: 'https://own.example/api/'}]\n"
        "paths: {/ping: {get: {operationId: ping, summary: Ping.}}}\n",
        encoding="utf-8",
    )
    own = OpenApiSource(definition("own", tmp_path, openapi="own.yaml"), "", http)
    assert own.reason == ""
    assert own.tools()["ping"].url({}) == "https://own.example/api/ping"  # type: ignore[attr-defined]
    await own.run()
    with pytest.raises(ConfigError, match="tool crm: the document names no absolute server; set base_url"):
        OpenApiSource(definition("crm", tmp_path, openapi="crm.json"), "", http)
    one = definition(
        "refund", tmp_path, openapi="crm.json", base_url="https://a.example", operations=("createRefund",),
        description="Give money back."
    )  # fmt: skip
    assert OpenApiSource(one, "", http).tools()["create_refund"].spec.description == "Give money back."


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "neither JSON nor YAML"), ("a: 1", "no OpenAPI 3 document"), (None, "cannot be read")],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "crm.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        OpenApiSource(definition("crm", tmp_path, openapi="crm.json"), "", GuardedHttp())
