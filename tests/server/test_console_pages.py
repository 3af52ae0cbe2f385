import re
from importlib import resources

from server.console_pages import FILES
from server.headers import PAGE_POLICY
from server.routes import Role
from tests.server.desk import Desk

FOLDER = resources.files("server").joinpath("console")


async def test_every_file_is_served_with_its_type_and_validator(desk: Desk):
    browser = desk.browser()
    for address, (_, kind) in FILES.items():
        answer = await browser.call("GET", f"/console{address or '/'}")
        assert (answer.status, answer.content_type) == (200, kind)
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        again = await browser.call("GET", f"/console{address or '/'}", If_None_Match=answer.headers["ETag"])
        assert (again.status, await again.read()) == (304, b"")
        if kind == "text/html":
            assert answer.headers["Content-Security-Policy"] == PAGE_POLICY
    assert (await browser.call("GET", "/console")).headers["Location"] == "/console/"


async def test_nothing_else_in_or_above_the_folder_is_reachable(desk: Desk):
    for path in ("/console/home.html", "/console/../app.py", "/console/..%2f..%2fpyproject.toml", "/console/%00"):
        assert (await desk.browser().call("GET", path)).status == 404


def test_the_table_lists_exactly_the_folder():
    assert {name for name, _ in FILES.values()} == {file.name for file in FOLDER.iterdir() if file.is_file()}


def test_pages_hold_nothing_that_the_policy_would_block():
    for file in FOLDER.iterdir():
        text = file.read_text(encoding="utf-8")
        if file.name.endswith(".html"):
            assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text), file.name
        if file.name.endswith(".js"):
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|document\.write", text), file.name
        assert len(text.splitlines()) <= 300, file.name


async def test_pages_are_public_but_hold_no_data(desk: Desk):
    assert {route.role for route in desk.routes if route.path.startswith("/console")} == {Role.PUBLIC}
