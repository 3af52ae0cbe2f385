"""Files come from Slack's own host with the token, and from nowhere else."""

from __future__ import annotations

import pytest

from channels.base import Limited, Refused, SendError, Unavailable
from channels.message import Attachment
from channels.slack.files import allowed
from tests.channels.slack_rig import Rig, rigged


async def fetched(rig: Rig, url: str, ref: str = "") -> bytes:
    file = Attachment("file", url, ref=ref)
    return b"".join([chunk async for chunk in rig.channel.fetch(file, {})])


async def refusal(rig: Rig, url: str, ref: str = "") -> SendError:
    with pytest.raises(SendError) as caught:
        await fetched(rig, url, ref)
    return caught.value


@pytest.mark.parametrize(
    ("url", "base", "fine"),
    [
        ("https://files.slack.com/files-pri/T1-F1/a.jpg", "https://slack.com/api", True),
        ("http://files.slack.com/files-pri/T1-F1/a.jpg", "https://slack.com/api", False),
        ("https://files.slack.com.evil.example/a", "https://slack.com/api", False),
        ("https://evil.example/files.slack.com", "https://slack.com/api", False),
        ("https://files.slack.com:8443/a", "https://slack.com/api", False),
        ("https://user@files.slack.com/a", "https://slack.com/api", False),
        ("https://slack.com/a", "https://slack.com/api", False),
        ("https://docs.example/shared", "https://slack.com/api", False),
        ("http://127.0.0.1:9000/files/a", "http://127.0.0.1:9000/api", True),
        ("http://127.0.0.1:9001/files/a", "http://127.0.0.1:9000/api", False),
        ("", "https://slack.com/api", False),
    ],
)
def test_where_the_token_may_go(url: str, base: str, fine: bool) -> None:
    assert allowed(url, base) is fine


async def test_a_file_is_read_whole() -> None:
    async with rigged() as rig:
        content = bytes(range(256)) * 1_000
        rig.slack.files["F1"] = ("image/jpeg", content)
        assert await fetched(rig, f"{rig.slack.base_url}/files/F1") == content
        assert await fetched(rig, "", ref="F1") == content  # Slack Connect: the event named no address


async def test_what_is_no_file_is_refused() -> None:
    async with rigged() as rig:
        base = rig.slack.base_url
        assert (await refusal(rig, f"{base}/files/F404")).code == "gone"
        assert (await refusal(rig, f"{base}/files/elsewhere")).code == "redirected"
        assert (await refusal(rig, "https://evil.example/a")).code == "host"
        assert (await refusal(rig, "")).code == "host"
        rig.channel._api.token = "xoxb-wrong"
        error = await refusal(rig, f"{base}/files/F1")
        assert isinstance(error, Refused)
        assert error.code == "sign_in_page"


async def test_a_host_that_is_away_or_busy() -> None:
    async with rigged() as rig:
        rig.slack.files |= {"F1": ("image/jpeg", b"x"), "F2": ("cut", b"x")}
        assert isinstance(await refusal(rig, f"{rig.slack.base_url}/files/F2"), Unavailable)
        for status, kind in ((429, Limited), (503, Unavailable), (403, Refused)):
            rig.slack.file_status = status
            assert type(await refusal(rig, f"{rig.slack.base_url}/files/F1")) is kind
        url = f"{rig.slack.base_url}/files/F1"
        await rig.slack.stop()
        assert isinstance(await refusal(rig, url), Unavailable)
