from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from training.errors import MissingLibrary, TrainingError
from training.exporters import open_exporters
from training.progress import Point

POINTS = [Point("sft", 1, 2, 0.5, None, 1e-3, 10, 5.0), Point("sft", 2, 2, None, 0.25, 0.0, 20, 5.0)]


def run(names: list[str], folder: Path) -> None:
    for exporter in open_exporters(names, folder):
        exporter.start({"rank": 8})
        for point in POINTS:
            exporter.point(point)
        exporter.finish({"steps": 2, "note": "text"})


def test_console_and_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["console", "jsonl"], tmp_path)
    told = capsys.readouterr().err
    assert "sft 1/2 loss 0.5000" in told
    assert "held-out loss 0.2500" in told
    lines = [json.loads(line) for line in (tmp_path / "export.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["start", "point", "point", "finish"]


class Recorder(types.ModuleType):
    """Stands in for a library: remembers what it was asked to log."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.calls: list[tuple[str, Any]] = []
        self.summary: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Recorder:
            self.calls.append((name, (args, kwargs)))
            return self

        return call


@pytest.mark.parametrize(("name", "metric"), [("mlflow", "log_metrics"), ("wandb", "log")])
def test_libraries_behind_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, metric: str) -> None:
    library = Recorder(name)
    monkeypatch.setitem(sys.modules, name, library)
    monkeypatch.setenv("WANDB_MODE", "online")
    run([name], tmp_path)
    logged = [arguments for called, arguments in library.calls if called == metric]
    assert logged[0] == (({"loss": 0.5, "lr": 1e-3, "tokens_per_s": 5.0},), {"step": 1})
    assert logged[1][0][0]["heldout_loss"] == 0.25
    opened = dict(library.calls)
    if name == "wandb":
        assert opened["init"][1]["mode"] == "offline"
        assert library.summary["steps"] == 2
    else:
        assert opened["set_tracking_uri"][0][0].startswith("sqlite:////")
        assert "end_run" in opened


def test_a_missing_library_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingLibrary, match="pip install mlflow"):
        open_exporters(["mlflow"], tmp_path)


def test_a_shops_own_exporter_is_loaded_by_name(tmp_path: Path) -> None:
    run(["training.exporters:JsonlExporter"], tmp_path)
    assert (tmp_path / "export.jsonl").is_file()
    for wrong in ("nothing", "training.exporters:Nothing"):
        with pytest.raises(TrainingError):
            open_exporters([wrong], tmp_path)
    with pytest.raises(MissingLibrary):
        open_exporters(["no_such_module_here:X"], tmp_path)
