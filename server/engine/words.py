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
    IMAGE_UNREADABLE = "image_unreadable"
    FILE_UNREADABLE = "file_unreadable"
    FILE_UNAVAILABLE = "file_unavailable"
    VOICE_UNAVAILABLE = "voice_unavailable"
    TOO_LARGE = "too_large"
    FILE_TYPE = "file_type"
    NOTHING_READABLE = "nothing_readable"
    TALK_TO_PERSON = "talk_to_person"  # the label of a button
    PERSON_LOOKS = "person_looks"
    TOOL_FAILED = "tool_failed"
    TOOL_UNKNOWN = "tool_unknown"  # it may have worked, and nobody can say
    APPROVAL = "approval"
    REQUEST_OVER = "request_over"
    CONFIRM = "confirm"


_TEXTS: dict[str, dict[Notice, str]] = {
    "en": {
        Notice.PERSON_LOOKS: "I'd rather not guess here. A person has been asked to look at this and will answer you.",
        Notice.TOOL_FAILED: "Sorry, that did not work just now. Please try again in a few minutes, or ask for a "
        "person.",
        Notice.TOOL_UNKNOWN: "Sorry, I could not find out whether that worked. Please do not repeat it: a person has "
        "been "
        "asked to check, and will tell you here.",
        Notice.APPROVAL: "A person has to approve this first. It has been passed on, and you will hear of it here.",
        Notice.REQUEST_OVER: "That question is no longer open, so nothing was done. Please tell me again what you "
        "need.",
        Notice.CONFIRM: "Shall I do this?",
        Notice.LOADING: "The assistant is just starting. Your message is saved and will be answered in a moment.",
        Notice.BUSY: "Many people are writing right now. Your message is saved and will be answered soon.",
        Notice.MODEL_DOWN: "Sorry, the assistant cannot answer at the moment. A person has been asked to look at this, "
        "and the answer still comes here if the assistant recovers first.",
        Notice.TOO_LONG: "That message is too long for the assistant. Please send the important part in fewer words.",
        Notice.STOPPED: "Stopped.",
        Notice.PARKED: "Sorry, this message could not be processed. A person has been asked to look at it.",
        Notice.TALK_TO_PERSON: "Talk to a person",
        Notice.IMAGE_UNREADABLE: "Sorry, I can't look at pictures yet. Please describe in words what it shows, or ask "
        "for a person: they can see it.",
        Notice.FILE_UNREADABLE: "Sorry, I can't open this file. Please write what matters in it, or ask for a person: "
        "they can see it.",
        Notice.FILE_UNAVAILABLE: "Sorry, I could not get your file. Please send it again, or write what matters in it.",
        Notice.VOICE_UNAVAILABLE: "Sorry, I can't listen to voice messages yet. Please write it instead, or ask for a "
        "person.",
        Notice.TOO_LARGE: "Sorry, this file is too large for me. Please send a smaller one, or write what matters "
        "in it.",
        Notice.FILE_TYPE: "Sorry, I can't accept files of this kind. Please write what matters in it, or send another "
        "kind of file.",
        Notice.NOTHING_READABLE: "Sorry, I could not find any text in your message. Please write it in words, or ask "
        "for a person.",
    },
    "de": {
        Notice.PERSON_LOOKS: "Hier möchte ich lieber nicht raten. Ein Mensch wurde gebeten, sich das anzusehen, und "
        "antwortet Ihnen.",
        Notice.TOOL_FAILED: "Das hat gerade leider nicht geklappt. Bitte versuchen Sie es in ein paar Minuten noch "
        "einmal, oder fragen Sie nach einem Menschen.",
        Notice.TOOL_UNKNOWN: "Ich konnte leider nicht herausfinden, ob das geklappt hat. Bitte wiederholen Sie es "
        "nicht: "
        "Ein Mensch wurde gebeten, es zu prüfen, und meldet sich hier.",
        Notice.APPROVAL: "Das muss erst ein Mensch freigeben. Es ist weitergegeben, und Sie hören hier davon.",
        Notice.REQUEST_OVER: "Diese Frage ist nicht mehr offen, es wurde also nichts getan. Bitte sagen Sie mir noch "
        "einmal, was Sie brauchen.",
        Notice.CONFIRM: "Soll ich das tun?",
        Notice.LOADING: "Der Assistent startet gerade. Ihre Nachricht ist gespeichert und wird gleich beantwortet.",
        Notice.BUSY: "Gerade schreiben viele Menschen. Ihre Nachricht ist gespeichert und wird bald beantwortet.",
        Notice.MODEL_DOWN: "Der Assistent kann im Moment leider nicht antworten. Ein Mensch wurde gebeten, sich das "
        "anzusehen; erholt sich der Assistent vorher, kommt seine Antwort hier an.",
        Notice.TOO_LONG: "Diese Nachricht ist zu lang für den Assistenten. Bitte senden Sie das Wichtige in weniger "
        "Worten.",
        Notice.STOPPED: "Angehalten.",
        Notice.PARKED: "Diese Nachricht konnte leider nicht verarbeitet werden. Ein Mensch sieht sie sich an.",
        Notice.TALK_TO_PERSON: "Mit einem Menschen sprechen",
        Notice.IMAGE_UNREADABLE: "Bilder kann ich leider noch nicht ansehen. Bitte beschreiben Sie in Worten, was zu "
        "sehen ist, oder fragen Sie nach einem Menschen: der kann es sehen.",
        Notice.FILE_UNREADABLE: "Diese Datei kann ich leider nicht öffnen. Bitte schreiben Sie, worum es darin geht, "
        "oder fragen Sie nach einem Menschen: der kann sie sehen.",
        Notice.FILE_UNAVAILABLE: "Ihre Datei ist leider nicht angekommen. Bitte senden Sie sie noch einmal, oder "
        "schreiben Sie, worum es geht.",
        Notice.VOICE_UNAVAILABLE: "Sprachnachrichten kann ich leider noch nicht anhören. Bitte schreiben Sie "
        "stattdessen, oder fragen Sie nach einem Menschen.",
        Notice.TOO_LARGE: "Diese Datei ist leider zu groß für mich. Bitte senden Sie eine kleinere, oder schreiben "
        "Sie, worum es darin geht.",
        Notice.FILE_TYPE: "Dateien dieser Art kann ich leider nicht annehmen. Bitte schreiben Sie, worum es darin "
        "geht, oder senden Sie eine andere Art von Datei.",
        Notice.NOTHING_READABLE: "In Ihrer Nachricht konnte ich leider keinen Text finden. Bitte schreiben Sie es in "
        "Worten, oder fragen Sie nach einem Menschen.",
    },
    "es": {
        Notice.LOADING: "El asistente se está iniciando. Su mensaje está guardado y se responderá enseguida.",
        Notice.BUSY: "Hay muchas personas escribiendo ahora. Su mensaje está guardado y se responderá pronto.",
        Notice.MODEL_DOWN: "Lo sentimos, el asistente no puede responder en este momento. Se ha pedido a una persona "
        "que "
        "lo revise, y la respuesta llegará aquí si el asistente se recupera antes.",
        Notice.TOO_LONG: "Ese mensaje es demasiado largo para el asistente. Envíe lo importante con menos palabras.",
        Notice.STOPPED: "Detenido.",
        Notice.PARKED: "Lo sentimos, no se pudo procesar este mensaje. Se ha pedido a una persona que lo revise.",
        Notice.TALK_TO_PERSON: "Hablar con una persona",
        Notice.IMAGE_UNREADABLE: "Lo siento, todavía no puedo ver imágenes. Describa con palabras lo que muestra, o "
        "pida "
        "hablar con una persona: ella puede verla.",
        Notice.FILE_UNREADABLE: "Lo siento, no puedo abrir este archivo. Escriba lo que importa de él, o pida hablar "
        "con "
        "una persona: ella puede verlo.",
        Notice.FILE_UNAVAILABLE: "Lo siento, no pude recibir su archivo. Envíelo otra vez, o escriba lo que importa.",
        Notice.VOICE_UNAVAILABLE: "Lo siento, todavía no puedo escuchar mensajes de voz. Escríbalo, o pida hablar "
        "con una "
        "persona.",
        Notice.TOO_LARGE: "Lo siento, este archivo es demasiado grande para mí. Envíe uno más pequeño, o escriba lo "
        "que "
        "importa de él.",
        Notice.FILE_TYPE: "Lo siento, no puedo aceptar archivos de este tipo. Escriba lo que importa de él, o envíe "
        "otro "
        "tipo de archivo.",
        Notice.NOTHING_READABLE: "Lo siento, no encontré texto en su mensaje. Escríbalo con palabras, o pida hablar "
        "con "
        "una persona.",
        Notice.PERSON_LOOKS: "Prefiero no adivinar. Se ha pedido a una persona que lo revise y le responderá.",
        Notice.TOOL_FAILED: "Lo siento, eso no ha funcionado ahora. Inténtelo de nuevo en unos minutos, o pida "
        "hablar con "
        "una persona.",
        Notice.TOOL_UNKNOWN: "Lo siento, no he podido averiguar si eso ha funcionado. No lo repita: se ha pedido a una "
        "persona que lo compruebe y se lo dirá aquí.",
        Notice.APPROVAL: "Una persona debe aprobarlo primero. Se ha pasado la solicitud y tendrá noticias aquí.",
        Notice.REQUEST_OVER: "Esa pregunta ya no está abierta, así que no se ha hecho nada. Dígame otra vez qué "
        "necesita.",
        Notice.CONFIRM: "¿Lo hago?",
    },
    "ar": {
        Notice.PERSON_LOOKS: "أفضل ألا أخمن هنا. طُلب من أحد الموظفين الاطلاع على الأمر وسيجيبك.",
        Notice.TOOL_FAILED: "عذرًا، لم ينجح ذلك الآن. يرجى المحاولة مرة أخرى بعد بضع دقائق، أو طلب التحدث إلى أحد "
        "الموظفين.",
        Notice.TOOL_UNKNOWN: "عذرًا، لم أتمكن من معرفة ما إذا كان ذلك قد نجح. يرجى عدم تكراره: طُلب من أحد الموظفين "
        "التحقق منه وسيخبرك هنا.",
        Notice.APPROVAL: "يجب أن يوافق أحد الموظفين على ذلك أولًا. تم تحويل الطلب وستصلك النتيجة هنا.",
        Notice.REQUEST_OVER: "لم يعد هذا السؤال مفتوحًا، ولذلك لم يُنفذ شيء. يرجى إخباري مرة أخرى بما تحتاج إليه.",
        Notice.CONFIRM: "هل أقوم بذلك؟",
        Notice.LOADING: "المساعد قيد التشغيل. تم حفظ رسالتك وستتم الإجابة عنها بعد لحظات.",
        Notice.BUSY: "يكتب الآن أشخاص كثيرون. تم حفظ رسالتك وستتم الإجابة عنها قريبًا.",
        Notice.MODEL_DOWN: "عذرًا، لا يستطيع المساعد الإجابة الآن. طُلب من أحد الموظفين الاطلاع على رسالتك، "
        "وستصلك الإجابة هنا إذا عاد المساعد قبل ذلك.",
        Notice.TOO_LONG: "هذه الرسالة أطول مما يستطيع المساعد قراءته. يرجى إرسال الجزء المهم بكلمات أقل.",
        Notice.STOPPED: "تم الإيقاف.",
        Notice.PARKED: "عذرًا، تعذرت معالجة هذه الرسالة. طُلب من أحد الموظفين الاطلاع عليها.",
        Notice.TALK_TO_PERSON: "التحدث إلى موظف",
        Notice.IMAGE_UNREADABLE: "عذرًا، لا أستطيع رؤية الصور بعد. يرجى وصف ما تظهره بالكلمات، أو طلب التحدث إلى "
        "أحد الموظفين، فهو يستطيع رؤيتها.",
        Notice.FILE_UNREADABLE: "عذرًا، لا أستطيع فتح هذا الملف. يرجى كتابة المهم فيه، أو طلب التحدث إلى أحد "
        "الموظفين، فهو يستطيع رؤيته.",
        Notice.FILE_UNAVAILABLE: "عذرًا، لم أتمكن من استلام ملفك. يرجى إرساله مرة أخرى أو كتابة المهم فيه.",
        Notice.VOICE_UNAVAILABLE: "عذرًا، لا أستطيع الاستماع إلى الرسائل الصوتية بعد. يرجى الكتابة بدلًا من ذلك، أو "
        "طلب التحدث إلى أحد الموظفين.",
        Notice.TOO_LARGE: "عذرًا، هذا الملف أكبر مما أستطيع استقباله. يرجى إرسال ملف أصغر أو كتابة المهم فيه.",
        Notice.FILE_TYPE: "عذرًا، لا أستطيع قبول هذا النوع من الملفات. يرجى كتابة المهم فيه أو إرسال نوع آخر.",
        Notice.NOTHING_READABLE: "عذرًا، لم أجد نصًا في رسالتك. يرجى كتابتها بالكلمات، أو طلب التحدث إلى أحد الموظفين.",
    },
}


def say(notice: Notice, language: str) -> str:
    """The text of a notice; a language without a catalogue gets English."""
    return _TEXTS.get(language.partition("-")[0].lower(), _TEXTS[FALLBACK])[notice]


_WISHES = frozenset(texts[Notice.TALK_TO_PERSON].casefold() for texts in _TEXTS.values())
_LONGEST_WISH = 2 * max(map(len, _WISHES))


def asks_for_person(text: str) -> bool:
    """Whether somebody typed what the button says, in any language: some platforms show it as words only."""
    return len(text) <= _LONGEST_WISH and text.strip(" \n\t•.!").casefold() in _WISHES
