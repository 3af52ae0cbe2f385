from server.thumbs import ANONYMOUS, STAFF, VERIFIED, Thumbs, weigh


def giver(up: int, down: int, kind: str = "customer", verified: int = 0) -> dict:
    return {"giver_kind": kind, "verified": verified, "up": up, "down": down}


def test_everybody_has_one_voice_however_often_they_press() -> None:
    assert weigh([giver(500, 0)]) == weigh([giver(1, 0)]) == Thumbs(ANONYMOUS, 0.0, 1)
    found = weigh([giver(0, 500), *(giver(1, 0) for _ in range(9))])
    assert found.givers == 10
    assert found.bad_share == 0.1


def test_who_is_known_counts_more() -> None:
    assert weigh([giver(1, 0, verified=1)]).good == VERIFIED
    assert weigh([giver(0, 1, kind="staff")]).bad == STAFF
    assert weigh([giver(1, 1)]) == Thumbs(ANONYMOUS / 2, ANONYMOUS / 2, 1)


def test_silence_is_no_share() -> None:
    assert weigh([giver(0, 0)]) == Thumbs()
    assert Thumbs().bad_share == 0.0
