//! Fetches media that a request names by URL, for targets that take only bytes.
//!
//! Stands between [`crate::failover`] and [`crate::translate`]: whether anything has to be fetched depends on the dialect
//! of the target. A target of the client's own dialect gets the client's bytes, whatever they name; of another's, what
//! its dialect does not fetch itself is fetched here, all of it at once, before anything is sent. What has come is kept
//! on the call, so that no attempt fetches it again, and each attempt gets a request of its own: cloning one copies no
//! text, and bytes are encoded once.
//!
//! A medium that cannot be had is the client's to mend. Only a target that fetches it itself is tried instead.
//! How bytes come, and from where they may not, is the [`Fetch`]'s business.

mod error;
mod find;
mod kept;
mod kind;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{StreamExt, future::Either, stream};
use http::Response;
use lockgate_filters::model::{ErrorInfo, Field, Media, MediaClass, Str};
use tower::{Layer, Service};

pub use error::FetchError;
pub use kept::Budget;
pub(crate) use kept::Kept;

use self::{
    find::{change, find, url_of},
    kind::{Content, class_name},
};
use crate::{
    BoxFuture,
    body::Body,
    translate::{Attempt, AttemptError, Call, Fault, Speech},
};

/// Most fetches at a time for one request.
pub const CONCURRENCY: usize = 8;

/// Most URLs of one request. A small request must not make the gateway ask the world.
pub const MAX_URLS: usize = 100;

/// Fetches what is at a URL.
pub trait Fetch: Send + Sync + 'static {
    /// Fetches what is at `url`, taking from `budget` as bytes come. Dropping the future ends the fetch.
    fn fetch(&self, url: Str, budget: Budget) -> BoxFuture<Fetched, FetchError>;
}

/// What was at a URL.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The bytes.
    pub bytes: Bytes,
    /// The `content-type` that the server said.
    pub content_type: Option<Str>,
}

/// Fetches media for targets that take only bytes.
#[derive(Clone)]
pub struct FetchLayer {
    fetcher: Arc<dyn Fetch>,
    max_bytes: u64,
}

impl FetchLayer {
    /// Fetches by `fetcher`, for one request at most `max_bytes` together.
    pub fn new(fetcher: Arc<dyn Fetch>, max_bytes: u64) -> Self {
        Self { fetcher, max_bytes }
    }
}

impl std::fmt::Debug for FetchLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FetchLayer").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for FetchLayer {
    type Service = FetchService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FetchService { inner, layer: self.clone() }
    }
}

/// Fetches media for targets that take only bytes.
#[derive(Clone, Debug)]
pub struct FetchService<S> {
    inner: S,
    layer: FetchLayer,
}

/// Whether a target takes all media of a request as the client gave them.
pub(crate) fn takes_all(attempt: &Attempt) -> bool {
    needed(attempt, |_| Some(())).is_none()
}

// === impl FetchService ===

impl<S> Service<Attempt> for FetchService<S>
where
    S: Service<Attempt, Response = Response<Body>, Error = AttemptError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = AttemptError;
    type Future = Either<S::Future, BoxFuture<Response<Body>, AttemptError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), AttemptError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut attempt: Attempt) -> Self::Future {
        if takes_all(&attempt) {
            return Either::Left(self.inner.call(attempt));
        }
        let layer = self.layer.clone();
        // The service that is ready goes with the attempt; its clone waits for the next.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        Either::Right(Box::pin(async move {
            if let Err(refused) = layer.inline(&mut attempt).await {
                attempt.call.record.note(|facts| facts.media.failed = Some(refused.error.as_str()));
                return Err(refused.into_answer(&attempt.call));
            }
            let call = attempt.call.clone();
            let rsp = ready.call(attempt).await?;
            // The answer may take minutes: it need not hold megabytes that nobody will ask for.
            call.fetched.clear();
            Ok(rsp)
        }))
    }
}

impl FetchLayer {
    /// Gives the attempt a request in which media stand that its target takes.
    async fn inline(&self, attempt: &mut Attempt) -> Result<(), Refused> {
        let urls = wanted(attempt)?;
        self.fetch_all(&attempt.call, urls).await.map_err(|(url, error)| Refused::of(attempt, &url, error))?;
        let mut request = match attempt.request() {
            Ok(request) => request.clone(),
            // Told by translation, as for every other request.
            Err(_) => return Ok(()),
        };
        let kept = &attempt.call.fetched;
        // What is fetched once may stand in the request many times, and is written each time.
        let written = Budget::new(self.max_bytes);
        change(&mut request, |media| {
            let Some(content) = url_of(media).filter(|_| is_needed(attempt, media)).and_then(|url| kept.get(url))
            else {
                return Ok(());
            };
            let inlined = content.and_then(|content| {
                written.take(content.size)?;
                content.inline(media)
            });
            inlined.map_err(|error| Refused::new(media, error))
        })?;
        attempt.inlined = Some(Arc::new(request));
        Ok(())
    }

    /// Fetches all at once, and gives up at the first failure: the rest would be of no use.
    async fn fetch_all(&self, call: &Call, urls: Vec<Str>) -> Result<(), (Str, FetchError)> {
        let kept = &call.fetched;
        let budget = kept.budget(self.max_bytes);
        if let Some((url, error)) = urls.iter().find_map(|url| Some((url.clone(), kept.get(url)?.err()?))) {
            return Err((url, error));
        }
        let missing = urls.into_iter().filter(|url| kept.get(url).is_none()).map(|url| {
            let fetch = self.fetcher.fetch(url.clone(), budget.clone());
            async move { (url, fetch.await) }
        });
        // Lazily: a fetch begins when one before it has ended.
        let mut fetches = stream::iter(missing).buffer_unordered(CONCURRENCY);
        while let Some((url, outcome)) = fetches.next().await {
            match outcome {
                Ok(fetched) => {
                    call.record.note(|facts| {
                        facts.media.fetched += 1;
                        facts.media.bytes += fetched.bytes.len() as u64;
                    });
                    kept.put(url, Ok(Arc::new(Content::new(&fetched))));
                }
                Err(error) => {
                    kept.put(url.clone(), Err(error.clone()));
                    return Err((url, error));
                }
            }
        }
        Ok(())
    }
}

/// The URLs that have to be fetched for an attempt, each once.
fn wanted(attempt: &Attempt) -> Result<Vec<Str>, Refused> {
    let mut urls: Vec<Str> = Vec::new();
    let refused = needed(attempt, |media| {
        let url = url_of(media)?;
        if urls.contains(url) {
            return None;
        }
        if urls.len() == MAX_URLS {
            return Some(Refused::new(media, FetchError::TooMany(MAX_URLS)));
        }
        urls.push(url.clone());
        None
    });
    refused.map_or(Ok(urls), Err)
}

/// Shows `visit` each medium that has to be fetched for an attempt, until it has one to tell of.
fn needed<T>(attempt: &Attempt, mut visit: impl FnMut(&Media) -> Option<T>) -> Option<T> {
    // Looked at first: most requests go to a target of their own dialect, and are never decoded.
    let Some((_, Speech::Cross)) = attempt.face() else { return None };
    let request = attempt.request().ok()?;
    find(request, |media| if is_needed(attempt, media) { visit(media) } else { None })
}

fn is_needed(attempt: &Attempt, media: &Media) -> bool {
    url_of(media).is_some()
        && attempt.face().is_some_and(|(face, _)| !face.dialect.takes_url_with(media, &attempt.target.endpoint.quirks))
}

// === impl Refused ===

/// A medium that cannot be had.
struct Refused {
    class: MediaClass,
    url: Str,
    error: FetchError,
}

impl Refused {
    fn new(media: &Media, error: FetchError) -> Self {
        Self { class: media.class, url: url_of(media).cloned().unwrap_or_default(), error }
    }

    /// Finds the medium whose URL it was.
    fn of(attempt: &Attempt, url: &Str, error: FetchError) -> Self {
        let class = needed(attempt, |media| (url_of(media) == Some(url)).then_some(media.class));
        Self { class: class.unwrap_or(MediaClass::Document), url: url.clone(), error }
    }

    fn into_answer(self, call: &Call) -> AttemptError {
        let field = match self.class {
            MediaClass::Image => Field::Image,
            MediaClass::Audio => Field::Audio,
            MediaClass::Video => Field::Video,
            MediaClass::Document => Field::Document,
        };
        let param = call.dialect.pointer(field).trim_start_matches('/').replace('/', ".");
        let message = format!(
            "this model's provider takes only bytes, and the {} at `{}` could not be fetched for it: {}; correct the \
             URL, or send the content inline as base64",
            class_name(self.class),
            shown(&self.url),
            self.error
        );
        AttemptError::with_fault(Fault::Media, ErrorInfo::invalid(param, message).with_code("media_fetch_failed"))
    }
}

/// A URL as it may stand in a message: short, and without the parts that carry secrets.
fn shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = bare.split_once("://").unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let full = format!("{scheme}://{host}{path}");
    let mut short: String = full.chars().filter(|own| !own.is_control()).take(MAX_SHOWN).collect();
    if short.len() < full.len() {
        short.push_str("...");
    }
    short
}

/// Most characters of a URL in a message.
const MAX_SHOWN: usize = 120;
