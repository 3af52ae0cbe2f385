"""A double of the Telegram Bot API: a real server with chats that remember what their customer sees.

Covers the methods the service uses, their limits (UTF-16 units after entity parsing, 429 per chat and overall, 403,
migration, long polling with 409), the file host, and webhook deliveries with repeats.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.doubles.platform import TELEGRAM, Courier, Delivered, Faults, Hook, Platform
from tests.doubles.telegram_html import BadMarkup, parse, units

TOKEN = "7000000001:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
SECRET = "s3cret_token-of-the-webhook"
BOT = {"id": 7000000001, "is_bot": True, "first_name": "Shop", "username": "shop_help_bot"}
TEXT_UNITS, CAPTION_UNITS, CALLBACK_BYTES = 4_096, 1_024, 64
FILE_BYTES = 20 * 1024 * 1024
PREVIEW_S = 30.0
NESTED = frozenset({"reply_markup", "reply_parameters", "link_preview_options", "allowed_updates", "message_ids"})
Update = dict[str, Any]


class Refusal(Exception):
    """An answer with ok: false."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.answer = refusal(status, description, **parameters)


def refusal(status: int, description: str, **parameters: Any) -> web.Response:
    """Telegram's shape of an error."""
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    if parameters:
        body["parameters"] = parameters
    return web.json_response(body, status=status)


@dataclass
class Message:
    """One message of the bot as it stands in a chat."""

    number: int
    text: str
    at: float
    thread: int | None = None
    business: str = ""
    reply_to: int | None = None
    keyboard: list[list[dict[str, str]]] = field(default_factory=list)
    edits: int = 0
    previews_off: bool = False


@dataclass
class Chat:
    """One chat; ``drafts`` are the previews on show (number -> text, time)."""

    id: int
    messages: dict[int, Message] = field(default_factory=dict)
    deleted: list[Message] = field(default_factory=list)
    drafts: dict[int, tuple[str, float]] = field(default_factory=dict)
    sends: list[float] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    blocked: bool = False
    known: bool = True
    migrated_to: int | None = None


@dataclass
class Pacing:
    """How much is allowed before a 429: messages per chat and over all chats, each within a window of seconds."""

    chat: int = 1_000_000
    account: int = 1_000_000
    window_s: float = 1.0
    retry_after_s: int = 1


class Telegram(Platform):
    """The server; ``api_base`` is what the account's setting must be."""

    def __init__(self, faults: Faults | None = None, *, token: str = TOKEN, hang_s: float = 30.0) -> None:
        super().__init__(faults, hang_s=hang_s)
        self.token = token
        self.pacing = Pacing()
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, tuple[str, bytes]] = {}
        self.answered: list[str] = []
        self.webhook: dict[str, Any] = {}
        self.last_error = ""
        self.queue: list[Update] = []
        self.confirmed = 0
        self.unsupported: set[str] = set()
        self.closed_business: set[str] = set()  # connections whose customers have been silent for too long
        self.terse = False  # answer like a server that fills in only what it must
        self.numberless = False  # answer sends with a bare true
        self.lies = False  # announce every file as one byte
        self.vanished: set[str] = set()  # paths the file host has no more
        self.file_resets = False  # the file host breaks off
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._numbers = 100
        self._updates = 5_000
        self._poll: asyncio.Event | None = None
        self._news = asyncio.Event()
        self.app.router.add_route("*", "/bot{token}/{method}", self._handle)
        self.app.router.add_get("/file/bot{token}/{path:.+}", self._download)

    # -- what customers see and do ----------------------------------------------------------------------------------

    def chat(self, chat_id: int) -> Chat:
        """A chat, made on first use."""
        return self.chats.setdefault(chat_id, Chat(chat_id))

    def visible(self, chat_id: int) -> list[str]:
        """The bot's messages the customer sees in a chat, in order."""
        return [message.text for _, message in sorted(self.chat(chat_id).messages.items())]

    def drafts(self, chat_id: int) -> list[str]:
        """The previews on show right now."""
        now = time.monotonic()
        return [text for text, at in self.chat(chat_id).drafts.values() if now - at < PREVIEW_S]

    def update(self, kind: str, content: Mapping[str, Any]) -> Update:
        """An update with the next number."""
        self._updates += 1
        return {"update_id": self._updates, kind: dict(content)}

    def says(self, chat_id: int, text: str, **more: Any) -> Update:
        """A customer's text message in a private chat (or, with a negative id, in a group)."""
        self._numbers += 1
        private = chat_id > 0
        sender = chat_id if private else 900_001
        message = {
            "message_id": self._numbers,
            "date": int(time.time()),
            "chat": {"id": chat_id, "type": "private"} if private else {"id": chat_id, "type": "supergroup"},
            "from": {"id": sender, "is_bot": False, "first_name": "Ana", "language_code": "en"},
            "text": text,
        }
        return self.update("message", message | more)

    def presses(self, chat_id: int, number: int, payload: str) -> Update:
        """A customer presses a button below one of the bot's messages."""
        message = self.chat(chat_id).messages[number]
        shown = {"message_id": number, "date": 1, "chat": {"id": chat_id, "type": "private"}, "from": BOT,
                 "text": message.text, "reply_markup": {"inline_keyboard": message.keyboard}}  # fmt: skip
        query = {"id": f"q{self._updates + 1}", "from": {"id": chat_id, "is_bot": False, "first_name": "Ana"},
                 "message": shown, "chat_instance": "1", "data": payload}  # fmt: skip
        return self.update("callback_query", query)

    def reacts(self, chat_id: int, number: int, old: str, new: str) -> Update:
        """A customer's reaction to a message changes; "" is none."""
        kinds = [[{"type": "emoji", "emoji": emoji}] if emoji else [] for emoji in (old, new)]
        return self.update("message_reaction", {
            "chat": {"id": chat_id, "type": "private"}, "message_id": number, "date": int(time.time()),
            "user": {"id": chat_id, "is_bot": False, "first_name": "Ana"},
            "old_reaction": kinds[0], "new_reaction": kinds[1],
        })  # fmt: skip

    def file(self, file_id: str, content: bytes, path: str = "documents/file_1.pdf") -> None:
        """A file that getFile knows."""
        self.files[file_id] = (path, content)

    # -- how updates come -------------------------------------------------------------------------------------------

    def waits(self, *updates: Update) -> None:
        """Updates for the next poll."""
        self.queue.extend(updates)
        self._news.set()

    def hook(self, update: Update, url: str = "", secret: str = "") -> Callable[[int], Hook]:
        """The webhook request of an update, for a courier."""
        headers = {"Content-Type": "application/json",
                   "X-Telegram-Bot-Api-Secret-Token": secret or self.webhook.get("secret_token", SECRET)}  # fmt: skip
        made = Hook(url or str(self.webhook["url"]), json.dumps(update, ensure_ascii=False).encode(), headers)
        return lambda _number: made

    async def delivers(
        self, courier: Courier, updates: Sequence[Update], url: str = "", connections: int = 4
    ) -> list[Delivered]:
        """Deliver updates over several connections: in order within a chat, each until it is accepted."""
        gate = asyncio.Semaphore(connections)
        chats: dict[object, list[Update]] = defaultdict(list)
        for update in updates:
            content = next(value for name, value in update.items() if name != "update_id")
            chats[content.get("chat", content.get("message", {}).get("chat", {})).get("id")].append(update)

        async def one_chat(mine: Sequence[Update]) -> list[Delivered]:
            async with gate:
                return [await courier.deliver(self.hook(update, url)) for update in mine]

        done = await asyncio.gather(*(one_chat(mine) for mine in chats.values()))
        return [delivered for mine in done for delivered in mine]

    @asynccontextmanager
    async def couriers(self, hurry: float = 20.0) -> AsyncIterator[Courier]:
        """A courier with Telegram's patience."""
        async with Courier(TELEGRAM, hurry=hurry).running() as courier:
            yield courier

    # -- the server -------------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if request.match_info["token"] != self.token:
            return refusal(401, "Unauthorized")
        handler = METHODS.get(method.lower())
        if handler is None or method in self.unsupported:
            self.calls[method] += 1
            return refusal(404, "Not Found")
        parameters = await _parameters(request)
        self.requests.append((method, parameters))

        async def effect() -> web.StreamResponse:
            try:
                return web.json_response({"ok": True, "result": self._result(await handler(self, parameters))})
            except Refusal as refused:
                return refused.answer

        return await self.around(
            request,
            method,
            effect,
            limited=lambda: refusal(429, "Too Many Requests: retry after 1", retry_after=1),
            broken=lambda: refusal(500, "Internal Server Error"),
            refused=lambda: refusal(400, "Bad Request: not today"),
        )

    async def _download(self, request: web.Request) -> web.StreamResponse:
        self.calls["file"] += 1
        path = request.match_info["path"]
        found = next((content for name, content in self.files.values() if name == path), None)
        if request.match_info["token"] != self.token or found is None or path in self.vanished:
            return refusal(404, "Not Found")
        if self.file_resets and request.transport is not None:
            request.transport.abort()
        return web.Response(body=found)

    def _result(self, result: Any) -> Any:
        if isinstance(result, dict) and "message_id" in result:
            return True if self.numberless else {"message_id": result["message_id"]} if self.terse else result
        return result

    def _open(self, parameters: Mapping[str, Any]) -> Chat:
        """The chat a message may go to right now."""
        chat = self.chat(int(parameters["chat_id"]))
        if chat.migrated_to is not None:
            raise Refusal(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=chat.migrated_to,
            )
        if chat.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if parameters.get("business_connection_id") in self.closed_business:
            raise Refusal(400, "Bad Request: BUSINESS_PEER_USAGE_MISSING")
        if not chat.known:
            raise Refusal(400, "Bad Request: chat not found")
        return chat

    def _paced(self, chat: Chat) -> None:
        since = time.monotonic() - self.pacing.window_s
        everywhere = sum(at > since for known in self.chats.values() for at in known.sends)
        if sum(at > since for at in chat.sends) >= self.pacing.chat or everywhere >= self.pacing.account:
            wait_s = self.pacing.retry_after_s
            raise Refusal(429, f"Too Many Requests: retry after {wait_s}", retry_after=wait_s)
        chat.sends.append(time.monotonic())

    def _text(self, parameters: Mapping[str, Any], limit: int = TEXT_UNITS, name: str = "text") -> str:
        raw = str(parameters.get(name) or "")
        if parameters.get("parse_mode") == "HTML":
            try:
                text = parse(raw)
            except BadMarkup as error:
                raise Refusal(400, f"Bad Request: can't parse entities: {error}") from None
        else:
            text = raw.strip()
        if units(text) > limit:
            raise Refusal(400, f"Bad Request: message {'caption ' if name == 'caption' else ''}is too long")
        return text

    def _put(self, chat: Chat, parameters: Mapping[str, Any], text: str) -> dict[str, Any]:
        self._numbers += 1
        thread = parameters.get("message_thread_id")
        chat.messages[self._numbers] = message = Message(
            number=self._numbers,
            text=text,
            at=time.monotonic(),
            thread=int(thread) if thread else None,
            business=str(parameters.get("business_connection_id") or ""),
            reply_to=(parameters.get("reply_parameters") or {}).get("message_id"),
            keyboard=_keyboard(parameters),
            previews_off=(parameters.get("link_preview_options") or {}).get("is_disabled") is True,
        )
        chat.drafts.clear()  # the message takes the preview's place
        return _shown(chat, message)

    async def send_message(self, parameters: Mapping[str, Any]) -> Any:
        chat = self._open(parameters)
        text = self._text(parameters)
        if not text:
            raise Refusal(400, "Bad Request: message text is empty")
        _keyboard(parameters)
        self._paced(chat)
        return self._put(chat, parameters, text)

    async def send_file(self, parameters: Mapping[str, Any]) -> Any:
        chat = self._open(parameters)
        caption = self._text(parameters, CAPTION_UNITS, "caption")
        sent = parameters.get("document") or parameters.get("photo")
        if not isinstance(sent, web.FileField):
            raise Refusal(400, "Bad Request: there is no document in the request")
        self._paced(chat)
        return self._put(chat, parameters, f"[{sent.filename}] {caption}".strip())

    async def edit_message_text(self, parameters: Mapping[str, Any]) -> Any:
        chat = self._open(parameters)
        text, keyboard = self._text(parameters), _keyboard(parameters)
        message = chat.messages.get(int(parameters["message_id"]))
        if message is None:
            raise Refusal(400, "Bad Request: message to edit not found")
        if (message.text, message.keyboard) == (text, keyboard):
            raise Refusal(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the"
                " same as a current content and reply markup of the message",
            )
        self._paced(chat)
        message.text, message.keyboard, message.edits = text, keyboard, message.edits + 1
        return _shown(chat, message)

    async def send_message_draft(self, parameters: Mapping[str, Any]) -> Any:
        chat = self._open(parameters)
        if chat.id < 0:
            raise Refusal(400, "Bad Request: TEXTDRAFT_PEER_INVALID")
        number = int(parameters["draft_id"])
        if number == 0:
            raise Refusal(400, "Bad Request: draft_id must be non-zero")
        chat.drafts[number] = (self._text(parameters), time.monotonic())
        return True

    async def delete_message(self, parameters: Mapping[str, Any]) -> Any:
        chat = self._open(parameters)
        message = chat.messages.pop(int(parameters["message_id"]), None)
        if message is None:
            raise Refusal(400, "Bad Request: message to delete not found")
        chat.deleted.append(message)
        return True

    async def delete_business_messages(self, parameters: Mapping[str, Any]) -> Any:
        numbers = set(parameters["message_ids"])
        for chat in self.chats.values():
            for number in numbers & chat.messages.keys():
                if chat.messages[number].business == parameters["business_connection_id"]:
                    chat.deleted.append(chat.messages.pop(number))
        return True

    async def answer_callback_query(self, parameters: Mapping[str, Any]) -> Any:
        query = str(parameters["callback_query_id"])
        if query in self.answered:
            raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self.answered.append(query)
        return True

    async def send_chat_action(self, parameters: Mapping[str, Any]) -> Any:
        self._open(parameters).actions.append(str(parameters["action"]))
        return True

    async def get_file(self, parameters: Mapping[str, Any]) -> Any:
        found = self.files.get(str(parameters["file_id"]))
        if found is None:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        path, content = found
        size = 1 if self.lies else len(content)
        if size > FILE_BYTES:
            raise Refusal(400, "Bad Request: file is too big")
        return {"file_id": parameters["file_id"], "file_unique_id": "u", "file_size": size, "file_path": path}

    async def get_me(self, _parameters: Mapping[str, Any]) -> Any:
        return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False}

    async def set_webhook(self, parameters: Mapping[str, Any]) -> Any:
        self.webhook = dict(parameters) if parameters.get("url") else {}
        return True

    async def delete_webhook(self, _parameters: Mapping[str, Any]) -> Any:
        self.webhook = {}
        return True

    async def get_webhook_info(self, _parameters: Mapping[str, Any]) -> Any:
        info = {"url": self.webhook.get("url", ""), "has_custom_certificate": False,
                "pending_update_count": len(self.queue)}  # fmt: skip
        return info | ({"last_error_date": 1, "last_error_message": self.last_error} if self.last_error else {})

    async def get_updates(self, parameters: Mapping[str, Any]) -> Any:
        if self.webhook:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the"
                " webhook first",
            )
        if self._poll is not None:
            self._poll.set()
        mine = self._poll = asyncio.Event()
        offset = int(parameters.get("offset") or 0)
        self.confirmed = max(self.confirmed, offset)
        self.queue = [update for update in self.queue if update["update_id"] >= offset]
        until = time.monotonic() + float(parameters.get("timeout") or 0)
        while not self.queue and time.monotonic() < until:
            self._news.clear()
            await _first(self._news.wait(), mine.wait(), until - time.monotonic())
            if mine.is_set():
                raise Refusal(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )
        self._poll = None if self._poll is mine else self._poll
        return self.queue[: int(parameters.get("limit") or 100)]


Handler = Callable[[Telegram, Mapping[str, Any]], Awaitable[Any]]
METHODS: dict[str, Handler] = {
    "sendmessage": Telegram.send_message,
    "senddocument": Telegram.send_file,
    "sendphoto": Telegram.send_file,
    "editmessagetext": Telegram.edit_message_text,
    "sendmessagedraft": Telegram.send_message_draft,
    "deletemessage": Telegram.delete_message,
    "deletebusinessmessages": Telegram.delete_business_messages,
    "answercallbackquery": Telegram.answer_callback_query,
    "sendchataction": Telegram.send_chat_action,
    "getfile": Telegram.get_file,
    "getme": Telegram.get_me,
    "setwebhook": Telegram.set_webhook,
    "deletewebhook": Telegram.delete_webhook,
    "getwebhookinfo": Telegram.get_webhook_info,
    "getupdates": Telegram.get_updates,
}


async def _parameters(request: web.Request) -> dict[str, Any]:
    """Parameters in any of the ways Telegram takes them; nested ones are JSON texts in forms."""
    if request.content_type == "application/json":
        return dict(await request.json())
    form = {**request.query, **(await request.post())}
    return {name: json.loads(str(value)) if name in NESTED else value for name, value in form.items()}


def _keyboard(parameters: Mapping[str, Any]) -> list[list[dict[str, str]]]:
    rows = (parameters.get("reply_markup") or {}).get("inline_keyboard") or []
    for button in (button for row in rows for button in row):
        if not 1 <= len(button.get("callback_data", "").encode()) <= CALLBACK_BYTES:
            raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
    return list(rows)


def _shown(chat: Chat, message: Message) -> dict[str, Any]:
    kind = {"type": "private", "first_name": "Ana"} if chat.id > 0 else {"type": "supergroup", "title": "Shop"}
    return {"message_id": message.number, "date": int(time.time()), "chat": {"id": chat.id, **kind}, "from": BOT,
            "text": message.text}  # fmt: skip


async def _first(one: Any, other: Any, timeout_s: float) -> None:
    tasks = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
    try:
        await asyncio.wait(tasks, timeout=max(timeout_s, 0), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
