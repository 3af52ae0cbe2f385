"""Messages that ask for nothing a document could hold: greetings, thanks, goodbyes, plain answers, talk about the chat.

English, German, Spanish and Arabic. PURE.
"""

from __future__ import annotations

import re

MOST_WORDS = 7  # of a message that can be courtesy only
_GREETINGS = (
    "hi|hello|hey|hiya|howdy|good morning|good afternoon|good evening|good day|greetings|morning|hallo|guten tag|"
    "guten morgen|guten abend|moin|servus|grüß gott|grüezi|hola|buenos días|buenas tardes|buenas noches|buenas|"
    "مرحبا|مرحبًا|أهلا|أهلًا|السلام عليكم|صباح الخير|مساء الخير"
)
_THANKS = (
    "thanks|thank you|thank u|thx|ty|cheers|much appreciated|danke|danke schön|dankeschön|vielen dank|besten dank|"
    "gracias|muchas gracias|mil gracias|شكرا|شكرًا|شكرا جزيلا"
)
_GOODBYES = (
    "bye|goodbye|bye bye|see you|see ya|good night|have a nice day|have a good one|tschüss|tschüs|auf wiedersehen|"
    "schönen tag noch|ciao|adiós|hasta luego|que tenga un buen día|مع السلامة|وداعا"
)
_PRAISE = (
    "great|perfect|awesome|cool|nice|wonderful|super|excellent|lovely|brilliant|that helps|that helped|"
    "that was helpful|very helpful|got it|i see|understood|all good|no problem|never mind|nevermind|alright|fine|"
    "toll|perfekt|prima|klasse|alles klar|verstanden|das hilft|genial|perfecto|estupendo|vale|entendido|de acuerdo|"
    "ممتاز|رائع|تمام|حسنا|حسنًا"
)
_ANSWERS = (
    "yes|yeah|yep|yup|sure|ok|okay|k|no|nope|nah|not really|please|yes please|no thanks|no thank you|correct|right|"
    "exactly|maybe|i don't know|ja|ja bitte|jep|nein|nein danke|genau|richtig|stimmt|bitte|vielleicht|sí|si|claro|"
    "no gracias|por favor|correcto|exacto|نعم|لا|من فضلك|ربما|test|ping|lol|haha|hm|hmm|hmmm|oh|ah|wow"
)
_FILLERS = (
    "there|everyone|all|team|again|so much|very much|a lot|for|your|the|help|quick|answer|reply|support|and|you|"
    "then|now|that|it|was|is|how|are|doing|today|dir|ihnen|euch|sehr|für|ihre|hilfe|die|antwort|nochmal|zusammen|"
    "wie|geht|es|por|tu|su|ayuda|la|respuesta|qué|tal|cómo|estás|está|y"
)
COURTESIES = frozenset(f"{_GREETINGS}|{_THANKS}|{_GOODBYES}|{_PRAISE}".split("|"))
ANSWERS = frozenset(_ANSWERS.split("|"))
_COURTESY = re.compile(
    rf"(?:(?:{_GREETINGS}|{_THANKS}|{_GOODBYES}|{_PRAISE}|{_ANSWERS}|{_FILLERS})[\s,.!?;:…-]*)+", re.IGNORECASE
)
_STARTS = re.compile(rf"(?:oh|ok|okay|and|{_GREETINGS}|{_THANKS}|{_GOODBYES}|{_PRAISE}|{_ANSWERS})\b", re.IGNORECASE)
ABOUT_US = re.compile(
    r"(?:(?:hi|hello|hey|ok|okay|so|and|but|wait)[\s,.!]+)?(?:"
    r"(?:who|what) are you|how are (?:you|things)(?: doing)?(?: today)?|"
    r"are you (?:a |an )?(?:real |actual )?(?:bot|robot|human|person|machine|ai|chatbot|"
    r"computer|real|there|still there|ok)(?: or (?:a )?(?:bot|robot|human|person|machine|ai))?|"
    r"what(?:'s| is) your name|"
    r"do you (?:have a name|understand(?: me)?|speak (?:english|german|spanish|arabic))|"
    r"can you (?:help(?: me)?|hear me|"
    r"repeat that|say that again|understand me)|what can you do|what did (?:i|you) (?:just )?(?:say|ask|write)|"
    r"what do you mean|why do you (?:say|ask) that|repeat that|say that again(?: please)?|are you sure|"
    r"i (?:have|'ve got|got) (?:a |another |one more )?(?:quick )?question|i need (?:some )?help|"
    r"help(?: me)?(?: please)?|"
    r"(?:that's|that is|this is) (?:wrong|not true|not what i asked|not helpful|nonsense)|"
    r"you are (?:wrong|useless|great)|"
    r"wer (?:bist du|sind sie)|(?:bist du|sind sie) ein (?:mensch|bot|roboter)|was kannst du|wie heißt du|"
    r"ich habe eine frage|kannst du mir helfen|können sie mir helfen|was meinst du|"
    r"quién eres|eres (?:un |una )?(?:bot|robot|persona|humano)|cómo te llamas|tengo una pregunta|puedes ayudarme|"
    r"me puede ayudar|qué puedes hacer|من أنت|هل أنت روبوت|ما اسمك|لدي سؤال|هل يمكنك مساعدتي"
    r")",
    re.IGNORECASE,
)


def is_courtesy(text: str) -> bool:
    """Whether a short message is made of greetings, thanks and fillers only; ``text`` without marks at its ends."""
    if len(text.split()) > MOST_WORDS or not _STARTS.match(text):
        return False
    return bool(_COURTESY.fullmatch(text))
