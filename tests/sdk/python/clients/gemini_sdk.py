"""google-genai against `/v1beta/models/{model}:generateContent` and `:streamGenerateContent`."""

import base64
from contextlib import contextmanager

from google import genai
from google.genai import errors, types
from model import CASES, Answer, Call, Usage

FILTERS = ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"]
FINISH = {"STOP": "stop", "MAX_TOKENS": "length"} | dict.fromkeys(FILTERS, "filter")
NO_CALLING = types.AutomaticFunctionCallingConfig(disable=True)


class GeminiClient:
    name = "gemini"
    api_error = errors.APIError
    errors = {
        "bad_request": errors.ClientError,
        "authentication": errors.ClientError,
        "not_found": errors.ClientError,
        "rate_limit": errors.ClientError,
        "internal": errors.ServerError,
        "any": errors.APIError,
    }

    def __init__(self, url, key, version="v1beta"):
        retry = types.HttpRetryOptions(attempts=1)
        options = types.HttpOptions(base_url=url, api_version=version, timeout=30_000, retry_options=retry)
        self.sdk = genai.Client(api_key=key, http_options=options)

    def models(self):
        return [model.name.removeprefix("models/") for model in self.sdk.models.list()]

    def model(self, name):
        return self.sdk.models.get(model=name).name.removeprefix("models/")

    def ask(self, ask):
        return answer([self.sdk.models.generate_content(**arguments(ask))])

    def stream(self, ask, strict=True):
        return answer(list(self.sdk.models.generate_content_stream(**arguments(ask))))

    @contextmanager
    def pieces(self, ask):
        chunks = self.sdk.models.generate_content_stream(**arguments(ask))
        try:
            yield (chunk.text for chunk in chunks if chunk.text)
        finally:
            chunks.close()

    @staticmethod
    def code(error):
        return None


def arguments(ask):
    config = {"automatic_function_calling": NO_CALLING}
    if ask.system:
        config["system_instruction"] = ask.system
    if ask.tools:
        functions = [
            {"name": name, "description": tool["description"], "parameters_json_schema": tool["schema"]} for name, tool in ask.tools.items()
        ]
        config["tools"] = [{"function_declarations": functions}]
    if ask.choice:
        words = {"none": {"mode": "NONE"}, "auto": {"mode": "AUTO"}, "required": {"mode": "ANY"}}
        choice = words.get(ask.choice, {"mode": "ANY", "allowed_function_names": [ask.choice]})
        config["tool_config"] = {"function_calling_config": choice}
    if ask.schema:
        config |= {"response_mime_type": "application/json", "response_json_schema": ask.schema}
    if ask.think:
        config["thinking_config"] = {"include_thoughts": True}
    if ask.body:
        config["http_options"] = {"extra_body": ask.body}
    return {"model": ask.model, "contents": [content(*turn) for turn in ask.turns], "config": config}


def content(kind, value):
    match kind:
        case "image":
            picture = {"inline_data": {"mime_type": "image/png", "data": base64.b64decode(CASES["png"])}}
            return {"role": "user", "parts": [{"text": value}, picture]}
        case "answer":
            return {"role": "model", "parts": value.native}
        case "results":
            parts = [{"function_response": {"id": c.id or None, "name": c.name, "response": {"result": r}}} for c, r in value]
            return {"role": "user", "parts": parts}
        case "assistant":
            return {"role": "model", "parts": [{"text": value}]}
        case _:
            return {"role": "user", "parts": [{"text": value}]}


def answer(chunks):
    candidates = [chunk.candidates[0] for chunk in chunks if chunk.candidates]
    parts = [part for c in candidates if c.content for part in c.content.parts or []]
    calls = [Call(p.function_call.id or "", p.function_call.name, p.function_call.args or {}) for p in parts if p.function_call]
    reasons = [c.finish_reason.value for c in candidates if c.finish_reason]
    blocked = any(chunk.prompt_feedback and chunk.prompt_feedback.block_reason for chunk in chunks)
    raw = reasons[-1] if reasons else "SAFETY" if blocked else None
    word = FINISH.get(raw, raw and "other")
    usages = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    return Answer(
        text="".join(part.text for part in parts if part.text and not part.thought),
        reasoning="".join(part.text for part in parts if part.text and part.thought),
        signed=any(part.thought_signature for part in parts),
        calls=calls,
        raw_finish=raw,
        finish="tools" if calls and word == "stop" else word,
        usage=tokens(usages[-1]) if usages else None,
        native=parts,
    )


def tokens(usage):
    reasoning = usage.thoughts_token_count or 0
    return Usage(
        (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
        (usage.candidates_token_count or 0) + reasoning,
        usage.cached_content_token_count or 0,
        reasoning,
        usage.total_token_count,
    )
