//! Counting the tokens of a prompt: the requests of a dialect, sent elsewhere and answered with a number.
//!
//! Vendors have an endpoint that takes what their conversation endpoint takes, or almost, and says how large it is.
//! Seen from the stack that is one more dialect: it is inspected, routed, translated and relayed like the others.
//! What a dialect's own folder adds is a [`CountForm`]: how the two bodies differ.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::{
    COUNT, COUNTERS, CallHead, Dialect, Encoded, Glance, Inspection, Operation, Quirk, Reply, ResponseError,
    StreamDecoder, StreamEncoder, StreamForm, Tap, TapSpec, Target, Upstream,
};
use crate::{
    json::{Members, Splice},
    model::{ErrorInfo, Field, FilterError, Media, Request, Response, Str},
};

/// How a dialect asks for a count.
pub trait CountForm: std::fmt::Debug + Send + Sync {
    /// The name in logs and metrics.
    fn name(&self) -> &'static str;

    /// The dialect whose requests are counted.
    fn of(&self) -> &'static dyn Upstream;

    /// Reads what routing needs of a client's body, see [`Dialect::inspect`].
    ///
    /// # Errors
    /// What the client is to be told.
    fn inspect(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
        self.of().inspect(call, body)
    }

    /// A client's body as the conversation request that it stands for.
    fn widen(&self, body: &Bytes) -> Bytes {
        body.clone()
    }

    /// Decodes a client's body, see [`Dialect::decode_request`].
    ///
    /// # Errors
    /// What the client is to be told.
    fn decode(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
        self.of().decode_request(call, &self.widen(body))
    }

    /// A conversation request for an upstream, as its count endpoint takes it.
    fn narrow(&self, body: Bytes, target: &Target<'_>) -> Bytes;

    /// The edits for an upstream with quirks, see [`Upstream::edits`].
    fn edits(
        &self,
        body: &Bytes,
        inspection: &Inspection,
        target: &Target<'_>,
        headers: &mut Vec<(&'static str, Str)>,
    ) -> Vec<Splice> {
        let _ = (body, headers);
        self.of().splices(inspection, target)
    }

    /// The count in an upstream's answer.
    fn read(&self, body: &[u8]) -> Option<u64>;

    /// A count as a client reads it.
    fn write(&self, tokens: u64) -> Bytes;
}

/// A dialect that only counts.
#[derive(Clone, Copy, Debug)]
pub struct Counting<F>(pub F);

impl<F: CountForm + 'static> Counting<F> {
    fn of(&self) -> &'static dyn Upstream {
        self.0.of()
    }
}

/// The head of the call that the count stands for: the verb is the count's own.
fn plain<'c>(call: &CallHead<'c>) -> CallHead<'c> {
    CallHead { verb: None, ..*call }
}

impl<F: CountForm + 'static> Dialect for Counting<F> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn config_name(&self) -> (&'static str, &'static str) {
        (self.of().config_name().0, COUNT)
    }

    fn operation(&self) -> Operation {
        Operation::Count
    }

    fn origin(&self) -> &'static str {
        self.of().origin()
    }

    fn claims_hosted(&self, body: &Bytes) -> bool {
        self.of().claims_hosted(body)
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        COUNTERS.iter().copied().find(|counter| counter.name() == self.name())
    }

    fn inspect(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
        let inspection = self.0.inspect(&plain(call), body)?;
        Ok(Inspection { stream: None, stream_options_at: None, ..inspection })
    }

    fn decode_request(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
        let mut request = self.0.decode(&plain(call), body)?;
        request.stream = None;
        Ok(request)
    }

    fn encode_response(&self, response: &Response, _reply: &Reply) -> Bytes {
        self.0.write(response.counted.unwrap_or_default())
    }

    fn stream_encoder(&self, reply: &Reply) -> Box<dyn StreamEncoder> {
        self.of().stream_encoder(reply)
    }

    fn encode_error(&self, error: &ErrorInfo, request_id: &str) -> Bytes {
        self.of().encode_error(error, request_id)
    }

    fn error_status(&self, error: &ErrorInfo) -> u16 {
        self.of().error_status(error)
    }

    fn error_headers(&self, error: &ErrorInfo) -> Vec<(&'static str, Str)> {
        self.of().error_headers(error)
    }

    fn keepalive(&self, form: StreamForm) -> &'static [u8] {
        self.of().keepalive(form)
    }

    fn pointer(&self, field: Field) -> &'static str {
        self.of().pointer(field)
    }

    fn headers(&self) -> &'static [&'static str] {
        self.of().headers()
    }
}

impl<F: CountForm + 'static> Upstream for Counting<F> {
    fn splices(&self, inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
        self.of().splices(inspection, target)
    }

    fn edits(
        &self,
        body: &Bytes,
        inspection: &Inspection,
        target: &Target<'_>,
        headers: &mut Vec<(&'static str, Str)>,
    ) -> Vec<Splice> {
        self.0.edits(body, inspection, target, headers)
    }

    fn encode_request(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
        let encoded = self.of().encode_request(request, target)?;
        Ok(Encoded { body: self.0.narrow(encoded.body, target), ..encoded })
    }

    fn takes_url(&self, media: &Media, quirks: &[String]) -> bool {
        self.of().takes_url(media, quirks)
    }

    fn decode_response(&self, body: &Bytes) -> Result<Response, ResponseError> {
        match self.0.read(body) {
            Some(tokens) => Ok(Response { counted: Some(tokens), ..Response::default() }),
            None => Err(FilterError::malformed("a token count", &"it holds no number").into()),
        }
    }

    fn inspect_response(&self, _body: &Bytes) -> Glance {
        // Counting is free: what is counted is not used.
        Glance::default()
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ErrorInfo {
        self.of().decode_error(status, body)
    }

    fn is_own_error(&self, body: &[u8]) -> bool {
        self.of().is_own_error(body)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        self.of().stream_decoder()
    }

    fn tap(&self, tap: TapSpec) -> Box<dyn Tap> {
        self.of().tap(tap)
    }

    fn quirks(&self) -> &'static [Quirk] {
        self.of().quirks()
    }
}

/// Decodes a body that is counted as it would go to a host of many vendors' models, by the dialect that it says it is of.
///
/// # Errors
/// What the client is to be told; among it, that no dialect here is the body's.
pub(super) fn decode_hosted(call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
    match COUNTERS.iter().find(|counter| counter.claims_hosted(body)) {
        Some(counter) => counter.decode_request(call, body),
        None => Err(ErrorInfo::invalid("body", "the body is of no vendor's that is known here")),
    }
}

/// The members of `body` that `keeps` names, in their order.
pub(super) fn only(body: &Bytes, keeps: impl Fn(&str) -> bool) -> BytesMut {
    let mut out = BytesMut::with_capacity(body.len());
    let text = |at: Range<usize>| body.get(at).unwrap_or_default();
    for member in Members::new(body).flatten() {
        if !std::str::from_utf8(text(member.name.clone())).is_ok_and(&keeps) {
            continue;
        }
        out.extend_from_slice(if out.is_empty() { b"{\"" } else { b",\"" });
        out.extend_from_slice(text(member.name));
        out.extend_from_slice(b"\":");
        out.extend_from_slice(text(member.value));
    }
    out.extend_from_slice(if out.is_empty() { b"{}" } else { b"}" });
    out
}

/// The number that stands under `name` in a JSON object.
pub(super) fn number(body: &[u8], name: &str) -> Option<u64> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    object.get(name)?.as_u64()
}
