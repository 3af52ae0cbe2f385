"""Customers over HTTP: who may see what, contact data masked and revealed with a trace, merging, a copy, the end."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.customers.assembly import CustomerDesk
from server.media.files import Files
from server.routes import install
from server.teams import Team
from tests.server.customers.people import known
from tests.server.staff import NamedGate, Staff


@dataclass
class Api:
    """The customers' addresses beside the staff's bench."""

    staff: Staff
    desk: CustomerDesk
    base: str

    async def call(self, who: str, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        headers = {"Authorization": f"Bearer {who}"}
        async with self.staff.session.request(method, f"{self.base}{path}", json=body, headers=headers) as answer:
            raw = await answer.read()
            assert answer.status == status, raw
            return json.loads(raw) if raw and answer.content_type.endswith("json") else raw

    async def audits(self, action: str) -> list[tuple[str, str, dict[str, Any]]]:
        rows = await self.staff.store.rows("people_bench.audits", action=action)
        return [(row["actor_id"], row["target"], json.loads(row["detail"])) for row in rows]


@pytest.fixture
async def api(both_staff: Staff) -> AsyncIterator[Api]:
    desk = CustomerDesk(both_staff.store, both_staff.settings, Files(both_staff.settings.data_dir / "media"))
    app = web.Application()
    install(app, desk.routes(), NamedGate(both_staff.store, both_staff.desk.teams))
    async with TestServer(app, host="127.0.0.1") as server:
        yield Api(both_staff, desk, str(server.make_url("")).rstrip("/"))


async def test_the_list_pages_and_searches(api: Api) -> None:
    for name in ("nora", "tom", "ida"):
        await known(api.staff, name)
    first = await api.call("vera", "GET", "/api/customers?limit=2")
    assert [row["id"] for row in first["customers"]] == ["cida", "ctom"]
    rest = await api.call("vera", "GET", f"/api/customers?limit=2&cursor={first['next']}")
    assert ([row["id"] for row in rest["customers"]], rest["next"]) == (["cnora"], None)
    found = await api.call("vera", "GET", "/api/customers?q=nora%40example")
    assert [row["name"] for row in found["customers"]] == ["Nora"]
    assert "nora@" not in json.dumps(found)


async def test_contact_data_is_masked_and_each_look_is_recorded(api: Api) -> None:
    talk = await known(api.staff, "nora", channel="whatsapp", address="+353871234589", verified=True)
    seen = await api.call("vera", "GET", f"/api/conversations/{talk}/customer")
    assert seen == await api.call("vera", "GET", "/api/customers/cnora")
    (identity,) = seen["identities"]
    assert identity["proof"] == "platform"
    assert {one["name"]: one["text"] for one in identity["values"]} == {"address": "…89", "email": "n…@example.com"}
    assert "nora@" not in json.dumps(seen)
    assert "12345" not in json.dumps(seen)
    field = {"field": "inora/profile.email"}
    await api.call("vera", "POST", "/api/customers/cnora/reveal", field, status=403)
    shown = await api.call("ana", "POST", "/api/customers/cnora/reveal", field)
    assert shown["text"] == "nora@example.com"
    await api.call("ana", "POST", "/api/customers/cnora/reveal", {"field": "iother/address"}, status=404)
    assert await api.audits("customer.reveal") == [("ana", "cnora", field)]


async def test_a_customer_is_described(api: Api) -> None:
    await known(api.staff, "nora")
    body = {"name": "Nora  Quinn", "attributes": {"size": "L"}}
    await api.call("ana", "PUT", "/api/customers/cnora", body, status=204)
    seen = await api.call("vera", "GET", "/api/customers/cnora")
    assert (seen["name"], seen["attributes"]) == ("Nora Quinn", {"size": "L"})
    await api.call("ana", "PUT", "/api/customers/cnora", {"name": "x", "attributes": {"": "L"}}, status=422)
    await api.call("ana", "PUT", "/api/customers/nobody", body, status=404)
    assert await api.audits("customer.describe") == [("ana", "cnora", {"attributes": ["size"]})]


async def test_merging_and_the_way_back_are_audited(api: Api) -> None:
    await known(api.staff, "nora")
    await known(api.staff, "norah", channel="telegram", profile={"email": "nora@example.com"})
    seen = await api.call("vera", "GET", "/api/customers/cnora")
    assert [(one["id"], one["basis"]) for one in seen["alike"]] == [("cnorah", "contact")]
    made = await api.call("ana", "POST", "/api/customers/cnora/merge", {"other": "cnorah"})
    seen = await api.call("vera", "GET", "/api/customers/cnora")
    assert [one["channel"] for one in seen["identities"]] == ["web", "telegram"]
    assert [(one["name"], one["basis"], one["by_name"]) for one in seen["merges"]] == [("Norah", "contact", "Ana")]
    await api.call("vera", "GET", "/api/customers/cnorah", status=404)
    await api.call("ana", "POST", "/api/customers/cnora/merge", {"other": "cnora"}, status=409)
    await api.call("ana", "POST", "/api/customers/cother/unmerge", {"merge": made["merge"]}, status=404)
    alone = await api.call("ana", "POST", "/api/customers/cnora/unmerge", {"merge": made["merge"]})
    assert alone == {"customer": "cnorah"}
    assert len((await api.call("vera", "GET", "/api/customers/cnora"))["identities"]) == 1
    assert await api.audits("customer.merge") == [("ana", "cnora", {"other": "cnorah"})]
    assert await api.audits("customer.unmerge") == [("ana", "cnora", {"merge": made["merge"]})]


async def test_only_admins_take_copies_and_each_is_recorded(api: Api) -> None:
    talk = await known(api.staff, "nora")
    await api.call("ana", "POST", "/api/customers/cnora/export", status=403)
    await api.call("adam", "POST", "/api/customers/nobody/export", status=404)
    copy = await api.call("adam", "POST", "/api/customers/cnora/export")
    with zipfile.ZipFile(io.BytesIO(copy)) as archive:
        assert f"conversations/{talk}.json" in archive.namelist()
    assert await api.audits("customer.export") == [("adam", "cnora", {})]


async def test_an_erasure_is_confirmed_followed_and_reported(api: Api) -> None:
    await known(api.staff, "nora")
    await api.call("ana", "POST", "/api/customers/cnora/erase", {"confirm": "Nora"}, status=403)
    await api.call("adam", "POST", "/api/customers/cnora/erase", {"confirm": "Noa"}, status=422)
    await api.call("adam", "POST", "/api/customers/nobody/erase", {"confirm": "nobody"}, status=404)
    begun = await api.call("adam", "POST", "/api/customers/cnora/erase", {"confirm": " nora "}, status=202)
    assert (begun["state"], begun["step"]) == ("queued", "gather")
    again = await api.call("adam", "POST", "/api/customers/cnora/erase", {"confirm": "cnora"}, status=202)
    assert again["id"] == begun["id"]
    await api.call("vera", "GET", "/api/customers/cnora", status=404)
    await api.desk.eraser.run({"erasure": begun["id"]})
    done = await api.call("adam", "GET", f"/api/erasures/{begun['id']}")
    assert (done["state"], done["report"]["conversations"]) == ("done", 1)
    assert "ora" not in json.dumps(done).replace("cnora", "")
    page = await api.call("adam", "GET", "/api/erasures")
    assert [row["id"] for row in page["erasures"]] == [begun["id"]]
    await api.call("ana", "GET", "/api/erasures", status=403)
    await api.call("adam", "GET", "/api/erasures/nothing", status=404)


async def test_a_team_sees_only_the_customers_of_its_inboxes(api: Api) -> None:
    teams = api.staff.desk.teams
    await known(api.staff, "nora")
    await known(api.staff, "nora2", channel="telegram", profile={"email": "nora@example.com"})
    await known(api.staff, "tom", channel="telegram")
    merged = await api.call("adam", "POST", "/api/customers/cnora/merge", {"other": "cnora2"})
    assert merged["merge"]
    await api.staff.store.write(lambda tx: teams.add(tx, Team("Web", ("ana",), (("web", "*"),))))
    listed = await api.call("ana", "GET", "/api/customers")
    assert [(row["id"], row["conversations"]) for row in listed["customers"]] == [("cnora", 1)]
    seen = await api.call("ana", "GET", "/api/customers/cnora")
    assert [one["id"] for one in seen["identities"]] == ["inora"]
    assert [one["channel"] for one in seen["conversations"]] == ["web"]
    await api.call("ana", "POST", "/api/customers/cnora/reveal", {"field": "inora2/address"}, status=404)
    await api.call("ana", "GET", "/api/customers/ctom", status=404)
    await api.call("ana", "POST", "/api/customers/cnora/merge", {"other": "ctom"}, status=404)
    assert len((await api.call("ben", "GET", "/api/customers"))["customers"]) == 2
