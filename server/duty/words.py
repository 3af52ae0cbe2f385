"""What the desk says to customers about people and hours, in the language their page was opened in."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

FALLBACK: Final = "en"


class Saying(StrEnum):
    """The occasions."""

    SHUT = "shut"
    SHUT_UNTIL = "shut_until"
    LEAVE_EMAIL = "leave_email"
    EMAIL_KEPT = "email_kept"
    NEXT = "next"
    QUEUED = "queued"
    CLAIMED = "claimed"
    CLAIMED_SOMEBODY = "claimed_somebody"


_TEXTS: Final[dict[str, dict[Saying, str]]] = {
    "en": {
        Saying.SHUT: "Nobody is here right now. Leave your message: it is kept, and a person answers it here.",
        Saying.SHUT_UNTIL: "Nobody is here right now; we are back {when}. Leave your message: it is kept, and a person "
        "answers it here.",
        Saying.LEAVE_EMAIL: "If you write your e-mail address here too, we can reach you when this page is closed.",
        Saying.EMAIL_KEPT: "Thank you, your e-mail address is noted for our answer.",
        Saying.NEXT: "A person has been asked to join. You are next.",
        Saying.QUEUED: "A person has been asked to join. You are number {place} in the queue.",
        Saying.CLAIMED: "{name} from our team has joined and answers you from here on.",
        Saying.CLAIMED_SOMEBODY: "Somebody from our team has joined and answers you from here on.",
    },
    "de": {
        Saying.SHUT: "Gerade ist niemand da. Hinterlassen Sie Ihre Nachricht: Sie bleibt gespeichert, und ein Mensch "
        "antwortet Ihnen hier.",
        Saying.SHUT_UNTIL: "Gerade ist niemand da; wir sind {when} wieder hier. Hinterlassen Sie Ihre Nachricht: Sie "
        "bleibt gespeichert, und ein Mensch antwortet Ihnen hier.",
        Saying.LEAVE_EMAIL: "Wenn Sie auch Ihre E-Mail-Adresse hier schreiben, erreichen wir Sie, wenn diese Seite "
        "geschlossen ist.",
        Saying.EMAIL_KEPT: "Danke, Ihre E-Mail-Adresse ist für unsere Antwort notiert.",
        Saying.NEXT: "Ein Mensch wurde dazugebeten. Sie sind als Nächstes dran.",
        Saying.QUEUED: "Ein Mensch wurde dazugebeten. Sie sind auf Platz {place} der Warteschlange.",
        Saying.CLAIMED: "{name} aus unserem Team ist jetzt da und antwortet Ihnen ab hier.",
        Saying.CLAIMED_SOMEBODY: "Jemand aus unserem Team ist jetzt da und antwortet Ihnen ab hier.",
    },
    "es": {
        Saying.SHUT: "Ahora mismo no hay nadie. Deje su mensaje: queda guardado y una persona le responderá aquí.",
        Saying.SHUT_UNTIL: "Ahora mismo no hay nadie; volvemos {when}. Deje su mensaje: queda guardado y una persona "
        "le responderá aquí.",
        Saying.LEAVE_EMAIL: "Si escribe aquí también su correo electrónico, podremos responderle aunque cierre esta "
        "página.",
        Saying.EMAIL_KEPT: "Gracias, hemos anotado su correo electrónico para responderle.",
        Saying.NEXT: "Se ha avisado a una persona. Usted es el siguiente.",
        Saying.QUEUED: "Se ha avisado a una persona. Es el número {place} de la cola.",
        Saying.CLAIMED: "{name}, de nuestro equipo, se ha incorporado y le atiende a partir de ahora.",
        Saying.CLAIMED_SOMEBODY: "Una persona de nuestro equipo se ha incorporado y le atiende a partir de ahora.",
    },
    "ar": {
        Saying.SHUT: "لا يوجد أحد الآن. اترك رسالتك: ستبقى محفوظة وسيجيبك أحد الموظفين هنا.",
        Saying.SHUT_UNTIL: "لا يوجد أحد الآن؛ سنعود {when}. اترك رسالتك: ستبقى محفوظة وسيجيبك أحد الموظفين هنا.",
        Saying.LEAVE_EMAIL: "إذا كتبت بريدك الإلكتروني هنا أيضًا يمكننا الوصول إليك بعد إغلاق هذه الصفحة.",
        Saying.EMAIL_KEPT: "شكرًا، تم تسجيل بريدك الإلكتروني للرد عليك.",
        Saying.NEXT: "تم إبلاغ أحد الموظفين. أنت التالي.",
        Saying.QUEUED: "تم إبلاغ أحد الموظفين. رقمك في الطابور {place}.",
        Saying.CLAIMED: "انضم {name} من فريقنا وسيجيبك من الآن فصاعدًا.",
        Saying.CLAIMED_SOMEBODY: "انضم أحد أعضاء فريقنا وسيجيبك من الآن فصاعدًا.",
    },
}
_DAYS: Final[dict[str, tuple[str, ...]]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "ar": ("الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد"),
}
_MOMENTS: Final[dict[str, tuple[str, str, str, str]]] = {  # today, tomorrow, within a week, later
    "en": ("today at {time}", "tomorrow at {time}", "on {day} at {time}", "on {date} at {time}"),
    "de": ("heute um {time} Uhr", "morgen um {time} Uhr", "am {day} um {time} Uhr", "am {date} um {time} Uhr"),
    "es": ("hoy a las {time}", "mañana a las {time}", "el {day} a las {time}", "el {date} a las {time}"),
    "ar": ("اليوم الساعة {time}", "غدًا الساعة {time}", "يوم {day} الساعة {time}", "بتاريخ {date} الساعة {time}"),
}
_WEEK: Final = 7  # days


def say(saying: Saying, language: str, **values: str) -> str:
    """The text of a saying; a language without a catalogue gets English."""
    return _TEXTS[_known(language)][saying].format(**values)


def moment_text(at_s: float, now_s: float, zone: ZoneInfo, language: str) -> str:
    """A moment to come as people say it, on the desk's own clock, with its time zone."""
    language = _known(language)
    at, now = datetime.fromtimestamp(at_s, zone), datetime.fromtimestamp(now_s, zone)
    days = (at.date() - now.date()) // timedelta(days=1)
    pattern = _MOMENTS[language][min(days, 2) if days < _WEEK else 3]
    text = pattern.format(time=f"{at:%H:%M}", day=_DAYS[language][at.weekday()], date=at.date().isoformat())
    return f"{text} ({at.tzname()})"


def _known(language: str) -> str:
    tag = language.partition("-")[0].lower()
    return tag if tag in _TEXTS else FALLBACK
