"""The host: Python, memory, disk, clock. Figures come in as arguments, so that tests can inject faults."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from config.settings import Settings
from server.commands.checks import Finding, fail, ok, warn

MIB = 1024 * 1024
OLDEST_PYTHON = (3, 11)
DISK_FAIL_MIB = 200
DISK_WARN_MIB = 2_048
SERVER_MIB = 512
LOCAL_MODEL_MIB = 3_072  # vLLM on a CPU with the demo model, measured, key-value cache included
CLOCK_SLACK_S = 86_400.0


def check_python(version: tuple[int, ...]) -> Finding:
    """``version`` is ``sys.version_info``."""
    text = ".".join(str(part) for part in version[:3])
    if version[:2] < OLDEST_PYTHON:
        return fail("python", text, "install Python 3.11 or newer and run: make demo")
    return ok("python", text)


def check_memory(meminfo: str, settings: Settings) -> Finding:
    """``meminfo`` is the text of ``/proc/meminfo``; empty where there is none."""
    fields = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    if "MemAvailable" not in fields:
        return ok("memory", "unknown on this system")
    free_mib = int(fields["MemAvailable"].split()[0]) // 1024
    needed_mib = SERVER_MIB if settings.model.base_url else SERVER_MIB + LOCAL_MODEL_MIB
    if free_mib < SERVER_MIB:
        return fail("memory", f"{free_mib} MiB free, {SERVER_MIB} needed", "stop other programs or add memory")
    if free_mib < needed_mib:
        return warn(
            "memory",
            f"{free_mib} MiB free, {needed_mib} wanted with a local model",
            "lower FRONTDESK_MODEL__KV_CACHE_GIB, or set FRONTDESK_MODEL__BASE_URL to a model elsewhere",
        )
    return ok("memory", f"{free_mib} MiB free")


def check_data_dir(folder: Path, free_mib: int | None = None) -> list[Finding]:
    """Writable, and with room; ``free_mib`` is measured unless given."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        return [fail("data dir", f"{existing} is not a directory", "set FRONTDESK_DATA_DIR to a directory")]
    try:
        with tempfile.TemporaryFile(dir=existing) as probe:
            probe.write(b"frontdesk")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        reason = f"{existing} cannot be written ({error.strerror})"
        return [fail("data dir", reason, f"chown {os.getuid()} {existing}, or set FRONTDESK_DATA_DIR")]
    return [ok("data dir", str(folder)), _check_room(existing, free_mib)]


def _check_room(folder: Path, free_mib: int | None) -> Finding:
    free = shutil.disk_usage(folder).free // MIB if free_mib is None else free_mib
    repair = f"free space on the disk of {folder}: frontdesk store purge, or set FRONTDESK_DATA_DIR"
    if free < DISK_FAIL_MIB:
        return fail("disk", f"{free} MiB free, {DISK_FAIL_MIB} needed", repair)
    if free < DISK_WARN_MIB:
        return warn("disk", f"{free} MiB free, {DISK_WARN_MIB} wanted", repair)
    return ok("disk", f"{free} MiB free")


def check_clock(now_s: float, newest_file_s: float) -> Finding:
    """Compare the wall clock with the newest file of the program; a clock behind it is wrong."""
    if now_s < newest_file_s - CLOCK_SLACK_S:
        days = (newest_file_s - now_s) / CLOCK_SLACK_S
        return fail("clock", f"{days:.0f} days behind the program's own files", "timedatectl set-ntp true")
    return ok("clock", "plausible")
