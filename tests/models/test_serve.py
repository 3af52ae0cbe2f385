import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from config.settings import ModelSettings
from models.chat import ChatMessage, Deadlines, Decoding, ModelState, ModelUnavailable
from models.prompt import TEMPLATE_PATH
from models.serve import (
    ModelProcess,
    command_line,
    core_list,
    cpu_dtype,
    environment,
    free_port,
    needs_plugin,
    resolve_device,
)
from models.supervised import LOG_KEEP_BYTES
from models.vllm import VLLM
from models.vllm_plugin import REPORT

ROOT = Path(__file__).parents[2]
DOUBLE = ROOT / "tests" / "model_double.py"
SETTINGS = ModelSettings(load_timeout_s=20, device="cpu")


def double_command(port: int) -> list[str]:
    return [sys.executable, str(DOUBLE), "--port", str(port)]


@asynccontextmanager
async def process(
    folder: Path, states: list[ModelState], command: Callable[[int], list[str]] = double_command, **settings: float
) -> AsyncIterator[ModelProcess]:
    changed = SETTINGS.model_copy(update=settings)
    running = ModelProcess(changed, Path("/weights"), folder / "model.log", states.append, command, health_poll_s=0.05)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def offspring(pid: int | None) -> list[int]:
    found = [pid] if pid else []
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def alive(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_becomes_ready_answers_and_stops_without_leftovers(tmp_path: Path):
    states: list[ModelState] = []
    async with process(tmp_path, states) as running:
        assert running.state is ModelState.LOADING
        assert await running.wait_ready(20)
        stream = running.client.chat(
            (ChatMessage("user", "hi"),), model=SETTINGS.name, decoding=Decoding(), deadlines=Deadlines()
        )
        assert "".join([delta.text async for delta in stream]) == "answer to: hi"
        pids = offspring(running.pid)
        assert len(pids) == 2
        for pid in pids:
            assert running.api_key.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        await running.stop()
        assert not any(alive(pid) for pid in pids)
    assert states == [ModelState.READY]


async def test_a_killed_server_is_restarted_at_the_same_address(tmp_path: Path):
    states: list[ModelState] = []
    async with process(tmp_path, states) as running:
        assert await running.wait_ready(20)
        url = running.base_url
        os.kill(offspring(running.pid)[1], signal.SIGKILL)
        await until(lambda: ModelState.DOWN in states)
        assert await running.wait_ready(20)
        assert (running.base_url, running.restarts) == (url, 1)
    assert states == [ModelState.READY, ModelState.DOWN, ModelState.LOADING, ModelState.READY]


async def set_fault(running: ModelProcess, mode: str) -> None:
    url = running.base_url.removesuffix("/v1") + "/double/faults"
    async with aiohttp.ClientSession() as session, session.post(url, json={"mode": mode}) as response:
        assert response.status == 200


async def test_a_short_illness_is_down_and_ready_again_without_a_restart(tmp_path: Path):
    states: list[ModelState] = []
    async with process(tmp_path, states) as running:
        assert await running.wait_ready(20)
        await set_fault(running, "500")
        await until(lambda: states[-1] is ModelState.DOWN)
        await set_fault(running, "ok")
        await until(lambda: states[-1] is ModelState.READY)
        assert running.restarts == 0


async def test_a_lasting_illness_is_restarted_elsewhere_when_the_port_is_taken(tmp_path: Path):
    states: list[ModelState] = []
    with socket.socket() as squatter:
        async with process(tmp_path, states) as running:
            assert await running.wait_ready(20)
            old = running.base_url
            await set_fault(running, "500")
            await until(lambda: running.restarts == 1)
            squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            squatter.bind(("127.0.0.1", int(old.split(":")[2].split("/")[0])))
            squatter.listen()
            assert await running.wait_ready(20)
            assert running.base_url != old
            assert await running.client.health()


async def test_a_large_log_is_set_aside_at_the_next_start(tmp_path: Path):
    with (tmp_path / "model.log").open("wb") as file:
        file.truncate(LOG_KEEP_BYTES + 1)
    async with process(tmp_path, []) as running:
        assert await running.wait_ready(20)
    assert (tmp_path / "model.log.1").stat().st_size > LOG_KEEP_BYTES
    assert (tmp_path / "model.log").stat().st_size < 1_000


async def test_a_server_that_cannot_start_is_down_with_its_last_words(tmp_path: Path):
    states: list[ModelState] = []

    def broken(_: int) -> list[str]:
        return [sys.executable, "-c", "raise ValueError('no such model')"]

    async with process(tmp_path, states, broken) as running:
        await until(lambda: ModelState.DOWN in states)
        assert running.last_words() == "ValueError: no such model"
        assert not await running.wait_ready(0.01)


async def test_a_server_that_never_answers_is_given_up(tmp_path: Path):
    states: list[ModelState] = []

    def silent(_: int) -> list[str]:
        return [sys.executable, "-c", "import time; time.sleep(60)"]

    async with process(tmp_path, states, silent, load_timeout_s=0.5) as running:
        await until(lambda: ModelState.DOWN in states)
        assert running.last_words() == "empty log"


def reporting_command(port: int) -> list[str]:
    return ["sh", "-c", f"echo '{REPORT}' >&2; exec \"$@\"", "sh", *double_command(port)]


async def test_adapters_on_a_cpu_are_not_served_before_the_plug_in_reported_itself(tmp_path: Path):
    states: list[ModelState] = []
    with capture_logs() as logs:
        async with process(tmp_path, states, lora_slots=1) as running:
            await until(lambda: any(entry["event"] == "model_down" for entry in logs))
            assert not await running.wait_ready(0.01)
    assert ModelState.READY not in states
    assert "without the LoRA plug-in" in next(entry["reason"] for entry in logs if entry["event"] == "model_down")
    async with process(tmp_path, [], reporting_command, lora_slots=1) as running:
        assert await running.wait_ready(20)


async def test_what_is_prepared_is_there_before_it_is_ready_on_every_start(tmp_path: Path):
    states: list[ModelState] = []
    seen: list[tuple[ModelState, list[str]]] = []
    failures = [ModelUnavailable("no room for it")]

    async def prepare(llm: VLLM) -> None:
        if failures:
            raise failures.pop()
        await llm.load_adapter("default-0123456789ab", "/adapters/default-0123456789ab")
        seen.append((running.state, await llm.models()))

    running = ModelProcess(SETTINGS, Path("/w"), tmp_path / "log", states.append, double_command, 0.05, prepare)
    with capture_logs() as logs:
        await running.start()
        try:
            assert await running.wait_ready(30)
            assert states == [ModelState.DOWN, ModelState.LOADING, ModelState.READY]
            os.kill(offspring(running.pid)[1], signal.SIGKILL)
            await until(lambda: states.count(ModelState.DOWN) == 2)
            assert await running.wait_ready(30)
        finally:
            await running.stop()
    assert [state for state, _ in seen] == [ModelState.LOADING] * 2
    assert all("default-0123456789ab" in names for _, names in seen)
    assert "no room for it" in next(entry["reason"] for entry in logs if entry["event"] == "model_down")


async def test_preparing_that_never_ends_is_given_up(tmp_path: Path):
    states: list[ModelState] = []

    async def prepare(_: VLLM) -> None:
        await asyncio.Event().wait()

    settings = SETTINGS.model_copy(update={"load_timeout_s": 3.0})
    running = ModelProcess(settings, Path("/w"), tmp_path / "log", states.append, double_command, 0.05, prepare)
    await running.start()
    try:
        await until(lambda: ModelState.DOWN in states)
    finally:
        await running.stop()
    assert ModelState.READY not in states


async def test_a_killed_owner_leaves_no_orphan(tmp_path: Path):
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom tests.models.test_serve import SETTINGS, double_command\n"
        "from models.serve import ModelProcess\n"
        "async def main():\n"
        f"    process = ModelProcess(SETTINGS, Path('/w'), Path({str(tmp_path / 'log')!r}), None, double_command)\n"
        "    await process.start()\n"
        "    assert await process.wait_ready(20)\n"
        "    print(process.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        lines = iter(owner.stdout.readline, "")
        pid = next(int(line) for line in lines if line.strip().isdigit())
        pids = offspring(pid)
        assert len(pids) == 2
        owner.kill()
    await until(lambda: not any(alive(pid) for pid in pids))


def test_the_command_line_holds_every_setting_and_no_secret():
    settings = ModelSettings(device="cpu", context_tokens=1_024, max_sequences=3, name="org/model")
    line = command_line(settings, Path("/w"), 1_234)
    pairs = dict(itertools.pairwise(line))
    assert pairs["-m"] == "vllm.entrypoints.openai.api_server"
    assert (pairs["--model"], pairs["--served-model-name"]) == ("/w", "org/model")
    assert (pairs["--host"], pairs["--port"]) == ("127.0.0.1", "1234")
    assert (pairs["--max-model-len"], pairs["--max-num-seqs"]) == ("1024", "3")
    assert pairs["--chat-template"] == str(TEMPLATE_PATH)
    assert pairs["--tool-call-parser"] == "hermes"
    assert "--enforce-eager" in line
    assert "--enable-lora" not in line
    assert not any("key" in part for part in line)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("flags : fpu avx2 avx512f avx512bw", "bfloat16"),
        ("flags : fpu avx2 fma", "float32"),
        ("Features : fp asimd bf16", "bfloat16"),
        ("Features : fp asimd", "float32"),
    ],
)
def test_a_processor_without_bfloat16_gets_float32(tmp_path: Path, text: str, dtype: str):
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu_dtype(tmp_path / "cpuinfo") == dtype
    assert cpu_dtype(tmp_path / "missing") == "bfloat16"


def test_adapters_get_one_slot_more_and_an_accepted_rank():
    line = command_line(ModelSettings(device="cuda", lora_slots=2, lora_rank=17), Path("/w"), 1)
    pairs = dict(itertools.pairwise(line))
    assert (pairs["--max-loras"], pairs["--max-lora-rank"], pairs["--max-cpu-loras"]) == ("3", "32", "6")
    assert "--enforce-eager" not in line


def test_the_environment_carries_the_key_but_none_of_our_secrets():
    base = {"FRONTDESK_CHANNELS__SLACK__BOT_TOKEN": "s", "PATH": "/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    cpu = environment(ModelSettings(device="cpu", kv_cache_gib=0.5, lora_slots=1), "key", base)
    assert cpu["VLLM_API_KEY"] == "key"
    assert (cpu["PATH"], cpu["PYTHONSAFEPATH"], cpu["VLLM_CPU_KVCACHE_SPACE"]) == ("/bin", "1", "1")
    assert cpu["VLLM_CPU_OMP_THREADS_BIND"] == core_list(os.sched_getaffinity(0))
    assert cpu["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1"
    assert base.keys() & cpu.keys() == {"PATH"}
    assert not any(key.startswith("VLLM_CPU") for key in environment(ModelSettings(device="cuda"), "key", base))


def test_only_adapters_on_a_cpu_need_the_plug_in(tmp_path: Path):
    assert needs_plugin(ModelSettings(device="cpu", lora_slots=1))
    assert not needs_plugin(ModelSettings(device="cuda", lora_slots=1))
    assert not needs_plugin(ModelSettings(device="cpu"))
    child = environment(ModelSettings(device="cpu", lora_slots=1), "key", {"FRONTDESK_LORA": "no"}, tmp_path)
    assert (child["PYTHONPATH"], child["FRONTDESK_LORA"]) == (str(tmp_path), "required")


@pytest.mark.parametrize(("cores", "text"), [({0}, "0"), ({0, 1}, "0-1"), ({0, 2, 3}, "0,2-3"), ({5, 1, 3}, "1,3,5")])
def test_cores_are_named(cores: set[int], text: str):
    assert core_list(cores) == text


def test_the_device_is_as_set_or_found():
    assert resolve_device(ModelSettings(device="cuda")) == "cuda"
    assert resolve_device(ModelSettings()) in {"cpu", "cuda"}


def test_free_ports_are_usable():
    assert free_port() > 1_023
