"""Tools that are plain typed Python functions: the signature is the schema, the docstring the description.

    def delivery_fee(country: str, weight_kg: float = 1.0) -> dict:
        \"\"\"What delivery costs.

Args:
            country: Two-letter code of the country.
        \"\"\"

Parameters named ``caller`` and ``key`` get the :class:`server.tools.contract.Caller` and the idempotency key; they
never stand in the schema. A plain function runs in a thread of its own, an async one in the event loop.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import re
import sys
import threading
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import to_jsonable_python

from config.wording import ConfigError
from models.chat import ToolSpec
from server.tools import identity
from server.tools.contract import Caller, Result, ToolRefused, ToolUnavailable
from server.tools.definitions import Definition

INJECTED = frozenset({"caller", "key"})
THREADS = 8  # calls of one function at once; a function that hangs cannot be stopped, only left behind

_ARGS = re.compile(r"^\s*(Args|Arguments|Parameters):\s*$")
_SECTION = re.compile(r"^\s*[A-Z]\w*:\s*$")
_GOOGLE = re.compile(r"^\s+\*{0,2}(?P<name>\w+)(\s*\([^)]*\))?:\s*(?P<text>.+)$")
_SPHINX = re.compile(r"^\s*:param\s+(?:[\w\[\], |]+\s+)?(?P<name>\w+):\s*(?P<text>.+)$")


class PythonTool:
    """A function as a tool; made by :func:`python_tool`."""

    def __init__(self, definition: Definition, function: Callable[..., Any]) -> None:
        arguments, wanted = _signature(definition.name, function)
        first, described = _documented(inspect.getdoc(function) or "")
        parameters = _parameters(arguments, described)
        personal = identity.names_customer(parameters)
        self.spec = ToolSpec(definition.name, definition.source.description or first, parameters)
        self.policy = definition.policy(personal=personal)
        self._function = function
        self._arguments = arguments
        self._wanted = wanted
        self._async = inspect.iscoroutinefunction(function)
        self._free = THREADS

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Call the function with typed arguments; whatever it raises passes through."""
        try:
            typed = self._arguments.model_validate(dict(arguments))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ToolRefused(f"{where or 'the arguments'} cannot be used: {first['msg'][:120]}") from None
        given = {name: getattr(typed, name) for name in type(typed).model_fields}
        given |= {name: {"caller": caller, "key": key}[name] for name in self._wanted}
        value = await self._function(**given) if self._async else await self._in_thread(given)
        return _result(value)

    async def _in_thread(self, given: Mapping[str, Any]) -> Any:
        """Run a plain function beside the event loop, in a thread that cannot keep the process from ending."""
        if not self._free:
            raise ToolUnavailable(f"{THREADS} calls of {self.spec.name} hang already; restart or repair the function")
        self._free -= 1
        loop, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

        def settle(value: Any, error: BaseException | None) -> None:
            self._free += 1
            if future.cancelled():
                return
            if error is None:
                future.set_result(value)
            elif isinstance(error, StopIteration | SystemExit | KeyboardInterrupt | GeneratorExit):
                future.set_exception(RuntimeError(f"the function raised {type(error).__name__}"))
            else:
                future.set_exception(error)

        def call() -> None:
            value, error = None, None
            try:
                value = self._function(**given)
            except BaseException as raised:  # noqa: BLE001 - handed to the waiting task, which raises it
                error = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, value, error)

        threading.Thread(target=call, name=f"tool-{self.spec.name}", daemon=True).start()
        return await future


def python_tool(definition: Definition) -> PythonTool:
    """Import what ``python`` names: ``package.module:function``, or ``file.py:function`` beside the tools file.

    Raises ConfigError that names the entry.
    """
    target = definition.source.python
    module, _, name = target.rpartition(":")
    if not module or not name.isidentifier():
        raise ConfigError(
            f"tool {definition.name}: python must be package.module:function or file.py:function, not {target!r}."
        )
    try:
        loaded = _from_file(definition, module) if module.endswith(".py") else importlib.import_module(module)
    except (ImportError, OSError, SyntaxError, NameError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"tool {definition.name}: {module} cannot be loaded ({type(error).__name__}: {error}); "
            "install it or correct the name."
        ) from None
    function = getattr(loaded, name, None)
    if not inspect.isroutine(function):
        raise ConfigError(f"tool {definition.name}: {module} has no function {name}; correct the name.")
    return PythonTool(definition, function)


def _from_file(definition: Definition, module: str) -> Any:
    path = (definition.folder / module).resolve()
    name = f"frontdesk_tools_{re.sub(r'[^0-9a-zA-Z]', '_', str(path))}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"no file {Path(module).name} beside the tools file")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # dataclasses and type hints look their module up
    complete = False
    try:
        spec.loader.exec_module(loaded)
        complete = True
    finally:
        if not complete:
            del sys.modules[name]
    return loaded


def _signature(name: str, function: Callable[..., Any]) -> tuple[type[BaseModel], frozenset[str]]:
    """The arguments as a model, and which of INJECTED the function wants."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters
    except (NameError, TypeError, ValueError) as error:
        raise ConfigError(f"tool {name}: the signature cannot be read ({error}); correct its annotations.") from None
    fields: dict[str, Any] = {}
    for parameter in parameters.values():
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise ConfigError(f"tool {name}: {parameter.name} must be an ordinary parameter with a name.")
        if parameter.name in INJECTED:
            continue
        if parameter.name not in hints:
            raise ConfigError(f"tool {name}: {parameter.name} has no type; write {parameter.name}: str or the like.")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    try:
        model = create_model(name, __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=False), **fields)
        model.model_json_schema()
    except (PydanticUserError, NameError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"tool {name}: its types have no JSON schema ({reason}); use plain types.") from None
    return model, INJECTED & parameters.keys()


def _parameters(arguments: type[BaseModel], described: Mapping[str, str]) -> dict[str, Any]:
    """The JSON schema without pydantic's titles, with the docstring's words."""
    parameters: dict[str, Any] = _untitled(arguments.model_json_schema())
    for name, entry in parameters.get("properties", {}).items():
        if name in described and isinstance(entry, dict):
            entry.setdefault("description", described[name])
    return parameters


def _untitled(value: Any) -> Any:
    if isinstance(value, list):
        return [_untitled(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _untitled(entry) for key, entry in value.items() if key != "title" or not isinstance(entry, str)}
    if isinstance(value.get("properties"), dict):  # an argument may itself be called title
        kept["properties"] = {key: _untitled(entry) for key, entry in value["properties"].items()}
    return kept


def _documented(text: str) -> tuple[str, dict[str, str]]:
    """The first paragraph, and the words about each argument (``Args:`` or ``:param name:``)."""
    first = " ".join(text.partition("\n\n")[0].split())
    described: dict[str, str] = {}
    inside, last = False, ""
    for line in text.splitlines():
        sphinx = _SPHINX.match(line)
        found = sphinx or (_GOOGLE.match(line) if inside else None)
        if _ARGS.match(line):
            inside = True
        elif found:
            last = found["name"]
            described[last] = found["text"].strip()
        elif inside and (_SECTION.match(line) or not line.strip()):
            inside, last = False, ""
        elif inside and last:
            described[last] += f" {line.strip()}"
    return first.partition(":param")[0].strip(), described


def _result(value: Any) -> Result:
    if isinstance(value, Result):
        return Result(to_jsonable_python(dict(value.data)), value.say, value.ok, value.handoff, value.replies)
    if value is None:
        return Result({})
    if isinstance(value, str):
        return Result({"text": value})
    plain = to_jsonable_python(value, serialize_unknown=True)
    return Result(plain if isinstance(plain, dict) else {"result": plain})
