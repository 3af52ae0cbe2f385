"""The copy of a customer's data: whole, readable while it is written, without keys."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from server.conversation import NotFound
from server.customers import export
from server.customers.export import PIECE_BYTES, Exporter, shown
from server.media.files import Files
from tests.server.customers.people import known
from tests.server.staff import TENANT, Staff


async def archive(staff: Staff, customer: str) -> tuple[zipfile.ZipFile, list[bytes]]:
    exporter = Exporter(staff.store, TENANT, Files(staff.settings.data_dir / "media"), "Lamps & Co")
    pieces = [piece async for piece in await exporter.open(customer)]
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces))), pieces


async def test_everything_said_is_in_the_copy_and_nobody_elses(both_staff: Staff) -> None:
    talk = await known(both_staff, "nora", texts=("Hello", "Wo bleibt die Lämpe?"))
    await known(both_staff, "tom", texts=("Mine is green",))
    copy, _ = await archive(both_staff, "cnora")
    assert copy.testzip() is None
    assert b"Lamps & Co" in copy.read("README.txt")
    person = json.loads(copy.read("customer.json"))
    assert person["addresses"][0]["profile"] == {"email": "nora@example.com"}
    said = json.loads(copy.read(f"conversations/{talk}.json"))
    assert [message["text"] for message in said["messages"]] == ["Hello", "Wo bleibt die Lämpe?"]
    everything = b"".join(copy.read(name) for name in copy.namelist())
    assert b"green" not in everything
    with pytest.raises(NotFound):
        await archive(both_staff, "nobody")


async def test_files_go_out_in_pieces(staff: Staff) -> None:
    talk = await known(staff, "nora")
    files, content = Files(staff.settings.data_dir / "media"), bytes(range(256)) * 8_192
    noise = b"".join(hash((number, 7)).to_bytes(8, "little", signed=True) for number in range(len(content) // 8))

    async def unit(tx: object) -> None:
        for file_id, name in (("file-0001", "../../a b.bin"), ("file-0002", "gone.bin")):
            await tx.run(  # type: ignore[attr-defined]
                "inbox_sends.add_upload", id=file_id, tenant=TENANT, conversation_id=talk, person="ana", name=name,
                mime="application/octet-stream", kind="file", size_bytes=len(noise), now=1.0,
            )  # fmt: skip

    await staff.store.write(unit)
    place = files.place("file-0001")
    place.parent.mkdir(parents=True)
    place.write_bytes(noise)
    copy, pieces = await archive(staff, "cnora")
    (name,) = [name for name in copy.namelist() if name.startswith("files/")]
    assert name == "files/file-0001-.._.._a_b.bin"
    assert copy.read(name) == noise
    assert len(pieces) > 3
    assert max(map(len, pieces)) < 2 * PIECE_BYTES


def test_a_row_is_shown_without_keys() -> None:
    row = {"id": "1", "body": '{"a": 1}', "result": "no json", "code_hash": "x", "idempotency_key": "k", "path": None}
    assert shown(row) == {"id": "1", "body": {"a": 1}, "result": "no json"}
    assert export.file_name("c1").startswith("customer-c1-")
