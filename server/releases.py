"""Releases: the immutable bundle an answer was made with, named by the digest of its body.

A changed prompt, model, template or decoding is another release. The alias ``live`` names the one that new cases are
pinned to; a case keeps its release until it ends, so no customer sees two behaviours in one conversation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.settings import Settings
from models.chat import Decoding
from server.store.contract import Store, Tx

BODY_VERSION = 1


@dataclass(frozen=True, slots=True)
class Release:
    """One bundle: what is sent to the model and how its answer is chosen."""

    id: str
    model: str
    adapter: str | None
    system_prompt: str
    template_digest: str
    decoding: Decoding
    context_tokens: int

    @property
    def served_name(self) -> str:
        """The name the model server knows it by: the adapter's, or the base model's."""
        return self.adapter or self.model


def bundle(settings: Settings, template_digest: str) -> dict[str, Any]:
    """The body of the release that the present settings describe; JSON-serializable, without secrets."""
    model = settings.model
    return {
        "version": BODY_VERSION,
        "model": model.name,
        "adapter": None,
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
    }


def digest(body: Mapping[str, Any]) -> str:
    """Name of a body: the first 16 hex digits of the SHA-256 of its canonical JSON."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Releases:
    """The bundles in the store and the alias ``live``; bodies are immutable, so they are kept in memory."""

    def __init__(self, store: Store, settings: Settings, template_digest: str) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._body = bundle(settings, template_digest)
        self._known: dict[str, Release] = {}
        self.live = digest(self._body)

    async def publish_configured(self) -> str:
        """Store the release that the settings describe and let ``live`` name it; returns its id."""
        release_id = self.live

        async def unit(tx: Tx) -> None:
            await tx.run(
                "releases.add",
                id=release_id,
                tenant=self._tenant,
                body=json.dumps(self._body, ensure_ascii=False, sort_keys=True),
                created_by="settings",
                now=tx.now_s,
            )
            current = await tx.row("releases.alias", tenant=self._tenant, alias="live")
            if current is None or current["release_id"] != release_id:
                await tx.run(
                    "releases.point",
                    tenant=self._tenant,
                    alias="live",
                    release_id=release_id,
                    changed_by="settings",
                    now=tx.now_s,
                )

        await self._store.write(unit)
        return release_id

    async def get(self, release_id: str) -> Release:
        """One release by id; raises LookupError for an unknown one."""
        if release_id not in self._known:
            row = await self._store.row("releases.get", id=release_id)
            if row is None:
                raise LookupError(f"release {release_id} is not in the store; restore it or close the case")
            self._known[release_id] = _read(release_id, json.loads(row["body"]))
        return self._known[release_id]


def _read(release_id: str, body: Mapping[str, Any]) -> Release:
    return Release(
        id=release_id,
        model=body["model"],
        adapter=body["adapter"],
        system_prompt=body["system_prompt"],
        template_digest=body["chat_template"],
        decoding=Decoding(**body["decoding"]),
        context_tokens=body["context_tokens"],
    )
