"""The tools file, and the sentence each mistake in it gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.tools import Tools
from config.wording import ConfigError
from server.tools.contract import Policy
from server.tools.definitions import Definition, load, token, tool_name
from tests.server.tools.bench import definition


def loaded(folder: Path, text: str) -> dict[str, Definition]:
    path = folder / "tools.yaml"
    path.write_text(text, encoding="utf-8")
    return load(Tools(file=path, timeout_s=7.0))


def test_entries_have_their_kind_and_their_policy(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        """
fee: {python: "shop.py:fee", effect: read}
crm: {openapi: "https://crm.example/openapi.json", token_env: CRM_TOKEN, approve_above: {amount: 50}, cost: 2}
stock: {mcp: [python, server.py], per_hour: 5, timeout_s: 3}
order_status: {builtin: order_status, per_hour: 9}
""",
    )
    assert [(name, one.kind) for name, one in found.items()] == [
        ("fee", "python"),
        ("crm", "openapi"),
        ("stock", "mcp"),
        ("order_status", "builtin"),
    ]
    assert found["fee"].policy() == Policy(effect="read", timeout_s=7.0)
    assert found["crm"].policy(effect="read").confirm is False
    assert found["crm"].policy() == Policy(
        effect="write", confirm=True, timeout_s=7.0, approve_above={"amount": 50.0}, cost=2.0
    )
    assert found["stock"].policy(personal=True) == Policy(
        effect="write", personal=True, confirm=True, timeout_s=3.0, per_hour=5
    )
    own = Policy(effect="read", personal=True, timeout_s=1.0)
    assert found["order_status"].changed(own) == Policy(effect="read", personal=True, timeout_s=1.0, per_hour=9)
    assert found["fee"].folder == tmp_path


def test_no_file_names_no_tools(tmp_path: Path) -> None:
    assert load(Tools()) == {}
    assert loaded(tmp_path, "# nothing yet\n") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b", "must map names to entries"),
        ("fee: [1", "line 1 is not YAML"),
        ("fee: {python: 'a:b'}\nfee: {python: 'a:c'}", "'fee' stands there twice"),
        ("Fee!: {python: 'a:b'}", "'Fee!' is not a name"),
        ("fee: text", "tool fee (in "),
        ("fee: {}", "needs exactly one of builtin, python, openapi and mcp"),
        ("fee: {python: 'a:b', builtin: x}", "needs exactly one of"),
        ("fee: {pyhton: 'a:b'}", "pyhton is not a setting of a tool; known are builtin, python"),
        ("fee: {python: 'a:b', timeout_s: 0}", "timeout_s: "),
        ("fee: {openapi: 'http://'}", "openapi: must be an absolute http(s) URL"),
        ("fee: !!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_each_mistake_has_its_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text)
    assert words in str(error.value)
    assert str(error.value).endswith(".")


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"tools\.file: /nowhere/tools\.yaml cannot be read"):
        load(Tools(file=Path("/nowhere/tools.yaml")))


def test_tokens_come_from_the_environment_only() -> None:
    crm = definition("crm", openapi="https://crm.example/openapi.json", token_env="CRM_TOKEN")
    assert token(crm, {"CRM_TOKEN": " t0ken\n"}) == "t0ken"
    assert token(definition("fee"), {}) == ""
    with pytest.raises(ConfigError, match="tool crm: set the environment variable CRM_TOKEN"):
        token(crm, {"CRM_TOKEN": ""})


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("getOrder",), "get_order"),
        (("shop", "list-SKUs"), "shop_list_skus"),
        (("2fa.check",), "tool_2fa_check"),
        (("x" * 80,), "x" * 64),
    ],
)
def test_names_of_others_become_ours(parts: tuple[str, ...], name: str) -> None:
    assert tool_name(*parts) == name
