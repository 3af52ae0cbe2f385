"""The registry on disk opens with the first adapter, and says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.releases.shelf import Shelf
from tests.server.engine.bench import settings_for

NAME = "nobody/no-such-model"


def test_the_folder_is_in_the_data_directory_unless_it_is_set(tmp_path: Path):
    assert Shelf(settings_for(tmp_path)).folder == tmp_path / "adapters"
    shared = tmp_path / "shared"
    assert Shelf(settings_for(tmp_path, releases={"adapters": str(shared)})).folder == shared


def test_without_the_base_models_weights_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(LookupError, match=r"set model\.path, or start a worker once"):
        Shelf(settings_for(tmp_path, model={"name": NAME, "download": False})).find("default-000000000001")
