"""A vLLM plug-in for LoRA on a CPU: base requests stay free of any adapter, and adapters keep the pace of the base.

As shipped, vLLM's CPU fallback looks a token without an adapter up at index -1, which is the last slot, and copies an
adapter's weights once per token. Here tokens are grouped by slot once per step, tokens without one are left alone, and
each adapter is one pair of matrix products per layer. vLLM calls ``register`` in every process it starts (entry point
group ``vllm.general_plugins``); ``models/vllm_plugin.py`` lays a copy of this one file down, so it imports nothing of
ours.

Errors::

    RuntimeError    FRONTDESK_LORA=required, and this vLLM was not checked or computes something else
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.functional import linear

CHECKED = frozenset({"0.32.0"})  # vLLM versions whose operators and wrapper were read and tested
REPORT = "frontdesk-lora: in use"  # models/vllm_plugin.py looks for it in the log
WRAPPER_MODULE = "vllm.lora.punica_wrapper.punica_cpu"
OPERATOR_MODULES = ("vllm.lora.ops.torch_ops.lora_ops", "vllm.lora.ops.torch_ops", WRAPPER_MODULE)
TOLERANCE = 1e-4  # relative and absolute, on float32

Rows = slice | torch.Tensor
Groups = list[tuple[int, Rows]]


@torch.compiler.disable  # type: ignore[untyped-decorator,unused-ignore]
def groups(indices: torch.Tensor) -> Groups:
    """Slots and the rows that use them, from one slot index per row; rows with a negative index belong to none."""
    found: Groups = []
    for slot in sorted(set(indices.tolist())):
        if slot >= 0:
            rows = torch.nonzero(indices == slot).flatten()
            first, count = int(rows[0]), len(rows)
            whole = int(rows[-1]) - first + 1 == count
            found.append((slot, slice(first, first + count) if whole else rows))
    return found


def _product(inputs: torch.Tensor, stacked: torch.Tensor, slot: int) -> torch.Tensor:
    matrix = stacked[slot].squeeze(0) if stacked.dim() == 4 else stacked[slot]  # noqa: PLR2004 - (slots, 1, out, in)
    return linear(inputs.to(matrix.dtype), matrix)


def _put(target: torch.Tensor, rows: Rows, values: torch.Tensor, *, add: bool) -> None:
    """Add to, or replace, some rows of a view; columns that only one side has are padding."""
    width = min(target.shape[1], values.shape[1])
    target, values = target[:, :width], values[:, :width].to(target.dtype)
    if isinstance(rows, slice):
        part = target[rows]
        part.add_(values) if add else part.copy_(values)
    else:
        # index_add_ takes four times as long as reading, adding and writing back
        target.index_copy_(0, rows, target.index_select(0, rows).add_(values) if add else values)


def bgmv_shrink(
    inputs: torch.Tensor, stacked: torch.Tensor, output: torch.Tensor, indices: torch.Tensor, scaling: float = 1.0
) -> None:
    """``output[row] = scaling * A[indices[row]] @ inputs[row]``."""
    for slot, rows in groups(indices):
        _put(output, rows, scaling * _product(inputs[rows], stacked, slot), add=False)


def bgmv_expand(
    inputs: torch.Tensor,
    stacked: torch.Tensor,
    output: torch.Tensor,
    indices: torch.Tensor,
    add_inputs: bool = True,  # noqa: FBT001, FBT002 - vLLM's signature
) -> None:
    """``output[row] += B[indices[row]] @ inputs[row]``, or ``=`` without ``add_inputs``."""
    for slot, rows in groups(indices):
        _put(output, rows, _product(inputs[rows], stacked, slot), add=add_inputs)


def bgmv_expand_slice(
    inputs: torch.Tensor,
    stacked: torch.Tensor,
    output: torch.Tensor,
    indices: torch.Tensor,
    slice_offset: int,
    slice_size: int,
    add_inputs: bool = True,  # noqa: FBT001, FBT002 - vLLM's signature
) -> None:
    """The same into ``slice_size`` columns from ``slice_offset`` on."""
    bgmv_expand(inputs, stacked, output[:, slice_offset : slice_offset + slice_size], indices, add_inputs)


def _of_runs(operator: Callable[..., None], defaults: tuple[Any, ...]) -> Callable[..., None]:
    """The operator for runs of rows: (starts, lengths, slot of each run, and three sizes) in place of indices."""

    def sgmv(  # vLLM's signature
        inputs: torch.Tensor,
        stacked: torch.Tensor,
        output: torch.Tensor,
        _starts: torch.Tensor,
        lengths: torch.Tensor,
        slots: torch.Tensor,
        _batches: int,
        _longest: int,
        _tokens: int,
        *rest: Any,
    ) -> None:
        operator(inputs, stacked, output, torch.repeat_interleave(slots, lengths), *rest, *defaults[len(rest) :])

    return sgmv


OPERATORS: dict[str, Callable[..., None]] = {
    "bgmv_shrink": bgmv_shrink,
    "bgmv_expand": bgmv_expand,
    "bgmv_expand_slice": bgmv_expand_slice,
    "sgmv_shrink": _of_runs(bgmv_shrink, (1.0,)),
    "sgmv_expand": _of_runs(bgmv_expand, (False,)),
    "sgmv_expand_slice": _of_runs(bgmv_expand_slice, (0, 0, False)),
}


def patch(wrapper: type[Any]) -> None:
    """Give vLLM's CPU wrapper groups that are found once per step, and one pass over a layer's slices."""
    start, update, add_linear = wrapper.__init__, wrapper.update_metadata, wrapper.add_lora_linear

    @functools.wraps(start)
    def __init__(self: Any, *args: Any, **more: Any) -> None:  # noqa: N807
        start(self, *args, **more)
        self.frontdesk_groups = []

    @functools.wraps(update)
    def update_metadata(self: Any, *args: Any, **more: Any) -> None:
        update(self, *args, **more)
        self.frontdesk_groups = groups(self.token_lora_indices)

    @functools.wraps(add_linear)
    @torch.compiler.disable  # type: ignore[untyped-decorator,unused-ignore]
    def add_lora_linear(  # vLLM's signature
        self: Any,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_a_stacked: Sequence[torch.Tensor],
        lora_b_stacked: Sequence[torch.Tensor],
        scale: float,
        output_slices: Sequence[int],
        **more: Any,
    ) -> None:
        if any(value is not None for value in more.values()):  # a buffer of the caller's: the replaced operators
            add_linear(self, y, x, lora_a_stacked, lora_b_stacked, scale, output_slices, **more)
            return
        x, y = x.view(-1, x.shape[-1]), y.view(-1, y.shape[-1])
        for slot, rows in self.frontdesk_groups:
            picked, offset = x[rows] if isinstance(rows, slice) else x.index_select(0, rows), 0
            for down, up, width in zip(lora_a_stacked, lora_b_stacked, output_slices, strict=True):
                inner = _product(picked, down, slot)
                inner = inner if scale == 1.0 else inner * scale
                _put(y[:, offset : offset + width], rows, _product(inner, up, slot), add=True)
                offset += width

    wrapper.__init__, wrapper.update_metadata, wrapper.add_lora_linear = __init__, update_metadata, add_lora_linear


def self_test(wrapper: type[Any], mapping: type[Any]) -> None:
    """Compare the patched wrapper with a row by row reference: mixed slots, index -1, slices, scaling, replacing.

    Raises RuntimeError with what differs.
    """
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    used, widths, scale = (7, 0, 9, 7, 0, 9, 9), (6, 4), 0.5  # ids; 0 is a base request
    slot_of = {0: -1, 7: 2, 9: 0}
    x, start = random(len(used), 5), random(len(used), 10)
    down, up = [random(3, 1, 2, 5) for _ in widths], [random(3, 1, width, 2) for width in widths]
    expected = start.clone()
    for row, name in enumerate(used):
        if name:
            slot = slot_of[name]
            parts = [b[slot, 0] @ (scale * (a[slot, 0] @ x[row])) for a, b in zip(down, up, strict=True)]
            expected[row] += torch.cat(parts)
    for prefill in (True, False):
        punica = wrapper(len(used), len(used), torch.device("cpu"))
        punica.update_metadata(mapping(used, used, prefill), [9, None, 7], 3, 100)
        for buffer in (None, tuple(torch.zeros(len(used), 2) for _ in widths)):
            y = start.clone()
            punica.add_lora_linear(y, x, tuple(down), tuple(up), scale, widths, buffer=buffer)
            _compare(y, expected, f"add_lora_linear (prefill={prefill}, buffer={buffer is not None})")
        y = start.clone()[:, :6].contiguous()
        punica.add_lora_logits(y, x, down[0], up[0], scale)
        _compare(y, expected[:, :6], "add_lora_logits")


def _compare(found: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    if not torch.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
        raise RuntimeError(f"frontdesk-lora: {what} computes something else than it should; vLLM must not serve")


def register() -> None:
    """Replace the operators in this process once; nothing on another device, a refusal on an unchecked version."""
    platform = importlib.import_module("vllm.platforms").current_platform
    version = importlib.import_module("vllm").__version__.split("+")[0]
    if not platform.is_cpu():
        return
    if version not in CHECKED:
        reason = f"frontdesk-lora: vLLM {version} was not checked, only {', '.join(sorted(CHECKED))}; install that one"
        if os.environ.get("FRONTDESK_LORA") == "required":
            raise RuntimeError(f"{reason}, or set model.lora_slots to 0")
        sys.stderr.write(f"{reason} for adapters on a CPU (left as it is)\n")
        return
    modules = [importlib.import_module(name) for name in OPERATOR_MODULES]
    if getattr(modules[0], "frontdesk_lora", False):
        return
    for module in modules:
        for name, operator in OPERATORS.items():
            setattr(module, name, operator)
    wrapper = modules[-1].PunicaWrapperCPU
    patch(wrapper)
    self_test(wrapper, importlib.import_module("vllm.lora.layers").LoRAMapping)
    report(wrapper)
    modules[0].frontdesk_lora = True  # type: ignore[attr-defined,unused-ignore]


def report(wrapper: type[Any]) -> None:
    """Have the process that computes with the wrapper say so in the log, once it builds one."""
    start = wrapper.__init__

    @functools.wraps(start)
    def __init__(self: Any, *args: Any, **more: Any) -> None:  # noqa: N807
        start(self, *args, **more)
        sys.stderr.write(f"{REPORT} (process {os.getpid()}, self-test passed)\n")
        sys.stderr.flush()

    wrapper.__init__ = __init__
