"""How the server is reached: addresses, origins, secrets in files and in transit."""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from config.keys import ENV_PREFIX
from config.settings import Settings
from server.commands.checks import Finding, fail, ok, warn


def check_exposure(settings: Settings) -> list[Finding]:
    """Public URL, listening address, and the way to a remote model."""
    return [_public_url(settings), _listening(settings), _model_transport(settings)]


def _public_url(settings: Settings) -> Finding:
    sites = [
        origin
        for account in settings.channels.web.values()
        for origin in account.allowed_origins
        if account.enabled and not is_local(origin)
    ]
    url = settings.http.public_url
    if sites and not url.startswith("https://"):
        value = f"{url or 'not set'}, but {sites[0]} embeds the widget"
        return fail("public url", value, "set FRONTDESK_HTTP__PUBLIC_URL=https://desk.example.com")
    return ok("public url", url or "not set, local use only")


def _listening(settings: Settings) -> Finding:
    if not is_local(f"//{settings.http.host}") and not settings.http.public_url.startswith("https://"):
        return warn(
            "listening",
            f"{settings.http.host} is reachable from other machines without TLS",
            "set FRONTDESK_HTTP__PUBLIC_URL to the https address of the proxy in front",
        )
    return ok("listening", f"{settings.http.host}:{settings.http.port}")


def _model_transport(settings: Settings) -> Finding:
    url = settings.model.base_url
    if url.startswith("http://") and not is_local(url) and settings.model.api_key.get_secret_value():
        return warn("model key", f"sent to {urlsplit(url).hostname} without TLS", "use https or a private network")
    return ok("model key", "stays on this machine or travels over TLS" if url else "random, local only")


def is_local(url: str) -> bool:
    """Whether an address can be reached on this machine only."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_secret_files(environ: Mapping[str, str]) -> Finding:
    """Files named by ``…_FILE`` variables must not be readable by every account."""
    names = [
        name
        for name, path in sorted(environ.items())
        if name.startswith(ENV_PREFIX) and name.endswith("_FILE") and _world_readable(Path(path))
    ]
    if names:
        return warn("secrets", f"every account can read the file of {names[0]}", f"chmod o-rwx {environ[names[0]]}")
    return ok("secrets", "no secret file is readable by every account")


def _world_readable(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
