//! The text form of a symbol path, as debuggers write it: `srv*C:\symbols*https://server;D:\mine`.

use super::{DEFAULT_SERVER, Part, Place};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// A chain of more stores is refused, as debuggers do.
const MAX_STORES: usize = 10;

/// Why a part of a symbol path is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OddPart {
    /// A word before `*` that is none of `srv`, `symsrv` and `cache`.
    #[error("neither a folder nor srv*, symsrv* or cache*")]
    Kind,
    /// `symsrv*` with another library than `symsrv.dll`.
    #[error("only symsrv.dll is known here")]
    Library,
    /// A server that is not named with `srv*`.
    #[error("a server is written srv*FOLDER*URL")]
    BareUrl,
    /// A URL that is neither `http` nor `https`.
    #[error("only http:// and https:// are known")]
    Scheme,
    /// A URL with a user's name or password.
    #[error("a URL with a user or a password is not used")]
    Credentials,
    /// `cache*` with something else than one folder.
    #[error("cache* takes one folder")]
    Cache,
    /// A long chain.
    #[error("more than {MAX_STORES} stores in one chain")]
    TooLong,
    /// A quote that nothing ends.
    #[error("a quote without its end")]
    Quote,
    /// Control characters.
    #[error("control characters")]
    Control,
}

/// Splits a path into its parts. Nothing but empty parts is dropped.
pub(super) fn parts(text: &str) -> Vec<Part> {
    split(text).filter(|part| !part.trim().is_empty()).map(part).collect()
}

/// Splits at semicolons that are in no quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |char| {
        quoted ^= char == '"';
        char == ';' && !quoted
    })
}

fn part(text: &str) -> Part {
    let odd = |why: OddPart| Part::Odd { text: redacted(text.trim()), why };
    if text.chars().any(char::is_control) {
        return odd(OddPart::Control);
    }
    if !text.matches('"').count().is_multiple_of(2) {
        return odd(OddPart::Quote);
    }
    let plain = text.replace('"', "");
    let mut elements = plain.split('*').map(str::trim);
    let first = elements.next().unwrap_or_default();
    let rest: Vec<&str> = elements.collect();
    let result = match (first.to_ascii_lowercase().as_str(), rest.as_slice()) {
        (_, []) => folder(first),
        ("srv", rest) => chain(rest),
        ("symsrv", [library, rest @ ..]) if library.eq_ignore_ascii_case("symsrv.dll") => chain(rest),
        ("symsrv", _) => Err(OddPart::Library),
        ("cache", [folder]) => cache(folder),
        ("cache", _) => Err(OddPart::Cache),
        _ => Err(OddPart::Kind),
    };
    result.unwrap_or_else(odd)
}

fn folder(text: &str) -> Result<Part, OddPart> {
    match place(text)? {
        Place::Folder(folder) => Ok(Part::Folder(folder)),
        Place::Server(_) => Err(OddPart::BareUrl),
        // What was between quotes is empty.
        Place::DefaultCache => Err(OddPart::Kind),
    }
}

fn cache(text: &str) -> Result<Part, OddPart> {
    match place(text)? {
        Place::Server(_) => Err(OddPart::Cache),
        place => Ok(Part::Cache(place)),
    }
}

/// `srv*` alone stands for the default cache before Microsoft's server, as in debuggers.
fn chain(texts: &[&str]) -> Result<Part, OddPart> {
    if texts.len() > MAX_STORES {
        return Err(OddPart::TooLong);
    }
    if texts.iter().all(|text| text.is_empty()) {
        return Ok(Part::Stores(vec![Place::DefaultCache, Place::Server(DEFAULT_SERVER.into())]));
    }
    Ok(Part::Stores(texts.iter().map(|text| place(text)).collect::<Result<_, _>>()?))
}

fn place(text: &str) -> Result<Place, OddPart> {
    if text.is_empty() {
        return Ok(Place::DefaultCache);
    }
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(Place::Folder(text.into())) };
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(OddPart::Scheme);
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') { Err(OddPart::Credentials) } else { Ok(Place::Server(text.trim_end_matches('/').into())) }
}

/// The text without what may be a password: it is shown to the user, and ends in logs.
fn redacted(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(start), Some(end)) if start + 3 < end => {
            let (head, tail) = (text.get(..start + 3), text.get(end..));
            head.unwrap_or_default().to_string() + "..." + tail.unwrap_or_default()
        }
        _ => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    fn dir(text: &str) -> Place {
        Place::Folder(text.into())
    }

    fn url(text: &str) -> Place {
        Place::Server(text.into())
    }

    #[test]
    fn every_form_is_read() {
        let cases: &[(&str, Part)] = &[
            (r"C:\symbols", Part::Folder(r"C:\symbols".into())),
            (r"\\server\share", Part::Folder(r"\\server\share".into())),
            (r#" "C:\My Symbols; all" "#, Part::Folder(r"C:\My Symbols; all".into())),
            (r"srv*c:\a*\\b\c*https://x/y/", Part::Stores(vec![dir(r"c:\a"), dir(r"\\b\c"), url("https://x/y")])),
            ("SRV* c:\\a * HTTP://x ", Part::Stores(vec![dir("c:\\a"), url("HTTP://x")])),
            ("srv**https://x", Part::Stores(vec![Place::DefaultCache, url("https://x")])),
            ("srv*https://x", Part::Stores(vec![url("https://x")])),
            (r"srv*\\b\c", Part::Stores(vec![dir(r"\\b\c")])),
            ("srv*", Part::Stores(vec![Place::DefaultCache, url(DEFAULT_SERVER)])),
            ("symsrv*SymSrv.dll*/a*https://x", Part::Stores(vec![dir("/a"), url("https://x")])),
            ("cache*/tmp/c", Part::Cache(dir("/tmp/c"))),
            ("Cache*", Part::Cache(Place::DefaultCache)),
        ];
        for (text, part) in cases {
            assert_eq!(parts(text), core::slice::from_ref(part), "{text}");
        }
        assert_eq!(parts(";; ;/a;;/b; "), [Part::Folder("/a".into()), Part::Folder("/b".into())]);
        assert_eq!(parts(""), []);
    }

    #[test]
    fn what_is_not_known_is_named() {
        let cases = [
            ("foo*bar", OddPart::Kind),
            ("\"\"", OddPart::Kind),
            ("symsrv*other.dll*https://x", OddPart::Library),
            ("symsrv*", OddPart::Library),
            ("https://msdl.microsoft.com/download/symbols", OddPart::BareUrl),
            ("srv*ftp://x", OddPart::Scheme),
            ("file:///etc", OddPart::Scheme),
            ("cache*/a*/b", OddPart::Cache),
            ("cache*https://x", OddPart::Cache),
            ("srv*1*2*3*4*5*6*7*8*9*10*11", OddPart::TooLong),
            ("\"/a", OddPart::Quote),
            ("/a\u{1b}[31m", OddPart::Control),
        ];
        for (text, why) in cases {
            assert_eq!(parts(text), [Part::Odd { text: text.into(), why }], "{text}");
        }
    }

    #[test]
    fn passwords_are_neither_used_nor_shown() {
        let [Part::Odd { text, why: OddPart::Credentials }] = &parts("srv*/c*https://me:secret@host/x")[..] else {
            panic!("credentials are odd");
        };
        assert_eq!(text, "srv*/c*https://...@host/x");
    }

    proptest! {
        /// Whatever the text, each part that is not blank is there, used or named.
        #[test]
        fn nothing_is_dropped(texts in prop::collection::vec("[^;\"]{0,12}|(srv|cache|symsrv)[*a-z:/@]{0,20}", 0..6)) {
            let parts = parts(&texts.join(";"));
            prop_assert_eq!(parts.len(), texts.iter().filter(|text| !text.trim().is_empty()).count());
        }

        #[test]
        fn no_text_stops_it(text in any::<String>(), stars in "[srv*;\"@:/h ]{0,60}") {
            parts(&text);
            parts(&format!("{stars}{text}"));
        }
    }
}
