"""The immutable bundle an answer was made with, named by the digest of its body.

A changed prompt, model, adapter, template, decoding, set of tools or way of grounding is another release. Its body
without adapters is its *base*: what the settings alone describe, and what answers while an adapter is not served.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final, cast

from config.knowledge import Knowledge, Policy
from config.settings import Settings
from config.tools import Tools
from models.chat import Decoding

BODY_VERSION = 3  # 1 knew neither tools nor grounding, 2 one adapter at most; both are still read
NO_ADAPTERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Grounding:
    """How answers rest on passages: how many and how long (tokens), from which confidence on, and what happens else."""

    passages: int
    passage_tokens: int
    confidence: float
    unsupported: Policy
    unanswerable: Policy
    link_hosts: tuple[str, ...]

    @classmethod
    def of(cls, knowledge: Knowledge) -> Grounding:
        """What the settings say."""
        return cls(
            knowledge.passages,
            knowledge.passage_tokens,
            knowledge.confidence,
            knowledge.unsupported,
            knowledge.unanswerable,
            tuple(sorted(knowledge.link_hosts)),
        )


@dataclass(frozen=True, slots=True)
class Release:
    """One bundle: what is sent to the model and how its answer is chosen.

    ``adapter`` is the default one, ``adapters`` those of single languages (``pt`` also serves ``pt-BR``).
    """

    id: str
    model: str
    adapter: str | None
    system_prompt: str
    template_digest: str
    decoding: Decoding
    context_tokens: int
    tools_digest: str = ""
    grounding: Grounding | None = None
    adapters: Mapping[str, str] = field(default_factory=lambda: NO_ADAPTERS)

    def served_name(self, language: str = "") -> str:
        """The name the model server knows it by for a conversation's language: an adapter's, or the base model's."""
        wanted = language.lower()
        own = self.adapters.get(wanted) or self.adapters.get(wanted.partition("-")[0])
        return own or self.adapter or self.model

    @property
    def names(self) -> frozenset[str]:
        """Every adapter in it."""
        return frozenset(name for name in (self.adapter, *self.adapters.values()) if name)


def bundle(settings: Settings, template_digest: str) -> dict[str, Any]:
    """The body of the release that the present settings describe; JSON-serializable, without secrets."""
    model = settings.model
    return {
        "version": BODY_VERSION,
        "model": model.name,
        "adapter": None,
        "adapters": {},
        "system_prompt": settings.engine.system_prompt.replace("{name}", settings.name),
        "chat_template": template_digest,
        "context_tokens": model.context_tokens,
        "decoding": {
            "temperature": model.temperature,
            "top_p": model.top_p,
            "repetition_penalty": model.repetition_penalty,
            "seed": model.seed,
            "max_tokens": model.answer_tokens,
        },
        "tools": tools_digest(settings.tools) if settings.tools.enabled else "",
        "retrieval": _retrieval(settings.knowledge) if settings.knowledge.enabled else None,
        "grounding": asdict(Grounding.of(settings.knowledge)) if settings.knowledge.enabled else None,
    }


def with_adapters(body: Mapping[str, Any], adapter: str | None, adapters: Mapping[str, str]) -> dict[str, Any]:
    """The same bundle with other adapters, in the present version."""
    return {**body, "version": BODY_VERSION, "adapter": adapter, "adapters": dict(sorted(adapters.items()))}


def base_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The bundle without adapters: what the settings alone decide."""
    return with_adapters(body, None, {})


def adapters_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Adapters by language; the default one stands under the empty language."""
    default = {"": body["adapter"]} if body.get("adapter") else {}
    return {**default, **(body.get("adapters") or {})}


def tools_digest(tools: Tools) -> str:
    """Name of a set of tools: of the tools file's bytes, whether there is a shop, and how many calls a turn may make.

    A file that cannot be read counts as empty: making the tools says what is wrong with it.
    """
    try:
        text = tools.file.read_bytes() if tools.file is not None else b""
    except OSError:
        text = b""
    file = hashlib.sha256(text).hexdigest()
    offer = {"offer": tools.offer} if tools.offer != "others" else {}
    return digest({"file": file, "shop": bool(tools.shop), "rounds": tools.rounds, "calls": tools.calls, **offer})


def _retrieval(knowledge: Knowledge) -> dict[str, Any]:
    """What decides which passages are found."""
    return {
        "embedding_model": knowledge.embedding_model,
        "reranker_model": knowledge.reranker_model if knowledge.reranker_url else "",
        "chunk_tokens": knowledge.chunk_tokens,
        "candidates": knowledge.candidates,
    }


def digest(body: Mapping[str, Any]) -> str:
    """Name of a body: the first 16 hex digits of the SHA-256 of its canonical JSON."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read(release_id: str, body: Mapping[str, Any]) -> Release:
    """A stored body as a release; older versions read as releases without what they did not know."""
    grounding = cast("dict[str, Any] | None", body.get("grounding"))
    return Release(
        id=release_id,
        model=body["model"],
        adapter=body["adapter"],
        system_prompt=body["system_prompt"],
        template_digest=body["chat_template"],
        decoding=Decoding(**body["decoding"]),
        context_tokens=body["context_tokens"],
        tools_digest=body.get("tools", ""),
        grounding=Grounding(**{**grounding, "link_hosts": tuple(grounding["link_hosts"])}) if grounding else None,
        adapters=MappingProxyType(dict(body.get("adapters") or {})),
    )
