import json

from server.openapi import describe, plain_path
from server.routes import Role
from tests.server.desk import Desk


def references(node: object) -> set[str]:
    """Every $ref below a node."""
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


def test_parameter_patterns_are_not_part_of_the_path():
    assert plain_path("/x/{id:[0-9]{1,64}}/y/{name}") == "/x/{id}/y/{name}"
    assert plain_path("/x") == "/x"


async def test_the_document_is_served_to_everybody_and_holds_every_route(desk: Desk):
    answer = await desk.browser().call("GET", "/openapi.json")
    assert answer.status == 200
    document = await answer.json()
    assert document["openapi"] == "3.1.0"
    operations = {(method, path) for path, methods in document["paths"].items() for method in methods}
    described = [route for route in desk.routes if not route.path.startswith("/console")]
    assert operations == {(route.method.lower(), plain_path(route.path)) for route in described}
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference


async def test_operations_say_who_may_call_them_and_what_they_take(desk: Desk):
    document = describe(desk.routes, "shop", "0.1.0")
    login = document["paths"]["/api/session"]["post"]
    assert login["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Credentials")
    assert "security" not in login
    claim = document["paths"]["/api/conversations/{id}/claim"]["post"]
    assert claim["x-role"] == "staff"
    assert claim["x-audit"] == "conversation.claim"
    assert claim["parameters"][0] == {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    assert claim["security"] == [{"session": []}, {"key": []}]
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))
    json.dumps(document)


async def test_roles_are_those_of_the_table(desk: Desk):
    document = describe(desk.routes, "shop", "0.1.0")
    for route in desk.routes:
        if route.path.startswith("/console"):
            continue
        operation = document["paths"][plain_path(route.path)][route.method.lower()]
        assert Role(operation["x-role"]) is route.role
