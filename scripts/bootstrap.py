"""Make this checkout runnable: a virtual environment from the lock, and the model's weights. Standard library only.

Command::

    python3 scripts/bootstrap.py [--test] [--no-weights]

What is made lives under the cache folder (FRONTDESK_CACHE_DIR, else XDG_CACHE_HOME/frontdesk, else
~/.cache/frontdesk), never in the checkout. The environment's folder is named by a digest of the lock file and the
Python it is made for, so checkouts with the same lock share it; the checkout itself is never installed into it.
Instead this script leaves two launchers in the checkout, .venv/bin/frontdesk and .venv/bin/python, that run the
shared environment with this checkout on the path. A marker written last makes an environment count as complete;
an interrupted one is removed. The test tools are added to the same environment, with a marker of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINIMUM = (3, 11)
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"  # asked only when the configured sources lack the CPU build
MARKER = "complete"
LOCK = ".bootstrap-lock"
NEEDED_BYTES = 4_000_000_000  # downloads, environment and weights together while installing
TAIL_LINES = 6


class Failure(Exception):
    """One cause and the one command that repairs it."""

    def __init__(self, cause: str, repair: str) -> None:
        super().__init__(cause)
        self.repair = repair


class Stages:
    """Prints each stage with its elapsed time and the size of what it left."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @contextlib.contextmanager
    def stage(self, name: str, folder: Path | None = None) -> Iterator[None]:
        """Announce a stage, and its time and size once it has ended well."""
        started = time.monotonic()
        print(f"[{started - self._started:6.1f} s] {name} …", flush=True)
        yield
        size = f", {folder_bytes(folder) / 1e6:,.0f} MB" if folder is not None else ""
        now = time.monotonic()
        print(f"[{now - self._started:6.1f} s] {name}: done in {now - started:.1f} s{size}", flush=True)

    def note(self, text: str) -> None:
        """One line with the time since the start."""
        print(f"[{time.monotonic() - self._started:6.1f} s] {text}", flush=True)


def cache_root() -> Path:
    """Where everything expensive is kept; the same rule as models/cache.py."""
    explicit = os.environ.get("FRONTDESK_CACHE_DIR")
    if explicit:
        return Path(explicit).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "frontdesk"


def folder_bytes(folder: Path) -> int:
    """Bytes of all regular files below a folder."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total


def digest12(*parts: bytes) -> str:
    """The first twelve hex digits of the sha256 over all parts."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def environment_folder(lock: Path) -> Path:
    """The environment's place: keyed by the lock's content and the interpreter it is made for."""
    python = f"{sys.implementation.cache_tag} {platform.machine()} {os.path.realpath(sys.executable)}"
    key = digest12(lock.read_bytes(), python.encode())
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache_root() / "venvs" / f"py{version}-{key}"


def clean_environment() -> dict[str, str]:
    """The environment for child processes: without what would redirect a virtual environment's Python."""
    dropped = {
        "PYTHONHOME",
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_USER",
        "PIP_REQUIRE_VIRTUALENV",
    }
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def check_machine(root: Path) -> None:
    """Refuse early, with the repair, what would fail late."""
    if sys.version_info < MINIMUM:
        raise Failure(
            f"Python {sys.version.split()[0]} is too old; 3.11 or newer is needed",
            "sudo apt-get install -y python3.11 python3.11-venv && make PYTHON=python3.11 demo",
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise Failure("this Python lacks the venv module", f"sudo apt-get install -y python{version}-venv")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"cannot create {root}: {error.strerror}", "export FRONTDESK_CACHE_DIR=/a/writable/folder"
        ) from error
    if not os.access(root, os.W_OK):
        raise Failure(f"{root} is not writable for this user", "export FRONTDESK_CACHE_DIR=/a/writable/folder")


def check_space(root: Path) -> None:
    """Refuse to begin an installation that cannot end."""
    free = shutil.disk_usage(root).free
    if free < NEEDED_BYTES:
        raise Failure(
            f"{free / 1e9:.1f} GB are free below {root}, {NEEDED_BYTES / 1e9:.0f} GB are needed",
            "export FRONTDESK_CACHE_DIR=/a/folder/on/a/larger/disk",
        )


@contextlib.contextmanager
def locked(path: Path, stages: Stages) -> Iterator[None]:
    """One bootstrap at a time per cache; the lock vanishes with its holder."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stages.note("another bootstrap is at work here; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(command: list[str], *, quiet: bool = True) -> tuple[int, str]:
    """Run a child to its end; returns its status and the end of its output."""
    if not quiet:
        return subprocess.run(command, env=clean_environment(), cwd=ROOT, check=False).returncode, ""
    done = subprocess.run(
        command, env=clean_environment(), cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
    lines = [line for line in lines if line.startswith("ERROR")] or lines
    return done.returncode, "\n".join(lines[-TAIL_LINES:])


def make_environment(folder: Path, lock: Path, stages: Stages) -> None:
    """Create the environment in place and mark it complete; a half one is removed first."""
    check_space(folder.parent)
    if folder.exists():
        stages.note("removing an environment that was never finished")
        shutil.rmtree(folder)
    python = folder / "bin" / "python"
    with stages.stage("virtual environment"):
        status, tail = run([sys.executable, "-m", "venv", str(folder)])
        if status:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise Failure(
                f"the virtual environment could not be made:\n{tail}", f"sudo apt-get install -y python{version}-venv"
            )
    rest = folder / "lock-without-torch.txt"
    lines = lock.read_text(encoding="utf-8").splitlines()
    torch = next((line.strip() for line in lines if line.startswith("torch==")), None)
    rest.write_text("\n".join(line for line in lines if not line.startswith("torch==")) + "\n", encoding="utf-8")
    if torch is not None:
        with stages.stage(f"{torch} (about 190 MB to fetch)"):
            install_torch(python, torch)
    count = sum(1 for line in lines if "==" in line)
    with stages.stage(f"{count} pinned packages (about 600 MB to fetch)", folder):
        pip(python, ["-r", str(rest)], "the packages of the lock could not be installed")
    (folder / MARKER).write_text(f"{lock.name}\n", encoding="utf-8")


def install_torch(python: Path, torch: str) -> None:
    """Install the CPU build from the configured sources, else from PyTorch's own index."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    status, _ = run([*command, torch])
    if status:
        status, tail = run([*command, "--index-url", TORCH_INDEX, torch])
        if status:
            raise Failure(
                f"{torch} is neither on the configured package sources nor to be had from {TORCH_INDEX}:\n{tail}",
                f"export PIP_EXTRA_INDEX_URL={TORCH_INDEX}   # or a mirror that holds it, or PIP_FIND_LINKS=/folder",
            )


def pip(python: Path, arguments: list[str], cause: str) -> None:
    """Install exactly what is named, without dependencies; raises Failure with the end of pip's output."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", *arguments]
    status, tail = run(command)
    if status:
        raise Failure(f"{cause}:\n{tail}", "check the network and pip's index settings (pip config list), then repeat")


def write_launchers(environment: Path) -> Path:
    """Leave .venv/bin/frontdesk and .venv/bin/python in the checkout; returns the folder, or one in the cache.

    A checkout that is not writable gets its launchers in the cache, keyed by the checkout's path.
    """
    folder = ROOT / ".venv" / "bin"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        key = digest12(str(ROOT).encode())
        folder = cache_root() / "launchers" / key
        folder.mkdir(parents=True, exist_ok=True)
    python = environment / "bin" / "python"
    path = f"export PYTHONPATH='{_quoted(ROOT)}'${{PYTHONPATH:+:$PYTHONPATH}}"
    _write_script(folder / "python", f"#!/bin/sh\n{path}\nexec '{_quoted(python)}' \"$@\"\n")
    _write_script(folder / "frontdesk", f"#!/bin/sh\n{path}\nexec '{_quoted(python)}' -m server.cli \"$@\"\n")
    return folder


def _quoted(path: Path) -> str:
    return str(path).replace("'", "'\\''")


def _write_script(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        if path.read_text(encoding="utf-8") == text:
            return
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    scratch.write_text(text, encoding="utf-8")
    scratch.chmod(0o755)
    scratch.replace(path)


def add_test_tools(environment: Path, lock: Path, stages: Stages) -> None:
    """Install the test tools into the environment once per content of their lock."""
    marker = environment / f"test-{digest12(lock.read_bytes())}"
    if marker.exists():
        return
    with locked(cache_root() / LOCK, stages), stages.stage("test tools (about 90 MB to fetch)"):
        pip(environment / "bin" / "python", ["-r", str(lock)], "the test tools could not be installed")
        marker.touch()


def add_system_packages(stages: Stages) -> None:
    """Install a browser and a database server where that is possible, else say what is missing and how to add it."""
    browsers = ("chromium", "chromium-browser", "google-chrome")
    has_browser = any(shutil.which(name) for name in browsers)
    has_database = shutil.which("initdb") or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    missing = ([] if has_browser else ["chromium"]) + ([] if has_database else ["postgresql"])
    if not missing:
        return
    names = " ".join(missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        stages.note(f"{names} missing: tests that need it are skipped; add it with: sudo apt-get install -y {names}")
        return
    with stages.stage(f"system packages {names}"):
        install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
        status, tail = run(install)
        if status:  # the package lists of a fresh image are often empty
            run(["apt-get", "update"])
            status, tail = run(install)
        if status:
            raise Failure(f"{names} could not be installed:\n{tail}", f"apt-get update && apt-get install -y {names}")


def bootstrap(*, test: bool, weights: bool) -> Path:
    """Do what is missing; returns the folder of the launchers."""
    stages = Stages()
    root = cache_root()
    check_machine(root)
    lock = ROOT / "requirements" / "demo-cpu.txt"
    environment = environment_folder(lock)
    environment.parent.mkdir(parents=True, exist_ok=True)
    if not (environment / MARKER).exists():
        with locked(root / LOCK, stages):
            if not (environment / MARKER).exists():
                make_environment(environment, lock, stages)
    stages.note(f"environment {environment}")
    if test:
        add_test_tools(environment, ROOT / "requirements" / "test.txt", stages)
        add_system_packages(stages)
    folder = write_launchers(environment)
    if weights:
        with stages.stage("model weights", root / "models"):
            status, _ = run([str(folder / "python"), "-m", "models.weights"], quiet=False)
            if status:
                raise Failure("the model's weights could not be brought here (see above)", "make demo")
    stages.note(f"ready: {folder / 'frontdesk'}")
    return folder


def main() -> int:
    """Parse the command line and report a failure as one cause and one repair."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--test", action="store_true", help="add the test and check tools")
    parser.add_argument("--no-weights", action="store_true", help="leave the model's weights for later")
    arguments = parser.parse_args()
    try:
        bootstrap(test=arguments.test, weights=not arguments.no_weights)
    except Failure as failure:
        print(f"\nbootstrap failed: {failure}\nrepair it with:  {failure.repair}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbootstrap interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
