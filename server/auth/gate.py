"""The gate in front of every route: who is calling, may it have been forged, and what they did."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import hdrs, web

from config.settings import Http
from server.audit import audit
from server.auth.csrf import refuse_cross_site, require_token
from server.auth.keys import Keys
from server.auth.sessions import Sessions
from server.auth.tokens import KEY_PREFIX
from server.routes import Principal, client_ip
from server.store.contract import Store, Tx
from server.teams import Teams


class Auth:
    """Implements :class:`server.routes.Gate` over sessions and API keys."""

    def __init__(self, store: Store, sessions: Sessions, keys: Keys, http: Http, teams: Teams) -> None:
        self._store = store
        self._sessions = sessions
        self._keys = keys
        self._http = http
        self._teams = teams

    async def who(self, request: web.Request) -> Principal | None:
        """The caller; a request that brings an API key is judged by the key alone, never by its cookie."""
        scheme, _, credential = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer" and credential.startswith(f"{KEY_PREFIX}_"):
            return await self._keys.find(credential.strip())
        cookie = self._sessions.cookie(request)
        principal = await self._sessions.find(cookie) if cookie else None
        return replace(principal, scope=await self._teams.scope(principal)) if principal is not None else None

    def check_forgery(self, request: web.Request, principal: Principal) -> None:
        """Two independent proofs for cookie callers: the browser's word on the origin, and the session's token."""
        if not principal.session:
            return
        refuse_cross_site(request, self._http)
        require_token(request, principal)

    async def check_scope(self, request: web.Request, principal: Principal) -> None:
        """What a conversation's teams see, judged before its handler runs."""
        await self._teams.check(request, principal)

    async def record(self, request: web.Request, principal: Principal, action: str) -> None:
        """The audit row of an action whose handler wrote none, aimed at what the address names."""
        target = " ".join(request.match_info.values()) or request.path
        ip = client_ip(request, self._http)

        async def unit(tx: Tx) -> None:
            await audit(tx, principal, action, target, ip=ip)

        await self._store.write(unit)
