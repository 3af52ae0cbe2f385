"""The API of sources: admins change them, uploads are bounded, settings stay with admins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData

from server.routes import Role
from tests.server.desk import Browser, Desk, open_desk

PATH = "/api/knowledge/sources"


async def sent(browser: Browser, method: str, path: str = "", body: Any = None, status: int = 200) -> Any:
    answer = await browser.call(method, f"{PATH}{path}", body)
    assert answer.status == status, await answer.text()
    return await answer.json() if status != 204 else None


async def upload(browser: Browser, path: str, data: Any, **headers: str) -> ClientResponse:
    sent_headers = {"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": browser.csrf, **headers}
    url = browser.desk.server.make_url(f"{PATH}{path}")
    answer = await browser.session.post(url, data=data, headers=sent_headers)
    await answer.read()
    return answer


def form(*files: tuple[str, bytes]) -> FormData:
    data = FormData()
    data.add_field("note", "not a file")
    for name, content in files:
        data.add_field("files", content, filename=name, content_type="application/octet-stream")
    return data


async def test_a_source_is_added_changed_read_again_and_removed(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)
    body = {"name": "Manuals", "kind": "files", "cron": "0 3 * * *"}
    made = await sent(admin, "POST", body=body, status=201)
    assert (made["state"], made["audience"], made["cron"]) == ("queued", "customer", "0 3 * * *")
    one = f"/{made['id']}"
    changed = await sent(admin, "PATCH", one, {"name": "Papers", "cron": "", "audience": "staff"})
    assert (changed["name"], changed["cron"], changed["audience"]) == ("Papers", None, "staff")
    assert (await sent(admin, "POST", f"{one}/sync", {"again": True}))["state"] == "queued"
    assert [row["name"] for row in (await sent(admin, "GET"))["sources"]] == ["Papers"]
    await sent(admin, "DELETE", one, status=204)
    await sent(admin, "GET", one, status=404)
    actions = [row["action"] for row in await both_desk.audit_rows() if row["target"] == made["id"]]
    assert actions == ["source.delete", "source.sync", "source.change", "source.create"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "x", "kind": "site", "config": {"url": "ftp://shop.example"}}, "address"),
        ({"name": "x", "kind": "files", "config": {"path": "/"}}, "not a folder"),
        ({"name": "x", "kind": "files", "cron": "every day"}, "schedule"),
        (
            {"name": "x", "kind": "sql", "config": {"url": "postgresql://u:secret@db/x", "query": "select 1"}},
            "password",
        ),
    ],
)
async def test_settings_that_cannot_work_are_refused_with_the_reason(desk: Desk, body: dict[str, Any], words: str):
    admin = await desk.signed_in(Role.ADMIN)
    refused = await sent(admin, "POST", body=body, status=422)
    assert words in refused["detail"]
    assert "secret" not in refused["detail"]


async def test_only_admins_see_settings_and_change_sources(desk: Desk):
    admin, staff = await desk.signed_in(Role.ADMIN), await desk.signed_in(Role.STAFF)
    made = await sent(admin, "POST", body={"name": "Manuals", "kind": "files"}, status=201)
    assert made["config"]
    assert (await sent(staff, "GET"))["sources"][0]["config"] == {}
    await sent(staff, "PATCH", f"/{made['id']}", {"name": "Mine"}, 403)
    await sent(staff, "POST", f"/{made['id']}/sync", {}, 403)


async def test_files_come_raw_or_in_a_form_and_go_again(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)
    one = f"/{(await sent(admin, 'POST', body={'name': 'Manuals', 'kind': 'files'}, status=201))['id']}/files"
    answer = await upload(admin, f"{one}?name=wool.md", b"# Wool")
    assert (answer.status, await answer.json()) == (201, {"files": ["wool.md"]})
    answer = await upload(admin, one, form(("lamp.md", b"# Lamp"), ("mug.md", b"# Mug")))
    assert sorted((await answer.json())["files"]) == ["lamp.md", "mug.md", "wool.md"]
    await sent(admin, "DELETE", f"{one}/mug.md", status=204)
    await sent(admin, "DELETE", f"{one}/mug.md", status=404)
    assert sorted((await sent(admin, "GET", one))["files"]) == ["lamp.md", "wool.md"]
    uploads = [row["detail"] for row in await both_desk.audit_rows("source.upload")]
    assert uploads == ['{"files": ["lamp.md", "mug.md"]}', '{"files": ["wool.md"]}']


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("", b"# Wool", 422),  # no name
        ("?name=..%2Fwool.md", b"# Wool", 422),
        ("?name=wool.md", b"", 422),
        ("?name=wool.md", b"x" * 70_000, 413),
        ("", form(("wool.md", b"x" * 70_000)), 413),
        ("", form(), 422),
    ],
)
async def test_uploads_that_cannot_be_taken_are_refused(tmp_path: Path, path: str, data: Any, status: int):
    async with open_desk(f"sqlite:///{tmp_path / 'desk.db'}", max_file_bytes=65_536) as desk:
        admin = await desk.signed_in(Role.ADMIN)
        source = (await sent(admin, "POST", body={"name": "Manuals", "kind": "files"}, status=201))["id"]
        answer = await upload(admin, f"/{source}/files{path}", data)
        assert answer.status == status, await answer.text()
        assert (await sent(admin, "GET", f"/{source}/files"))["files"] == []
        assert await desk.audit_rows("source.upload") == []


async def test_a_source_that_reads_a_place_of_its_own_takes_no_files(desk: Desk, tmp_path: Path):
    admin = await desk.signed_in(Role.ADMIN)
    body = {"name": "Folder", "kind": "files", "config": {"path": str(tmp_path)}}
    source = (await sent(admin, "POST", body=body, status=201))["id"]
    answer = await upload(admin, f"/{source}/files?name=wool.md", b"# Wool")
    assert (answer.status, "without a path" in await answer.text()) == (422, True)
    assert (await upload(admin, "/unknown/files?name=wool.md", b"# Wool")).status == 404
