import re
from urllib.parse import parse_qs, urlsplit

import pytest

from server.auth import totp

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890", of RFC 6238, appendix B


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ],
)
def test_codes_are_those_of_the_standard(at_s: int, code: str):
    assert totp.code_at(RFC_SECRET, at_s // totp.STEP_S) == code[-6:]


def test_a_code_fits_one_step_around_now_and_only_after_the_used_one():
    secret, now_s = totp.new_secret(), 1_800_000_015.0
    step = int(now_s // totp.STEP_S)
    for off in (-1, 0, 1):
        code = totp.code_at(secret, step + off)
        assert totp.matching_step(secret, code, now_s) == step + off
        assert totp.matching_step(secret, f" {code[:3]} {code[3:]} ", now_s) == step + off
        assert totp.matching_step(secret, code, now_s, used_step=step + off) == 0
    for code in (totp.code_at(secret, step + 2), totp.code_at(secret, step - 2), "", "12345", "é²³456", "0" * 60):
        assert totp.matching_step(secret, code, now_s) == 0


def test_the_enrolment_address_names_issuer_and_account():
    parts = urlsplit(totp.enrolment("ABC", "Müller & Sohn: Shop", "ana@example.com"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/M%C3%BCller%20%26%20Sohn%3A%20Shop%3Aana%40example.com"
    query = parse_qs(parts.query)
    assert query == {
        "secret": ["ABC"],
        "issuer": ["Müller & Sohn: Shop"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_the_picture_is_a_path_of_squares_and_nothing_else():
    side, path = totp.picture(totp.enrolment(totp.new_secret(), "Shop", "ana@example.com"))
    assert 29 <= side <= 97
    squares = re.findall(r"M(\d+) (\d+)h1v1h-1z", path)
    assert "".join(f"M{x} {y}h1v1h-1z" for x, y in squares) == path
    assert {min(int(x) for x, _ in squares), min(int(y) for _, y in squares)} == {totp.QUIET}
    assert max(int(x) for x, _ in squares) == side - totp.QUIET - 1


def test_recovery_codes_are_many_long_and_read_whatever_way_they_are_typed():
    codes = totp.recovery_codes()
    assert len(set(codes)) == totp.RECOVERY_CODES
    assert all(re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", code) for code in codes)
    assert totp.plain(f" {codes[0].lower().replace('-', ' ')} ") == codes[0].replace("-", "")
