"""Bare handlers of the platforms' own libraries: verified and acknowledged, nothing durable.

    python -m benchmarks.channel_peers --line slack --kind library --port 8097 [--api http://127.0.0.1:8098]

``floor`` reads the body and says 200. ``library`` is what the library's documentation shows: verified, parsed, handed
to a listener or an in-memory queue, acknowledged. With ``--answer`` the listener also sends one text by the library's
client (Meta: aiohttp) to the platform at ``--api``. All of them run on uvloop, as frontdesk does, and load only the
library they need.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import importlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

from benchmarks.channel_lines import ACCOUNT_SID, LINES, SECRET
from channels.whatsapp.twilio_client import RestClient

ANSWER = "Your order 4711 left our house this morning."
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Later:
    """Work that goes on after the acknowledgement, in memory only."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def served(path: str, handler: Handler) -> web.Application:
    app = web.Application()
    app.router.add_post(path, handler)
    return app


def floor(path: str) -> web.Application:
    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    return served(path, handle)


def twilio(path: str, url: str, api: str, *, answer: bool) -> web.Application:
    validator = importlib.import_module("twilio.request_validator").RequestValidator(SECRET)
    rest = importlib.import_module("twilio.rest") if answer else None
    later = Later()
    sessions: list[aiohttp.ClientSession] = []

    async def handle(request: web.Request) -> web.Response:
        form = await request.post()
        if not validator.validate(f"{url}{request.path_qs}", form, request.headers.get("X-Twilio-Signature", "")):
            return web.Response(status=403)
        if rest is not None:
            client = rest.Client(ACCOUNT_SID, SECRET, http_client=RestClient(sessions[0], api))
            to, sender = str(form["From"]), str(form["To"])
            later.start(client.messages.create_async(to=to, from_=sender, body=ANSWER))
        return web.Response(status=204)

    async def opened(_: web.Application) -> None:
        sessions.append(aiohttp.ClientSession())

    app = served(path, handle)
    app.on_startup.append(opened)
    return app


def meta(path: str, url: str, api: str, *, answer: bool) -> web.Application:
    del url
    later = Later()
    sessions: list[aiohttp.ClientSession] = []

    async def send(number: str, to: str) -> None:
        body = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": ANSWER}}
        headers = {"Authorization": f"Bearer {SECRET}"}
        async with sessions[0].post(f"{api}/v23.0/{number}/messages", json=body, headers=headers) as response:
            await response.read()

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("X-Hub-Signature-256", "")):
            return web.Response(status=403)
        for entry in json.loads(body)["entry"]:
            for change in entry["changes"]:
                value = change["value"]
                for message in value.get("messages", ()) if answer else ():
                    later.start(send(value["metadata"]["phone_number_id"], message["from"]))
        return web.Response()

    async def opened(_: web.Application) -> None:
        sessions.append(aiohttp.ClientSession())

    app = served(path, handle)
    app.on_startup.append(opened)
    return app


def slack(path: str, url: str, api: str, *, answer: bool) -> web.Application:
    del url
    client = importlib.import_module("slack_sdk.web.async_client").AsyncWebClient("xoxb-0", base_url=f"{api}/api/")
    app = importlib.import_module("slack_bolt.async_app").AsyncApp(signing_secret=SECRET, client=client)

    @app.event("message")
    async def listener(say: Any) -> None:
        if answer:
            await say(ANSWER)

    made: web.Application = app.web_app(path)
    return made


def telegram(path: str, url: str, api: str, *, answer: bool) -> web.Application:
    del url
    update_type, ext = importlib.import_module("telegram").Update, importlib.import_module("telegram.ext")
    builder = ext.Application.builder().token("1000:benchmark").updater(None).base_url(f"{api}/bot")
    bot = builder.concurrent_updates(64).build()

    async def listener(update: Any, _: Any) -> None:
        if answer and update.message is not None:
            await update.message.reply_text(ANSWER)

    bot.add_handler(ext.MessageHandler(ext.filters.TEXT, listener))

    async def handle(request: web.Request) -> web.Response:
        if request.headers.get("X-Telegram-Bot-Api-Secret-Token") != SECRET:
            return web.Response(status=403)
        await bot.update_queue.put(update_type.de_json(data=await request.json(), bot=bot.bot))
        return web.Response()

    async def opened(_: web.Application) -> None:
        await bot.initialize()
        await bot.start()

    app = served(path, handle)
    app.on_startup.append(opened)
    return app


BARE: dict[str, Callable[..., web.Application]] = {
    "twilio": twilio, "meta": meta, "slack": slack, "telegram": telegram,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="A bare handler of a platform's own library")
    parser.add_argument("--line", choices=sorted(LINES), required=True)
    parser.add_argument("--kind", choices=["floor", "library"], required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--api", default="")
    parser.add_argument("--answer", action="store_true")
    asked = parser.parse_args()
    uvloop.install()
    path, url = LINES[asked.line].path, f"http://127.0.0.1:{asked.port}"
    app = floor(path) if asked.kind == "floor" else BARE[asked.line](path, url, asked.api, answer=asked.answer)
    app.router.add_get("/alive", _alive)
    web.run_app(app, host="127.0.0.1", port=asked.port, access_log=None, print=None)


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="ok")


if __name__ == "__main__":
    main()
