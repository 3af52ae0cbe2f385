"""The model as the server sees it: late, missing, crashed, and what people are told meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.settings import ModelSettings, Settings
from models.chat import ChatMessage, Deadlines, Decoding, ModelState, ModelUnavailable
from models.serve import ModelProcess
from models.vllm import VLLM
from models.weights import Progress
from server.model import Model
from server.telemetry import Metrics
from tests.model_double import ModelDouble

ROOT = Path(__file__).parents[2]
NAME = "nobody/no-such-model"


def model(tmp_path: Path, **settings: Any) -> tuple[Model, Metrics, list[str]]:
    """A model, its figures, and the states that it was seen in."""
    metrics = Metrics()
    whole = Settings.model_validate({"data_dir": str(tmp_path), "model": {"name": NAME} | settings})
    one = Model(whole, metrics, launch)
    states: list[str] = []
    one.on_change(lambda: states.append(one.state.value))
    return one, metrics, states


def launch(
    settings: ModelSettings, folder: Path, log_path: Path, listener: Callable[[ModelState], None]
) -> ModelProcess:
    """The supervisor of production around the double instead of vLLM."""

    def command(port: int) -> list[str]:
        return [sys.executable, str(ROOT / "tests" / "model_double.py"), "--port", str(port), "--model", NAME]

    return ModelProcess(settings, folder, log_path, listener, command)


async def until_state(one: Model, state: ModelState, timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while one.state is not state:
            await asyncio.sleep(0.01)


async def ask(one: Model, text: str = "hi") -> str:
    stream = one.chat([ChatMessage("user", text)], model=NAME, decoding=Decoding(), deadlines=Deadlines())
    return "".join([delta.text async for delta in stream])


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that never had any weights."""
    for name in ("FRONTDESK_CACHE_DIR", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))


def weights_at(folder: Path) -> Path:
    """A folder that looks like weights to whoever only looks."""
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text("{}")
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
                 "pre_tokenizer": None, "post_processor": None, "decoder": None,
                 "model": {"type": "BPE", "vocab": {}, "merges": []}}  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


async def test_before_anything_runs_it_says_so(tmp_path: Path):
    one, _, _ = model(tmp_path)
    assert one.state is ModelState.LOADING
    assert await one.note() == "loading: waiting to start"
    with pytest.raises(ModelUnavailable, match="waiting to start"):
        await ask(one)
    assert one.budget.context_tokens == 2_048


async def test_a_late_url_becomes_ready_and_answers(tmp_path: Path):
    double = ModelDouble(models=(NAME,))
    await double.start()
    await double.stop()  # its address is known, nobody listens yet
    one, metrics, states = model(tmp_path, base_url=double.base_url)
    async with one.running():
        async with asyncio.timeout(5):
            while one.progress == "waiting to start":
                await asyncio.sleep(0.01)
        assert await one.note() == f"loading: waiting for {double.base_url}"
        await double.start()
        try:
            await until_state(one, ModelState.READY)
            assert await one.note() == "ready"
            assert await ask(one) == "answer to: hi"
        finally:
            await double.stop()
    assert states == ["ready"]
    assert 'frontdesk_model_state{frontdesk_model_state="ready"} 1.0' in metrics.render()[0].decode()


async def test_a_url_that_stays_silent_is_down_and_still_found_later(tmp_path: Path):
    double = ModelDouble(models=(NAME,))
    await double.start()
    await double.stop()
    one, _, states = model(tmp_path, base_url=double.base_url, load_timeout_s=0.05)
    with capture_logs() as logs:
        async with one.running():
            await until_state(one, ModelState.DOWN)
            assert (await one.note()).startswith("down: waiting for http://127.0.0.1")
            await double.start()
            try:
                await until_state(one, ModelState.READY)
            finally:
                await double.stop()
    assert states == ["down", "ready"]
    assert [entry["event"] for entry in logs].count("model_unreachable") == 1


async def test_a_url_with_a_wrong_path_works_without_the_tokenizer(tmp_path: Path):
    async with ModelDouble(models=(NAME,)) as double:
        one, _, _ = model(tmp_path, base_url=double.base_url, path=str(tmp_path / "nowhere"))
        async with one.running():
            await until_state(one, ModelState.READY)
            assert await ask(one) == "answer to: hi"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"path": "nowhere"}, "point it at a model folder"),
        ({"download": False}, "set model.path"),
    ],
)
async def test_missing_weights_are_said_and_tried_again_later(tmp_path: Path, settings: dict[str, Any], words: str):
    one, _, states = model(tmp_path, **settings)
    with capture_logs() as logs:
        async with one.running():
            await until_state(one, ModelState.DOWN)
            note = await one.note()
            assert note.startswith("down: ")
            assert words in note
            with pytest.raises(ModelUnavailable, match=words):
                await ask(one)
    assert states == ["down"]
    (entry,) = [entry for entry in logs if entry["event"] == "weights_missing"]
    assert (words in entry["error"], entry["log_level"]) == (True, "error")


async def test_a_child_loads_answers_and_comes_back_after_a_crash(tmp_path: Path):
    one, metrics, states = model(tmp_path, path=str(weights_at(tmp_path / "weights")), load_timeout_s=30)
    async with one.running():
        await until_state(one, ModelState.READY, 30)
        assert await ask(one) == "answer to: hi"
        assert one._process is not None
        assert one._process.pid is not None
        os.killpg(one._process.pid, signal.SIGKILL)
        await until_state(one, ModelState.DOWN)
        assert await one.note() == "down: vLLM is restarting"
        await until_state(one, ModelState.READY, 30)
        assert await ask(one, "again") == "answer to: again"
    assert states == ["ready", "down", "ready"], "a restart is a fault, not a first start that people wait for"
    assert 'frontdesk_child_restarts_total{child="vllm"} 1.0' in metrics.render()[0].decode()


async def test_the_progress_of_weights_is_shown(tmp_path: Path):
    one, _, _ = model(tmp_path)
    one._report(Progress("converting", 1, 2, 0.5))
    assert await one.note() == "loading: weights: converting"


async def test_what_a_remote_server_needs_is_there_before_the_first_request(tmp_path: Path):
    async with ModelDouble(models=(NAME,)) as double:
        urls = [f"{double.base_url}", "http://127.0.0.1:9/v1"]
        settings = Settings.model_validate(
            {
                "data_dir": str(tmp_path),
                "model": {"name": NAME, "base_url": double.base_url},
                "releases": {"replicas": urls},
            }
        )
        seen: list[tuple[str, str]] = []

        async def prepare(client: VLLM, name: str) -> None:
            seen.append((name, one.state.value))
            await client.models()  # the second one is away: it is looked at again later

        one = Model(settings, Metrics(), launch, prepare)
        assert one.servers == {}
        async with one.running():
            await until_state(one, ModelState.READY)
            assert list(one.servers) == urls
    assert seen == [(url, "loading") for url in urls]


async def test_what_the_child_needs_is_there_after_each_start_before_it_is_ready(tmp_path: Path):
    seen: list[tuple[str, str]] = []

    async def prepare(client: VLLM, name: str) -> None:
        await client.load_adapter("default-000000000001", "/x")
        seen.append((name, one.state.value))

    def launched(*arguments: Any, prepare: Any) -> ModelProcess:
        process = launch(*arguments)
        process._prepare = prepare
        return process

    weights = weights_at(tmp_path / "weights")
    settings = Settings.model_validate({"data_dir": str(tmp_path), "model": {"name": NAME, "path": str(weights)}})
    one = Model(settings, Metrics(), launched, prepare)
    async with one.running():
        await until_state(one, ModelState.READY)
        assert list(one.servers) == [""]
        assert "default-000000000001" in await one.servers[""].models()
    assert seen == [("", "loading")]
