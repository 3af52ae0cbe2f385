"""Fetch the console's few browser libraries at exact versions and make them loadable without a build step.

Each file is taken from its published package; bare imports become relative ones, because the console's policy allows
no import map. ``server/console/vendor/VERSIONS.json`` records version, package digest and file digests::

    python scripts/vendor.py            # downloads with `npm pack` and writes the folder
    python scripts/vendor.py --check    # exit 1 when a file differs from the record; needs no network
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "server" / "console" / "vendor"
RECORD = FOLDER / "VERSIONS.json"
IMPORT = re.compile(r"""(?P<head>\b(?:from|import)\s*)(?P<quote>["'])(?P<name>[^"'./][^"']*)(?P=quote)""")
MAP = re.compile(r"\n?//# sourceMappingURL=\S+\s*$")
FILES = {  # what a bare import names -> the vendored file
    "preact": "preact.js",
    "preact/hooks": "hooks.js",
    "@preact/signals-core": "signals-core.js",
    "@preact/signals": "signals.js",
    "htm": "htm.js",
}


@dataclass(frozen=True, slots=True)
class Library:
    """One package: its version, which of its files stand here under which name, and text to put behind a file."""

    name: str
    version: str
    files: dict[str, str]
    behind: dict[str, str] = field(default_factory=dict)

    @property
    def short(self) -> str:
        """The name as part of a file's name."""
        return self.name.replace("@", "").replace("/", "-")


LIBRARIES = (
    Library("preact", "11.2.0", {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"}),
    Library("htm", "3.1.1", {"dist/htm.mjs": "htm.js"}),
    Library("@preact/signals", "2.11.4", {"dist/signals.mjs": "signals.js"}),
    Library("@preact/signals-core", "1.14.5", {"dist/signals-core.mjs": "signals-core.js"}),
    Library(
        "uplot",
        "1.6.32",
        {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"},
        {"uplot.js": "\nexport default uPlot;\n"},  # the small file defines a global; a module exports it
    ),
)


def digest(body: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(body).hexdigest()


def relative(text: str) -> str:
    """A module's text with every bare import pointing to the file beside it; raises KeyError for an unknown one."""
    rewritten = IMPORT.sub(lambda hit: f"{hit['head']}{hit['quote']}./{FILES[hit['name']]}{hit['quote']}", text)
    return MAP.sub("\n", rewritten)


def packed(library: Library, folder: Path) -> Path:
    """Downloads one package and returns its archive; raises CalledProcessError."""
    wanted = f"{library.name}@{library.version}"
    told = subprocess.run(
        ["npm", "pack", "--silent", wanted], cwd=folder, check=True, capture_output=True, text=True, timeout=120
    )
    return folder / told.stdout.strip().splitlines()[-1]


def vendor(library: Library, folder: Path) -> dict[str, Any]:
    """Writes one library's files and its licence; returns the row of the record."""
    archive = packed(library, folder)
    row: dict[str, Any] = {"version": library.version, "package_sha256": digest(archive.read_bytes()), "files": {}}
    licence = f"{library.short}.LICENSE"
    with tarfile.open(archive) as opened:
        for source, name in {**library.files, "LICENSE": licence}.items():
            member = opened.extractfile(f"package/{source}")
            if member is None:
                raise FileNotFoundError(f"{library.name} {library.version} has no file {source}")
            text = member.read().decode()
            if name.endswith(".js"):
                text = relative(text) + library.behind.get(name, "")
            (FOLDER / name).write_text(text, encoding="utf-8")
            row["files"][name] = digest(text.encode())
    return row


def differences() -> list[str]:
    """What in the folder is not as recorded."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    known = {name: sha for row in record.values() for name, sha in row["files"].items()}
    found = {path.name: digest(path.read_bytes()) for path in FOLDER.iterdir() if path.name != RECORD.name}
    return [f"{name}: not as recorded" for name in sorted(known | found) if known.get(name) != found.get(name)]


def main() -> int:
    """Writes the folder, or checks it; returns the exit code."""
    if "--check" in sys.argv:
        wrong = differences()
        print("\n".join(wrong) or "vendored files are as recorded")
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        record = {library.name: vendor(library, Path(folder)) for library in LIBRARIES}
    RECORD.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print("\n".join(f"{name} {row['version']}" for name, row in record.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
