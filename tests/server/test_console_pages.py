import posixpath
import re
from importlib import resources
from pathlib import Path

from scripts import vendor
from server.console_pages import DOORS, FOLDERS, KINDS, SCREENS, SHELL, files
from server.headers import PAGE_POLICY
from server.routes import Role
from tests.server.desk import Desk

FOLDER = Path(str(resources.files("server").joinpath("console")))
OWN = [path for path in FOLDER.rglob("*") if path.is_file() and path.parent.name != "vendor"]
WORD = re.compile(r"^\s*(\w+):|(?<=[{,] )(\w+):", re.MULTILINE)


async def test_every_file_is_served_with_its_type_and_validator(desk: Desk):
    browser = desk.browser()
    for address, (_, name) in files().items():
        kind = KINDS[Path(name).suffix]
        path = f"/console{address}".partition("{")[0].rstrip("/") + ("/c1" if "{" in address else "")
        path = path if address != "/" else "/console/"
        answer = await browser.call("GET", path)
        assert (answer.status, answer.content_type) == (200, kind), path
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        again = await browser.call("GET", path, If_None_Match=answer.headers["ETag"])
        assert (again.status, await again.read()) == (304, b"")
        if kind == "text/html":
            assert answer.headers["Content-Security-Policy"] == PAGE_POLICY
    assert (await browser.call("GET", "/console")).headers["Location"] == "/console/"


async def test_the_console_asks_for_files_that_a_browser_keeps_until_an_upgrade(desk: Desk):
    browser = desk.browser()
    page = await (await browser.call("GET", "/console/inbox")).text()
    named = re.findall(r'(?:href|src)="(/console/[^"]+)"', page)
    assert len(named) > 40
    for path in named:
        answer = await browser.call("GET", path)
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable"), path
    build = named[0].split("/")[2]
    older = await browser.call("GET", f"/console/@{'0' * 16}/app.js")
    assert (older.status, older.headers["Cache-Control"]) == (200, "no-cache")
    assert await older.read() == await (await browser.call("GET", "/console/app.js")).read()
    for name in ("inbox", "app.html", "login", "../app.py", "vendor/VERSIONS.json", "pages/", ""):
        assert (await browser.call("GET", f"/console/{build}/{name}")).status == 404, name


async def test_nothing_else_in_or_above_the_folder_is_reachable(desk: Desk):
    for path in (
        "/app.html",
        "/../app.py",
        "/..%2f..%2fpyproject.toml",
        "/%00",
        "/vendor/VERSIONS.json",
        "/pages/",
        "/x",
    ):
        assert (await desk.browser().call("GET", f"/console{path}")).status == 404


def test_the_table_lists_exactly_the_folder():
    listed = {f"{folder}/{name}".lstrip("/") for folder, names in FOLDERS.items() for name in names}
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.suffix in KINDS}
    assert listed | {SHELL, *DOORS.values()} == found


def test_pages_hold_nothing_that_the_policy_would_block():
    for file in OWN:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".html":
            assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text), file.name
        if file.suffix == ".js":
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|document\.write", text), file.name
        assert len(text.splitlines()) <= 300, file.name


def test_modules_import_what_is_served():
    for file in OWN:
        for name in re.findall(r"""(?:from|import\()\s*["'](\.[^"'`$]+)["']""", file.read_text(encoding="utf-8")):
            target = "/" + str((file.parent / name).resolve().relative_to(FOLDER.resolve()))
            assert target in files(), f"{file.name}: {name}"


def test_the_page_names_every_module_that_the_inbox_starts_with():
    """A module that is not named is asked for only when the one that imports it was read: a wait for each step."""
    needed, waiting = set[str](), ["app.js", "pages/inbox/page.js", "locales/en.js"]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        package, place = files()[f"/{name}"]
        text = resources.files(package).joinpath(place).read_text(encoding="utf-8")
        beside = re.findall(r"""\bfrom\s*["'](\.[^"']+)["']""", text)
        waiting += [posixpath.normpath(posixpath.join(posixpath.dirname(name), other)) for other in beside]
    shell = (FOLDER / SHELL).read_text(encoding="utf-8")
    assert set(re.findall(r'modulepreload" href="/console/([^"]+)"', shell)) == needed - {"app.js"}


def test_every_screen_that_is_registered_has_its_address():
    registered = re.findall(r'register\(\{ path: "/(\w+)"', (FOLDER / "app.js").read_text(encoding="utf-8"))
    assert registered
    assert set(registered) <= set(SCREENS)


def test_languages_have_the_same_words():
    words = {}
    for name in FOLDERS["locales"]:
        words[name] = [a or b for a, b in WORD.findall((FOLDER / "locales" / name).read_text(encoding="utf-8"))]
    assert words["en.js"] == words["de.js"]
    assert words["door-en.js"] == words["door-de.js"]


def test_the_pages_at_the_door_hold_no_words_of_their_own():
    known = (FOLDER / "locales" / "door-en.js").read_text(encoding="utf-8")
    for name in DOORS.values():
        page = (FOLDER / name).read_text(encoding="utf-8").partition("<noscript>")[0]
        assert set(re.findall(r">\s*([^<>\s][^<>]*?)\s*<", page)) == {"frontdesk"}, name
        keys = re.findall(r'data-(?:t|label)="([\w.]+)"', page)
        assert all(re.search(rf"\b{key.rpartition('.')[2]}:", known) for key in keys), name


def test_vendored_files_are_as_recorded():
    assert vendor.differences() == []


async def test_pages_are_public_but_hold_no_data(desk: Desk):
    assert {route.role for route in desk.routes if route.path.startswith("/console")} == {Role.PUBLIC}
