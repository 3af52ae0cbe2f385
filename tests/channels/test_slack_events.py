"""Recorded payloads of Slack's become facts: who is heard, what is silence, which conversation it belongs to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.message import Edited, Fact, Inbound, Pressed, Reacted, Revoked, Stopped
from channels.slack.events import Desk, facts

PAYLOADS = Path(__file__).parent / "payloads" / "slack"
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
DESK = Desk({"T0SHOP": "shop"}, "")
ROOT = "1763712000.000100"
THREAD = f"T0SHOP/C0HELP/{ROOT}"
SILENT = {
    "message_chatter",
    "message_other_mention",
    "assistant_thread_root",
    "message_changed_unfurl",
    "message_changed_by_us",
    "message_deleted",
    "own_message",
    "own_message_im",
    "other_bot",
    "other_bot_mention",
    "channel_join",
    "slackbot",
    "reaction_other_emoji",
    "reaction_on_others",
    "tokens_revoked_user",
    "app_home_opened",
    "url_verification",
    "app_rate_limited",
    "view_submission",
}
HEARD = {  # name -> (address, external id, text, follow-up)
    "app_mention": (THREAD, f"C0HELP:{ROOT}", "when does order 1042 arrive?", False),
    "message_twin": (THREAD, f"C0HELP:{ROOT}", "when does order 1042 arrive?", False),
    "message_im": ("T0SHOP/D0ANNA", f"D0ANNA:{ROOT}", "Do you ship to <Norway> & Iceland?", False),
    "thread_reply": (THREAD, "C0HELP:1763712060.000200", "and to Bergen?", True),
    "thread_broadcast": (THREAD, "C0HELP:1763712061.000200", "also for everybody", True),
    "private_channel_reply": (f"T0SHOP/G0OPS/{ROOT}", "G0OPS:1763712062.000200", "in private", True),
    "group_dm_mention": (f"T0SHOP/G0MPIM/{ROOT}", f"G0MPIM:{ROOT}", "hello", False),
    "assistant_thread_message": (
        "T0SHOP/D0ANNA/1763711999.000050",
        "D0ANNA:1763712070.000300",
        "what is the return policy?",
        False,
    ),
    "file_share": ("T0SHOP/D0ANNA", f"D0ANNA:{ROOT}", "this came broken", False),
    "forwarded": ("T0SHOP/D0ANNA", f"D0ANNA:{ROOT}", "> The tracking link\n> is broken", False),
    "slack_connect_mention": (f"T0SHOP/C0SHARED/{ROOT}", f"C0SHARED:{ROOT}", "when does order 1042 arrive?", False),
}


def recorded(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def read(name: str, desk: Desk = DESK, **event: Any) -> Sequence[Fact]:
    payload = recorded(name)
    if event:
        payload["event"] |= event
    return facts(payload, desk)


def only(name: str, desk: Desk = DESK, **event: Any) -> Any:
    (fact,) = read(name, desk, **event)
    return fact


@pytest.mark.parametrize("name", sorted(SILENT))
def test_nobody_is_answered(name: str) -> None:
    assert read(name) == ()


@pytest.mark.parametrize("name", sorted(HEARD))
def test_messages(name: str) -> None:
    fact = only(name)
    assert isinstance(fact, Inbound)
    assert (fact.address, fact.external_id, fact.text, fact.follow_up) == HEARD[name]
    assert (fact.channel, fact.account) == ("slack", "shop")
    assert fact.sent_at == pytest.approx(float(fact.external_id.partition(":")[2]))


def test_every_recorded_payload_is_expected_somewhere() -> None:
    others = {
        "message_changed",
        "reaction_added",
        "reaction_removed",
        "reaction_thumbsdown_tone",
        "app_uninstalled",
        "tokens_revoked",
        "agent_session_stopped",
        "pressed_feedback",
        "pressed_button_im",
    }
    assert set(NAMES) == SILENT | HEARD.keys() | others


def test_a_mention_and_its_twin_are_one_message() -> None:
    mention, twin = only("app_mention"), only("message_twin")
    assert (mention.external_id, mention.address, mention.text) == (twin.external_id, twin.address, twin.text)


def test_the_route_holds_what_answers_and_streams_need() -> None:
    assert only("thread_reply").route == {
        "team": "T0SHOP",
        "channel": "C0HELP",
        "thread_ts": ROOT,
        "user": "U0ANNA",
        "recipient_team": "T0SHOP",
        "ts": "1763712060.000200",
    }
    assert "thread_ts" not in only("message_im").route


def test_people_of_the_workspace_are_verified_and_guests_of_other_companies_are_not() -> None:
    own, guest = only("app_mention"), only("slack_connect_mention")
    assert own.verified
    assert own.profile == {"user": "U0ANNA", "team": "T0SHOP"}
    assert not guest.verified
    assert guest.profile == {"user": "U0ZOE", "team": "T0OTHER", "external": "1"}
    assert guest.route["recipient_team"] == "T0OTHER"
    assert guest.name == "zoe"


def test_a_foreign_author_is_known_even_where_the_channel_is_not_marked_as_shared() -> None:
    assert not only("message_im", user_team="T0OTHER").verified
    assert not only("message_im", source_team="T0OTHER").verified


def test_files_come_with_kind_size_and_address() -> None:
    photo, voice, shared = only("file_share").attachments
    assert (photo.kind, photo.mime, photo.size_bytes, photo.name) == ("image", "image/jpeg", 48211, "broken.jpg")
    assert photo.url == "https://files.slack.com/files-pri/T0SHOP-F0PHOTO/broken.jpg"
    assert (voice.kind, voice.voice, photo.voice) == ("audio", True, False)
    assert (shared.url, shared.ref) == ("", "F0SHARED")


def test_a_file_without_words_is_a_message() -> None:
    assert only("file_share", text="").text == ""


def test_a_bare_mention_is_a_call() -> None:
    assert only("app_mention", text="<@U0DESK> ").text == "@U0DESK"
    assert read("message_im", text=" ") == ()


def test_without_authorizations_the_mention_event_decides() -> None:
    mention, twin = recorded("app_mention"), recorded("message_twin")
    del mention["authorizations"], twin["authorizations"]
    (fact,) = facts(mention, DESK)
    assert isinstance(fact, Inbound)
    assert fact.text == "when does order 1042 arrive?"
    assert facts(twin, DESK) == ()
    learned = Desk(DESK.accounts, "", bot_user="U0DESK")
    assert [fact.external_id for fact in facts(twin, learned) if isinstance(fact, Inbound)] == [f"C0HELP:{ROOT}"]


def test_the_first_message_of_a_thread_is_no_reply() -> None:
    assert read("message_chatter", thread_ts=ROOT) == ()  # as the history shows one that others answered
    assert only("message_im", thread_ts=ROOT).address == "T0SHOP/D0ANNA"


def test_changed_words() -> None:
    fact = only("message_changed")
    assert fact == Edited(
        "slack", "shop", THREAD, f"C0HELP:{ROOT}", "when does order 1043 arrive?", pytest.approx(1763712005.0)
    )


def test_votes_by_reaction() -> None:
    given, taken = only("reaction_added"), only("reaction_removed")
    assert isinstance(given, Reacted)
    assert (given.provider_id, given.giver, given.value) == ("C0HELP:1763712003.000100", "U0ANNA", "up")
    assert (taken.provider_id, taken.value) == (given.provider_id, None)
    assert only("reaction_thumbsdown_tone").value == "down"
    assert read("reaction_added", user="U0DESK") == ()


def test_pressed_buttons_keep_their_payload_and_place() -> None:
    thumb, person = only("pressed_feedback"), only("pressed_button_im")
    assert isinstance(thumb, Pressed)
    assert (thumb.address, thumb.giver, thumb.payload, thumb.label) == (THREAD, "U0ANNA", "f1up.ref.mac", "👍")
    assert thumb.external_id == "C0HELP:1763712003.000100:U0ANNA:1763712020.123456"
    assert thumb.at == pytest.approx(1763712020.123456)
    assert (person.address, person.label) == ("T0SHOP/D0ANNA", "Talk to a person")
    assert person.route["channel"] == "D0ANNA"


def test_access_taken_away() -> None:
    for name in ("app_uninstalled", "tokens_revoked"):
        fact = only(name)
        assert isinstance(fact, Revoked)
        assert fact.account == "shop"
        assert "install" in fact.reason


def test_the_platforms_stop_button() -> None:
    assert only("agent_session_stopped") == Stopped("slack", "shop", THREAD)


def test_a_stop_without_a_place_or_thread() -> None:
    assert read("agent_session_stopped", channel=None) == ()
    assert only("agent_session_stopped", channel="D0ANNA", thread_ts=None).address == "T0SHOP/D0ANNA"


def test_workspaces_find_their_account() -> None:
    two = Desk({"T0SHOP": "shop", "T1": "other"}, "")
    assert only("app_mention", two).account == "shop"
    stranger = recorded("app_mention")
    stranger["team_id"] = stranger["context_team_id"] = stranger["event"]["team"] = "T9"
    stranger["authorizations"][0]["team_id"] = "T9"
    assert facts(stranger, two) == ()
    (fact,) = facts(stranger, Desk({"T0SHOP": "shop"}, "default"))
    assert fact.account == "default"
    assert isinstance(fact, Inbound)
    assert fact.address.startswith("T9/")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200)
@given(name=st.sampled_from(NAMES), data=st.data())
def test_no_shape_of_a_payload_is_a_fault(name: str, data: st.DataObject) -> None:
    payload = recorded(name)
    part: Any = data.draw(st.sampled_from([payload, payload.get("event") or payload]))
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JSON)
    for fact in facts(payload, Desk({"T0SHOP": "shop"}, "default")):
        assert fact.account in {"shop", "default"}


def test_what_a_database_cannot_hold_is_taken_out() -> None:
    assert only("message_im", text="a\x00b \ud83d c").text == "ab ? c"
