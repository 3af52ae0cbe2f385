"""Requests in many words, and talk that only sounds like one; expected is the tool, or nothing."""

from __future__ import annotations

from datetime import date

import pytest

from server.tools.slots import Service, Vocabulary, listen
from server.tools.wishes import wants_booking, wants_order

WORDS = Vocabulary(
    services=(
        Service(
            "workshop_visit",
            (("en", "Workshop visit"),),
            ("workshop", "tour", "pottery", "werkstatt", "töpferei", "taller"),
        ),
        Service(
            "showroom_consultation",
            (("en", "Showroom consultation"),),
            (
                "showroom",
                "consultation",
                "lighting advice",
                "discuss lighting",
                "lighting expert",
                "maeve",
                "beratung",
                "lichtberatung",
                "consulta de iluminación",
            ),
        ),
    )
)
ORDERS = """
My tracking for MP-20342 hasn't moved in days
is 20361 coming today or what
Haven't heard anything about my order in ages
can u check order 20377 4 me
any idea where my parcel is?
When will my order be here?
Order hasn't arrived.
I'm still waiting for my blanket
What's happening with my order?
could you tell me the status of my delivery
has my order been dispatched yet?
Ich habe vor zwei Wochen bestellt und noch nichts bekommen
Mein Paket ist immer noch nicht da
Wann wird meine Bestellung geliefert?
Können Sie mir sagen, wo meine Sendung ist?
no he recibido mi pedido todavía
¿Ha salido ya mi pedido?
¿Qué pasa con mi paquete?
tracking number please, MP-20325
where did my order go
Is my delivery running late?
Was ist mit meiner Bestellung los?
mi pedido no llega
when's my stuff coming
I have an order with you.
I would like to check an order.
Can you look into my order?
I placed an order with you last week
It's about my order
Ich habe eine Bestellung bei Ihnen.
Es geht um meine Bestellung
Ich möchte eine Bestellung prüfen lassen
Tengo un pedido con ustedes.
¿Puede revisar mi pedido?
""".strip().splitlines()
BOOKINGS = """
I want to visit your workshop with my kids next Friday at 2:30pm
Any chance of a consultation this Saturday afternoon?
do you have time for me tomorrow at 1pm to discuss lighting for my flat?
Reserve 3 places at the workshop tour, 18/11, 2.30
Hi! We're in Kilbrack on Friday the 20th, can we see the pottery at half two?
I need lighting advice, is Thursday at 4 free?
Kann ich morgen um 16 Uhr zur Beratung kommen?
Haben Sie am Donnerstag noch einen Termin frei für eine Lichtberatung?
Wir wollen zu viert die Töpferei besichtigen, am 25.11. um halb elf
me gustaría reservar una visita al taller para cuatro personas el 18 de noviembre a las 14:30
¿Tenéis sitio el jueves a las 11 para una consulta de iluminación?
¿puedo ir a ver el taller mañana?
sign me up for the workshop
Schedule a meeting with Maeve on the 12th at one pm
Could I come by the showroom on Thursday?
I'd like an appointment with a lighting expert next Tuesday, 11 o'clock
Is the workshop tour on Wednesday at 10:30 still available?
termin bitte
Can we book a tour for Friday the 27th at 10.30 for three?
Geht auch Donnerstag, 19.11., 16 Uhr im Showroom?
Resérvame una visita al taller el día 25 a las 10:30
Two of us want to tour the workshop on the 11th at 10:30
showroom thurs 4pm
workshop on friday
""".strip().splitlines()
NEITHER = """
How do I find my order number?
my order was perfect, thanks
the parcel box was damaged, what should I do?
I received my parcel but a mug is broken
can you deliver my order to my neighbour?
What does the workshop visit cost?
Is the workshop wheelchair accessible?
where is the showroom?
What days is the workshop open?
do children pay for the tour?
can I change the date of my appointment?
I want to cancel my visit on Friday
When do you open on Thursday?
Wo ist der Showroom?
Wie komme ich am Samstag zur Werkstatt?
¿dónde está el taller?
Do you ship on Fridays?
what time is the last slot?
which lamp would you recommend for a showroom?
I lost my order confirmation
my workshop lamp flickers
the lamp in my workshop needs a new bulb by Friday
Are you free of plastic?
Do I have to be home when the order comes?
is delivery available to Italy
the lamp came on Friday and it's great
my package weighs 20350 g
Your wool consultation page is down
what happens to my order if I am away?
How do I order?
Can I order by phone?
I have an order with you, how do I pay by invoice?
I would like to place an order
Can I check my order online?
Wie kann ich eine Bestellung aufgeben?
Quiero hacer un pedido
the tour was amazing on Friday
I saw a lamp in the showroom on Saturday, what is it called?
Gibt es am Samstag Kaffee im Showroom?
¿el showroom abre el domingo?
can I pay when I visit the showroom?
I want to buy a lamp tomorrow
in what order do I assemble it?
please deliver on Friday at 10
""".strip().splitlines()


def wishes(text: str) -> tuple[bool, bool]:
    said = listen(text, WORDS, date(2026, 11, 2))
    return wants_order(said), wants_booking(said)


@pytest.mark.parametrize("text", ORDERS)
def test_orders(text: str) -> None:
    assert wishes(text) == (True, False)


@pytest.mark.parametrize("text", BOOKINGS)
def test_bookings(text: str) -> None:
    assert wishes(text)[1]


@pytest.mark.parametrize("text", NEITHER)
def test_neither(text: str) -> None:
    assert wishes(text) == (False, False)
