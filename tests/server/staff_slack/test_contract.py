"""Which staff channel shows a conversation."""

from __future__ import annotations

from config.settings import Settings
from server.staff_slack.contract import Desks


def test_a_workspace_keeps_its_own_and_the_first_takes_all_others() -> None:
    slack = {
        name: {"bot_token": "xoxb", "signing_secret": "s", "staff_channel": room}
        for name, room in {"b": "C2", "a": "C1", "quiet": ""}.items()
    }
    desks = Desks.of(Settings.model_validate({"channels": {"slack": slack}}))
    assert desks.rooms == {"a": "C1", "b": "C2"}
    assert [desks.account("slack", name) for name in ("a", "b", "quiet")] == ["a", "b", "a"]
    assert desks.account("whatsapp", "default") == "a"
    assert Desks({}).account("web", "default") == ""
