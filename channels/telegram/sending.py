"""Sending to a chat: messages, edits, drafts and files; each one call, or two where Telegram asks for plain text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from channels.base import File, Limited, Moves, Refused
from channels.telegram.answers import Floods, Migrated
from channels.telegram.api import Api
from channels.telegram.places import Place

Payload = Mapping[str, Any]
HTML = "HTML"
UNPARSED = ("can't parse entities", "can't find end", "unsupported start tag", "entity_")
SAME = "message is not modified"
LOST_MESSAGE = ("message to edit not found", "message can't be edited", "message_id_invalid")
LOST_DELETION = ("message to delete not found", "message can't be deleted", "message_id_invalid")


class Sending:
    """The outgoing half of one bot."""

    def __init__(self, api: Api, file: Callable[[str], Awaitable[File]]) -> None:
        self._api = api
        self._file = file
        self._floods = Floods()

    async def message(self, place: Place, payload: Payload) -> int:
        """Send one payload and return the message's number (0: sent, but the answer does not name it)."""
        if "file" in payload:
            return await self._document(place, payload)
        return _number(await self._formatted(payload, lambda text, mode: self._text(place, payload, text, mode)))

    async def edit(self, place: Place, message_id: int, payload: Payload) -> bool:
        """Give a message another text; False when it is no longer there (or may not be changed any more)."""
        try:
            await self._formatted(payload, lambda text, mode: self._edited(place, message_id, payload, text, mode))
        except Refused as error:
            if SAME in error.detail.lower():
                return True
            if _says(error, LOST_MESSAGE):
                return False
            raise
        return True

    async def preview(self, place: Place, draft_id: int, payload: Payload) -> None:
        """Show a draft that vanishes by itself after 30 s."""
        await self._formatted(payload, lambda text, mode: self._previewed(place, draft_id, text, mode))

    async def delete(self, place: Place, message_id: int) -> None:
        """Take a message away; gone already is a success."""
        try:
            await self._call(place, lambda bot: _delete(bot, place, message_id))
        except Refused as error:
            if not _says(error, LOST_DELETION):
                raise

    async def typing(self, place: Place) -> None:
        """Show "typing" for five seconds."""
        await self._call(
            place,
            lambda bot: bot.send_chat_action(
                int(place.chat),
                "typing",
                message_thread_id=_thread(place),
                business_connection_id=place.business or None,
            ),
        )

    async def _formatted(self, payload: Payload, send: Callable[[str, str | None], Awaitable[Any]]) -> Any:
        """Send as HTML; once more as plain text when Telegram does not take the markup (nothing was sent then)."""
        try:
            return await send(payload["html"], HTML)
        except Refused as error:
            if not _says(error, UNPARSED):
                raise
        return await send(payload["text"], None)

    async def _text(self, place: Place, payload: Payload, text: str, mode: str | None) -> Any:
        return await self._call(
            place,
            lambda bot: bot.send_message(
                int(place.chat),
                text,
                parse_mode=mode,
                reply_markup=_keyboard(self._api.types, payload),
                link_preview_options=self._api.types.LinkPreviewOptions(is_disabled=True),
                reply_parameters=_reply(self._api.types, place, payload),
                message_thread_id=_thread(place),
                business_connection_id=place.business or None,
            ),
            counts=True,
        )

    async def _edited(self, place: Place, message_id: int, payload: Payload, text: str, mode: str | None) -> Any:
        return await self._call(
            place,
            lambda bot: bot.edit_message_text(
                text,
                chat_id=int(place.chat),
                message_id=message_id,
                parse_mode=mode,
                reply_markup=_keyboard(self._api.types, payload),
                link_preview_options=self._api.types.LinkPreviewOptions(is_disabled=True),
                business_connection_id=place.business or None,
            ),
            counts=True,
        )

    async def _previewed(self, place: Place, draft_id: int, text: str, mode: str | None) -> Any:
        return await self._call(
            place,
            lambda bot: bot.send_message_draft(
                int(place.chat), draft_id, text, message_thread_id=_thread(place), parse_mode=mode
            ),
        )

    async def _document(self, place: Place, payload: Payload) -> int:
        file = await self._file(payload["file"])

        def send(bot: Any) -> Awaitable[Any]:
            as_photo = payload["kind"] == "image"
            return (bot.send_photo if as_photo else bot.send_document)(  # type: ignore[no-any-return]
                int(place.chat),
                self._api.types.InputFile(file.content, filename=file.name),
                caption=payload.get("text") or None,
                reply_markup=_keyboard(self._api.types, payload),
                reply_parameters=_reply(self._api.types, place, payload),
                message_thread_id=_thread(place),
                business_connection_id=place.business or None,
            )

        return _number(await self._call(place, send, counts=True))

    async def _call(self, place: Place, work: Callable[[Any], Awaitable[Any]], *, counts: bool = False) -> Any:
        """One call about a place: errors that Telegram leaves open are completed by what is known of the chat."""
        try:
            result = await self._api.call(work)
        except Migrated as error:
            moved = place.moved(error.chat)
            raise Moves(moved.address, moved.route) from None
        except Limited as error:
            scope = self._floods.scope(place.chat, error.retry_after_s)
            raise Limited(error.code, error.retry_after_s, scope) from None
        if counts:
            self._floods.sent(place.chat)
        return result


def _says(error: Refused, signs: tuple[str, ...]) -> bool:
    text = error.detail.lower()
    return any(sign in text for sign in signs)


def _number(result: Any) -> int:
    """The number of a message that was surely sent; 0 when the answer does not name it."""
    number = result.get("message_id") if isinstance(result, Mapping) else None
    return number if isinstance(number, int) else 0


def _delete(bot: Any, place: Place, message_id: int) -> Awaitable[Any]:
    if place.business:
        return bot.delete_business_messages(place.business, [message_id])  # type: ignore[no-any-return]
    return bot.delete_message(int(place.chat), message_id)  # type: ignore[no-any-return]


def _thread(place: Place) -> int | None:
    return int(place.thread) if place.thread else None


def _reply(types: Any, place: Place, payload: Payload) -> Any:
    """In groups the first part answers the message that asked, so that the customer is told."""
    if place.private or not place.message or not payload.get("first"):
        return None
    return types.ReplyParameters(int(place.message), allow_sending_without_reply=True)


def _keyboard(types: Any, payload: Payload) -> Any:
    rows = payload.get("keyboard")
    if not rows:
        return None
    return types.InlineKeyboardMarkup([[types.InlineKeyboardButton(**button) for button in row] for row in rows])
