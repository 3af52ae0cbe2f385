import inspect

import pytest

from models import chat
from models.chat import LLM, ModelBusy, ModelError, ModelRefused, ModelTimeout, QuestionTooLong
from models.vllm import VLLM


def test_every_error_is_a_model_error_and_stands_in_the_tree():
    errors = [value for value in vars(chat).values() if inspect.isclass(value) and issubclass(value, Exception)]
    assert len(errors) == 8
    for error in errors:
        assert issubclass(error, ModelError)
        assert error.__name__ in (chat.__doc__ or "")


def test_errors_carry_what_the_caller_needs():
    assert ModelBusy("full", 3.0).retry_after_s == 3.0
    timeout = ModelTimeout("gap", 10)
    assert timeout.stage == "gap"
    assert "gap" in str(timeout)
    assert "10 s" in str(timeout)
    too_long = QuestionTooLong(2_100, 1_792)
    assert isinstance(too_long, ModelRefused)
    assert (too_long.needed_tokens, too_long.limit_tokens, too_long.status) == (2_100, 1_792, 400)


def test_the_client_speaks_the_protocol():
    client: LLM = VLLM("http://127.0.0.1:1/v1")
    assert inspect.signature(client.chat).parameters.keys() == inspect.signature(LLM.chat).parameters.keys() - {"self"}


def test_messages_are_values():
    with pytest.raises(AttributeError):
        chat.ChatMessage("user", "hi").content = "other"  # type: ignore[misc]
