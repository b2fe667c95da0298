"""What the recorded answers say, read by small decoders that share nothing with the gateway's.

`meaning` gives text, reasoning, calls, the finish by the names of canonical.md section 2.1, and usage by section 2.2.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import bedrock
from model import Usage
from replay import CORPUS, recorded

# Corpus folder, its dialect, and what the paths of its chat cases hold.
FOLDERS = {
    "anthropic": ("anthropic", r"/messages\b(?!/)|RawPredict"),
    "gemini": ("gemini", r"[gG]enerateContent"),
    "openai-chat": ("openai", r"chat/completions"),
    "openai-compat": ("openai", r"chat/completions"),
    "groq": ("openai", r"chat/completions"),
    "mistral": ("openai", r"chat/completions"),
    "bedrock": ("bedrock", r"/converse(-stream)?$"),
    "openai-responses": ("openai-responses", r"/responses$"),
    "cohere": ("cohere", r"/v2/chat"),
    "ollama": ("ollama", r"/api/(chat|generate)"),
}


@dataclass
class Case:
    folder: str
    name: str
    dialect: str
    meta: dict

    @property
    def path(self) -> Path:
        return CORPUS / self.folder / self.name

    @property
    def id(self):
        return f"{self.folder}/{self.name}"

    @property
    def stream(self):
        names = ("response.sse", "response.ndjson", "response.eventstream")
        return any((self.path / name).exists() for name in names) or "streamGenerateContent" in (self.meta["path"] or "")

    @property
    def request(self):
        file = self.path / "request.json"
        return json.loads(file.read_text()) if file.exists() else None

    def model(self, mode):
        return f"{self.folder}.{self.name}.{mode}"

    def events(self):
        """The answer as a list of JSON values: the events of a stream, or the one body."""
        _, kind, body = recorded(self.path, self.stream)
        if kind == bedrock.STREAM_TYPE:
            return bedrock.events(body)
        if "ndjson" in kind:
            return [json.loads(line) for line in body.decode().splitlines()]
        if "event-stream" not in kind:
            return [json.loads(body)]
        lines = re.split(r"\r\n|\n|\r", body.decode())
        payloads = [line[5:].strip() for line in lines if line.startswith("data:")]
        return [json.loads(payload) for payload in payloads if payload != "[DONE]"]


@dataclass
class Meaning:
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list = None
    raw: str | None = None
    usage: Usage | None = None
    error: dict | None = None


def cases():
    found = []
    for folder, (dialect, chat) in FOLDERS.items():
        for path in sorted((CORPUS / folder).iterdir()) if CORPUS.is_dir() else []:
            meta = json.loads((path / "meta.json").read_text())
            if meta["path"] is None or re.search(chat, meta["path"]):
                found.append(Case(folder, path.name, dialect, meta))
    return found


def meaning(case):
    readers = {
        "openai": openai_meaning,
        "anthropic": anthropic_meaning,
        "gemini": gemini_meaning,
        "bedrock": bedrock_meaning,
        "openai-responses": responses_meaning,
        "cohere": cohere_meaning,
        "ollama": ollama_meaning,
    }
    return readers[case.dialect](case.events())


def bedrock_meaning(events):
    framed = isinstance(events[0], tuple)
    return bedrock.meaning(events if framed else events[0], Meaning())


def openai_meaning(events):
    out, calls, usage = Meaning(), {}, None
    for event in events:
        out.error = out.error or event.get("error")
        usage = event.get("usage") or (event.get("x_groq") or {}).get("usage") or usage
        for choice in event.get("choices", []):
            if choice.get("index"):
                continue
            out.raw = choice.get("finish_reason") or out.raw
            delta = choice.get("delta") or choice.get("message") or {}
            content = delta.get("content") or []
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                out.text += part.get("text") or ""
                out.reasoning += "".join(inner["text"] for inner in part.get("thinking", []))
            details = "".join(detail.get("text", "") for detail in delta.get("reasoning_details") or [])
            out.reasoning += delta.get("reasoning_content") or delta.get("reasoning") or details
            out.refusal += delta.get("refusal") or ""
            for n, piece in enumerate(delta.get("tool_calls") or []):
                call = calls.setdefault(piece.get("index", n), {"name": "", "arguments": ""})
                call["name"] = call["name"] or piece["function"].get("name") or ""
                call["arguments"] += piece["function"].get("arguments") or ""
            if (delta.get("function_call") or {}).get("name"):
                calls[0] = delta["function_call"]
    out.calls = [(call["name"], json.loads(call["arguments"] or "{}")) for call in calls.values()]
    if usage:
        read = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
        out.usage = Usage(usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0), read, reasoning, usage.get("total_tokens"))
    return out


def anthropic_meaning(events):
    out, blocks, usage = Meaning(), [], {}

    def note(message):
        out.raw = message.get("stop_reason") or out.raw
        usage.update({k: v for k, v in (message.get("usage") or {}).items() if v is not None})

    for event in events:
        match event["type"]:
            case "error":
                out.error = event["error"]
            case "message":
                note(event)
                blocks = event["content"]
            case "message_start":
                note(event["message"])
            case "content_block_start":
                blocks.append(dict(event["content_block"], json=""))
            case "content_block_delta":
                delta = event["delta"]
                for member, into in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
                    blocks[-1][into] = blocks[-1].get(into, "") + delta.get(member, "")
            case "message_delta":
                note(event["delta"] | {"usage": event.get("usage")})
    out.text = "".join(b["text"] for b in blocks if b["type"] == "text")
    out.reasoning = "".join(b["thinking"] for b in blocks if b["type"] == "thinking")
    out.calls = [(b["name"], json.loads(b["json"]) if b.get("json") else b["input"]) for b in blocks if b["type"] == "tool_use"]
    if usage:
        read = usage.get("cache_read_input_tokens", 0)
        written = usage.get("cache_creation_input_tokens", 0)
        reasoning = usage.get("output_tokens_details", {}).get("thinking_tokens", 0)
        out.usage = Usage(usage["input_tokens"] + read + written, usage["output_tokens"], read, reasoning)
    return out


def gemini_meaning(events):
    out, calls, usage = Meaning(), [], None
    for event in events:
        out.error = out.error or event.get("error")
        usage = event.get("usageMetadata") or usage
        out.raw = "SAFETY" if event.get("promptFeedback", {}).get("blockReason") else out.raw
        for candidate in event.get("candidates", []):
            if candidate.get("index"):
                continue
            reason = candidate.get("finishReason") or out.raw
            out.raw = {1: "STOP", 2: "MAX_TOKENS"}.get(reason, reason)
            for part in candidate.get("content", {}).get("parts", []):
                if part.get("thought"):
                    out.reasoning += part.get("text", "")
                else:
                    out.text += part.get("text", "")
                if call := part.get("functionCall"):
                    if "name" in call:
                        calls.append((call["name"], call.get("args", {})))
                    for piece in call.get("partialArgs", []):
                        put(calls[-1][1], piece)
    out.calls = calls
    if usage:
        prompt, candidates, thoughts, tools = (
            usage.get(f"{name}TokenCount", 0) for name in ("prompt", "candidates", "thoughts", "toolUsePrompt")
        )
        if thoughts and usage.get("totalTokenCount") == prompt + candidates + tools:
            candidates -= thoughts
        out.usage = Usage(
            prompt + tools, candidates + thoughts, usage.get("cachedContentTokenCount", 0), thoughts, usage.get("totalTokenCount")
        )
    return out


def responses_meaning(events):
    """A stream's last event holds the whole answer; some servers' last event is all that there is."""
    out = Meaning(calls=[])
    answer = events[-1].get("response", events[-1])
    out.error = answer.get("error")
    out.raw = (answer.get("incomplete_details") or {}).get("reason") or answer.get("status")
    for item in answer.get("output") or []:
        if item["type"] == "reasoning":
            parts = item.get("summary") or item.get("content") or []
            out.reasoning += "\n\n".join(part["text"] for part in parts) + "\n\n"
        for part in item["content"] if item["type"] == "message" else []:
            out.text += part.get("text", "")
            out.refusal += part.get("refusal", "")
        if item["type"] == "function_call":
            out.calls.append((item["name"], json.loads(item["arguments"] or "{}")))
        if item["type"] == "custom_tool_call":
            out.calls.append((item["name"], {"input": item["input"]}))
    if usage := answer.get("usage"):
        read = (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
        reasoning = (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
        out.usage = Usage(usage["input_tokens"], usage["output_tokens"], read, reasoning, usage["total_tokens"])
    return out


def put(args, piece):
    """Puts one of Gemini's streamed argument pieces to its place, as `$.list[0].member` names it."""
    *way, last = [int(n) if n else name for name, n in re.findall(r"\.(\w+)|\[(\d+)\]", piece["jsonPath"])]
    for key, following in zip(way, [*way[1:], last], strict=True):
        empty = [] if isinstance(following, int) else {}
        if isinstance(args, list) and key == len(args):
            args.append(empty)
        args = args[key] if isinstance(args, list) else args.setdefault(key, empty)
    if "stringValue" in piece:
        value = (args.get(last, "") if isinstance(args, dict) else "") + piece["stringValue"]
    else:
        value = piece.get("numberValue", piece.get("boolValue"))
    if isinstance(args, list) and last == len(args):
        args.append(value)
    else:
        args[last] = value


def cohere_meaning(events):
    out, calls, plan, usage = Meaning(), [], "", None
    for event in events:
        whole = "finish_reason" in event
        end = event if whole else event.get("delta") or {}
        out.raw = end.get("finish_reason") or out.raw
        usage = end.get("usage") or usage
        message = event["message"] if whole else end.get("message") or {}
        plan += message.get("tool_plan") or ""
        content = message.get("content") or []
        for part in content if isinstance(content, list) else [content]:
            out.text += part.get("text") or ""
            out.reasoning += part.get("thinking") or ""
        pieces = message.get("tool_calls") or []
        for piece in pieces if isinstance(pieces, list) else [pieces]:
            if piece.get("id"):
                calls.append({"name": piece["function"]["name"], "arguments": ""})
            calls[-1]["arguments"] += piece["function"].get("arguments") or ""
    out.reasoning = plan + out.reasoning
    out.calls = [(call["name"], json.loads(call["arguments"] or "{}") or {}) for call in calls]
    tokens = (usage or {}).get("tokens")
    if tokens:
        given = tokens["input_tokens"] + tokens.get("image_tokens", 0)
        out.usage = Usage(given, tokens["output_tokens"], usage.get("cached_tokens", 0), tokens.get("reasoning_tokens", 0))
    return out


def ollama_meaning(events):
    out, calls = Meaning(), []
    for event in events:
        message = event.get("message") or {"content": event.get("response"), "thinking": event.get("thinking")}
        out.text += message.get("content") or ""
        out.reasoning += message.get("thinking") or ""
        calls += [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or []]
        out.raw = event.get("done_reason") or out.raw
        if event.get("done"):
            out.usage = Usage(event.get("prompt_eval_count", 0), event.get("eval_count", 0))
    out.calls = calls
    return out
