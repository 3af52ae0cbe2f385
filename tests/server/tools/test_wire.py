"""What answers mean for a call."""

from __future__ import annotations

import json
from socket import gaierror

import pytest

from server.tools.contract import ToolError, ToolRefused, ToolTimeout, ToolUnavailable
from server.tools.wire import DETAIL_CHARACTERS, Answer, GuardedHttp, content, failure
from tests.doubles.crm import CrmDouble


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"[1]", {"result": [1]}),
        (b"", {}),
        (b"plain words", {"text": "plain words"}),
        (b"[" * 100_000, {"text": "[" * 100_000}),
    ],
)
def test_an_answer_is_an_object(body: bytes, data: dict[str, object]) -> None:
    assert content(Answer(200, body)) == data


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (404, {"title": "Gone", "detail": "No order."}, ToolRefused, "No order."),
        (422, {"error": {"message": "Too much."}}, ToolRefused, "Too much."),
        (400, {"error": "bad"}, ToolRefused, "bad"),
        (400, ["odd"], ToolRefused, "the other side refused it (400)"),
        (409, {"detail": ["odd"]}, ToolRefused, "the other side refused it (409)"),
        (
            401,
            {"detail": "token of frontdesk expired"},
            ToolUnavailable,
            "the other side answered 401; try again later",
        ),
        (408, {}, ToolUnavailable, "the other side answered 408; try again later"),
        (503, {"detail": "secret host"}, ToolUnavailable, "the other side answered 503; try again later"),
        (302, {}, ToolUnavailable, "the other side redirects (302); name its real address in the tools file"),
    ],
)
def test_a_failure_is_refused_or_unavailable(status: int, body: object, kind: type[ToolError], words: str) -> None:
    error = failure(Answer(status, json.dumps(body).encode()))
    assert type(error) is kind
    assert str(error) == words
    with pytest.raises(kind):
        content(Answer(status, json.dumps(body).encode()))


def test_long_words_are_cut() -> None:
    error = failure(Answer(400, json.dumps({"detail": "x " * 1_000}).encode()))
    assert len(str(error)) == DETAIL_CHARACTERS


async def no_names(_host: str, _port: int) -> list[str]:
    raise gaierror("no such name")


async def loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


async def posted(http: GuardedHttp, url: str, *allow: str, max_bytes: int = 1_000_000) -> Answer:
    headers = {"Idempotency-Key": "k"}
    body = json.dumps({"order_id": "1042", "amount": 1}).encode()
    return await http.request(
        "POST", url, headers=headers, body=body, timeout_s=2, max_bytes=max_bytes, allow_hosts=allow
    )


async def test_what_never_left_is_unavailable_and_what_may_have_been_done_is_not(crm: CrmDouble) -> None:
    nowhere, elsewhere = GuardedHttp(no_names), GuardedHttp(loopback)
    async with nowhere.running(), elsewhere.running():
        with pytest.raises(ToolUnavailable, match="cannot be resolved"):
            await posted(nowhere, "https://shop.example/refunds")
        with pytest.raises(ToolUnavailable, match="not a public address"):
            await posted(elsewhere, "https://shop.example/refunds")
        port = crm.host.partition(":")[2]
        shop = f"shop.example:{port}"
        with pytest.raises(ToolTimeout, match="it may have been done"):
            await posted(elsewhere, f"http://{shop}/v1/refunds", shop, max_bytes=3)
        assert (await posted(elsewhere, f"http://{shop}/v1/refunds", shop)).status == 201
        await elsewhere.check(f"http://{shop}/", [shop])
        with pytest.raises(ToolUnavailable):
            await elsewhere.check(f"http://{shop}/", [])
    assert len(crm.effects) == 1


async def test_nothing_is_called_outside_its_block() -> None:
    with pytest.raises(RuntimeError, match="outside running"):
        await GuardedHttp().request(
            "GET", "https://a.example", headers={}, body=None, timeout_s=1, max_bytes=1, allow_hosts=()
        )
