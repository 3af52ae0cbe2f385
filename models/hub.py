"""The public model hub: find a model in its local cache, or download the few files that serving needs."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import structlog

log = structlog.get_logger()

DEFAULT_ENDPOINT = "https://huggingface.co"
CONNECT_TIMEOUT_S = 4.0  # an unreachable hub must not hold up the start
READ_TIMEOUT_S = 60.0
CHUNK_BYTES = 1 << 20
NEEDED = re.compile(r"^[\w.-]+\.(json|safetensors)$|^tokenizer\.model$|^merges\.txt$|^vocab\.txt$")

Advance = Callable[[int, int], None]  # (done bytes, total bytes; 0 when unknown)


class HubError(Exception):
    """The hub could not be reached or does not hold the model in a servable form."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file to fetch; ``sha256`` is known for large files only."""

    name: str
    size: int
    sha256: str | None


def cache_folder() -> Path:
    """Where the hub's own tools keep downloads: HF_HUB_CACHE, HF_HOME/hub, or below the user's cache folder."""
    explicit = os.environ.get("HF_HUB_CACHE")
    if explicit:
        return Path(explicit).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "huggingface" / "hub"


def find_cached(model: str) -> Path | None:
    """The newest complete snapshot of ``model`` (``organisation/name``) in the local hub cache, or None."""
    repository = cache_folder() / f"models--{model.replace('/', '--')}"
    try:
        commit = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    snapshot = repository / "snapshots" / commit
    return snapshot if is_complete(snapshot) else None


def is_complete(folder: Path) -> bool:
    """Whether the folder holds a configuration, a tokenizer and safetensors weights."""
    return (
        (folder / "config.json").is_file()
        and (folder / "tokenizer.json").is_file()
        and any(path.is_file() for path in folder.glob("*.safetensors"))
    )


class Hub:
    """Downloads from the hub at HF_ENDPOINT (default: the public one), with HF_TOKEN when it is set."""

    def __init__(self, endpoint: str = "") -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        token = os.environ.get("HF_TOKEN")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def download(self, model: str, target: Path, advance: Advance) -> str:
        """Fetch the model's files into the empty folder ``target``; returns the commit. Raises HubError."""
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(headers=self._headers, timeout=timeout, trust_env=True) as session:
                commit, files = await self._list(session, model)
                total = sum(file.size for file in files)
                done = 0
                for file in files:
                    url = f"{self.endpoint}/{model}/resolve/{commit}/{file.name}"
                    done = await _fetch(session, url, file, target / file.name, lambda n: advance(n, total), done)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise HubError(
                f"the model hub at {self.endpoint} did not answer: {error or type(error).__name__}"
            ) from error
        if not is_complete(target):
            raise HubError(f"{model} has no config.json, tokenizer.json and safetensors weights on the hub")
        return commit

    async def _list(self, session: aiohttp.ClientSession, model: str) -> tuple[str, list[HubFile]]:
        short = aiohttp.ClientTimeout(total=CONNECT_TIMEOUT_S * 2, connect=CONNECT_TIMEOUT_S)
        async with session.get(f"{self.endpoint}/api/models/{model}?blobs=true", timeout=short) as response:
            if response.status >= 400:  # noqa: PLR2004 - HTTP's error range
                raise HubError(f"the model hub answered {response.status} for {model}; check model.name and HF_TOKEN")
            try:
                description: dict[str, Any] = await response.json()
                files = [_hub_file(row) for row in description["siblings"] if NEEDED.match(row["rfilename"])]
                return str(description["sha"]), files
            except (ValueError, KeyError, TypeError, aiohttp.ContentTypeError) as error:
                raise HubError(f"the model hub's description of {model} is not readable") from error


def _hub_file(row: dict[str, Any]) -> HubFile:
    return HubFile(str(row["rfilename"]), int(row.get("size") or 0), (row.get("lfs") or {}).get("sha256"))


async def _fetch(
    session: aiohttp.ClientSession, url: str, file: HubFile, target: Path, advance: Callable[[int], None], done: int
) -> int:
    """Stream one file to disk, checking its size and digest where the hub states them; returns total bytes done."""
    digest = hashlib.sha256()
    started_at = done
    async with session.get(url) as response:
        response.raise_for_status()
        with target.open("wb") as output:  # local writes of one MiB between network reads
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                digest.update(chunk)
                output.write(chunk)
                done += len(chunk)
                advance(done)
    if file.size and done - started_at != file.size:
        raise HubError(f"{file.name} arrived with {done - started_at} bytes instead of {file.size}; try again")
    if file.sha256 and digest.hexdigest() != file.sha256:
        raise HubError(f"{file.name} does not match the digest the hub states; try again")
    return done
