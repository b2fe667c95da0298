//! Schemas: any JSON is fitted to every target as JSON, and fitting ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_filters::{
    model::{RawJson, Str},
    schema::{SchemaTarget, fit, from_openapi},
};

fuzz_target!(|text: &str| {
    let Ok(schema) = RawJson::parse(Str::from(text)) else { return };
    let read = from_openapi(&schema);
    for schema in [&schema, &read] {
        for target in
            [SchemaTarget::OpenAiStrict, SchemaTarget::Anthropic, SchemaTarget::GeminiOpenApi, SchemaTarget::GeminiJson]
        {
            let fitted = fit(schema, target);
            lockgate_fuzz::assert_json(fitted.schema.as_str().as_bytes(), "a schema");
        }
    }
});
