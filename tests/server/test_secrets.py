from pathlib import Path

import pytest

from server.secrets import KEY_BYTES, NAMES, InstallationKeys
from tests.places import Place


@pytest.fixture
def place(store_url: str) -> Place:
    return Place(store_url.partition(":")[0], store_url)


async def test_every_process_of_an_installation_has_the_same_key(place: Place):
    async with place.open() as one, place.open() as two:
        mine, theirs = InstallationKeys(one), InstallationKeys(two)
        await mine.load()
        await theirs.load()
        assert mine.visitor == theirs.visitor
        assert len(mine.visitor) == KEY_BYTES
        assert len({mine.key(name) for name in NAMES}) == len(NAMES), "one key per purpose"
        assert (mine.visitor, mine.button, mine.file) == (theirs.visitor, theirs.button, theirs.file)
    async with place.open() as later:
        again = InstallationKeys(later)
        await again.load()
        assert again.visitor == mine.visitor, "a restart keeps visitors signed in"


async def test_two_installations_differ_and_nothing_is_known_before_loading(tmp_path: Path):
    keys = []
    for name in "ab":
        async with Place("sqlite", f"sqlite:///{tmp_path}/{name}.db").open() as store:
            loaded = InstallationKeys(store)
            with pytest.raises(KeyError):
                _ = loaded.visitor
            await loaded.load()
            keys.append(loaded.visitor)
    assert keys[0] != keys[1]
