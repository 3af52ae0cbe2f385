"""From Twilio's form fields to facts; pure. A record of the Messages list becomes the same fields first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from channels.base import Rejected
from channels.message import Attachment, Fact, Inbound, Pressed, Reacted, Status
from channels.whatsapp.common import NAME, address_of, consent_of, kind_of, mood, place
from channels.whatsapp.twilio_errors import meaning, status_code

Form = Mapping[str, str]
PREFIX = "whatsapp:"
FILES = 10  # most files of one message
STATES: Mapping[str, Literal["sent", "delivered", "read", "failed"]] = {
    "accepted": "sent",  # Twilio has it: that settles an unknown send, like its answer to the send would
    "queued": "sent",
    "sending": "sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}


def normalize(form: Form, account: str, numbers: Mapping[str, str], now_s: float) -> Sequence[Fact]:
    """The facts of one webhook; ``numbers`` maps our senders to their accounts, ``account`` is for any other.

    A form that is neither a WhatsApp message nor a status gives none; raises Rejected(422) for a message without id.
    """
    if "MessageStatus" in form:
        return _status(form, numbers.get(form.get("From", ""), account), now_s)
    if not form.get("From", "").startswith(PREFIX):
        return ()
    external_id = form.get("MessageSid") or form.get("SmsSid")
    if not external_id:
        raise Rejected(422, "the message has no MessageSid")
    return _message(form, external_id, numbers.get(form.get("To", ""), account), now_s)


def form_of(record: Any, files: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The webhook fields of a record of the Messages list; ``files`` are (address, type)."""
    form = {
        "MessageSid": str(record.sid),
        "From": str(record.from_),
        "To": str(record.to),
        "Body": str(record.body or ""),
        "NumMedia": str(len(files)),
    }
    for number, (url, mime) in enumerate(files):
        form[f"MediaUrl{number}"], form[f"MediaContentType{number}"] = url, mime
    return form


def _status(form: Form, account: str, now_s: float) -> Sequence[Fact]:
    state = STATES.get(form["MessageStatus"].lower())
    provider_id = form.get("MessageSid") or form.get("SmsSid", "")
    part_id = form.get("part", "")
    if state is None or not (provider_id or part_id):
        return ()
    failed = state == "failed"
    error = _number(form.get("ErrorCode", ""))
    words = form.get("ErrorMessage") or form.get("ChannelStatusMessage", "")
    return (
        Status(
            NAME,
            account,
            state,
            now_s,
            part_id=part_id,
            provider_id=provider_id,
            code=status_code(error) if failed else "",
            detail=meaning(error, words) if failed else "",
        ),
    )


def _message(form: Form, external_id: str, account: str, now_s: float) -> Sequence[Fact]:
    address = address_of(form["From"])
    route = {"to": form["From"], "message": external_id}
    payload = form.get("ButtonPayload") or form.get("ListId")
    body = form.get("Body", "")
    if payload:
        label = form.get("ButtonText") or form.get("ListTitle") or body
        return (Pressed(NAME, account, address, address, payload, external_id, now_s, label, route),)
    replied = form.get("OriginalRepliedMessageSid", "")
    if form.get("MessageType") == "reaction" and replied:
        return (Reacted(NAME, account, address, address, replied, mood(body), external_id),)
    attachments = _attachments(form)
    text = body or form.get("ButtonText", "")
    if not text.strip() and not attachments:
        return ()  # nothing was said
    inbound = Inbound(
        NAME,
        account,
        address,
        external_id,
        text,
        now_s,
        name=form.get("ProfileName", ""),
        attachments=attachments,
        profile=_known({"wa_id": form.get("WaId", "")}),
        echo=_echo(form),
        route=route,
    )
    return (consent_of(inbound, form.get("OptOutType", "")),)


def _attachments(form: Form) -> tuple[Attachment, ...]:
    found = [_file(form, number) for number in range(min(_number(form.get("NumMedia", "")), FILES))]
    if form.get("Latitude") and form.get("Longitude"):
        found.append(place(form["Latitude"], form["Longitude"], form.get("Label", ""), form.get("Address", "")))
    kind = form.get("MessageType", "text")
    if not found and not form.get("Body") and kind not in {"text", "button", "interactive"}:
        found.append(Attachment("other", "", text=kind))  # a kind Twilio names and does not carry
    return tuple(found)


def _file(form: Form, number: int) -> Attachment:
    mime = form.get(f"MediaContentType{number}", "")
    # Twilio says no more than audio; WhatsApp's own recorder makes Ogg
    return Attachment(kind_of(mime), form.get(f"MediaUrl{number}", ""), mime=mime, voice=mime.startswith("audio/ogg"))


def _echo(form: Form) -> Mapping[str, str]:
    """What belongs to a message besides its text: what it answers, whether it was passed on, which ad led here."""
    forwarded = "true" in {form.get("Forwarded", "").lower(), form.get("FrequentlyForwarded", "").lower()}
    return _known(
        {
            "reply_to": form.get("OriginalRepliedMessageSid", ""),
            "forwarded": "true" if forwarded else "",
            "referral": form.get("ReferralHeadline") or form.get("ReferralBody", ""),
            "referral_url": form.get("ReferralSourceUrl", ""),
        }
    )


def _known(values: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in values.items() if value}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < FILES else 0
