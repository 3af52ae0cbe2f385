import asyncio
import threading

import pytest

from server.auth.passwords import Passwords, password_fault
from server.problems import Problem


class WatchedPasswords(Passwords):
    """Notes in which thread the hasher works."""

    def __init__(self) -> None:
        super().__init__(8_192)
        self.threads: set[int] = set()

    def _verify(self, password_hash: str, password: str) -> bool:
        self.threads.add(threading.get_ident())
        return super()._verify(password_hash, password)


async def test_hashes_are_argon2id_and_verify():
    passwords = Passwords(8_192)
    encoded = await passwords.hash("correct horse battery")
    assert encoded.startswith("$argon2id$v=19$m=8192,")
    assert await passwords.verify(encoded, "correct horse battery")
    assert not await passwords.verify(encoded, "correct horse batterY")
    assert not await passwords.verify("not a hash", "x")


async def test_nobody_costs_a_real_hashing_with_the_same_parameters_off_the_loop():
    passwords = WatchedPasswords()
    assert not await passwords.verify(None, "correct horse battery")
    assert passwords.threads
    assert threading.get_ident() not in passwords.threads
    known = await passwords.hash("correct horse battery")
    assert passwords._nobody.split("$")[:4] == known.split("$")[:4]
    assert [len(part) for part in passwords._nobody.split("$")] == [len(part) for part in known.split("$")]
    assert passwords._hasher.check_needs_rehash(passwords._nobody) is False


async def test_old_parameters_are_noticed():
    assert Passwords(16_384).outdated(await Passwords(8_192).hash("correct horse battery"))


async def test_a_flood_of_sign_ins_is_refused_instead_of_queued():
    passwords = Passwords(8_192, waiting=2)
    results = await asyncio.gather(*(passwords.verify(None, "x") for _ in range(12)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Problem)]
    assert refused
    assert all(problem.status == 503 and "Retry-After" in problem.headers for problem in refused)
    assert not await passwords.verify(None, "x")


@pytest.mark.parametrize(
    ("password", "fine"),
    [
        ("correct horse battery", True),
        ("пароль из слов", True),
        ("short", False),
        ("x" * 12, False),
        ("x" * 1_025, False),
        ("Ana.Weber@example.com", False),
        ("ana.weber", False),
    ],
)
def test_password_rules(password: str, fine: bool):
    assert (password_fault(password, "ana.weber@example.com") == "") is fine
