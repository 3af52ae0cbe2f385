from __future__ import annotations

from server.knowledge.smalltalk import ABOUT_US, is_courtesy


def test_long_messages_are_never_courtesy_only():
    assert is_courtesy("thank you so much")
    assert not is_courtesy("thank you so much for your quick help and support today")


def test_fillers_alone_are_no_courtesy():
    assert not is_courtesy("how is it doing")


def test_talk_about_the_assistant_is_matched_as_a_whole():
    assert ABOUT_US.fullmatch("are you a real person or a bot")
    assert not ABOUT_US.fullmatch("are you a real person or a bot who sells lamps")
