"""Ratings and corrections of staff over HTTP; the way of a correction to its approval stands in test_examples.py."""

from __future__ import annotations

from pathlib import Path

from server.routes import Role
from tests.server.api.test_examples import talked


async def test_staff_rate_and_everybody_reads(store_url: str, tmp_path: Path):
    async with talked(store_url, tmp_path) as (desk, answers):
        staff, viewer = await desk.signed_in(Role.STAFF), await desk.signed_in(Role.VIEWER)
        rating = {"message_id": answers[0], "value": "down", "reason": "tone", "comment": "too short"}
        assert (await staff.call("POST", "/api/feedback", rating)).status == 204
        page = await (await viewer.call("GET", "/api/feedback?value=down")).json()
        (row,) = page["feedback"]
        assert (row["giver_kind"], row["reason"], row["comment"]) == ("staff", "tone", "too short")
        assert row["release_id"]
        assert row["customer_id"]
        assert (await viewer.call("POST", "/api/feedback", rating)).status == 403
        assert (await staff.call("POST", "/api/feedback", {**rating, "message_id": "nothing"})).status == 404
        wrong = await staff.call("POST", "/api/corrections", {"message_id": answers[0], "text": " "})
        assert wrong.status == 409
        assert (await staff.call("POST", "/api/corrections", {"message_id": "nothing", "text": "x"})).status == 404
