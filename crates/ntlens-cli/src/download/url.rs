//! The URLs that are asked for, and the ones that a server may send us to.

use std::fmt::Write as _;
use ureq::http::Uri;

/// Why a URL is not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UrlError {
    #[error("no URL")]
    Malformed,
    #[error("only http:// and https:// are known")]
    Scheme,
    #[error("a URL with a user or a password is not used")]
    Credentials,
    #[error("a redirect from https to http is not followed")]
    Downgrade,
    #[error("a redirect without a place to go to")]
    NoLocation,
}

/// The root of a server's store.
pub(super) fn server(text: &str) -> Result<Uri, UrlError> {
    check(text.parse().map_err(|_| UrlError::Malformed)?)
}

/// A file below it.
pub(super) fn below(server: &Uri, parts: &[&str]) -> Result<Uri, UrlError> {
    let mut url = server.to_string().split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_string();
    for part in parts {
        url.push('/');
        for byte in part.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~+()!".contains(&byte) {
                url.push(char::from(byte));
            } else {
                // A string takes everything.
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    url.parse().map_err(|_| UrlError::Malformed)
}

/// Where a redirect leads: anywhere on the web, but never from an encrypted connection to an open one.
pub(super) fn follow(from: &Uri, location: &str) -> Result<Uri, UrlError> {
    let location = location.split('#').next().unwrap_or_default();
    let (Some(scheme), Some(host)) = (from.scheme_str(), from.authority()) else { return Err(UrlError::Malformed) };
    let target = if location.is_empty() {
        return Err(UrlError::NoLocation);
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{host}{location}")
    } else if location.split(['/', '?']).next().is_some_and(|first| first.contains(':')) {
        location.into()
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{host}{folder}/{location}")
    };
    let target = server(&target)?;
    let downgrade = from.scheme_str() == Some("https") && target.scheme_str() != Some("https");
    if downgrade { Err(UrlError::Downgrade) } else { Ok(target) }
}

fn check(url: Uri) -> Result<Uri, UrlError> {
    match (url.scheme_str(), url.authority()) {
        (Some("http" | "https"), Some(host)) if host.as_str().contains('@') => Err(UrlError::Credentials),
        (Some("http" | "https"), Some(_)) => Ok(url),
        (Some(_), _) => Err(UrlError::Scheme),
        _ => Err(UrlError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlens::symbols::path::FileName;
    use proptest::prelude::*;

    #[test]
    fn redirects_lead_where_they_say_but_never_out_of_encryption() {
        let from = |from: &str, to: &str| follow(&server(from).unwrap(), to).map(|url| url.to_string());
        let cases = [
            ("https://a/x/y", "https://b/z?sig=1", Ok("https://b/z?sig=1")),
            ("http://a/x/y", "https://b/z", Ok("https://b/z")),
            ("http://a/x/y", "http://b/z", Ok("http://b/z")),
            ("https://a:8/x/y", "/z", Ok("https://a:8/z")),
            ("https://a/x/y", "z/w", Ok("https://a/x/z/w")),
            ("https://a/x/y", "//b/z#part", Ok("https://b/z")),
            ("https://a/x/y", "http://a/x/y", Err(UrlError::Downgrade)),
            ("https://a/x/y", "HTTP://b/z", Err(UrlError::Downgrade)),
            ("https://a/x/y", "ftp://b/z", Err(UrlError::Scheme)),
            ("http://a/x/y", "file:///etc/passwd", Err(UrlError::Malformed)),
            ("https://a/x/y", "https://me:secret@b/z", Err(UrlError::Credentials)),
            ("https://a/x/y", "", Err(UrlError::NoLocation)),
        ];
        for (at, to, expected) in cases {
            assert_eq!(from(at, to), expected.map(String::from), "{at} -> {to}");
        }
    }

    #[test]
    fn servers_are_urls_of_the_web() {
        assert_eq!(server("https://msdl.microsoft.com/download/symbols").map(|_| ()), Ok(()));
        assert_eq!(server("ftp://h/x"), Err(UrlError::Scheme));
        assert_eq!(server("https://me@h/x"), Err(UrlError::Credentials));
        assert_eq!(server("/x"), Err(UrlError::Malformed));
        assert_eq!(server("http:// h"), Err(UrlError::Malformed));
    }

    proptest! {
        /// Whatever the name, it is one part of the URL's path and nothing else.
        #[test]
        fn a_name_stays_one_part(name in "[ -~]{1,20}|a[%#?&@:]{0,4}b") {
            let Ok(name) = FileName::new(&name) else { return Ok(()) };
            let url = below(&server("http://h:81/store/").unwrap(), &[name.as_str(), "1"]).unwrap();
            let (host, query) = (url.authority().unwrap().as_str(), url.query());
            prop_assert_eq!((host, query), ("h:81", None));
            let parts: Vec<_> = url.path().split('/').collect();
            prop_assert!(matches!(parts[..], ["", "store", part, "1"] if part != ".." && part != "."), "{}", url);
        }
    }
}
