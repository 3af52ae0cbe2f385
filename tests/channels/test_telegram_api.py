from __future__ import annotations

import asyncio
import json
import logging
import warnings

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.base import SendError, Unavailable, Unknown
from channels.telegram.api import Api
from tests.doubles.telegram import TOKEN, Telegram, refusal

ANSWERS = {
    "empty": (200, b""),
    "not JSON": (200, b"<html>hello</html>"),
    "a list": (200, b"[]"),
    "ok without a result": (200, b'{"ok": true}'),
    "failed with status 200": (200, b'{"ok": false, "error_code": 500, "description": "oops"}'),
    "an error page": (502, b"<html>bad gateway</html>"),
    "an error that is a list": (500, b"[1]"),
    "an error with odd parameters": (500, b'{"ok": false, "parameters": 5}'),
    "deep": (200, b"[" * 100_000),
}


async def asked(status: int, body: bytes, *, timeout_s: float = 2.0) -> object:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api = Api(TOKEN, f"http://127.0.0.1:{runner.addresses[0][1]}", timeout_s)
    try:
        return await api.call(lambda bot: bot.send_message(1, "hello"))
    finally:
        await api.close()
        await runner.cleanup()


@pytest.mark.parametrize("name", ANSWERS)
async def test_no_answer_is_a_fault_of_ours(name: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    status, body = ANSWERS[name]
    with pytest.raises(SendError) as caught:
        await asked(status, body)
    assert isinstance(caught.value, Unavailable if status >= 500 or b"500" in body else Unknown)
    assert TOKEN not in caplog.text


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([200, 201, 400, 403, 404, 409, 418, 429, 500, 503]),
    st.dictionaries(
        st.sampled_from(["ok", "result", "error_code", "description", "parameters"]),
        st.none() | st.booleans() | st.integers(-5, 600) | st.text(max_size=5)
        | st.dictionaries(st.sampled_from(["retry_after", "migrate_to_chat_id", "message_id"]), st.integers(-5, 5)),
    ),
)  # fmt: skip
def test_any_object_is_an_outcome(status: int, content: dict[str, object]):
    async def once() -> str:
        try:
            await asked(status, json.dumps(content).encode())
        except SendError as error:
            return f"{error!r} {vars(error)}"
        return ""

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert TOKEN not in asyncio.run(once())


async def test_the_library_is_quiet_about_its_addresses(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with Telegram().running() as double:
        api = Api(TOKEN, double.base_url, 2.0)
        assert (await api.call(lambda bot: bot.get_me()))["username"] == "shop_help_bot"
        await api.close()
    assert TOKEN not in caplog.text


async def test_our_own_mistakes_are_not_taken_for_answers():
    api = Api(TOKEN, "http://127.0.0.1:9", 1.0)
    with pytest.raises(AttributeError):
        await api.call(lambda bot: bot.no_such_method())
    await api.close()


async def test_calls_side_by_side_keep_their_answers_apart():
    async with Telegram().running() as double:
        api = Api(TOKEN, double.base_url, 5.0)
        found = await asyncio.gather(*(api.call(lambda bot, n=n: bot.send_message(n, f"m{n}")) for n in range(1, 30)))
        await api.close()
    assert [one["text"] for one in found] == [f"m{n}" for n in range(1, 30)]


async def test_it_can_be_opened_again():
    async with Telegram().running() as double:
        api = Api(TOKEN, double.base_url, 2.0)
        for _ in range(2):
            await api.call(lambda bot: bot.get_me())
            await api.close()
        assert double.calls["getMe"] == 2


def test_the_public_address_is_the_default():
    assert Api(TOKEN, "", 1.0).base == "https://api.telegram.org"
    assert refusal(401, "Unauthorized").status == 401
