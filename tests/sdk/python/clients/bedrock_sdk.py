"""boto3 against `/model/{model}/converse` and `/converse-stream`."""

import base64
import json
import os
from contextlib import contextmanager
from functools import partial
from unittest import mock

import boto3
from bedrock import gather
from botocore import eventstream
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from model import CASES, Answer, Call, Usage

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tools",
    "content_filtered": "filter",
    "guardrail_intervened": "filter",
}
REGION = "us-east-1"
VARIABLE = "AWS_BEARER_TOKEN_BEDROCK"


class Client:
    """boto3's client with a bearer key, which it takes from the environment, now and at each call, or with credentials that it signs with."""

    def __init__(self, url, key=None):
        # It sends keys over TLS only.
        tls = os.environ.get("LOCKGATE_TLS_URL") if key else None
        key = key if tls else None
        config = Config(retries={"total_max_attempts": 1}, read_timeout=30)
        credentials = {} if key else {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "secret"}
        self.key = key
        arguments = {"endpoint_url": tls or url, "region_name": REGION, "config": config} | credentials
        arguments["verify"] = os.environ.get("LOCKGATE_CA")
        self.sdk = self.call(partial(boto3.client, "bedrock-runtime"), arguments)
        self.exceptions, self.events = self.sdk.exceptions, self.sdk.meta.events

    def converse(self, **arguments):
        return self.call(self.sdk.converse, arguments)

    def converse_stream(self, **arguments):
        return self.call(self.sdk.converse_stream, arguments)

    def count_tokens(self, **arguments):
        return self.call(self.sdk.count_tokens, arguments)

    def call(self, operation, arguments):
        with mock.patch.dict(os.environ):
            os.environ.pop(VARIABLE, None)
            if self.key:
                os.environ[VARIABLE] = self.key
            return operation(**arguments)


class BedrockClient:
    name = "bedrock"
    api_error = (ClientError, EventStreamError, eventstream.ParserError)
    # The service refuses unknown callers as it refuses unwelcome ones.
    statuses = {"authentication": [403]}

    def __init__(self, url, key):
        self.sdk = Client(url, key)
        named = self.sdk.exceptions
        self.errors = {
            "bad_request": named.ValidationException,
            "authentication": named.AccessDeniedException,
            "not_found": named.ResourceNotFoundException,
            "rate_limit": named.ThrottlingException,
            "internal": ClientError,
            "any": ClientError,
        }

    def ask(self, ask):
        with self.sending(ask):
            response = self.sdk.converse(**arguments(ask))
        return answer(response["output"]["message"]["content"], response["stopReason"], response["usage"])

    def stream(self, ask, strict=True):
        with self.sending(ask):
            events = self.sdk.converse_stream(**arguments(ask))["stream"]
        with told():
            return collect(events, strict)

    @contextmanager
    def pieces(self, ask):
        stream = self.sdk.converse_stream(**arguments(ask))["stream"]
        deltas = (event["contentBlockDelta"]["delta"] for event in stream if "contentBlockDelta" in event)
        try:
            yield (delta["text"] for delta in deltas if "text" in delta)
        finally:
            stream.close()

    @contextmanager
    def sending(self, ask):
        """Replaces members behind the SDK's own validation, and gives errors what those of other SDKs have."""
        hook = "before-call.bedrock-runtime"

        def replace(params, **_):
            params["body"] = json.dumps(json.loads(params["body"]) | ask.body).encode()

        if ask.body:
            self.sdk.events.register(hook, replace)
        try:
            with told():
                yield
        finally:
            self.sdk.events.unregister(hook, replace)

    @staticmethod
    def code(error):
        return error.response["Error"]["Code"]


@contextmanager
def told():
    try:
        yield
    except ClientError as error:
        error.status_code = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        error.message = error.response["Error"]["Message"]
        raise


def arguments(ask):
    out = {"modelId": ask.model, "messages": [message(*turn) for turn in ask.turns], "inferenceConfig": {"maxTokens": 4096}}
    if ask.system:
        out["system"] = [{"text": ask.system}]
    # This dialect cannot say that no tool may be called: its clients then offer none.
    if ask.tools and ask.choice != "none":
        specs = [
            {"toolSpec": {"name": name, "description": tool["description"], "inputSchema": {"json": tool["schema"]}}}
            for name, tool in ask.tools.items()
        ]
        words = {None: {}, "auto": {"auto": {}}, "required": {"any": {}}}
        choice = words.get(ask.choice, {"tool": {"name": ask.choice}})
        out["toolConfig"] = {"tools": specs} | ({"toolChoice": choice} if choice else {})
    if ask.schema:
        structure = {"jsonSchema": {"schema": json.dumps(ask.schema), "name": "answer"}}
        out["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
    if ask.think:
        out["additionalModelRequestFields"] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    return out


def message(kind, value):
    match kind:
        case "image":
            image = {"image": {"format": "png", "source": {"bytes": base64.b64decode(CASES["png"])}}}
            return {"role": "user", "content": [image, {"text": value}]}
        case "answer":
            return {"role": "assistant", "content": value.native}
        case "results":
            blocks = [{"toolResult": {"toolUseId": call.id, "content": [{"text": result}]}} for call, result in value]
            return {"role": "user", "content": blocks}
        case role:
            return {"role": role, "content": [{"text": value}]}


def answer(blocks, reason, usage):
    thoughts = [block["reasoningContent"] for block in blocks if "reasoningContent" in block]
    cited = [piece["text"] for block in blocks for piece in block.get("citationsContent", {}).get("content", [])]
    calls = [block["toolUse"] for block in blocks if "toolUse" in block and block["toolUse"].get("type") != "server_tool_use"]
    read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    return Answer(
        text="".join([block["text"] for block in blocks if "text" in block] + cited),
        reasoning="".join(thought.get("reasoningText", {}).get("text", "") for thought in thoughts),
        signed=bool(thoughts) and all(thought.get("reasoningText", {"signature": 1}).get("signature") for thought in thoughts),
        calls=[Call(call["toolUseId"], call["name"], call["input"]) for call in calls],
        raw_finish=reason,
        finish=FINISH.get(reason, reason and "other"),
        usage=Usage(usage["inputTokens"] + read + written, usage["outputTokens"], read, 0, usage["totalTokens"]),
        native=blocks,
    )


def collect(events, strict):
    """Puts a stream together as boto3's users do. `strict` checks the order that they rely on."""
    blocks, reason, usage, order = {}, None, None, []
    for event in events:
        [(kind, said)] = event.items()
        order.append((kind, said.get("contentBlockIndex")))
        match kind:
            case "contentBlockStart":
                blocks[said["contentBlockIndex"]] = {name: dict(value) for name, value in said["start"].items()}
            case "contentBlockDelta":
                gather(blocks.setdefault(said["contentBlockIndex"], {}), said["delta"])
            case "messageStop":
                reason = said["stopReason"]
            case "metadata":
                usage = said["usage"]
    if strict:
        check_order(order)
    whole = [blocks[index] for index in sorted(blocks)]
    for block in whole:
        if isinstance(call := block.get("toolUse"), dict):
            call["input"] = json.loads(call.get("input") or "{}")
    return answer(whole, reason, usage)


def check_order(order):
    """A start, blocks one after another and numbered from 0, the stop, the counts."""
    assert order[0][0] == "messageStart"
    assert [kind for kind, _ in order[-2:]] == ["messageStop", "metadata"]
    opened, current = 0, None
    for kind, index in order[1:-2]:
        if current is None:
            assert kind in ("contentBlockStart", "contentBlockDelta") and index == opened
            opened, current = opened + 1, index
        assert index == current, f"{kind} of {index} while {current} is open"
        if kind == "contentBlockStop":
            current = None
    assert current is None, "the message ends after its blocks"
