"""Every route of the table against every kind of caller, so that none is open by accident."""

import re
from pathlib import Path

import pytest

from config.settings import Settings
from server.api.webhooks import PATHS
from server.app import Parts
from server.routes import Role
from tests.server.desk import Desk, open_desk

OPEN = {  # addresses that check their caller themselves, or need none; everything else must refuse strangers
    ("POST", "/api/session"),
    ("POST", "/api/session/code"),
    ("POST", "/api/session/enrol"),
    ("POST", "/api/links/look"),
    ("POST", "/api/links/redeem"),
    ("GET", "/openapi.json"),
}
EXPECTED = {
    ("GET", "/api/session"): Role.VIEWER,
    ("DELETE", "/api/session"): Role.VIEWER,
    ("GET", "/api/sessions"): Role.VIEWER,
    ("DELETE", "/api/sessions/{id}"): Role.VIEWER,
    ("DELETE", "/api/sessions"): Role.VIEWER,
    ("GET", "/api/profile"): Role.VIEWER,
    ("PATCH", "/api/profile"): Role.VIEWER,
    ("POST", "/api/profile/password"): Role.VIEWER,
    ("POST", "/api/profile/second-factor"): Role.VIEWER,
    ("POST", "/api/profile/second-factor/confirm"): Role.VIEWER,
    ("POST", "/api/profile/second-factor/off"): Role.VIEWER,
    ("POST", "/api/profile/recovery-codes"): Role.VIEWER,
    ("GET", "/api/invitations"): Role.ADMIN,
    ("DELETE", "/api/invitations/{id}"): Role.ADMIN,
    ("GET", "/api/people/{id}/sessions"): Role.ADMIN,
    ("DELETE", "/api/people/{id}/sessions"): Role.ADMIN,
    ("DELETE", "/api/people/{id}/second-factor"): Role.ADMIN,
    ("DELETE", "/api/people/{id}/lock"): Role.ADMIN,
    ("GET", "/api/teams"): Role.VIEWER,
    ("POST", "/api/teams"): Role.ADMIN,
    ("PUT", "/api/teams/{id}"): Role.ADMIN,
    ("DELETE", "/api/teams/{id}"): Role.ADMIN,
    ("GET", "/api/people"): Role.ADMIN,
    ("POST", "/api/people"): Role.ADMIN,
    ("PATCH", "/api/people/{id}"): Role.ADMIN,
    ("POST", "/api/people/{id}/reset"): Role.ADMIN,
    ("GET", "/api/keys"): Role.ADMIN,
    ("POST", "/api/keys"): Role.ADMIN,
    ("DELETE", "/api/keys/{id}"): Role.ADMIN,
    ("GET", "/api/switch"): Role.VIEWER,
    ("PUT", "/api/switch"): Role.STAFF,
    ("GET", "/api/audit"): Role.ADMIN,
    ("GET", "/api/audit/csv"): Role.ADMIN,
    ("GET", "/api/conversations"): Role.VIEWER,
    ("GET", "/api/conversations/{id}"): Role.VIEWER,
    ("POST", "/api/conversations/{id}/claim"): Role.STAFF,
    ("POST", "/api/conversations/{id}/return"): Role.STAFF,
    ("POST", "/api/conversations/{id}/close"): Role.STAFF,
    ("POST", "/api/conversations/{id}/messages"): Role.STAFF,
    ("GET", "/api/knowledge"): Role.VIEWER,
    ("GET", "/api/knowledge/search"): Role.VIEWER,
    ("GET", "/api/knowledge/documents"): Role.VIEWER,
    ("POST", "/api/knowledge/documents"): Role.STAFF,
    ("GET", "/api/knowledge/documents/{id}"): Role.VIEWER,
    ("PUT", "/api/knowledge/documents/{id}"): Role.STAFF,
    ("DELETE", "/api/knowledge/documents/{id}"): Role.STAFF,
    ("GET", "/api/knowledge/documents/{id}/versions"): Role.VIEWER,
    ("GET", "/api/knowledge/documents/{id}/versions/{version}"): Role.VIEWER,
    ("POST", "/api/knowledge/documents/{id}/restore"): Role.STAFF,
    ("POST", "/api/knowledge/pairs"): Role.STAFF,
    ("GET", "/api/knowledge/gaps"): Role.STAFF,
    ("DELETE", "/api/knowledge/gaps/{id}"): Role.STAFF,
    ("GET", "/api/gaps"): Role.STAFF,
    ("GET", "/api/gaps/{id}"): Role.STAFF,
    ("POST", "/api/gaps/{id}/answer"): Role.STAFF,
    ("PUT", "/api/gaps/{id}/state"): Role.STAFF,
    ("GET", "/api/knowledge/sources"): Role.VIEWER,
    ("POST", "/api/knowledge/sources"): Role.ADMIN,
    ("GET", "/api/knowledge/sources/{id}"): Role.VIEWER,
    ("PATCH", "/api/knowledge/sources/{id}"): Role.ADMIN,
    ("DELETE", "/api/knowledge/sources/{id}"): Role.ADMIN,
    ("POST", "/api/knowledge/sources/{id}/sync"): Role.ADMIN,
    ("GET", "/api/knowledge/sources/{id}/files"): Role.VIEWER,
    ("POST", "/api/knowledge/sources/{id}/files"): Role.ADMIN,
    ("DELETE", "/api/knowledge/sources/{id}/files/{name}"): Role.ADMIN,
    ("GET", "/api/tools"): Role.VIEWER,
    ("POST", "/api/tools/{name}/try"): Role.ADMIN,
    ("GET", "/api/tools/requests"): Role.VIEWER,
    ("POST", "/api/tools/requests/{id}/approve"): Role.STAFF,
    ("POST", "/api/tools/requests/{id}/deny"): Role.STAFF,
    ("GET", "/api/tools/leads"): Role.STAFF,
    ("GET", "/api/tools/tickets"): Role.VIEWER,
    ("POST", "/api/tools/tickets/{id}/close"): Role.STAFF,
    ("GET", "/api/tools/deliveries"): Role.ADMIN,
    ("POST", "/api/tools/deliveries/{id}/replay"): Role.ADMIN,
    ("GET", "/api/releases"): Role.VIEWER,
    ("GET", "/api/releases/changes"): Role.VIEWER,
    ("GET", "/api/releases/canary"): Role.VIEWER,
    ("PATCH", "/api/releases/canary"): Role.ADMIN,
    ("POST", "/api/releases/canary/stop"): Role.ADMIN,
    ("POST", "/api/releases/candidates"): Role.ADMIN,
    ("POST", "/api/releases/rollback"): Role.ADMIN,
    ("GET", "/api/releases/lineage/{id}"): Role.STAFF,
    ("GET", "/api/releases/{id}"): Role.VIEWER,
    ("POST", "/api/releases/{id}/canary"): Role.ADMIN,
    ("POST", "/api/releases/{id}/promote"): Role.ADMIN,
}
LOOP = {  # served beside the desk of these tests; their own tests call them
    ("GET", "/api/feedback"): Role.VIEWER,
    ("POST", "/api/feedback"): Role.STAFF,
    ("GET", "/api/corrections"): Role.VIEWER,
    ("GET", "/api/corrections/{id}"): Role.VIEWER,
    ("POST", "/api/corrections"): Role.STAFF,
    ("GET", "/api/corrections/{id}/suggestion"): Role.STAFF,
    ("POST", "/api/corrections/{id}/decide"): Role.STAFF,
    ("GET", "/api/corrections/{id}/result"): Role.STAFF,
    ("POST", "/api/corrections/{id}/try"): Role.STAFF,
    ("GET", "/api/staff-slack/links"): Role.ADMIN,
    ("PUT", "/api/staff-slack/links/{account}/{user}"): Role.ADMIN,
    ("DELETE", "/api/staff-slack/links/{account}/{user}"): Role.ADMIN,
    ("GET", "/api/examples"): Role.STAFF,
    ("GET", "/api/examples/summary"): Role.STAFF,
    ("GET", "/api/examples/next"): Role.STAFF,
    ("POST", "/api/examples/decide"): Role.ADMIN,
    ("GET", "/api/examples/queue"): Role.STAFF,
    ("GET", "/api/examples/{id}/alike"): Role.STAFF,
    ("POST", "/api/examples/{id}/reopen"): Role.ADMIN,
    ("GET", "/api/datasets/{id}/rows"): Role.STAFF,
    ("GET", "/api/retrains/plan"): Role.VIEWER,
    ("GET", "/api/retrains/advice"): Role.STAFF,
    ("GET", "/api/retrains/{id}/cases"): Role.STAFF,
    ("GET", "/api/retrains/{id}/ballot"): Role.STAFF,
    ("GET", "/api/retrains/{id}/votes"): Role.VIEWER,
    ("POST", "/api/votes/{id}"): Role.STAFF,
    ("GET", "/api/examples/{id}"): Role.STAFF,
    ("POST", "/api/examples/{id}/approve"): Role.ADMIN,
    ("POST", "/api/examples/{id}/reject"): Role.ADMIN,
    ("POST", "/api/examples/{id}/skip"): Role.ADMIN,
    ("PUT", "/api/examples/{id}/target"): Role.ADMIN,
    ("GET", "/api/datasets"): Role.STAFF,
    ("GET", "/api/datasets/{id}"): Role.STAFF,
    ("GET", "/api/retrains"): Role.VIEWER,
    ("POST", "/api/retrains"): Role.ADMIN,
    ("GET", "/api/retrains/{id}"): Role.VIEWER,
    ("POST", "/api/retrains/{id}/stop"): Role.ADMIN,
}
INBOX = {
    ("GET", "/api/analytics"): Role.VIEWER,
    ("GET", "/api/analytics/series"): Role.VIEWER,
    ("GET", "/api/analytics/export"): Role.VIEWER,
    ("GET", "/api/analytics/conversations"): Role.VIEWER,
    ("GET", "/api/analytics/definitions"): Role.VIEWER,
    ("POST", "/api/analytics/rebuild"): Role.ADMIN,
    ("GET", "/api/surveys"): Role.VIEWER,
    ("GET", "/api/alerts"): Role.ADMIN,
    ("POST", "/api/alerts/test"): Role.ADMIN,
    ("POST", "/api/conversations/{id}/block"): Role.STAFF,
    ("DELETE", "/api/conversations/{id}/block"): Role.STAFF,
    ("GET", "/api/presence"): Role.VIEWER,
    ("PUT", "/api/presence"): Role.STAFF,
    ("GET", "/api/presence/all"): Role.VIEWER,
    ("GET", "/api/hours"): Role.VIEWER,
    ("POST", "/api/conversations/{id}/transfer"): Role.STAFF,
    ("PUT", "/api/conversations/{id}/team"): Role.STAFF,
    ("GET", "/api/conversations/{id}/promises"): Role.VIEWER,
    ("GET", "/api/tickets"): Role.VIEWER,
    ("POST", "/api/tickets"): Role.STAFF,
    ("GET", "/api/tickets/{id}"): Role.VIEWER,
    ("PATCH", "/api/tickets/{id}"): Role.STAFF,
    ("POST", "/api/tickets/{id}/close"): Role.STAFF,
    ("POST", "/api/tickets/{id}/reopen"): Role.STAFF,
    ("GET", "/api/events"): Role.VIEWER,
    ("POST", "/api/conversations/{id}/viewing"): Role.VIEWER,
    ("GET", "/api/inbox"): Role.VIEWER,
    ("GET", "/api/views"): Role.VIEWER,
    ("POST", "/api/views"): Role.VIEWER,
    ("PUT", "/api/views/{id}"): Role.VIEWER,
    ("DELETE", "/api/views/{id}"): Role.VIEWER,
    ("GET", "/api/search"): Role.VIEWER,
    ("POST", "/api/conversations/{id}/seen"): Role.VIEWER,
    ("PUT", "/api/conversations/{id}/priority"): Role.STAFF,
    ("GET", "/api/conversations/{id}/desk"): Role.VIEWER,
    ("POST", "/api/conversations/{id}/notes"): Role.STAFF,
    ("PUT", "/api/notes/{id}"): Role.STAFF,
    ("DELETE", "/api/notes/{id}"): Role.STAFF,
    ("GET", "/api/colleagues"): Role.VIEWER,
    ("POST", "/api/conversations/{id}/snooze"): Role.STAFF,
    ("DELETE", "/api/conversations/{id}/snooze"): Role.STAFF,
    ("PUT", "/api/conversations/{id}/draft"): Role.STAFF,
    ("GET", "/api/drafts"): Role.STAFF,
    ("GET", "/api/labels"): Role.VIEWER,
    ("POST", "/api/labels"): Role.STAFF,
    ("PUT", "/api/labels/{id}"): Role.STAFF,
    ("DELETE", "/api/labels/{id}"): Role.STAFF,
    ("POST", "/api/labels/{id}/restore"): Role.STAFF,
    ("PUT", "/api/conversations/{id}/labels"): Role.STAFF,
    ("GET", "/api/canned"): Role.VIEWER,
    ("POST", "/api/canned"): Role.STAFF,
    ("PUT", "/api/canned/{id}"): Role.STAFF,
    ("DELETE", "/api/canned/{id}"): Role.STAFF,
    ("POST", "/api/conversations/{id}/send"): Role.STAFF,
    ("DELETE", "/api/conversations/{id}/send/{message}"): Role.STAFF,
    ("POST", "/api/conversations/{id}/files"): Role.STAFF,
    ("POST", "/api/conversations/{id}/messages/{message}/retry"): Role.STAFF,
    ("POST", "/api/conversations/{id}/suggestion"): Role.STAFF,
}


CUSTOMERS = {  # their own tests call them, on both stores
    ("GET", "/api/customers"): Role.VIEWER,
    ("GET", "/api/customers/{id}"): Role.VIEWER,
    ("GET", "/api/conversations/{id}/customer"): Role.VIEWER,
    ("PUT", "/api/customers/{id}"): Role.STAFF,
    ("POST", "/api/customers/{id}/reveal"): Role.STAFF,
    ("POST", "/api/customers/{id}/merge"): Role.STAFF,
    ("POST", "/api/customers/{id}/unmerge"): Role.STAFF,
    ("POST", "/api/customers/{id}/export"): Role.ADMIN,
    ("POST", "/api/customers/{id}/erase"): Role.ADMIN,
    ("GET", "/api/erasures"): Role.ADMIN,
    ("GET", "/api/erasures/{id}"): Role.ADMIN,
}


def filled(path: str) -> str:
    """The address with a name nobody has in every place."""
    return re.sub(r"\{\w+\}", "unknown", path.replace("{version}", "1"))


def plain(path: str) -> str:
    return re.sub(r"\{(\w+):.*?\}(?=/|$)", r"{\1}", path)


async def test_the_table_is_the_one_written_here(desk: Desk):
    table = {(route.method, plain(route.path)): route.role for route in desk.routes}
    console = {key for key in table if key[1].startswith("/console")}
    assert {table[key] for key in console} == {Role.PUBLIC}
    assert table == EXPECTED | dict.fromkeys(OPEN | console, Role.PUBLIC)


@pytest.mark.parametrize("caller", ["nobody", Role.VIEWER, Role.STAFF, Role.ADMIN])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_every_route_answers_each_caller_as_its_role_says(tmp_path: Path, caller: str, method: str):
    async with open_desk(f"sqlite:///{tmp_path / 'desk.db'}") as desk:
        for (verb, path), needed in EXPECTED.items():
            if verb != method:
                continue
            browser = desk.browser()
            if isinstance(caller, Role):
                email = f"{verb}{path.replace('/', '-').strip('{}')}@example.com".lower()
                browser = await desk.signed_in(caller, email)
            answer = await browser.call(verb, filled(path), {} if verb != "GET" else None)
            reached = isinstance(caller, Role) and caller.covers(needed)
            if reached:
                assert answer.status in {200, 204, 404, 409, 422}, (verb, path, await answer.text())
            else:
                assert answer.status == (403 if isinstance(caller, Role) else 401), (verb, path)
                assert answer.content_type == "application/problem+json"


async def test_every_unsafe_route_refuses_another_sites_page_and_a_missing_token(desk: Desk):
    browser = await desk.signed_in(Role.ADMIN)
    before = len(await desk.audit_rows())
    for verb, path in EXPECTED:
        if verb == "GET":
            continue
        url = filled(path)
        browser.cross_site = True
        assert (await browser.call(verb, url, {})).status == 403, url
        browser.cross_site = False
        token, browser.csrf = browser.csrf, ""
        assert (await browser.call(verb, url, {})).status == 403, url
        browser.csrf = token
    assert len(await desk.audit_rows()) == before
    for _, path in sorted(OPEN - {("GET", "/openapi.json")}):
        browser.cross_site = True
        assert (await browser.call("POST", path, {})).status == 403, path


async def test_unsafe_routes_that_did_nothing_leave_no_audit_row(desk: Desk):
    browser = await desk.signed_in(Role.ADMIN)
    before = len(await desk.audit_rows())
    for verb, path in EXPECTED:
        if "{" in path and verb != "GET":
            answer = await browser.call(verb, filled(path), {} if "messages" not in path else None)
            assert answer.status in {404, 415}, path
    assert len(await desk.audit_rows()) == before


def test_the_table_of_the_whole_server_opens_nothing_else(tmp_path: Path):
    table = Parts(Settings(data_dir=tmp_path), "gateway").routes()
    ranked = {(route.method, plain(route.path)): route.role for route in table if route.role.rank}
    platforms = {
        ("GET", "/api/channels"): Role.VIEWER,
        ("POST", "/api/channels/{channel}/{account}/test"): Role.ADMIN,
        ("GET", "/api/channels/tests/{id}"): Role.ADMIN,
        ("GET", "/api/simulator/{channel}"): Role.STAFF,
        ("POST", "/api/simulator/{channel}/messages"): Role.STAFF,
        ("POST", "/api/simulator/{channel}/presses"): Role.STAFF,
        ("GET", "/api/media/{id}"): Role.VIEWER,
        ("GET", "/api/settings"): Role.ADMIN,
    }
    programs = {
        ("GET", "/v1/models"): Role.VIEWER,
        ("GET", "/v1/models/{model}"): Role.VIEWER,
        ("POST", "/v1/chat/completions"): Role.VIEWER,
        ("POST", "/mcp"): Role.STAFF,
    }
    assert ranked == EXPECTED | LOOP | INBOX | platforms | programs | CUSTOMERS
    strangers = {(route.method, plain(route.path)) for route in table if route.unsafe and route.role is Role.PUBLIC}
    hooks = {("POST", f"{path}{account}") for path in PATHS for account in ("", "/{account}")}  # signed by the platform
    assert strangers == {key for key in OPEN if key[0] != "GET"} | {("POST", "/web/session")} | hooks
    assert all(route.path.startswith("/web/") for route in table if route.role is Role.VISITOR)
    assert {route.audit for route in table if route.unsafe and route.role.rank} == {
        "alert.test", "analytics.rebuild", "canned.add", "canned.change", "canned.remove", "channel.test",
        "conversation.block", "conversation.claim", "conversation.close", "conversation.file", "conversation.labels",
        "conversation.priority", "conversation.retry", "conversation.return", "conversation.say",
        "conversation.seen", "conversation.send", "conversation.snooze", "conversation.suggest", "conversation.team",
        "conversation.transfer", "conversation.unblock", "conversation.unsend", "conversation.unsnooze",
        "conversation.view", "correction.decide", "correction.give", "correction.try", "customer.describe",
        "customer.erase", "customer.export", "customer.merge", "customer.reveal", "customer.unmerge",
        "document.delete", "document.restore", "document.save", "document.write", "draft.keep", "example.approve",
        "example.decide", "example.edit", "example.reject", "example.reopen", "example.skip", "feedback.rate",
        "gap.answer", "gap.decide", "gap.forget", "key.make", "key.revoke", "label.add", "label.change",
        "label.remove", "label.restore", "mcp.call", "note.add", "note.edit", "note.remove", "openai.chat",
        "person.change", "person.invite", "person.reset", "person.second_factor", "person.sign_out",
        "person.uninvite", "person.unlock", "presence.set", "profile.change", "profile.password",
        "release.canary_share", "release.canary_started", "release.canary_stopped", "release.candidate",
        "release.promoted", "release.rolled_back", "retrain.start", "retrain.stop", "second_factor.begin",
        "second_factor.off", "second_factor.on", "second_factor.renew", "session.close", "session.end",
        "simulator.press", "simulator.say", "source.change", "source.create", "source.delete", "source.drop_file",
        "source.sync", "source.upload", "staff_slack.link", "staff_slack.unlink", "switch.set", "team.add",
        "team.change", "team.remove", "ticket.change", "ticket.close", "ticket.open", "ticket.reopen",
        "tool.approve", "tool.deny", "tool.try", "view.change", "view.remove", "view.save", "vote.give",
        "webhook.replay",
    }  # fmt: skip
