"""WhatsApp, through Twilio or straight through Meta's Cloud API; both speak the same facts."""

from __future__ import annotations

from collections.abc import Mapping

from channels.base import Channel, Services
from channels.whatsapp.meta import MetaChannel
from channels.whatsapp.twilio import TwilioChannel
from config.accounts import WhatsAppAccount


def make(account: str, accounts: Mapping[str, WhatsAppAccount], services: Services) -> Channel:
    """The channel of one account; the others are known so that a shared webhook finds the number's own account."""
    if accounts[account].provider == "meta":
        return MetaChannel(account, accounts, services)
    return TwilioChannel(account, accounts, services)
