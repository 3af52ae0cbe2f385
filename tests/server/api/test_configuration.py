"""The settings in force: masked, with their sources, and what a restart would change."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import Settings
from server.api.configuration import ConfigurationApi
from server.routes import Role
from tests.server.desk import open_desk


async def test_settings_are_shown_with_their_sources_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "frontdesk.yaml"
    file.write_text("training:\n  minimum_examples: 50\n")
    monkeypatch.setenv("FRONTDESK_CONFIG", str(file))
    monkeypatch.setenv("FRONTDESK_MODEL__API_KEY", "sk-canary-secret")
    monkeypatch.setenv("FRONTDESK_MODEL__BASE_URL", "http://127.0.0.1:9/v1")
    model = {"api_key": "sk-canary-secret", "base_url": "http://127.0.0.1:9/v1"}
    running = Settings(model=model, training={"minimum_examples": 100})
    async with open_desk(f"sqlite:///{tmp_path}/a.db", extra=ConfigurationApi(running).routes()) as desk:
        admin = await desk.signed_in(Role.ADMIN)
        answer = await admin.call("GET", "/api/settings")
        assert "sk-canary-secret" not in await answer.text()
        found = {line["key"]: line for line in (await answer.json())["settings"]}
        assert found["model.api_key"]["value"] == "***"
        assert found["model.api_key"]["source"] == "FRONTDESK_MODEL__API_KEY"
        changed = found["training.minimum_examples"]
        assert (changed["value"], changed["written"]) == ("100", "50")
        assert str(file) in changed["source"]
        assert found["name"]["source"] == "default"
        file.write_text("nonsense: 1\n")
        broken = await (await admin.call("GET", "/api/settings")).json()
        assert "nonsense" in broken["trouble"]
        assert broken["settings"]
        staff = await desk.signed_in(Role.STAFF)
        assert (await staff.call("GET", "/api/settings")).status == 403
