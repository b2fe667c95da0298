"""Bedrock Converse as the tests know it: frames, a canned answer, what recorded answers say, and what the service takes.

Frames are written and read here on their own, so that neither the gateway's reader nor botocore's is the measure of itself.
"""

import base64
import json
import re
import struct
import zlib

import botocore.session
from botocore.validate import ParamValidator
from model import Usage

STREAM_TYPE = "application/vnd.amazon.eventstream"
VERB = {False: "converse", True: "converse-stream"}

# === frames ===


def frame(headers, payload):
    """One frame with text headers."""
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode() for name, value in headers.items()
    )
    prelude = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return body + struct.pack(">I", zlib.crc32(body))


def event(name, payload):
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload).encode())


def carried(sse):
    """A vendor's own stream, as `invoke-with-response-stream` carries it."""
    data = re.findall(rb"^data: ?(.*?)\r?$", sse, re.MULTILINE)
    return [event("chunk", {"bytes": base64.b64encode(each).decode(), "p": "abcdefgh"}) for each in data]


def events(body):
    """The events of a stream: name and payload. Checksums must be right and the last frame whole."""
    found = []
    while body:
        total, head = struct.unpack(">II", body[:8])
        one, body = body[:total], body[total:]
        assert len(one) == total, "the last frame is cut"
        assert zlib.crc32(one[:8]) == struct.unpack(">I", one[8:12])[0], "the checksum of a prelude"
        assert zlib.crc32(one[:-4]) == struct.unpack(">I", one[-4:])[0], "the checksum of a frame"
        headers = dict(text_headers(one[12 : 12 + head]))
        found.append((headers.get(":event-type") or headers[":exception-type"], json.loads(one[12 + head : -4])))
    return found


def text_headers(block):
    while block:
        end = 1 + block[0]
        name = block[1:end].decode()
        assert block[end] == 7, f"{name} is text"
        size = struct.unpack(">H", block[end + 1 : end + 3])[0]
        yield name, block[end + 3 : end + 3 + size].decode()
        block = block[end + 3 + size :]


def answer(texts):
    """A canned answer that says `texts`: the whole one, and the frames of its stream."""
    usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
    metrics = {"latencyMs": 1}
    message = {"role": "assistant", "content": [{"text": "".join(texts)}]}
    unary = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": metrics}
    frames = [
        event("messageStart", {"role": "assistant"}),
        *(event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}, "p": "abc"}) for text in texts),
        event("contentBlockStop", {"contentBlockIndex": 0}),
        event("messageStop", {"stopReason": "end_turn"}),
        event("metadata", {"usage": usage, "metrics": metrics}),
    ]
    return unary, frames


# === meaning ===


def meaning(said, out):
    """Puts into `out` what a recorded answer says: `said` is the one body, or pairs of event name and payload."""
    blocks, usage = {}, None
    for name, payload in said if isinstance(said, list) else [(None, said)]:
        match name:
            case None:
                blocks = dict(enumerate(payload.get("output", {}).get("message", {}).get("content", [])))
                out.raw, usage = payload.get("stopReason"), payload.get("usage")
            case "contentBlockStart":
                blocks[payload["contentBlockIndex"]] = {kind: dict(value) for kind, value in payload["start"].items()}
            case "contentBlockDelta":
                gather(blocks.setdefault(payload["contentBlockIndex"], {}), payload["delta"])
            case "messageStop":
                out.raw = payload["stopReason"]
            case "metadata":
                usage = payload["usage"]
    blocks = [blocks[index] for index in sorted(blocks)]
    cited = [piece["text"] for block in blocks for piece in block.get("citationsContent", {}).get("content", [])]
    out.text = "".join([block["text"] for block in blocks if "text" in block] + cited)
    thoughts = [block["reasoningContent"].get("reasoningText", {}) for block in blocks if "reasoningContent" in block]
    out.reasoning = "".join(thought.get("text", "") for thought in thoughts)
    calls = [block["toolUse"] for block in blocks if block.get("toolUse", {"type": "server_tool_use"}).get("type") != "server_tool_use"]
    out.calls = [(call["name"], arguments(call["input"])) for call in calls]
    if usage:
        read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
        out.usage = Usage(usage["inputTokens"] + read + written, usage["outputTokens"], read)
    return out


def gather(block, delta):
    """Adds a piece to a block, in the form that a whole answer has."""
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    if "toolUse" in delta:
        block["toolUse"]["input"] = block["toolUse"].get("input", "") + delta["toolUse"]["input"]
    if "toolResult" in delta:
        block["toolResult"].setdefault("content", []).extend(delta["toolResult"])
    if thought := delta.get("reasoningContent"):
        whole = block.setdefault("reasoningContent", {})
        if "redactedContent" in thought:
            whole["redactedContent"] = thought["redactedContent"]
            return
        for member, text in thought.items():
            inner = whole.setdefault("reasoningText", {"text": ""})
            inner[member] = inner.get(member, "") + text


def arguments(written):
    return json.loads(written or "{}") if isinstance(written, str) else written


# === what the service takes ===

MODEL = botocore.session.get_session().get_service_model("bedrock-runtime")


def errors(body, stream):
    """Names what is wrong with a request: botocore's own validation, what its model says of texts, and the rules of the guide."""
    shape = MODEL.operation_model("ConverseStream" if stream else "Converse").input_shape
    report = ParamValidator().validate(body | {"modelId": "m"}, shape)
    if report.has_errors():
        return [report.generate_report()]
    return list(odd_texts(body, shape, "$")) or rules(body)


def odd_texts(value, shape, at):
    """Texts that are not of the enum or pattern of their shape."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            for name, inner in value.items():
                yield from odd_texts(inner, shape.members[name], f"{at}.{name}")
        case "list":
            for n, inner in enumerate(value):
                yield from odd_texts(inner, shape.member, f"{at}[{n}]")
        case "string":
            if shape.enum and value not in shape.enum:
                yield f"{at} is {value!r}, not one of {shape.enum}"
            pattern = shape.metadata.get("pattern")
            if pattern and not re.fullmatch(pattern, value):
                yield f"{at} is {value!r}, not {pattern}"


def rules(body):
    found, asked, names, used = [], [], [], False
    for i, message in enumerate(body["messages"]):
        blocks = message["content"]
        if message["role"] == (body["messages"][i - 1]["role"] if i else "assistant"):
            found.append(f"$.messages[{i}] is the {message['role']}'s")
        if not blocks:
            found.append(f"$.messages[{i}] is empty")
        found += [f"$.messages[{i}] has an empty text" for block in blocks if not block.get("text", "x").strip()]
        results = [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block]
        if sorted(results) != sorted(asked):
            found.append(f"$.messages[{i}] answers {results}, asked were {asked}")
        if any("toolResult" not in block for block in blocks[: len(results)]):
            found.append(f"$.messages[{i}] has results that do not come first")
        asked = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
        used = used or bool(asked or results)
        documents = [block["document"]["name"] for block in blocks if "document" in block]
        if documents and not any("text" in block for block in blocks):
            found.append(f"$.messages[{i}] has a document and no text")
        names += documents
    found += [f"document name {name!r}" for name in names if not re.fullmatch(r"[A-Za-z0-9()\[\]-]+( [A-Za-z0-9()\[\]-]+)*", name)]
    if len(names) != len(set(names)):
        found.append(f"document names repeat: {names}")
    if used and "toolConfig" not in body:
        found.append("tools in the history, and none on offer")
    thinking = body.get("additionalModelRequestFields", {}).get("thinking", {})
    limit = body.get("inferenceConfig", {}).get("maxTokens")
    if limit and thinking.get("budget_tokens", 0) >= limit:
        found.append("thinking.budget_tokens reaches maxTokens")
    return found
