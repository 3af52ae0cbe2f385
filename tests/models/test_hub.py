import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from models import hub
from models.serve import free_port

FILES = {
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights" * 1_000,
    "onnx/model.onnx": b"unwanted",
    "README.md": b"unwanted",
}


class HubDouble:
    """A model hub holding one repository, org/model, whose description and files tests may spoil."""

    def __init__(self) -> None:
        self.files = dict(FILES)
        self.served = dict(FILES)
        self.asked: list[str] = []
        self.tokens: list[str | None] = []
        self.url = ""

    def description(self) -> dict[str, Any]:
        rows = []
        for name, content in self.files.items():
            row: dict[str, Any] = {"rfilename": name, "size": len(content)}
            if name.endswith(".safetensors"):
                row["lfs"] = {"sha256": hashlib.sha256(content).hexdigest()}
            rows.append(row)
        return {"sha": "c0ffee", "siblings": rows}

    async def describe(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization"))
        if request.match_info["name"] != "org/model":
            return web.Response(status=404)
        return web.json_response(self.description())

    async def file(self, request: web.Request) -> web.Response:
        assert request.match_info["commit"] == "c0ffee"
        self.asked.append(request.match_info["file"])
        return web.Response(body=self.served[request.match_info["file"]])


@pytest.fixture
async def double() -> AsyncIterator[HubDouble]:
    double = HubDouble()
    app = web.Application()
    app.router.add_get("/api/models/{name:org/[a-z]+}", double.describe)
    app.router.add_get("/org/model/resolve/{commit}/{file:.*}", double.file)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    double.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield double
    await runner.cleanup()


async def test_fetches_only_what_serving_needs(double: HubDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    seen: list[tuple[int, int]] = []
    commit = await hub.Hub(double.url).download("org/model", tmp_path, lambda *n: seen.append(n))
    assert commit == "c0ffee"
    assert sorted(double.asked) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert seen[-1] == (7_004, 7_004)
    assert double.tokens == ["Bearer secret"]
    assert hub.is_complete(tmp_path)


async def test_a_changed_file_is_refused(double: HubDouble, tmp_path: Path):
    double.served["model.safetensors"] = b"W" + FILES["model.safetensors"][1:]
    with pytest.raises(hub.HubError, match="digest"):
        await hub.Hub(double.url).download("org/model", tmp_path, lambda *_: None)
    double.served["model.safetensors"] = b"short"
    with pytest.raises(hub.HubError, match="5 bytes instead of 7000"):
        await hub.Hub(double.url).download("org/model", tmp_path, lambda *_: None)


async def test_a_model_without_safetensors_is_refused(double: HubDouble, tmp_path: Path):
    del double.files["model.safetensors"]
    with pytest.raises(hub.HubError, match="safetensors"):
        await hub.Hub(double.url).download("org/model", tmp_path, lambda *_: None)


async def test_unknown_models_and_absent_hubs_are_told_apart(double: HubDouble, tmp_path: Path):
    with pytest.raises(hub.HubError, match="404"):
        await hub.Hub(double.url).download("org/other", tmp_path, lambda *_: None)
    with pytest.raises(hub.HubError, match="did not answer"):
        await hub.Hub(f"http://127.0.0.1:{free_port()}").download("org/model", tmp_path, lambda *_: None)


@pytest.mark.parametrize("name", ["../x.json", "a/b.json", "x.bin", ".json/..", "pytorch_model.bin"])
def test_names_outside_the_folder_are_never_needed(name: str):
    assert not hub.NEEDED.match(name)


def test_finds_the_snapshot_the_hubs_own_tools_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert hub.find_cached("org/model") is None
    repository = tmp_path / "hub" / "models--org--model"
    snapshot = repository / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c0ffee")
    assert hub.find_cached("org/model") is None  # the weights are still missing
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (snapshot / name).write_text("{}")
    assert hub.find_cached("org/model") == snapshot


def test_the_hubs_cache_folder_follows_its_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "a"))
    assert hub.cache_folder() == tmp_path / "a"
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert hub.cache_folder() == tmp_path / "huggingface" / "hub"
