from channels.base import Channel, ChannelError, Limits, Rejected
from channels.web import WebChannel
from config.settings import WebAccount


def test_a_rejection_carries_what_the_http_answer_needs():
    error = Rejected(413, "the message is longer than 8192 bytes; shorten it")
    assert (error.status, error.reason, str(error)) == (413, error.reason, error.reason)
    assert isinstance(error, ChannelError)


def test_a_channel_that_sends_says_so_by_default():
    assert Limits(text_units=4_096, unit="utf16", edit_interval_s=1.0).pull is False


def test_the_web_channel_keeps_the_contract():
    channel: Channel = WebChannel("default", WebAccount(), lambda: b"k", "")
    assert (channel.name, channel.account, channel.limits.pull) == ("web", "default", True)
    assert channel.limits.edit_interval_s == 0.0
