"""``default.yaml`` and ``docs/settings.md`` say what the models say."""

from __future__ import annotations

from pathlib import Path

import yaml

from config import reference
from config.keys import LEAVES
from config.load import load
from config.settings import Settings

ROOT = Path(__file__).parents[2]


def test_default_yaml_equals_the_defaults_of_the_models() -> None:
    assert load({}, reference.DEFAULT_YAML) == Settings()


def test_default_yaml_names_every_key_with_a_comment() -> None:
    expected = {tuple("default" if part == "*" else part for part in path) for path in LEAVES}
    assert set(reference.comments(reference.DEFAULT_YAML.read_text())) == expected


def test_default_yaml_values_are_really_written_there() -> None:
    tree = yaml.safe_load(reference.DEFAULT_YAML.read_text())
    for path in LEAVES:
        node = tree
        for part in path:
            node = node["default" if part == "*" else part]


def test_the_settings_page_is_current() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert page == reference.markdown(), "run: python -m config.reference > docs/settings.md"


def test_the_demo_shop_is_valid() -> None:
    settings = load({}, ROOT / "config/demo/frontdesk.yaml")
    assert settings.channels.web["default"].greeting
    assert settings.engine.system_prompt.format(name=settings.name)
