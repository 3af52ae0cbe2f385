"""What one layer's adapters cost in vLLM's CPU wrapper, as shipped and with our plug-in; no server, no weights.

    python -m benchmarks.adapter_operators [--threads 2] [--repeats 20]

The seven linear layers of one SmolLM2-135M block, rank 16, bf16: base tokens only, one adapter, four adapters token by
token, half the tokens with an adapter. The fastest of the repeats counts, so that a busy machine decides little.
"""

from __future__ import annotations

import argparse
import time

import torch
from vllm.lora.layers import LoRAMapping
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

from models.vllm_lora import patch

RANK, SLOTS = 16, 5
LAYERS = {"qkv": (576, (576, 192, 192)), "o": (576, (576,)), "gate_up": (576, (1536, 1536)), "down": (1536, (576,))}
TOKENS = (1, 4, 16, 64, 512)


class Patched(PunicaWrapperCPU):  # type: ignore[misc]
    """The wrapper with our plug-in; the one beside it stays as shipped."""


patch(Patched)


def used(kind: str, tokens: int) -> tuple[int, ...]:
    """Adapter ids of the tokens, 0 for none."""
    kinds = {"base": lambda _: 0, "one": lambda _: 1, "four": lambda n: 1 + n % 4, "half": lambda n: n % 2}
    return tuple(kinds[kind](number) for number in range(tokens))


def block_ms(wrapper: type, kind: str, tokens: int, repeats: int) -> float:
    """Milliseconds for one block's adapters, the fastest of ``repeats``."""
    punica = wrapper(tokens, tokens, torch.device("cpu"))
    ids = used(kind, tokens)
    random = torch.randn
    work = []
    for inputs, widths in LAYERS.values():
        down = tuple(random(SLOTS, 1, RANK, inputs).bfloat16() for _ in widths)
        up = tuple(random(SLOTS, 1, width, RANK).bfloat16() for width in widths)
        work.append((random(tokens, sum(widths)).bfloat16(), random(tokens, inputs).bfloat16(), down, up, widths))
    best = float("inf")
    with torch.inference_mode():
        punica.update_metadata(LoRAMapping(ids, ids, is_prefill=True), [1, 2, 3, 4, None], SLOTS + 1, 49_152)
        for _ in range(repeats):
            started = time.perf_counter()
            for y, x, down, up, widths in work:
                punica.add_lora_linear(y, x, down, up, 1.0, widths)
            best = min(best, time.perf_counter() - started)
    return best * 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print("| tokens | kind | as shipped ms | plug-in ms | times faster |\n|---|---|---|---|---|")
    for tokens in TOKENS:
        for kind in ("base", "one", "four", "half"):
            shipped = block_ms(PunicaWrapperCPU, kind, tokens, max(3, asked.repeats // (1 + tokens // 16)))
            ours = block_ms(Patched, kind, tokens, asked.repeats)
            print(f"| {tokens} | {kind} | {shipped:.3f} | {ours:.3f} | {shipped / ours:.0f} |", flush=True)


if __name__ == "__main__":
    main()
