"""Recorded answers, replayed by an upstream of their dialect and read by each SDK through the gateway."""

import json
import re
from functools import partial

import pytest
from conftest import DIALECTS, DIRECT
from model import Ask
from recordings import cases, meaning
from replay import recorded

ALL = cases()
MODES = {True: ["whole", "bytes", "cut1", "cut2"], False: ["whole", "cut1"]}

# Recordings that are not one answer: they prove nothing about meaning.
UNFIT = {
    "anthropic/aisdk-anthropic-programmatic-tool-calling-1": "fifteen messages in one file",
}
# Streams whose answer is over long before the last byte.
ENDS_EARLY = {
    "openai-chat/pai-openai-moderation-stream": "a large chunk of the provider's after finish and usage",
    "bedrock/oll-titan-converse-stream-guardrail": "a long report of the guardrail behind the stop",
}
if DIRECT:
    UNFIT["anthropic/rig-gateway-message-delta-metadata"] = "the SDK takes no `[DONE]`"
ANSWERS = [case for case in ALL if case.meta["status"] == 200 and case.id not in UNFIT]
CUTTABLE = [case for case in ANSWERS if case.stream and case.id not in ENDS_EARLY]
ERRORS = [case for case in ALL if case.meta["status"] >= 400]
# Bytes that the SDK of their own dialect cannot read, and that the gateway passes as they are.
UNREADABLE = {
    "anthropic/rig-gateway-message-delta-metadata": "a `[DONE]` behind the end, which is not this dialect's",
    "gemini/aisdk-google-stream-tool-call-array-arguments-missing-terminal-f": "arguments in pieces, as only Vertex sends them",
    "gemini/oi-gemini-token-counts-streaming": "numbers for enums",
    "gemini/otel-generate-content-with-files": "numbers for enums",
    "openai-chat/oll-chat-content-filtering-0": "a choice without a message",
    "ollama/oll-ollama-async-streaming-generation-legacy": "an answer to the other endpoint",
    "ollama/oll-ollama-generation-legacy": "an answer to the other endpoint",
    "ollama/oll-ollama-streaming-metrics": "an answer to the other endpoint",
}
# What only the recorded dialect can say, so that another client may get an error as well.
UNTRANSLATABLE = {
    "gemini/rl-speech-basic-functionality-gemini-gemini-2-5-flash-preview": "audio output",
    "gemini/pai-multimodal-tool-return-matrix-direct-uploaded-file-video-g-0": "a call of an undeclared tool and nothing else",
}
# Canonical.md section 2.1: each dialect's word to the reason, and the reason to each client's words.
REASON = {
    "openai": {"stop": "stop", "length": "length", "tool_calls": "tools", "function_call": "tools", "content_filter": "filter"},
    "anthropic": {
        "end_turn": "stop", "stop_sequence": "stop_sequence", "max_tokens": "length",
        "tool_use": "tools", "refusal": "filter", "pause_turn": "pause",
    },
    "gemini": {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "filter", "MODEL_ARMOR": "filter", "UNEXPECTED_TOOL_CALL": "bad_call"},
    "bedrock": {"end_turn": "stop", "max_tokens": "length", "tool_use": "tools", "guardrail_intervened": "filter"},
    "openai-responses": {"completed": "stop", "max_output_tokens": "length", "content_filter": "filter"},
    "cohere": {"COMPLETE": "stop", "STOP_SEQUENCE": "stop_sequence", "MAX_TOKENS": "length", "TOOL_CALL": "tools"},
    "ollama": {"stop": "stop", "length": "length"},
}  # fmt: skip
# In the order of the clients: OpenAI, Anthropic, Gemini, Bedrock, Responses, Cohere, Ollama.
WORDS = {
    "stop": ("stop", "end_turn", "STOP", "end_turn", "completed", "COMPLETE", "stop"),
    "stop_sequence": ("stop", "stop_sequence", "STOP", "stop_sequence", "completed", "STOP_SEQUENCE", "stop"),
    "length": ("length", "max_tokens", "MAX_TOKENS", "max_tokens", "max_output_tokens", "MAX_TOKENS", "length"),
    "tools": ("tool_calls", "tool_use", "STOP", "tool_use", "completed", "TOOL_CALL", "stop"),
    "filter": ("content_filter", "refusal", "SAFETY", "content_filtered", "content_filter", "ERROR", "stop"),
    "refusal": ("stop|content_filter", "refusal", "SAFETY", "end_turn|content_filtered", "completed", "COMPLETE|ERROR", "stop"),
    "pause": ("stop", "pause_turn", "STOP|OTHER", "end_turn", "completed", "COMPLETE", "stop"),
    "bad_call": ("stop", "end_turn", "UNEXPECTED_TOOL_CALL", "malformed_tool_use", "failed", "ERROR", "stop"),
    None: ("stop|tool_calls", "end_turn|tool_use", "STOP|OTHER", "end_turn|tool_use", "completed", "COMPLETE|TOOL_CALL", "stop"),
}
# Statuses of the gateway for an upstream's, where they differ.
STATUS = {401: {502}, 402: {502}, 403: {502}, 529: {503, 529}, 500: {500, 502}}
# Gemini says 400 to a wrong key; it is the gateway's own, so the client's is not at fault.
WRONG_KEY = "gemini/rl-error-handling-with-gemini-gemini-2-5-flash-raises-appropr"


def pairs(chosen):
    return [(case, client) for case in chosen for client in DIALECTS if client == case.dialect or not DIRECT]


def named(*params):
    return pytest.param(*params, id="-".join(getattr(param, "id", param) for param in params))


FITTING = [(case, client) for case, client in pairs(ANSWERS) if case.id not in (UNREADABLE if client == case.dialect else {})]


def ask_for(case, mode):
    model = case.model(mode)
    return Ask(model if DIRECT else f"up-{case.dialect}/{model}", [("user", "Hello.")], think=True)


@pytest.mark.parametrize(("case", "client", "mode"), [named(case, client, mode) for case, client in FITTING for mode in MODES[case.stream]])
def test_recorded_answer_keeps_its_meaning(case, client, mode, client_of):
    native = client == case.dialect
    sdk, said = client_of(client), meaning(case)
    fetch = partial(sdk.stream, strict=not native) if case.stream else sdk.ask
    if said.error:
        with pytest.raises(sdk.api_error, match=re.escape(said.error["message"])):
            fetch(ask_for(case, mode))
        return
    try:
        got = fetch(ask_for(case, mode))
    except sdk.api_error:
        if native or case.id not in UNTRANSLATABLE:
            raise
        return
    assert got.text in (said.text, said.text + said.refusal)
    assert [(call.name, call.args) for call in got.calls] == said.calls
    check_finish(case, said, got, client)
    if said.usage:
        check_usage(said.usage, got.usage, client)
    if not native:
        # Thoughts of several parts may be joined by a blank line, or by nothing.
        assert "".join(got.reasoning.split()) == "".join(said.reasoning.split())
        ids = [call.id for call in got.calls]
        assert all(ids) and len(set(ids)) == len(ids), f"calls have ids of their own: {ids}"


def check_finish(case, said, got, client):
    if client == case.dialect:
        assert got.raw_finish == said.raw or not said.raw
        return
    reason = REASON[case.dialect].get(said.raw)
    if reason == "stop" and said.calls:
        reason = "tools"
    if reason in ("stop", "filter") and said.refusal:
        reason = "refusal"
    assert got.raw_finish in WORDS[reason][DIALECTS.index(client)].split("|"), f"{said.raw} is {reason}"


def check_usage(said, got, client):
    # Some recordings count more cached than prompt tokens, more reasoning than completion tokens, or reasoning only in the
    # total; either sum is honest.
    hidden = (said.total or 0) - said.input
    # Ollama's wire counts neither what caches gave nor what was thought apart.
    assert client == "ollama" or got.read in (said.read, min(said.read, said.input))
    assert got.input in (said.input, max(said.input, said.read))
    assert got.output in (said.output, max(said.output, said.reasoning), hidden)
    assert got.total in (None, said.total, got.input + got.output)


@pytest.mark.skipif(DIRECT, reason="SDKs alone take many halves for a whole")
@pytest.mark.parametrize("mode", ["half", "torn"])
@pytest.mark.parametrize(("case", "client"), [named(*pair) for pair in pairs(CUTTABLE)])
def test_half_a_stream_is_no_answer(case, client, mode, client_of):
    """Some SDKs do not notice a missing end, so the gateway must say it. Where bytes pass as they are, half an event may
    have left already, and the SDK trips over that first."""
    sdk = client_of(client)
    with pytest.raises(Exception if client == case.dialect else sdk.api_error):
        sdk.stream(ask_for(case, mode), strict=False)


@pytest.mark.parametrize(("case", "client"), [named(*pair) for pair in pairs(ERRORS)])
@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
def test_recorded_error_is_the_clients_error(case, client, streamed, client_of):
    sdk = client_of(client)
    with pytest.raises(sdk.api_error) as raised:
        (sdk.stream if streamed else sdk.ask)(ask_for(case, "whole"))
    status = getattr(raised.value, "status_code", None) or raised.value.code
    expected = {case.meta["status"]} if DIRECT else STATUS.get(case.meta["status"], {case.meta["status"]})
    assert status in expected if DIRECT or case.id != WRONG_KEY else status == 502
    if status == 502:
        return
    error = case.events()[0]
    error = (error.get("error") or error) if isinstance(error, dict) else None
    # Ollama's errors are their words.
    message = error["message"] if isinstance(error, dict) else error
    if isinstance(message, str):
        assert message in str(raised.value) or message in json.dumps(getattr(raised.value, "body", ""), ensure_ascii=False)


@pytest.mark.skipif(DIRECT, reason="compares the gateway's bytes")
@pytest.mark.parametrize("case", [named(case) for case in ANSWERS])
@pytest.mark.parametrize("mode", ["whole", "cut3"])
def test_native_answer_keeps_its_bytes(case, mode, post):
    status, headers, body = post(case.dialect, *native_request(case, mode, usage=True), case.stream)
    _, kind, sent = recorded(case.path, case.stream)
    # An answer that is nothing but an error is a failed attempt.
    if status >= 400 and meaning(case).error and not meaning(case).text:
        return
    assert status == 200
    assert headers["content-type"].split(";")[0] == kind.split(";")[0]
    assert body == sent


@pytest.mark.skipif(DIRECT, reason="compares the gateway's bytes")
@pytest.mark.parametrize("case", [named(case) for case in ANSWERS if case.stream and case.dialect == "openai"])
def test_uninvited_usage_chunk_is_taken_out(case, post):
    status, _, body = post(case.dialect, *native_request(case, "cut4", usage=False), True)
    assert status == 200
    kept = [event for event in re.split(rb"(?<=\n\n)", recorded(case.path, True)[2]) if not is_usage(event)]
    assert body == b"".join(kept)


def is_usage(event):
    payload = event.removeprefix(b"data:").strip()
    if not payload.startswith(b"{"):
        return False
    value = json.loads(payload)
    return value.get("choices") == [] and bool(value.get("usage"))


def native_request(case, mode, usage):
    model = f"up-{case.dialect}/{case.model(mode)}"
    if case.dialect == "bedrock":
        return model, {"messages": [{"role": "user", "content": [{"text": "Hello."}]}]}
    if case.dialect == "gemini":
        return model, {"contents": [{"role": "user", "parts": [{"text": "Hello."}]}]}
    options = {"stream_options": {"include_usage": True}} if usage and case.stream and case.dialect == "openai" else {}
    if case.dialect == "openai-responses":
        return model, {"model": model, "stream": case.stream, "input": "Hello."}
    body = {"model": model, "max_tokens": 99, "stream": case.stream, "messages": [{"role": "user", "content": "Hello."}]}
    return model, body | options
