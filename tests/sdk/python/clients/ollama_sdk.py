"""ollama-python against `/api/chat`, and `/api/generate` where a test asks for it."""

import json
from contextlib import contextmanager

import ollama
from model import CASES, Answer, Call, Usage

# The wire tells calls by themselves, and has no word for filters and refusals.
FINISH = {"stop": "stop", "length": "length"}


class OllamaClient:
    name = "ollama"
    # There is a list of models, but nothing to ask for one of them by.
    retrieves = False
    api_error = ollama.ResponseError
    # One class for all; the status tells them apart.
    errors = dict.fromkeys(["bad_request", "authentication", "not_found", "rate_limit", "internal", "any"], ollama.ResponseError)

    def __init__(self, url, key):
        self.sdk = ollama.Client(host=url, headers={"authorization": f"Bearer {key}"}, timeout=30)

    def models(self):
        return [model.model for model in self.sdk.list().models]

    def ask(self, ask):
        return answer([self.sdk.chat(**arguments(ask))])

    def stream(self, ask, strict=True):
        lines = list(self.sdk.chat(**arguments(ask), stream=True))
        if strict:
            assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True], "the end comes once, and last"
            assert len({line.model for line in lines}) == 1
        return answer(lines)

    @contextmanager
    def pieces(self, ask):
        lines = self.sdk.chat(**arguments(ask), stream=True)
        try:
            yield (line.message.content for line in lines if line.message.content)
        finally:
            lines.close()

    @staticmethod
    def code(error):
        return None


def arguments(ask):
    messages = [{"role": "system", "content": ask.system}] if ask.system else []
    out = {"model": ask.model, "messages": messages + [m for turn in ask.turns for m in message(*turn)]}
    # There is no choice among tools: what must not be called is not offered.
    chosen = {name: tool for name, tool in ask.tools.items() if ask.choice in (None, "auto", "required", name)}
    if chosen:
        out["tools"] = [
            {"type": "function", "function": {"name": name, "description": tool["description"], "parameters": tool["schema"]}}
            for name, tool in chosen.items()
        ]
    if ask.schema:
        out["format"] = ask.schema
    if ask.think:
        out["think"] = "low"
    return out | (ask.body or {})


def message(kind, value):
    match kind:
        case "image":
            return [{"role": "user", "content": value, "images": [CASES["png"]]}]
        case "answer":
            return [value.native]
        case "results":
            return [{"role": "tool", "tool_name": call.name, "content": result} for call, result in value]
        case role:
            return [{"role": role, "content": value}]


def answer(lines):
    last = lines[-1]
    calls = [call.function for line in lines for call in line.message.tool_calls or []]
    text = "".join(line.message.content or "" for line in lines)
    thinking = "".join(line.message.thinking or "" for line in lines)
    word = FINISH.get(last.done_reason, last.done_reason and "other")
    native = {"role": "assistant", "content": text, "thinking": thinking or None, "tool_calls": [{"function": dict(c)} for c in calls]}
    counted = last.prompt_eval_count is not None or last.eval_count is not None
    return Answer(
        text=text,
        reasoning=thinking,
        signed=False,
        # The SDK leaves ids out; position tells calls apart.
        calls=[Call(f"call {n}", call.name, json.loads(json.dumps(call.arguments))) for n, call in enumerate(calls)],
        raw_finish=last.done_reason,
        finish="tools" if calls and word == "stop" else word,
        usage=Usage(last.prompt_eval_count or 0, last.eval_count or 0) if counted else None,
        native={member: value for member, value in native.items() if value},
    )
