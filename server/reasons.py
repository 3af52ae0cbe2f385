"""What was wrong with an answer that got a thumb down: asked once per answer on platforms, answered with one tap.

Customers of the web choose a reason in the widget; elsewhere a short message with buttons follows the thumb. Nobody is
asked while staff hold the conversation: two voices at a time would be one too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from channels.base import pulls
from server.buttons import REASONS, Reason
from server.conversation import Status
from server.store.contract import Tx
from server.timeline import Timeline

BODY: Final = "reasons"  # in a notice's body: the message that it asks about
HELD: Final = frozenset({Status.CLAIMED, Status.CLOSED})
_WORDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "en": ("What was wrong with this answer?", ("Wrong", "Outdated", "Unclear", "Rude", "Something else")),
    "de": ("Was war an dieser Antwort nicht gut?", ("Falsch", "Veraltet", "Unklar", "Unhöflich", "Etwas anderes")),
    "es": ("¿Qué falló en esta respuesta?", ("Incorrecta", "Anticuada", "Poco clara", "Grosera", "Otra cosa")),
    "ar": ("ما المشكلة في هذه الإجابة؟", ("خاطئة", "قديمة", "غير واضحة", "غير مهذبة", "شيء آخر")),
}


def labels(language: str) -> Mapping[Reason, str]:
    """What the buttons say, English where the language is not known."""
    return dict(zip(REASONS, _of(language)[1], strict=True))


def question(language: str) -> str:
    """The words above the buttons."""
    return _of(language)[0]


async def ask(tx: Tx, timeline: Timeline, message_id: str) -> bool:
    """Ask what was wrong with an answer of a locked conversation, once; the caller saves it. Returns whether it did."""
    silent = timeline.opted_out_at is not None or timeline.blocked_at is not None
    if pulls(timeline.channel) or silent or timeline.state.status in HELD:
        return False
    place = {"tenant": timeline.tenant, "conversation_id": timeline.id}
    if await tx.row("routing.ask_reason", message_id=message_id, now=tx.now_s, **place) is None:
        return False
    await timeline.say("notice", question(timeline.language), extra={BODY: message_id})
    return True


def _of(language: str) -> tuple[str, tuple[str, ...]]:
    return _WORDS.get(language.partition("-")[0].lower(), _WORDS["en"])
