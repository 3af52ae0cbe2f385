import threading
from contextlib import ExitStack
from pathlib import Path

from tests.turnstile import turn

SOON_S = 0.2


def taker(folder: Path, *, whole: bool) -> tuple[threading.Thread, threading.Event]:
    """A neighbour that takes its turn and tells when it has it."""
    inside = threading.Event()

    def take() -> None:
        with turn("r", whole=whole, folder=folder):
            inside.set()

    thread = threading.Thread(target=take)
    thread.start()
    return thread, inside


def test_places_are_shared_and_the_whole_machine_is_not(tmp_path: Path):
    with ExitStack() as stack:
        stack.enter_context(turn("r", whole=False, folder=tmp_path))
        beside, place = taker(tmp_path, whole=False)
        beside.join()
        assert place.is_set()
        first, whole = taker(tmp_path, whole=True)
        assert not whole.wait(SOON_S)
        late, later_place = taker(tmp_path, whole=False)
        assert not later_place.wait(SOON_S)  # or the whole machine might never be free
        stack.close()
        for thread in (first, late):
            thread.join(10)
        assert whole.is_set()
        assert later_place.is_set()
