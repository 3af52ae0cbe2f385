"""From the Cloud API's webhook batches to facts; pure, and never surprised by a shape it does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from channels.message import Attachment, Echoed, Edited, Fact, Inbound, Moved, Pressed, Reacted, Status
from channels.whatsapp.common import NAME, address_of, consent_of, kind_of, mood, place
from channels.whatsapp.meta_errors import meaning, status_code, words_of

Object = Mapping[str, Any]
Content = tuple[str, tuple[Attachment, ...]]
STATES: Mapping[str, Literal["sent", "delivered", "read", "failed"]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "failed",
}
SILENT = frozenset({"revoke", "request_welcome", "system", "errors"})  # nothing a customer said to us


def normalize(payload: Object, account: str, numbers: Mapping[str, str], now_s: float) -> list[Fact]:
    """The facts of one webhook, in its order; ``numbers`` maps phone number ids to our accounts.

    Numbers of the same app that are not ours, and fields we do not know, give none.
    """
    found: list[Fact] = []
    for change in (change for entry in _objects(payload, "entry") for change in _objects(entry, "changes")):
        value = _object(change, "value")
        number = _text(_object(value, "metadata"), "phone_number_id")
        owner = numbers.get(number) if number else account
        if owner is None:
            continue
        if change.get("field") == "messages":
            names = {key: contact for contact in _objects(value, "contacts") for key in _ids(contact)}
            for message in _objects(value, "messages"):
                found += _message(message, owner, names, now_s)
            for status in _objects(value, "statuses"):
                found += _status(status, owner, now_s)
        elif change.get("field") == "smb_message_echoes":
            for echo in _objects(value, "message_echoes"):
                found += _echoed(echo, owner, now_s)
    return found


def _message(message: Object, account: str, names: Mapping[str, Object], now_s: float) -> Iterator[Fact]:
    """What one message says; a customer without a visible number is known by the id Meta gives them."""
    number, user = _text(message, "from"), _text(message, "from_user_id")
    external_id, kind = _text(message, "id"), _text(message, "type")
    if not external_id or not (number or user) or "group_id" in message:
        return
    at = _time(message, now_s)
    address = address_of(number or user)
    route = _known({"to": number, "user": user, "message": external_id})
    special = SPECIAL.get(kind)
    if special is not None:
        yield from special(message, account, address, route, at)
        return
    if kind in SILENT:
        return
    text, attachments = CONTENTS.get(kind, _other)(message)
    if not text.strip() and not attachments:
        return
    contact = names.get(number) or names.get(user) or {}
    profile = _object(contact, "profile")
    yield consent_of(
        Inbound(
            NAME,
            account,
            address,
            external_id,
            text,
            at,
            name=_text(profile, "name"),
            attachments=attachments,
            profile=_known({"wa_id": _text(contact, "wa_id"), "username": _text(profile, "username")}),
            echo=_around(message),
            route=route,
        )
    )


def _pressed(message: Object, account: str, address: str, route: Mapping[str, str], at: float) -> Iterator[Fact]:
    """A reply button, a list row, or a template's quick reply; other interactive answers are read as text."""
    kind = _text(message, "type")
    choice = _object(message, kind)
    if kind == "interactive":
        choice = _object(choice, "button_reply") or _object(choice, "list_reply")
    payload = _text(choice, "id") or _text(choice, "payload")
    label = _text(choice, "title") or _text(choice, "text")
    external_id = _text(message, "id")
    if payload:
        yield Pressed(NAME, account, address, address, payload, external_id, at, label, route)
    else:
        form = _text(_object(_object(message, kind), "nfm_reply"), "body")
        attachments = () if label or form else (Attachment("other", "", text=kind),)
        yield Inbound(NAME, account, address, external_id, label or form, at, attachments=attachments, route=route)


def _reacted(message: Object, account: str, address: str, _: Mapping[str, str], __: float) -> Iterator[Fact]:
    reaction = _object(message, "reaction")
    if provider_id := _text(reaction, "message_id"):
        value = mood(_text(reaction, "emoji"))
        yield Reacted(NAME, account, address, address, provider_id, value, _text(message, "id"))


def _edited(message: Object, account: str, address: str, _: Mapping[str, str], at: float) -> Iterator[Fact]:
    edit = _object(message, "edit")
    inner = _object(edit, "message")
    text, _attachments = CONTENTS.get(_text(inner, "type"), _other)(inner)
    if original := _text(edit, "original_message_id"):
        yield Edited(NAME, account, address, original, text, at)


def _system(message: Object, account: str, address: str, route: Mapping[str, str], _: float) -> Iterator[Fact]:
    """A customer who changed their number keeps conversation and history."""
    system = _object(message, "system")
    new = _text(system, "wa_id") or _text(system, "new_wa_id")
    if _text(system, "type") in {"user_changed_number", "customer_changed_number"} and new:
        yield Moved(NAME, account, address, address_of(new), {**route, "to": new})


def _status(status: Object, account: str, now_s: float) -> Iterator[Fact]:
    state = STATES.get(_text(status, "status"))
    provider_id = _text(status, "id")
    if state is None or not provider_id:
        return
    error: Object = next(iter(_objects(status, "errors")), {}) if state == "failed" else {}
    code = error.get("code")
    number = code if isinstance(code, int) else 0
    yield Status(
        NAME,
        account,
        state,
        _time(status, now_s),
        part_id=_text(status, "biz_opaque_callback_data"),
        provider_id=provider_id,
        code=status_code(number) if state == "failed" else "",
        detail=meaning(number, words_of(error)) if state == "failed" else "",
    )


def _echoed(echo: Object, account: str, now_s: float) -> Iterator[Fact]:
    """What staff wrote from the phone that shares our number (coexistence)."""
    to, external_id, kind = _text(echo, "to"), _text(echo, "id"), _text(echo, "type")
    if not to or not external_id or kind in {"edit", "revoke"}:
        return
    text, _attachments = CONTENTS.get(kind, _other)(echo)
    yield Echoed(NAME, account, address_of(to), external_id, text or f"[{kind}]", _time(echo, now_s))


# ---- what messages hold


def _words(message: Object) -> Content:
    return _text(_object(message, "text"), "body"), ()


def _file(message: Object) -> Content:
    kind = _text(message, "type")
    file = _object(message, kind)
    mime = _text(file, "mime_type")
    attachment = Attachment(
        "image" if kind == "sticker" else kind_of(mime) if mime else FILE_KINDS[kind],
        _text(file, "url"),
        name=_text(file, "filename"),
        mime=mime,
        ref=_text(file, "id"),
        voice=file.get("voice") is True,
    )
    return _text(file, "caption"), (attachment,)


def _place(message: Object) -> Content:
    spot = _object(message, "location")
    latitude, longitude = (str(spot.get(key, "")) for key in ("latitude", "longitude"))
    return "", (place(latitude, longitude, _text(spot, "name"), _text(spot, "address")),)


def _cards(message: Object) -> Content:
    return "", tuple(
        Attachment(
            "contact",
            "",
            name=_text(_object(card, "name"), "formatted_name"),
            text=", ".join(
                filter(
                    None,
                    (
                        _text(_object(card, "name"), "formatted_name"),
                        *(_text(phone, "phone") for phone in _objects(card, "phones")),
                        *(_text(mail, "email") for mail in _objects(card, "emails")),
                    ),
                )
            ),
        )
        for card in _objects(message, "contacts")
    )


def _order(message: Object) -> Content:
    order = _object(message, "order")
    lines = [
        f"{item.get('quantity', 1)} x {item.get('product_retailer_id', '?')}"
        f" ({item.get('item_price', '?')} {item.get('currency', '')})"
        for item in _objects(order, "product_items")
    ]
    return "\n".join(part for part in (_text(order, "text"), *lines) if part), ()


def _other(message: Object) -> Content:
    kind = _text(_object(message, "unsupported"), "type") or _text(message, "type") or "unknown"
    return "", (Attachment("other", "", text=kind),)


FILE_KINDS: Mapping[str, Literal["image", "audio", "video", "file"]] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "document": "file",
    "sticker": "image",
}
CONTENTS: Mapping[str, Callable[[Object], Content]] = {
    "text": _words,
    **dict.fromkeys(FILE_KINDS, _file),
    "location": _place,
    "contacts": _cards,
    "order": _order,
}
SPECIAL: Mapping[str, Callable[[Object, str, str, Mapping[str, str], float], Iterator[Fact]]] = {
    "interactive": _pressed,
    "button": _pressed,
    "reaction": _reacted,
    "edit": _edited,
    "system": _system,
}


def _around(message: Object) -> Mapping[str, str]:
    """What belongs to a message besides its text: what it answers, whether it was passed on, which ad led here."""
    context, referral = _object(message, "context"), _object(message, "referral")
    forwarded = context.get("forwarded") is True or context.get("frequently_forwarded") is True
    return _known(
        {
            "reply_to": _text(context, "id"),
            "product": _text(_object(context, "referred_product"), "product_retailer_id"),
            "forwarded": "true" if forwarded else "",
            "referral": _text(referral, "headline") or _text(referral, "body"),
            "referral_url": _text(referral, "source_url"),
        }
    )


def _ids(contact: Object) -> list[str]:
    return [key for key in (_text(contact, "wa_id"), _text(contact, "user_id")) if key]


def _time(item: Object, now_s: float) -> float:
    """Epoch seconds, which Meta writes as text."""
    text = str(item.get("timestamp", ""))
    return float(text) if text.isascii() and text.isdigit() else now_s


def _known(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _object(item: Object, key: str) -> Object:
    value = item.get(key)
    return value if isinstance(value, Mapping) else {}


def _objects(item: Object, key: str) -> Iterator[Object]:
    value = item.get(key)
    return (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else iter(())


def _text(item: Object, key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""
