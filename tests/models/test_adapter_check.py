import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.adapter_check import check
from models.adapters import write_manifest
from models.base_identity import BaseIdentity
from tests.adapter_files import SMALL, Tensors, lora_config, lora_tensors, safetensors_bytes, with_header, write_adapter

BASE = BaseIdentity(
    "org/small",
    {name: (outputs, inputs) for name, outputs, inputs in SMALL.linears()} | {"model.embed_tokens": (16, 8)},
    {"weights_sha256": "a" * 64, "tokenizer_sha256": "b" * 64, "template_sha256": "c" * 64},
)
MAX_RANK = 8
FIRST = "base_model.model.model.layers.0.self_attn.q_proj"
WEIGHTS = "adapter_model.safetensors"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    folder = write_adapter(tmp_path / "adapter", BASE.name)
    write_manifest(folder, BASE)
    return folder


def kinds(folder: Path, max_rank: int = MAX_RANK) -> set[str]:
    faults = check(folder, BASE, max_rank=max_rank)
    assert all(str(fault) == f"{fault.kind}: {fault.detail}" for fault in faults)
    return {fault.kind for fault in faults}


def test_a_good_adapter_has_no_fault(good: Path):
    assert check(good, BASE, max_rank=4) == []


def test_peft_extras_and_every_float_are_fine(good: Path):
    (good / "tokenizer.json").write_text("{}")
    for dtype in (np.float16, np.float32):
        tensors = {name: tensor.astype(dtype) for name, tensor in lora_tensors(seed=3).items()}
        save(good, tensors)
        assert kinds(good) == set()
    save(good, bf16(lora_tensors()), lora_config(BASE.name, use_rslora=True, init_lora_weights="gaussian"))
    assert kinds(good) == set()
    save(good, lora_tensors(strength=0))
    assert kinds(good) == set()


def bf16(tensors: Tensors) -> Tensors:
    return {name: (tensor.view(np.uint32) >> 16).astype(np.uint16) for name, tensor in tensors.items()}


def save(folder: Path, tensors: Tensors | None = None, config: dict[str, object] | None = None) -> None:
    """Write what is given, and a manifest that says the truth about it."""
    if tensors is not None:
        (folder / WEIGHTS).write_bytes(safetensors_bytes(tensors))
    if config is not None:
        (folder / "adapter_config.json").write_text(json.dumps(config))
    write_manifest(folder, BASE)


def changed(key: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """The good adapter with one tensor replaced; None leaves it out."""

    def apply(folder: Path) -> None:
        tensors = lora_tensors()
        tensor = change(tensors.pop(key))
        save(folder, tensors if tensor is None else {**tensors, key: tensor})

    return apply


def added(key: str, shape: tuple[int, ...] = (4, 8)) -> Callable[[Path], None]:
    return lambda folder: save(folder, {**lora_tensors(), key: np.zeros(shape, np.float32)})


def configured(**changes: object) -> Callable[[Path], None]:
    return lambda folder: save(folder, config=lora_config(BASE.name, **changes))  # type: ignore[arg-type]


def manifested(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return apply


def raw(content: bytes) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / WEIGHTS).write_bytes(content)
        write_manifest(folder, BASE)

    return apply


def truncated(folder: Path) -> None:
    os.truncate(folder / WEIGHTS, (folder / WEIGHTS).stat().st_size - 1)
    write_manifest(folder, BASE)


def linked(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder.parent / "elsewhere")
    (folder / WEIGHTS).symlink_to(folder.parent / "elsewhere")


def oversize(folder: Path) -> None:
    os.truncate(folder / WEIGHTS, (4 << 30) + 1)  # sparse: takes no room


def lying(folder: Path) -> None:
    header = {f"{FIRST}.lora_A.weight": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 16]}}
    raw(with_header(json.dumps(header).encode(), bytes(16)))(folder)


def nonfinite(value: float) -> Callable[[Any], Any]:
    def change(tensor: Any) -> Any:
        tensor[1, 2] = value
        return tensor

    return change


def bf16_infinity(folder: Path) -> None:
    tensors = bf16(lora_tensors())
    tensors[f"{FIRST}.lora_B.weight"][0, 0] = 0x7F80
    save(folder, tensors)


def f16_nan(folder: Path) -> None:
    save(folder, {name: nonfinite(np.nan)(tensor.astype(np.float16)) for name, tensor in lora_tensors().items()})


A, B = f"{FIRST}.lora_A.weight", f"{FIRST}.lora_B.weight"
BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pickle beside it": (lambda folder: (folder / "adapter_model.bin").write_bytes(b"x") and None, "pickle"),
    "a pickle in its place": (raw(b"PK\x03\x04" + bytes(99)), "pickle"),
    "code beside it": (lambda folder: (folder / "setup.py").write_text("") and None, "pickle"),
    "not safetensors": (raw(b"{}"), "format"),
    "a symbolic link": (linked, "link"),
    "a folder in a file's place": (
        lambda folder: ((folder / "README.md").mkdir(), None)[1],
        "listing",
    ),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "missing"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "missing"),
    "oversize": (oversize, "size"),
    "a lying header": (lying, "header"),
    "truncated": (truncated, "truncated"),
    "nan": (changed(A, nonfinite(np.nan)), "finite"),
    "infinity": (changed(B, nonfinite(-np.inf)), "finite"),
    "bf16 infinity": (bf16_infinity, "finite"),
    "f16 nan": (f16_nan, "finite"),
    "rank of the configuration": (configured(r=8), "rank"),
    "no rank": (configured(r="4"), "rank"),
    "rank of one layer": (changed(A, lambda tensor: tensor[:2]), "rank"),
    "scaling": (configured(lora_alpha=1e6), "scaling"),
    "scaling of nothing": (configured(lora_alpha=0), "scaling"),
    "scaling without a number": (configured(lora_alpha="8"), "scaling"),
    "scaling beyond any float": (configured(lora_alpha=10**400), "scaling"),
    "shape of the inputs": (changed(A, lambda tensor: tensor[:, :7]), "shape"),
    "shape of the outputs": (changed(B, lambda tensor: np.vstack([tensor, tensor])), "shape"),
    "dimensions": (changed(A, lambda tensor: tensor[None]), "shape"),
    "whole numbers": (changed(A, lambda tensor: tensor.astype(np.int8)), "shape"),
    "an unknown layer": (added("base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight"), "layer"),
    "an unknown key": (added(f"{FIRST}.weight"), "key"),
    "a name of another language": (added("base_model.model.ü.lora_A.weight"), "key"),
    "half a pair": (changed(A, lambda _: None), "key"),
    "no pair": (lambda folder: save(folder, {}), "key"),
    "lm_head": (added("base_model.model.lm_head.lora_A.weight"), "head"),
    "embeddings": (added("base_model.model.model.embed_tokens.lora_A.weight"), "head"),
    "modules_to_save": (configured(modules_to_save=["lm_head"]), "head"),
    "DoRA": (configured(use_dora=True), "variant"),
    "DoRA's tensors": (added(f"{FIRST}.lora_magnitude_vector"), "key"),
    "lora_bias": (configured(lora_bias=True), "variant"),
    "bias": (configured(bias="all"), "variant"),
    "PiSSA": (configured(init_lora_weights="pissa"), "variant"),
    "rank patterns": (configured(rank_pattern={"q_proj": 2}), "variant"),
    "a variant of tomorrow": (configured(use_xora=True), "variant"),
    "another kind": (configured(peft_type="IA3"), "variant"),
    "above the server's rank": (lambda f: save(f, lora_tensors(rank=16), lora_config(BASE.name, 16)), "max_rank"),
    "another base": (configured(base_model_name_or_path="org/other"), "base"),
    "other base weights": (manifested(lambda m: m["base"].update(weights_sha256="0" * 64)), "digest"),
    "another tokenizer": (manifested(lambda m: m["base"].update(tokenizer_sha256="0" * 64)), "digest"),
    "another template": (manifested(lambda m: m["base"].pop("template_sha256")), "digest"),
    "a manifest of other files": (manifested(lambda m: m["files"].update({WEIGHTS: "0" * 64})), "manifest"),
    "a manifest of nothing": (manifested(lambda m: m.pop("files")), "manifest"),
    "a huge value": (changed(A, nonfinite(1e5)), "norm"),
    "a huge change": (lambda folder: save(folder, lora_tensors(strength=40.0)), "norm"),
    "a configuration that is a list": (lambda folder: _config(folder, "[]"), "config"),
    "a configuration that is not JSON": (lambda folder: _config(folder, "{"), "config"),
    "a deep configuration": (lambda folder: _config(folder, "[" * 100_000), "config"),
}


def _config(folder: Path, text: str) -> None:
    (folder / "adapter_config.json").write_text(text)


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_adapter_is_refused_for_its_reason(what: str, good: Path):
    spoil, kind = BROKEN[what]
    spoil(good)
    assert kind in kinds(good)


def test_every_fault_is_told_at_once(good: Path):
    save(good, {**lora_tensors(), f"{FIRST}.weight": np.zeros(3, np.float32)}, lora_config("org/other", use_dora=True))
    assert kinds(good) == {"key", "base", "variant"}


def test_a_folder_that_is_a_link_or_missing_is_refused(good: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(good)
    assert kinds(tmp_path / "link") == {"missing"}
    assert kinds(tmp_path / "nothing") == {"missing"}


def test_a_pipe_does_not_hold_the_check_up(good: Path):
    (good / "README.md").unlink(missing_ok=True)
    os.mkfifo(good / "README.md")
    assert kinds(good) == {"listing"}


@settings(max_examples=150)
@given(
    config=st.dictionaries(
        st.sampled_from([*lora_config(""), "rank_pattern", "use_more", "init_lora_weights", "r"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
            max_leaves=4,
        ),
    )
)
def test_any_configuration_gets_a_verdict(tmp_path_factory: pytest.TempPathFactory, config: dict[str, object]):
    folder = tmp_path_factory.mktemp("any", numbered=True) / "adapter"
    write_adapter(folder, BASE.name)
    _config(folder, json.dumps({**lora_config(BASE.name), **config}))
    write_manifest(folder, BASE)
    check(folder, BASE, max_rank=MAX_RANK)
