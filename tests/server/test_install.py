"""The version comes from the checkout."""

from __future__ import annotations

import tomllib

from server.install import ROOT, version


def test_version_is_that_of_the_project_file() -> None:
    assert version() == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
