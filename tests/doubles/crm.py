"""A double of a shop's own HTTP service: an OpenAPI document, orders and refunds, and a memory for idempotency keys.

In a test::

    async with CrmDouble().running() as crm:
        crm.faults.append("late")       # the next call with an effect answers too late, after the effect
        crm.effects                     # what really happened, in order
        crm.url                         # where its document is: f"{crm.url}/openapi.json"

A repeat with the same ``Idempotency-Key`` has no second effect and gets the first answer, whatever its body says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

TOKEN = "crm-token-of-the-shop"
Fault = Literal["late", "reset", "500", "429", "redirect"]


class CrmDouble:
    """One running service; ``late_s`` is how long a late answer takes."""

    def __init__(self, *, late_s: float = 30.0) -> None:
        self.late_s = late_s
        self.faults: list[Fault] = []
        self.effects: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.orders = {"1042": {"id": "1042", "status": "shipped"}, "a/b": {"id": "a/b", "status": "odd"}}
        self.url = ""
        self._answers: dict[str, dict[str, Any]] = {}
        self._closing = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        app = web.Application()
        app.router.add_get("/openapi.json", self._document)
        app.router.add_get("/v1/orders/{id}", self._order)
        app.router.add_get("/v1/orders", self._search)
        app.router.add_post("/v1/refunds", self._refund)
        app.router.add_get("/elsewhere", self._order)
        async with TestServer(app, host="127.0.0.1") as server:
            self.url = str(server.make_url("")).rstrip("/")
            try:
                yield self
            finally:
                self._closing.set()

    @property
    def host(self) -> str:
        """``host:port``, as allow_hosts wants it."""
        return self.url.removeprefix("http://")

    def document(self) -> dict[str, Any]:
        """The description of the service, with the references and spellings real ones have."""
        order_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        return {
            "openapi": "3.0.3",
            "info": {"title": "Shop", "version": "1"},
            "servers": [{"url": "/{version}", "variables": {"version": {"default": "v1"}}}],
            "paths": {
                "/orders/{id}": {
                    "parameters": [order_id],
                    "get": {"operationId": "getOrder", "summary": "Look an order up.", "responses": {}},
                },
                "/orders": {
                    "get": {
                        "operationId": "searchOrders",
                        "summary": "Search orders.",
                        "parameters": [
                            {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                            {"name": "limit", "in": "query", "schema": {"$ref": "#/components/schemas/Limit"}},
                            {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                            {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                        ],
                        "responses": {},
                    }
                },
                "/refunds": {
                    "post": {
                        "operationId": "createRefund",
                        "summary": "Refund an order.",
                        "requestBody": {
                            "required": True,
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refund"}}},
                        },
                        "responses": {},
                    }
                },
            },
            "components": {
                "schemas": {
                    "Limit": {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 50},
                    "Refund": {
                        "allOf": [
                            {"$ref": "#/components/schemas/Base"},
                            {
                                "type": "object",
                                "required": ["order_id", "amount"],
                                "properties": {
                                    "order_id": {"type": "string"},
                                    "amount": {"type": "number", "minimum": 0},
                                    "note": {"type": "string", "nullable": True},
                                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
                                },
                            },
                        ]
                    },
                    "Base": {"type": "object", "properties": {"id": {"type": "string", "readOnly": True}}},
                    "Part": {
                        "type": "object",
                        "properties": {"sku": {"type": "string"}, "of": {"$ref": "#/components/schemas/Part"}},
                    },
                }
            },
        }

    async def _document(self, request: web.Request) -> web.StreamResponse:
        if fault := await self._fault(request):
            return fault
        return web.json_response(self.document())

    async def _order(self, request: web.Request) -> web.StreamResponse:
        await self._note(request, None)
        if fault := await self._fault(request):
            return fault
        order = self.orders.get(request.match_info.get("id", ""))
        if order is None:
            problem = {"type": "about:blank", "title": "Not found", "detail": "There is no such order."}
            return web.json_response(problem, status=404, content_type="application/problem+json")
        return web.json_response(order)

    async def _search(self, request: web.Request) -> web.StreamResponse:
        await self._note(request, None)
        return web.json_response([order for _, order in sorted(self.orders.items())])

    async def _refund(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        await self._note(request, body)
        key = request.headers["Idempotency-Key"]
        if self.faults and self.faults[0] in {"500", "429", "redirect"}:
            return await self._fault(request) or web.Response()
        if key not in self._answers:
            self.effects.append({"key": key, **body})
            self._answers[key] = {"refund": len(self.effects), "amount": body["amount"]}
        return await self._fault(request) or web.json_response(self._answers[key], status=201)

    async def _note(self, request: web.Request, body: Any) -> None:
        self.requests.append({"path": request.path_qs, "headers": dict(request.headers), "body": body})

    async def _fault(self, request: web.Request) -> web.StreamResponse | None:
        fault = self.faults.pop(0) if self.faults else None
        if fault == "late":
            try:
                async with asyncio.timeout(self.late_s):
                    await self._closing.wait()
            except TimeoutError:
                pass
        if fault == "reset" and request.transport is not None:
            request.transport.abort()
        if fault == "redirect":
            return web.Response(status=307, headers={"Location": "/elsewhere"})
        return web.Response(status=int(fault)) if fault in {"500", "429"} else None
