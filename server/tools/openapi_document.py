"""Reads an OpenAPI 3 document: which operations it has, and one flat schema of arguments for each.

Path, query, header and body parameters become one object; ``#/...`` references are resolved, to a depth, and nothing is
ever fetched. Parameters a customer's assistant has no business with (credentials, cookies) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

METHODS = ("get", "put", "post", "delete", "patch", "head")
MAX_DEPTH = 8  # of nested schemas; deeper ones may be anything
MAX_OPERATIONS = 200
MAX_PROPERTIES = 100
DESCRIPTION_CHARACTERS = 500
BODY = "body"  # name of the argument that is a whole body
_OWN_HEADERS = re.compile(r"(?i)authorization|proxy-.*|cookie|host|content-.*|idempotency-key|transfer-encoding|te")
_DROPPED = frozenset({"example", "examples", "xml", "externalDocs", "discriminator", "deprecated", "title", "$comment"})


class DocumentRefused(Exception):
    """The document cannot be used; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an argument goes: ``where`` is path, query, header or body, ``name`` its name there."""

    where: str
    name: str
    style: str = ""
    explode: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as a function; ``places`` maps its arguments, ``parameters`` is their JSON schema."""

    id: str
    method: str
    path: str
    description: str
    parameters: Mapping[str, Any]
    places: Mapping[str, Place] = field(default_factory=dict)


def server_url(document: Mapping[str, Any]) -> str:
    """The first server's address with its variables' defaults; may be relative, empty where none is named."""
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
    url = str(first.get("url", ""))
    for name, variable in _mapping(first.get("variables")).items():
        url = url.replace("{" + name + "}", str(_mapping(variable).get("default", "")))
    return url


def operations(document: Any, wanted: Sequence[str] = ()) -> list[Operation]:
    """The operations with an id, those in ``wanted`` where it names any; raises DocumentRefused."""
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3."):
        raise DocumentRefused("it is no OpenAPI 3 document; convert it, or name the right address")
    found: dict[str, Operation] = {}
    for path, item, method, operation in _all(document):
        identifier = operation.get("operationId")
        if not isinstance(identifier, str) or (wanted and identifier not in wanted):
            continue
        if identifier in found:
            raise DocumentRefused(f"operationId {identifier} stands there twice; rename one")
        found[identifier] = _operation(document, path, method, item, operation)
        if len(found) > MAX_OPERATIONS:
            raise DocumentRefused(f"it has more than {MAX_OPERATIONS} operations; name those you need in operations")
    if missing := [name for name in wanted if name not in found]:
        raise DocumentRefused(f"it has no operation {missing[0]}; correct operations")
    if not found:
        raise DocumentRefused("no operation has an operationId; add them to the document")
    return list(found.values())


def _all(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str, Mapping[str, Any]]]:
    for path, entry in _mapping(document.get("paths")).items():
        item = _mapping(_followed(document, entry))
        for method in METHODS:
            if isinstance(item.get(method), dict):
                yield path, item, method, item[method]


def _operation(
    document: Mapping[str, Any], path: str, method: str, item: Mapping[str, Any], operation: Mapping[str, Any]
) -> Operation:
    arguments = _Arguments()
    merged: dict[tuple[str, str], Mapping[str, Any]] = {}
    for entry in [*_list(item.get("parameters")), *_list(operation.get("parameters"))]:
        parameter = _mapping(_followed(document, entry))
        merged[str(parameter.get("in")), str(parameter.get("name"))] = parameter
    for (where, name), parameter in merged.items():
        if where in {"path", "query"} or (where == "header" and not _OWN_HEADERS.fullmatch(name)):
            _add_parameter(document, arguments, where, name, parameter)
    if missing := set(re.findall(r"\{([^{}]+)\}", path)) - {place.name for place in arguments.places.values()}:
        raise DocumentRefused(f"{method.upper()} {path} does not say what {min(missing)} is; add the parameter")
    _add_body(document, arguments, _mapping(_followed(document, operation.get("requestBody"))))
    words = operation.get("summary") or operation.get("description") or operation["operationId"]
    description = " ".join(str(words).split())[:DESCRIPTION_CHARACTERS]
    return Operation(operation["operationId"], method, path, description, arguments.schema(), arguments.places)


class _Arguments:
    """Arguments as they are collected; a name that is taken gets the place in front."""

    def __init__(self) -> None:
        self.properties: dict[str, Any] = {}
        self.required: list[str] = []
        self.places: dict[str, Place] = {}

    def add(self, place: Place, schema: Any, *, required: bool) -> None:
        name = place.name if place.name not in self.properties else f"{place.where}_{place.name}"
        if len(self.properties) >= MAX_PROPERTIES:
            raise DocumentRefused(f"an operation has more than {MAX_PROPERTIES} arguments; name others in operations")
        self.properties[name] = schema
        self.places[name] = place
        if required:
            self.required.append(name)

    def schema(self) -> dict[str, Any]:
        required = {"required": self.required} if self.required else {}
        return {"type": "object", "properties": self.properties, **required, "additionalProperties": False}


def _add_parameter(
    document: Mapping[str, Any], arguments: _Arguments, where: str, name: str, parameter: Mapping[str, Any]
) -> None:
    schema = plain(document, parameter.get("schema", {}))
    if isinstance(schema, dict) and parameter.get("description"):
        schema.setdefault("description", " ".join(str(parameter["description"]).split())[:DESCRIPTION_CHARACTERS])
    style = str(parameter.get("style", "form" if where == "query" else "simple"))
    explode = bool(parameter.get("explode", style == "form"))
    required = where == "path" or bool(parameter.get("required"))
    arguments.add(Place(where, name, style, explode), schema, required=required)


def _add_body(document: Mapping[str, Any], arguments: _Arguments, body: Mapping[str, Any]) -> None:
    contents = _mapping(body.get("content"))
    kind = next((kind for kind in contents if kind.partition(";")[0].strip().endswith("json")), None)
    if kind is None:
        if body.get("required"):
            raise DocumentRefused("an operation needs a body that is not JSON; leave it out of operations")
        return
    schema = plain(document, _mapping(contents[kind]).get("schema", {}))
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        arguments.add(Place("whole", BODY), schema, required=bool(body.get("required")))
        return
    needed = set(_list(schema.get("required"))) if body.get("required", True) else set()
    for name, entry in schema["properties"].items():
        if not (isinstance(entry, dict) and entry.get("readOnly")):
            arguments.add(Place("body", name), entry, required=name in needed)


def plain(document: Mapping[str, Any], schema: Any, depth: int = 0) -> Any:
    """A schema without references, in the words of JSON Schema 2020-12, which OpenAPI 3.0 spells otherwise."""
    schema = _followed(document, schema)
    if not isinstance(schema, dict):
        return schema if isinstance(schema, bool) else {}
    if depth >= MAX_DEPTH:
        return {}
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _DROPPED or key.startswith("x-"):
            continue
        if key == "properties":
            made[key] = {name: plain(document, entry, depth + 1) for name, entry in _mapping(value).items()}
        elif key in {"items", "additionalProperties", "not"}:
            made[key] = plain(document, value, depth + 1)
        elif key in {"anyOf", "oneOf", "allOf"}:
            made[key] = [plain(document, entry, depth + 1) for entry in _list(value)]
        else:
            made[key] = value
    return _merged(_modern(made))


def _modern(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.pop("nullable", False) is True and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(exclusive), bool):
            applies = schema.pop(exclusive) and bound in schema
            schema |= {exclusive: schema.pop(bound)} if applies else {}
    return schema


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """``allOf`` of objects as one object, so that its properties can be arguments."""
    parts = schema.get("allOf")
    if not parts or not all(isinstance(part, dict) and isinstance(part.get("properties"), dict) for part in parts):
        return schema
    rest = {key: value for key, value in schema.items() if key != "allOf"}
    together = [*parts, rest]
    properties = {name: entry for part in together for name, entry in _mapping(part.get("properties")).items()}
    required = [name for part in together for name in _list(part.get("required"))]
    return {"type": "object", **rest, "properties": properties, **({"required": required} if required else {})}


def _followed(document: Mapping[str, Any], value: Any) -> Any:
    """What a chain of references ends at; raises DocumentRefused where it leads outside or nowhere."""
    for _ in range(MAX_DEPTH):
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
            return value
        pointer = value["$ref"]
        if not pointer.startswith("#/"):
            raise DocumentRefused(f"it refers to {pointer[:80]}; bundle it into one file")
        target: Any = document
        for part in pointer[2:].split("/"):
            target = _mapping(target).get(part.replace("~1", "/").replace("~0", "~"))
        if target is None:
            raise DocumentRefused(f"{pointer[:80]} is not in it; correct the reference")
        value = target
    raise DocumentRefused("references go round in a circle; correct them")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
