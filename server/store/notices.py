"""Who listens to which topic in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from server.store.contract import Listener

MAX_NOTICE_BYTES = 7_000  # PostgreSQL refuses a NOTIFY payload of 8,000 bytes


def check_size(topic: str, payload: str) -> None:
    """Raise ValueError when a notification would not fit every store."""
    if len(payload.encode()) > MAX_NOTICE_BYTES:
        raise ValueError(f"a notification of {topic!r} may hold {MAX_NOTICE_BYTES} bytes; store the rest, send its key")


class Topics:
    """Listeners by topic; every method is called in the event loop."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    def listen(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Add a listener; the returned function removes it and may be called twice."""
        self._listeners.setdefault(topic, []).append(listener)

        def leave() -> None:
            listeners = self._listeners.get(topic, [])
            if listener in listeners:
                listeners.remove(listener)
            if not listeners:
                self._listeners.pop(topic, None)

        return leave

    def dispatch(self, notices: Iterable[tuple[str, str]]) -> None:
        """Schedule the listeners of each (topic, payload), in order; one that raises does not stop the next."""
        loop = asyncio.get_running_loop()
        for topic, payload in notices:
            for listener in self._listeners.get(topic, ()):
                loop.call_soon(listener, topic, payload)

    def resync(self) -> None:
        """Call every listener with an empty payload: notifications may have been missed."""
        self.dispatch([(topic, "") for topic in self._listeners])
