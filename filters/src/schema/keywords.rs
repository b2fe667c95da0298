//! Which keywords each target takes.

use super::SchemaTarget;

/// Keywords that narrow which values fit. Losing one is told; losing any other is not.
pub(super) const CONSTRAINTS: &[&str] = &[
    "additionalItems",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "required",
    "then",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

/// Keywords that hold one schema, several, or a map of them.
pub(super) const ONE: &[&str] = &["additionalProperties", "contains", "items", "additionalItems"];
pub(super) const MANY: &[&str] = &["allOf", "anyOf", "items", "oneOf", "prefixItems"];
pub(super) const MAPS: &[&str] = &["$defs", "properties"];

const OPENAI_KEEPS: &[&str] = &[
    "$defs",
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "multipleOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
];
const ANTHROPIC_KEEPS: &[&str] = &[
    "$defs",
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "minItems",
    "properties",
    "required",
    "title",
    "type",
];
const OPENAPI_KEEPS: &[&str] = &[
    "anyOf",
    "default",
    "description",
    "enum",
    "example",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "propertyOrdering",
    "required",
    "title",
    "type",
];
/// `*JsonSchema` takes unknown members in peace, except these.
const GEMINI_JSON_DROPS: &[&str] = &[
    "$comment",
    "$id",
    "$schema",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

const OPENAI_FORMATS: &[&str] = &["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"];
const ANTHROPIC_FORMATS: &[&str] =
    &["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"];
const OPENAPI_FORMATS: &[&str] = &["date-time", "double", "enum", "float", "int32", "int64"];

/// Whether a target takes a keyword.
pub(super) fn keeps(target: SchemaTarget, key: &str) -> bool {
    match target {
        SchemaTarget::OpenAiStrict => OPENAI_KEEPS.contains(&key),
        SchemaTarget::Anthropic => ANTHROPIC_KEEPS.contains(&key),
        SchemaTarget::GeminiOpenApi => OPENAPI_KEEPS.contains(&key),
        SchemaTarget::GeminiJson => !GEMINI_JSON_DROPS.contains(&key),
        // What was referred to stands in its place.
        SchemaTarget::Ollama => !matches!(key, "$defs" | "definitions"),
    }
}

/// The values of `format` that a target takes; `None` if it takes any.
pub(super) fn formats_of(target: SchemaTarget) -> Option<&'static [&'static str]> {
    match target {
        SchemaTarget::OpenAiStrict => Some(OPENAI_FORMATS),
        SchemaTarget::Anthropic => Some(ANTHROPIC_FORMATS),
        SchemaTarget::GeminiOpenApi => Some(OPENAPI_FORMATS),
        SchemaTarget::GeminiJson | SchemaTarget::Ollama => None,
    }
}
