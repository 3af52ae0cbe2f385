"""How a resource changes something: one unit with its audit row, and refusals as problems."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from aiohttp import web

from config.settings import Http
from server.audit import audit
from server.conversation import NotFound, Refused
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, ROUTE, client_ip
from server.store.contract import Store, Tx

T = TypeVar("T")


class Acts:
    """Runs changes of one resource; the audit row names the route's action and the id in its path."""

    def __init__(self, store: Store, http: Http) -> None:
        self._store = store
        self._http = http

    async def do(
        self,
        request: web.Request,
        change: Callable[[Tx], Awaitable[T]],
        detail: Mapping[str, Any] | None = None,
        *,
        order: str = "",
    ) -> T:
        """Change and record it in one commit; raises 404 for NotFound and 409 for Refused.

        ``detail`` goes into the audit: names and states, never what a customer wrote. ``order`` is the conversation
        where the path does not name it.
        """
        principal, ip, action = request[PRINCIPAL], client_ip(request, self._http), request[ROUTE].audit
        target = request.match_info.get("id", "")

        async def unit(tx: Tx) -> T:
            made = await change(tx)
            if made != 0:  # a statement that changed nothing did nothing
                await audit(tx, principal, action, target or (made if isinstance(made, str) else ""), detail, ip)
            return made

        request[AUDITED] = True
        try:
            return await self._store.write(unit, order=order or target)
        except NotFound as error:
            raise missing(error) from None
        except Refused as refused:
            raise Problem(409, "Not possible now", sentence(refused)) from None


def missing(error: NotFound) -> Problem:
    """A 404 with the reason."""
    return Problem(404, "Not found", sentence(error))


def unknown() -> Problem:
    """A 404 for a conversation."""
    return Problem(404, "No such conversation", "There is no conversation with this id; reload the list.")


def sentence(error: Exception) -> str:
    """An error's words as a sentence."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
