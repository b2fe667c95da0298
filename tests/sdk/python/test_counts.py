"""Each SDK that counts tokens, at providers that count and at one that does not."""

import base64
import json

import pytest
from clients.bedrock_sdk import Client as Boto

SYSTEM, SAID = "Be brief.", "How are you?"
WHOSE = "x-lockgate-token-count"
# Who has a counter, and so gives numbers of its own.
COUNTING = ["anthropic", "gemini", "openai-responses", "bedrock"]
MESSAGES = [{"role": "user", "content": SAID}]


def anthropic(sdk, model):
    raw = sdk.messages.with_raw_response.count_tokens(model=model, system=SYSTEM, messages=MESSAGES)
    return raw.parse().input_tokens, raw.headers[WHOSE]


def gemini(sdk, model):
    counted = sdk.models.count_tokens(model=model, contents=SAID)
    return counted.total_tokens, counted.sdk_http_response.headers[WHOSE]


def responses(sdk, model):
    raw = sdk.responses.input_tokens.with_raw_response.count(model=model, instructions=SYSTEM, input=SAID)
    counted = raw.parse()
    assert counted.object == "response.input_tokens"
    return counted.input_tokens, raw.headers[WHOSE]


def bedrock(sdk, model, counted):
    answer = sdk.count_tokens(modelId=model, input=counted)
    return answer["inputTokens"], answer["ResponseMetadata"]["HTTPHeaders"][WHOSE]


def converse(sdk, model):
    messages = [{"role": "user", "content": [{"text": SAID}]}]
    return bedrock(sdk, model, {"converse": {"system": [{"text": SYSTEM}], "messages": messages}})


def invoke(sdk, model):
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "system": SYSTEM, "messages": MESSAGES}
    return bedrock(sdk, model, {"invokeModel": {"body": json.dumps(body).encode()}})


SDKS = {
    "anthropic": ("anthropic", anthropic),
    "gemini": ("gemini", gemini),
    "openai": ("openai-responses", responses),
    "boto3-converse": ("bedrock", converse),
    "boto3-invoke": ("bedrock", invoke),
}


@pytest.mark.parametrize("name", SDKS)
@pytest.mark.parametrize("face", [*COUNTING, "openai"])
def test_counts_reach_who_counts(name, face, client_of):
    dialect, count = SDKS[name]
    tokens, whose = count(client_of(dialect).sdk, f"sim-{face}/echo")
    assert 5 <= tokens < 30
    assert whose == ("exact" if face in COUNTING else "estimate")


@pytest.mark.parametrize("name", SDKS)
def test_a_provider_that_fails_is_estimated_for(name, client_of):
    dialect, count = SDKS[name]
    tokens, whose = count(client_of(dialect).sdk, "sim-gemini/error=500")
    assert (tokens > 3, whose) == (True, "estimate")


def test_what_boto3_wrote_is_base64(gateway):
    """The form that the tests of the gateway write by hand is the one that boto3 sends."""
    sdk = Boto(gateway)
    sent = []
    sdk.events.register("before-send.bedrock-runtime", lambda request, **_: sent.append(json.loads(request.body)))
    with pytest.raises(sdk.exceptions.AccessDeniedException):
        invoke(sdk, "sim/echo")
    body = json.loads(base64.b64decode(sent[0]["input"]["invokeModel"]["body"]))
    assert body["messages"] == MESSAGES
