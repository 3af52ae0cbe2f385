"""Decisions about corrections over HTTP; their effect on answers stands in tests/scenarios/test_corrections.py."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.api.decisions import DecisionsApi
from server.routes import install
from server.teams import Teams
from tests.server.loop_bench import loop_bench
from tests.server.staff import TENANT, NamedGate, OneRelease, ScriptedAssistant


async def test_a_person_decides_and_sees_the_result(store_url: str, tmp_path: Path) -> None:
    async with loop_bench(store_url, tmp_path, "3 days") as one:
        key, _ = await one.correct(await one.ask(), "It takes 12 days.")
        assistant, app = ScriptedAssistant(), web.Application()
        install(
            app,
            DecisionsApi(one.store, one.settings, assistant, OneRelease()).routes(),
            NamedGate(one.store, Teams(one.store, TENANT)),
        )
        place = f"/api/corrections/{key}"
        async with TestClient(TestServer(app, host="127.0.0.1")) as client:

            async def call(
                method: str, path: str, body: object = None, who: str = "ana", status: int = 200
            ) -> dict[str, object]:
                answer = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {who}"})
                assert answer.status == status, await answer.text()
                found: dict[str, object] = await answer.json()
                return found

            for path, method in (("suggestion", "GET"), ("result", "GET"), ("decide", "POST"), ("try", "POST")):
                await call(method, f"{place}/{path}", {"route": "fact"}, "vera", 403)
                await call(method, f"/api/corrections/nothing/{path}", {"route": "fact"}, status=404)
            shown = await call("GET", f"{place}/suggestion")
            assert (shown["route"], shown["question"]) == ("fact", "how long?")
            assert await call("GET", f"{place}/result") == {"result": None}
            await call("POST", f"{place}/decide", {"route": "elsewhere"}, status=422)
            made = await call("POST", f"{place}/decide", {"route": "fact"})
            assert made["route"] == "fact"
            result = (await call("GET", f"{place}/result"))["result"]
            assert isinstance(result, dict)
            assert (result["document_id"], result["live"]) == (made["document_id"], False)
            tried = await call("POST", f"{place}/try")
            assert (tried["text"], tried["rests_on_it"]) == ("Hello, Marta.", False)
            assert assistant.asked[0][1].question == "how long?"
