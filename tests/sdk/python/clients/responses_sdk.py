"""openai-python against `/v1/responses`."""

import json
from contextlib import contextmanager

import openai
from model import CASES, Answer, Call, Usage

from .openai_sdk import OpenAiClient

INCOMPLETE = {"max_output_tokens": "length", "content_filter": "filter"}


class ResponsesClient(OpenAiClient):
    name = "openai-responses"

    def ask(self, ask):
        response = self.sdk.responses.create(**arguments(ask))
        assert response.object == "response", "an answer says what it is"
        return answer(response)

    def stream(self, ask, strict=True):
        events = list(self.sdk.responses.create(**arguments(ask), stream=True))
        if strict:
            check(events)
        return answer(events[-1].response)

    @contextmanager
    def pieces(self, ask):
        with self.sdk.responses.create(**arguments(ask), stream=True) as stream:
            yield (event.delta for event in stream if event.type == "response.output_text.delta")


def arguments(ask):
    out = {"model": ask.model, "input": [item for turn in ask.turns for item in items(*turn)]}
    if ask.system:
        out["instructions"] = ask.system
    if ask.tools:
        out["tools"] = [
            {"type": "function", "name": name, "description": tool["description"], "parameters": tool["schema"], "strict": False}
            for name, tool in ask.tools.items()
        ]
    if ask.choice in ("none", "required", "auto"):
        out["tool_choice"] = ask.choice
    elif ask.choice:
        out["tool_choice"] = {"type": "function", "name": ask.choice}
    if ask.schema:
        out["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": ask.schema, "strict": True}}
    if ask.think:
        out["reasoning"] = {"effort": "low", "summary": "auto"}
        out["include"] = ["reasoning.encrypted_content"]
        out["store"] = False
    return out | ({"extra_body": ask.body} if ask.body else {})


def items(kind, value):
    match kind:
        case "image":
            url = f"data:image/png;base64,{CASES['png']}"
            return [{"role": "user", "content": [{"type": "input_text", "text": value}, {"type": "input_image", "image_url": url, "detail": "auto"}]}]
        case "answer":
            return value.native
        case "results":
            return [{"type": "function_call_output", "call_id": call.id, "output": result} for call, result in value]
        case role:
            return [{"role": role, "content": value}]


def answer(response):
    output = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]
    thoughts = [item for item in output if item["type"] == "reasoning"]
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    calls = [item for item in output if item["type"] in ("function_call", "custom_tool_call")]
    reason = response.incomplete_details and response.incomplete_details.reason
    finish = INCOMPLETE.get(reason, "other") if response.status == "incomplete" else "tools" if calls else "stop"
    refused = any(part["type"] == "refusal" for part in parts)
    return Answer(
        text="".join(part.get("text") or part.get("refusal") or "" for part in parts),
        reasoning="\n\n".join(part["text"] for item in thoughts for part in item.get("summary") or item.get("content") or []),
        signed=any(item.get("encrypted_content") for item in thoughts),
        calls=[Call(call["call_id"], call["name"], args_of(call)) for call in calls],
        raw_finish=reason or response.status,
        finish="filter" if refused and finish == "stop" else finish,
        usage=response.usage and tokens(response.usage),
        native=output,
    )


def args_of(call):
    """A call of a tool that takes free text counts as one of a function with that text."""
    return {"input": call["input"]} if "input" in call else json.loads(call["arguments"])


def tokens(usage):
    read = usage.input_tokens_details and usage.input_tokens_details.cached_tokens
    reasoning = usage.output_tokens_details and usage.output_tokens_details.reasoning_tokens
    return Usage(usage.input_tokens, usage.output_tokens, read or 0, reasoning or 0, usage.total_tokens)


def check(events):
    """The rules of openai-responses.md, as the gateway's own events must be."""
    assert [event.sequence_number for event in events] == list(range(len(events))), "events are numbered without gaps"
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1].type in ("response.completed", "response.incomplete")
    added = [event for event in events if event.type == "response.output_item.added"]
    done = {event.output_index: event.item for event in events if event.type == "response.output_item.done"}
    assert [event.output_index for event in added] == list(range(len(added))), "positions have no gaps"
    assert [done[event.output_index].id for event in added] == [event.item.id for event in added], "an item keeps its id"
    final = events[-1].response.output
    assert [item.to_dict() for item in final] == [done[n].to_dict() for n in range(len(added))], "the end holds the items in their order"
