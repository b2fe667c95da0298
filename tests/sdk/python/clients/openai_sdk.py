"""openai-python against `/v1/chat/completions`."""

import json
from contextlib import contextmanager

import openai
from model import CASES, Answer, Call, Usage

FINISH = {"stop": "stop", "length": "length", "tool_calls": "tools", "function_call": "tools", "content_filter": "filter"}


class OpenAiClient:
    name = "openai"
    api_error = openai.APIError
    errors = {
        "bad_request": openai.BadRequestError,
        "authentication": openai.AuthenticationError,
        "not_found": openai.NotFoundError,
        "rate_limit": openai.RateLimitError,
        "internal": openai.InternalServerError,
        "any": openai.APIStatusError,
    }

    def __init__(self, url, key):
        self.sdk = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=30)

    def models(self):
        return [model.id for model in self.sdk.models.list()]

    def model(self, name):
        return self.sdk.models.retrieve(name).id

    def ask(self, ask):
        completion = self.sdk.chat.completions.create(**arguments(ask))
        choice = completion.choices[0]
        assert completion.object == "chat.completion", "an answer says what it is"
        return answer(choice.message.model_dump(exclude_none=True), choice.finish_reason, completion.usage)

    def stream(self, ask, strict=True):
        stream = self.sdk.chat.completions.create(**arguments(ask), stream=True, stream_options={"include_usage": True})
        return collect(stream, strict)

    @contextmanager
    def pieces(self, ask):
        with self.sdk.chat.completions.create(**arguments(ask), stream=True) as stream:
            yield (c.choices[0].delta.content for c in stream if c.choices and c.choices[0].delta.content)

    @staticmethod
    def code(error):
        return error.code


def arguments(ask):
    out = {"model": ask.model, "messages": [m for turn in ask.turns for m in messages(*turn)]}
    if ask.system:
        out["messages"].insert(0, {"role": "system", "content": ask.system})
    if ask.tools:
        out["tools"] = [
            {"type": "function", "function": {"name": name, "description": tool["description"], "parameters": tool["schema"]}}
            for name, tool in ask.tools.items()
        ]
    if ask.choice in ("none", "required", "auto"):
        out["tool_choice"] = ask.choice
    elif ask.choice:
        out["tool_choice"] = {"type": "function", "function": {"name": ask.choice}}
    if ask.schema:
        out["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": ask.schema, "strict": True}}
    if ask.think:
        out["reasoning_effort"] = "low"
    return out | ({"extra_body": ask.body} if ask.body else {})


def messages(kind, value):
    match kind:
        case "image":
            url = f"data:image/png;base64,{CASES['png']}"
            return [{"role": "user", "content": [{"type": "text", "text": value}, {"type": "image_url", "image_url": {"url": url}}]}]
        case "answer":
            return [value.native]
        case "results":
            return [{"role": "tool", "tool_call_id": call.id, "content": result} for call, result in value]
        case role:
            return [{"role": role, "content": value}]


def answer(message, finish, usage):
    content = message.get("content") or ""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    calls = message.get("tool_calls") or []
    # The form of older models, only met in recordings.
    legacy = message.get("function_call") or {}
    calls += [{"id": "", "function": legacy}] if legacy.get("name") else []
    word = FINISH.get(finish, finish and "other")
    return Answer(
        text="".join(part["text"] for part in parts if part["type"] == "text"),
        reasoning=message.get("reasoning_content") or "",
        signed=False,
        calls=[called(call) for call in calls],
        raw_finish=finish,
        finish="filter" if message.get("refusal") and word == "stop" else word,
        usage=usage and tokens(usage),
        native=message,
    )


def called(call):
    """A call of a tool that takes free text counts as one of a function with that text."""
    custom = call.get("custom") or {}
    # Snowflake writes both members, and leaves one of them empty.
    if custom.get("name"):
        return Call(call["id"], custom["name"], {"input": custom["input"]})
    return Call(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))


def tokens(usage):
    read = usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens
    reasoning = usage.completion_tokens_details and usage.completion_tokens_details.reasoning_tokens
    return Usage(usage.prompt_tokens, usage.completion_tokens, read or 0, reasoning or 0, usage.total_tokens)


def collect(stream, strict):
    """Joins chunks as simple clients do; `strict` holds them to the rules of openai-chat.md, as the gateway's own chunks must be."""
    message, calls, finish, usage, ids, broken = {"role": "assistant"}, [], None, None, set(), []
    for chunk in stream:
        ids.add((chunk.id, chunk.model))
        broken += ["nothing comes after the usage"] if usage else []
        usage = chunk.usage or usage
        for choice in chunk.choices:
            delta = choice.delta
            if choice.index or not delta:
                continue
            broken += ["nothing comes after the finish"] if finish and (delta.content or delta.tool_calls or choice.finish_reason) else []
            finish = choice.finish_reason or finish
            for member in ("content", "refusal", "reasoning_content"):
                text = getattr(delta, member, None) or ""
                parts = [part for part in text if part["type"] == "text"] if isinstance(text, list) else []
                message[member] = message.get(member, "") + ("".join(p["text"] for p in parts) if isinstance(text, list) else text)
            for piece in delta.tool_calls or []:
                # The stream's types know functions only.
                kind, args = ("custom", "input") if getattr(piece, "custom", None) and not piece.function else ("function", "arguments")
                tool = getattr(piece, kind)
                tool = tool if isinstance(tool, dict) else tool.model_dump()
                if piece.index == len(calls):
                    calls.append({"id": piece.id, "type": kind, kind: {"name": tool["name"], args: ""}})
                else:
                    broken += ["id and name come once"] if piece.id or tool.get("name") else []
                calls[piece.index][kind][args] += tool.get(args) or ""
    broken += [f"chunks share id and model: {ids}"] if len(ids) > 1 else []
    assert not (strict and broken), broken
    message = {member: text for member, text in message.items() if text}
    return answer(message | ({"tool_calls": calls} if calls else {}), finish, usage)
