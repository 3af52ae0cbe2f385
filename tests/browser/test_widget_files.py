"""What can be said about the widget's files without a browser."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from tests.web_double import WIDGET

LOADER_BUDGET_BYTES = 15 * 1024
UNSAFE_SCRIPT = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function|setAttribute\('style'")
INLINE = re.compile(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)")


def test_loader_stays_within_its_budget():
    assert len(gzip.compress((WIDGET / "widget.js").read_bytes(), 9)) <= LOADER_BUDGET_BYTES


@pytest.mark.parametrize("path", sorted(WIDGET.iterdir()), ids=lambda path: path.name)
def test_files_stay_readable_and_safe(path: Path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    code = re.sub(r"/\*.*?\*/|//.*", "", text, flags=re.DOTALL) if path.suffix == ".js" else text
    assert not (UNSAFE_SCRIPT if path.suffix == ".js" else INLINE).search(code)
