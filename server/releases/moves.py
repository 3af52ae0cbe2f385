"""Every change of what is live, as units of one transaction: alias, states, timeline, audit and event together.

Changes follow one another: each locks the alias ``live`` first, then the running canary.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from server.audit import audit
from server.ids import new_id
from server.releases.bundle import adapters_of, base_of, digest
from server.routes import Principal
from server.store.contract import Event, Row, Tx
from server.store.text import dump

TOPIC: Final = "release"
LIVE: Final = "live"
PROMOTE: Final = "promote"

Side = Literal["", "canary", "live"]


class ReleaseRefused(Exception):
    """The change is impossible now, or needs a reason; the message says what is and what to do."""


class NoRelease(LookupError):
    """There is no release with this id; list them and choose one."""


@dataclass(frozen=True, slots=True)
class Move:
    """Who changes something and why; ``reason`` is required where the gate did not say promote."""

    by: Principal
    reason: str | None = None
    ip: str = ""

    @property
    def tenant(self) -> str:
        """Whose releases these are."""
        return self.by.tenant


async def add(tx: Tx, tenant: str, body: Mapping[str, Any], state: str, created_by: str, **card: str | None) -> str:
    """Store a bundle with its card and adapters; one that is there stays as it is. Returns its id.

    ``card`` has run_id, dataset_id and parent_id where they are known.
    """
    release_id = digest(body)
    text = json.dumps(body, ensure_ascii=False, sort_keys=True)
    await tx.run("releases.add", id=release_id, tenant=tenant, body=text, created_by=created_by, now=tx.now_s)
    known = {"run_id": None, "dataset_id": None, "parent_id": None} | card
    await tx.run("releases.add_card", tenant=tenant, release_id=release_id, state=state, now=tx.now_s, **known)
    for language, name in adapters_of(body).items():
        await tx.run("releases.add_adapter", tenant=tenant, release_id=release_id, language=language, name=name)
    return release_id


async def locked(tx: Tx, tenant: str) -> tuple[str | None, Row | None]:
    """The live release's id and the running canary, both held until the end of the transaction."""
    live = await tx.row("releases.lock_live", tenant=tenant)
    return live["release_id"] if live else None, await tx.row("releases.lock_canary", tenant=tenant)


async def card_of(tx: Tx, tenant: str, release_id: str) -> Row:
    """A release's card and bundle; raises NoRelease."""
    card = await tx.row("releases.card", tenant=tenant, release_id=release_id)
    if card is None:
        raise NoRelease(f"there is no release {release_id}; list them with: frontdesk release list")
    return card


async def point(tx: Tx, tenant: str, alias: str, release_id: str, by: str) -> None:
    """Let an alias name a release from this commit on."""
    await tx.run("releases.point", tenant=tenant, alias=alias, release_id=release_id, changed_by=by, now=tx.now_s)


async def go_live(tx: Tx, tenant: str, release_id: str, live: str | None, by: str, *, left: str = "retired") -> None:
    """Swap the live release; the one before gets the state ``left``."""
    if live is not None and live != release_id:
        await tx.run("releases.move", tenant=tenant, release_id=live, state=left, now=tx.now_s)
    await tx.run("releases.move", tenant=tenant, release_id=release_id, state="live", now=tx.now_s)
    await point(tx, tenant, LIVE, release_id, by)


async def start(tx: Tx, move: Move, release_id: str, share: float, cap: int) -> str:
    """Begin a trial; returns its id. Raises ReleaseRefused, NoRelease."""
    live, running = await locked(tx, move.tenant)
    card = await card_of(tx, move.tenant, release_id)
    if live is None:
        raise ReleaseRefused("nothing is live yet; start a worker first, it publishes what the settings describe")
    if release_id == live:
        raise ReleaseRefused("this release is live already; there is nothing to compare it with")
    if running is not None:
        raise ReleaseRefused(f"the canary {running['release_id']} is running; promote, stop or roll it back first")
    overridden = await _check(tx, move, card, live)
    canary_id = new_id()
    await tx.run(
        "releases.start_canary", id=canary_id, tenant=move.tenant, release_id=release_id, live_id=live, share=share,
        cap=cap, now=tx.now_s,
    )  # fmt: skip
    await tx.run("releases.move", tenant=move.tenant, release_id=release_id, state="canary", now=tx.now_s)
    detail = {"share": share, "cap": cap, "override": overridden, "dataset": card["dataset_id"]}
    await note(tx, move, "canary_started", release_id, live, detail)
    return canary_id


async def change_share(tx: Tx, move: Move, share: float, cap: int) -> None:
    """Draw more or fewer new cases from now on; cases keep what they have. Raises ReleaseRefused."""
    _, running = await locked(tx, move.tenant)
    if running is None:
        raise ReleaseRefused("no canary is running; start one first")
    await tx.run("releases.share", id=running["id"], share=share, cap=cap)
    detail = {"share": share, "cap": cap, "before": {"share": running["share"], "cap": running["cap"]}}
    await note(tx, move, "canary_share", running["release_id"], running["live_id"], detail)


async def stop(tx: Tx, move: Move, figures: Mapping[str, Any]) -> None:
    """End the trial without a verdict: its cases keep their release, new ones get the live. Raises ReleaseRefused."""
    _, running = await locked(tx, move.tenant)
    if running is None:
        raise ReleaseRefused("no canary is running; there is nothing to stop")
    await end_trial(tx, move, running, "stopped", "candidate", figures)
    await note(tx, move, "canary_stopped", running["release_id"], running["live_id"], {"figures": dict(figures)})


async def promote(tx: Tx, move: Move, release_id: str, figures: Mapping[str, Any]) -> bool:
    """Make a release live; False when it is already. Raises ReleaseRefused, NoRelease."""
    live, running = await locked(tx, move.tenant)
    card = await card_of(tx, move.tenant, release_id)
    if live == release_id:
        return False
    overridden = await _check(tx, move, card, live)
    if running is not None and running["release_id"] == release_id:
        await end_trial(tx, move, running, "promoted", "live", figures)
    elif running is not None:
        other = Move(move.by, "another release went live")
        await end_trial(tx, other, running, "stopped", "candidate", {})
        await note(tx, other, "canary_stopped", running["release_id"], live, {})
    await go_live(tx, move.tenant, release_id, live, move.by.owner)
    detail = {
        "verdict": card["verdict"],
        "override": overridden,
        "dataset": card["dataset_id"],
        "figures": dict(figures),
    }
    await note(tx, move, "promoted", release_id, live, detail)
    return True


async def roll_back(
    tx: Tx, move: Move, side: Side = "", *, canary_id: str = "", figures: Mapping[str, Any] | None = None
) -> str | None:
    """Take back the running canary, or the live release where none runs; ``side`` insists on one of them.

    Open cases of what was taken back get the live release at their next turn. ``canary_id``: only this trial, None when
    it is over. Returns what is live afterwards; raises ReleaseRefused when there is nothing to go back to.
    """
    live, running = await locked(tx, move.tenant)
    if canary_id and (running is None or running["id"] != canary_id):
        return None
    if running is not None and side != "live":
        await end_trial(tx, move, running, "rolled_back", "withdrawn", figures or {})
        await note(
            tx, move, "canary_rolled_back", running["live_id"], running["release_id"], {"figures": figures or {}}
        )
        return str(running["live_id"])
    if side == "canary":
        raise ReleaseRefused("no canary is running; there is nothing to roll back")
    previous = await tx.row("releases.previous", tenant=move.tenant)
    if live is None or previous is None:
        raise ReleaseRefused("there is no earlier release to go back to; change the settings, or promote another one")
    if running is not None:
        await end_trial(tx, move, running, "stopped", "candidate", figures or {})
    await go_live(tx, move.tenant, previous["release_id"], live, move.by.owner, left="withdrawn")
    await note(tx, move, "rolled_back", previous["release_id"], live, {})
    return str(previous["release_id"])


async def end_trial(tx: Tx, move: Move, running: Row, state: str, card_state: str, figures: Mapping[str, Any]) -> None:
    """End a canary's row; its release's card gets ``card_state``."""
    await tx.run(
        "releases.end_canary", id=running["id"], state=state, reason=move.reason, figures=dump(dict(figures)),
        now=tx.now_s,
    )  # fmt: skip
    await tx.run("releases.move", tenant=move.tenant, release_id=running["release_id"], state=card_state, now=tx.now_s)


async def note(
    tx: Tx, move: Move, action: str, release_id: str, previous_id: str | None, detail: Mapping[str, Any],
    *, first: bool = False,
) -> None:  # fmt: skip
    """Write what happened into timeline, audit and events, and wake every process.

    The ``first`` release of an installation changes nothing, so only the timeline has it.
    """
    await tx.run(
        "releases.note", id=new_id(), tenant=move.tenant, at=tx.now_s, action=action, release_id=release_id,
        previous_id=previous_id, actor_kind=move.by.kind, actor_id=move.by.id, reason=move.reason,
        detail=dump(dict(detail)),
    )  # fmt: skip
    tx.notify(TOPIC, move.tenant)
    if first:
        return
    told = {"previous": previous_id, "reason": move.reason, **detail}
    await audit(tx, move.by, f"release.{action}", release_id, told, move.ip)
    body = {"action": action, "release": release_id, "previous": previous_id, "reason": move.reason}
    tx.emit(Event(move.tenant, "release", body))


async def _check(tx: Tx, move: Move, card: Row, live: str | None) -> bool:
    """Whether a reason overrides something; raises ReleaseRefused where one is needed and missing."""
    faults = []
    if card["state"] == "withdrawn":
        faults.append("it was rolled back")
    if card["verdict"] != PROMOTE:
        faults.append(f"the gate's verdict is {card['verdict'] or 'missing'}")
    erased = await tx.rows("releases.erased", tenant=move.tenant, release_id=card["release_id"])
    faults += [f"{row['name']} learned from what was erased or withdrawn since" for row in erased]
    if live is not None:
        present = await card_of(tx, move.tenant, live)
        if base_of(json.loads(card["body"])) != base_of(json.loads(present["body"])):
            faults.append("it was made under other settings than the live release")
    if faults and not (move.reason or "").strip():
        raise ReleaseRefused(f"{'; '.join(faults)}. Give a reason to do it all the same; it is kept in the audit")
    return bool(faults)
