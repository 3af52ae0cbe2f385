"""What this installation is: its version and where its source tree lies."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The checkout, or ``site-packages`` of an installed wheel."""


def version() -> str:
    """The version of the checkout, else of the installed distribution."""
    project = ROOT / "pyproject.toml"
    if project.is_file():
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    try:
        return metadata.version("frontdesk")
    except metadata.PackageNotFoundError:
        return "unknown"
