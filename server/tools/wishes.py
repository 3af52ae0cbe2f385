"""What a message is after: an order, an appointment, a person, a payment; in English, German and Spanish. Pure.

Precision comes before recall: a question about rules ("how long does delivery take?") must never start a call, a
request that is not recognised is still answered by the model. Every reader takes folded text.
"""

from __future__ import annotations

import re

from server.tools.dates import fold
from server.tools.signals import any_of, asks_about_rules, hypothetical, wants_change
from server.tools.slots import Said

_ORDER_NOUN = (
    r"(?:orders?|parcels?|packages?|packets?|deliver(?:y|ies)|shipments?|purchases?|stuff|things|goods|items?|ordr?er|"
    r"bestellung(?:en)?|pakete?|packchen|lieferung(?:en)?|sendung(?:en)?|ware|pedidos?|paquetes?|envios?|entregas?|"
    r"compras?)"
)
_MINE = r"(?:my|our|me|mein(?:e[nmrs]?)?|unser(?:e[nmrs]?)?|mis?|nuestr[oa]s?)"
_NEVER_ORDERED = (
    r"(?:car|nearest|closest|local|shop|store|showroom|workshop|invoice|receipt|voucher|code|password|account|"
    r"points|dog|"
    r"rechnung|gutschein|konto|auto|punkte|factura|cuenta|vale|coche|perro|name|email|mail|e-mail|monogram|geld|"
    r"money|refund)"
)
_STATUS_CUE = any_of(
    r"\b(?:news|update|updates|status|track|tracking|traced?|progress|eta|whereabouts|look(?:ing)? up|"
    r"check(?:ing)?|latest|heard|hear)\b",
    r"\b(?:arriv\w*|shipped|ship|dispatch\w*|sent|posted|left|leave|on (?:its|the|their) way|here|coming|come|came|"
    r"turn(?:ed)? up|show(?:ed|n)? up)\b",
    r"\b(?:going on|happening|happened|stuck|delay\w*|overdue|late|lost|vanished|still waiting|waiting for|"
    r"waiting on|get(?:ting)? my|(?:not|n't|never) (?:yet )?(?:received?|got))\b",
    r"\b(?:stand|neuigkeiten|neues|verschickt|versendet|versandt|unterwegs|angekommen|ankommt|ankommen|kommt|da|"
    r"geliefert|verspatet|"
    r"warte|wartet|bleibt|verfolgen|nachsehen|nachschauen|liegt|steckt|rausgegangen|losgeschickt|sendungsverfolgung)\b",
    r"\b(?:noticias|estado|seguimiento|rastrear|llega\w*|llegado|salido|enviado|mandado|viene|camino|retras\w*|"
    r"esperando|espero|novedades|"
    r"sabe|saber|localizar|recibido|tarda)\b",
)
_STATUS = any_of(
    rf"\bwhere(?:'s| is| are| s| has| have| did| the \w+ is| on earth is)(?: exactly| now)? (?:my|"
    rf"our) (?!(?:\w+ ){{0,1}}{_NEVER_ORDERED}\b)\w+",
    rf"\bwo (?:bleib\w*|ist|sind|steck\w*)(?: (?:denn|eigentlich|nur|bloss|jetzt|"
    rf"gerade))* {_MINE} (?!{_NEVER_ORDERED}\b)\w+",
    rf"\b(?:donde|por donde) (?:esta|estan|anda|andan|va|van) {_MINE} (?!{_NEVER_ORDERED}\b)\w+",
    rf"\bwhen (?:will|is|are|does|do|can|should|shall) (?:i (?:get|receive|expect|have) )?(?:my|"
    rf"our) (?!{_NEVER_ORDERED}\b)(?:\w+ ){{1,5}}"
    r"(?:arrive|come|here|delivered|be|shipped|ship|coming|get|due|reach|turn|show|leave)",
    rf"\bwhen (?:will|can|do|should) (?:i|we) (?:get|receive|expect|have) (?:my|our) (?!{_NEVER_ORDERED}\b)\w+",
    rf"\bwann (?:kommt|kommen|wird|werden|trifft|treffen|erhalte|bekomme|geht|ist|sind)(?: ich|"
    rf" wir)? {_MINE} (?!{_NEVER_ORDERED}\b)\w+",
    rf"\bcuando (?:llega\w*|viene\w*|sale\w*|recib\w*|me llega\w*|estara) {_MINE} (?!{_NEVER_ORDERED}\b)\w+",
    rf"\bwhere (?:my|our) {_ORDER_NOUN} (?:is|are|has|have|went|got)\b|\bwo (?:mein|unser)\w* {_ORDER_NOUN} (?:ist|"
    rf"sind|bleib\w*|steck\w*)\b",
    rf"^(?:the |my )?{_ORDER_NOUN} (?:still )?(?:has not|hasn't|hasnt|didn't|did not|never|not) (?:yet |been )?\w+",
    r"\b(?:bestellt|gekauft)\b.*\b(?:noch (?:nichts?|immer)|bisher|immer noch|nichts)\b|\b(?:pedi|compre|he pedido|"
    r"he comprado)\b.*\b(?:nada|todavia|aun)\b",
    r"\bwas ist (?:denn )?(?:nur )?mit (?:mein|unser)\w* (?!rechnung|konto)\w+",
    r"\bque pasa con mi (?!cuenta)\w+",
    r"\btrack (?:my|an|our|the) (?:order|parcel|package|delivery|shipment)\b",
    r"\b(?:order|delivery|shipping|shipment) (?:status|update|tracking)\b|\b(?:status|whereabouts) of (?:my|our|"
    r"an) (?:order|parcel|package|delivery)\b",
    r"\b(?:bestellstatus|lieferstatus|sendungsstatus)\b|\bestado (?:de|del) (?:mi |mis |un )?(?:pedido|envio|"
    r"paquete)\b",
    r"\b(?:i|we) (?:have |'ve |had )?(?:still |yet )?(?:ordered|bought|paid for)\b.*\b(?:not|n't|hasn't|haven't|"
    r"never|still|yet)\b.*\b(?:arriv\w*|come|came|here|receiv\w*|shipped|got|show\w*|turn\w*)\b",
    r"\b(?:i|we) (?:have |'ve |had )?(?:ordered|bought|paid for)\b.*\b(?:nothing|no sign|no news)\b",
    r"\bstill (?:waiting (?:for|on) (?:my|our)|(?:no|not a) sign of my|haven't (?:got|gotten|received|seen) (?:my|"
    r"our))\b",
    r"\bwarte(?:n)? (?:immer noch|noch immer|seit \w+(?: \w+)?|noch) auf (?:mein|unser)\w* \w+|"
    r"\bsigo esperando (?:mi|mis|el)\b",
)
_END = r"(?: (?:please|now|for me|then|bitte|mal|por favor))*\s*(?:[.!?,;:-]|$)"
_ONE = r"(?:my|our|an|the|one of my|a recent) (?:\w+ )?(?:order|parcel|package|delivery|shipment|purchase)"
_EINE = r"(?:mein|unser|ein|die|der|das|dies)\w* (?:\w+ )??(?:bestellung|paket|lieferung|sendung)"
_UNO = r"(?:mi|un|el|nuestro|este) (?:\w+ )??(?:pedido|paquete|envio)"
_AGO = r"(?: (?:yesterday|recently|last \w+|this \w+|(?:a|\w+) (?:days?|weeks?|months?|while) ago))?"
_HAS_ORDER = any_of(  # an order of one's own and no more: the number is asked for
    rf"\bi(?:'ve| have| got| did| placed| made| put in)+ (?:an?|one|some) (?:\w+ )?(?:orders?|purchase) (?:with|from|"
    rf"at|through|here|placed)(?: (?:you|u|your \w+))?(?: guys| here| already)?{_AGO}{_END}",
    rf"\b(?:check|look|looking|checking|see|view|find|locate|trace|follow|inquire|enquire|ask|know|hear|talk|something)"
    rf"(?: (?:on|up|into|at|for|after|about|regarding))* {_ONE}{_END}",
    rf"\b(?:question|query|enquiry|inquiry) (?:about|regarding|on|concerning|for) {_ONE}{_END}",
    rf"^(?:(?:hi|hello|hey|good \w+)[,.! ]+)?(?:(?:it is|it's|this is|i am writing|i'm writing) )?(?:about|regarding|"
    rf"concerning) {_ONE}{_END}",
    rf"\b(?:habe|hatte) (?:noch |schon )?(?:eine bestellung|ein paket) (?:bei|von) (?:ihnen|euch|dir)(?: \w+)?{_END}",
    rf"\bhabe (?:etwas )?bei (?:ihnen|euch) (?:etwas |was |eine bestellung )?(?:bestellt|aufgegeben|gemacht){_END}",
    rf"\b{_EINE} (?:\w+ ){{0,2}}(?:prufen|nachsehen|nachschauen|ansehen|anschauen|abfragen|uberprufen|suchen|finden|"
    rf"einsehen|schauen|sehen)(?: lassen)?{_END}",
    rf"\b(?:(?:frage|fragen) (?:zu|wegen|uber|bezuglich)|es geht um) {_EINE}{_END}|^(?:wegen|bezuglich) {_EINE}{_END}",
    r"\b(?:tengo|hice|he hecho|tenemos) (?:hecho )?un pedido (?:con|a|en) (?:ustedes|usted|vosotros|(?:su|vuestra) "
    rf"tienda){_END}",
    rf"\b(?:consultar|revisar|comprobar|ver|mirar|mire|revise|revisa|mira|consulta|buscar|localizar|verificar) "
    rf"{_UNO}{_END}",
    rf"\b(?:pregunta|consulta|duda) (?:sobre|de|acerca de|con) {_UNO}{_END}|^(?:es|se trata) (?:sobre|de|por) "
    rf"{_UNO}{_END}",
)
_MY_ORDER = re.compile(
    rf"\b{_MINE} (?:\w+ ){{0,2}}{_ORDER_NOUN}\b(?! (?:confirmation|number|form|history|list|"
    rf"box|was)\b)"
)
_NOT_STATUS = any_of(
    r"\b(?:broken|damaged|cracked|chipped|scratched|wrong|missing from|neighbou?rs?|instead|thanks?|great|perfect|"
    r"lovely)\b|\bcan (?:i|we|one) (?:\w+ ){2,5}online\b",
    r"\b(?:kaputt|beschadigt|zerbrochen|falsche?[nrs]?|danke)\b|\b(?:rot[oa]s?|danad[oa]s?|equivocad[oa]|gracias)\b",
)
_NUMBER_CUE = re.compile(rf"\b{_ORDER_NOUN}\b|\b(?:number|numero|nummer|no|nr)\b")


def wants_order(said: Said) -> bool:
    """The customer asks how an order of their own stands."""
    if said.order or said.part_order:
        return not hypothetical(said.text) and not wants_change(said.text) and (said.sure_order or _bare_number(said))
    if asks_about_rules(said.text) or wants_change(said.text) or _NOT_STATUS.search(said.text):
        return False
    own = _MY_ORDER.search(said.text) and _STATUS_CUE.search(said.text)
    return bool(own or _STATUS.search(said.text) or _HAS_ORDER.search(said.text))


def _bare_number(said: Said) -> bool:
    """A number without its prefix counts with a word of ordering, or in a message that is hardly more than it."""
    few = 3
    cue = _NUMBER_CUE.search(said.text) or _STATUS_CUE.search(said.text) or said.part_order
    return bool(cue) or len(said.text.split()) <= few


_BOOK = any_of(
    r"\b(?:book|books|booking|reserve|reservation|schedule|put (?:me|us) down|sign (?:me|us) up|pencil (?:me|"
    r"us) in|fit (?:me|us) in|squeeze (?:me|us) in)\b",
    r"\b(?:appointments?|slots?|spots?|openings?|availabilit\w+|anything (?:free|available|open)|free time|"
    r"free slot|time free|available)\b",
    r"\b(?:buchen|buche|reservieren|reserviere|termine?|anmelden|frei|noch platz|platze|zeit fur|vereinbaren|"
    r"eintragen)\b",
    r"\b(?:reserv\w+|cita|citas|turno|hueco|huecos|libre|libres|apunt\w+|agendar|concertar|disponib\w+|sitio)\b",
)
_APPOINTMENT = any_of(
    r"^(?:(?:an?|einen?|una|un) )?(?:appointment|booking|termin|cita|reserva)\b",
    r"\b(?:make|book|get|arrange|schedule|have|need|want|fix|set up|like|reserve|request)\b.{0,20}\b(?:an? |the |"
    r"my |our )?(?:appointment|booking|reservation|consultation|slot)\b",
    r"\b(?:termin|beratung|fuhrung|besuch)\b.{0,30}\b(?:vereinbaren|buchen|machen|ausmachen|reservieren|haben|"
    r"bekommen)\b|\b(?:brauche|mochte|hatte gern\w*|wunsche)\b.{0,20}\btermin\b",
    r"\b(?:pedir|reservar|concertar|quiero|quisiera|necesito|hacer|gustaria)\b.{0,25}\b(?:cita|reserva|visita|turno)\b",
)
_VISIT = any_of(
    r"(?<!when )(?<!while )(?<!if )\b(?:i|we|us)(?:'d| would| will|'ll| could| can| want| wanna| hope| plan| need|"
    r" am| are|'m|'re| wish| like| love)(?: (?:like|love|want|hope|plan|planning|able|going|"
    r"hoping|wanting|wish|really|very much))*(?: to)? (?:to )?(?:visit|come|see|tour|drop (?:by|in)|stop by|"
    r"pop (?:by|in)|swing by|look round|look around|"
    r"have a look|meet|pass by|stop in|be there)\b",
    r"\b(?:can|could|may|might) (?:i|we|the \w+ of us)(?: please| both| all)? (?:visit|come|see|tour|drop (?:by|"
    r"in)|stop by|pop (?:by|in)|swing by|look round|"
    r"look around|have a look|meet|get|have|do)\b",
    r"\b(?:could|can|would) \w+ (?:see|meet|show|advise|help) (?:me|us)\b",
    r"\b(?:i|we)(?:'d| would)? (?:like|love|want) (?:a|an|the|to (?:get|have|do|join|take))\b",
    r"\b(?:mochte\w*|will|wollen|wurde\w*|konnte\w*|kann|konnen|hatten?|hatte)\b.{0,60}\b(?:vorbei\w*|besuch\w*|"
    r"besichtig\w*|kommen|anschauen|ansehen|zeit|beratung|fuhrung|beraten|schauen)\b",
    r"\b(?:quiero|queremos|quisiera|quisieramos|me gustaria|nos gustaria|podria|podriamos|podemos|"
    r"puedo)\b.{0,40}\b(?:visit\w*|ver|ir|pasar\w*|venir|conocer|una?)\b",
)
_NOT_BOOKING = any_of(
    r"\b(?:was|were|gibt es|abre\w*|cierra\w*|opens?|closes?|working|works|flicker\w*|broken|repair\w*|bulb)\b",
    r"\b(?:last|yesterday|was at|were at|went to|visited|have been|had been|i left|we left|ago|previous)\b|"
    r"\b(?:gestern|letzte[nrs]?|war am|waren am|vorige\w*)\b|\b(?:ayer|pasado [a-ln-z]\w+|estuve|estuvimos)\b",
    r"\b(?:online|over the phone|by phone|by telephone|in advance|walk in|walk-in|without (?:a |an )?(?:booking|"
    r"appointment)|ohne (?:termin|anmeldung|voranmeldung)|telefonisch|sin (?:cita|reserva)|por internet|"
    r"por telefono)\b",
    r"\b(?:is|are) (?:the|your) (?:\w+ )?(?:workshop|showroom|shop|store)s? (?:open|closed|accessible|heated|"
    r"busy)\b|\b(?:geoffnet|geschlossen|abierto|abierta|cerrado|abris)\b",
    r"\b(?:park|parking|wheelchair|lift|elevator|wifi|toilet|parken|parkplatz|aparcar|aparcamiento|dog|dogs|hund|"
    r"perro|bus|train|directions)\b",
    r"\b(?:deliver|delivered|delivery|ship|shipped|collect|pick up|pick-up|liefern|abholen|recoger)\b",
)


def wants_booking(said: Said) -> bool:
    """The customer asks for an appointment: a service with a time, a wish to visit, or words of booking."""
    if asks_about_rules(said.text) or wants_change(said.text) or _NOT_BOOKING.search(said.text) or said.sure_order:
        return False
    book, visit = _BOOK.search(said.text), _VISIT.search(said.text)
    few_words = 6  # "workshop on friday": hardly more than the service and the day
    both = said.day is not None and said.time is not None
    if said.services and (both or book or visit or (said.when and len(said.text.split()) <= few_words)):
        return True
    return bool(_APPOINTMENT.search(said.text) or (book and said.day) or (visit and said.day and not said.day.clash))


_PERSON_NOUN = (
    r"(?:human(?: being)?|person|people|someone|somebody|staff(?: member)?|representative|rep|operator|colleague|"
    r"manager|supervisor|"
    r"employee|agen[t]|member of (?:staff|the team)|real one|boss)"
)
_PERSON = any_of(
    rf"\b(?:talk|speak|chat|write|talking|speaking|chatting) (?:to|with) (?:an? |some |the |your |"
    rf"one of your )?(?:real |live |actual |proper )?{_PERSON_NOUN}\b",
    rf"\b(?:connect|transfer|put|pass|hand|forward|switch|refer) (?:me|us)\b.{{0,20}}\b{_PERSON_NOUN}\b",
    rf"\b(?:want|need|prefer|like|get me|give me|bring me|have)\b(?: to (?:have|get))? (?:an? |some |the |"
    rf"your )(?:real |live |actual |proper )?{_PERSON_NOUN}\b(?! (?:to|can|could|who|for))",
    r"^(?:an? )?(?:real |live |actual )?(?:human|person|agen[t]|operator|representative)(?: please)?[.! ]*$|"
    r"\breal (?:person|human)\b|\bnot (?:a |with a |to a )?(?:bot|robot|machine)\b",
    r"\b(?:mit|an) (?:einem?|einen|einer|eurem|ihrem)? ?(?:echten? |richtigen? )?(?:menschen|person|mitarbeiter\w*|"
    r"kolleg\w+|berater\w*|chef\w*|jemande[mn])\b.{0,25}\b(?:sprechen|reden|verbinden|schreiben|weiterleiten|"
    r"chatten)\b",
    r"\bmit jemande[mn] (?:sprechen|reden)\b|\b(?:echten?|richtigen?) (?:mensch\w*|person|mitarbeiter\w*)\b|"
    r"^mensch,? bitte|\bverbinde\w* (?:sie )?mich\b",
    r"\b(?:hablar|chatear|comunicar\w*|contactar) con (?:una? |algun[a]? |el |la )?(?:persona|humano|alguien|"
    r"operador\w*|emplead\w+|encargad\w+|agente|responsable|ser humano)\b",
    r"\b(?:persona|humano) (?:real|de verdad)\b|\bpas[ae]me con\b|^(?:una )?persona,? por favor",
    *map(fold, ("التحدث إلى شخص", "التحدث مع شخص", "التحدث إلى موظف", "التحدث مع موظف")),
    *map(fold, ("أكلم موظف", "أريد موظف", "إنسان حقيقي", "شخص حقيقي")),
)
_PERSON_RULES = any_of(
    r"\b(?:until|till|what time|how (?:do|can|could)|when can|wann|bis wann|wie kann|hasta que|a que hora|"
    r"phone number|telephone)\b",
)


def wants_person(text: str) -> bool:
    """The customer asks for somebody of the staff instead of the assistant."""
    return bool(_PERSON.search(text)) and not _PERSON_RULES.search(text)


_PAY = any_of(
    r"\b(?:payment|pay) link\b|\blink (?:to pay|for (?:the )?payment)\b|\b(?:pay|settle) (?:for )?(?:my|our|"
    r"the) (?:order|invoice|bill) (?:now|here|online)\b",
    r"\b(?:want|like|need) to pay (?:now|for|my|order|mp|by card)\b|\bcan i pay (?:for )?(?:it |this |that |order |"
    r"my order )?(?:now|here|mp)\b",
    r"\b(?:zahlungslink|bezahllink|link zum (?:be)?zahlen)\b|\b(?:mochte|will) (?:\w+ ){0,3}(?:bezahlen|zahlen)\b",
    r"\benlace (?:de|para el|para) pag\w+\b|\bquiero pagar\b",
)
_MATTER = r"(?:ticket|complaint|case|report|beschwerde|reklamation|queja|incidencia|reclamacion)"
_TICKET_RULES = any_of(  # about tickets in general, or none wanted; what one is about may well hold "who" or "why"
    r"\b(?:how|when|where|why|who|do i|should i|did|wie|wann|wo|muss ich|como|donde|tengo que)\b[^.,;:]{0,40}"
    rf"\b{_MATTER}\b",
    rf"\b(?:don't|do not|no need to|needn't|never|without|kein\w*|nicht|no|sin)\b[^.,;:]{{0,20}}\b{_MATTER}\b",
)
_LEAD = any_of(
    r"\b(?:call|ring|phone) me(?: back)?\b(?! when)|\bgive me a (?:call|ring)\b|\b(?:get in touch with|contact|"
    r"e-?mail|write to) me (?:about|with|regarding|if|when|at|on|back)\b",
    r"\b(?:ruf\w*|rufen sie) mich (?:bitte )?(?:\w+ )?(?:an|zuruck)\b|\bruckruf\b|\bkontaktier\w* (?:sie )?mich\b|"
    r"\bmeld\w* (?:sie |euch |dich )?(?:sich )?bei mir\b",
    r"\b(?:llamadme|llamame|llameme|me llam[ae]n?|que me llamen|contactadme|contactame|contacten ?me|escribidme)\b",
)
_RECORD = r"(?:a |an |me a |another |the |this as a |one more )?(?:new )?(?:support |service )?"
_NAMED_TICKET = any_of(
    rf"\b(?:open|create|raise|file|log|submit|make|start|lodge|write|register|put in) (?:me |us )?{_RECORD}"
    r"(?:ticket|complaint|case|report)\b",
    rf"\b(?:want|need|like|get|have) (?:to have )?{_RECORD}(?:ticket|complaint|case) (?:opened|raised|filed|logged|"
    r"about|regarding|concerning|because|over)\b",
    r"\bput (?:this|that|it|my \w+) on (?:the )?record\b",
    r"^(?:new |support )?ticket(?: please)?[:,]? (?:about|for|regarding) ",
    r"\b(?:ticket|beschwerde|reklamation|vorgang) (?:\w+ ){0,4}(?:eroffne\w*|anleg\w*|einreich\w*|aufmach\w*|"
    r"erstell\w*|aufnehm\w*)\b",
    r"\b(?:eroffne\w*|erstell\w*|leg\w*|mach\w*|offne\w*|schreib\w*|nehm\w*) (?:\w+ ){0,4}(?:ticket|beschwerde|"
    r"reklamation)\b",
    r"\b(?:abr\w+|crea\w*|cree\w*|pon\w*|registr\w+|present\w+|hacer|haga\w*) (?:\w+ ){0,2}(?:ticket|incidencia|queja|"
    r"reclamacion)\b",
)
_TICKET = any_of(
    r"\b(?:open|create|raise|file|log|submit) (?:a |an |me a )?(?:support )?(?:ticket|complaint|case|report)\b|"
    r"\b(?:i|we)(?:'d| would)? (?:like|want|need|have) to (?:complain|report|make a complaint)\b",
    r"\b(?:ticket|beschwerde) (?:\w+ ){0,2}(?:eroffnen|anlegen|einreichen|aufmachen|erstellen)\b|\b(?:mochte|"
    r"will) (?:mich )?(?:\w+ ){0,4}(?:beschweren|reklamieren|melden)\b",
    r"\b(?:abrir|crear|poner) (?:un |una )?(?:ticket|incidencia|queja|reclamacion)\b|\b(?:quiero|"
    r"quisiera) (?:quejarme|reclamar)\b",
)


def wants_to_pay(text: str) -> bool:
    """The customer asks for a way to pay an order now."""
    return bool(_PAY.search(text)) and not asks_about_rules(text)


def wants_contact(text: str) -> bool:
    """The customer asks to be called or written to."""
    return bool(_LEAD.search(text)) and not asks_about_rules(text)


def wants_ticket(text: str) -> bool:
    """The customer asks that a complaint or problem is put on record."""
    return bool(_TICKET.search(text)) and not asks_about_rules(text) and not _TICKET_RULES.search(text)


def names_ticket(text: str) -> bool:
    """The customer asks for a ticket by this name, which wins over whatever the ticket is about."""
    return bool(_NAMED_TICKET.search(text)) and not hypothetical(text) and not _TICKET_RULES.search(text)
