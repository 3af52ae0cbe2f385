"""How a message is meant: a yes, a no, a question about rules, a change, told from its words. Pure.

English, German and Spanish; yes and no in Arabic too. Every reader takes folded text.
"""

from __future__ import annotations

import re

from server.tools.dates import fold

YES_WORDS = 7  # a longer message says more than yes


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern out of several."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_YES = any_of(
    r"^(?:oh |ok |okay |great |well |so )*(?:yes|yeah|yep|yup|ya|sure|ok|okay|okey|alright|all right|right|correct|"
    r"exactly|perfect|great|"
    r"absolutely|definitely|certainly|of course|go ahead|please do|do it|do that|book it|that works|works for me|"
    r"sounds good|"
    r"looks good|fine|that's fine|confirm(?:ed)?|i confirm|agreed|deal|y)\b",
    r"^(?:ja|jo|jawohl|jep|klar|gern|gerne|passt|genau|richtig|einverstanden|in ordnung|natuerlich|naturlich|"
    r"bitte (?:buchen|machen)|"
    r"stimmt|perfekt|mach das|machen sie das|bestatige|bestatigt|abgemacht)\b",
    r"^(?:si|vale|claro|de acuerdo|correcto|perfecto|exacto|por supuesto|adelante|confirmo|confirmado|confirmar|"
    r"genial|esta bien|bueno)\b",
    *(
        rf"^{fold(word)}(?!\w)"
        for word in ("نعم", "أجل", "ايوه", "أيوا", "تمام", "موافق", "طبعا", "أكيد", "حسنا", "أؤكد")
    ),
    r"^(?:👍|✅|👌|🆗|☑|✔)",
)
_NO = any_of(
    r"^(?:no|nope|nah|not (?:that|now|yet|really|ok|okay)|don't|do not|please don't|n|wrong|stop|rather not)\b",
    r"^(?:nein|nee|ne|nicht|lieber nicht|doch nicht|falsch|nö)\b",
    r"^(?:mejor no|no gracias)\b",
    *(rf"^{fold(word)}(?!\w)" for word in ("لا", "كلا", "ليس")),
    r"^(?:👎|❌|🚫|✖)",
)
_BUT = re.compile(r"\?|\b(?:but|aber|pero|only if|nur wenn|not|nicht|instead|stattdessen|wait|warte|espera|except)\b")
_CANCEL = any_of(
    r"\b(?:never ?mind|forget (?:it|that|about it)|leave it|drop it|changed my mind|don't (?:bother|book|want)|"
    r"no longer (?:need|want)|"
    r"call it off|cancel (?:that|it|this|the booking|the appointment|please)|please cancel)\b|^cancel[.! ]*$|"
    r"^stop[.! ]*$",
    r"\b(?:vergiss es|vergessen sie es|doch nicht|lass es|lassen sie es|hat sich erledigt|will ich nicht mehr|"
    r"brich ab)\b|^abbrechen\b|^abbruch\b",
    r"\b(?:olvidalo|olvidelo|dejalo|dejelo|ya no (?:quiero|hace falta|lo necesito)|mejor no)\b|^cancelar[.! ]*$|"
    r"^cancela(?:lo)?\b",
    *(fold(word) for word in ("إلغاء", "الغاء", "انس الأمر")),
)


def says_yes(text: str) -> bool:
    """A plain yes and nothing else: no condition, no question, few words."""
    return bool(_YES.search(text)) and not _BUT.search(text) and len(text.split()) <= YES_WORDS


_THANKS = r"(?: (?:please|thanks|thank you|bitte|danke|vielen dank|por favor|gracias|" + fold("شكرا") + r"))?"
_BARE = {
    "yes": re.compile(
        r"(?:yes|yeah|yep|yup|ya|y|sure|of course|correct|exactly|ja|jo|jep|jawohl|klar|genau|gerne?|stimmt|si|claro|"
        rf"correcto|exacto|por supuesto|{fold('نعم')}|{fold('أجل')}|👍)"
        rf"(?: (?:yes|ja|si))?{_THANKS}"
    ),
    "no": re.compile(
        rf"(?:no|nope|nah|not really|nein|nee|ne|{fold('لا')}|👎)(?: (?:no|nein|please|bitte|por favor))?"
    ),
    "no thanks": re.compile(
        r"(?:no|nope|nein|nee)(?: (?:thanks|thank you|thx|danke|vielen dank|gracias|muchas gracias)| that's all| "
        r"das ist alles| eso es todo)+"
    ),
    "ok": re.compile(
        rf"(?:ok|okay|okey|k|alright|all right|fine|in ordnung|alles klar|gut|vale|de acuerdo|bueno|{fold('تمام')}|"
        rf"{fold('حسنا')}|👌|🆗)(?: (?:ok|then|gut|dann))?{_THANKS}"
    ),
}


def bare_answer(text: str) -> str:
    """``yes``, ``no``, ``no thanks`` or ``ok`` when a message is nothing else, empty otherwise."""
    words = " ".join(re.sub(r"[.,!;:…]", " ", text).split())
    return next((kind for kind, pattern in _BARE.items() if pattern.fullmatch(words)), "")


def says_no(text: str) -> bool:
    """The message begins with a no."""
    return bool(_NO.search(text))


def calls_off(text: str) -> bool:
    """What was being arranged is not wanted any more."""
    return bool(_CANCEL.search(text))


_ABOUT_RULES = any_of(
    # English: prices, lengths, permissions, conditions, procedures
    r"\bhow (?:long|much|many|soon|often|far|late|early|old|big|full|do|does|can|could|would|should|is (?:the|"
    r"your)|are|about)\b",
    r"\bwhat(?:'s| is| are| was)? (?:the |your )?(?:price|cost|fee|charge|postage|deadline|policy|difference|"
    r"opening|address|freight)\b",
    r"\bwhat (?:do|does|would|should|happens|if|kind|sort|days?|becomes|can|must|shoes|time do(?:es)?)\b|"
    r"\bwhat's (?:needed|included|the)\b",
    r"\bwhat are (?:the |your )",
    r"\b(?:until|till|by|from|since) (?:when|what time)\b|\bwhy\b|\bwho\b|\bwhich (?:day|days|date|address|floor|"
    r"of|tier|one)\b",
    r"\bwhen (?:do|does|did|are|is|will|can|could|should) (?:you|your|the (?:shop|showroom|workshop|money|price|"
    r"sale))\b",
    r"\b(?:do|must|should|would) (?:i|we) (?:need|have|be|bring|pay|lose|get)\b|\bmust (?:i|we)\b|"
    r"\bdo i (?:still )?get\b",
    r"\b(?:allowed|permitted|possible|old enough|in general|generally|usually|normally|typically|hypothetically|"
    r"suppose|policy)\b",
    r"\b(?:if|unless|once|after|before) (?:i|we|you|my|your|it|something|someone|one)\b|\bwhat if\b|\bin case\b",
    r"\bdo you have (?!time|room for|space for|(?:a |an |any |some )?(?:free |open )?"
    r"(?:time|slots?|spots?|appointments?|openings?|anything)\b)",
    r"\bdo you (?:ship|deliver|offer|take|accept|do|send|run|keep|ever|also|give|charge)\b|\bare (?:you|"
    r"your) (?:open|closed|shops?)\b",
    r"\bis (?:it|that|this|there) (?:a |an |any )?(?:fine|ok|okay|normal|problem|late|free|charge|fee|lift|parking|"
    r"way|possib)",
    # German
    r"\bbrauche(?:n|st)? (?:ich|man|wir)\b|\bwie (?:lange?|viel\w*|oft|weit|teuer|gross|hoch|alt|kann|konnte|muss|"
    r"komme\w*|"
    r"funktioniert|geht das|lauft|bucht|"
    r"bekomme|fruh|spat)\b",
    r"\b(?:ab wann|bis wann|ab welche[mnr]|welche[rsnm]?|warum|wieso|weshalb|wer)\b",
    r"\bwas (?:kostet|passiert|muss|ist(?! (?:denn |nur )*mit (?:mein|unser))|wenn|zahle|brauche|soll)\b",
    r"\b(?:muss|mussen|soll|sollte|darf|durfen|durfte|durften) (?:ich|wir|man|mein\w*)\b|\b(?:falls|angenommen|"
    r"erlaubt|moglich|grundsatzlich|normalerweise)\b",
    r"\bwenn (?:ich|wir|man|etwas|die|der|das|sie|ihr|mein\w*)\b",
    # Spanish
    r"\b(?:cuanto|cuanta|cuantos|cuantas|por que|quien|quienes|cual|cuales|que (?:dias?|pasa(?! con mi)|coste|"
    r"precio|horario|"
    r"tengo|debo|hace falta|ocurre|numero))\b",
    r"\bcomo (?:puedo|se|podemos|hago|funciona|reservo)\b|\bhasta (?:que|cuando)\b|\b(?:tengo|tenemos|hay) que\b|"
    r"\bse puede\b|\bes posible\b",
    r"\b(?<!ver )si (?:no |me |lo |la )?(?:quiero|devuelvo|cancelo|compro|pido|llega|hay|tengo)\b|\bpermitid|"
    r"\bnormalmente\b|\ben general\b",
)
_HYPOTHETICAL = any_of(
    r"\b(?:if|suppose|in case|once|after) (?:i|we) (?!am right|remember|recall|may|might|could ask)",
    r"\bwhat (?:happens|if)\b|\b(?:falls|wenn) (?:ich|wir)\b|\bsi (?:yo |lo |la )?(?:cancelo|devuelvo|cambio|"
    r"quiero)\b|\bhypothetically\b",
)
_CHANGE = any_of(
    r"\b(?:cancel|change|modify|amend|return|exchange|swap|refund|send back|add (?:a|an|another|something|one)|"
    r"remove|update) "
    r"(?:the |my |our |this |that |address|order|item|size|colour|color|it|them|something|from|to|mp)",
    r"\b(?:can|could|may|would|want to|like to|need to|have to|must|please|let me) (?:i |you |we |"
    r"please )?(?:cancel|return|exchange|swap|change|refund)\b",
    r"\b(?:stornier\w*|umtausch\w*|zuruckschick\w*|zuruckgeb\w*|zuruckgeben|widerruf\w*|andern|abandern|absagen|"
    r"verschieben)\b",
    r"\b(?:cancelar|anular|devolver|cambiar|modificar)\b|\breschedul\w*|\bmove (?:my|our|the) (?:booking|"
    r"appointment|visit|slot)\b",
)


def asks_about_rules(text: str) -> bool:
    """A question about prices, rules, lengths or possibilities: knowledge answers it."""
    return bool(_ABOUT_RULES.search(text))


def hypothetical(text: str) -> bool:
    """The message plays something through instead of asking for it."""
    return bool(_HYPOTHETICAL.search(text))


def wants_change(text: str) -> bool:
    """Something that exists shall be cancelled, changed or sent back: no look-up and no new booking."""
    return bool(_CHANGE.search(text))


_NO_CODE = any_of(
    r"\b(?:no|not|n't|never|new|another|again|resend|send)\b.{0,30}\b(?:code|mail|e-?mail)\b|\b(?:code|mail|"
    r"e-?mail)\b.{0,30}\b(?:not|n't|never|again|expired)\b|\b(?:resend|send (?:it )?again)\b",
    r"\b(?:kein\w*|neue[nr]?|noch ?mal|nochmals|erneut|nicht)\b.{0,30}\b(?:code|mail|e-?mail)\b|\b(?:code|mail|"
    r"e-?mail)\b.{0,30}\b(?:nicht|noch ?mal|erneut|abgelaufen)\b",
    r"\b(?:no|ningun|otro|nuevo)\b.{0,30}\b(?:codigo|correo)\b|\b(?:codigo|correo)\b.{0,30}\b(?:no|otra vez|"
    r"caducad\w)\b|\breenvia\w*\b",
)
_UNKNOWN_NUMBER = any_of(
    r"\b(?:don't|do not|dont|can't|cannot|cant|lost|forgot|no idea|not sure|haven't)\b.{0,30}\b(?:have|know|find|"
    r"number|remember|it|mail)\b",
    r"\b(?:keine|weiss|finde|habe)\b.{0,30}\b(?:nummer|nicht|ahnung|bestellnummer)\b|\bkeine ahnung\b",
    r"\bno (?:lo |la )?(?:se|tengo|encuentro|recuerdo)\b",
)


def misses_code(text: str) -> bool:
    """The code did not come, or another one is wanted."""
    return bool(_NO_CODE.search(text))


def misses_number(text: str) -> bool:
    """The customer does not know the order number."""
    return bool(_UNKNOWN_NUMBER.search(text))


def is_question(question: str) -> bool:
    """Whether the message asks something, so that it is no answer to what we asked."""
    return "?" in question or asks_about_rules(fold(question))
