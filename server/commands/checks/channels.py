"""Accounts of messaging platforms: addresses the platforms can call, and credentials they accept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

from channels.base import ChannelError, File, Health, Services
from config.accounts import PlatformAccount, SlackAccount, TelegramAccount
from config.settings import Settings
from server.accounts import PLATFORMS, make, outcome
from server.commands.checks import Finding, fail, ok, warn
from server.commands.checks.exposure import is_local

ASK_S = 20.0  # for loading a platform's library and asking it once
TELEGRAM_PORTS = frozenset({80, 88, 443, 8443})  # the only ones Telegram calls
PUBLIC_URL = "set FRONTDESK_HTTP__PUBLIC_URL=https://desk.example.com, the address entered at the platform"


def platform_accounts(settings: Settings) -> list[tuple[str, str, PlatformAccount]]:
    """Platform, name and settings of every account that is on."""
    return [
        (platform, name, account)
        for platform in PLATFORMS
        for name, account in getattr(settings.channels, platform).items()
        if account.on
    ]


def check_addresses(settings: Settings) -> list[Finding]:
    """Whether the platforms can call the webhooks of the accounts that have some."""
    called = [f"{platform}/{name}" for platform, name, one in platform_accounts(settings) if _is_called(one)]
    findings = [*_ports(settings), *_shared(settings)]
    url = settings.http.public_url
    if not called:
        return findings
    if not url.startswith("https://"):
        findings.insert(0, fail("webhooks", f"{called[0]} is called at {url or 'no public address'}", PUBLIC_URL))
    else:
        findings.insert(0, ok("webhooks", f"{', '.join(called)} at {url}"))
    return findings


async def check_accounts(settings: Settings) -> list[Finding]:
    """Ask each platform whether it accepts our credentials, and whether messages reach us."""
    accounts = platform_accounts(settings)
    return list(await asyncio.gather(*(_account(settings, platform, name) for platform, name, _ in accounts)))


async def _account(settings: Settings, platform: str, name: str) -> Finding:
    found: list[Health] = []

    async def ask() -> None:
        channel = make(settings, platform, name, _services(settings))
        async with asyncio.timeout(ASK_S), channel.running():
            found.append(await channel.check())

    error = await outcome(ask())
    title, page = f"{platform}/{name}", f"see docs/channels/{platform}.md"
    if found:
        return ok(title, found[0].detail) if found[0].ok else fail(title, found[0].detail, f"{page}, then ask again")
    if isinstance(error, ImportError | ChannelError):
        return fail(title, f"its library cannot be loaded: {error}", f"pip install 'frontdesk[{platform}]'")
    return fail(title, f"could not be asked ({type(error).__name__})", f"check network and api_base; {page}")


def _services(settings: Settings) -> Services:
    """What a channel needs for being asked: nothing is stored, and nothing changed at the platform."""
    return Services(
        send_timeout_s=settings.outbox.send_timeout_s,
        public_url=settings.http.public_url,
        load=_nothing,
        save=_kept_nowhere,
        file=_no_file,
        file_url=lambda _file_id: "",
        look_only=True,
    )


async def _nothing(_name: str) -> str:
    return ""


async def _kept_nowhere(_name: str, _value: str) -> None:
    return None


async def _no_file(_file_id: str) -> File:
    raise LookupError("no file is stored")


def _is_called(account: PlatformAccount) -> bool:
    """Whether a platform on the internet calls us for this account."""
    if account.api_base and is_local(account.api_base):
        return False  # a double on this machine
    match account:
        case SlackAccount():
            return not account.app_token.get_secret_value()
        case TelegramAccount():
            return account.mode == "webhook" and account.register_webhook
        case _:
            return True


def _ports(settings: Settings) -> Iterator[Finding]:
    port = urlsplit(settings.http.public_url).port or 443
    for platform, name, account in platform_accounts(settings):
        if isinstance(account, TelegramAccount) and _is_called(account) and port not in TELEGRAM_PORTS:
            repair = "serve FRONTDESK_HTTP__PUBLIC_URL on port 443 or 8443, or poll: FRONTDESK_CHANNELS__TELEGRAM__MODE"
            yield fail(f"{platform}/{name}", f"Telegram does not call port {port}", repair)


def _shared(settings: Settings) -> Iterator[Finding]:
    """Workspaces of one Slack app share its address, so each must be known by its id."""
    accounts = {name: account for name, account in settings.channels.slack.items() if account.on}
    for name, account in accounts.items():
        secret = account.signing_secret.get_secret_value()
        others = [one for one, its in accounts.items() if secret and its.signing_secret == account.signing_secret]
        if len(others) > 1 and not account.team_id:
            value = f"shares its app with {', '.join(one for one in others if one != name)} and has no team_id"
            yield warn(f"slack/{name}", value, f"set channels.slack.{name}.team_id to the workspace's id (T...)")
