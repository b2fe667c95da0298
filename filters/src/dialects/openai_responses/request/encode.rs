//! A request for an upstream.
//!
//! Quirks that the catalog may list for an upstream:
//!
//! | quirk | effect |
//! |---|---|
//! | `no_include` | encrypted reasoning is not asked for |
//! | `no_parallel_tool_calls`, `no_user` | that member is left out |
//! | `prompt_cache_breakpoint` | cache breakpoints are sent |

use bytes::BytesMut;

use super::{
    super::{NAME, wire::Writer},
    history,
};
use crate::{
    dialects::{Encoded, Target},
    model::{ErrorInfo, Field, Losses, Part, Request, Str},
    openai::profile::{self, Profile},
};

/// Encodes a request.
pub(in super::super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
    let mut encoder = Encoder {
        request,
        target,
        profile: profile::of(target.model),
        native: request.origin == Some(NAME),
        losses: Losses::default(),
        renamed: Vec::new(),
    };
    encoder.refuse()?;
    let mut out = BytesMut::with_capacity(1024);
    let mut body = Writer::object(&mut out);
    body.str("model", target.model);
    encoder.conversation(&mut body)?;
    encoder.tools(&mut body)?;
    encoder.format(&mut body)?;
    encoder.sampling(&mut body);
    encoder.reasoning(&mut body);
    encoder.state(&mut body);
    encoder.bookkeeping(&mut body);
    encoder.extra(&mut body);
    body.end();
    let Encoder { losses, renamed, .. } = encoder;
    Ok(Encoded { body: out.freeze(), losses, headers: Vec::new(), renamed_tools: renamed, json_tool: None })
}

/// One request on its way.
pub(super) struct Encoder<'a> {
    pub(super) request: &'a Request,
    pub(super) target: &'a Target<'a>,
    pub(super) profile: Profile,
    /// The request came in this dialect, so that its words mean here what they meant there.
    pub(super) native: bool,
    pub(super) losses: Losses,
    pub(super) renamed: Vec<(Str, Str)>,
}

impl Encoder<'_> {
    /// Writes `input`. Leading instructions are its first message, which every server of this dialect takes; not all
    /// of them know `instructions`.
    fn conversation(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let request = self.request;
        let is_said = |part: &&Part| part.as_text().is_some_and(|text| !text.is_empty());
        if request.system.iter().any(|part| part.as_text().is_none()) {
            self.losses.drop(Field::System);
        }
        let mut system: Vec<&Part> = request.system.iter().filter(is_said).collect();
        let messages = if request.turns.is_empty() && (!system.is_empty() || request.state.has_history()) {
            Vec::new()
        } else {
            history::plan(&request.turns, self.target.sealer, &mut self.losses)?
        };
        let mut list = body.list("input");
        self.message("system", "input_text", &mut system, &mut list)?;
        self.items(&messages, &mut list)?;
        list.end();
        Ok(())
    }
}
