"""``python -m training prepare|train|evaluate|gate|advise|all``: paths in, files out, an exit status for job runners.

Each command's module is loaded only when asked for: ``prepare`` and ``gate`` never import a tensor library.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence

COMMANDS: Mapping[str, str] = {
    "prepare": "approved examples in, a cleaned and split data set out",
    "train": "data set and base in, adapter out; resumes by itself",
    "evaluate": "held-out rows and suites through a serving address, answers out",
    "gate": "answers of base, live and candidate in, a verdict out",
    "advise": "whether these examples are worth a training run",
    "all": "prepare, train and, with a serving address, evaluate and gate",
}
EXIT_USAGE = 64


def usage() -> str:
    """The commands with a line each."""
    lines = "\n".join(f"  {name:9} {text}" for name, text in COMMANDS.items())
    return f"usage: python -m training COMMAND [options]\n\n{lines}\n\nEach command explains itself with --help.\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; 64 for an unknown one."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given[0] in ("-h", "--help"):
        sys.stdout.write(usage())
        return 0
    if not given or given[0] not in COMMANDS:
        sys.stderr.write(usage())
        return EXIT_USAGE
    module = importlib.import_module(f"training.commands.{given[0]}")
    status: int = module.main(given[1:])
    return status


if __name__ == "__main__":
    raise SystemExit(main())
