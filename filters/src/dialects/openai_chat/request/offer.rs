//! Tools on offer, the choice among them, and the form of the answer, as they are written to an upstream.

use sha2::{Digest, Sha256};

use super::{
    super::{answer::hex, wire::Writer},
    encode::Encoder,
};
use crate::{
    alias::{Charset, alias},
    json::push_str,
    model::{ErrorInfo, Family, Field, OutputFormat, RawJson, Str, Tool, ToolChoice},
    schema::{self, SchemaTarget},
};

/// Names of tools, of people and of schemas.
const NAMES: Charset = Charset { max: 64, extra: b"_-", starts_with_letter: false };
/// Ids of calls. Chat Completions refuses longer ones than Responses; Kimi's own are `functions.name:0`.
const IDS: Charset = Charset { max: 40, extra: b"_-.:", starts_with_letter: false };

/// Tools that `OpenAI` runs in its other API only.
const FOREIGN_TOOLS: &[&str] = &[
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "shell",
    "tool_search",
    "web_search",
    "web_search_preview",
];

impl Encoder<'_> {
    pub(super) fn tools(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let request = self.request;
        let (options, tools): (Vec<_>, Vec<_>) = request
            .tools
            .iter()
            .partition(|tool| matches!(tool, Tool::Server { kind, .. } if kind == "web_search_options"));
        for tool in options {
            if let Tool::Server { family: Family::OpenAi, raw, .. } = tool {
                body.raw("web_search_options", raw.as_str());
            }
        }
        if tools.is_empty() {
            return Ok(());
        }
        let mut list = body.list("tools");
        for tool in tools {
            self.tool(tool, &mut list)?;
        }
        list.end();
        self.tool_choice(body);
        match request.parallel_tools {
            Some(false) if self.target.has_quirk("no_parallel_tool_calls") || !self.profile.parallel => {
                self.losses.drop(Field::ParallelTools);
            }
            Some(parallel) if self.profile.parallel && !self.target.has_quirk("no_parallel_tool_calls") => {
                body.bool("parallel_tool_calls", parallel);
            }
            _ => {}
        }
        Ok(())
    }

    fn tool(&mut self, tool: &Tool, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        match tool {
            Tool::Function { name, description, schema, strict, cache } => {
                let mut object = Writer::object(list.element());
                object.str("type", "function");
                let mut function = object.nested("function");
                function.str("name", &self.renamed(name));
                function.maybe_str("description", description.as_deref());
                match schema {
                    Some(schema) => {
                        function.raw("parameters", self.fitted(schema, *strict, Field::ToolSchema).as_str());
                    }
                    None => function.raw("parameters", r#"{"type":"object","properties":{}}"#),
                }
                if let Some(strict) = strict {
                    function.bool("strict", *strict);
                }
                function.end();
                self.cache(cache.is_some(), &mut object);
                object.end();
            }
            Tool::Custom { name, description, format } => {
                let mut object = Writer::object(list.element());
                object.str("type", "custom");
                let mut custom = object.nested("custom");
                custom.str("name", &self.renamed(name));
                custom.maybe_str("description", description.as_deref());
                if let Some(format) = format {
                    custom.raw("format", format.as_str());
                }
                custom.end();
                object.end();
            }
            Tool::Server { family: Family::OpenAi, kind, raw } if !FOREIGN_TOOLS.contains(&&**kind) => {
                list.element().extend_from_slice(raw.as_str().as_bytes());
            }
            Tool::Server { kind, .. } => {
                let message = format!("this upstream has no tool `{kind}`; leave it out or choose another model");
                return Err(ErrorInfo::invalid("tools", message));
            }
        }
        Ok(())
    }

    /// A schema as this upstream takes it. What came from this family was written for it and stays as it is.
    fn fitted(&mut self, schema: &RawJson, strict: Option<bool>, field: Field) -> RawJson {
        if self.native || strict != Some(true) {
            return schema.clone();
        }
        let fitted = schema::fit(schema, SchemaTarget::OpenAiStrict);
        if fitted.weakened {
            self.losses.approx(field);
        }
        fitted.schema
    }

    fn tool_choice(&mut self, body: &mut Writer<'_>) {
        match &self.request.tool_choice {
            ToolChoice::Unset => {}
            ToolChoice::Auto => body.str("tool_choice", "auto"),
            ToolChoice::None => body.str("tool_choice", "none"),
            ToolChoice::Required if self.target.has_quirk("no_required_tool") => {
                self.losses.approx(Field::ToolChoice);
                body.str("tool_choice", "auto");
            }
            ToolChoice::Required => body.str("tool_choice", "required"),
            ToolChoice::Named(name) => {
                let mut choice = body.nested("tool_choice");
                self.named(name, &mut choice);
                choice.end();
            }
            ToolChoice::Allowed { names, required } => {
                let mut choice = body.nested("tool_choice");
                choice.str("type", "allowed_tools");
                let mut allowed = choice.nested("allowed_tools");
                allowed.str("mode", if *required { "required" } else { "auto" });
                let mut tools = allowed.list("tools");
                for name in names {
                    let mut tool = Writer::object(tools.element());
                    self.named(name, &mut tool);
                    tool.end();
                }
                tools.end();
                allowed.end();
                choice.end();
            }
        }
    }

    fn named(&mut self, name: &Str, object: &mut Writer<'_>) {
        let custom =
            self.request.tools.iter().any(|tool| matches!(tool, Tool::Custom { name: own, .. } if own == name));
        let kind = if custom { "custom" } else { "function" };
        object.str("type", kind);
        let mut tool = object.nested(kind);
        tool.str("name", &tool_name(name));
        tool.end();
    }

    /// The same for a tool on offer; notes the change, for the reply.
    fn renamed(&mut self, name: &Str) -> Str {
        let sent = tool_name(name);
        if sent != *name {
            self.renamed.push((sent.clone(), name.clone()));
        }
        sent
    }

    /// A call's id as this upstream takes it.
    pub(super) fn call_id(&self, id: &Str) -> Str {
        if !self.target.has_quirk("tool_ids_9") {
            return alias(id, IDS);
        }
        if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return id.clone();
        }
        let hash = Sha256::digest(id.as_bytes());
        Str::from(hex(hash.iter().take(5)).get(..9).unwrap_or_default())
    }

    /// What is said of the answer's form to an upstream that takes no schema. Such ones want the word JSON in the prompt
    /// even where any object will do.
    pub(super) fn format_in_words(&self) -> Option<String> {
        if !self.target.has_quirk("json_object_only") {
            return None;
        }
        match &self.request.output.format {
            OutputFormat::Text => None,
            OutputFormat::JsonObject => Some("Respond only with a JSON object.".to_owned()),
            OutputFormat::JsonSchema { schema, .. } => {
                Some(format!("Respond only with a JSON object that fits this JSON Schema: {}", schema.as_str()))
            }
        }
    }

    pub(super) fn format(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let output = &self.request.output;
        match &output.format {
            OutputFormat::Text => {}
            OutputFormat::JsonSchema { .. } if self.target.has_quirk("json_object_only") => {
                self.losses.approx(Field::ResponseSchema);
                let mut format = body.nested("response_format");
                format.str("type", "json_object");
                format.end();
            }
            OutputFormat::JsonObject => {
                let mut format = body.nested("response_format");
                format.str("type", "json_object");
                format.end();
            }
            OutputFormat::JsonSchema { name, description, schema, strict } => {
                let schema = self.fitted(schema, *strict, Field::ResponseSchema);
                let name = name.as_ref().map_or(Str::from_static("response"), |name| alias(name, NAMES));
                let mut format = body.nested("response_format");
                format.str("type", "json_schema");
                let mut wire = format.nested("json_schema");
                wire.str("name", &name);
                wire.maybe_str("description", description.as_deref());
                wire.raw("schema", schema.as_str());
                if let Some(strict) = strict {
                    wire.bool("strict", *strict);
                }
                wire.end();
                format.end();
            }
        }
        if !output.modalities.is_empty() {
            // Speech needs a voice and a format, which only a request of this family can have said.
            if !self.native {
                return Err(ErrorInfo::invalid("modalities", "this upstream answers in text only; ask for text"));
            }
            let mut list = body.list("modalities");
            for name in std::iter::once("text").chain(output.modalities.iter().map(|name| &**name)) {
                push_str(list.element(), name);
            }
            list.end();
        }
        if output.verbosity.is_some() && self.target.has_quirk("no_platform_members") {
            self.losses.drop(Field::Verbosity);
        } else {
            body.maybe_str("verbosity", output.verbosity.as_deref());
        }
        Ok(())
    }
}

/// A tool's name, or a person's, as this upstream takes it.
pub(super) fn tool_name(name: &Str) -> Str {
    alias(name, NAMES)
}
