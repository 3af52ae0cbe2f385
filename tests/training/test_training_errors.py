from __future__ import annotations

import pytest

from training import errors


@pytest.mark.parametrize("name", ["RecipeError", "BadRow", "ForeignCheckpoint", "MissingLibrary", "Stopped"])
def test_one_root_is_enough_for_a_command(name: str) -> None:
    assert issubclass(getattr(errors, name), errors.TrainingError)
    assert name == "Stopped" or name in (errors.__doc__ or "")
