"""A vLLM plug-in for LoRA on a CPU: base requests stay free of any adapter, and adapters keep the pace of the base.

As shipped, vLLM's CPU fallback looks a token without an adapter up at index -1, which is the last slot, and copies an
adapter's weights once per token. Here tokens are grouped by slot once per step, tokens without one are left alone, and
each adapter is one pair of matrix products per layer: a layer's slices (q, k and v) lie side by side in copies that are
made anew whenever a slot is filled. A few rows of several adapters go through all slots at once, where a mask of zeros
leaves each row its own adapter, or none. vLLM calls ``register`` in every process it starts (entry point
group ``vllm.general_plugins``); ``models/vllm_plugin.py`` lays a copy of this one file down, so it imports nothing of
ours.

Errors::

    RuntimeError    FRONTDESK_LORA=required, and this vLLM was not checked or computes something else
"""

from __future__ import annotations

import functools
import importlib
import itertools
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
TOGETHER_ROWS = 64  # of several adapters: fewer rows cost less in one product over all slots than in one for each
TOGETHER_COLUMNS = 1_024  # slots * slices * rank; more would cost as much as the base itself

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


_changes = [0]  # how often a slot was filled or emptied in this process


class Joined:
    """One layer's adapters: every slot's matrices, its slices side by side, good until a slot changes."""

    def __init__(
        self, downs: Sequence[torch.Tensor], ups: Sequence[torch.Tensor], widths: Sequence[int], dtype: torch.dtype
    ) -> None:
        self.parts = (*downs, *ups)  # held, so that no other layer gets their ids
        self.changes = _changes[0]
        slots, columns = downs[0].shape[0], sum(down.shape[-2] for down in downs)
        self.down = torch.cat([down.reshape(slots, *down.shape[-2:]) for down in downs], dim=1).to(dtype)
        self.up = self.down.new_zeros(slots, columns, sum(widths))
        column = offset = 0
        for up, width in zip(ups, widths, strict=True):
            matrix = up.reshape(slots, *up.shape[-2:])[:, :width].transpose(1, 2)
            self.up[:, column : column + matrix.shape[1], offset : offset + matrix.shape[2]] = matrix
            column, offset = column + matrix.shape[1], offset + width

    def add(self, y: torch.Tensor, x: torch.Tensor, slot: int, rows: Rows, scale: float) -> None:
        """The product of one adapter, added to its rows."""
        if isinstance(rows, slice):
            y[rows].addmm_(linear(x[rows], self.down[slot]), self.up[slot], alpha=scale)
        else:  # index_add_ takes four times as long as reading, adding and writing back
            part = y.index_select(0, rows)
            part.addmm_(linear(x.index_select(0, rows), self.down[slot]), self.up[slot], alpha=scale)
            y.index_copy_(0, rows, part)

    def add_all(self, y: torch.Tensor, x: torch.Tensor, mask: torch.Tensor, scale: float) -> None:
        """The products of all adapters at once; ``mask``: rows x slots x 1, 1 where the row uses the slot."""
        slots, columns, width = self.up.shape
        inner = linear(x, self.down.view(slots * columns, -1))
        inner.view(-1, slots, columns).mul_(mask)
        y.addmm_(inner, self.up.view(slots * columns, width), alpha=scale)


def patch(wrapper: type[Any]) -> None:
    """Give vLLM's CPU wrapper groups that are found once per step, and one pass over a layer's slices."""
    start, update, add_linear = wrapper.__init__, wrapper.update_metadata, wrapper.add_lora_linear

    @functools.wraps(start)
    def __init__(self: Any, *args: Any, **more: Any) -> None:  # noqa: N807
        start(self, *args, **more)
        self.frontdesk_groups = []
        self.frontdesk_masks = {}
        self.frontdesk_joined = {}

    @functools.wraps(update)
    def update_metadata(self: Any, *args: Any, **more: Any) -> None:
        update(self, *args, **more)
        self.frontdesk_groups = groups(self.token_lora_indices)
        self.frontdesk_masks = {}

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
        found = self.frontdesk_groups
        if not found:
            return
        x, y = x.view(-1, x.shape[-1]), y.view(-1, y.shape[-1])
        joined = self.frontdesk_joined.get(id(lora_a_stacked[0]))
        if joined is None or joined.changes != _changes[0]:
            joined = Joined(lora_a_stacked, lora_b_stacked, output_slices, y.dtype)
            self.frontdesk_joined[id(lora_a_stacked[0])] = joined
        x = x.to(y.dtype)
        few = len(x) <= TOGETHER_ROWS and joined.up[..., 0].numel() <= TOGETHER_COLUMNS
        if len(found) > 1 and few and len(x) == len(mask := _mask(self, joined.down)):  # padding rows have no adapter
            joined.add_all(y, x, mask, scale)
            return
        for slot, rows in found:
            joined.add(y, x, slot, rows, scale)

    wrapper.__init__, wrapper.update_metadata, wrapper.add_lora_linear = __init__, update_metadata, add_lora_linear


def _mask(wrapper: Any, down: torch.Tensor) -> torch.Tensor:
    """Rows x slots x 1 of this step, 1 where the row uses the slot, of ``down``'s type."""
    mask: torch.Tensor | None = wrapper.frontdesk_masks.get(len(down))
    if mask is None:
        uses = wrapper.token_lora_indices.unsqueeze(1) == torch.arange(len(down)).unsqueeze(0)
        mask = wrapper.frontdesk_masks[len(down)] = uses.to(down.dtype).unsqueeze(2)
    return mask


def changed() -> None:
    """A slot was filled or emptied: the copies of every layer are made anew when they are next asked for."""
    _changes[0] += 1


def watch(layers: Any) -> None:
    """Have vLLM's LoRA layers (the module ``layers``) tell of every change of their slots."""
    for kind in {kind for name in layers.__all__ for kind in getattr(layers, name).__mro__}:
        for name in ("set_lora", "reset_lora"):
            method = vars(kind).get(name)
            if method is not None:
                setattr(kind, name, _telling(method))


def _telling(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def telling(*args: Any, **more: Any) -> Any:
        try:
            return method(*args, **more)
        finally:
            changed()

    return telling


def self_test(wrapper: type[Any], mapping: type[Any]) -> None:
    """Compare the patched wrapper with a row by row reference.

    Slots alone and mixed, few rows and many, index -1, slices, scaling, slots that are filled anew. Raises RuntimeError
    with what differs.
    """
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    mixed, widths, scale = (7, 0, 9, 7, 0, 9, 9), (6, 4), 0.5  # ids; 0 is a base request
    down, up = [random(3, 1, 2, 5) for _ in widths], [random(3, 1, width, 2) for width in widths]
    for prefill, used in itertools.product((True, False), (mixed, mixed * TOGETHER_ROWS, (9,) * 7)):
        x, start = random(len(used), 5), random(len(used), 10)
        punica = wrapper(len(used), len(used), torch.device("cpu"))
        punica.update_metadata(mapping(used, used, prefill), [9, None, 7], 3, 100)
        for buffer in (None, None, tuple(torch.zeros(len(used), 2) for _ in widths)):
            up[0].neg_()  # another adapter in every slot
            changed()
            expected, y = _expected(start, x, used, down, up, scale), start.clone()
            punica.add_lora_linear(y, x, tuple(down), tuple(up), scale, widths, buffer=buffer)
            _compare(y, expected, f"add_lora_linear (prefill={prefill}, buffer={buffer is not None})")
        y = start.clone()[:, :6].contiguous()
        punica.add_lora_logits(y, x, down[0], up[0], scale)
        _compare(y, expected[:, :6], "add_lora_logits")


def _expected(
    start: torch.Tensor,
    x: torch.Tensor,
    used: Sequence[int],
    down: Sequence[torch.Tensor],
    up: Sequence[torch.Tensor],
    scale: float,
) -> torch.Tensor:
    """Row by row; adapter 9 is in slot 0, adapter 7 in slot 2."""
    expected = start.clone()
    for row, name in enumerate(used):
        if name:
            slot = {7: 2, 9: 0}[name]
            parts = [b[slot, 0] @ (scale * (a[slot, 0] @ x[row])) for a, b in zip(down, up, strict=True)]
            expected[row] += torch.cat(parts)
    return expected


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
    layers = importlib.import_module("vllm.lora.layers")
    watch(layers)
    self_test(wrapper, layers.LoRAMapping)
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
