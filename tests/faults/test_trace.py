"""Reading strace: calls of several threads, put together, and the rule held against them."""

from __future__ import annotations

from tests.faults.trace import parse, prove

WRITE = '10 pwrite64(5</d/desk.db-wal>, "..m1..", 4096, 0) = 4096'
SYNC = "10 fdatasync(5</d/desk.db-wal>) = 0"
ANSWER = '11 write(9<socket:[7]>, "HTTP/1.1 202 Accepted\\r\\n\\r\\n{\\"message_id\\": \\"m1\\"}", 60) = 60'


def holds(*lines: str) -> bool:
    return prove(parse(lines), "sqlite", ["m1"], ["m1"]).holds


def test_a_sync_between_the_write_and_the_answer_holds():
    assert holds(WRITE, SYNC, ANSWER)


def test_an_answer_before_the_sync_ended_does_not_hold():
    begun = "10 fdatasync(5</d/desk.db-wal> <unfinished ...>"
    ended = "10 <... fdatasync resumed>) = 0"
    assert not holds(WRITE, ANSWER, SYNC)
    assert not holds(WRITE, begun, ANSWER, ended)
    assert holds(WRITE, begun, ended, ANSWER)


def test_a_sync_that_failed_or_began_before_the_write_or_was_of_another_file_does_not_hold():
    assert not holds(WRITE, "10 fdatasync(5</d/desk.db-wal>) = -1 EIO (Input/output error)", ANSWER)
    assert not holds(SYNC, WRITE, ANSWER)
    assert not holds(WRITE, "10 fdatasync(4</d/desk.db>) = 0", ANSWER)


def test_without_an_answer_or_a_write_nothing_is_proved():
    assert not holds(WRITE, SYNC)
    assert not holds(SYNC, ANSWER)
    assert not prove([], "sqlite", [], []).holds


def test_a_later_write_that_is_not_synced_makes_a_message_sent_alone_unclean():
    other = '10 pwrite64(5</d/desk.db-wal>, "..commit..", 24, 4096) = 24'
    assert not holds(WRITE, SYNC, other, ANSWER)
