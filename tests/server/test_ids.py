import time
import uuid

from server.ids import new_id


def test_ids_are_version_7_of_the_present_time():
    before = time.time_ns() // 1_000_000
    parsed = uuid.UUID(new_id())
    after = time.time_ns() // 1_000_000
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert before <= parsed.int >> 80 <= after


def test_ids_are_unique_and_sort_by_time():
    many = [new_id() for _ in range(5_000)]
    assert len(set(many)) == len(many)
    assert [one[:13] for one in many] == sorted(one[:13] for one in many)


def test_the_random_part_is_random():
    tails = {uuid.UUID(new_id()).int & (1 << 62) - 1 for _ in range(200)}
    ones = sum(tail.bit_count() for tail in tails)
    assert len(tails) == 200
    assert 5_500 < ones < 6_900, "about half of 200 x 62 bits"
