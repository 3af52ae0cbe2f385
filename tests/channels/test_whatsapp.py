"""Which transport an account gets."""

from __future__ import annotations

import subprocess
import sys

from channels.whatsapp import make
from channels.whatsapp.meta import MetaChannel
from channels.whatsapp.twilio import TwilioChannel
from tests.channels.whatsapp_kit import meta_accounts, services, twilio_accounts


def test_the_provider_decides() -> None:
    assert isinstance(make("default", twilio_accounts(), services()), TwilioChannel)
    assert isinstance(make("default", meta_accounts(), services()), MetaChannel)


def test_accounts_of_both_transports_live_side_by_side() -> None:
    accounts = {"default": twilio_accounts()["default"], "second": meta_accounts()["default"]}
    channels = [make(name, accounts, services()) for name in accounts]
    assert [(channel.name, channel.account) for channel in channels] == [
        ("whatsapp", "default"),
        ("whatsapp", "second"),
    ]


def test_the_sdk_is_loaded_when_the_channel_runs_not_before() -> None:
    program = "import sys, channels.whatsapp; sys.exit('twilio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
