"""A scripted upstream of every dialect, on asyncio alone: it replays the recorded corpus and keeps what it was sent.

The model's name is the script:
  FOLDER.CASE.whole      the recorded answer of LOCKGATE_CORPUS/FOLDER/CASE in one piece
  FOLDER.CASE.bytes      the same, byte by byte
  FOLDER.CASE.cutN       the same, cut at random borders of seed N
  FOLDER.CASE.half       the first half, and then the proper end of an HTTP body
  FOLDER.CASE.torn       the first half, and then a closed connection
  capture.ANYTHING       a short answer; the request is kept under this name
  paced.COUNT.MS         a stream of COUNT chunks, one each MS milliseconds

`python replay.py PORT` serves until it is interrupted.
"""

import asyncio
import json
import os
import random
import re
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import bedrock

CORPUS = Path(os.environ.get("LOCKGATE_CORPUS") or Path(__file__).parents[4] / "shared" / "fixtures")
PATHS = {
    "/v1/chat/completions": "openai",
    "/v1/messages": "anthropic",
    "/v1/responses": "openai-responses",
    "/v2/chat": "cohere",
    "/api/chat": "ollama",
    "/api/generate": "ollama",
}
# Small pieces are what the cut modes are for; several per event, but not one per byte.
LONGEST_PIECE = 48


@dataclass
class Received:
    """A request as it came, and how its answer ended: `None` while it runs, then `whole` or `hung up`."""

    dialect: str
    model: str
    stream: bool
    path: str
    headers: dict
    body: dict
    end: str | None = None


@dataclass
class Upstream:
    """The server on a thread of its own; `received` is by model."""

    port: int = 0
    received: dict[str, list[Received]] = field(default_factory=dict)

    def start(self):
        started = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve(started.set)), daemon=True).start()
        assert started.wait(10), "the scripted upstream starts"
        return self

    async def serve(self, started=lambda: None):
        server = await asyncio.start_server(self.connection, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        started()
        await server.serve_forever()

    async def connection(self, reader, writer):
        try:
            while (request := await read_request(reader)) is not None:
                self.received.setdefault(request.model, []).append(request)
                await answer(request, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def read_request(reader):
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    path = head[0].split(" ")[1]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    if headers.get("transfer-encoding") == "chunked":
        raw = b""
        while size := int(await reader.readline(), 16):
            raw += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
    body = json.loads(raw) if raw else {}
    gemini = re.match(r"/v1beta/models/(.+):(streamG|g)enerateContent", path)
    if gemini:
        return Received("gemini", unquote(gemini[1]), gemini[2] == "streamG", path, headers, body)
    converse = re.match(r"/model/(.+)/converse(-stream)?$", path)
    if converse:
        return Received("bedrock", unquote(converse[1]), converse[2] is not None, path, headers, body)
    invoke = re.match(r"/model/(.+)/invoke(-with-response-stream)?$", path)
    if invoke:
        return Received("anthropic", unquote(invoke[1]), invoke[2] is not None, path, headers, body)
    dialect = PATHS.get(path.partition("?")[0], path)
    # Ollama streams unless it is told not to.
    stream = body.get("stream") is not False if dialect == "ollama" else bool(body.get("stream"))
    return Received(dialect, str(body.get("model")), stream, path, headers, body)


async def answer(request, reader, writer):
    family, _, script = request.model.partition(".")
    name, _, mode = script.rpartition(".")
    delay = 0
    if family == "capture":
        status, kind, pieces = 200, *canned(request, ["Kept", "."])
    elif family == "paced":
        delay = int(mode) / 1000
        status, kind, pieces = 200, *canned(request, [f"{n} " for n in range(int(name))])
    else:
        status, kind, body = recorded(CORPUS / family / name, request.stream)
        if "/invoke" in request.path and kind.startswith("text/event-stream"):
            kind, body = bedrock.STREAM_TYPE, b"".join(bedrock.carried(body))
        pieces = list(cut(body, mode))
    writer.write(f"HTTP/1.1 {status} Recorded\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
    gone = asyncio.ensure_future(reader.read(1)) if delay else None
    for piece in pieces:
        if delay and gone in (await asyncio.wait([gone], timeout=delay))[0]:
            request.end = "hung up"
            raise ConnectionResetError
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await writer.drain()
    if mode == "torn":
        raise ConnectionResetError
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    request.end = "whole"
    if gone:
        gone.cancel()
        raise ConnectionResetError


def recorded(folder, stream):
    """Status, content type and body of a case. An array of Gemini's is served as the stream that it was."""
    meta = json.loads((folder / "meta.json").read_text())
    if (folder / "response.eventstream").exists():
        return meta["status"], bedrock.STREAM_TYPE, (folder / "response.eventstream").read_bytes()
    if (folder / "response.sse").exists():
        return meta["status"], meta["content_type"] or "text/event-stream", (folder / "response.sse").read_bytes()
    if (folder / "response.ndjson").exists():
        return meta["status"], meta["content_type"] or "application/x-ndjson", (folder / "response.ndjson").read_bytes()
    body = (folder / "response.json").read_bytes()
    if stream and body.lstrip().startswith(b"["):
        events = [b"data: " + json.dumps(event).encode() + b"\r\n\r\n" for event in json.loads(body)]
        return meta["status"], "text/event-stream", b"".join(events)
    return meta["status"], "application/json", body


def cut(body, mode):
    """Pieces of `body`; borders fall anywhere, also inside a character."""
    if mode in ("half", "torn"):
        body, mode = body[: len(body) // 2], "whole"
    rng = random.Random(f"{mode}{len(body)}")
    at = 0
    while at < len(body):
        size = {"whole": len(body), "bytes": 1}.get(mode) or rng.randint(1, LONGEST_PIECE)
        yield body[at : at + size]
        at += size


def canned(request, texts):
    """Content type and pieces of an answer that says `texts`."""
    unary, events = ANSWERS[request.dialect](texts)
    if not request.stream:
        return "application/json", [json.dumps(unary).encode()]
    if request.dialect == "bedrock":
        return bedrock.STREAM_TYPE, events
    if "/invoke" in request.path:
        return bedrock.STREAM_TYPE, bedrock.carried("".join(events).encode())
    kind = "application/x-ndjson" if request.dialect == "ollama" else "text/event-stream"
    return kind, [event.encode() for event in events]


def data(event, name=None):
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(event)}\n\n"


def openai_answer(texts):
    common = {"id": "chatcmpl-1", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

    def chunk(delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return data(common | {"object": "chat.completion.chunk", "choices": [choice], "usage": None})

    message = {"role": "assistant", "content": "".join(texts), "refusal": None}
    unary = common | {"object": "chat.completion", "usage": usage, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    events = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": text}) for text in texts), chunk({}, "stop")]
    last = common | {"object": "chat.completion.chunk", "choices": [], "usage": usage}
    return unary, [*events, data(last), "data: [DONE]\n\n"]


def anthropic_answer(texts):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    usage = {"input_tokens": 3, "output_tokens": 2}
    unary = message | {"content": [{"type": "text", "text": "".join(texts)}], "stop_reason": "end_turn", "usage": usage}
    events = [
        {"type": "message_start", "message": message | {"content": [], "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in texts),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return unary, [data(event, event["type"]) for event in events]


def gemini_answer(texts):
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}

    def event(text, **more):
        return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0} | more], "usageMetadata": usage}

    events = [*(event(text) for text in texts[:-1]), event(texts[-1], finishReason="STOP")]
    return event("".join(texts), finishReason="STOP"), [data(e).replace("\n", "\r\n") for e in events]


def responses_answer(texts):
    def response(status, output, usage=None):
        common = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "error": None, "incomplete_details": None}
        return common | {"status": status, "output": output, "usage": usage, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}

    def message(status, content):
        return {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content}

    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    part = {"type": "output_text", "text": "".join(texts), "annotations": [], "logprobs": []}
    unary = response("completed", [message("completed", [part])], usage)
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = [
        {"type": "response.created", "response": response("in_progress", [])},
        {"type": "response.in_progress", "response": response("in_progress", [])},
        {"type": "response.output_item.added", "output_index": 0, "item": message("in_progress", [])},
        {"type": "response.content_part.added", **at, "part": part | {"text": ""}},
        *({"type": "response.output_text.delta", **at, "delta": text, "logprobs": []} for text in texts),
        {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": unary["output"][0]},
        {"type": "response.completed", "response": unary},
    ]
    return unary, [data(event | {"sequence_number": n}, event["type"]) for n, event in enumerate(events)]


def cohere_answer(texts):
    tokens = {"input_tokens": 3, "output_tokens": 2}
    usage = {"billed_units": tokens, "tokens": tokens}
    whole = {"role": "assistant", "content": [{"type": "text", "text": "".join(texts)}]}
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}

    def content(kind, value):
        return {"type": f"content-{kind}", "index": 0, "delta": {"message": {"content": value}}}

    events = [
        {"id": "id-1", "type": "message-start", "delta": {"message": empty}},
        content("start", {"type": "text", "text": ""}),
        *(content("delta", {"text": text}) for text in texts),
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    unary = {"id": "id-1", "message": whole, "finish_reason": "COMPLETE", "usage": usage}
    return unary, [*(data(event, event["type"]) for event in events), "data: [DONE]\n\n"]


def ollama_answer(texts):
    def line(text, **more):
        # Both endpoints at once: each reads the member that is its own.
        said = {"message": {"role": "assistant", "content": text}, "response": text}
        return {"model": "m", "created_at": "2026-01-01T00:00:00Z"} | said | {"done": False} | more

    end = {"done": True, "done_reason": "stop", "total_duration": 9, "prompt_eval_count": 3, "eval_count": 2}
    return line("".join(texts), **end), [json.dumps(each) + "\n" for each in [*(line(text) for text in texts), line("", **end)]]


ANSWERS = {
    "openai": openai_answer,
    "anthropic": anthropic_answer,
    "gemini": gemini_answer,
    "bedrock": bedrock.answer,
    "openai-responses": responses_answer,
    "cohere": cohere_answer,
    "ollama": ollama_answer,
}

if __name__ == "__main__":
    try:
        asyncio.run(Upstream(int(sys.argv[1])).serve())
    except KeyboardInterrupt:
        pass
