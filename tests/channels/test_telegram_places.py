from __future__ import annotations

import pytest

from channels.base import Refused
from channels.telegram.places import Place, message_id, place_of, route_place


@pytest.mark.parametrize(
    ("place", "address", "key"),
    [
        (Place("10001"), "10001", "10001:7"),
        (Place("-1001", thread="12"), "-1001:12", "-1001:7"),
        (Place("10002", business="bc77"), "10002@bc77", "10002@bc77:7"),
        (Place("10002", thread="3", business="bc77"), "10002:3@bc77", "10002@bc77:7"),
    ],
)
def test_addresses_and_keys(place: Place, address: str, key: str):
    assert (place.address, place.key(7), message_id(key)) == (address, key, 7)
    assert route_place(place.route) == place


def test_a_thread_counts_only_as_a_topic():
    message = {"message_id": 7, "chat": {"id": -1001}, "message_thread_id": 5}
    assert place_of(message).thread == ""
    assert place_of(message | {"is_topic_message": True}).thread == "5"


def test_groups_have_negative_ids():
    assert Place("10001").private
    assert not Place("-1001").private


def test_a_moved_place_forgets_the_message_to_reply_to():
    assert Place("-42", thread="3", message="9").moved("-1001") == Place("-1001", thread="3")


@pytest.mark.parametrize("chat", ["", "-", "abc", "1 2", "@name"])
def test_a_route_without_a_chat_cannot_be_written_to(chat: str):
    with pytest.raises(Refused):
        route_place({"chat": chat})
