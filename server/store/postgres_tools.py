"""pg_dump and pg_restore as child processes; the password travels in the environment, never in the arguments."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from server.store.contract import StoreError


async def dump(url: str, target: Path) -> None:
    """Write one consistent snapshot to ``target`` in the custom format; raises StoreError with pg_dump's last line."""
    if await asyncio.to_thread(target.exists):
        raise StoreError(f"{target} exists already; name a new file")
    await _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


async def load(url: str, source: Path) -> None:
    """Replace the database's tables by those of a dump, all or nothing; raises StoreError."""
    await _run(
        "pg_restore", url, "--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction",
        str(source),
    )  # fmt: skip


async def _run(program: str, url: str, *arguments: str) -> None:
    target, password = split_password(url)
    environment = {**os.environ, "PGPASSWORD": password} if password else dict(os.environ)
    try:
        child = await asyncio.create_subprocess_exec(
            program, f"--dbname={target}", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env=environment,
        )  # fmt: skip
    except FileNotFoundError:
        raise StoreError(f"{program} is not installed; install PostgreSQL's client programs") from None
    _, output = await child.communicate()
    if child.returncode:
        lines = output.decode(errors="replace").strip().splitlines() or ["no message"]
        raise StoreError(f"{program} failed: {lines[-1]}")


def split_password(url: str) -> tuple[str, str]:
    """The URL without its password, and the password."""
    parts = urlsplit(url)
    if not parts.password:
        return url, ""
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{host}")), unquote(parts.password)
