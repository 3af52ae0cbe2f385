"""Rows in the formats that training programs read, written and read back: JSON lines and Parquet.

instruction         instruction, input, output, system, history; tool calls in the answer as ``<tool_call>`` text
messages            messages with the answer last, tools
prompt_completion   prompt, completion (both lists of messages), tools
preference          prompt, chosen, rejected (lists of messages), tools: only rows with a rejected answer

The last three are what TRL reads. Every record also carries ``id, behaviour, language, channel, conversation, weight``,
which come back on import; without them an import chooses. In Parquet arguments and tools are JSON text, because its
columns have one shape for all rows. Fields a format has no place for (sources, lineage) stay behind.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import parquet
from pydantic import ValidationError

from training.curation import Format
from training.rows import BadRows, Fault, Message, Row, Target, changed, faults_of, lines_of, sha256, write_bytes

Record = dict[str, Any]

HANDOFF = "handoff_to_staff"
EXTRA = ("id", "behaviour", "language", "channel", "conversation", "weight")
_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_MESSAGES = pa.list_(
    pa.struct([
        ("role", pa.string()),
        ("content", pa.string()),
        ("tool_calls", pa.list_(pa.struct([
            ("id", pa.string()), ("type", pa.string()),
            ("function", pa.struct([("name", pa.string()), ("arguments", pa.string())])),
        ]))),
        ("tool_call_id", pa.string()),
    ])
)  # fmt: skip
_EXTRA_FIELDS = [*((name, pa.string()) for name in EXTRA[:-1]), ("weight", pa.float64())]
_FIELDS: Mapping[Format, list[tuple[str, pa.DataType]]] = {
    "instruction": [
        *((name, pa.string()) for name in ("instruction", "input", "output", "system")),
        ("history", pa.list_(pa.list_(pa.string()))),
    ],
    "messages": [("messages", _MESSAGES), ("tools", pa.string())],
    "prompt_completion": [("prompt", _MESSAGES), ("completion", _MESSAGES), ("tools", pa.string())],
    "preference": [("prompt", _MESSAGES), ("chosen", _MESSAGES), ("rejected", _MESSAGES), ("tools", pa.string())],
}


def records(rows: Iterable[Row], form: Format) -> list[Record]:
    """The rows that this format can hold, in their order."""
    made = (_WRITERS[form](row) for row in rows)
    return [record for record in made if record is not None]


def _extra(row: Row) -> Record:
    return {name: getattr(row, name) for name in EXTRA}


def _message(message: Message) -> Record:
    record: Record = {"role": message.role, "content": message.content}
    if message.tool_calls:
        record["tool_calls"] = [
            {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            | ({"id": call.id} if call.id else {})
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        record["tool_call_id"] = message.tool_call_id
    return record


def _answer(target: Target) -> Record:
    return _message(Message(role="assistant", content=target.content, tool_calls=target.tool_calls))


def _tools(row: Row) -> list[Record]:
    return [{"type": "function", "function": tool.model_dump(mode="json")} for tool in row.tools]


def _to_messages(row: Row) -> Record:
    return {"messages": [*map(_message, row.messages), _answer(row.target)], "tools": _tools(row), **_extra(row)}


def _to_prompt(row: Row) -> Record:
    return {"prompt": [*map(_message, row.messages)], "completion": [_answer(row.target)], "tools": _tools(row),
            **_extra(row)}  # fmt: skip


def _to_preference(row: Row) -> Record | None:
    if row.rejected is None:
        return None
    return {"prompt": [*map(_message, row.messages)], "chosen": [_answer(row.target)],
            "rejected": [_answer(row.rejected)], "tools": _tools(row), **_extra(row)}  # fmt: skip


def _to_instruction(row: Row) -> Record | None:
    """None for prompts whose turns are not question and answer in turn: the format cannot hold tool results."""
    spoken = [message for message in row.messages if message.role != "system"]
    in_turn = all(message.role == ("user", "assistant")[place % 2] for place, message in enumerate(spoken))
    if not in_turn or len(spoken) % 2 == 0 or any(message.tool_calls for message in spoken):
        return None
    calls = [json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
             for call in row.target.tool_calls]  # fmt: skip
    written = "\n".join([*([row.target.content] if row.target.content else []), *map(_wrapped, calls)])
    return {
        "instruction": spoken[-1].content, "input": "", "output": written,
        "system": "\n\n".join(message.content for message in row.messages if message.role == "system"),
        "history": [[spoken[i].content, spoken[i + 1].content] for i in range(0, len(spoken) - 1, 2)], **_extra(row),
    }  # fmt: skip


def _wrapped(call: str) -> str:
    return f"<tool_call>{call}</tool_call>"


_WRITERS: Mapping[Format, Callable[[Row], Record | None]] = {
    "instruction": _to_instruction,
    "messages": _to_messages,
    "prompt_completion": _to_prompt,
    "preference": _to_preference,
}


def to_jsonl(found: Sequence[Record]) -> bytes:
    """Records as JSON lines."""
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in found).encode()


def to_parquet(found: Sequence[Record], form: Format) -> bytes:
    """Records as one Parquet file; the same records and library version give the same bytes."""
    schema = pa.schema([*_FIELDS[form], *_EXTRA_FIELDS])
    table = pa.Table.from_pylist([_flat(record) for record in found], schema=schema)
    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


def _flat(value: Any) -> Any:
    """The record with arguments and tools as JSON text."""
    if isinstance(value, list):
        return [_flat(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        name: json.dumps(inner, ensure_ascii=False)
        if name == "tools" or (name == "arguments" and not isinstance(inner, str))
        else _flat(inner)
        for name, inner in value.items()
    }


def export(rows: Iterable[Row], path: Path, form: Format) -> int:
    """Write the rows that fit the format; ``.parquet`` in the name chooses Parquet. Returns how many were written."""
    found = records(rows, form)
    write_bytes(path, to_parquet(found, form) if path.suffix == ".parquet" else to_jsonl(found))
    return len(found)


def load(path: Path, form: Format) -> list[Row]:
    """Rows out of a file of this format, checked as strictly as any. Raises BadRows with the numbers of bad records."""
    rows: list[Row] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    for number, record in _numbered(path):
        try:
            row = _row(record, form)
        except ValidationError as error:
            faults.append(Fault(number, faults_of(error)))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            faults.append(Fault(number, f"not in the format {form} ({type(error).__name__})"))
        else:
            if row.id in seen:
                row = changed(row, id=f"{row.id}-{number}")
            seen.add(row.id)
            rows.append(row)
    if faults:
        raise BadRows(path.name, faults)
    return rows


def _numbered(path: Path) -> Iterable[tuple[int, bytes | Record]]:
    """Lines of text, or the records of a Parquet file."""
    if path.suffix != ".parquet":
        return lines_of(path)
    try:
        return enumerate(parquet.read_table(path).to_pylist(), 1)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadRows(path.name, [Fault(0, f"no Parquet file ({type(error).__name__})")]) from error


def _row(given: bytes | Record, form: Format) -> Row:
    record: Any = json.loads(given) if isinstance(given, bytes) else given
    prompt, target, rejected = _READERS[form](record)
    digest = sha256(json.dumps([prompt, target, rejected], sort_keys=True, ensure_ascii=False).encode())[:16]
    tools = record.get("tools") or []
    tools = json.loads(tools) if isinstance(tools, str) else tools
    kept = {name: record[name] for name in EXTRA if record.get(name) is not None}
    values = {
        "id": f"import-{digest}", "conversation": f"import-{digest}", "behaviour": _behaviour(target), **kept,
        "origin": "import", "messages": prompt, "target": target, "rejected": rejected,
        "tools": [tool.get("function", tool) for tool in tools],
    }  # fmt: skip
    return Row.model_validate_json(json.dumps(values, ensure_ascii=False))


def _behaviour(target: Record) -> str:
    names = {call["name"] for call in target["tool_calls"]}
    return "handoff" if HANDOFF in names else "tool_call" if names else "chat"


def _read_messages(record: Record) -> tuple[list[Record], Record, None]:
    found = [_plain(message) for message in record["messages"]]
    if found[-1]["role"] != "assistant":
        raise ValueError("the last message is not the assistant's")
    return found[:-1], _target(found[-1]), None


def _read_prompt(record: Record) -> tuple[list[Record], Record, None]:
    (completion,) = record["completion"]
    return [_plain(message) for message in record["prompt"]], _target(_plain(completion)), None


def _read_preference(record: Record) -> tuple[list[Record], Record, Record]:
    (chosen,), (rejected,) = record["chosen"], record["rejected"]
    return [_plain(m) for m in record["prompt"]], _target(_plain(chosen)), _target(_plain(rejected))


def _read_instruction(record: Record) -> tuple[list[Record], Record, None]:
    system = [{"role": "system", "content": record["system"]}] if record.get("system") else []
    history = [
        {"role": role, "content": text}
        for turn in record.get("history") or []
        for role, text in zip(("user", "assistant"), turn, strict=True)
    ]
    question = "\n".join(part for part in (record["instruction"], record.get("input")) if part)
    written = record["output"]
    target = {"content": _CALL.sub("", written).strip() if "<tool_call>" in written else written,
              "tool_calls": [_call(json.loads(call)) for call in _CALL.findall(written)]}  # fmt: skip
    return [*system, *history, {"role": "user", "content": question}], target, None


_READERS: Mapping[Format, Callable[[Record], tuple[list[Record], Record, Record | None]]] = {
    "instruction": _read_instruction,
    "messages": _read_messages,
    "prompt_completion": _read_prompt,
    "preference": _read_preference,
}


def _plain(message: Record) -> Record:
    """A message of a chat request in the row's shape."""
    plain: Record = {"role": message["role"], "content": message.get("content") or ""}
    if message.get("tool_calls"):
        plain["tool_calls"] = [_call(call) for call in message["tool_calls"]]
    if message.get("tool_call_id") is not None:
        plain["tool_call_id"] = message["tool_call_id"]
    return plain


def _call(call: Record) -> Record:
    function = call.get("function", call)
    arguments = function["arguments"]
    return {
        "name": function["name"],
        "arguments": json.loads(arguments) if isinstance(arguments, str) else arguments,
        **({"id": call["id"]} if call.get("id") else {}),
    }


def _target(message: Record) -> Record:
    return {"content": message["content"], "tool_calls": [
        {"name": call["name"], "arguments": call["arguments"]} for call in message.get("tool_calls", [])
    ]}  # fmt: skip
