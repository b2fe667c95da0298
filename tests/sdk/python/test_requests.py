"""What upstreams of each dialect receive: from the SDKs, and from recorded requests."""

import json

import pytest
import wire
from conftest import DIALECTS
from model import CASES, Ask
from recordings import cases

REQUESTS = [case for case in cases() if case.request and case.meta["status"] == 200]
TURNS = [("user", "One."), ("assistant", "Noted."), ("image", "And this?")]
SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"], "additionalProperties": False}
TOOLS = {name: CASES["tools"][name] for name in ("weather", "ping")}
# Dialects whose requests name the model in the path.
IN_PATH = ("gemini", "bedrock")
STANDARD = str.maketrans("-_", "+/")
# Asks of the SDKs, each with the words that must reach the upstream.
ASKS = {
    "turns": (dict(turns=TURNS, system="Be terse."), ["One.", "Noted.", "And this?", "Be terse.", CASES["png"]]),
    "schema": (dict(turns=TURNS[:1], schema=SCHEMA), ["x"]),
    "tools": (dict(turns=TURNS[:1], tools=TOOLS), ["weather", "ping", "Takes nothing.", "city"]),
    "none": (dict(turns=TURNS[:1], tools=TOOLS, choice="none"), ["none"]),
    "required": (dict(turns=TURNS[:1], tools=TOOLS, choice="required"), ["required|any"]),
    "named": (dict(turns=TURNS[:1], tools=TOOLS, choice="ping"), ["ping"]),
    "think": (dict(turns=TURNS[:1], think=True), []),
}
# Ollama's wire has no choice among tools: what must not be called is not offered, and the rest is the model's.
UNSAID = {"none", "required"}
# Members of recorded requests that another dialect cannot carry: with one of them a 400 is an honest answer.
UNTRANSLATABLE = [
    '"mcp_servers"', '"container', "_20250", "_20260", "_20251", '"server_tool_use"', '"mid_conv', '"cachedContent"', '"cached_content"',
    '"fileData"', '"file_data"', '"fileSearch"', '"googleSearch"', '"codeExecution"', '"urlContext"', '"toolCall"', '"candidateCount"',
    '"n": 2', '"logprobs"', '"input_audio"', '"file_id"', '"video', '"modalities"', '"web_search', '"plugins"', "audio/", '"model_armor',
    '"modelArmorConfig"', '"http://', '"https://', '"url": "http', '"computer', '"advisor', '"functions"', '"document_url"', '"citations"',
    '"tool_choice": "any"', '"responseModalities"', '"openrouter:web_search"', '"background"', '"tool_search', '"file_search"', '"mcp"',
    '"stop"', '"stop_sequences"', '"stopSequences"', '"functions"', '"code_interpreter"', '"item_reference"',
    '"application/pdf"', '"systemTool"',
]  # fmt: skip


def strings(value):
    """All texts of a JSON value, in order."""
    match value:
        case dict():
            return [text for member in value.values() for text in strings(member)]
        case list():
            return [text for item in value for text in strings(item)]
        case str():
            return [value]
    return []


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("name", ASKS)
def test_request_of_an_sdk_is_one_the_upstream_takes(name, client, dialect, streamed, client_of, upstream):
    options, words = ASKS[name]
    model, sdk = f"capture.{client}-{name}", client_of(client)
    (sdk.stream if streamed else sdk.ask)(Ask(f"up-{dialect}/{model}", **options))
    received = upstream.received[model][-1]
    assert (received.dialect, received.stream) == (dialect, streamed)
    if name == "none" and "bedrock" in (client, dialect):
        # It has no word for it: no tools go out.
        words = []
    assert not wire.errors(dialect, received.body)
    # google-genai writes base64 in its URL-safe alphabet, which Gemini takes too.
    said = "\n".join([json.dumps(received.body, ensure_ascii=False), *(s.translate(STANDARD) for s in strings(received.body))])
    for word in words if name not in UNSAID or "ollama" not in (client, dialect) else []:
        assert any(each.lower() in said.lower() for each in word.split("|")), f"{word} is missing"
    assert "sk-test" not in str(received.headers), "the gateway's key stays here"
    assert "sk-up" in str(received.headers), "the provider's key goes out"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in REQUESTS])
def test_recorded_request_is_one_the_upstream_takes(case, dialect, post, upstream):
    model = f"capture.{case.folder}-{case.name}"
    sent = body_for(case, f"up-{dialect}/{model}")
    status, headers, answer = post(case.dialect, f"up-{dialect}/{model}", sent, case.stream)
    if status == 400 and dialect != case.dialect:
        reasons = [member for member in UNTRANSLATABLE if member in json.dumps(sent)]
        assert reasons or begins_without_user(sent), f"refused without need: {answer.decode()}"
        return
    assert status == 200, answer.decode()
    received = upstream.received[model][-1]
    assert received.dialect == dialect
    if dialect == case.dialect:
        check_untouched(case, sent, received, model)
    else:
        assert not wire.errors(dialect, received.body), headers.get("x-lockgate-loss")
        said = "\n".join(strings(received.body))
        missing = [text for text in texts_of_the_user(case, sent) if text.strip() not in said]
        assert not missing, "what the user said reaches the upstream"


def begins_without_user(sent):
    """History that was cut before an assistant's turn: Anthropic takes none, and canonical.md lets it be refused."""
    roles = [turn.get("role", "user") for turn in turns_of(sent)]
    return [role for role in roles if role not in ("system", "developer")][0] != "user"


def body_for(case, model):
    """The recorded body with our model; hosts other than the vendor's own leave the model out."""
    if case.dialect in IN_PATH:
        return case.request
    return case.request | {"model": model, "stream": case.stream} if case.stream else case.request | {"model": model}


def check_untouched(case, sent, received, model):
    """Native lane: members, order and values stay; only the model and the request for usage may differ."""
    expected = sent if case.dialect in IN_PATH else sent | {"model": model}
    got = dict(received.body)
    if case.dialect == "openai" and case.stream:
        assert got["stream_options"]["include_usage"] is True
        expected = {k: v for k, v in expected.items() if k != "stream_options"}
        del got["stream_options"]
    assert json.dumps(got) == json.dumps(expected)


def turns_of(sent):
    turns = sent.get("messages") or sent.get("contents") or sent.get("input") or []
    turns = [{"content": turns}] if isinstance(turns, str) else turns if isinstance(turns, list) else [turns]
    # Items of the Responses API that are no messages are the model's, or answers to it.
    return [turn for turn in turns if turn.get("type", "message") == "message"]


def texts_of_the_user(case, sent):
    found = []
    for turn in turns_of(sent):
        content = turn.get("content") or turn.get("parts") or ""
        if turn.get("role", "user") == "user":
            parts = [content] if isinstance(content, str) else content
            found += [part if isinstance(part, str) else part.get("text") for part in parts]
    return [text for text in found if text]
