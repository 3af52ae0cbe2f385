"""Ports and model servers; the other cases stand in test_doctor.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from config.settings import Settings
from server.commands.checks import Level
from server.commands.checks.network import check_model, check_port, check_switches


@asynccontextmanager
async def answering(path: str, body: object, status: int = 200) -> AsyncIterator[TestServer]:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_get(path, handler)
    async with TestServer(app, host="127.0.0.1") as server:
        yield server


async def test_our_own_server_on_the_port_is_fine() -> None:
    async with answering("/version", {"version": "9.9"}) as server:
        finding = await check_port(Settings.model_validate({"http": {"port": server.port}}))
    assert (finding.level, "9.9 is running" in finding.value) == (Level.OK, True)


async def test_a_free_port_is_fine() -> None:
    async with answering("/", {}) as server:
        port = server.port
    assert (await check_port(Settings.model_validate({"http": {"port": port}}))).level is Level.OK


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"data": [{"id": "m"}]}, 200, "m at http"),
        ({}, 401, "refuses the key"),
        ({}, 404, "without a list"),
        ([1], 200, "without a list"),
        ({"data": [{"id": "n"}]}, 200, "m is not served there"),
    ],
)
async def test_a_model_url(body: object, status: int, words: str) -> None:
    async with answering("/v1/models", body, status) as server:
        model = {"base_url": str(server.make_url("/v1")), "name": "m", "api_key": "k"}
        finding = await check_model(Settings.model_validate({"model": model}))
    assert words in finding.value


def test_no_enabled_account_is_worth_a_line() -> None:
    off = Settings.model_validate({"channels": {"web": {"default": {"enabled": False}}}})
    assert check_switches(off).level is Level.WARN
    assert check_switches(Settings()).level is Level.OK
