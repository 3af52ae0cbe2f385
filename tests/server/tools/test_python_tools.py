"""Plain functions as tools: schema, words, what is passed in, what comes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from config.wording import ConfigError
from server.tools.contract import Caller, Result, ToolRefused, ToolUnavailable
from server.tools.python_tools import THREADS, PythonTool, python_tool
from tests.server.tools.bench import caller, definition


class Speed(StrEnum):
    NORMAL = "normal"
    EXPRESS = "express"


@dataclass
class Quote:
    day: date
    price: Decimal


def fee(
    country: Annotated[str, Field(min_length=2, max_length=2)],
    weight_kg: float = 1.0,
    speed: Speed = Speed.NORMAL,
    title: str | None = None,
    *,
    caller: Caller,
    key: str,
) -> dict[str, Any]:
    """What delivery costs,
    with everything.

    Args:
        country: Two-letter code
            of the country.
        weight_kg (float): Kilograms.

    Returns:
        country: not an argument.
    """
    return {
        "fee": 4.9,
        "to": country,
        "speed": speed,
        "for": caller.subject,
        "key": key,
        "title": title,
        "kg": weight_kg,
    }


async def sphinx(day: date, kind: Literal["a", "b"] = "a") -> Quote:
    """A quote.

    :param day: When.
    :param str kind: Which.
    """
    await asyncio.sleep(0)
    return Quote(day, Decimal("1.50") if kind == "a" else Decimal(2))


def tool(function: Callable[..., Any], **source: Any) -> PythonTool:
    return PythonTool(definition(function.__name__, **source), function)


def test_the_signature_is_the_schema_and_the_docstring_the_words() -> None:
    spec = tool(fee).spec
    assert (spec.name, spec.description) == ("fee", "What delivery costs, with everything.")
    properties: Any = spec.parameters["properties"]
    assert properties.keys() == {"country", "weight_kg", "speed", "title"}
    assert properties["country"] == {
        "type": "string",
        "minLength": 2,
        "maxLength": 2,
        "description": "Two-letter code of the country.",
    }
    assert properties["weight_kg"]["description"] == "Kilograms."
    assert spec.parameters["required"] == ["country"]
    assert tool(sphinx).spec.parameters["properties"]["day"]["description"] == "When."  # type: ignore[index]
    assert tool(sphinx).spec.parameters["properties"]["kind"]["description"] == "Which."  # type: ignore[index]
    assert tool(fee, description="Own words.").spec.description == "Own words."


def test_what_is_not_said_is_judged_carefully() -> None:
    def lookup(customer_id: str) -> str:
        return customer_id

    policy = tool(lookup).policy
    assert (policy.effect, policy.confirm, policy.personal) == ("write", True, True)
    policy = tool(lookup, effect="read", personal=False).policy
    assert (policy.effect, policy.confirm, policy.personal) == ("read", False, False)


async def test_a_plain_function_runs_in_a_thread_with_typed_arguments() -> None:
    seen = []

    def where(speed: Speed) -> str:
        seen.append((threading.current_thread() is threading.main_thread(), speed))
        return "ok"

    result = await tool(where).run({"speed": "express"}, caller(), "k")
    assert result == Result({"text": "ok"})
    assert seen == [(False, Speed.EXPRESS)]


async def test_caller_and_key_are_passed_in_and_results_are_plain_json() -> None:
    result = await tool(fee).run({"country": "DE", "speed": "express"}, caller(subject="cust-7"), "c1:1:1")
    assert result.data == {
        "fee": 4.9, "to": "DE", "speed": "express", "for": "cust-7", "key": "c1:1:1", "title": None, "kg": 1.0
    }  # fmt: skip
    assert (await tool(sphinx).run({"day": "2026-11-21"}, caller(), "k")).data == {"day": "2026-11-21", "price": "1.50"}


async def test_results_of_every_shape() -> None:
    async def said() -> Result:
        return Result({"day": date(2026, 11, 21)}, say="Done.", ok=False, replies=("Yes",))

    async def nothing() -> None:
        return None

    async def several() -> list[int]:
        return [1, 2]

    assert await tool(said).run({}, caller(), "k") == Result({"day": "2026-11-21"}, "Done.", ok=False, replies=("Yes",))
    assert await tool(nothing).run({}, caller(), "k") == Result({})
    assert await tool(several).run({}, caller(), "k") == Result({"result": [1, 2]})


async def test_what_a_function_raises_passes_through() -> None:
    def stops() -> None:
        raise StopIteration

    def breaks() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await tool(breaks).run({}, caller(), "k")
    with pytest.raises(RuntimeError, match="StopIteration"):
        await tool(stops).run({}, caller(), "k")
    with pytest.raises(ToolRefused, match="country cannot be used"):
        await tool(fee).run({"country": "Germany"}, caller(), "k")


async def test_functions_that_hang_are_left_behind_and_bounded() -> None:
    gate = threading.Event()
    hanging = tool(_waiting(gate))
    calls = [asyncio.create_task(hanging.run({}, caller(), "k")) for _ in range(THREADS)]
    await asyncio.sleep(0)
    with pytest.raises(ToolUnavailable, match="hang already"):
        await hanging.run({}, caller(), "k")
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    gate.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await hanging.run({}, caller(), "k") == Result({"text": "free"})
                break
            except ToolUnavailable:
                await asyncio.sleep(0.01)


def _waiting(gate: threading.Event) -> Callable[[], str]:
    def waits() -> str:
        gate.wait()
        return "free"

    return waits


def test_a_file_beside_the_tools_file_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n\n"
        "@dataclass\nclass Size:\n    cm: int\n\n"
        "def box(size: Size) -> str:\n    '''A box.'''\n    return str(size.cm)\n",
        encoding="utf-8",
    )
    made = python_tool(definition("box", tmp_path, python="shop.py:box"))
    assert made.spec.description == "A box."
    assert python_tool(definition("box", tmp_path, python="shop.py:box")).spec == made.spec


def test_a_module_is_loaded_by_name() -> None:
    assert python_tool(definition("quote", python=f"{__name__}:sphinx")).spec.description == "A quote."
    with pytest.raises(ConfigError, match="text has no type"):
        python_tool(definition("shorten", python="textwrap:dedent"))


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("shop", "must be package.module:function"),
        ("no_such_package:fee", "no_such_package cannot be loaded"),
        ("missing.py:fee", "no file missing.py beside the tools file"),
        ("broken.py:fee", "broken.py cannot be loaded"),
        ("good.py:nothing", "has no function nothing"),
        ("good.py:untyped", "country has no type"),
        ("good.py:several", "values must be an ordinary parameter"),
        ("good.py:strange", "have no JSON schema"),
        ("good.py:unknown", "the signature cannot be read"),
    ],
)
def test_each_mistake_has_its_sentence(tmp_path: Path, python: str, words: str) -> None:
    (tmp_path / "broken.py").write_text("def fee(:\n", encoding="utf-8")
    (tmp_path / "good.py").write_text(
        "import threading\n"
        "def untyped(country): ...\n"
        "def several(*values: str): ...\n"
        "def strange(lock: threading.Thread): ...\n"
        "def unknown(size: 'Nowhere'): ...\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as error:
        python_tool(definition("fee", tmp_path, python=python))
    assert str(error.value).startswith("tool fee: ")
    assert words in str(error.value)
