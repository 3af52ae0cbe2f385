"""What else may name a customer: addresses and names that staff, a model or a letter copied, in tables and on disk."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from server.customers import masking
from server.customers.records import pattern
from server.knowledge.documents import Documents
from server.retrain import folder
from server.store.contract import Row, Store, Tx
from server.store.text import dump

SHORTEST: Final = 6  # characters of an address that is searched for
SHORTEST_NUMBER: Final = 8  # digits; a shorter one may be a price or an order
SHORTEST_NAME: Final = 7  # the same of a name; it must have two parts, so that "Anna" leaves the shop's texts alone
GONE: Final = "[removed]"
BY: Final = "erasure"  # who changed a document
LINES: Final = frozenset({".jsonl"})  # files whose lines stand for themselves
LARGEST_BYTES: Final = 200_000_000  # of a file that is looked into
TEXTS: Final = (
    *("drop_prompts", "forget_reports", "forget_runs", "forget_notes", "forget_audit", "forget_changes"),
    "forget_views",
)


def terms_of(names: Iterable[str], identities: Sequence[Row], contacts: Iterable[str]) -> list[str]:
    """Texts that stand for this person and nobody else, the longest first."""
    found = set()
    for identity in identities:
        address = str(identity["address"]).removeprefix(masking.PROVEN_BY_SITE)
        profile = masking.profile_of(identity)
        found |= {address, *(value for name, value in profile.items() if name not in masking.OPEN_FIELDS)}
    found |= set(contacts)
    kept = {text.strip() for text in found if len(text.strip()) >= SHORTEST and not _common(text)}
    kept |= {name.strip() for name in names if len(name.strip()) >= SHORTEST_NAME and len(name.split()) > 1}
    return sorted(kept, key=lambda text: (-len(text), text))


def without(text: str, terms: Sequence[str]) -> str:
    """A text in which nobody is named any more; whole words only, capitals do not matter."""
    for term in terms:
        text = re.sub(rf"(?<!\w){re.escape(term)}(?!\w)", GONE, text, flags=re.IGNORECASE)
    return text


async def clear_documents(store: Store, documents: Documents, tenant: str, terms: Sequence[str]) -> dict[str, int]:
    """Write documents anew that name somebody; passages, vectors and versions with the text go at once."""
    counts = {"documents": 0, "versions": 0, "embeddings": 0}
    for term in terms:
        like = pattern(term)
        for row in await store.rows("erasing.documents_with", tenant=tenant, pattern=like):
            changed = await _clear(store, documents, tenant, row, terms)
            key = {"tenant": tenant, "id": str(row["id"])}

            async def unit(tx: Tx, key: dict[str, str] = key, like: str = like) -> tuple[int, int]:
                vectors = await tx.run("erasing.drop_embeddings", tenant=tenant, pattern=like)
                versions = await tx.run("erasing.drop_versions", **key, pattern=like)
                await tx.run("erasing.blank_document", **key, now=tx.now_s)
                return vectors, versions

            vectors, versions = await store.write(unit, order="knowledge")
            counts["documents"] += int(changed)
            counts["embeddings"] += vectors
            counts["versions"] += versions
    return counts


async def _clear(store: Store, documents: Documents, tenant: str, row: Row, terms: Sequence[str]) -> bool:
    title, text = without(str(row["title"]), terms), without(str(row["text"]), terms)
    if row["deleted_at"] is not None or row["source_gone"] is not None or (title, text) == (row["title"], row["text"]):
        return False
    drop = {"tenant": tenant, "pattern": ""}
    for term in terms:
        drop["pattern"] = pattern(term)
        await store.write(lambda tx: tx.run("erasing.drop_embeddings", **drop), order="knowledge")
    await documents.save(title=title, text=text, changed_by=BY, document_id=str(row["id"]))
    await store.write(lambda tx: tx.run("erasing.drop_chunks", tenant=tenant, id=str(row["id"])), order="knowledge")
    return True


async def clear_texts(store: Store, tenant: str, terms: Sequence[str]) -> int:
    """Drop texts of prompts, reports and filters that name somebody; returns how many rows that were."""

    async def unit(tx: Tx) -> int:
        return sum([
            await tx.run(f"erasing.{name}", tenant=tenant, pattern=pattern(term)) for term in terms for name in TEXTS
        ])  # fmt: skip

    return await store.write(unit, order="~")


async def clear_letters(place: Path, terms: Sequence[str]) -> int:
    """Remove letters written to a folder that name somebody."""

    def work() -> int:
        found = [path for path in sorted(place.glob("*.txt")) if _names(path, terms)] if place.is_dir() else []
        for path in found:
            path.unlink(missing_ok=True)
        return len(found)

    return await asyncio.to_thread(work)


async def clear_runs(
    places: Collection[Path], people: Collection[str], examples: Collection[str], terms: Sequence[str]
) -> dict[str, int]:
    """Take somebody's rows out of the folders of runs, then whatever else in there names them."""

    def work() -> dict[str, int]:
        counts = {"dataset_lines": 0, "run_files": 0}
        for place in places:
            for person in people:
                counts["dataset_lines"] += folder.forget(place, person, examples)
            counts["run_files"] += sum(_strip(path, terms) for path in _files(place) if _names(path, terms))
        return counts

    return await asyncio.to_thread(work)


async def still_named(places: Iterable[Path], terms: Sequence[str]) -> list[str]:
    """Names of files that still hold a text: what a person has to look at, such as the shop's own uploads."""

    def work() -> list[str]:
        return sorted({path.name for place in places for path in _files(place) if _names(path, terms)})

    return await asyncio.to_thread(work)


def _strip(path: Path, terms: Sequence[str]) -> bool:
    """Take the lines that name somebody out of a file of lines; any other file goes as a whole: it is made again."""
    if path.suffix in LINES:
        rows = list(folder.read_rows(path))
        folder.write_rows(path, [row for row in rows if not _in(dump(row), terms)])
    elif "adapter" not in path.parts:
        path.unlink(missing_ok=True)
    return True


def _files(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from sorted(path for path in place.rglob("*") if path.is_file() and not path.is_symlink())


def _names(path: Path, terms: Sequence[str]) -> bool:
    if path.suffix == ".safetensors" or path.stat().st_size > LARGEST_BYTES:
        return False
    return _in(path.read_bytes().decode("utf-8", "ignore"), terms)


def _in(text: str, terms: Sequence[str]) -> bool:
    lowered = text.lower()
    return any(term.lower() in lowered for term in terms)


def _common(text: str) -> bool:
    """Whether a value may stand for something else as well: a plain word, a short number."""
    plain = text.strip()
    return (plain.isalpha() and plain.islower()) or (plain.isdigit() and len(plain) < SHORTEST_NUMBER)
