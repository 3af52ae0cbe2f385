"""The stages of a run: each leaves a file or a row behind, and finds what it left when it is entered again."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, cast

import structlog

from config.settings import Settings
from models.adapters import BadAdapter
from server.examples import Examples
from server.releases.served import AdapterUnavailable
from server.retrain.children import Children, Look, progress_of
from server.retrain.contract import (
    SUBJECTS,
    Adapter,
    Declined,
    Machine,
    ModelServers,
    Opens,
    Registry,
    Releases,
    Stage,
    StageFailed,
    StopAsked,
    Verdict,
)
from server.retrain.folder import Folder, last_object, read_json, write_rows, write_text
from server.retrain.runs import Runs, Taken
from server.routes import Principal, Role
from server.store.contract import Store, Tx
from server.store.text import dump

log = structlog.get_logger()

KEY_ENV = "TRAINING_DOOR_KEY"
ROWS_PER_UNIT = 200  # of a dataset: a few milliseconds of the writer
LOAD_S = 120.0  # for an adapter to be loaded and proved
VERDICTS: Mapping[int, Verdict] = {0: "promote", 3: "reject", 4: "not_enough_evidence"}  # by the gate's exit status
ADVICE_NO = 3  # exit status of `advise` when it says no
STATES = frozenset(VERDICTS)


class Stages:
    """What each stage of one bot's runs does; collaborators belong to whoever assembles it."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        examples: Examples,
        runs: Runs,
        children: Children,
        *,
        registry: Callable[[], Registry],
        releases: Releases,
        servers: ModelServers,
        door: Opens,
        machine: Callable[[], Machine],
    ) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._settings = settings.training
        self._examples = examples
        self._runs = runs
        self._children = children
        self._registry = registry
        self._releases = releases
        self._servers = servers
        self._door = door
        self._machine = machine
        self._steps: Mapping[Stage, Callable[[Taken, Folder], Awaitable[None]]] = {
            "export": self._export,
            "advise": self._advise,
            "prepare": self._prepare,
            "train": self._train,
            "check": self._check,
            "evaluate": self._evaluate,
            "gate": self._gate,
            "candidate": self._candidate,
        }

    async def run(self, taken: Taken, stage: Stage) -> None:
        """Do one stage; raises RetrainError, and Fenced when the run is in other hands."""
        folder = Folder(taken.folder)
        folder.make()
        await self._look(taken, stage, folder)()
        await self._steps[stage](taken, folder)
        await self._look(taken, stage, folder)()

    async def _export(self, taken: Taken, folder: Folder) -> None:
        """Everything approved now: as a file for the children, as rows of a dataset in the store."""
        rows = [row async for row in self._examples.rows()]
        if len(rows) < self._settings.minimum_examples and not taken.forced:
            raise Declined(
                f"{len(rows)} approved examples, {self._settings.minimum_examples} are the least that is trained on "
                "(training.minimum_examples): approve more, or start the retrain with force"
            )
        await self._store.write(lambda tx: self._open_dataset(tx, taken, len(rows)))
        for at in range(0, len(rows), ROWS_PER_UNIT):
            some = [(row["id"], row["message"] or None) for row in rows[at : at + ROWS_PER_UNIT]]
            await self._store.write(lambda tx, some=some: self._add_rows(tx, taken, some))  # type: ignore[misc]
        await asyncio.to_thread(write_rows, folder.examples, rows)
        recipe = {**_recipe_file(self._settings.recipe), **taken.recipe}
        if recipe:
            await asyncio.to_thread(write_text, folder.recipe, json.dumps(recipe, sort_keys=True, indent=2))

    async def _open_dataset(self, tx: Tx, taken: Taken, count: int) -> None:
        await tx.run(
            "loop.add_dataset", id=taken.id, tenant=self._tenant, run_id=taken.id, rows_count=count, now=tx.now_s
        )
        await tx.run("loop.clear_rows", dataset_id=taken.id)
        await self._runs.note_in(tx, taken, dataset_id=taken.id)

    async def _add_rows(self, tx: Tx, taken: Taken, some: list[tuple[str, str | None]]) -> None:
        for example_id, message_id in some:
            await tx.run("loop.add_row", dataset_id=taken.id, example_id=example_id, message_id=message_id)

    async def _advise(self, taken: Taken, folder: Folder) -> None:
        """Whether to tune at all; a run that nobody asked for heeds a no."""
        if not self._settings.advise:
            return
        arguments: list[str | Path] = ["advise", "--examples", folder.examples, "--json"]
        status = await self._child(taken, folder, "advise", arguments, ends=frozenset({0, ADVICE_NO}))
        advice = await asyncio.to_thread(last_object, folder.path / "advise.log")
        await asyncio.to_thread(write_text, folder.advice, dump(advice))
        await self._runs.note(taken, advice=dump(advice))
        if status == ADVICE_NO and taken.by_itself:
            raise Declined(_first_no(advice))

    async def _prepare(self, taken: Taken, folder: Folder) -> None:
        arguments: list[str | Path] = ["prepare", "--examples", folder.examples, "--out", folder.dataset]
        arguments += _recipe_of(folder)
        for row in await self._store.rows("loop.earlier_folders", tenant=self._tenant, run_id=taken.id):
            manifest = Folder(Path(row["folder"])).dataset / "manifest.json"
            if manifest.is_file():
                arguments += ["--earlier", manifest]
        await self._child(taken, folder, "prepare", arguments)
        manifest_body = await asyncio.to_thread(folder.manifest)
        sides = await asyncio.to_thread(lambda: list(folder.sides()))
        if not manifest_body:
            raise StageFailed("prepare wrote no dataset/manifest.json; see prepare.log in the run's folder")
        for at in range(0, len(sides), ROWS_PER_UNIT):
            some = sides[at : at + ROWS_PER_UNIT]
            await self._store.write(lambda tx, some=some: self._split(tx, taken, some))  # type: ignore[misc]
        await self._store.write(lambda tx: self._seal(tx, taken, manifest_body))

    async def _split(self, tx: Tx, taken: Taken, some: list[tuple[str, str]]) -> None:
        for example_id, side in some:
            await tx.run("loop.split_row", dataset_id=taken.id, example_id=example_id, split=side)

    async def _seal(self, tx: Tx, taken: Taken, manifest: Mapping[str, Any]) -> None:
        await tx.run("loop.drop_open_rows", dataset_id=taken.id)
        digest = str(manifest.get("sha256") or manifest.get("dataset_sha256") or "prepared")
        await tx.run("loop.seal_dataset", id=taken.id, digest=digest, manifest=dump(manifest))
        await self._runs.note_in(tx, taken)

    async def _train(self, taken: Taken, folder: Folder) -> None:
        """The adapter; the trainer goes on from its checkpoints by itself."""
        if folder.adapter.is_dir():
            return
        machine = self._there()
        arguments: list[str | Path] = ["train", "--dataset", folder.dataset, "--base", machine.base]
        arguments += ["--out", folder.path, "--base-name", machine.base_name, "--threads", str(machine.threads)]
        await self._child(taken, folder, "train", [*arguments, *_recipe_of(folder)])
        if not folder.adapter.is_dir():
            raise StageFailed("train ended without an adapter; see train.log in the run's folder")

    async def _check(self, taken: Taken, folder: Folder) -> None:
        """Every fault of the adapter is found before a model server hears of it; then it is taken into the registry."""
        try:
            adapter = await asyncio.to_thread(self._put, folder)
        except (BadAdapter, LookupError, OSError) as error:
            raise StageFailed(f"the adapter cannot be served: {error}") from error

        async def unit(tx: Tx) -> None:
            await tx.run(
                "loop.add_adapter", name=adapter.name, tenant=self._tenant, dataset_id=taken.dataset_id or taken.id,
                run_id=taken.id, digest=adapter.digest, manifest=dump(dict(adapter.manifest)), now=tx.now_s,
            )  # fmt: skip
            await self._runs.note_in(tx, taken, adapter=adapter.name)

        await self._store.write(unit)

    def _put(self, folder: Folder) -> Adapter:
        return self._registry().put(folder.adapter, self._tenant)

    async def _evaluate(self, taken: Taken, folder: Folder) -> None:
        """Base, live and candidate over the same prompts, through the server that serves customers."""
        adapter = await self._adapter_of(taken)
        live = await self._releases.get(taken.live_release or self._releases.live)
        subjects = {"base": live.model, "live": live.adapter or live.model, "candidate": adapter}
        try:
            await self._servers.ensure({adapter, *filter(None, [live.adapter])}, LOAD_S)
        except AdapterUnavailable as error:
            raise StageFailed(f"the candidate cannot be asked: {error}") from error
        async with self._door.open() as door:
            for subject in SUBJECTS:
                if subject == "live" and subjects["live"] == subjects["base"]:
                    await asyncio.to_thread(shutil.copyfile, folder.answers("base"), folder.answers("live"))
                    continue
                arguments: list[str | Path] = ["evaluate", "--rows", folder.dataset / "heldout.jsonl"]
                arguments += [word for suite in self._there().suites for word in ("--suite", suite)]
                arguments += ["--rule", self._settings.rule] if self._settings.rule else []
                arguments += ["--url", door.url, "--key-env", KEY_ENV, "--model", f"raw:{subjects[subject]}"]
                arguments += ["--out", folder.answers(subject), "--parallel", str(self._settings.parallel)]
                await self._child(taken, folder, "evaluate", arguments, subject=subject, more_env={KEY_ENV: door.key})

    async def _gate(self, taken: Taken, folder: Folder) -> None:
        arguments: list[str | Path] = ["gate"]
        for subject in SUBJECTS:
            arguments += [f"--{subject}", folder.answers(subject)]
        arguments += [word for target in self._settings.targets for word in ("--target", target)]
        status = await self._child(taken, folder, "gate", [*arguments, "--out", folder.report], ends=STATES)
        await self._runs.note(taken, verdict=VERDICTS[status])

    async def _candidate(self, taken: Taken, folder: Folder) -> None:
        """The live release with the new adapter, and what the gate said of it; a person promotes it."""
        row = await self._runs.get(taken.id)
        report = await asyncio.to_thread(read_json, folder.report)
        by = Principal(self._tenant, "system", "retrain", Role.ADMIN)
        release = await self._releases.candidate(
            await self._adapter_of(taken), by=by, run=taken.id, dataset=row["dataset_id"]
        )
        await self._releases.judge(release, cast("Verdict", row["verdict"]), report)
        await self._runs.note(taken, candidate=release)

    async def _adapter_of(self, taken: Taken) -> str:
        row = await self._runs.get(taken.id)
        if not row["adapter"]:
            raise StageFailed("the run has no adapter; start another one")
        return str(row["adapter"])

    def _there(self) -> Machine:
        try:
            return self._machine()
        except LookupError as error:
            raise StageFailed(str(error)) from error

    async def _child(
        self,
        taken: Taken,
        folder: Folder,
        stage: Stage,
        arguments: list[str | Path],
        *,
        ends: frozenset[int] = frozenset({0}),
        subject: str = "",
        more_env: Mapping[str, str] | None = None,
    ) -> int:
        look = self._look(taken, stage, folder, subject)
        name = f"{stage}-{subject}" if subject else stage
        threads = self._settings.threads or self._there().threads
        return await self._children.run(
            folder.path, name, arguments, look, threads=threads, ends=ends, more_env=more_env, patient=bool(subject)
        )

    def _look(self, taken: Taken, stage: Stage, folder: Folder, subject: str = "") -> Look:
        """What happens every few seconds: progress into the store and to whoever watches, a wish to stop out of it."""

        async def look() -> None:
            found = await asyncio.to_thread(_progress, stage, folder, subject)
            stop_by = await self._runs.mirror(taken, stage, found)
            if stop_by is not None:
                raise StopAsked(f"stopped by {stop_by}")

        return look


def _progress(stage: Stage, folder: Folder, subject: str) -> dict[str, Any]:
    if stage == "train":
        return progress_of(folder.path)
    if stage == "evaluate" and subject:
        return {"subject": subject, "done": _lines(folder.answers(subject))}
    return {}


def _lines(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _recipe_of(folder: Folder) -> list[str | Path]:
    return ["--recipe", folder.recipe] if folder.recipe.is_file() else []


def _recipe_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    found = read_json(path)
    if not found:
        raise StageFailed(f"training.recipe names {path}, which holds no JSON object; mend it or set it to null")
    prepare = found.get("prepare")
    if isinstance(prepare, dict) and isinstance(prepare.get("replay"), str):  # the run's copy lies in another folder
        found = {**found, "prepare": {**prepare, "replay": str((path.parent / prepare["replay"]).absolute())}}
    return found


def _first_no(advice: Mapping[str, Any]) -> str:
    stops = [finding["text"] for finding in advice.get("findings", ()) if finding.get("stops")]
    return str(stops[0]) if stops else "tuning is not advised now"
