"""What can go wrong while training, each with the next step in its message.

Errors::

    TrainingError
    ├── RecipeError         a setting of the recipe cannot be used
    ├── BadRow              a row of the data set cannot be rendered as the server renders it
    ├── ForeignCheckpoint   checkpoints of another run lie in the folder
    ├── MissingLibrary      an optional library is not installed
    └── Stopped             the run was asked to stop; its state is on disk
"""

from __future__ import annotations


class TrainingError(Exception):
    """Root of everything that ends a run before its adapter is written."""


class RecipeError(TrainingError):
    """A recipe that cannot be trained; the message names the setting."""


class BadRow(TrainingError):
    """A row that would train something else than what is served; the message names the row."""


class ForeignCheckpoint(TrainingError):
    """The folder holds checkpoints of another data set, recipe or base; use an empty folder."""


class MissingLibrary(TrainingError):
    """An optional library is missing; the message says how to install it."""


class Stopped(TrainingError):
    """The run was asked to stop; its state is on disk and the same command goes on from there."""
