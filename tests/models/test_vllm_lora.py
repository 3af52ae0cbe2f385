"""The operators beside a row by row reference; the real wrapper, patched and as shipped; what is refused."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.vllm_plugin import REPORT, lay_down, variables

torch = pytest.importorskip("torch", reason="torch is not importable; install requirements/demo-cpu.txt")
vllm_lora = pytest.importorskip("models.vllm_lora")

BF16_RELATIVE = 0.02
INDICES = st.lists(st.integers(-1, 3), min_size=1, max_size=24)


def filled(*shape: int, dtype: Any = torch.float32) -> Any:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator).to(dtype)


def reference(inputs: Any, stacked: Any, output: Any, indices: list[int], factor: float, offset: int, add: bool) -> Any:
    """Row by row; rows without an adapter stay as they are."""
    expected = output.clone()
    for row, slot in enumerate(indices):
        if slot >= 0:
            value = factor * (stacked[slot].reshape(stacked.shape[-2:]).float() @ inputs[row].float())
            width = min(len(value), output.shape[1] - offset)
            part = expected[row, offset : offset + width]
            part.copy_((part.float() if add else 0) + value[:width])
    return expected


def close(found: Any, expected: Any, dtype: Any) -> bool:
    tolerance = 1e-4 if dtype == torch.float32 else BF16_RELATIVE * float(expected.abs().max() + 1)
    return bool(torch.allclose(found.float(), expected.float(), rtol=tolerance, atol=tolerance))


def runs(indices: list[int]) -> tuple[Any, ...]:
    """vLLM's description of the same rows by runs of equal indices."""
    slots, lengths = torch.unique_consecutive(torch.tensor(indices), return_counts=True)
    return torch.cumsum(lengths, 0) - lengths, lengths, slots, len(slots), int(lengths.max()), len(indices)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@settings(max_examples=60)
@given(indices=INDICES, four=st.booleans(), add=st.booleans(), by_runs=st.booleans())
def test_operators_equal_the_reference(dtype: Any, indices: list[int], four: bool, add: bool, by_runs: bool):
    ops, rows = vllm_lora.OPERATORS, len(indices)
    where = runs(indices) if by_runs else (torch.tensor(indices),)
    kind = "sgmv" if by_runs else "bgmv"
    down, up = filled(4, 2, 6, dtype=dtype), filled(4, 5, 2, dtype=dtype)
    x, inner = filled(rows, 6, dtype=dtype), filled(rows, 2)
    if four:
        down, up = down.unsqueeze(1), up.unsqueeze(1)
    output = filled(rows, 3)
    expected = reference(x, down, output, indices, 0.5, 0, add=False)
    ops[f"{kind}_shrink"](x, down, output, *where, 0.5)
    assert close(output, expected, dtype)
    for name, offset, width, extra in (("expand", 0, 4, ()), ("expand", 0, 9, ()), ("expand_slice", 3, 9, (3, 5))):
        output = filled(rows, width, dtype=dtype)
        expected = reference(inner.to(dtype), up, output, indices, 1.0, offset, add=add)
        ops[f"{kind}_{name}"](inner, up, output, *where, *extra, add)
        assert close(output, expected, dtype)


def test_no_adapter_at_all_touches_nothing():
    output = filled(3, 4)
    before = output.clone()
    vllm_lora.bgmv_expand(filled(3, 2), filled(2, 4, 2), output, torch.tensor([-1, -1, -1]))
    assert torch.equal(output, before)
    assert vllm_lora.groups(torch.tensor([-1, -1])) == []


def test_rows_in_one_piece_are_a_slice_and_others_are_listed():
    found = vllm_lora.groups(torch.tensor([2, 2, -1, 0, -1, 0]))
    assert [slot for slot, _ in found] == [0, 2]
    assert found[1][1] == slice(0, 2)
    assert found[0][1].tolist() == [3, 5]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@settings(max_examples=40)
@given(indices=INDICES, scale=st.sampled_from([1.0, 0.5]))
def test_a_layers_slices_together_equal_the_reference_and_leave_base_rows_as_they_are(
    dtype: Any, indices: list[int], scale: float
):
    downs, ups = [filled(4, 1, 2, 6, dtype=dtype), filled(4, 1, 3, 6, dtype=dtype)], [
        filled(4, 1, 5, 2, dtype=dtype), filled(4, 1, 4, 3, dtype=dtype),
    ]  # fmt: skip
    joined = vllm_lora.Joined(downs, ups, (5, 4), dtype)
    where, x, y = torch.tensor(indices), filled(len(indices), 6, dtype=dtype), filled(len(indices), 9, dtype=dtype)
    expected = y.clone()
    for down, up, offset in zip(downs, ups, (0, 5), strict=True):
        inner = reference(x, down, torch.zeros(len(indices), down.shape[2], dtype=dtype), indices, scale, 0, add=False)
        expected = reference(inner, up, expected, indices, 1.0, offset, add=True)
    by_group, at_once = y.clone(), y.clone()
    for slot, rows in vllm_lora.groups(where):
        joined.add(by_group, x, slot, rows, scale)
    joined.add_all(at_once, x, (where.unsqueeze(1) == torch.arange(4)).to(dtype).unsqueeze(2), scale)
    for found in (by_group, at_once):
        assert close(found, expected, dtype)
        assert torch.equal(found[where < 0], y[where < 0])


def test_layers_tell_of_every_change_of_their_slots():
    class Below:
        def reset_lora(self, index: int) -> int:
            return index

    class Layer(Below):
        def set_lora(self, index: int) -> int:
            return self.reset_lora(index) + 1

    layers = SimpleNamespace(__all__=["Layer"], Layer=Layer)
    vllm_lora.watch(layers)
    before = vllm_lora._changes[0]
    assert Layer().set_lora(3) == 4
    assert vllm_lora._changes[0] == before + 2


def fake_vllm(monkeypatch: pytest.MonkeyPatch, version: str, *, cpu: bool) -> dict[str, ModuleType]:
    """Modules of vLLM's names in its place, of any version."""
    platform = SimpleNamespace(is_cpu=lambda: cpu)
    names = ["vllm", "vllm.platforms", *vllm_lora.OPERATOR_MODULES]
    modules = {name: ModuleType(name) for name in names}
    modules["vllm"].__version__ = version  # type: ignore[attr-defined]
    modules["vllm.platforms"].current_platform = platform  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return modules


def test_another_device_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    modules = fake_vllm(monkeypatch, "0.32.0", cpu=False)
    monkeypatch.setenv("FRONTDESK_LORA", "required")
    vllm_lora.register()
    assert not hasattr(modules[vllm_lora.OPERATOR_MODULES[0]], "bgmv_shrink")


def test_an_unchecked_version_is_refused_where_it_is_required_and_left_alone_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    modules = fake_vllm(monkeypatch, "0.33.1+cpu", cpu=True)
    vllm_lora.register()
    assert "vLLM 0.33.1 was not checked, only 0.32.0" in capsys.readouterr().err
    monkeypatch.setenv("FRONTDESK_LORA", "required")
    with pytest.raises(RuntimeError, match=r"0\.33\.1 was not checked.*set model\.lora_slots to 0"):
        vllm_lora.register()
    assert not hasattr(modules[vllm_lora.OPERATOR_MODULES[0]], "bgmv_shrink")


PROGRAM = """
import sys
from vllm.lora.layers import LoRAMapping
from vllm.lora.punica_wrapper import punica_cpu
import frontdesk_vllm_lora as plugin
import torch
shipped = punica_cpu.PunicaWrapperCPU
try:
    plugin.self_test(shipped, LoRAMapping)
except RuntimeError as error:
    print("shipped:", error)
import vllm.plugins
vllm.plugins.load_general_plugins()
plugin.register()
assert punica_cpu.bgmv_shrink is plugin.bgmv_shrink
print("loaded")
sys.stdout.flush()
punica_cpu.PunicaWrapperCPU(4, 4, torch.device("cpu"))
"""


@pytest.mark.loop
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not importable")
def test_in_vllms_own_process_the_self_test_fails_as_shipped_and_holds_with_the_plug_in(tmp_path: Any):
    env = {key: value for key, value in os.environ.items() if not key.startswith("VLLM")}
    env |= {"PYTHONSAFEPATH": "1", **variables(lay_down(tmp_path), env)}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "shipped: frontdesk-lora: add_lora_linear" in done.stdout
    assert "loaded" in done.stdout
    assert done.stderr.count(REPORT) == 1
