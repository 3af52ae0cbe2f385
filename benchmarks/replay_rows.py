"""Make replay rows: what the base model itself answers to general prompts, so that training keeps it able to.

Command (the prompts are the seed tasks of self-instruct, Apache-2.0)::

    python -m benchmarks.replay_rows --prompts seed_tasks.jsonl --base FOLDER --out config/demo/training/replay.jsonl

``--more config/demo/training/prompts.jsonl --out more.jsonl`` makes rows of the desk itself: customers' sentences
under the shop's own system prompt with tools on offer and no passages, where an adapter that saw passages alone makes
calls up. Of these answers two sentences are kept, as the prompt asks for.

``--written config/demo/training/plain.jsonl`` adds plain questions with answers that were written by hand: by itself a
model of 135M parameters answers every third of them wrong, and training on that takes knowledge away.

Greedy, in the product's own chat template; answers that were cut, repeat themselves or the question, or hold a call are
left out.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.chat import ChatMessage, ToolSpec
from models.prompt import Template

SYSTEMS = ("You are a helpful assistant. Answer briefly.", "You are a helpful AI assistant named SmolLM.")
SUITES = Path(__file__).parent.parent / "config/demo/suites"
MOST_PROMPT_CHARS = 420
MOST_TOKENS = 160
DESK_TOKENS = 64
DESK_SENTENCES = 2  # what the shop's system prompt asks for; the base goes on and on


def prompts(path: Path) -> list[str]:
    """Instruction and first input of each short task."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        task = json.loads(line)
        first = (task.get("instances") or [{}])[0].get("input", "")
        text = "\n".join(part for part in (task["instruction"].strip(), first.strip()) if part)
        if len(text) <= MOST_PROMPT_CHARS:
            found.append(text)
    return found


@dataclass(frozen=True)
class Prompt:
    """What the base is asked; ``tools`` are in the form of rows."""

    system: str
    question: str
    tools: Sequence[Mapping[str, Any]] = ()
    language: str = "en"
    kind: Literal["replay", "plain", "desk"] = "replay"  # how its row is named; plain: with a written answer


def of_our_own(path: Path) -> list[Prompt]:
    """Customers' sentences under the system prompt and the tools of the demo's frozen suites."""
    sample = json.loads((SUITES / "tools.jsonl").read_text(encoding="utf-8").splitlines()[0])
    offered = {"all": sample["tools"], "handoff": [sample["tools"][-1]], "none": []}
    found = []
    for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        system = sample["messages"][0]["content"]
        system = system if line["tools"] == "all" else system.partition(" Today is")[0]
        found.append(Prompt(system, line["text"], offered[line["tools"]], line["language"], kind="desk"))
    return found


def written(path: Path) -> list[dict[str, Any]]:
    """Rows of questions that came with their answers."""
    pairs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        row(number, Prompt(SYSTEMS[0], pair["text"], kind="plain"), pair["answer"]) for number, pair in enumerate(pairs)
    ]


def row(number: int, prompt: Prompt, answer: str) -> dict[str, Any]:
    """A row as the trainer reads them."""
    name, person = f"{prompt.kind}-{number:03}", "written" if prompt.kind == "plain" else "base"
    return {
        "id": name, "origin": "replay", "behaviour": "general",
        "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.question}],
        "target": {"content": answer, "tool_calls": []}, "rejected": None, "tools": list(prompt.tools), "sources": [],
        "conversation": name, "customer": name, "person": person, "language": prompt.language, "channel": "web",
        "weight": 1.0, "created_at": 0.0, "message": name, "release": "base",
        "known": {"names": [], "emails": [], "phones": [], "addresses": []},
    }  # fmt: skip


def first_sentences(text: str) -> tuple[str, bool]:
    """At most DESK_SENTENCES whole ones, and whether there is one."""
    ends = [found.end() for found in re.finditer(r"[.!?](?=\s|$)", text)]
    return (text[: ends[:DESK_SENTENCES][-1]], True) if ends else ("", False)


def repeats(text: str) -> bool:
    """Whether a line or a run of eight words comes twice."""
    lines = [line.strip() for line in text.splitlines() if len(line.strip()) > 12]
    words = text.split()
    runs = [" ".join(words[at : at + 8]) for at in range(len(words) - 7)]
    return len(lines) != len(set(lines)) or len(runs) != len(set(runs))


def answered(prompts: Sequence[Prompt], base: Path, most: int) -> list[dict[str, Any]]:
    """The rows of the first ``most`` prompts whose answers came to an end."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).eval()
    template, rows = Template(), []
    for prompt in prompts:
        messages = [ChatMessage("system", prompt.system), ChatMessage("user", prompt.question)]
        tools = [ToolSpec(tool["name"], tool["description"], tool["parameters"]) for tool in prompt.tools]
        given_ids = tokenizer(template.render(messages, tools), return_tensors="pt", add_special_tokens=False)
        most_tokens = DESK_TOKENS if prompt.kind == "desk" else MOST_TOKENS
        with torch.inference_mode():
            made = model.generate(**given_ids, max_new_tokens=most_tokens, do_sample=False)
        new = made[0, given_ids["input_ids"].shape[1] :]
        whole = len(new) < most_tokens
        answer = tokenizer.decode(new, skip_special_tokens=True).strip()
        if prompt.kind == "desk":
            answer, whole = first_sentences(answer)
        echo = answer.lower().strip(" ¿?.!").startswith(prompt.question.lower().strip(" ¿?.!"))
        fits = whole and answer and not repeats(answer) and not echo and "<tool" not in answer
        if fits and len(rows) < most:
            rows.append(row(len(rows), prompt, answer))
        sign = "+" if fits else "-"
        print(sign, *(" ".join(text.split())[:70] for text in (prompt.question, "->", answer)), flush=True)
    return rows


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--prompts", type=Path)
    given.add_argument("--more", type=Path)
    given.add_argument("--written", type=Path)
    given.add_argument("--base", type=Path, required=True)
    given.add_argument("--out", type=Path, required=True)
    given.add_argument("--most", type=int, default=60)
    options = given.parse_args()
    torch.set_num_threads(2)
    general = prompts(options.prompts) if options.prompts else []
    asked = [Prompt(SYSTEMS[number % len(SYSTEMS)], question) for number, question in enumerate(general)]
    asked += of_our_own(options.more) if options.more else []
    rows = answered(asked, options.base, options.most)
    rows += written(options.written) if options.written else []
    options.out.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
