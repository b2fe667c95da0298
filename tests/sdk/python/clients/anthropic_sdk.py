"""anthropic-python against `/v1/messages`."""

from contextlib import contextmanager

import anthropic
from model import CASES, Answer, Call, Usage

FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tools", "refusal": "filter"}


class AnthropicClient:
    name = "anthropic"
    api_error = anthropic.APIError
    errors = {
        "bad_request": anthropic.BadRequestError,
        "authentication": anthropic.AuthenticationError,
        "not_found": anthropic.NotFoundError,
        "rate_limit": anthropic.RateLimitError,
        "internal": (anthropic.InternalServerError, anthropic.APIStatusError),
        "any": anthropic.APIStatusError,
    }

    def __init__(self, url, key):
        self.sdk = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=30)

    def models(self):
        return [model.id for model in self.sdk.models.list()]

    def model(self, name):
        return self.sdk.models.retrieve(name).id

    def ask(self, ask):
        return answer(self.sdk.messages.create(**arguments(ask)))

    def stream(self, ask, strict=True):
        with self.sdk.messages.stream(**arguments(ask)) as stream:
            if strict:
                check_order(stream)
            return answer(stream.get_final_message())

    @contextmanager
    def pieces(self, ask):
        with self.sdk.messages.stream(**arguments(ask)) as stream:
            yield stream.text_stream

    @staticmethod
    def code(error):
        return None


def arguments(ask):
    out = {"model": ask.model, "max_tokens": 4096, "messages": [message(*turn) for turn in ask.turns]}
    if ask.system:
        out["system"] = ask.system
    if ask.tools:
        out["tools"] = [
            {"name": name, "description": tool["description"], "input_schema": tool["schema"]} for name, tool in ask.tools.items()
        ]
    if ask.choice:
        words = {"none": {"type": "none"}, "auto": {"type": "auto"}, "required": {"type": "any"}}
        out["tool_choice"] = words.get(ask.choice, {"type": "tool", "name": ask.choice})
    if ask.schema:
        out["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
    if ask.think:
        out["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    return out | ({"extra_body": ask.body} if ask.body else {})


def message(kind, value):
    match kind:
        case "image":
            source = {"type": "base64", "media_type": "image/png", "data": CASES["png"]}
            return {"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": value}]}
        case "answer":
            return {"role": "assistant", "content": value.native}
        case "results":
            blocks = [{"type": "tool_result", "tool_use_id": call.id, "content": result} for call, result in value]
            return {"role": "user", "content": blocks}
        case role:
            return {"role": role, "content": value}


def answer(message):
    blocks = {kind: [b for b in message.content if b.type == kind] for kind in ("text", "thinking", "tool_use")}
    usage = message.usage
    details = usage.output_tokens_details
    read = usage.cache_read_input_tokens or 0
    return Answer(
        text="".join(block.text for block in blocks["text"]),
        reasoning="".join(block.thinking for block in blocks["thinking"]),
        signed=bool(blocks["thinking"]) and all(block.signature for block in blocks["thinking"]),
        calls=[Call(block.id, block.name, block.input) for block in blocks["tool_use"]],
        raw_finish=message.stop_reason,
        finish=FINISH.get(message.stop_reason, message.stop_reason and "other"),
        usage=Usage(
            usage.input_tokens + read + (usage.cache_creation_input_tokens or 0),
            usage.output_tokens,
            read,
            (details and details.thinking_tokens) or 0,
        ),
        native=[block.model_dump(exclude_none=True) for block in message.content],
    )


def check_order(stream):
    """Blocks come one after another, numbered from 0; deltas belong to the open one."""
    opened, current = 0, None
    for event in stream:
        match event.type:
            case "content_block_start":
                assert current is None and event.index == opened, f"block {event.index} starts while {current} is open"
                opened, current = opened + 1, event.index
            case "content_block_delta":
                assert event.index == current, "a delta belongs to the open block"
            case "content_block_stop":
                assert event.index == current, "only the open block ends"
                current = None
            case "message_delta" | "message_stop":
                assert current is None, "the message ends after its blocks"
