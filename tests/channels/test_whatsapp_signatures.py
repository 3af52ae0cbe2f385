"""Our signatures against Twilio's own validator in both directions, and Meta's against hand-made vectors."""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode

import pytest
from multidict import MultiDict
from twilio.request_validator import RequestValidator, get_signature_algorithm

from channels.base import Rejected
from channels.whatsapp import signatures

TOKEN = "12345"
FIELDS = [("To", "whatsapp:+1"), ("Body", "Grüße 📦 & more=1"), ("Body", "twice"), ("Body", "twice"), ("Empty", "")]
URLS = [
    "https://desk.example.com/webhooks/whatsapp",
    "https://desk.example.com:8443/webhooks/whatsapp?part=a%20b&x=1",
    "http://127.0.0.1:8080/webhooks/whatsapp/status?part=1",
    "https://user:word@desk.example.com/webhooks/whatsapp",
    "https://desk.example.com:443/webhooks/whatsapp",
]
META_VECTOR = "sha256=c7f4ae0c22f2146cd13d68711ba6db1b6e26fdb135a65bfd8738101967395db3"
ALGORITHMS = ["HMAC_SHA1", "HMAC_SHA256"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("url", URLS)
def test_what_twilio_signs_we_accept(url: str, algorithm: str) -> None:
    signature = RequestValidator(TOKEN).compute_signature(url, MultiDict(FIELDS), algorithm)
    assert signatures.twilio_signed(TOKEN, url, FIELDS, signature, algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("url", URLS)
def test_what_we_compute_twilio_accepts(url: str, algorithm: str) -> None:
    signature = signatures.twilio_signature(TOKEN, url, FIELDS, algorithm)
    assert RequestValidator(TOKEN).validate(url, MultiDict(FIELDS), signature, algorithm)


@pytest.mark.parametrize("signed", ["https://desk.example.com/w", "https://desk.example.com:443/w"])
@pytest.mark.parametrize("called", ["https://desk.example.com/w", "https://desk.example.com:443/w"])
def test_the_default_port_may_be_written_or_not(signed: str, called: str) -> None:
    signature = RequestValidator(TOKEN).compute_signature(signed, MultiDict(FIELDS))
    assert signatures.twilio_signed(TOKEN, called, FIELDS, signature)


def test_the_fragment_with_retry_settings_is_never_signed() -> None:
    signature = RequestValidator(TOKEN).compute_signature("https://desk.example.com/w", {})
    assert signatures.twilio_signed(TOKEN, "https://desk.example.com/w#rc=5&rp=all", [], signature)


@pytest.mark.parametrize("forged", ["", "x", "ä", "\ud800"])
def test_anything_else_is_refused(forged: str) -> None:
    assert not signatures.twilio_signed(TOKEN, URLS[0], FIELDS, forged)


def test_every_part_is_signed() -> None:
    signature = signatures.twilio_signature(TOKEN, URLS[0], FIELDS)
    assert not signatures.twilio_signed("another", URLS[0], FIELDS, signature)
    assert not signatures.twilio_signed(TOKEN, URLS[0] + "?x", FIELDS, signature)
    assert not signatures.twilio_signed(TOKEN, URLS[0], [*FIELDS, ("NumMedia", "1")], signature)
    assert not signatures.twilio_signed(TOKEN, URLS[0], FIELDS[1:], signature)
    assert not signatures.twilio_signed(TOKEN, URLS[0], FIELDS, signature, "HMAC_SHA256")


@pytest.mark.parametrize(
    "header", ["", "key=WK1", "key=WK1,algorithm=HMAC_SHA256", " algorithm = HMAC_SHA1 ", "algorithm=", "algorithm=MD5"]
)
def test_the_algorithm_is_read_like_the_library_reads_it(header: str) -> None:
    assert signatures.twilio_algorithm(header) == get_signature_algorithm(header).upper()


def test_a_json_body_is_bound_by_its_hash() -> None:
    body = '{"Body":"Grüße"}'.encode()
    url = f"https://desk.example.com/w?bodySHA256={hashlib.sha256(body).hexdigest()}"
    assert signatures.twilio_body_matches(url, body)
    assert not signatures.twilio_body_matches(url, body + b" ")
    assert not signatures.twilio_body_matches("https://desk.example.com/w", body)
    signature = RequestValidator(TOKEN).compute_signature(url, {})
    assert RequestValidator(TOKEN).validate(url, body.decode(), signature)
    assert signatures.twilio_signed(TOKEN, url, [], signature)


def test_forms_are_read_as_they_came() -> None:
    assert signatures.read_form(urlencode(FIELDS).encode()) == FIELDS
    assert signatures.read_form(b"\xff=%ff") == [("�", "�")]
    with pytest.raises(Rejected) as caught:
        signatures.read_form(b"a=1&" * 2_000)
    assert caught.value.status == 413


def test_meta_signs_the_raw_bytes() -> None:
    # echo -n BODY | openssl dgst -sha256 -hmac app-secret
    body = rb'{"text":{"body":"Hi \ud83d\ude00 gr\u00fc\u00dfe https:\/\/x"}}'
    assert signatures.meta_signed("app-secret", body, META_VECTOR)
    assert not signatures.meta_signed("app-secret", '{"text":{"body":"Hi 😀 grüße https://x"}}'.encode(), META_VECTOR)
    assert not signatures.meta_signed("another", body, META_VECTOR)
    for forged in ("", "sha256=", META_VECTOR.removeprefix("sha256="), "sha1=" + META_VECTOR, "ä"):
        assert not signatures.meta_signed("app-secret", body, forged)
