//! Where media stand in a request.

use lockgate_filters::model::{Media, MediaSource, Part, PartContent, Request, Str};

/// The web address of a medium, if that is where its bytes are.
pub(super) fn url_of(media: &Media) -> Option<&Str> {
    let MediaSource::Url(url) = &media.source else { return None };
    let is_web = |scheme: &str| url.get(..scheme.len()).is_some_and(|own| own.eq_ignore_ascii_case(scheme));
    (is_web("https://") || is_web("http://")).then_some(url)
}

/// Shows `visit` each medium of a request in order, until it has one to tell of.
pub(super) fn find<'r, T>(request: &'r Request, mut visit: impl FnMut(&'r Media) -> Option<T>) -> Option<T> {
    let turns = request.turns.iter().map(|turn| &turn.parts);
    std::iter::once(&request.system).chain(turns).find_map(|parts| find_in(parts, &mut visit))
}

fn find_in<'r, T>(parts: &'r [Part], visit: &mut impl FnMut(&'r Media) -> Option<T>) -> Option<T> {
    parts.iter().find_map(|part| match &part.content {
        PartContent::Media(media) => match &media.source {
            MediaSource::Parts(parts) => find_in(parts, visit),
            _ => visit(media),
        },
        PartContent::ToolResult(result) => find_in(&result.parts, visit),
        _ => None,
    })
}

/// Has `change` go over each medium of a request in order, until it fails.
pub(super) fn change<E>(request: &mut Request, mut change: impl FnMut(&mut Media) -> Result<(), E>) -> Result<(), E> {
    let turns = request.turns.iter_mut().map(|turn| &mut turn.parts);
    std::iter::once(&mut request.system).chain(turns).try_for_each(|parts| change_in(parts, &mut change))
}

fn change_in<E>(parts: &mut [Part], change: &mut impl FnMut(&mut Media) -> Result<(), E>) -> Result<(), E> {
    parts.iter_mut().try_for_each(|part| match &mut part.content {
        PartContent::Media(media) => match &mut media.source {
            MediaSource::Parts(parts) => change_in(parts, change),
            _ => change(media),
        },
        PartContent::ToolResult(result) => change_in(&mut result.parts, change),
        _ => Ok(()),
    })
}
