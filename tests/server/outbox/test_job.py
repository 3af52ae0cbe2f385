"""What a channel is given to render."""

from __future__ import annotations

from channels.message import Citation
from server.outbox.job import outbound, read
from tests.server.outbox.post import Post


async def shown(one: Post, conversation: str = "c1", **more: object):
    await one.bot("hello", conversation, **more)
    job = await read(one.store, (await one.rows_of(conversation))[-1]["id"])
    assert job is not None
    return outbound(job, lambda *_: None, lambda *whose: f"p:{whose}")


async def test_citations_and_files_come_from_the_message(one: Post):
    extra = {
        "citations": [
            {"number": 2, "passage": "p2", "title": "Wool", "heading": "Wool > Washing", "url": "", "quote": "Cold."},
            {"number": 1, "passage": "p1", "title": "Returns", "heading": "Returns", "url": "https://shop/returns"},
        ],
        "attachments": [{"kind": "file", "url": "", "name": "a.pdf", "ref": "f1"}],
    }
    message = await shown(one, extra=extra)
    assert message.citations == (
        Citation("p1", "Returns", "https://shop/returns"),
        Citation("p2", "Wool: Washing"),
    )
    assert (message.attachments[0].name, message.attachments[0].ref) == ("a.pdf", "f1")
    assert message.buttons == ()


async def test_the_offer_of_a_person_is_a_button_in_the_customers_language(one: Post):
    await one.say("c2", channel="telegram", profile={"locale": "de-AT"})
    for conversation, label in (("c1", "Talk to a person"), ("c2", "Mit einem Menschen sprechen")):
        message = await shown(one, conversation, role="notice", extra={"offer": "person"})
        (button,) = message.buttons
        assert (button.label, button.payload) == (label, f"p:('telegram', 'default', '{conversation}')")


async def test_offered_replies_are_buttons_that_say_their_words_and_take_the_place_of_thumbs(one: Post):
    long = "A reply that is longer than the payload of a button may be on Telegram"
    await one.bot("Shall I?", extra={"replies": ["Yes", long]})
    job = await read(one.store, (await one.rows_of("c1"))[-1]["id"])
    assert job is not None
    message = outbound(job, lambda *_: ("up", "down"), lambda *_: "")
    assert [(button.label, button.payload) for button in message.buttons] == [("Yes", "say:Yes"), (long, "say:")]
    assert message.feedback is None


async def test_what_is_not_there_is_none(one: Post):
    assert await read(one.store, "gone") is None
