import json
from pathlib import Path

import pytest

from models import forced
from models.chat import ModelProtocolError, ToolSpec

TOOL = ToolSpec("create_ticket", "Open a ticket.", {"type": "object", "properties": {"summary": {"type": "string"}}})


def written(arguments: str) -> str:
    return f'<tool_call>{{"name": "create_ticket", "arguments": {arguments}}}</tool_call>'


def test_the_grammar_is_the_templates_tag_around_the_tools_own_schema():
    tag = json.loads(forced.grammar(TOOL)["structural_tag"])["format"]
    assert tag["begin"] + "{}" + tag["end"] == written("{}")
    assert tag["content"]["json_schema"] == TOOL.parameters
    assert tag["content"]["max_whitespace_cnt"] == 1


def test_the_tag_is_the_one_that_the_chat_template_writes():
    """Adapters are trained on it; a forced call in other signs would be one they never saw."""
    source = Path(forced.__file__).with_name("chat_template.jinja").read_text(encoding="utf-8")
    for part in ('<tool_call>{"name": ', ', "arguments": ', "}</tool_call>"):
        assert part in source
        assert part in written("{}")


@pytest.mark.parametrize("arguments", ['{"summary": "a {b}}"}', '{"summary": "}}"}', "{}", '{"a": "</tool_call>"}'])
def test_arguments_end_where_the_tag_ends_whatever_stands_in_them(arguments: str):
    assert forced.arguments_in(f"\n{written(arguments)}\n", TOOL.name) == arguments


def test_a_call_that_was_cut_keeps_what_there_is():
    assert forced.arguments_in(written('{"summary": "a').removesuffix("}</tool_call>"), TOOL.name) == '{"summary": "a'


def test_a_server_that_ignores_the_grammar_is_told_apart():
    with pytest.raises(ModelProtocolError, match="grammar"):
        forced.arguments_in("Sure, I can help with that.", TOOL.name)
