//! One request: from the redirects to the last byte.

use super::failure::Failure;
use super::partial::{Left, Partial};
use super::{Downloader, url};
use std::io::{Read as _, Write as _};
use std::path::Path;
use ureq::Body;
use ureq::http::header::{CONTENT_RANGE, ETAG, HeaderName, IF_RANGE, LOCATION, RANGE};
use ureq::http::{Response, Uri};

/// Microsoft's server needs one.
const MAX_REDIRECTS: usize = 5;
/// More of a `file.ptr` is not read.
const MAX_SMALL: u64 = 4097;
const CHUNK: usize = 64 * 1024;

impl Downloader {
    /// Brings what is missing of a file; `false` if the server has none.
    pub(super) fn transfer(&self, url: &Uri, target: &Path, partial: &mut Option<Partial>) -> Result<bool, Failure> {
        let left = partial.as_mut().map(Partial::left).transpose()?.flatten();
        if left.as_ref().is_some_and(|left| left.total == Some(left.have)) {
            return Ok(true);
        }
        let response = self.get(url, left.as_ref())?;
        let tag = header(&response, &ETAG).filter(|tag| !tag.starts_with("W/")).map(String::from);
        let partial = match (response.status().as_u16(), left) {
            (404 | 410, _) => return Ok(false),
            (206, Some(left)) => {
                let partial = partial.as_mut().ok_or(Failure::Changed)?;
                let total = continues(&response, &left, tag.as_deref());
                let Some(total) = total else {
                    partial.begin(None, None)?;
                    return Err(Failure::Changed);
                };
                return self.receive(url, response, partial, left.have, Some(total));
            }
            (200, _) => match partial {
                Some(partial) => partial,
                none => none.insert(Partial::new(target, url)?),
            },
            (416, Some(_)) => {
                // The file is not what it was.
                if let Some(partial) = partial {
                    partial.begin(None, None)?;
                }
                return Err(Failure::Status(416));
            }
            (status, _) => return Err(Failure::Status(status)),
        };
        let total = response.body().content_length();
        if total.is_some_and(|total| total > self.options.limit) {
            partial.begin(None, None)?;
            return Err(Failure::TooLarge(self.options.limit));
        }
        partial.begin(total, tag.as_deref())?;
        self.receive(url, response, partial, 0, total)
    }

    /// A file of a few bytes.
    pub(super) fn small(&self, url: &Uri) -> Result<Option<Vec<u8>>, Failure> {
        let response = self.get(url, None)?;
        match response.status().as_u16() {
            404 | 410 => Ok(None),
            200 => {
                let mut bytes = Vec::new();
                let mut body = response.into_body().into_reader().take(MAX_SMALL);
                body.read_to_end(&mut bytes).map_err(|error| self.connection(error.into()))?;
                Ok(Some(bytes))
            }
            status => Err(Failure::Status(status)),
        }
    }

    /// Asks, and follows redirects.
    fn get(&self, url: &Uri, left: Option<&Left>) -> Result<Response<Body>, Failure> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.agent.get(&url);
            if let Some(left) = left {
                request = request.header(RANGE, format!("bytes={}-", left.have));
                if let Some(tag) = &left.tag {
                    request = request.header(IF_RANGE, tag);
                }
            }
            let response = request.call().map_err(|error| self.connection(error))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            url = url::follow(&url, header(&response, &LOCATION).unwrap_or_default())?;
        }
        Err(Failure::Redirects(MAX_REDIRECTS))
    }

    fn receive(
        &self,
        url: &Uri,
        response: Response<Body>,
        partial: &mut Partial,
        have: u64,
        total: Option<u64>,
    ) -> Result<bool, Failure> {
        let progress = self.progress(url, have, total);
        let mut body = response.into_body().into_reader();
        let (mut got, mut chunk) = (have, vec![0; CHUNK]);
        loop {
            let read = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Err(interrupted(got, self.connection(error.into()))),
            };
            got = got.saturating_add(read as u64);
            if got > self.options.limit {
                // A file without an end is nothing to go on with.
                partial.begin(None, None)?;
                return Err(Failure::TooLarge(self.options.limit));
            }
            partial.file().write_all(chunk.get(..read).unwrap_or_default())?;
            progress.add(read as u64);
        }
        match total {
            Some(expected) if got < expected => Err(interrupted(got, Failure::Ended)),
            Some(expected) if got > expected => Err(Failure::Changed),
            _ => Ok(true),
        }
    }

    fn connection(&self, error: ureq::Error) -> Failure {
        Failure::connection(error, self.options.idle)
    }
}

fn interrupted(got: u64, why: Failure) -> Failure {
    Failure::Interrupted { got, why: Box::new(why) }
}

fn header<'a>(response: &'a Response<Body>, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The whole length, if the answer continues what is there: `bytes 100-199/200`.
fn continues(response: &Response<Body>, left: &Left, tag: Option<&str>) -> Option<u64> {
    let (range, total) = header(response, &CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end, total): (u64, u64, u64) = (start.parse().ok()?, end.parse().ok()?, total.parse().ok()?);
    let same_tag = left.tag.is_none() || tag.is_none() || left.tag.as_deref() == tag;
    let same = left.total.is_none_or(|known| known == total) && same_tag;
    (same && start == left.have && end.checked_add(1) == Some(total)).then_some(total)
}
