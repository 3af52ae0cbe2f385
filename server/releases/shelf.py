"""The adapters on disk, as this installation's base model allows them; opened when the first one is needed."""

from __future__ import annotations

import threading
from pathlib import Path

from config.settings import Settings
from models import weights
from models.adapters import Adapters
from models.base_identity import BaseIdentity


class Shelf:
    """One registry per process; its methods read files, so call them in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._adapters: Adapters | None = None

    @property
    def folder(self) -> Path:
        """Where the adapters lie; shared with every model server that loads them."""
        return self._settings.releases.adapters or self._settings.data_dir / "adapters"

    def adapters(self) -> Adapters:
        """The registry; raises LookupError when the base model's weights are not on this machine."""
        with self._lock:
            if self._adapters is None:
                model = self._settings.model
                found = weights.find(model)
                folder = found.folder if found is not None else model.path
                if folder is None:
                    raise LookupError("the base model's weights are not here; set model.path, or start a worker once")
                base = BaseIdentity.of(folder, model.name)
                self._adapters = Adapters(self.folder, base, max_rank=model.lora_rank)
            return self._adapters

    def find(self, name: str) -> Path:
        """The folder of an adapter, its content checked again; raises LookupError and BadAdapter."""
        return self.adapters().get(name).path
