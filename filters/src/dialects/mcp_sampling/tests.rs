//! The protocol's own examples, and the facts one by one.

mod answers;
mod requests;

use bytes::Bytes;
use serde_json::Value;

use super::McpSampling;
use crate::{
    dialects::{CallHead, Dialect, Reply, StreamForm},
    model::{ErrorInfo, Request, Str},
    seal::Sealer,
};

fn sealer() -> Sealer {
    Sealer::new(b"a key for tests")
}

fn reply() -> Reply {
    Reply {
        model: Str::from_static("hinted"),
        id: Str::from_static("7"),
        created: 0,
        form: StreamForm::Sse,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 0,
        sealer: sealer(),
    }
}

fn bytes(body: &Value) -> Bytes {
    Bytes::from(body.to_string())
}

fn decode(body: &Value) -> Result<Request, ErrorInfo> {
    McpSampling::BARE.decode_request(&CallHead::default(), &bytes(body))
}
