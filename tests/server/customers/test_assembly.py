"""Who was silent for as long as the shop wants to remember is forgotten by the nightly job."""

from __future__ import annotations

import time

from config.settings import Settings, StoreSettings
from server.customers.assembly import CustomerDesk
from server.media.files import Files
from tests.server.customers.people import known
from tests.server.staff import TENANT, Staff

LONG_AGO = time.time() - 400 * 86_400.0


async def test_only_the_silent_are_forgotten(both_staff: Staff) -> None:
    staff = both_staff
    for name in ("old", "fresh", "waiting"):
        await known(staff, name)
        await staff.store.write(lambda tx, one=name: tx.run("people_bench.aged", id=f"c{one}", at=LONG_AGO))
    for name in ("old", "waiting"):
        await staff.store.write(lambda tx, one=name: tx.run("people_bench.silence", id=f"c{one}", at=LONG_AGO))
    await staff.store.write(lambda tx: tx.run("people_bench.wait", id="cwaiting"))
    files = Files(staff.settings.data_dir / "media")
    kept = CustomerDesk(staff.store, Settings(tenant=TENANT, data_dir=staff.settings.data_dir), files)
    assert await kept.due() == []
    year = Settings(tenant=TENANT, data_dir=staff.settings.data_dir, store=StoreSettings(customer_days=365))
    desk = CustomerDesk(staff.store, year, files)
    assert await desk.due() == ["cold"]
    await desk.jobs()["forget-customers"]({})
    assert await desk.due() == []
    (row,) = await desk.erasures.page((float("inf"), ""), 9)
    assert (row["customer_id"], row["cause"], row["state"]) == ("cold", "retention", "queued")
    await desk.jobs()["erase"]({"erasure": row["id"]})
    assert (await desk.erasures.read(row["id"]))["state"] == "done"
    assert desk.schedules().keys() == desk.jobs().keys()
    assert desk.long == {"erase"}
