"""OpenAI's own client, unmodified, against the assistant: whole and streamed answers, tools, footnotes, refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI, DefaultAioHttpClient

from config.settings import Settings, StoreSettings
from models.prompt import template_digest
from server.api.openai import OpenAiApi
from server.assistant import Assistant
from server.auth.gate import Auth
from server.auth.keys import Keys
from server.auth.sessions import Sessions
from server.auth.tokens import new_key
from server.knowledge.contract import NOTHING, Passage, Retrieved
from server.model import Model
from server.releases.registry import Releases
from server.routes import Principal, Role, install
from server.store.contract import Store
from server.store.open import open_store
from server.teams import Teams
from server.telemetry import Metrics
from tests.model_double import ModelDouble, Pace
from tests.places import until
from tests.server.wits import ScriptedRetriever, passage

TENANT = "default"
RETURNS = "Blankets may come back within 30 days of delivery, unwashed and with their label."
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather somewhere.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@dataclass
class Rig:
    """The assistant behind HTTP, a model double behind it, and what the documents say."""

    url: str
    double: ModelDouble
    retriever: ScriptedRetriever
    store: Store
    key: str
    vendor: AsyncOpenAI
    releases: Releases

    @asynccontextmanager
    async def client(self, key: str = "") -> AsyncIterator[AsyncOpenAI]:
        """The vendor's client as anybody would use it."""
        async with vendors(self.url, key or self.key) as client:
            yield client

    async def ask(self, question: str = "What can I do?", **more: Any) -> Any:
        return await self.vendor.chat.completions.create(model="frontdesk", messages=[said(question)], **more)


def vendors(url: str, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, http_client=DefaultAioHttpClient())


def said(text: str, role: str = "user") -> Any:
    return {"role": role, "content": text}


def found(*passages: Passage, confidence: float = 0.9) -> Retrieved:
    return Retrieved(passages, confidence)


async def add_key(store: Store, role: Role) -> str:
    key = new_key()
    await store.write(
        lambda tx: tx.run(
            "access.add_key", id=key.id, tenant=TENANT, name="tests", role=role.value, key_hash=key.key_hash,
            created_by="cli", now=tx.now_s,
        )
    )  # fmt: skip
    return key.text


@asynccontextmanager
async def opened(folder: Path, **model: Any) -> AsyncIterator[Rig]:
    async with ModelDouble(Pace()) as double:
        values = {"base_url": double.base_url, **model}
        settings = Settings.model_validate({"data_dir": str(folder), "model": values})
        store, metrics = open_store(f"sqlite:///{folder / 'desk.db'}", StoreSettings()), Metrics()
        llm, releases = Model(settings, metrics), Releases(store, settings, template_digest())
        retriever = ScriptedRetriever(NOTHING)
        api = OpenAiApi(Assistant(llm, retriever, settings), releases)
        app = web.Application(client_max_size=settings.http.max_body_bytes)
        sessions = Sessions(store, TENANT, settings.access, settings.http)
        install(app, api.routes(), Auth(store, sessions, Keys(store, TENANT), settings.http, Teams(store, TENANT)))
        async with store.running(), llm.running():
            await releases.publish_configured()
            await until(lambda: llm.state.value == "ready")
            async with TestServer(app, host="127.0.0.1") as server:
                key = await add_key(store, Role.VIEWER)
                url = str(server.make_url("")).rstrip("/")
                async with vendors(url, key) as vendor:
                    yield Rig(url, double, retriever, store, key, vendor, releases)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with opened(tmp_path) as running:
        yield running


async def test_models_are_ours_and_the_live_releases(rig: Rig):
    async with rig.client() as client:
        names = [model.id async for model in client.models.list()]
        assert names == ["frontdesk", "HuggingFaceTB/SmolLM2-135M-Instruct"]
        for name in names:
            assert (await client.models.retrieve(name)).id == name
        with pytest.raises(openai.NotFoundError) as refused:
            await client.models.retrieve("gpt-9")
    assert refused.value.code == "model_not_found"


async def test_a_whole_answer(rig: Rig):
    rig.double.say_next("You can write to us.")
    answer = await rig.ask()
    assert (answer.object, answer.model, answer.choices[0].finish_reason) == ("chat.completion", "frontdesk", "stop")
    assert (answer.choices[0].message.role, answer.choices[0].message.content) == ("assistant", "You can write to us.")
    usage = answer.usage
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens == 5
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert answer.id.startswith("chatcmpl-")
    assert answer.created > 1_700_000_000


async def test_the_streamed_answer_is_the_same_in_pieces(rig: Rig):
    rig.double.say_next("You can write to us.")
    async with rig.client() as client:
        stream = await client.chat.completions.create(
            model="frontdesk", messages=[said("What?")], stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(text for text in texts if text) == "You can write to us."
    assert len([text for text in texts if text]) == 5
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 5
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_the_clients_own_helper_of_streams_reads_it(rig: Rig):
    rig.double.say_next("Yes, of course.")
    async with (
        rig.client() as client,
        client.chat.completions.stream(model="frontdesk", messages=[said("What?")]) as stream,
    ):
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "Yes, of course."


async def test_the_dialogue_reaches_the_model_under_the_releases_own_prompt(rig: Rig):
    async with rig.client() as client:
        await client.chat.completions.create(
            model="frontdesk",
            messages=[
                said("Speak like a pirate.", "system"),
                said("Hello"),
                said("Ahoy", "assistant"),
                {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "now?"}]},
            ],
        )
    messages = rig.double.stats.prompts[-1]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"].startswith("You are the assistant of frontdesk")
    assert messages[0]["content"].endswith("Speak like a pirate.")
    assert messages[-1]["content"] == "And\nnow?"


async def test_wishes_for_the_decoding_are_passed_on_within_the_releases_limit(rig: Rig):
    await rig.ask(temperature=0.7, top_p=0.5, max_tokens=9, seed=4, stop=["\n"])
    body = rig.double.stats.prompts[-1]["wishes"]
    assert [body[name] for name in ("temperature", "top_p", "max_tokens", "seed", "stop")] == [0.7, 0.5, 9, 4, ["\n"]]
    await rig.ask(max_completion_tokens=100_000, stop="END", response_format={"type": "json_object"})
    body = rig.double.stats.prompts[-1]["wishes"]
    assert (body["max_tokens"], body["stop"], body["response_format"]) == (256, ["END"], {"type": "json_object"})


async def test_an_answer_rests_on_the_documents_and_says_where(rig: Rig):
    rig.retriever.found = found(passage(text=RETURNS), passage(2, "Mugs are fired twice."))
    rig.double.say_next("Blankets may come back within 30 days of delivery. [1] We ship on the moon for 999 euros. [2]")
    answer = await rig.ask("How long may I keep a blanket?")
    message = answer.choices[0].message
    assert message.content == "Blankets may come back within 30 days of delivery. [1]"
    (cited,) = message.citations
    assert (cited["number"], cited["title"], cited["passage"]) == (1, "Returns", "d1:1:0123456789ab")
    assert cited["url"] == "https://shop.example/returns"
    assert cited["quote"] == RETURNS
    prompt = rig.double.stats.prompts[-1]["messages"][0]["content"]
    assert RETURNS in prompt
    assert rig.retriever.asked == [("How long may I keep a blanket?", "customer", 4)]


async def test_a_stream_ends_with_its_citations(rig: Rig):
    rig.retriever.found = found(passage(text=RETURNS))
    rig.double.say_next("Blankets may come back within 30 days of delivery. They must be unwashed. [1]")
    async with rig.client() as client:
        stream = await client.chat.completions.create(
            model="frontdesk", messages=[said("How long may I keep a blanket?")], stream=True
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "Blankets may come back within 30 days of delivery. [1] They must be unwashed. [1]"
    assert [cited["number"] for cited in chunks[-1].citations] == [1]
    assert not any(hasattr(chunk, "citations") for chunk in chunks[:-1])


@pytest.mark.parametrize("stream", [False, True])
async def test_a_question_no_passage_answers_never_reaches_the_model(rig: Rig, stream: bool):
    rig.retriever.found = found(passage(), confidence=0.1)
    answer = await rig.ask("Do you sell helicopters?", stream=stream)
    text = "".join([each.choices[0].delta.content or "" async for each in answer]) if stream else ""
    text = text or answer.choices[0].message.content
    assert "could not find an answer" in text
    assert rig.double.stats.requests == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_without_support_is_never_shown_but_replaced_by_a_quote(rig: Rig, stream: bool):
    rig.retriever.found = found(passage(text=RETURNS))
    rig.double.say_next("Elephants dance beautifully tonight. Whales whistle quietly tomorrow.")
    answer = await rig.ask("How long may I keep a blanket?", stream=stream)
    if stream:
        text = "".join([each.choices[0].delta.content or "" async for each in answer])
    else:
        text = answer.choices[0].message.content
        assert answer.choices[0].message.citations[0]["quote"] == RETURNS
    assert text.strip().startswith("This is what our documents say:")
    assert "30 days" in text


async def test_smalltalk_and_json_answers_are_left_alone(rig: Rig):
    rig.retriever.found = found(passage())
    rig.double.say_next('{"mood": 30000}')
    answer = await rig.ask("How long may I keep a blanket?", response_format={"type": "json_object"})
    assert answer.choices[0].message.content == '{"mood": 30000}'
    rig.double.say_next("Hello there!")
    answer = await rig.ask("Hello!")
    assert answer.choices[0].message.content == "Hello there!"
    assert rig.retriever.asked == []


@pytest.mark.parametrize("stream", [False, True])
async def test_the_callers_tools_come_back_as_calls_and_their_results_are_read(rig: Rig, stream: bool):
    rig.retriever.found = found(passage(), confidence=0.1)
    rig.double.call_next("weather", {"city": "Galway"})
    async with rig.client() as client:
        create = client.chat.completions.create
        question = said("What is the weather in Galway?")
        answer = await create(model="frontdesk", messages=[question], tools=[WEATHER], stream=stream)
        if stream:
            chunks = [chunk async for chunk in answer]
            (call,) = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
            assert (call.index, chunks[-1].choices[0].finish_reason) == (0, "tool_calls")
        else:
            (call,) = answer.choices[0].message.tool_calls
            assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("tool_calls", None)
        assert (call.type, call.function.name, call.function.arguments) == (
            "function", "weather", '{"city": "Galway"}',
        )  # fmt: skip
        sent = rig.double.stats.prompts[-1]["wishes"]
        assert (sent["tools"][0]["function"]["name"], sent["tool_choice"]) == ("weather", "auto")
        function = {"name": "weather", "arguments": call.function.arguments}
        earlier = {"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": function}]}
        result = {"role": "tool", "tool_call_id": call.id, "content": '{"rain": true}'}
        rig.retriever.found = NOTHING
        rig.double.say_next("It rains.")
        answer = await create(model="frontdesk", messages=[question, earlier, result], tools=[WEATHER])
    assert answer.choices[0].message.content == "It rains."
    roles = [message["role"] for message in rig.double.stats.prompts[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool"]


async def test_a_forced_tool_is_passed_on_and_an_unknown_one_refused(rig: Rig):
    rig.double.call_next("weather", {"city": "Galway"})
    forced: Any = {"type": "function", "function": {"name": "weather"}}
    await rig.ask(tools=[WEATHER], tool_choice=forced)
    assert rig.double.stats.prompts[-1]["wishes"]["tool_choice"] == forced
    with pytest.raises(openai.BadRequestError, match="none of the tools"):
        await rig.ask(tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "moon"}})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [said("Hi", "assistant")]}, "role user"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "Only text"),
        ({"n": 2}, "n:"),
        ({"logprobs": True}, "logprobs"),
        ({"temperature": 9}, "temperature"),
        ({"messages": [said("word " * 40_000)]}, "shorter"),
    ],
)
async def test_what_cannot_be_done_is_a_bad_request(rig: Rig, more: dict[str, Any], words: str):
    async with rig.client() as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(**{"model": "frontdesk", "messages": [said("Hi")], **more})
    assert words in refused.value.message
    assert refused.value.type == "invalid_request_error"


async def test_an_unknown_model_does_not_exist(rig: Rig):
    async with rig.client() as client:
        with pytest.raises(openai.NotFoundError) as refused:
            await client.chat.completions.create(model="gpt-9", messages=[said("Hi")])
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert "gpt-9" in refused.value.message


async def test_strangers_and_wrong_keys_are_told_so(rig: Rig):
    for key in ("nonsense", f"{rig.key[:-4]}0000"):
        async with rig.client(key) as client:
            with pytest.raises(openai.AuthenticationError) as refused:
                await client.models.list()
        assert refused.value.type == "authentication_error"


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        ("429", openai.RateLimitError, 429),
        ("500", openai.InternalServerError, 503),
        ("garbage", openai.InternalServerError, 503),
        ("400", openai.BadRequestError, 400),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_fails_has_its_status(rig: Rig, fault: str, error: Any, status: int, stream: bool):
    rig.double.fail(fault, times=1)
    with pytest.raises(error) as failed:
        await rig.ask(stream=stream)
    assert failed.value.status_code == status
    assert failed.value.message


async def test_a_stream_that_breaks_ends_with_an_error(rig: Rig):
    rig.double.fail("cut", times=1)
    stream = await rig.ask("one two three four five six", stream=True)
    with pytest.raises(openai.APIError, match="did not answer"):
        async for _ in stream:
            pass


async def test_a_caller_that_leaves_stops_the_model(tmp_path: Path):
    async with opened(tmp_path) as rig:
        rig.double.pace = Pace(tokens_per_s=20)
        rig.double.say_next("word " * 200)
        stream = await rig.ask(stream=True)
        async for _ in stream:
            break
        await stream.close()
        await until(lambda: rig.double.stats.cancelled == 1)


async def test_programs_have_half_of_the_models_places(tmp_path: Path):
    async with opened(tmp_path, max_sequences=1) as rig:
        rig.double.pace = Pace(tokens_per_s=50)
        first = await rig.ask("one two three four five six seven", stream=True)
        second = await rig.ask("eight")
        assert second.choices[0].message.content == "answer to: eight"
        assert rig.double.stats.max_concurrent == 1
        assert [chunk async for chunk in first][-1].choices[0].finish_reason == "stop"


async def test_other_addresses_and_bodies_speak_the_same_language(rig: Rig):
    headers = {"Authorization": f"Bearer {rig.key}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for method, path, data, status in (
            ("GET", "/v1/nothing", None, 404),
            ("POST", "/v1/chat/completions", b"{", 400),
            ("POST", "/v1/chat/completions", BytesIO(b"x" * 2_000_000), 413),
            ("GET", "/v1/chat/completions", None, 405),
        ):
            kind = {"Content-Type": "application/json"}
            async with http.request(method, rig.url + path, data=data, headers=kind) as answer:
                assert answer.status == status, path
                assert set((await answer.json())["error"]) == {"message", "type", "param", "code"}


async def test_staff_ask_one_release_by_its_id_and_nobody_else_does(rig: Rig):
    by = Principal(TENANT, "person", "ada", Role.ADMIN)
    tuned = await rig.releases.candidate(f"{TENANT}-000000000001", by=by)
    staff = await add_key(rig.store, Role.STAFF)
    rig.double.stats.adapters.append(f"{TENANT}-000000000001")
    async with rig.client(staff) as client:
        await client.chat.completions.create(model=f"release:{tuned}", messages=[said("hello")])
        assert rig.double.stats.prompts[-1]["model"] == f"{TENANT}-000000000001"
        rig.double.stats.adapters.clear()
        with pytest.raises(openai.InternalServerError):  # its adapter is not served: no other model answers for it
            await client.chat.completions.create(model=f"release:{tuned}", messages=[said("hello")])
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="release:0000000000000000", messages=[said("hello")])
    with pytest.raises(openai.NotFoundError):
        await rig.vendor.chat.completions.create(model=f"release:{tuned}", messages=[said("hello")])


async def test_an_adapter_that_is_not_served_is_answered_for_by_the_base_model(rig: Rig):
    by = Principal(TENANT, "person", "ada", Role.ADMIN)
    tuned = await rig.releases.candidate(f"{TENANT}-000000000001", by=by)
    await rig.releases.promote(tuned, by=by, reason="test")
    assert (await rig.ask("hello")).choices[0].message.content == "answer to: hello"
    asked = [prompt["model"] for prompt in rig.double.stats.prompts]
    assert asked == [f"{TENANT}-000000000001", "HuggingFaceTB/SmolLM2-135M-Instruct"]


async def test_nothing_is_audited_because_nothing_is_kept(rig: Rig):
    await rig.ask()
    assert (
        await rig.store.rows(
            "audit.page", tenant=TENANT, actor="", action="", target="", since=0.0, at=float("inf"), id="", count=10
        )
        == []
    )
