"""What is installed: packages against the lock, vLLM, the weights."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

from config.settings import Settings
from models import cache, weights
from server.commands.checks import Finding, fail, ok, warn

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;#]+)", re.MULTILINE)
INSTALL = "make setup"
SHOWN = 3  # packages named in one line


def installed_version(name: str) -> str | None:
    """The version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def pins(lock: str) -> dict[str, str]:
    """Name and version of every pin in a requirements file."""
    return {match["name"]: match["version"] for match in PIN.finditer(lock)}


def check_packages(wanted: Mapping[str, str], find: Callable[[str], str | None] = installed_version) -> Finding:
    """Each pin must be installed; another version is worth a look."""
    if not wanted:
        return warn("packages", "no lock file lies beside the program", "run from a checkout or the image")
    missing = [name for name in wanted if find(name) is None]
    if missing:
        return fail("packages", f"{len(missing)} missing: {_some(missing)}", INSTALL)
    other = [name for name, version in wanted.items() if _plain(find(name)) != _plain(version)]
    if other:
        return warn("packages", f"{len(other)} not as locked: {_some(other)}", INSTALL)
    return ok("packages", f"{len(wanted)} as locked")


def _plain(version: str | None) -> str:
    return (version or "").split("+")[0]


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")


def check_vllm(settings: Settings, *, present: bool | None = None) -> Finding:
    """A local model needs vLLM; looked up without importing it."""
    if settings.model.base_url:
        return ok("vllm", "not needed, model.base_url is set")
    found = importlib.util.find_spec("vllm") is not None if present is None else present
    if not found:
        return fail("vllm", "not installed in this environment", "make setup, or set FRONTDESK_MODEL__BASE_URL")
    return ok("vllm", "installed")


def check_weights(settings: Settings) -> Finding:
    """Weights for the local model: there, and as their manifest says."""
    if settings.model.base_url:
        return ok("weights", "not needed, model.base_url is set")
    try:
        found = weights.find(settings.model)
    except weights.WeightsError as error:
        return fail("weights", str(error), "correct FRONTDESK_MODEL__PATH")
    fetch = f"FRONTDESK_MODEL__NAME={settings.model.name} python -m models.weights"
    if found is None:
        if settings.model.download:
            return warn("weights", f"{settings.model.name} is not here yet, the start will fetch it", fetch)
        return fail("weights", f"{settings.model.name} is not here and model.download is off", fetch)
    if (found.folder / cache.MANIFEST).exists() and not cache.check(found.folder, hashes=True):
        return fail("weights", f"{found.folder} differs from its manifest", f"rm -r {found.folder} && {fetch}")
    return ok("weights", f"{found.source}: {found.folder}")


def newest_file_s(root: Path) -> float:
    """Modification time of the newest source file, epoch seconds."""
    return max((path.stat().st_mtime for path in root.glob("*/*.py")), default=0.0)
