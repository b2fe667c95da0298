"""What tests ask and what they get, in no SDK's words."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES = json.loads((Path(__file__).parent.parent / "cases.json").read_text())


@dataclass
class Ask:
    """A request. A turn is `(kind, value)`: `user` and `assistant` carry text, `image` a text that comes with a picture,
    `answer` an earlier `Answer`, `results` pairs of a call and its result."""

    model: str
    turns: list[tuple[str, Any]]
    system: str | None = None
    tools: dict[str, dict] = field(default_factory=dict)
    choice: str | None = None
    schema: dict | None = None
    think: bool = False
    body: dict | None = None


@dataclass
class Call:
    """A tool call; `args` were parsed from what the SDK showed."""

    id: str
    name: str
    args: dict


@dataclass
class Usage:
    """Tokens as sums over the buckets of canonical.md section 2.2: `read` is part of `input`, `reasoning` of `output`."""

    input: int
    output: int
    read: int = 0
    reasoning: int = 0
    total: int | None = None


@dataclass
class Answer:
    """An answer. `raw_finish` is the dialect's own word, `finish` one of stop, length, tools, filter, other, or `None`."""

    text: str
    reasoning: str
    signed: bool
    calls: list[Call]
    raw_finish: str | None
    finish: str | None
    usage: Usage | None
    native: Any = None


def schema_errors(value, schema, at="$"):
    """Names what in `value` does not fit `schema`, for the keywords that the cases use."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    kind = schema.get("type")
    if kind and (not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{at} is {value!r}, not {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at} is {value!r}, not one of {schema['enum']}"]
    errors = []
    if kind == "object":
        errors += [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, inner in schema.get("properties", {}).items():
            errors += schema_errors(value[name], inner, f"{at}.{name}") if name in value else []
    if kind == "array":
        for i, item in enumerate(value):
            errors += schema_errors(item, schema.get("items", {}), f"{at}[{i}]")
    return errors
