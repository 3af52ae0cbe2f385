"""The OpenAPI 3.1 description of the route table, built once from the same objects that serve it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.auth.csrf import HEADER
from server.routes import Role, Route

PAGES = "/console"  # files for a browser, nothing a program calls
REF = "#/components/schemas/{model}"
PARAMETER = re.compile(r"\{(?P<name>\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457 problem document.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "error_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def plain_path(path: str) -> str:
    """A route's path without the patterns of its parameters: ``/x/{id:[0-9]{1,9}}`` becomes ``/x/{id}``."""
    return PARAMETER.sub(lambda found: f"{{{found['name']}}}", path)


def describe(routes: Sequence[Route], title: str, version: str) -> dict[str, Any]:
    """The whole document of a route table, without the console's own files."""
    routes = [route for route in routes if not route.path.startswith(PAGES)]
    models = sorted({model for route in routes for model in (route.body, route.answer) if model}, key=_name)
    names, definitions = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    schemas = dict(definitions.get("$defs", {})) | {"Problem": PROBLEM_SCHEMA}
    references = {model: names[model, "validation"] for model in models}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(plain_path(route.path), {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-frontdesk",
                    "description": f"Console session; unsafe methods also need the header {HEADER}.",
                },
                "key": {"type": "http", "scheme": "bearer", "description": "API key `fd_<id>_<secret>`."},
                "visitor": {"type": "http", "scheme": "bearer", "description": "Visitor token of POST /web/session."},
            },
        },
    }


def _name(model: type[BaseModel]) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def _operation(route: Route, references: dict[type[BaseModel], Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "tags": [_tag(route.path)],
        "x-role": route.role.value,
        "responses": {
            "2XX": {"description": "Done."},
            "default": {"description": "Refused.", "content": {"application/problem+json": {"schema": _problem()}}},
        },
    }
    if route.audit:
        operation["x-audit"] = route.audit
    names = [found["name"] for found in PARAMETER.finditer(route.path)]
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if route.role is Role.VISITOR:
        operation["security"] = [{"visitor": []}]
    elif route.role.rank:
        operation["security"] = [{"session": []}, {"key": []}]
    if route.body is not None:
        schema = references[route.body]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if route.answer is not None:
        operation["responses"]["2XX"]["content"] = {"application/json": {"schema": references[route.answer]}}
    return operation


def _operation_id(route: Route) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", plain_path(route.path).lower()).strip("_")
    return f"{route.method.lower()}_{words}" if words else route.method.lower()


def _tag(path: str) -> str:
    parts = [part for part in path.split("/") if part]
    return parts[1] if len(parts) > 1 and parts[0] == "api" else (parts[0] if parts else "root")


def _problem() -> dict[str, str]:
    return {"$ref": REF.format(model="Problem")}


class OpenApi:
    """Address ``/openapi.json``; made after every other resource, whose routes it describes."""

    def __init__(self, routes: Sequence[Route], title: str, version: str) -> None:
        self._text = json.dumps(describe([*routes, *self.routes()], title, version))

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [Route("GET", "/openapi.json", self.read, Role.PUBLIC, "This description")]

    async def read(self, _request: web.Request) -> web.Response:
        """The document, the same for everybody."""
        return web.Response(text=self._text, content_type="application/json")
