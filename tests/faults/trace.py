"""What strace saw: whether each acknowledged message was synced to the store's log before its 2xx left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

SYSCALLS = "pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,fdatasync,fsync"
LOG_FILES = {"sqlite": re.compile(r"-wal>"), "postgresql": re.compile(r"/pg_wal/[0-9A-F]{24}>")}
ACCEPTED = "HTTP/1.1 202"

_LINE = re.compile(r"^(?P<pid>\d+)\s+(?P<rest>.*)$")
_RESUMED = re.compile(r"^<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)$")
_CALL = re.compile(r"^(?P<name>\w+)\((?P<rest>.*)$")
_UNFINISHED = "<unfinished ...>"


@dataclass
class Call:
    """One system call; ``start`` and ``end`` are places in the trace (end None: it never returned there)."""

    name: str
    text: str
    start: int
    end: int | None = None
    result: int = -1

    @property
    def target(self) -> str:
        """The first argument: a descriptor with its path."""
        return self.text.partition(", ")[0]


@dataclass
class Proof:
    """The outcome per acknowledged message; ``unclean`` had other log writes unsynced at that moment."""

    acknowledged: list[str] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)
    unsynced: list[str] = field(default_factory=list)
    unclean: list[str] = field(default_factory=list)
    log_writes: int = 0
    syncs: int = 0

    @property
    def holds(self) -> bool:
        """Whether there was something to prove, and it held for all."""
        return bool(self.acknowledged) and not (self.unwritten or self.unsynced or self.unclean)

    def __str__(self) -> str:
        return (
            f"{len(self.acknowledged)} acknowledged, {self.log_writes} log writes, {self.syncs} syncs; 2xx before the "
            f"message was in the log: {len(self.unwritten)}, before its sync: {len(self.unsynced)}, "
            f"with other unsynced log writes: {len(self.unclean)}"
        )


def parse(lines: Iterable[str]) -> list[Call]:
    """Calls in the order of their starts; a call interrupted by another thread's line is put together again."""
    calls: list[Call] = []
    waiting: dict[str, Call] = {}
    for place, line in enumerate(lines):
        head = _LINE.match(line.rstrip("\n"))
        if head is None:
            continue
        pid, rest = head["pid"], head["rest"]
        resumed = _RESUMED.match(rest)
        if resumed is not None:
            call = waiting.pop(pid, None)
            if call is not None:
                call.end, call.result = place, _result(resumed["rest"])
            continue
        started = _CALL.match(rest)
        if started is None:
            continue
        call = Call(started["name"], started["rest"], place)
        calls.append(call)
        if rest.endswith(_UNFINISHED):
            waiting[pid] = call
        else:
            call.end, call.result = place, _result(rest)
    return calls


def _result(text: str) -> int:
    found = re.search(r"\)\s+= (-?\d+)[^)]*$", text)
    return int(found[1]) if found else -1


def _own(mine: Sequence[Call], dialect: str) -> Call:
    """The write that must be synced before the answer.

    SQLite writes all frames of a commit right before its one sync, and neighbours' commits rewrite the same page later:
    the first one. PostgreSQL's log only grows and may be written before the commit record: the last one.
    """
    return mine[0] if dialect == "sqlite" else mine[-1]


def prove(calls: Sequence[Call], dialect: str, message_ids: Sequence[str], alone: Sequence[str]) -> Proof:
    """Hold the rule for every id; those in ``alone`` were sent with nothing beside them, so the whole log is clean."""
    log = LOG_FILES[dialect]
    writes = [call for call in calls if "write" in call.name and log.search(call.target) and call.result > 0]
    syncs = [
        call for call in calls if call.name in {"fdatasync", "fsync"} and log.search(call.text) and call.result == 0
    ]
    proof = Proof(log_writes=len(writes), syncs=len(syncs))
    answers = [call for call in calls if ACCEPTED in call.text]
    for message_id in message_ids:
        answer = next((call for call in answers if message_id in call.text), None)
        if answer is None:
            proof.unwritten.append(message_id)  # a 2xx that was never seen proves nothing
            continue
        proof.acknowledged.append(message_id)
        before = [call for call in writes if call.start < answer.start]
        mine = [call for call in before if message_id in call.text]
        if not mine:
            proof.unwritten.append(message_id)
        elif not _synced(_own(mine, dialect), syncs, answer):
            proof.unsynced.append(message_id)
        elif message_id in alone and not _synced(before[-1], syncs, answer):
            proof.unclean.append(message_id)
    return proof


def _synced(write: Call, syncs: Sequence[Call], answer: Call) -> bool:
    assert write.end is not None
    return any(s.end is not None and write.end < s.start and s.end < answer.start for s in syncs)
