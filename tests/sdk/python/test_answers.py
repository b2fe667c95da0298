"""Every case of `cases.json` for each client SDK and each face of the `sim` provider, whole and streamed."""

import json
from dataclasses import replace

import openai
import pytest
from conftest import DIALECTS
from model import CASES, Ask, schema_errors
from pydantic import BaseModel

TABLE = [
    pytest.param(case, client, face, streamed, id=f"{case['name']}-{client}-sim-{face}-{'stream' if streamed else 'unary'}")
    for case in CASES["answers"]
    for client in case.get("clients", DIALECTS)
    for face in case.get("faces", DIALECTS)
    for streamed in (False, True)
]


def ask_of(case, face):
    ask = case["ask"]
    tools = {name: CASES["tools"][name] for name in ask.get("tools", [])}
    turns = [tuple(turn) for turn in ask["turns"]]
    return Ask(f"sim-{face}/{case['model']}", turns, **{k: v for k, v in ask.items() if k not in ("turns", "tools")}, tools=tools)


@pytest.mark.parametrize(("case", "client", "face", "streamed"), TABLE)
def test_answer(case, client, face, streamed, client_of):
    sdk = client_of(client)
    fetch = sdk.stream if streamed else sdk.ask
    ask = ask_of(case, face)
    answer = fetch(ask)
    check(answer, case["expect"], ask, client)
    if then := case.get("then"):
        results = [("results", list(zip(answer.calls, then["results"], strict=True)))] if "results" in then else []
        more = results or [("user", then["user"])]
        following = replace(ask, turns=[*ask.turns, ("answer", answer), *more])
        check(fetch(following), then["expect"], following, client)


def check(answer, expect, ask, client):
    # Not every dialect has a word for every end.
    assert answer.finish in expect.get("finish_of", {}).get(client, expect["finish"]).split("|"), answer
    if "text" in expect:
        assert answer.text == expect["text"]
    for part in expect.get("text_has", []):
        assert part in answer.text
    assert len(answer.text) >= expect.get("text_min", 0)
    if "reasoning" in expect:
        assert answer.reasoning == expect["reasoning"]
    assert expect.get("reasoning_has", "") in answer.reasoning
    # Chat, Cohere and Ollama have no place for a signature of their own, and Ollama's models give none.
    if expect.get("signed") and client in ("anthropic", "gemini") and "sim-ollama" not in ask.model:
        assert answer.signed, "reasoning carries a signature"
    assert [call.name for call in answer.calls] == expect.get("calls", [])
    assert len({call.id for call in answer.calls} - {""}) == len(answer.calls), "calls have ids of their own"
    for call in answer.calls:
        assert not schema_errors(call.args, ask.tools[call.name]["schema"])
    if expect.get("json"):
        assert not schema_errors(json.loads(answer.text), ask.schema)
    usage = answer.usage
    assert usage, "usage is always there"
    assert usage.input > 0
    assert usage.output > 0 or not (answer.text or answer.calls)
    assert usage.total in (None, usage.input + usage.output)
    assert usage.reasoning <= usage.output


@pytest.mark.parametrize("face", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("model", ["echo", "think+echo", "length"])
def test_usage_is_the_same_whole_and_streamed(model, client, face, client_of):
    ask = Ask(f"sim-{face}/{model}", [("user", "How much was it?")], think=True)
    sdk = client_of(client)
    assert sdk.ask(ask).usage == sdk.stream(ask).usage


@pytest.mark.parametrize("face", DIALECTS)
@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}], ids=["unasked", "refused"])
def test_chat_usage_comes_only_when_asked(face, options, client_of):
    messages = [{"role": "user", "content": "one two three"}]
    sdk = client_of("openai").sdk
    chunks = list(sdk.chat.completions.create(model=f"sim-{face}/echo", messages=messages, stream=True, **options))
    assert all(len(chunk.choices) == 1 for chunk in chunks), "simple clients index `choices[0]`"
    assert not any(chunk.usage for chunk in chunks)


@pytest.mark.parametrize("face", DIALECTS)
def test_openai_helpers_take_the_stream(face, client_of):
    """`.stream()` and `.parse()` are pickier than the plain calls: they join pieces by index and check the end."""
    sdk = client_of("openai").sdk
    tools = [openai.pydantic_function_tool(Weather, name=name) for name in ("here", "there")]
    messages = [{"role": "user", "content": "Both."}]
    with sdk.chat.completions.stream(model=f"sim-{face}/parallel", messages=messages, tools=tools) as stream:
        message = stream.get_final_completion().choices[0].message
    assert [call.function.name for call in message.tool_calls] == ["here", "there"]
    assert all(isinstance(call.function.parsed_arguments, Weather) for call in message.tool_calls)
    parsed = sdk.chat.completions.parse(model=f"sim-{face}/json", messages=messages, response_format=Weather)
    assert isinstance(parsed.choices[0].message.parsed, Weather)


@pytest.mark.parametrize("face", DIALECTS)
def test_anthropic_helper_parses(face, client_of):
    sdk = client_of("anthropic").sdk
    messages = [{"role": "user", "content": "Parse it."}]
    parsed = sdk.messages.parse(model=f"sim-{face}/json", max_tokens=99, messages=messages, output_format=Weather)
    assert isinstance(parsed.parsed_output, Weather)


@pytest.mark.parametrize("face", DIALECTS)
def test_gemini_helper_parses(face, client_of):
    config = {"response_mime_type": "application/json", "response_schema": Weather}
    answer = client_of("gemini").sdk.models.generate_content(model=f"sim-{face}/json", contents="Parse it.", config=config)
    assert isinstance(answer.parsed, Weather)


class Weather(BaseModel):
    city: str
    days: int
