"""Cases and blind votes over HTTP: nothing that is sent before a vote tells whose answer it is."""

from __future__ import annotations

import json
from pathlib import Path

from config.settings import Settings
from server.api.votes import VotesApi
from server.retrain.folder import Folder, write_rows
from server.retrain.runs import Runs
from server.routes import Role
from tests.places import Place
from tests.server.api.test_review import asked
from tests.server.desk import TENANT, open_desk
from tests.server.retrain.test_answers import entry


async def test_cases_and_votes(store_url: str, tmp_path: Path):
    settings = Settings(tenant=TENANT, data_dir=tmp_path)
    async with Place("", store_url).open() as store:
        runs = Runs(store, TENANT, tmp_path / "runs")
        async with open_desk(store_url, extra=VotesApi(store, settings, runs).routes()) as desk:
            run = await runs.start("person", "ana")
            folder = Folder(tmp_path / "runs" / run)
            ana, ben = await desk.signed_in(Role.STAFF), await desk.signed_in(Role.ADMIN)
            path = f"/api/retrains/{run}"
            await asked(ana, f"{path}/ballot", "GET", None, 409)
            await asked(ana, "/api/retrains/none/cases", "GET", None, 404)
            folder.make()
            write_rows(folder.answers("live"), [entry(number, {"content": "old words"}) for number in range(3)])
            write_rows(folder.answers("candidate"), [entry(number, {"content": "new words"}) for number in range(3)])
            folder.report.write_text(json.dumps({"broken": ["heldout/e1#1", "gone"], "fixed": []}))
            cases = await asked(ana, f"{path}/cases")
            assert ([case["key"] for case in cases["cases"]], cases["total"]) == (["heldout/e1#1"], 1)
            assert (await asked(ana, f"{path}/cases?kind=fixed"))["cases"] == []
            page = await asked(ana, f"{path}/cases?kind=all&limit=2")
            assert (len(page["cases"]), page["next"], page["total"]) == (2, 2, 3)
            for browser in (ana, ben):
                for number in range(3):
                    now = await asked(browser, f"{path}/ballot")
                    assert (now["pairs"], now["voted"]) == (3, number)
                    assert "candidate" not in json.dumps(now)
                    assert "live" not in json.dumps(now)
                    said = "first" if now["ballot"]["first"] == "new words" else "second"
                    voted = await asked(browser, f"/api/votes/{now['ballot']['id']}", "POST", {"choice": said})
                    assert voted["choice"] == "candidate"
                    assert voted["candidate_first"] == (said == "first")
                await asked(browser, f"/api/votes/{now['ballot']['id']}", "POST", {"choice": "tie"}, 409)
            assert (await asked(ana, f"{path}/ballot"))["ballot"] is None
            await asked(ana, "/api/votes/none", "POST", {"choice": "tie"}, 404)
            tally = await asked(ana, f"{path}/votes")
            assert (tally["candidate"], tally["people"], tally["rows"], tally["share"]) == (6, 2, 3, 1.0)
            assert len(await desk.audit_rows("vote.give")) == 6
