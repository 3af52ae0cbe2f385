from __future__ import annotations

import json
from pathlib import Path

from training.order import Order, finish, never
from training.recipe import Recipe


def test_the_manifest_holds_what_made_the_adapter(tmp_path: Path) -> None:
    base = {"name": "b", "weights_sha256": "1", "tokenizer_sha256": "2", "template_sha256": "3"}
    names: list[str] = []

    def save(folder: Path, base_name: str) -> None:
        names.append(base_name)
        (folder / "adapter_config.json").write_text("{}", encoding="utf-8")

    order = Order(tmp_path, tmp_path, tmp_path, Recipe(), parents=("p",))
    assert order.stop is never
    assert not order.stop()
    adapter = finish(order, base, "data", Recipe(rank=8), {"steps": 1}, [], save)
    manifest = json.loads((adapter / "manifest.json").read_text(encoding="utf-8"))
    assert names == ["b"]
    assert manifest["base"] == base
    assert (manifest["dataset_sha256"], manifest["rank"], manifest["parents"]) == ("data", 8, ["p"])
    assert manifest["recipe"]["rank"] == 8
