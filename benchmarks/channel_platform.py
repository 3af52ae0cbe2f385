"""The four platforms as one process that takes every message at once and only counts.

    python -m benchmarks.channel_platform --port 8098

``GET /calls`` gives the number of calls by method; :data:`SENDS` are those that show a customer a message.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from email.utils import formatdate

import uvloop
from aiohttp import web

SENDS = frozenset({"twilio.messages", "meta.messages", "slack.chat.postMessage", "telegram.sendMessage"})
ME = {"id": 1000, "is_bot": True, "first_name": "Desk", "username": "desk_bot"}


class Platforms:
    """Answers as the platforms do when all is well."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._ids = itertools.count(1)

    def build(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/calls", self._show),
                web.post("/2010-04-01/Accounts/{sid}/Messages.json", self._twilio_create),
                web.get("/2010-04-01/Accounts/{sid}/Messages.json", self._twilio_list),
                web.get("/2010-04-01/Accounts/{sid}.json", self._twilio_account),
                web.post("/v2/Indicators/Typing.json", self._twilio_typing),
                web.post("/{version}/{number}/messages", self._meta),
                web.route("*", "/api/{method}", self._slack),
                web.route("*", "/bot{token}/{method}", self._telegram),
            ]
        )
        return app

    async def _show(self, _: web.Request) -> web.Response:
        return web.json_response(self.calls)

    async def _twilio_create(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.calls["twilio.messages"] += 1
        record = {
            "sid": f"SM{next(self._ids):032x}", "account_sid": request.match_info["sid"], "status": "queued",
            "from": form.get("From"), "to": form.get("To"), "body": form.get("Body"), "num_media": "0",
            "num_segments": "1", "direction": "outbound-api", "date_created": formatdate(), "error_code": None,
            "error_message": None, "api_version": "2010-04-01", "subresource_uris": {},
        }  # fmt: skip
        return web.json_response(record, status=201)

    async def _twilio_list(self, _: web.Request) -> web.Response:
        return web.json_response({"messages": [], "page": 0, "page_size": 50, "next_page_uri": None})

    async def _twilio_account(self, request: web.Request) -> web.Response:
        return web.json_response({"sid": request.match_info["sid"], "status": "active"})

    async def _twilio_typing(self, _: web.Request) -> web.Response:
        self.calls["twilio.typing"] += 1
        return web.json_response({"success": True})

    async def _meta(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("status") == "read":
            self.calls["meta.read"] += 1
            return web.json_response({"success": True})
        self.calls["meta.messages"] += 1
        return web.json_response({"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{next(self._ids)}"}]})

    async def _slack(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        body = await (request.json() if request.content_type == "application/json" else request.post())
        self.calls[f"slack.{method}"] += 1
        answer = {"ok": True, "channel": body.get("channel"), "ts": f"1760000000.{next(self._ids):06d}", "channels": []}
        who = {"url": "https://x.slack.com/", "team": "T", "user": "desk", "team_id": "T1", "user_id": "UDESK"}
        return web.json_response({**answer, **who, "bot_id": "BDESK"} if method == "auth.test" else answer)

    async def _telegram(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        body = await (request.json() if request.content_type == "application/json" else request.post())
        self.calls[f"telegram.{method}"] += 1
        results: dict[str, object] = {"getMe": ME, "getWebhookInfo": {"url": "", "pending_update_count": 0}}
        if method == "sendMessage":
            chat = {"id": int(str(body["chat_id"])), "type": "private"}
            shown = {"message_id": next(self._ids), "date": 1_760_000_000, "chat": chat, "from": ME}
            return web.json_response({"ok": True, "result": {**shown, "text": str(body["text"])}})
        return web.json_response({"ok": True, "result": results.get(method, True)})


def main() -> None:
    parser = argparse.ArgumentParser(description="Four platforms that only count")
    parser.add_argument("--port", type=int, required=True)
    loop = uvloop.new_event_loop()
    port = parser.parse_args().port
    web.run_app(Platforms().build(), host="127.0.0.1", port=port, access_log=None, print=None, loop=loop)


if __name__ == "__main__":
    main()
