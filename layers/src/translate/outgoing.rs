//! Builds the request that goes to the upstream.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use lockgate_filters::{
    dialects::{self, Dialect, Encoded, Inspection, Reply, StreamForm, Target as DialectTarget, Upstream},
    hosts::HostWire,
    json,
    model::{ErrorInfo, Field, Losses, Str},
    seal::Sealer,
};

use super::{Attempt, AttemptError, Call, Speech, StateMemory, attempt::State, memory::Listener};
use crate::{
    body::Body,
    credential::{self, Outgoing},
    target::{Face, Target},
};

/// Request headers that go to every upstream as the client sent them.
static FORWARDED: [HeaderName; 4] = [
    header::USER_AGENT,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// How an attempt is made: in the client's own dialect, or translated.
#[derive(Debug)]
pub(super) enum Lane {
    /// The upstream speaks the client's dialect.
    Native {
        /// The gateway asked for usage that the client did not ask for.
        strip_usage: bool,
        /// The dialect's own headers, where the upstream's quirks may have changed them; else the client's pass.
        headers: Option<Vec<(&'static str, Str)>>,
    },
    /// The request was decoded and encoded.
    Cross {
        /// What the encoding changed; its body has gone out.
        encoded: Box<Encoded>,
        /// How the client wants its answer.
        reply: Box<Reply>,
        /// Keeps what the client has no place for.
        listener: Option<Listener>,
    },
}

/// An attempt that is ready to be sent.
pub(super) struct Prepared {
    pub(super) outgoing: Outgoing,
    pub(super) lane: Lane,
    pub(super) dialect: &'static dyn Upstream,
    /// What the target's host puts around the dialect.
    pub(super) wire: Option<&'static dyn HostWire>,
}

/// Prepares an attempt.
pub(super) fn prepare(attempt: &Attempt, state: &State) -> Result<Prepared, AttemptError> {
    let Attempt { call, target, .. } = attempt;
    let endpoint = &target.endpoint;
    if let Some(why) = &endpoint.unfilled {
        return Err(AttemptError::unusable(target, why));
    }
    let Some((face, speech)) = attempt.face() else {
        return Err(AttemptError::not_offered(target));
    };
    let speak = DialectTarget {
        model: &target.model,
        quirks: &endpoint.quirks,
        usage_in_stream: endpoint.usage_in_stream,
        sealer: &state.sealer,
    };
    let (body, lane) = match speech {
        Speech::Native => native(call, face, &speak),
        Speech::Cross => {
            let tenant = call.identity.as_deref().map(|identity| identity.path.as_deref().unwrap_or(&identity.name));
            // Nobody can use state that was given to another.
            let sealer = tenant.map_or_else(|| state.sealer.clone(), |tenant| state.sealer.bound_to(tenant));
            let kept = Kept { memory: &state.memory, tenant: tenant.unwrap_or_default() };
            cross(attempt, face, &DialectTarget { sealer: &sealer, ..speak }, kept)?
        }
    };
    let wire = face.dialect.host_wire(&speak);
    let request = request(call, target, face, wire, body, &lane)?;
    let outgoing = Outgoing {
        endpoint: face.at.as_ref().unwrap_or(endpoint).clone(),
        connect: target.timeouts.connect,
        caller_key: credential::caller_key(&call.headers, endpoint),
        request,
    };
    Ok(Prepared { outgoing, lane, dialect: face.dialect, wire })
}

/// Where state is kept, and whose.
#[derive(Clone, Copy)]
struct Kept<'a> {
    memory: &'a StateMemory,
    tenant: &'a str,
}

/// Bodies below this are joined: a copy costs less than the kernel's work on several pieces.
const MIN_APART: usize = 16 << 10;

fn native(call: &Call, face: &Face, speak: &DialectTarget<'_>) -> (Body, Lane) {
    let strip_usage = call.inspection.stream.is_some() && !call.inspection.include_usage && speak.usage_in_stream;
    let (mut splices, headers) = if speak.quirks.is_empty() {
        (face.dialect.splices(&call.inspection, speak), None)
    } else {
        let mut headers = own_headers(call, face);
        (face.dialect.edits(&call.body, &call.inspection, speak, &mut headers), Some(headers))
    };
    let body = if call.body.len() < MIN_APART {
        Body::full(json::apply(&call.body, &mut splices))
    } else {
        Body::pieces(json::apply_in_pieces(&call.body, &mut splices))
    };
    (body, Lane::Native { strip_usage, headers })
}

/// The headers of the client's that belong to the dialect, one for each value.
fn own_headers(call: &Call, face: &Face) -> Vec<(&'static str, Str)> {
    let values = |name: &&'static str| {
        let name = *name;
        call.headers.get_all(name).iter().filter_map(move |value| Some((name, Str::from(value.to_str().ok()?))))
    };
    face.dialect.headers().iter().flat_map(values).collect()
}

fn cross(
    attempt: &Attempt,
    face: &Face,
    speak: &DialectTarget<'_>,
    kept: Kept<'_>,
) -> Result<(Body, Lane), AttemptError> {
    let call = &attempt.call;
    let request = attempt.request().map_err(|error| AttemptError::new(error.clone()))?;
    let forgetful = !call.dialect.carries_state();
    let completed = if forgetful { kept.memory.recall(kept.tenant, request) } else { None };
    let request = completed.as_ref().unwrap_or(request);
    let mut encoded = dialects::encode_request(face.dialect, request, speak).map_err(AttemptError::new)?;
    if call.strict && !encoded.losses.is_empty() {
        return Err(AttemptError::new(too_lossy(call.dialect, &encoded.losses)));
    }
    call.record.note(|facts| facts.losses = encoded.losses.clone());
    let show_reasoning = !matches!(request.reasoning.display, Some(lockgate_filters::model::Display::Omitted));
    let reply = Reply { show_reasoning, sealer: speak.sealer.clone(), ..reply_to(call) };
    let listener = forgetful.then(|| kept.memory.listen(kept.tenant));
    let body = Body::full(std::mem::take(&mut encoded.body));
    Ok((body, Lane::Cross { encoded: Box::new(encoded), reply: Box::new(reply), listener }))
}

/// How a client wants its answer, as far as its request tells by itself.
pub(super) fn reply_to(call: &Call) -> Reply {
    let Inspection { model, stream, include_usage, .. } = &call.inspection;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Reply {
        model: model.clone(),
        id: call.reply_id.as_ref().unwrap_or(&call.record.id).clone(),
        created: now.map_or(0, |now| now.as_secs()),
        form: stream.unwrap_or(StreamForm::Sse),
        include_usage: *include_usage,
        show_reasoning: true,
        // Four bytes of JSON per token: only for clients that want a number before the upstream has counted.
        input_estimate: (call.body.len() as u64 / 4).max(1),
        sealer: Sealer::new(&[]),
    }
}

fn too_lossy(dialect: &dyn Dialect, losses: &Losses) -> ErrorInfo {
    let named: Vec<_> =
        losses.iter().map(|loss| format!("`{}` ({})", dialect.pointer(loss.field), loss.level.as_str())).collect();
    let first = losses.iter().next().map_or(Field::Extra, |loss| loss.field);
    let message = format!(
        "strict translation: this target cannot carry {}: leave it out, choose another model, or drop `strict`",
        named.join(", ")
    );
    ErrorInfo::invalid(dialect.pointer(first).trim_start_matches('/').replace('/', "."), message)
        .with_code("lossy_translation")
}

fn request(
    call: &Call,
    target: &Target,
    face: &Face,
    wire: Option<&dyn HostWire>,
    body: Body,
    lane: &Lane,
) -> Result<Request<Body>, AttemptError> {
    let streamed = call.inspection.stream.is_some();
    let mut path = face.path_for(&target.model, streamed);
    if matches!(lane, Lane::Native { .. }) && call.inspection.stream == Some(StreamForm::JsonArray) {
        // The client reads an array, and gets the upstream's bytes: the upstream must write one.
        let array = path.strip_suffix("?alt=sse").or_else(|| path.strip_suffix("&alt=sse")).map(str::to_owned);
        path = array.map_or(path, std::borrow::Cow::Owned);
    }
    let uri = match &path {
        std::borrow::Cow::Borrowed(path) => path.parse::<Uri>(),
        std::borrow::Cow::Owned(path) => path.parse::<Uri>(),
    };
    let uri = uri.map_err(|_| AttemptError::invalid_answer(target, &"its path is no URI"))?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let stream_type = wire.map_or_else(|| face.dialect.stream_form().content_type(), HostWire::stream_type);
    let accept = if streamed { HeaderValue::from_static(stream_type) } else { JSON };
    *request.headers_mut() = headers(call, target, face, lane, accept);
    Ok(request)
}

fn headers(call: &Call, target: &Target, face: &Face, lane: &Lane, accept: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12 + target.endpoint.headers.len());
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::ACCEPT, accept);
    // Usage is read from the bytes that pass, so they must not be compressed.
    headers.insert(header::ACCEPT_ENCODING, IDENTITY);
    if let Ok(id) = HeaderValue::from_maybe_shared(call.record.id.clone().into_bytes()) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in &target.endpoint.headers {
        headers.insert(name.clone(), value.clone());
    }
    copy(&call.headers, &FORWARDED, &mut headers);
    match lane {
        Lane::Native { headers: Some(own), .. } => {
            for (name, _) in own {
                headers.remove(*name);
            }
            append(own, &mut headers);
        }
        Lane::Native { headers: None, .. } => {
            for name in face.dialect.headers() {
                let name = HeaderName::from_static(name);
                if call.headers.contains_key(&name) {
                    headers.remove(&name);
                    copy(&call.headers, std::slice::from_ref(&name), &mut headers);
                }
            }
        }
        Lane::Cross { encoded, .. } => append(&encoded.headers, &mut headers),
    }
    headers
}

fn append(own: &[(&'static str, Str)], headers: &mut HeaderMap) {
    for (name, value) in own {
        if let Ok(value) = HeaderValue::from_maybe_shared(value.clone().into_bytes()) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
}

fn copy(from: &HeaderMap, names: &[HeaderName], to: &mut HeaderMap) {
    for name in names {
        for value in from.get_all(name) {
            to.append(name.clone(), value.clone());
        }
    }
}
