"""Settings of the desk's own letters."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.mail import Mail


def test_half_of_a_mail_server_is_refused() -> None:
    assert Mail().host == ""
    for values, words in (
        ({"host": "smtp.example"}, "sender"),
        ({"host": "smtp.example", "sender": "d@s.example", "password": "x"}, "user"),
        ({"host": "smtp.example", "sender": "d@s.example", "user": "d", "security": "none"}, "clear"),
    ):
        with pytest.raises(ValidationError, match=words):
            Mail.model_validate(values)
