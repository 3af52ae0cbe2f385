from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from config.settings import Settings
from models.prompt import template_digest
from server.commands import release
from server.commands.failure import Failure
from server.releases.registry import Releases
from server.routes import Principal, Role
from server.store.open import open_store

Command = Callable[..., Result]
BY = Principal("default", "cli", "root", Role.ADMIN)
ADAPTER = "default-0000000000aa"


@pytest.fixture
def furnished(tmp_path: Path) -> tuple[str, str]:
    """A live release and a judged candidate in the commands' own data directory."""

    async def furnish() -> tuple[str, str]:
        settings = Settings.model_validate({"data_dir": str(tmp_path / "data")})
        settings.data_dir.mkdir()
        store = open_store(settings.store_url, settings.store)
        async with store.running():
            releases = Releases(store, settings, template_digest())
            live = await releases.publish_configured()
            tuned = await releases.candidate(ADAPTER, by=BY)
            await releases.judge(tuned, "promote", {})
            return live, tuned

    return asyncio.run(furnish())


def test_before_anything_was_published_the_list_says_so(command: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert "no release yet" in command(release.app, "list").output


def test_a_release_is_tried_promoted_and_taken_back(command: Command, furnished: tuple[str, str]) -> None:
    live, tuned = furnished
    listed = command(release.app, "list").output
    assert re.search(rf"{tuned}  candidate  promote .*default: {ADAPTER}", listed)
    assert re.search(rf"{live}  live .*base model", listed)
    assert "No canary" in command(release.app, "canary").output
    assert "on trial" in command(release.app, "canary", tuned, "--share", "0.2", "--cap", "20").output
    assert '"verdict": "continue"' in command(release.app, "canary").output
    assert "is stopped" in command(release.app, "canary", "--stop").output
    assert f"{tuned} is live." in command(release.app, "promote", tuned).output
    assert "live already" in command(release.app, "promote", tuned).output
    assert f"{live} is live." in command(release.app, "rollback", "--reason", "rude").output
    shown = command(release.app, "show", tuned).output
    assert "withdrawn, verdict promote" in shown
    assert "rolled_back by cli" in shown
    assert ": rude" in shown


def test_what_is_impossible_is_one_line(command: Command, furnished: tuple[str, str]) -> None:
    live, tuned = furnished
    command(release.app, "promote", tuned)
    command(release.app, "rollback", "--reason", "x")
    for arguments, words in {
        ("promote", tuned): "it was rolled back",
        ("promote", "0" * 16): "there is no release",
        ("show", "0" * 16): "there is no release",
        ("canary", live): "live already",
        ("lineage", "nope"): "there is no message",
    }.items():
        failure = command(release.app, *arguments).exception
        assert isinstance(failure, Failure), arguments
        assert words in str(failure)
