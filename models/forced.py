"""A call that must come, as tagged text: the grammar for a vLLM of ours, and the call read from what was written.

vLLM 0.32's own way loses calls: its streaming parser takes a text that ends in braces for the end of the call, and its
grammar lets blanks run on between the parts until the answer is cut. Here the tag is the chat template's, which
adapters are trained on, and one blank at most stands between two parts.
"""

from __future__ import annotations

import json

from models.chat import ModelProtocolError, ToolSpec

END = "}</tool_call>"
BLANKS = 1  # in a row, between the parts of the arguments


def _begin(name: str) -> str:
    return f'<tool_call>{{"name": {json.dumps(name)}, "arguments": '


def grammar(tool: ToolSpec) -> dict[str, str]:
    """``structured_outputs`` of a request (vLLM's extension of OpenAI's), which admits one call of ``tool`` only."""
    arguments = {"type": "json_schema", "json_schema": dict(tool.parameters), "max_whitespace_cnt": BLANKS}
    tag = {"type": "tag", "begin": _begin(tool.name), "content": arguments, "end": END}
    return {"structural_tag": json.dumps({"type": "structural_tag", "format": tag})}


def arguments_in(text: str, name: str) -> str:
    """The JSON text of the arguments; a call that was cut keeps what there is of them. Raises ModelProtocolError."""
    begin = _begin(name)
    written = text.strip()
    if not written.startswith(begin):
        raise ModelProtocolError("the model server did not keep to the grammar of a forced call")
    return written.removeprefix(begin).removesuffix(END).strip()
