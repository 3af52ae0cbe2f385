"""What the built-in tools and the planner say, in English, German and Spanish; ``{…}`` is filled in by replies.py."""

from __future__ import annotations

from typing import Final

FALLBACK: Final = "en"

_EN: dict[str, str] = {
    "ask_order_number": "Which order is it about? The number is in your order confirmation and looks like {example}.",
    "ask_order_again": "I could not read an order number there. It looks like {example} and is in your confirmation.",
    "help_order_number": "The order number is in the subject of your confirmation e-mail and looks like {example}. "
    "If you cannot find it, I can get a person to help you.",
    "ask_service": "What would you like to book: {services}?",
    "ask_date": "Which day and time would you like for the {service}?",
    "ask_date_any": "Which day and time would suit you?",
    "ask_day": "Which day would you like for the {service} at {time}?",
    "ask_time": "At what time would you like to come on {day}? Usual times are {starts}.",
    "ask_time_any": "At what time would you like to come on {day}?",
    "ask_clash": "{day} is what I understood, but the weekday does not fit. Which day do you mean?",
    "ask_contact": "Under what name shall I book it, and at what e-mail address or phone number can we reach you?",
    "ask_name": "Under what name shall I book it?",
    "ask_reach": "At what e-mail address or phone number can we reach you?",
    "ask_lead": "At what e-mail address or phone number can we reach you, and what is your name?",
    "confirm_booking": "{service} on {day} at {time}{people}. Shall I book this?",
    "confirm_again": "Shall I go ahead? {summary}",
    "confirm_payment": "I can make a payment link for order {order}. Shall I?",
    "confirm_lead": "We will contact you at {contact}. Is that right?",
    "confirm_ticket": "I will put this on record for our staff: “{summary}”. Shall I?",
    "yes": "Yes",
    "no": "No",
    "person": "Talk to a person",
    "declined": "All right, I have not done it. Tell me if you would like something else.",
    "dropped": "All right, I have dropped that. Is there anything else?",
    "nothing_waiting": "There is nothing waiting for a yes or no. What can I do for you?",
    "noted": "All right. Just write when there is anything else.",
    "go_on": "Please tell me what you need.",
    "too_late": "That request is no longer open. Please tell me again what you would like.",
    "ask_matter": "What shall I put on record? Please tell me in your own words.",
    "not_understood": "Sorry, I did not understand that. You can also ask for a person at any time.",
    "for_people": " for {count} people",
    "for_one": " for one person",
    "unknown order": "I cannot find that order number among your orders. Please check it: it looks like {example}.",
    "verify": "To protect the order I have to know that it is yours. If the number is right, a code of 6 digits is on "
    "its way to the e-mail address of that order; it is good for {minutes} minutes. Please write it here.",
    "verify_again": "A code is already on its way to the e-mail address of that order. Please write it here.",
    "verify_limit": "Too many codes were asked for. Please try again in an hour, or ask for a person.",
    "code_wrong": "That code is not right. {left} tries are left; please look again.",
    "code_over": "That code is no longer good. Ask for your order again and I will send a new one.",
    "code_right": "Thank you, that is you.",
    "mail_subject": "Your code: {code}",
    "mail_body": "Hello,\n\nyour code for the chat with {shop} is\n\n    {code}\n\nIt is good for {minutes} minutes. "
    "If you did not ask for it, ignore this message and give the code to nobody.\n",
    "verify_first": "For that I have to know that the order is yours. Please tell me the order number first.",
    "booked": "Booked: {service} on {day} at {time}{people}, {place}. Your booking number is {booking}.{price}",
    "booked_price": " Price: {price}.",
    "free_of_charge": " It is free of charge.",
    "alternatives": "That time is not free. Free times for the {service}:\n{choices}\nWhich one would you like?",
    "no_slots": "I am sorry, there is no free time for the {service} at the moment. Shall a person look at it?",
    "too_many": "At most {most} people can come to one {service}. How many of you may I book?",
    "no_service": "That cannot be booked here. You can book: {services}.",
    "lead_taken": "Thank you. Somebody of our team will contact you at {contact}.",
    "ticket_opened": "I have put this on record as {ticket}. Our staff will look at it.",
    "payment_link": "Here you can pay order {order} ({amount}): {url}",
    "payment_not_due": "Nothing is due for order {order}: its state is “{status}”.",
    "payment_wait": "Order {order} comes to {amount}. For that amount somebody of our staff has to agree; "
    "you will hear from us here.",
    "handoff": "I am getting a person for you. They will answer here.",
    "shop_away": "I cannot look that up at the moment. Please try again in a few minutes, or ask for a person.",
}

_DE: dict[str, str] = {
    "ask_order_number": "Um welche Bestellung geht es? Die Nummer steht in Ihrer Bestellbestätigung, etwa {example}.",
    "ask_order_again": "Darin habe ich keine Bestellnummer erkannt. Sie sieht aus wie {example} und steht in Ihrer "
    "Bestätigung.",
    "help_order_number": "Die Bestellnummer steht im Betreff Ihrer Bestätigung und sieht aus wie {example}. Wenn Sie "
    "sie nicht finden, hole ich gern einen Menschen dazu.",
    "ask_service": "Was möchten Sie buchen: {services}?",
    "ask_date": "An welchem Tag und um wie viel Uhr wünschen Sie den Termin ({service})?",
    "ask_date_any": "Welcher Tag und welche Uhrzeit passen Ihnen?",
    "ask_day": "An welchem Tag wünschen Sie den Termin um {time} Uhr ({service})?",
    "ask_time": "Um wie viel Uhr möchten Sie am {day} kommen? Üblich sind {starts}.",
    "ask_time_any": "Um wie viel Uhr möchten Sie am {day} kommen?",
    "ask_clash": "Ich habe {day} verstanden, aber der Wochentag passt nicht dazu. Welchen Tag meinen Sie?",
    "ask_contact": "Auf welchen Namen darf ich buchen, und unter welcher E-Mail-Adresse oder Nummer erreichen wir Sie?",
    "ask_name": "Auf welchen Namen darf ich buchen?",
    "ask_reach": "Unter welcher E-Mail-Adresse oder Telefonnummer erreichen wir Sie?",
    "ask_lead": "Unter welcher E-Mail-Adresse oder Telefonnummer erreichen wir Sie, und wie heißen Sie?",
    "confirm_booking": "{service} am {day} um {time} Uhr{people}. Soll ich das buchen?",
    "confirm_again": "Soll ich es so machen? {summary}",
    "confirm_payment": "Ich kann einen Zahlungslink für die Bestellung {order} erstellen. Soll ich?",
    "confirm_lead": "Wir melden uns bei Ihnen unter {contact}. Ist das richtig?",
    "confirm_ticket": "Ich nehme das für unser Team auf: „{summary}“. Soll ich?",
    "yes": "Ja",
    "no": "Nein",
    "person": "Mit einem Menschen sprechen",
    "declined": "Gut, ich habe es nicht gemacht. Sagen Sie mir, wenn Sie etwas anderes möchten.",
    "dropped": "Gut, das lassen wir. Kann ich sonst etwas tun?",
    "nothing_waiting": "Es wartet gerade nichts auf ein Ja oder Nein. Was kann ich für Sie tun?",
    "noted": "In Ordnung. Schreiben Sie einfach, wenn noch etwas ist.",
    "go_on": "Bitte sagen Sie mir, was Sie brauchen.",
    "too_late": "Diese Anfrage ist nicht mehr offen. Bitte sagen Sie mir noch einmal, was Sie möchten.",
    "ask_matter": "Was soll ich aufnehmen? Bitte sagen Sie es mir in Ihren eigenen Worten.",
    "not_understood": "Das habe ich leider nicht verstanden. Sie können auch jederzeit nach einem Menschen fragen.",
    "for_people": " für {count} Personen",
    "for_one": " für eine Person",
    "unknown order": "Diese Bestellnummer finde ich unter Ihren Bestellungen nicht. Bitte prüfen Sie sie: Sie sieht "
    "aus wie {example}.",
    "verify": "Zum Schutz der Bestellung muss ich wissen, dass sie Ihnen gehört. Wenn die Nummer stimmt, ist ein Code "
    "aus 6 Ziffern an die E-Mail-Adresse dieser Bestellung unterwegs; er gilt {minutes} Minuten. Bitte schreiben Sie "
    "ihn hier.",
    "verify_again": "Ein Code ist schon an die E-Mail-Adresse dieser Bestellung unterwegs. Bitte schreiben Sie ihn "
    "hier.",
    "verify_limit": "Es wurden zu viele Codes angefordert. Bitte versuchen Sie es in einer Stunde wieder, oder fragen "
    "Sie nach einem Menschen.",
    "code_wrong": "Dieser Code stimmt nicht. Sie haben noch {left} Versuche; bitte sehen Sie noch einmal nach.",
    "code_over": "Dieser Code gilt nicht mehr. Fragen Sie noch einmal nach Ihrer Bestellung, dann sende ich einen "
    "neuen.",
    "code_right": "Danke, das sind Sie.",
    "mail_subject": "Ihr Code: {code}",
    "mail_body": "Guten Tag,\n\nIhr Code für den Chat mit {shop} lautet\n\n    {code}\n\nEr gilt {minutes} Minuten. "
    "Wenn Sie ihn nicht angefordert haben, beachten Sie diese Nachricht nicht und geben Sie den Code niemandem.\n",
    "verify_first": "Dafür muss ich wissen, dass die Bestellung Ihnen gehört. Bitte nennen Sie mir zuerst die "
    "Bestellnummer.",
    "booked": "Gebucht: {service} am {day} um {time} Uhr{people}, {place}. Ihre Buchungsnummer ist {booking}.{price}",
    "booked_price": " Preis: {price}.",
    "free_of_charge": " Der Termin ist kostenlos.",
    "alternatives": "Diese Zeit ist nicht frei. Freie Zeiten ({service}):\n{choices}\nWelche möchten Sie?",
    "no_slots": "Zurzeit ist leider kein Termin frei ({service}). Soll sich ein Mensch darum kümmern?",
    "too_many": "Zu einem Termin ({service}) können höchstens {most} Personen kommen. Für wie viele darf ich buchen?",
    "no_service": "Das kann man hier nicht buchen. Buchen können Sie: {services}.",
    "lead_taken": "Vielen Dank. Jemand aus unserem Team meldet sich bei Ihnen unter {contact}.",
    "ticket_opened": "Ich habe das als {ticket} aufgenommen. Unser Team kümmert sich darum.",
    "payment_link": "Hier können Sie die Bestellung {order} bezahlen ({amount}): {url}",
    "payment_not_due": "Für die Bestellung {order} ist nichts offen; ihr Stand ist „{status}“.",
    "payment_wait": "Die Bestellung {order} beträgt {amount}. Bei diesem Betrag muss jemand aus unserem Team "
    "zustimmen; Sie hören hier von uns.",
    "handoff": "Ich hole einen Menschen für Sie. Die Antwort kommt hier.",
    "shop_away": "Das kann ich gerade nicht nachsehen. Bitte versuchen Sie es in ein paar Minuten noch einmal, oder "
    "fragen Sie nach einem Menschen.",
}

_ES: dict[str, str] = {
    "ask_order_number": "¿De qué pedido se trata? El número está en la confirmación y es como {example}.",
    "ask_order_again": "No he podido leer un número de pedido. Es como {example} y está en la confirmación.",
    "help_order_number": "El número de pedido está en el asunto del correo de confirmación y es como {example}. Si no "
    "lo encuentra, puedo avisar a una persona.",
    "ask_service": "¿Qué desea reservar: {services}?",
    "ask_date": "¿Qué día y a qué hora le viene bien ({service})?",
    "ask_date_any": "¿Qué día y a qué hora le viene bien?",
    "ask_day": "¿Qué día le viene bien a las {time} ({service})?",
    "ask_time": "¿A qué hora desea venir el {day}? Las horas habituales son {starts}.",
    "ask_time_any": "¿A qué hora desea venir el {day}?",
    "ask_clash": "He entendido {day}, pero el día de la semana no coincide. ¿Qué día quiere decir?",
    "ask_contact": "¿A nombre de quién hago la reserva, y en qué correo o teléfono podemos localizarle?",
    "ask_name": "¿A nombre de quién hago la reserva?",
    "ask_reach": "¿En qué correo o teléfono podemos localizarle?",
    "ask_lead": "¿En qué correo o teléfono podemos localizarle, y cómo se llama?",
    "confirm_booking": "{service}, {day}, a las {time}{people}. ¿Lo reservo?",
    "confirm_again": "¿Lo hago así? {summary}",
    "confirm_payment": "Puedo crear un enlace de pago para el pedido {order}. ¿Lo hago?",
    "confirm_lead": "Le contactaremos en {contact}. ¿Es correcto?",
    "confirm_ticket": "Lo dejo registrado para nuestro equipo: «{summary}». ¿Lo hago?",
    "yes": "Sí",
    "no": "No",
    "person": "Hablar con una persona",
    "declined": "De acuerdo, no lo he hecho. Dígame si desea otra cosa.",
    "dropped": "De acuerdo, lo dejamos. ¿Puedo ayudarle en algo más?",
    "nothing_waiting": "No hay nada pendiente de un sí o un no. ¿Qué puedo hacer por usted?",
    "noted": "De acuerdo. Escríbame si necesita algo más.",
    "go_on": "Dígame qué necesita, por favor.",
    "too_late": "Esa solicitud ya no está abierta. Dígame otra vez qué desea, por favor.",
    "ask_matter": "¿Qué debo dejar registrado? Cuéntemelo con sus propias palabras, por favor.",
    "not_understood": "Lo siento, no lo he entendido. También puede pedir hablar con una persona.",
    "for_people": " para {count} personas",
    "for_one": " para una persona",
    "unknown order": "No encuentro ese número entre sus pedidos. Por favor, compruébelo: es como {example}.",
    "verify": "Para proteger el pedido tengo que saber que es suyo. Si el número es correcto, un código de 6 cifras va "
    "de camino al correo de ese pedido; vale {minutes} minutos. Escríbalo aquí, por favor.",
    "verify_again": "Ya hay un código de camino al correo de ese pedido. Escríbalo aquí, por favor.",
    "verify_limit": "Se han pedido demasiados códigos. Inténtelo dentro de una hora o pida hablar con una persona.",
    "code_wrong": "Ese código no es correcto. Le quedan {left} intentos; compruébelo, por favor.",
    "code_over": "Ese código ya no vale. Pregunte otra vez por su pedido y le enviaré uno nuevo.",
    "code_right": "Gracias, es usted.",
    "mail_subject": "Su código: {code}",
    "mail_body": "Hola:\n\nsu código para el chat con {shop} es\n\n    {code}\n\nVale {minutes} minutos. Si no lo ha "
    "pedido, no haga caso de este mensaje y no dé el código a nadie.\n",
    "verify_first": "Para eso tengo que saber que el pedido es suyo. Dígame primero el número de pedido.",
    "booked": "Reservado: {service}, {day}, a las {time}{people}, {place}. Su número de reserva es {booking}.{price}",
    "booked_price": " Precio: {price}.",
    "free_of_charge": " Es gratis.",
    "alternatives": "Esa hora no está libre. Horas libres ({service}):\n{choices}\n¿Cuál prefiere?",
    "no_slots": "Lo siento, ahora no hay ninguna hora libre ({service}). ¿Aviso a una persona?",
    "too_many": "A una cita ({service}) pueden venir como mucho {most} personas. ¿Para cuántas reservo?",
    "no_service": "Eso no se puede reservar aquí. Puede reservar: {services}.",
    "lead_taken": "Gracias. Alguien de nuestro equipo le contactará en {contact}.",
    "ticket_opened": "Lo he registrado como {ticket}. Nuestro equipo lo mirará.",
    "payment_link": "Aquí puede pagar el pedido {order} ({amount}): {url}",
    "payment_not_due": "No hay nada pendiente del pedido {order}: su estado es «{status}».",
    "payment_wait": "El pedido {order} suma {amount}. Con ese importe tiene que dar el visto bueno alguien de nuestro "
    "equipo; le avisaremos aquí.",
    "handoff": "Aviso a una persona. Le responderá aquí.",
    "shop_away": "Ahora no puedo consultarlo. Inténtelo dentro de unos minutos o pida hablar con una persona.",
}

TEXTS: Final = {"en": _EN, "de": _DE, "es": _ES}
"""Every sentence by language and key; all languages have the same keys and fields."""

_STATES = {
    "received": (
        "Order {order} has been received and is being prepared.",
        "Die Bestellung {order} ist eingegangen und wird vorbereitet.",
        "Hemos recibido el pedido {order} y lo estamos preparando.",
    ),
    "packed": (
        "Order {order} is packed and about to be handed to the carrier.",
        "Die Bestellung {order} ist gepackt und geht bald an den Paketdienst.",
        "El pedido {order} está embalado y pronto saldrá con el transportista.",
    ),
    "shipped": (
        "Order {order} is on its way.",
        "Die Bestellung {order} ist unterwegs.",
        "El pedido {order} está en camino.",
    ),
    "out for delivery": (
        "Order {order} is out for delivery today.",
        "Die Bestellung {order} wird heute zugestellt.",
        "El pedido {order} está en reparto hoy.",
    ),
    "at the depot": (
        "Order {order} waits at the carrier's depot.",
        "Die Bestellung {order} liegt im Depot des Paketdienstes.",
        "El pedido {order} espera en el depósito del transportista.",
    ),
    "delivered": (
        "Order {order} was delivered{delivered}.",
        "Die Bestellung {order} wurde{delivered} zugestellt.",
        "El pedido {order} fue entregado{delivered}.",
    ),
    "ready for collection": (
        "Order {order} is ready for collection.",
        "Die Bestellung {order} liegt zur Abholung bereit.",
        "El pedido {order} está listo para recoger.",
    ),
    "waiting for payment": (
        "Order {order} waits for your payment of {total}.",
        "Die Bestellung {order} wartet auf Ihre Zahlung von {total}.",
        "El pedido {order} está pendiente de su pago de {total}.",
    ),
    "back-order": (
        "Order {order} is on back-order.",
        "Die Bestellung {order} ist im Rückstand und wird nachgeliefert.",
        "El pedido {order} está pendiente de fabricación.",
    ),
    "cancelled": (
        "Order {order} was cancelled.",
        "Die Bestellung {order} wurde storniert.",
        "El pedido {order} fue cancelado.",
    ),
    "return on its way": (
        "The return of order {order} is on its way to us.",
        "Die Rücksendung der Bestellung {order} ist auf dem Weg zu uns.",
        "La devolución del pedido {order} está de camino a nosotros.",
    ),
    "returned": (
        "The return of order {order} has reached us and is settled.",
        "Die Rücksendung der Bestellung {order} ist bei uns eingegangen und erledigt.",
        "La devolución del pedido {order} nos ha llegado y está resuelta.",
    ),
    "lost, search open": (
        "Order {order} got lost on the way; a search is open.",
        "Die Bestellung {order} ist unterwegs verloren gegangen; die Nachforschung läuft.",
        "El pedido {order} se ha perdido por el camino; lo estamos buscando.",
    ),
}
STATES: Final = {name: dict(zip(("en", "de", "es"), texts, strict=True)) for name, texts in _STATES.items()}
"""One sentence for each state of an order; a state of another shop is named as it stands in its database."""

DETAILS: Final = {
    "en": {
        "other": "The state of order {order} is “{status}”.",
        "expected": "Expected on {day}.",
        "dispatch": "Expected with you on {day}.",
        "tracking": "{carrier}, tracking number {tracking}.",
        "delivered": " on {day}",
    },
    "de": {
        "other": "Der Stand der Bestellung {order} ist „{status}“.",
        "expected": "Erwartet am {day}.",
        "dispatch": "Erwartete Ankunft am {day}.",
        "tracking": "{carrier}, Sendungsnummer {tracking}.",
        "delivered": " am {day}",
    },
    "es": {
        "other": "El estado del pedido {order} es «{status}».",
        "expected": "Llegada prevista: {day}.",
        "dispatch": "Llegada prevista: {day}.",
        "tracking": "{carrier}, número de seguimiento {tracking}.",
        "delivered": " el {day}",
    },
}
"""What is added to the state of an order."""

WEEKDAYS: Final = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
}
MONTHS: Final = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "de": [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
}
