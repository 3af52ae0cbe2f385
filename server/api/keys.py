"""API keys: made by admins, shown once, revocable."""

from __future__ import annotations

from aiohttp import web

from config.settings import Http
from server.api.people import RANKS
from server.api.shapes import ID, Answer, Body, Label, answer
from server.audit import audit
from server.auth.tokens import new_key
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body
from server.store.contract import Store, Tx


class NewKeyBody(Body):
    """What a key is for, and what it may do: viewer, staff or admin."""

    name: Label
    role: Role


class KeyRow(Answer):
    """One key without its secret; times are epoch seconds."""

    id: str
    name: str
    role: Role
    created_by: str | None
    created_at: float
    seen_at: float | None
    revoked_at: float | None


class KeyList(Answer):
    """Every key, revoked ones too, the oldest first."""

    keys: list[KeyRow]


class KeyMade(Answer):
    """A new key; ``key`` is shown only in this answer."""

    id: str
    name: str
    role: Role
    key: str


class KeysApi:
    """Addresses ``/api/keys``."""

    def __init__(self, store: Store, tenant: str, http: Http) -> None:
        self._store = store
        self._tenant = tenant
        self._http = http

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/keys", self.list, Role.ADMIN, "Every API key", answer=KeyList),
            Route(
                "POST", "/api/keys", self.make, Role.ADMIN, "Make an API key", "key.make",
                body=NewKeyBody, answer=KeyMade,
            ),
            Route("DELETE", f"/api/keys/{ID}", self.revoke, Role.ADMIN, "Revoke an API key", "key.revoke"),
        ]  # fmt: skip

    async def list(self, _request: web.Request) -> web.Response:
        """Keys with their names and last use, never their secrets."""
        rows = await self._store.rows("access.keys", tenant=self._tenant)
        return answer(KeyList(keys=[KeyRow(**row) for row in rows]))

    async def make(self, request: web.Request) -> web.Response:
        """Make a key; only its hash is kept."""
        body = await read_body(request, NewKeyBody)
        if body.role not in RANKS:
            raise Problem(422, "Invalid input", f"role: must be one of {', '.join(RANKS)}")
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)
        key = new_key()

        async def unit(tx: Tx) -> None:
            await tx.run(
                "access.add_key",
                id=key.id,
                tenant=self._tenant,
                name=body.name,
                role=body.role.value,
                key_hash=key.key_hash,
                created_by=principal.owner,
                now=tx.now_s,
            )
            await audit(tx, principal, "key.make", key.id, {"name": body.name, "role": body.role.value}, ip)

        await self._store.write(unit)
        request[AUDITED] = True
        return answer(KeyMade(id=key.id, name=body.name, role=body.role, key=key.text), status=201)

    async def revoke(self, request: web.Request) -> web.Response:
        """End a key; its next call is refused."""
        principal, ip = request[PRINCIPAL], client_ip(request, self._http)
        key_id = request.match_info["id"]

        async def unit(tx: Tx) -> int:
            ended = await tx.run("access.revoke_key", tenant=self._tenant, id=key_id, now=tx.now_s)
            if ended:
                await audit(tx, principal, "key.revoke", key_id, ip=ip)
            return ended

        if not await self._store.write(unit):
            raise Problem(404, "No such key", "It was revoked already, or never existed; reload the list.")
        request[AUDITED] = True
        return web.Response(status=204)
