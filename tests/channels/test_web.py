"""Tokens, proofs, origins and normalization of the web channel, with everything a stranger may try."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import Rejected
from channels.web import CLOCK_SKEW_S, IDENTITY_MAX_S, TEXT_BYTES, Visitor, WebChannel, origin_of
from config.settings import WebAccount

NOW = 1_700_000_000.0
KEY = b"k" * 32
SECRET = "s" * 40
SHOP = "https://shop.example"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def channel(account: str = "default", key: bytes = KEY, own: str = "https://desk.example", **more: Any) -> WebChannel:
    return WebChannel(account, WebAccount.model_validate(more), lambda: key, own)


def visitor(**more: Any) -> Visitor:
    fields: dict[str, Any] = {
        "account": "default",
        "visitor_id": "v1",
        "conversation_id": "c1",
        "address": "v1",
        "verified": False,
        "issued_at": int(NOW),
        "expires_at": int(NOW) + 100,
    }
    return Visitor(**fields | more)


def refused(site: WebChannel, token: str, now_s: float = NOW) -> str:
    with pytest.raises(Rejected) as caught:
        site.read(token, now_s)
    assert caught.value.status == 401
    return caught.value.reason


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def proof(claims: Any, secret: str = SECRET, header: dict[str, Any] | None = None, digest: str = "sha256") -> str:
    """A compact JWT made by hand, so that wrong ones can be made too."""
    head = b64(json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode())
    body = f"{head}.{b64(json.dumps(claims).encode())}"
    return f"{body}.{b64(hmac.new(secret.encode(), body.encode(), digest).digest())}"


# --- tokens ---------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    st.builds(
        Visitor,
        account=st.just("default"),
        visitor_id=st.text(max_size=40),
        conversation_id=st.text(max_size=40),
        address=st.text(max_size=60),
        verified=st.booleans(),
        issued_at=st.integers(0, 2**40),
        expires_at=st.integers(int(NOW), 2**40),
    )
)
def test_a_token_says_what_was_signed(one: Visitor):
    assert channel().read(channel().issue(one), NOW) == one


def test_no_byte_of_a_token_can_be_changed():
    site, token = channel(), channel().issue(visitor())
    for place, old in enumerate(token):
        for new in {"A", "_", ".", "é", ALPHABET[(ALPHABET.find(old) + 1) % 64]} - {old}:
            assert refused(site, token[:place] + new + token[place + 1 :])
        assert refused(site, token[:place] + token[place + 1 :])


@pytest.mark.parametrize("token", ["", ".", "a", "a.b", ".b", "é.é", "a.\udcff", "\udcff.a", "a" * 5_000, "a.b.c"])
def test_junk_is_no_token(token: str):
    assert "new session" in refused(channel(), token)


@settings(max_examples=100)
@given(st.text(max_size=80))
def test_any_text_is_refused_as_a_token_and_never_an_error(token: str):
    assert "session" in refused(channel(), token)


def test_a_token_of_another_site_key_or_time_is_refused():
    token = channel().issue(visitor())
    refused(channel("shop"), token)
    refused(channel(key=b"x" * 32), token)
    assert "ended" in refused(channel(), token, NOW + 101)
    assert channel().read(token, NOW + 100).visitor_id == "v1"


def test_a_site_that_signs_for_another_account_is_refused():
    shop = channel("shop")
    assert "ended" in refused(shop, shop.issue(visitor(account="default")))


def test_a_signed_body_that_is_not_base64_is_refused():
    site = channel()
    signature = b64(hmac.new(KEY, b"visitor\ndefault\na", hashlib.sha256).digest())
    assert "new session" in refused(site, f"a.{signature}")


# --- origins --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        (SHOP, True),
        ("https://desk.example", True),
        ("https://page.example", True),
        ("https://evil.example", False),
        ("https://shop.example.evil.example", False),
        ("http://shop.example", False),
        ("https://shop.example:8443", False),
        ("HTTPS://SHOP.EXAMPLE", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins(origin: str | None, allowed: bool):
    site = channel(allowed_origins=(SHOP,))
    assert site.origin_allowed(origin, "https://page.example") is allowed


def test_without_own_pages_an_empty_origin_is_foreign():
    assert not channel(own="").origin_allowed("")


def test_frame_ancestors_name_our_pages_and_the_sites():
    assert channel().frame_ancestors == "'self'"
    two = channel(allowed_origins=(SHOP, "http://a.example")).frame_ancestors
    assert sorted(two.split()) == sorted(["'self'", SHOP, "http://a.example"])


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://desk.example/some/path?q=1", "https://desk.example"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("https://[::1]:8443/x", "https://[::1]:8443"),
        ("https://Desk.Example:443/", "https://desk.example"),
        ("http://desk.example:80", "http://desk.example"),
        ("http://desk.example:443", "http://desk.example:443"),
        ("https://me:secret@desk.example/", "https://desk.example"),
    ],
)
def test_origin_of(url: str, origin: str):
    assert origin_of(url) == origin


# --- proofs of identity ---------------------------------------------------------------------------


def test_a_good_proof_names_the_customer():
    site = channel(identity_secret=SECRET)
    assert site.identify(proof({"sub": "customer-7", "exp": NOW + 60}), NOW) == "customer-7"
    assert site.identify(proof({"sub": "x" * 200, "exp": NOW + 60}), NOW) == "x" * 200
    assert site.identify(proof({"sub": "x" * 201, "exp": NOW + 60}), NOW) is None, "two long names must not become one"
    assert site.identify(proof({"sub": "é", "exp": NOW + IDENTITY_MAX_S + CLOCK_SKEW_S}), NOW) == "é"


GOOD = {"sub": "customer-7", "exp": NOW + 60}
BAD_PROOFS = {
    "a header of the wrong type": proof(GOOD, header={"alg": "HS256", "crit": 1}),
    "unsigned": b64(b'{"alg":"none"}') + "." + b64(json.dumps(GOOD).encode()) + ".",
    "alg none with a signature": proof(GOOD, header={"alg": "none"}),
    "another hash": proof(GOOD, header={"alg": "HS512"}, digest="sha512"),
    "no alg": proof(GOOD, header={"typ": "JWT"}),
    "a claimed public key": proof(GOOD, header={"alg": "RS256"}),
    "other secret": proof(GOOD, secret="x" * 40),
    "cut": proof(GOOD)[:-1],
    "no exp": proof({"sub": "customer-7"}),
    "exp is text": proof({"sub": "customer-7", "exp": "tomorrow"}),
    "exp is true": proof({"sub": "customer-7", "exp": True}),
    "exp is NaN": proof({"sub": "customer-7", "exp": float("nan")}),
    "exp never": proof({"sub": "customer-7", "exp": float("inf")}),
    "expired": proof({"sub": "customer-7", "exp": NOW}),
    "lives too long": proof({"sub": "customer-7", "exp": NOW + IDENTITY_MAX_S + CLOCK_SKEW_S + 1}),
    "no sub": proof({"exp": NOW + 60}),
    "empty sub": proof({"sub": "", "exp": NOW + 60}),
    "sub is a number": proof({"sub": 7, "exp": NOW + 60}),
    "claims are a list": proof([1]),
    "claims are text": proof("sub"),
    "empty": "",
    "junk": "junk",
    "not ASCII": "ü.ü.ü",
    "lone surrogate": "\udcff.a.b",
}


@pytest.mark.parametrize("name", BAD_PROOFS)
def test_a_bad_proof_leaves_the_visitor_anonymous(name: str):
    assert channel(identity_secret=SECRET).identify(BAD_PROOFS[name], NOW) is None


@settings(max_examples=100)
@given(st.one_of(st.text(max_size=60), st.from_regex(r"[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}")))
def test_no_text_makes_identify_fail(junk: str):
    assert channel(identity_secret=SECRET).identify(junk, NOW) is None


def test_without_a_secret_nobody_is_identified():
    assert channel().identify(proof(GOOD, secret=""), NOW) is None


# --- normalization --------------------------------------------------------------------------------


def payload(text: Any = "hi", client_id: Any = "m1", **more: Any) -> dict[str, Any]:
    return {"visitor": visitor(), "text": text, "client_message_id": client_id, **more}


def test_normalize():
    (message,) = channel().normalize(payload("  hello ", locale="de-AT"), now_s=NOW)
    assert (message.channel, message.account, message.address) == ("web", "default", "v1")
    assert (message.text, message.sent_at, message.external_id) == ("  hello ", NOW, "c1:m1")
    assert (message.conversation_id, message.verified) == ("c1", False)
    assert (message.profile, message.echo) == ({"locale": "de-AT"}, {"client_message_id": "m1"})


def test_normalize_is_pure():
    one = payload()
    assert channel().normalize(one, now_s=NOW) == channel().normalize(one, now_s=NOW)
    assert one == payload()


@pytest.mark.parametrize("locale", [None, "", "x" * 50])
def test_a_locale_is_short_and_never_missing(locale: str | None):
    (message,) = channel().normalize(payload(locale=locale), now_s=NOW)
    assert message.profile["locale"] == ((locale or "en")[:35])


FITS = ["x" * TEXT_BYTES, "ä" * (TEXT_BYTES // 2), "😀" * (TEXT_BYTES // 4), "한" * (TEXT_BYTES // 3) + "xx"]


@pytest.mark.parametrize("text", FITS)
def test_exactly_as_many_bytes_as_allowed(text: str):
    assert len(text.encode()) == TEXT_BYTES
    (message,) = channel().normalize(payload(text), now_s=NOW)
    assert message.text == text
    with pytest.raises(Rejected) as caught:
        channel().normalize(payload(f"{text}x"), now_s=NOW)
    assert (caught.value.status, "8192 bytes" in caught.value.reason) == (413, True)


@pytest.mark.parametrize(
    ("text", "client_id", "words"),
    [
        ("", "m", "empty"),
        (" \n\t\u2003\u00a0", "m", "empty"),
        ("hi", "", "1 to 64"),
        ("hi", "m" * 65, "1 to 64"),
    ],
)
def test_refused(text: str, client_id: str, words: str):
    with pytest.raises(Rejected, match=words) as caught:
        channel().normalize(payload(text, client_id), now_s=NOW)
    assert caught.value.status == 422


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\x1b[31mred", "\udc80", "\r\n\x7f", "\u202egnp.exe"])
def test_control_characters_pass_unchanged_to_the_store(text: str):
    (message,) = channel().normalize(payload(f"{text}!", "m" * 64), now_s=NOW)
    assert message.text == f"{text}!"
