"""The simulator for staff: writing as a customer of any platform, without an account there."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, StringConstraints

from config.settings import Http
from server.api.shapes import Answer, Body, answer
from server.audit import audit
from server.buckets import Buckets
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body, read_query
from server.sandbox import PLATFORMS
from server.simulator import NoSimulator, Simulator, View
from server.store.contract import Store

PLATFORM = "{channel:[0-9a-z_-]{1,32}}"
MOST_CHARACTERS = 8_000
PER_MINUTE = 30  # messages of one person: each asks the model

Session = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,16}$")]


class SimulatorQuery(Body):
    """Which of one's own conversations; another number is another customer."""

    session: Session = "0"


class SimulatedText(SimulatorQuery):
    """What the customer writes."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)]


class SimulatedPress(SimulatorQuery):
    """Which button the customer presses."""

    payload: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    label: Annotated[str, StringConstraints(max_length=200)] = Field(default="")


class ShownButton(Answer):
    """A button below a message."""

    label: str
    payload: str


class ShownPart(Answer):
    """One platform message: its text in the platform's markup, what of the limit it uses, and the raw payload.

    ``markup`` html is Telegram's, whatsapp WhatsApp's; ``note`` names a template or says that a file goes along.
    """

    text: str
    markup: Literal["html", "markdown", "whatsapp", "plain"]
    units: int
    buttons: list[ShownButton]
    note: str
    raw: str


class SimulatedMessage(Answer):
    """One message; ``state`` is what the outbox says of it, ``parts`` are empty for the customer's own."""

    id: str
    role: str
    text: str
    at: float
    state: str
    reason: str
    parts: list[ShownPart]


class SimulatedLimits(Answer):
    """What the platform carries: ``text_units`` counts ``unit``; ``window_s`` null = free text at any time."""

    text_units: int
    unit: str
    window_s: float | None
    per_second: float | None


class SimulatorView(Answer):
    """One simulated conversation; ``conversation_id`` is empty before anything was said."""

    channel: str
    conversation_id: str
    status: str
    limits: SimulatedLimits
    messages: list[SimulatedMessage]


class SimulatorApi:
    """Addresses ``/api/simulator``."""

    def __init__(self, store: Store, http: Http, simulator: Simulator) -> None:
        self._store = store
        self._http = http
        self._simulator = simulator
        self._rate = Buckets(PER_MINUTE)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/simulator/{PLATFORM}"
        return [
            Route("GET", one, self.view, Role.STAFF, "What a platform would show its customer", answer=SimulatorView),
            Route("POST", f"{one}/messages", self.say, Role.STAFF, "Write as a customer of a platform",
                  "simulator.say", body=SimulatedText, answer=SimulatorView),
            Route("POST", f"{one}/presses", self.press, Role.STAFF, "Press a button as a customer",
                  "simulator.press", body=SimulatedPress, answer=SimulatorView),
        ]  # fmt: skip

    async def view(self, request: web.Request) -> web.Response:
        """One's own conversation there."""
        _platform(request)
        query = read_query(request, SimulatorQuery)
        return answer(await self._view(request, query.session))

    async def say(self, request: web.Request) -> web.Response:
        """Stored when this answers; the assistant's answer follows."""
        channel, who = _platform(request), request[PRINCIPAL].owner
        body = await read_body(request, SimulatedText)
        self._spend(request)
        try:
            await self._simulator.say(channel, who, body.session, body.text)
        except NoSimulator as error:
            raise _impossible(error) from None
        await self._note(request, "simulator.say")
        return answer(await self._view(request, body.session), status=202)

    async def press(self, request: web.Request) -> web.Response:
        """A button of ours acts, any other is a message."""
        channel, who = _platform(request), request[PRINCIPAL].owner
        body = await read_body(request, SimulatedPress)
        self._spend(request)
        await self._simulator.press(channel, who, body.session, body.payload, body.label)
        await self._note(request, "simulator.press")
        return answer(await self._view(request, body.session), status=202)

    async def _view(self, request: web.Request, session: str) -> SimulatorView:
        channel = request.match_info["channel"]
        try:
            found = await self._simulator.view(channel, request[PRINCIPAL].owner, session)
        except NoSimulator as error:
            raise _impossible(error) from None
        return _shape(channel, found)

    async def _note(self, request: web.Request, action: str) -> None:
        principal, ip, channel = request[PRINCIPAL], client_ip(request, self._http), request.match_info["channel"]
        await self._store.write(lambda tx: audit(tx, principal, action, channel, {}, ip))
        request[AUDITED] = True

    def _spend(self, request: web.Request) -> None:
        wait_s = self._rate.take(request[PRINCIPAL].owner)
        if wait_s:
            detail = f"The simulator takes {PER_MINUTE} messages a minute; try again in {wait_s:.0f} s."
            raise Problem(429, "Too fast", detail, headers={"Retry-After": f"{wait_s:.0f}"})


def _platform(request: web.Request) -> str:
    """The platform of the address; raises a 404 problem for one that does not exist."""
    channel = request.match_info["channel"]
    if channel not in PLATFORMS:
        raise Problem(404, "No such platform", f"The simulator knows {', '.join(PLATFORMS)}.")
    return channel


def _impossible(error: NoSimulator) -> Problem:
    return Problem(409, "Not possible here", f"This platform cannot be simulated: {error}.")


def _shape(channel: str, view: View) -> SimulatorView:
    pace = view.limits.account_pace
    limits = SimulatedLimits(
        text_units=view.limits.text_units, unit=view.limits.unit, window_s=view.limits.window_s,
        per_second=pace.per_s if pace is not None else None,
    )  # fmt: skip
    messages = [
        SimulatedMessage(
            id=each.id, role=each.role, text=each.text, at=each.at, state=each.state, reason=each.reason,
            parts=[
                ShownPart(
                    text=part.text, markup=part.markup, units=part.units, note=part.note, raw=part.raw,
                    buttons=[ShownButton(label=one.label, payload=one.payload) for one in part.buttons],
                )
                for part in each.parts
            ],
        )
        for each in view.messages
    ]  # fmt: skip
    return SimulatorView(channel=channel, conversation_id=view.id, status=view.status, limits=limits, messages=messages)
