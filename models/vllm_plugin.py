"""Lays vLLM's LoRA plug-in (``models/vllm_lora.py``) down where a child finds it, and reads in its log that it works.

A checkout has no package metadata, and the child must not import from the checkout anyway: it gets a folder holding a
copy of that one file and the entry point that names it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from uuid import uuid4

NAME = "frontdesk_lora"  # of the entry point, for VLLM_PLUGINS; an installed wheel declares the same
REPORT = "frontdesk-lora: in use"
SOURCE = Path(__file__).with_name("vllm_lora.py")
MODULE = "frontdesk_vllm_lora"
SETTING = "FRONTDESK_LORA"  # "required": the plug-in ends a vLLM that it was not checked on
PIECE_BYTES = 1 << 20


def lay_down(home: Path) -> Path:
    """The folder for the child's PYTHONPATH, below ``home`` and named by its content; repeating it changes nothing.

    Raises OSError when the folder cannot be written.
    """
    code = SOURCE.read_bytes()
    version = hashlib.sha256(code).hexdigest()[:12]
    folder = home / f"vllm-plugin-{version}"
    info = f"{MODULE}-0+{version}.dist-info"
    files = {
        f"{MODULE}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {MODULE}\nVersion: 0+{version}\n".encode(),
        f"{info}/entry_points.txt": f"[vllm.general_plugins]\n{NAME} = {MODULE}:register\n".encode(),
    }
    for name, content in files.items():
        _write(folder / name, content)
    return folder


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; another process may be doing the same."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_file() and path.read_bytes() == content:
        return
    scratch = path.with_name(f".{path.name}-{uuid4().hex}")
    scratch.write_bytes(content)
    os.replace(scratch, path)  # noqa: PTH105 - also over a file


def variables(folder: Path, base: dict[str, str]) -> dict[str, str]:
    """Environment variables that make a child load the plug-in, given those it would have without."""
    paths = [str(folder), *filter(None, [base.get("PYTHONPATH")])]
    added = {"PYTHONPATH": os.pathsep.join(paths), SETTING: "required"}
    chosen = base.get("VLLM_PLUGINS")
    if chosen is not None:
        added["VLLM_PLUGINS"] = ",".join(filter(None, [chosen, NAME]))
    return added


def reported(log_path: Path, begins: int) -> bool:
    """Whether the plug-in reported itself in the part of the log that starts at byte ``begins``."""
    mark = REPORT.encode()
    rest = b""
    try:
        with log_path.open("rb") as file:
            file.seek(begins)
            while piece := file.read(PIECE_BYTES):
                rest += piece
                if mark in rest:
                    return True
                rest = rest[-len(mark) :]
    except OSError:
        return False
    return False
