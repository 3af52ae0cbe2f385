"""The settings of the service under test: a user's own limits, everything else bound to the drill."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.drill.lines import Line

KEPT = ("engine", "outbox", "tenant", "name")  # sections of the user's file that are drilled as they are
KEPT_OF = {  # of these sections only what limits the service
    "model": ("first_token_timeout_s", "gap_timeout_s", "total_timeout_s", "max_sequences"),
    "store": ("group_units", "pool_size", "timeout_s"),
    "media": ("max_bytes", "types", "timeout_s"),
    "http": ("drain_s", "max_body_bytes"),
}  # fmt: skip


def limits_of(config: Path) -> dict[str, Any]:
    """What of a user's YAML file is drilled: limits. No address, secret, account or path of theirs is used."""
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError:
        content = None
    if not isinstance(content, dict):
        raise SystemExit(f"{config} holds no settings; compare it with config/default.yaml")
    kept = {name: content[name] for name in KEPT if name in content}
    for section, names in KEPT_OF.items():
        mine = {name: value for name, value in (content.get(section) or {}).items() if name in names}
        kept |= {section: mine} if mine else {}
    return kept


def settings_file(config: Path | None, folder: Path) -> Path:
    """A YAML file for the service: the user's limits, or nothing; never the ``frontdesk.yaml`` that lies around."""
    path = folder / "drill.yaml"
    path.write_text(yaml.safe_dump(limits_of(config) if config is not None else {}), encoding="utf-8")
    return path


def environment(lines: Iterable[Line], config: Path, public_url: str, *, kills: bool = False) -> dict[str, str]:
    """Environment of every process of the service; the lines' doubles are running.

    With ``kills`` a message may lose its worker or sender as often as it likes, unless the user's own file sets that
    limit: parking it would be right, but hides the figures.
    """
    found = {
        "FRONTDESK_CONFIG": str(config),
        "FRONTDESK_HTTP__PUBLIC_URL": public_url,
        "FRONTDESK_MODEL__NAME": "HuggingFaceTB/SmolLM2-135M-Instruct",  # what the model's double serves
        "FRONTDESK_MODEL__CONTEXT_TOKENS": "32000",  # answers repeat their questions: all must fit after an outage
        "FRONTDESK_MODEL__ANSWER_TOKENS": "8000",
        "FRONTDESK_KNOWLEDGE__ENABLED": "false",
    }
    wanted = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    for section, limit in (("outbox", "max_errors"), ("engine", "max_lost_leases")):
        if kills and limit not in (wanted.get(section) or {}):
            found[f"FRONTDESK_{section.upper()}__{limit.upper()}"] = "100"
    for line in lines:
        line.base = public_url
        found |= line.settings()
    return found
