import pytest
from aiohttp.test_utils import make_mocked_request

from config.settings import Http
from server.auth.csrf import refuse_cross_site, require_token
from server.auth.tokens import fingerprint
from server.problems import Problem
from server.routes import Principal, Role

HTTP = Http(public_url="https://desk.example.com")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": ""}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://desk.example.com"}, False),
        ({"Origin": "https://desk.example.com"}, True),
        ({"Origin": "http://127.0.0.1:8080"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "https://desk.example.com.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, True),
    ],
)
def test_the_browsers_word_on_where_a_request_comes_from(headers: dict[str, str], allowed: bool):
    request = make_mocked_request("POST", "/api/session", headers={"Host": "127.0.0.1:8080", **headers})
    if allowed:
        refuse_cross_site(request, HTTP)
    else:
        with pytest.raises(Problem) as refused:
            refuse_cross_site(request, HTTP)
        assert refused.value.status == 403


@pytest.mark.parametrize(("sent", "allowed"), [("right", True), ("wrong", False), (None, False), ("", False)])
def test_the_sessions_own_token_is_needed(sent: str | None, allowed: bool):
    principal = Principal("shop", "person", "p", Role.STAFF, session="s", csrf_hash=fingerprint("right"))
    headers = {"X-CSRF-Token": sent} if sent is not None else {}
    request = make_mocked_request("POST", "/", headers=headers)
    if allowed:
        require_token(request, principal)
    else:
        with pytest.raises(Problem):
            require_token(request, principal)
