import pytest

from server.routes import Role
from tests.server.desk import Desk


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"silent": "perhaps"},
        {"silent": True, "channel": "*", "account": "default"},
        {"silent": True, "channel": ""},
        {"silent": True, "channel": "we b"},
        {"silent": True, "colour": "red"},
    ],
)
async def test_half_said_places_are_refused(desk: Desk, body: dict[str, object]):
    staff = await desk.signed_in(Role.STAFF)
    assert (await staff.call("PUT", "/api/switch", body)).status == 422
    assert not desk.switch.silent("web", "default")
    assert await desk.audit_rows("switch.set") == []


async def test_one_account_can_be_silenced_and_the_change_is_audited_once(desk: Desk):
    staff = await desk.signed_in(Role.STAFF)
    answer = await staff.call("PUT", "/api/switch", {"channel": "web", "account": "b", "silent": True})
    assert (await answer.json())["silent"] is False
    assert desk.switch.silent("web", "b")
    assert not desk.switch.silent("web", "default")
    assert [row["target"] for row in await desk.audit_rows("switch.set")] == ["web/b"]
