"""What a conversation's channel carries now."""

from server.desk.places import Room, room
from tests.server.staff import PLATFORMS, Platform

NOW = 1_000_000.0


def places(channel: str, _account: str) -> Platform | None:
    return PLATFORMS.get(channel)


def test_the_window_closes_a_day_after_the_customers_last_words() -> None:
    for age_s, is_open in ((0.0, True), (86_399.0, True), (86_400.0, False)):
        found = room(places, "whatsapp", "default", NOW - age_s, NOW)
        assert (found.open, found.closes_at, found.template) == (is_open, NOW - age_s + 86_400.0, True)


def test_platforms_without_a_window_are_always_open() -> None:
    found = room(places, "telegram", "default", 0.0, NOW)
    assert (found.open, found.closes_at, found.file_bytes, found.image_bytes) == (True, None, 50_000_000, 10_000_000)


def test_the_web_chat_carries_text_only_and_a_missing_account_nothing() -> None:
    web = room(places, "web", "default", 0.0, NOW)
    assert (web.running, web.file_bytes, web.template) == (True, 0, False)
    assert room(places, "slack", "default", 0.0, NOW) == Room(
        running=False, text_units=0, unit="characters", file_bytes=0, image_bytes=0, closes_at=None, open=True,
        template=False,
    )  # fmt: skip
