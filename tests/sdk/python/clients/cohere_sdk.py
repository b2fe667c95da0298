"""cohere-python's `ClientV2` against `/v2/chat`."""

import json
from contextlib import contextmanager

import cohere
from cohere.core.api_error import ApiError
from model import CASES, Answer, Call, Usage

FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tools", "ERROR": "filter"}


class CohereClient:
    name = "cohere"
    # Its list of models has a form of its own, which the gateway does not have.
    lists = False
    retrieves = False
    api_error = ApiError
    errors = {
        "bad_request": cohere.BadRequestError,
        "authentication": cohere.UnauthorizedError,
        "not_found": cohere.NotFoundError,
        "rate_limit": cohere.TooManyRequestsError,
        "internal": ApiError,
        "any": ApiError,
    }

    def __init__(self, url, key):
        self.sdk = cohere.ClientV2(api_key=key, base_url=url, timeout=30, max_retries=0)

    def ask(self, ask):
        got = self.sdk.chat(**arguments(ask))
        return answer(got.message, got.finish_reason, got.usage)

    def stream(self, ask, strict=True):
        return collect(self.events(ask), strict)

    @contextmanager
    def pieces(self, ask):
        events = self.events(ask)
        try:
            yield (e.delta.message.content.text for e in events if e.type == "content-delta" and e.delta.message.content.text)
        finally:
            events.close()

    def events(self, ask):
        """The SDK hands an error in a stream on as a value of the last event, and takes a stream that was cut for whole."""
        ended = False
        for event in self.sdk.chat_stream(**arguments(ask)):
            ended = event.type == "message-end"
            if ended and event.delta.error:
                raise ApiError(status_code=200, body={"message": event.delta.error})
            yield event
        if not ended:
            raise ApiError(body={"message": "the stream has no end"})

    @staticmethod
    def code(error):
        return None


def arguments(ask):
    messages = [{"role": "system", "content": ask.system}] if ask.system else []
    out = {"model": ask.model, "messages": messages + [m for turn in ask.turns for m in message(*turn)]}
    # One tool is chosen by offering no other.
    named = ask.choice if ask.choice in ask.tools else None
    if ask.tools:
        out["tools"] = [
            {"type": "function", "function": {"name": name, "description": tool["description"], "parameters": tool["schema"]}}
            for name, tool in ask.tools.items()
            if named in (None, name)
        ]
    if ask.choice and ask.choice != "auto":
        out["tool_choice"] = "NONE" if ask.choice == "none" else "REQUIRED"
    if ask.schema:
        out["response_format"] = {"type": "json_object", "json_schema": ask.schema}
    if ask.think:
        out["thinking"] = {"type": "enabled", "token_budget": 1024}
    return out | ({"request_options": {"additional_body_parameters": ask.body}} if ask.body else {})


def message(kind, value):
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


def answer(got, finish, usage):
    content = got.content or []
    calls = got.tool_calls or []
    thoughts = [part.thinking for part in content if part.type == "thinking"]
    return Answer(
        text="".join(part.text for part in content if part.type == "text"),
        reasoning="".join([got.tool_plan or "", *thoughts]),
        signed=False,
        calls=[Call(call.id, call.function.name, json.loads(call.function.arguments) or {}) for call in calls],
        raw_finish=finish,
        finish=FINISH.get(finish, finish and "other"),
        usage=usage and usage.tokens and tokens(usage),
        native=got.model_dump(exclude_none=True),
    )


def tokens(usage):
    # Members that the SDK's types lack are kept beside them.
    more = usage.tokens.model_extra or {}
    images, reasoning = more.get("image_tokens") or 0, more.get("reasoning_tokens") or 0
    return Usage((usage.tokens.input_tokens or 0) + images, usage.tokens.output_tokens or 0, usage.cached_tokens or 0, reasoning)


def collect(events, strict):
    """Joins events as simple clients do; `strict` holds them to the order of cohere-v2.md, as the gateway's own must be."""
    got, plan, finish, usage, broken = {"role": "assistant"}, "", None, None, []
    content, calls, cited, seen = [], [], [], []
    for event in events:
        seen.append(event.type)
        message = getattr(getattr(event, "delta", None), "message", None)
        match event.type:
            case "content-start":
                broken += [f"part {event.index} is not the next"] if event.index != len(content) else []
                content.append({"type": message.content.type, message.content.type: ""})
            case "content-delta":
                kind = "thinking" if message.content.thinking is not None else "text"
                content[event.index][kind] += getattr(message.content, kind)
            case "tool-plan-delta":
                plan += message.tool_plan
            case "tool-call-start":
                broken += [f"call {event.index} is not the next"] if event.index != len(calls) else []
                calls.append(message.tool_calls.model_dump(exclude_none=True))
            case "tool-call-delta":
                calls[event.index]["function"]["arguments"] += message.tool_calls.function.arguments
            case "citation-start":
                cited.append(message.citations.model_dump(exclude_none=True))
            case "message-end":
                finish, usage = event.delta.finish_reason, event.delta.usage
    for call in calls:
        # The vendor's own models write nothing, or null, where a tool takes no arguments.
        call["function"]["arguments"] = call["function"]["arguments"] or "{}"
    broken += ["message-start comes first, message-end last"] if (seen[0], seen[-1]) != ("message-start", "message-end") else []
    assert not (strict and broken), broken
    got |= {"content": content} if content else {}
    got |= {"tool_plan": plan} if plan else {}
    got |= {"tool_calls": calls} if calls else {}
    got |= {"citations": cited} if cited else {}
    return answer(cohere.AssistantMessageResponse(**got), finish, usage)
