"""Recorded webhooks of the Cloud API, each with the facts it must become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.whatsapp import meta_facts
from channels.whatsapp.meta import MetaChannel
from tests.channels.whatsapp_kit import NOW_S, PAYLOADS, meta_accounts, services, shown

RECORDED = [path for path in PAYLOADS if path.stem.startswith("meta_")]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from([*meta_facts.CONTENTS, *meta_facts.SPECIAL, *meta_facts.SILENT, "hologram"])


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_webhook_becomes_its_facts(path: Path) -> None:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    channel = MetaChannel("default", meta_accounts(), services())
    facts = channel.normalize(recorded["payload"], now_s=NOW_S)
    assert [shown(fact, wanted) for fact, wanted in zip(facts, recorded["facts"], strict=False)] == recorded["facts"]
    assert len(facts) == len(recorded["facts"])


@given(KINDS, JSON, JSON, JSON)
def test_no_shape_of_a_message_surprises(kind: str, content: Any, context: Any, timestamp: Any) -> None:
    message = {"from": "49151", "id": "w", "type": kind, kind: content, "context": context, "timestamp": timestamp}
    change = {"field": "messages", "value": {"messages": [message], "statuses": [content], "contacts": [context]}}
    facts = meta_facts.normalize({"entry": [{"changes": [change]}]}, "default", {}, NOW_S)
    json.dumps([str(fact) for fact in facts])
