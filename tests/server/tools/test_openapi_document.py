"""Documents as real services write them, made into flat functions."""

from __future__ import annotations

from typing import Any

import pytest

from server.tools.openapi_document import DocumentRefused, Place, operations, plain, server_url
from tests.doubles.crm import CrmDouble


def document(**changes: Any) -> dict[str, Any]:
    return CrmDouble().document() | changes


def one(operation: dict[str, Any], path: str = "/x", **more: Any) -> Any:
    paths = {path: {"post": {"operationId": "doIt", **operation}}}
    return operations(document(paths=paths, **more))[0]


def test_every_kind_of_parameter_becomes_an_argument() -> None:
    found = {operation.id: operation for operation in operations(document())}
    assert found.keys() == {"getOrder", "searchOrders", "createRefund"}
    search = found["searchOrders"]
    assert search.parameters["properties"] == {
        "tag": {"type": "array", "items": {"type": "string"}},
        "limit": {"type": "integer", "exclusiveMinimum": 0, "maximum": 50},
        "X-Trace": {"type": "string"},
    }
    assert search.places["tag"] == Place("query", "tag", "form", explode=True)
    refund = found["createRefund"]
    assert refund.parameters["required"] == ["order_id", "amount"]
    assert "id" not in refund.parameters["properties"], "what is read-only is not asked for"
    assert refund.parameters["properties"]["note"] == {"type": ["string", "null"]}
    assert refund.parameters["additionalProperties"] is False
    assert refund.description == "Refund an order."
    assert found["getOrder"].places == {"id": Place("path", "id", "simple", explode=False)}


def test_references_to_themselves_end_somewhere() -> None:
    part: Any = {operation.id: operation for operation in operations(document())}["createRefund"]
    depth, schema = 0, part.parameters["properties"]["parts"]["items"]
    while schema.get("properties", {}).get("of"):
        depth, schema = depth + 1, schema["properties"]["of"]
    assert 0 < depth < 10


def test_a_name_in_two_places_is_told_apart() -> None:
    made = one(
        {
            "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}],
            "requestBody": {"content": {"application/json": {"schema": {"properties": {"id": {"type": "string"}}}}}},
        },
        "/x/{id}",
    )
    assert made.places == {"id": Place("path", "id", "simple", explode=False), "body_id": Place("body", "id")}
    assert made.parameters["required"] == ["id"]


def test_a_body_that_is_no_object_is_one_argument() -> None:
    body = {"required": True, "content": {"application/merge-patch+json": {"schema": {"type": "array", "items": {}}}}}
    made = one({"requestBody": body})
    assert made.parameters["properties"] == {"body": {"type": "array", "items": {}}}
    assert made.places == {"body": Place("whole", "body")}
    assert made.parameters["required"] == ["body"]


def test_nullable_enums_and_old_bounds_are_spelled_anew() -> None:
    assert plain({}, {"type": "string", "nullable": True, "enum": ["a"], "example": "a", "x-y": 1}) == {
        "type": ["string", "null"],
        "enum": ["a", None],
    }
    assert plain({}, {"type": "number", "maximum": 3, "exclusiveMaximum": False}) == {"type": "number", "maximum": 3}
    assert plain({}, True) is True


def test_only_wanted_operations_are_taken() -> None:
    assert [operation.id for operation in operations(document(), ("getOrder",))] == ["getOrder"]


@pytest.mark.parametrize(
    ("changes", "wanted", "words"),
    [
        ({"openapi": "2.0"}, (), "no OpenAPI 3 document"),
        ({}, ("deleteAll",), "no operation deleteAll"),
        ({"paths": {"/x": {"get": {}}}}, (), "no operation has an operationId"),
        (
            {"paths": {"/x": {"get": {"operationId": "a"}}, "/y": {"get": {"operationId": "a"}}}},
            (),
            "operationId a stands there twice",
        ),
        ({"paths": {"/x/{id}": {"get": {"operationId": "a"}}}}, (), "does not say what id is"),
        ({"paths": {"/x": {"$ref": "other.yaml#/x"}}}, (), "refers to other.yaml#/x; bundle it"),
        ({"paths": {"/x": {"$ref": "#/nowhere"}}}, (), "#/nowhere is not in it"),
        ({"paths": {"/x": {"$ref": "#/paths/~1x"}}}, (), "round in a circle"),
        (
            {
                "paths": {
                    "/x": {"post": {"operationId": "a", "requestBody": {"required": True, "content": {"text/xml": {}}}}}
                }
            },
            (),
            "a body that is not JSON",
        ),
        ({"paths": {f"/{n}": {"get": {"operationId": f"b{n}"}} for n in range(300)}}, (), "more than 200 operations"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_words(changes: dict[str, Any], wanted: tuple[str, ...], words: str) -> None:
    with pytest.raises(DocumentRefused) as error:
        operations(document(**changes), wanted)
    assert words in str(error.value)


def test_the_server_is_the_first_one_with_its_defaults() -> None:
    assert server_url(document()) == "/v1"
    assert server_url({"servers": []}) == ""
    assert server_url({"servers": [{"url": "https://a.example/{v}", "variables": {"v": {}}}]}) == "https://a.example/"
