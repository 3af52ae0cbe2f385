"""Write requirements/{server,trainer,test}.txt: exact pins of what is installed, closed over dependencies.

Run it in an environment made from requirements/demo-cpu.txt and requirements/test.txt after changing either::

    python scripts/lock.py            # rewrites the three files
    python scripts/lock.py --check    # exit 1 when an installed version differs from the files or a pin is missing
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
SERVER_EXTRAS = ("whatsapp", "slack", "telegram", "knowledge", "tools", "speed")
TEST_TOOLS = (
    *("pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "hypothesis", "coverage", "playwright"),
    *("ruff", "mypy", "import-linter", "asyncpg-stubs", "types-pyyaml", "standardwebhooks"),
    *("trl", "datasets"),  # the optional training back end is tested too
)
NEVER_SERVING = frozenset({"kubernetes"})  # chromadb's helper for its own cluster operator; nothing here imports it
HEADERS = {
    "server": "The serving side with its channels and knowledge store, without torch or vllm.",
    "trainer": "The training process: torch for the CPU, transformers, peft, curation.",
    "test": "What the tests and checks need on top of demo-cpu.txt.",
}


def normal(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(roots: list[str]) -> dict[str, str]:
    """Name and installed version of every root and everything it needs; what is absent is left out."""
    found: dict[str, str] = {}
    waiting = [Requirement(root) for root in roots]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = normal(requirement.name)
        extras = requirement.extras or {""}
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if name in NEVER_SERVING:
            continue
        found[name] = distribution.version
        for extra in {"", *extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in distribution.requires or ():
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append(needed)
    return found


def pins(path: Path) -> dict[str, str]:
    """The exact pins of one requirements file."""
    rows = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {normal(name): version for name, version in (row.split("==") for row in rows if row)}


def wanted() -> dict[str, dict[str, str]]:
    """The pins each file should hold, from what is installed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    serving = project["dependencies"] + [line for extra in SERVER_EXTRAS for line in extras[extra]]
    demo = pins(FOLDER / "demo-cpu.txt")
    test = {name: version for name, version in closure(list(TEST_TOOLS)).items() if name not in demo}
    return {
        "server": closure(serving),
        "trainer": closure([*project["dependencies"], *extras["trainer"]]),
        "test": test,
    }


def check() -> list[str]:
    """Differences between the files and what is installed, one sentence each."""
    problems = []
    demo = pins(FOLDER / "demo-cpu.txt")
    for name, expected in wanted().items():
        held = pins(FOLDER / f"{name}.txt")
        problems += [f"{name}.txt lacks {package}=={expected[package]}" for package in sorted(expected.keys() - held)]
        problems += [
            f"{name}.txt pins {package}=={held[package]}, installed is {expected[package]}"
            for package in sorted(expected.keys() & held)
            if held[package] != expected[package]
        ]
        if name != "test":
            problems += [f"demo-cpu.txt lacks {package}" for package in sorted(expected.keys() - demo)]
    return problems


def main() -> int:
    """Write or check the files."""
    if "--check" in sys.argv[1:]:
        problems = check()
        print("\n".join(problems) or "the requirements files agree with what is installed")
        return 1 if problems else 0
    for name, packages in wanted().items():
        lines = [f"# {HEADERS[name]} Made by scripts/lock.py; install with: pip install --no-deps -r"]
        lines += [f"{package}=={packages[package]}" for package in sorted(packages)]
        (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{name}.txt: {len(packages)} packages")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
