"""The demo over a model double: a real streamed answer or a status that says no. Real vLLM: loop/test_demo_real.py."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from server.commands.demo import SHOP, demo_settings, free_port
from server.commands.failure import Failure
from server.install import ROOT
from tests.model_double import ModelDouble, Pace

WORDS_ONLY = {  # no model is fetched for a test, and words alone are sure enough
    "FRONTDESK_KNOWLEDGE__EMBEDDING_URL": "http://127.0.0.1:9/v1",
    "FRONTDESK_KNOWLEDGE__CONFIDENCE": "0",
}
TIMEOUT_S = 150.0  # the shop's documents are read and embedded first


async def demo(folder: Path, *arguments: str, **environ: str) -> asyncio.subprocess.Process:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", "demo", *arguments),
        cwd=ROOT,
        env=clean | {"FRONTDESK_DATA_DIR": str(folder)} | WORDS_ONLY | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def printed(process: asyncio.subprocess.Process, words: bytes) -> None:
    """Read on until a line holds ``words``; a process that ended before fails the test."""
    assert process.stdout is not None
    async for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"ended without {words!r}")


async def test_once_ends_with_0_after_both_answers(tmp_path: Path) -> None:
    async with ModelDouble(Pace(tokens_per_s=40)) as double, asyncio.timeout(TIMEOUT_S):
        process = await demo(tmp_path, "--once", FRONTDESK_MODEL__BASE_URL=double.base_url)
        out, err = await process.communicate()
    text = out.decode()
    assert process.returncode == 0, err.decode()
    for part in ("store", "/web/demo", "/console/setup#", "(works once)", "model up", "first answer", "stopped"):
        assert part in text
    for part in (
        "Products: 44 documents",
        "Web site: 11 documents",
        "139 documents",
        "2 sources",
        "a code of 6 digits",
    ):
        assert part in text
    assert "  [1] " in text, "the first answer names its source"
    assert len(list((tmp_path / "mail").iterdir())) == 1, "the code of the second"
    assert text.index("/web/demo") < text.index("model up")


async def test_a_second_start_says_how_to_sign_in_and_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with ModelDouble(Pace(tokens_per_s=40)) as double, asyncio.timeout(TIMEOUT_S):
            process = await demo(tmp_path, "--once", "--port", str(port), FRONTDESK_MODEL__BASE_URL=double.base_url)
            out, _ = await process.communicate()
    assert process.returncode == 0
    assert f"Port {port} is taken" in out.decode()


async def test_a_model_that_never_comes_is_one_cause_and_one_repair(tmp_path: Path) -> None:
    environ = {"FRONTDESK_MODEL__BASE_URL": "http://127.0.0.1:9/v1", "FRONTDESK_MODEL__LOAD_TIMEOUT_S": "1"}
    async with asyncio.timeout(TIMEOUT_S):
        process = await demo(tmp_path, "--once", **environ)
        out, err = await process.communicate()
    assert process.returncode == 1
    assert "stopped" in out.decode(), "everything was shut down"
    lines = err.decode().splitlines()
    assert len(lines) == 2
    assert "repair: frontdesk doctor" in lines[1]


async def test_missing_weights_are_one_cause(tmp_path: Path) -> None:
    environ = {"FRONTDESK_MODEL__NAME": "nobody/nothing", "FRONTDESK_MODEL__DOWNLOAD": "false"}
    async with asyncio.timeout(TIMEOUT_S):
        process = await demo(tmp_path, "--once", **environ)
        _, err = await process.communicate()
    assert process.returncode == 1
    assert "no weights of nobody/nothing here" in err.decode()


async def test_ctrl_c_before_the_model_is_up_ends_cleanly(tmp_path: Path) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        process = await demo(tmp_path, FRONTDESK_MODEL__BASE_URL="http://127.0.0.1:9/v1")
        await printed(process, b"server up")
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130


async def test_without_once_it_stays_until_ctrl_c(tmp_path: Path) -> None:
    async with ModelDouble(Pace(tokens_per_s=40)) as double, asyncio.timeout(TIMEOUT_S):
        quick = {"FRONTDESK_KNOWLEDGE__ENABLED": "false", "FRONTDESK_KNOWLEDGE__EMBEDDING_URL": ""}
        process = await demo(tmp_path, FRONTDESK_MODEL__BASE_URL=double.base_url, **quick)
        await printed(process, b"Running; Ctrl-C ends it.")
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


def test_the_data_directory_follows_the_desktop_rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings, _, again = demo_settings(0)
    assert settings.data_dir == tmp_path / "frontdesk-demo"
    assert again().settings == settings, "nothing was changed since the start"
    monkeypatch.setenv("FRONTDESK_DATA_DIR", str(tmp_path / "mine"))
    monkeypatch.setenv("FRONTDESK_CONFIG", str(SHOP))
    monkeypatch.setenv("FRONTDESK_HTTP__PORT", "0")
    assert demo_settings(8080)[0].data_dir == tmp_path / "mine"


def test_no_free_port_is_a_failure() -> None:
    with pytest.raises(Failure, match="no port from 8080 on is free"):
        free_port("192.0.2.1", 8080)
