"""Settings of sources: defaults, places, passwords, schedules."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.knowledge.contract import SourceRefused
from server.knowledge.kinds import READABLE, SqlConfig, checked, checked_cron, checked_name

SQL = {"url": "postgresql://me@host/shop", "query": "select * from faq;", "key": "id", "title": "q", "text": ["a"]}


def test_defaults_are_filled_in():
    assert checked("files", {}) == {"path": "", "include": list(READABLE), "exclude": [], "url": ""}
    assert checked("qa", {})["question"] == "question"
    assert checked("article", {}) == {}
    assert checked("sql", SQL)["query"] == "select * from faq"


def test_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert checked("files", {"path": "."})["path"] == str(tmp_path)


def test_every_fault_is_named():
    with pytest.raises(SourceRefused, match=r"path.*url.*"):
        checked("catalogue", {"path": "/dev/null", "url": "nowhere"})


def test_the_password_comes_from_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRONTDESK_SOURCE_SHOP", "p1")
    assert SqlConfig.model_validate({**SQL, "password_env": "FRONTDESK_SOURCE_SHOP"}).password() == "p1"
    (tmp_path / "secret").write_text("p2\n")
    assert SqlConfig.model_validate({**SQL, "password_file": str(tmp_path / "secret")}).password() == "p2"
    assert SqlConfig.model_validate(SQL).password() == ""
    with pytest.raises(SourceRefused, match="FRONTDESK_SOURCE_NONE"):
        SqlConfig.model_validate({**SQL, "password_env": "FRONTDESK_SOURCE_NONE"}).password()


def test_schedules_and_names():
    assert checked_cron("") is None
    assert checked_cron("*/5 * * * *") == "*/5 * * * *"
    assert checked_name("  Help \n pages ") == "Help pages"
    with pytest.raises(SourceRefused):
        checked_name("x" * 121)
