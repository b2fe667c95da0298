//! Waits for the first meaningful event of a stream, and keeps what came until then.
//!
//! Some providers answer 200 and then an error, or nothing. Until an event shows that there is an answer, nothing is
//! promised to the client and another target may still be tried.

use bytes::Bytes;
use http_body_util::BodyExt;
use lockgate_filters::{
    dialects::StreamDecoder,
    model::{ErrorInfo, Event},
};
use tokio::time::Instant;

use super::{Attempt, AttemptError};
use crate::{body::Body, target::Target};

/// What came before a stream was committed.
pub(super) struct Peeked {
    /// The chunks as they came.
    pub(super) chunks: Vec<Bytes>,
    /// What they mean.
    pub(super) events: Vec<Event>,
    /// The upstream has closed.
    pub(super) ended: bool,
}

/// Reads until the first meaningful event, or the time to commit without one.
pub(super) async fn peek(
    body: &mut Body,
    decoder: &mut dyn StreamDecoder,
    attempt: &Attempt,
    started: Instant,
) -> Result<Peeked, AttemptError> {
    let target = &*attempt.target;
    let silent_at = attempt.silent_at(started);
    let commit_at = Instant::now() + target.timeouts.commit;
    let until = silent_at.min(commit_at);
    let mut peeked = Peeked { chunks: Vec::new(), events: Vec::new(), ended: false };
    loop {
        let frame = match tokio::time::timeout_at(until, body.frame()).await {
            Ok(frame) => frame,
            Err(_) if until == silent_at => return Err(AttemptError::silent(attempt)),
            // Held for as long as it may be: from here on, what happens happens in the stream.
            Err(_) => return Ok(peeked),
        };
        let before = peeked.events.len();
        let fed = match frame {
            None => {
                peeked.ended = true;
                decoder.finish(&mut peeked.events)
            }
            Some(Err(error)) => return Err(AttemptError::in_body(target, error)),
            Some(Ok(frame)) => {
                let Ok(chunk) = frame.into_data() else { continue };
                peeked.chunks.push(chunk.clone());
                decoder.feed(chunk, &mut peeked.events)
            }
        };
        fed.map_err(|error| AttemptError::invalid_answer(target, &error))?;
        let fresh = peeked.events.get(before..).unwrap_or_default();
        match fresh.iter().find(|event| event.is_meaningful()) {
            None if peeked.ended => return Err(AttemptError::invalid_answer(target, &"it is empty")),
            None => {}
            Some(Event::Error(error)) => return Err(refused(target, error, peeked.ended)),
            Some(Event::End) if peeked.events.iter().all(|event| !is_content(event)) => {
                return Err(AttemptError::invalid_answer(target, &"it is empty"));
            }
            Some(_) => return Ok(peeked),
        }
    }
}

fn is_content(event: &Event) -> bool {
    event.is_meaningful() && *event != Event::End
}

/// An error under status 200; one that only says that the stream broke off is the stream's fault.
fn refused(target: &Target, error: &ErrorInfo, ended: bool) -> AttemptError {
    if ended {
        return AttemptError::invalid_answer(target, error);
    }
    AttemptError::in_answer(error.clone())
}
