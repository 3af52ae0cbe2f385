from __future__ import annotations

import asyncio

from config.settings import StoreSettings
from server.knowledge.holding import Holding
from server.store.open import open_store
from tests.server.knowledge.library import open_library


async def test_one_process_at_a_time_until_it_lets_go(store_url: str):
    async with open_library(store_url) as library:
        other_store = open_store(store_url, StoreSettings())
        async with other_store.running():
            ours, theirs = Holding(library.store, "shop", "work"), Holding(other_store, "shop", "work")
            assert await ours.held()
            assert not await theirs.held()
            assert (ours.mine, theirs.mine) == (True, False)
            await theirs.release()  # not theirs to release
            assert await Holding(library.store, "shop", "work").held()
            await ours.release()
            theirs = Holding(other_store, "shop", "work")
            assert await theirs.held()
            assert not await Holding(library.store, "shop", "work").held()


async def test_a_dead_holder_is_no_holder(store_url: str):
    async with open_library(store_url) as library:
        other_store = open_store(store_url, StoreSettings())
        async with other_store.running():
            assert await Holding(other_store, "shop", "work").held()
        async with asyncio.timeout(20):  # a closed session is noticed in a moment
            while not await Holding(library.store, "shop", "work").held():
                await asyncio.sleep(0.05)


async def test_other_tenants_and_other_work_are_independent(store_url: str):
    async with open_library(store_url) as library:
        other_store = open_store(store_url, StoreSettings())
        async with other_store.running():
            assert await Holding(library.store, "shop", "work").held()
            assert await Holding(other_store, "shop", "else").held()
            assert await Holding(other_store, "elsewhere", "work").held()
