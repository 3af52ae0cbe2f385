import importlib.metadata
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from models import vllm_plugin
from models.vllm_plugin import MODULE, NAME, PIECE_BYTES, REPORT, SOURCE, lay_down, reported, variables

ROOT = Path(__file__).parents[2]
READ = """
from importlib.metadata import entry_points
for found in entry_points(group="vllm.general_plugins"): print(found.name, found.value)
"""


def test_a_child_finds_the_entry_point_and_the_file_it_names(tmp_path: Path):
    folder = lay_down(tmp_path)
    env = {"PATH": os.environ["PATH"], "PYTHONSAFEPATH": "1", **variables(folder, {})}
    done = subprocess.run([sys.executable, "-c", READ], env=env, cwd="/", capture_output=True, text=True, check=True)
    assert f"{NAME} {MODULE}:register" in done.stdout.splitlines()
    assert (folder / f"{MODULE}.py").read_bytes() == SOURCE.read_bytes()
    names = [found.metadata["Name"] for found in importlib.metadata.distributions(path=[str(folder)])]
    assert names == [MODULE]


def test_laying_it_down_again_changes_nothing_and_repairs_what_was_changed(tmp_path: Path):
    folder = lay_down(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert lay_down(tmp_path) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
    (folder / f"{MODULE}.py").write_text("def register(): ...")
    lay_down(tmp_path)
    assert (folder / f"{MODULE}.py").read_bytes() == SOURCE.read_bytes()
    assert not list(folder.rglob(".*"))


def test_the_childs_variables_keep_what_was_set(tmp_path: Path):
    assert variables(tmp_path, {}) == {"PYTHONPATH": str(tmp_path), "FRONTDESK_LORA": "required"}
    both = variables(tmp_path, {"PYTHONPATH": "/a:/b", "VLLM_PLUGINS": "other"})
    assert both["PYTHONPATH"] == f"{tmp_path}:/a:/b"
    assert both["VLLM_PLUGINS"] == f"other,{NAME}"


def test_the_report_is_read_in_this_starts_part_of_the_log_only(tmp_path: Path):
    log_path = tmp_path / "log"
    assert not reported(log_path, 0)
    log_path.write_text(f"(process 1) {REPORT} (process 2)\n")
    assert reported(log_path, 0)
    begins = log_path.stat().st_size
    with log_path.open("a") as file:
        file.write("x" * (PIECE_BYTES - 5))
        file.flush()
        assert not reported(log_path, begins)
        file.write(REPORT)  # across two pieces
    assert reported(log_path, begins)


def test_the_plug_in_says_what_is_looked_for_and_the_wheel_declares_it():
    text = SOURCE.read_text()
    assert f'REPORT = "{REPORT}"' in text
    assert vllm_plugin.SETTING in text
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["vllm.general_plugins"]
    assert declared == {NAME: "models.vllm_lora:register"}
