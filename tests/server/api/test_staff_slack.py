"""Who is who in Slack, said by an admin."""

from __future__ import annotations

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from server.api.staff_slack import StaffSlackApi
from server.routes import install
from tests.server.staff import TENANT, NamedGate, open_staff


async def test_an_admin_links_and_unlinks(store_url: str) -> None:
    async with open_staff(store_url) as staff:
        slack = {"default": {"bot_token": "xoxb", "signing_secret": "s"}}
        settings = Settings.model_validate({"tenant": TENANT, "channels": {"slack": slack}})
        app = web.Application()
        install(app, StaffSlackApi(staff.store, settings).routes(), NamedGate(staff.store, staff.desk.teams))
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:

            async def call(method: str, path: str, body: object = None, who: str = "adam") -> web.Response:
                headers = {"Authorization": f"Bearer {who}"}
                return await client.request(method, f"/api/staff-slack/links{path}", json=body, headers=headers)  # type: ignore[return-value]

            for method, path in (("GET", ""), ("PUT", "/default/U1"), ("DELETE", "/default/U1")):
                assert (await call(method, path, {"person_id": "ana"}, "ana")).status == 403
            assert (await call("PUT", "/default/U1", {"person_id": "ana"})).status == 204
            assert (await call("PUT", "/default/U1", {"person_id": "ben"})).status == 204
            assert (await call("PUT", "/default/U2", {"person_id": "nobody"})).status == 404
            assert (await call("PUT", "/elsewhere/U2", {"person_id": "ana"})).status == 404
            answer = await call("GET", "")
            (link,) = (await answer.json())["links"]  # type: ignore[attr-defined]
            assert (link["slack_user"], link["person_id"], link["how"], link["linked_by"]) == (
                "U1",
                "ben",
                "link",
                "adam",
            )
            assert (await call("DELETE", "/default/U1")).status == 204
            assert await (await call("GET", "")).json() == {"links": []}  # type: ignore[attr-defined]
