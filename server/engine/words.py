"""What the service itself tells customers, in the language their page was opened in."""

from __future__ import annotations

from enum import StrEnum

FALLBACK = "en"


class Notice(StrEnum):
    """The occasions on which the service speaks for itself."""

    LOADING = "loading"
    BUSY = "busy"
    MODEL_DOWN = "model_down"
    TOO_LONG = "too_long"
    STOPPED = "stopped"
    PARKED = "parked"


_TEXTS: dict[str, dict[Notice, str]] = {
    "en": {
        Notice.LOADING: "The assistant is just starting. Your message is saved and will be answered in a moment.",
        Notice.BUSY: "Many people are writing right now. Your message is saved and will be answered soon.",
        Notice.MODEL_DOWN: "Sorry, the assistant cannot answer at the moment. A person has been asked to look at this, "
        "and the answer still comes here if the assistant recovers first.",
        Notice.TOO_LONG: "That message is too long for the assistant. Please send the important part in fewer words.",
        Notice.STOPPED: "Stopped.",
        Notice.PARKED: "Sorry, this message could not be processed. A person has been asked to look at it.",
    },
    "de": {
        Notice.LOADING: "Der Assistent startet gerade. Ihre Nachricht ist gespeichert und wird gleich beantwortet.",
        Notice.BUSY: "Gerade schreiben viele Menschen. Ihre Nachricht ist gespeichert und wird bald beantwortet.",
        Notice.MODEL_DOWN: "Der Assistent kann im Moment leider nicht antworten. Ein Mensch wurde gebeten, sich das "
        "anzusehen; erholt sich der Assistent vorher, kommt seine Antwort hier an.",
        Notice.TOO_LONG: "Diese Nachricht ist zu lang für den Assistenten. Bitte senden Sie das Wichtige in weniger "
        "Worten.",
        Notice.STOPPED: "Angehalten.",
        Notice.PARKED: "Diese Nachricht konnte leider nicht verarbeitet werden. Ein Mensch sieht sie sich an.",
    },
    "ar": {
        Notice.LOADING: "المساعد قيد التشغيل. تم حفظ رسالتك وستتم الإجابة عنها بعد لحظات.",
        Notice.BUSY: "يكتب الآن أشخاص كثيرون. تم حفظ رسالتك وستتم الإجابة عنها قريبًا.",
        Notice.MODEL_DOWN: "عذرًا، لا يستطيع المساعد الإجابة الآن. طُلب من أحد الموظفين الاطلاع على رسالتك، "
        "وستصلك الإجابة هنا إذا عاد المساعد قبل ذلك.",
        Notice.TOO_LONG: "هذه الرسالة أطول مما يستطيع المساعد قراءته. يرجى إرسال الجزء المهم بكلمات أقل.",
        Notice.STOPPED: "تم الإيقاف.",
        Notice.PARKED: "عذرًا، تعذرت معالجة هذه الرسالة. طُلب من أحد الموظفين الاطلاع عليها.",
    },
}


def say(notice: Notice, language: str) -> str:
    """The text of a notice; a language without a catalogue gets English."""
    return _TEXTS.get(language.partition("-")[0].lower(), _TEXTS[FALLBACK])[notice]
