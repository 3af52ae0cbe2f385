"""The table of commands."""

from __future__ import annotations

import subprocess
import sys

import pytest

from training.__main__ import COMMANDS, EXIT_USAGE, main


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in COMMANDS)


@pytest.mark.parametrize("given", [[], ["tune"]])
def test_an_unknown_command_is_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(given) == EXIT_USAGE
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["prepare", "evaluate", "gate", "advise"])
def test_commands_without_a_model_load_no_tensor_library(command: str) -> None:
    program = (
        "import sys\nfrom training.__main__ import main\n"
        f"try:\n    main(['{command}', '--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert not {'torch', 'transformers', 'peft', 'trl'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
