"""Whether a body that reached an upstream is one its vendor takes: the SDK's own types, then the rules that types cannot say.

`errors(dialect, body)` names what is wrong, with its place.
"""

import inspect
import json
import types
import typing

import bedrock
import cohere
import ollama
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from google.genai import types as gemini
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter, ValidationError

# Members that the vendor takes and the SDK's type leaves out: `stream` stands in a type of its own, newer models lost the others.
ALSO_TAKEN = {"openai": {"stream"}, "anthropic": {"stream", "temperature", "top_p", "top_k"}, "openai-responses": {"stream"}}
GEMINI_MEMBERS = {
    "contents": list[gemini.Content],
    "systemInstruction": gemini.Content,
    "tools": list[gemini.Tool],
    "toolConfig": gemini.ToolConfig,
    "generationConfig": gemini.GenerationConfig,
    "safetySettings": list[gemini.SafetySetting],
    "serviceTier": gemini.ServiceTier,
}


def errors(dialect, body):
    match dialect:
        case "openai":
            known = {k: v for k, v in body.items() if k not in ALSO_TAKEN[dialect]}
            return misfits(known, CompletionCreateParamsNonStreaming, "$") or openai_rules(body)
        case "anthropic":
            known = {k: v for k, v in body.items() if k not in ALSO_TAKEN[dialect]}
            return misfits(known, MessageCreateParamsNonStreaming, "$") or anthropic_rules(body)
        case "openai-responses":
            known = {k: v for k, v in body.items() if k not in ALSO_TAKEN[dialect]}
            # The types want of a message what only the provider's own answers have.
            if isinstance(body["input"], list):
                known["input"] = [own_message(item) if item.get("role") == "assistant" else item for item in body["input"]]
            return misfits(known, ResponseCreateParamsNonStreaming, "$") or responses_rules(body)
        case "cohere":
            return cohere_misfits(body) or called_in_order(body)
        case "ollama":
            return ollama_misfits(body)
        case "gemini":
            return [e for name, value in body.items() for e in gemini_misfits(name, value)] or gemini_rules(body)
        case "bedrock":
            return bedrock.errors(body, stream=False)


# === types ===


def misfits(value, hint, at):
    """Walks a type hint made of `TypedDict`, `Union`, `Literal` and containers beside a JSON value."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (object, typing.Any):
        return []
    if typing.is_typeddict(hint) or hasattr(hint, "__required_keys__"):
        return misfits_of_dict(value, hint, at)
    if origin in (typing.Required, typing.NotRequired, typing.Annotated):
        return misfits(value, inner[0], at)
    if origin in (typing.Union, types.UnionType):
        tries = [misfits(value, each, at) for each in inner]
        # The nearest alternative explains best: the one that failed deepest.
        return [] if [] in tries else max(tries, key=lambda found: max(len(e.split(" ")[0]) for e in found))
    if origin is typing.Literal:
        return [] if value in inner else [f"{at} is {value!r}, not {' | '.join(map(str, inner[:8]))}"]
    if origin is dict or hint is dict:
        return [] if isinstance(value, dict) else [f"{at} is no object"]
    if origin and hasattr(origin, "__iter__"):
        if not isinstance(value, list):
            return [f"{at} is no array"]
        return [e for i, item in enumerate(value) for e in misfits(item, inner[0], f"{at}[{i}]")]
    kinds = {float: (int, float), type(None): type(None)}
    try:
        fits = isinstance(value, kinds.get(hint, hint)) and (hint is bool or not isinstance(value, bool))
    except TypeError:
        fits = False
    return [] if fits else [f"{at} is {str(value)[:40]!r}, not {getattr(hint, '__name__', hint)}"]


def misfits_of_dict(value, hint, at):
    if not isinstance(value, dict):
        return [f"{at} is no object"]
    members = typing.get_type_hints(hint, include_extras=True)
    found = [f"{at}.{name} is unknown" for name in value if name not in members]
    for name, member in members.items():
        if name in value:
            found += misfits(value[name], member, f"{at}.{name}")
        elif "Required[" in str(member)[:40] and "NotRequired[" not in str(member)[:40]:
            found.append(f"{at}.{name} is missing")
    return found


def gemini_misfits(name, value):
    if name not in GEMINI_MEMBERS:
        return [f"$.{name} is unknown"]
    if value is None:
        return [f"$.{name} is null"]
    kind = GEMINI_MEMBERS[name]
    many = typing.get_origin(kind) is list
    try:
        for item in value if many else [value]:
            TypeAdapter(typing.get_args(kind)[0] if many else kind).validate_json(json.dumps(item))
    except ValidationError as error:
        return [f"$.{name}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    return []


def cohere_misfits(body):
    """The SDK has no type for the whole: the parameters of its call are the members."""
    parameters = inspect.signature(cohere.ClientV2.chat).parameters
    found = [f"$.{name} is unknown" for name in body if name not in parameters and name != "stream"]
    types_of = {
        "messages": list[cohere.ChatMessageV2],
        "tools": list[cohere.ToolV2],
        "documents": list[str | cohere.Document],
        "response_format": cohere.ResponseFormatV2,
        "thinking": cohere.Thinking,
    }
    for name, kind in types_of.items():
        if name in body:
            try:
                TypeAdapter(kind).validate_python(body[name])
            except ValidationError as error:
                found += [f"$.{name}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    roles = [message["role"] for message in body["messages"]]
    found += [f"{role} is no role" for role in roles if role not in ("system", "user", "assistant", "tool")]
    if body.get("response_format") and (body.get("tools") or body.get("documents")):
        found.append("a form of the answer and tools or documents exclude each other")
    return found


def ollama_misfits(body):
    """The SDK's own types, and what the server refuses: arguments that are text, pictures that are no base64."""
    kind = ollama._types.GenerateRequest if "prompt" in body else ollama._types.ChatRequest
    # `tool_call_id` is newer than the SDK; `think` takes levels that its type has not learnt.
    found = [f"$.{name} is unknown" for name in body if name not in kind.model_fields]
    try:
        kind.model_validate({name: value for name, value in body.items() if name != "think"})
    except ValidationError as error:
        found += [f"$.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    if body.get("think") not in (None, True, False, "low", "medium", "high", "max"):
        found.append(f"$.think is {body['think']!r}")
    if not isinstance(body.get("stream"), bool):
        found.append("$.stream is left to the server")
    for i, message in enumerate(body.get("messages", [])):
        found += [f"$.messages[{i}].content is no string" for _ in "x" if not isinstance(message["content"], str)]
        found += [f"$.messages[{i}].images is no base64" for image in message.get("images", []) if ":" in image]
        for call in message.get("tool_calls", []):
            if not isinstance(call["function"]["arguments"], dict):
                found.append(f"$.messages[{i}] has arguments that are no object")
    return found


# === rules ===


def openai_rules(body):
    found = called_in_order(body)
    names = [tool["function"]["name"] for tool in body.get("tools", []) if tool["type"] == "function"]
    found += [f"tool name {name} is too long" for name in names if len(name) > 64]
    return found + ([f"tool names repeat: {names}"] if len(names) != len(set(names)) else [])


def called_in_order(body):
    """Every call is answered right behind its message, and arguments are an object."""
    found, open_calls = [], []
    for i, message in enumerate(body["messages"]):
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                found.append(f"$.messages[{i}] answers no call of the message before")
            else:
                open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            found.append(f"$.messages[{i}] comes while {open_calls} are unanswered")
        calls = [call for call in message.get("tool_calls") or [] if call["type"] == "function"]
        open_calls = [call["id"] for call in calls]
        for call in calls:
            if not isinstance(json.loads(call["function"]["arguments"]), dict):
                found.append(f"$.messages[{i}] has arguments that are no object")
    return found


def own_message(item):
    if isinstance(item["content"], str):
        return item
    content = [part | {"annotations": []} if part["type"] == "output_text" else part for part in item["content"]]
    return item | {"id": "msg_1", "status": "completed", "content": content}


def responses_rules(body):
    if isinstance(body["input"], str):
        return []
    found, asked, following = [], set(), None
    for i, item in reversed(list(enumerate(body["input"]))):
        kind = item.get("type", "message")
        if kind == "reasoning" and following not in ("reasoning", "function_call", "custom_tool_call", "assistant"):
            found.append(f"$.input[{i}] is reasoning that leads to nothing")
        if kind == "reasoning" and not item.get("encrypted_content"):
            found.append(f"$.input[{i}] is reasoning without its state")
        following = item.get("role") if kind == "message" else kind
    for i, item in enumerate(body["input"]):
        kind = item.get("type", "message")
        if kind in ("function_call", "custom_tool_call"):
            asked.add((kind, item["call_id"]))
            if kind == "function_call" and not isinstance(json.loads(item["arguments"]), dict):
                found.append(f"$.input[{i}] has arguments that are no object")
        elif kind.endswith("call_output"):
            if (kind.removesuffix("_output"), item["call_id"]) not in asked:
                found.append(f"$.input[{i}] answers no call before it")
            asked.discard((kind.removesuffix("_output"), item["call_id"]))
    found += [f"{call} is unanswered" for call in asked]
    names = [tool["name"] for tool in body.get("tools", []) if "name" in tool]
    found += [f"tool name {name} is too long" for name in names if len(name) > 64]
    return found + ([f"tool names repeat: {names}"] if len(names) != len(set(names)) else [])


def anthropic_rules(body):
    found, turns = [], []
    for message in body["messages"]:
        content = message["content"]
        turns.append((message["role"], [{"type": "text", "text": content}] if isinstance(content, str) else content))
    if turns[0][0] != "user":
        found.append("the first turn is not the user's")
    asked = []
    for i, (role, blocks) in enumerate(turns):
        if i and role == turns[i - 1][0]:
            found.append(f"$.messages[{i}] repeats the role {role}")
        found += [f"$.messages[{i}] has an empty text" for b in blocks if b["type"] == "text" and not b["text"].strip()]
        results = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
        if sorted(results) != sorted(asked):
            found.append(f"$.messages[{i}] answers {results}, asked were {asked}")
        if any(b["type"] != "tool_result" for b in blocks[: len(results)]):
            found.append(f"$.messages[{i}] has results that do not come first")
        asked = [b["id"] for b in blocks if b["type"] == "tool_use"]
    thinking = body.get("thinking", {}).get("type") == "enabled"
    if thinking and body["thinking"]["budget_tokens"] >= body["max_tokens"]:
        found.append("thinking.budget_tokens reaches max_tokens")
    if thinking and body.get("tool_choice", {}).get("type") in ("any", "tool"):
        found.append("a forced tool and thinking exclude each other")
    return found


def gemini_rules(body):
    found, asked = [], 0
    for i, content in enumerate(body["contents"]):
        if i and content.get("role") == body["contents"][i - 1].get("role"):
            found.append(f"$.contents[{i}] repeats the role {content.get('role')}")
        results = [part for part in content["parts"] if "functionResponse" in part]
        if len(results) != asked:
            found.append(f"$.contents[{i}] answers {len(results)} calls, asked were {asked}")
        asked = sum("functionCall" in part for part in content["parts"])
    return found
