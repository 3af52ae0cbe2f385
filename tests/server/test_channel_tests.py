"""A test message over the whole service and a double of Telegram: sent, refused, counted, and written down."""

from __future__ import annotations

import json
from pathlib import Path

from server.routes import Role
from tests.doubles.telegram import SECRET, TOKEN, Telegram
from tests.scenario import desk
from tests.server.test_simulator import people


async def test_a_test_message_is_sent_and_its_fate_told(tmp_path: Path):
    telegram = Telegram()
    async with telegram.running():
        account = {"token": TOKEN, "secret_token": SECRET, "api_base": telegram.base_url, "register_webhook": False}
        channels = {"web": {"default": {}}, "telegram": {"default": account}}
        async with (
            desk(f"sqlite:///{tmp_path}/desk.db", tmp_path, channels=channels) as service,
            people(service) as hire,
        ):
            admin, staff = await hire(Role.ADMIN), await hire(Role.STAFF)
            path = "/channels/telegram/default/test"
            await staff.call("POST", path, {"to": "4711"}, 403)
            refused = await admin.call("POST", path, {"to": "@ana"}, 422)
            assert "number of a chat" in refused["detail"]
            await admin.call("POST", "/channels/slack/default/test", {"to": "C012345"}, 404)
            made = await admin.call("POST", path, {"to": "4711", "text": "Hello from the desk"}, 202)
            await admin.until(f"/channels/tests/{made['id']}", lambda found: found["state"] == "sent")
            assert telegram.visible(4711) == ["Hello from the desk"]
            telegram.chat(4712).blocked = True
            made = await admin.call("POST", path, {"to": "4712"}, 202)
            found = await admin.until(f"/channels/tests/{made['id']}", lambda found: found["state"] == "failed")
            assert "blocked" in f"{found['code']} {found['detail']} {found['reason']}"
            await admin.call("POST", path, {"to": "4713"}, 202)
            await admin.call("POST", path, {"to": "4714"}, 429)
            await admin.call("GET", "/channels/tests/unknown", status=404)
            audited = await admin.call("GET", "/audit")
            assert json.dumps(audited).count("channel.test") == 3
            hook = f"{service.base}/webhooks/telegram"
            for secret in ("wrong", SECRET):
                headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
                async with service.http.post(hook, json={"update_id": 1}, headers=headers) as answer:
                    assert answer.status == (200 if secret == SECRET else 403)
            (row,) = [row for row in (await admin.call("GET", "/channels"))["channels"] if row["channel"] == "telegram"]
            counts = {(one["status"], one["deliveries"]) for one in row["deliveries"]}
            assert counts == {(200, 1), (403, 1)}
            assert [call["status"] for call in row["latest"]] == [200, 403]
            assert row["limits"]["text_units"] == 4_096
