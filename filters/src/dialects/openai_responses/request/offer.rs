//! Tools on offer, the choice among them, and the form of the answer, as they are written to an upstream.

use super::{super::wire::Writer, choice::no_parameters, encode::Encoder};
use crate::{
    alias::{Charset, alias},
    model::{ErrorInfo, Family, Field, OutputFormat, RawJson, Str, Tool, ToolChoice},
    schema::{SchemaTarget, fit},
};

/// Names of tools and of schemas, and ids of calls.
const NAMES: Charset = Charset { max: 64, extra: b"_-", starts_with_letter: false };
const IDS: Charset = Charset { max: 64, extra: b"_-.:", starts_with_letter: false };

/// Tools of this vendor that do what another's tool does, by that tool's name.
const EQUALS: &[(&[&str], &str, &str)] = &[
    (
        &["web_search", "web_search_options", "web_search_20250305", "googleSearch", "google_search"],
        "web_search",
        r#"{"type":"web_search"}"#,
    ),
    (
        &["code_execution", "codeExecution", "code_execution_20250825"],
        "code_interpreter",
        r#"{"type":"code_interpreter","container":{"type":"auto"}}"#,
    ),
];

/// Tools that the vendor runs in this API, or lets clients run. Its other API has more, and so have its followers.
const OWN: &[&str] = &[
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "programmatic_tool_calling",
    "shell",
    "tool_search",
    "web_search",
    "web_search_preview",
];

impl Encoder<'_> {
    /// Writes `tools`, `tool_choice` and `parallel_tool_calls`.
    pub(super) fn tools(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let request = self.request;
        if request.tools.is_empty() {
            return Ok(());
        }
        let mut list = body.list("tools");
        for tool in &request.tools {
            self.tool(tool, &mut list)?;
        }
        list.end();
        self.tool_choice(body);
        let takes_parallel = self.profile.parallel && !self.target.has_quirk("no_parallel_tool_calls");
        match request.parallel_tools {
            Some(parallel) if takes_parallel => body.bool("parallel_tool_calls", parallel),
            Some(false) => self.losses.drop(Field::ParallelTools),
            _ => {}
        }
        Ok(())
    }

    fn tool(&mut self, tool: &Tool, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        match tool {
            Tool::Function { name, description, schema, strict, .. } => {
                let mut object = Writer::of_type(list.element(), "function");
                object.str("name", &self.renamed(name));
                object.maybe_str("description", description.as_deref());
                let strict = strict.unwrap_or(false);
                let schema = schema.as_ref().map(|schema| self.fitted(schema, strict, Field::ToolSchema));
                object.raw("parameters", schema.unwrap_or_else(no_parameters).as_str());
                // Said always: what it is where it is not said differs between dialects.
                object.bool("strict", strict);
                object.end();
            }
            Tool::Custom { name, description, format } => {
                let mut object = Writer::of_type(list.element(), "custom");
                object.str("name", &self.renamed(name));
                object.maybe_str("description", description.as_deref());
                if let Some(format) = format {
                    object.raw("format", format.as_str());
                }
                object.end();
            }
            Tool::Server { kind, raw, .. } => match server_tool(tool, self.native) {
                Some("") => list.element().extend_from_slice(raw.as_str().as_bytes()),
                Some(equal) => {
                    self.losses.approx(Field::ServerTool);
                    list.element().extend_from_slice(equal.as_bytes());
                }
                None => {
                    let message = format!("this upstream has no tool `{kind}`; leave it out or choose another model");
                    return Err(ErrorInfo::invalid("tools", message));
                }
            },
        }
        Ok(())
    }

    fn tool_choice(&mut self, body: &mut Writer<'_>) {
        match &self.request.tool_choice {
            ToolChoice::Unset => {}
            ToolChoice::Auto => body.str("tool_choice", "auto"),
            ToolChoice::None => body.str("tool_choice", "none"),
            ToolChoice::Required => body.str("tool_choice", "required"),
            ToolChoice::Named(name) => {
                let mut choice = body.nested("tool_choice");
                self.named(name, &mut choice);
                choice.end();
            }
            ToolChoice::Allowed { names, required: true } if names.len() == 1 && self.is_server(names.first()) => {
                let mut choice = body.nested("tool_choice");
                for name in names {
                    self.named(name, &mut choice);
                }
                choice.end();
            }
            ToolChoice::Allowed { names, required } => {
                let mut choice = Writer::of_type(body.member("tool_choice"), "allowed_tools");
                choice.str("mode", if *required { "required" } else { "auto" });
                let mut tools = choice.list("tools");
                for name in names {
                    let mut tool = Writer::object(tools.element());
                    self.named(name, &mut tool);
                    tool.end();
                }
                tools.end();
                choice.end();
            }
        }
    }

    /// Whether a name is that of a provider's tool on offer.
    fn is_server(&self, name: Option<&Str>) -> bool {
        let is_it = |tool: &Tool| matches!(tool, Tool::Server { kind, .. } if Some(kind) == name);
        self.request.tools.iter().any(is_it)
    }

    fn named(&self, name: &Str, object: &mut Writer<'_>) {
        if self.is_server(Some(name)) {
            return object.str("type", name);
        }
        let is_custom = |tool: &Tool| matches!(tool, Tool::Custom { name: own, .. } if own == name);
        object.str("type", if self.request.tools.iter().any(is_custom) { "custom" } else { "function" });
        object.str("name", &tool_name(name));
    }

    /// The same for a tool on offer; notes the change, for the reply.
    fn renamed(&mut self, name: &Str) -> Str {
        let sent = tool_name(name);
        if sent != *name {
            self.renamed.push((sent.clone(), name.clone()));
        }
        sent
    }

    /// A schema as this upstream takes it. What came in this family was written for it and stays as it is.
    fn fitted(&mut self, schema: &RawJson, strict: bool, field: Field) -> RawJson {
        if self.native || !strict {
            return schema.clone();
        }
        let fitted = fit(schema, SchemaTarget::OpenAiStrict);
        if fitted.weakened {
            self.losses.approx(field);
        }
        fitted.schema
    }

    /// Writes `text`.
    pub(super) fn format(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let output = &self.request.output;
        if output.modalities.iter().any(|modality| *modality != "text") {
            return Err(ErrorInfo::invalid("modalities", "this upstream answers in text only; ask for text"));
        }
        if output.format == OutputFormat::Text && output.verbosity.is_none() {
            return Ok(());
        }
        let mut text = body.nested("text");
        match &output.format {
            OutputFormat::Text => {}
            OutputFormat::JsonObject => text.raw("format", r#"{"type":"json_object"}"#),
            OutputFormat::JsonSchema { name, description, schema, strict } => {
                let schema = self.fitted(schema, *strict == Some(true), Field::ResponseSchema);
                let name = name.as_ref().map_or(Str::from_static("response"), |name| alias(name, NAMES));
                let mut format = Writer::of_type(text.member("format"), "json_schema");
                format.str("name", &name);
                format.maybe_str("description", description.as_deref());
                format.raw("schema", schema.as_str());
                if let Some(strict) = strict {
                    format.bool("strict", *strict);
                }
                format.end();
            }
        }
        text.maybe_str("verbosity", output.verbosity.as_deref());
        text.end();
        Ok(())
    }
}

/// The tool of this vendor's that stands for a provider's; empty if it is its own. `None` if there is none.
fn server_tool(tool: &Tool, native: bool) -> Option<&'static str> {
    let Tool::Server { family, kind, .. } = tool else { return None };
    let equal = EQUALS.iter().find(|(kinds, own, _)| kinds.contains(&&**kind) && **kind != **own);
    match (family, equal) {
        (Family::OpenAi, None) if native || OWN.contains(&&**kind) => Some(""),
        (_, Some((.., equal))) => Some(equal),
        (_, None) => EQUALS.iter().find(|(_, own, _)| **kind == **own).map(|(.., equal)| *equal),
    }
}

/// A tool's name as this upstream takes it.
pub(super) fn tool_name(name: &Str) -> Str {
    alias(name, NAMES)
}

/// A call's id as this upstream takes it.
pub(super) fn call_id(id: &Str) -> Str {
    alias(id, IDS)
}
