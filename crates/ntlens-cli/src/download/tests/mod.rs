//! Downloads from servers on this machine that do what servers should and should not do.

mod hostile;
mod resume;
mod server;

use super::*;
use ntlens::layout::PdbId;
use serde_json::Value as Json;
use server::{Request, Server, whole};
use std::fs;
use std::io::{self, Read as _, Write};
use std::sync::Arc;
use tempfile::TempDir;
use ureq::tls::Certificate;

const NAME: &str = "ntkrnlmp.pdb";
const ID: PdbId = PdbId { guid: 0xbfbf_9862_6358_22e8_0102_0304_0506_0708, age: 0x1a };
const OTHER: PdbId = PdbId { guid: 1, age: 1 };

/// A small table of symbols, in the format of `volatility3`, filled up to a size.
fn table(id: PdbId, size: usize) -> Vec<u8> {
    let guid = format!("{:032X}", id.guid);
    let pdb = serde_json::json!({ "GUID": guid, "age": id.age, "database": NAME, "machine_type": 34404 });
    let filler: String = (0..size).map(|at| char::from(b'a' + u8::try_from(at / 7 % 26).unwrap())).collect();
    serde_json::json!({ "metadata": { "windows": { "pdb": pdb } }, "filler": filler }).to_string().into_bytes()
}

/// Knows such tables, and cabinets of them.
fn identify(path: &Path) -> Result<PdbId, SymbolError> {
    let mut bytes = fs::read(path).unwrap();
    if bytes.starts_with(b"MSCF") {
        let mut cabinet = cab::Cabinet::new(io::Cursor::new(bytes)).unwrap();
        bytes = Vec::new();
        cabinet.read_file(NAME).unwrap().read_to_end(&mut bytes).unwrap();
    }
    let not = || SymbolError::NotSymbols { path: path.into() };
    let json: Json = serde_json::from_slice(&bytes).map_err(|_| not())?;
    let pdb = &json["metadata"]["windows"]["pdb"];
    let guid = u128::from_str_radix(pdb["GUID"].as_str().ok_or_else(not)?, 16).unwrap();
    Ok(PdbId { guid, age: pdb["age"].as_u64().unwrap().try_into().unwrap() })
}

fn cabinet(content: &[u8]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::MsZip).add_file(NAME);
    let mut writer = builder.build(io::Cursor::new(Vec::new())).unwrap();
    writer.next_file().unwrap().unwrap().write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

/// Options that do not wait.
fn quick() -> Options {
    Options { quiet: true, retries: 0, pause: Duration::from_millis(1), ..Options::default() }
}

fn downloader(options: Options) -> Downloader {
    Downloader::with(options, Box::new(identify), RootCerts::WebPki, None)
}

/// Trusts one certificate.
fn trusting(certificate: &[u8]) -> Downloader {
    let certificate = Certificate::from_der(certificate).to_owned();
    let roots = RootCerts::Specific(Arc::new(vec![certificate]));
    Downloader::with(quick(), Box::new(identify), roots, None)
}

/// A folder for downloads.
struct Cache(TempDir);

impl Cache {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn fetch(&self, downloader: &Downloader, server: &str) -> Result<Option<PathBuf>, SymbolError> {
        let name = FileName::new(NAME).unwrap();
        downloader.fetch(&Wanted { server, name: &name, id: ID, cache: self.0.path() })
    }

    /// The folder of the symbols.
    fn folder(&self) -> PathBuf {
        self.0.path().join(NAME).join(ID.to_string())
    }

    fn target(&self) -> PathBuf {
        self.folder().join(NAME)
    }

    /// The names in the folder of the symbols.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A server that has one file.
fn only(end: &'static str, body: Vec<u8>, status: u16) -> impl Fn(usize, &Request, &mut dyn Write) -> io::Result<()> {
    move |_, request, out| {
        if request.path.ends_with(end) { whole(out, 200, "", &body) } else { whole(out, status, "", b"") }
    }
}

fn paths(server: &Server) -> Vec<String> {
    server.asked().into_iter().map(|request| request.path).collect()
}

/// The path of a file of the symbols on the server.
fn path_of(file: &str) -> String {
    format!("/store/{NAME}/{ID}/{file}")
}

/// What the error says went wrong.
fn message(result: Result<Option<PathBuf>, SymbolError>) -> String {
    match result {
        Err(SymbolError::Download { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_put_in_its_place() {
    let content = table(ID, 300_000);
    let body = content.clone();
    let server = Server::new(move |_, _, out| whole(out, 200, "", &body));
    let cache = Cache::new();
    let found = cache.fetch(&downloader(quick()), &server.url);
    assert_eq!(found, Ok(Some(cache.target())));
    assert_eq!(fs::read(cache.target()).unwrap(), content);
    assert_eq!(cache.files(), [NAME]);
    assert_eq!(paths(&server), [path_of(NAME)]);
    // Nothing about the user.
    let request = &server.asked()[0];
    assert_eq!(request.header("user-agent"), Some(concat!("ntlens/", env!("CARGO_PKG_VERSION"))));
    let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
}

#[test]
fn what_a_server_does_not_have_leaves_nothing() {
    for status in [404, 410] {
        let server = Server::new(move |_, _, out| whole(out, status, "", b"no such file"));
        let cache = Cache::new();
        assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(None));
        assert_eq!(paths(&server), [path_of(NAME), path_of("ntkrnlmp.pd_"), path_of("file.ptr")]);
        assert_eq!(fs::read_dir(cache.0.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_server_that_refuses_is_told() {
    let server = Server::new(|_, _, out| whole(out, 403, "", b"<Error/>"));
    let error = Cache::new().fetch(&downloader(quick()), &server.url);
    assert_eq!(message(error), "the server answers with status 403");
    assert_eq!(server.asked().len(), 3);
    // Where it only means that the file is not there.
    let body = cabinet(&table(ID, 10));
    let compressed = only("_", body, 403);
    let cache = Cache::new();
    let found = cache.fetch(&downloader(quick()), &Server::new(compressed).url);
    assert_eq!(found, Ok(Some(cache.folder().join("ntkrnlmp.pd_"))));
}

#[test]
fn a_cabinet_is_kept_as_it_is() {
    let body = cabinet(&table(ID, 100_000));
    let content = body.clone();
    let server = Server::new(only("/ntkrnlmp.pd_", body, 404));
    let cache = Cache::new();
    let place = cache.folder().join("ntkrnlmp.pd_");
    assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(Some(place.clone())));
    assert_eq!(fs::read(place).unwrap(), content);
    assert_eq!(cache.files(), ["ntkrnlmp.pd_"]);
}

#[test]
fn a_cache_of_two_tiers_stays_one() {
    let server = Server::new(|_, _, out| whole(out, 200, "", &table(ID, 10)));
    let cache = Cache::new();
    fs::write(cache.0.path().join("index2.txt"), "").unwrap();
    let place = cache.0.path().join("nt").join(NAME).join(ID.to_string()).join(NAME);
    assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(Some(place)));
}

#[test]
fn redirects_are_followed_and_name_no_file() {
    let body = table(ID, 1000);
    let server = Server::new(move |_, request, out| match request.path.as_str() {
        "/blob/..%2F..%2Fevil.pdb?sig=x" => {
            whole(out, 200, "Content-Disposition: attachment; filename=evil\r\n", &body)
        }
        _ => whole(out, 302, "Location: /blob/..%2F..%2Fevil.pdb?sig=x\r\n", b""),
    });
    let cache = Cache::new();
    assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(Some(cache.target())));
    assert_eq!((cache.files(), server.asked().len()), (vec![NAME.to_string()], 2));
}

#[test]
fn a_failure_that_passes_is_tried_again() {
    let body = table(ID, 1000);
    let server = Server::new(move |number, _, out| match number {
        0 => whole(out, 500, "", b""),
        1 => whole(out, 429, "", b""),
        _ => whole(out, 200, "", &body),
    });
    let cache = Cache::new();
    assert_eq!(message(cache.fetch(&downloader(quick()), &server.url)), "the server answers with status 500");
    let patient = || downloader(Options { retries: 2, ..quick() });
    assert_eq!(cache.fetch(&patient(), &server.url), Ok(Some(cache.target())));
    let server = Server::new(|_, _, out| whole(out, 503, "", b""));
    assert_eq!(message(Cache::new().fetch(&patient(), &server.url)), "the server answers with status 503");
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_store_keeps_pointers_that_are_not_followed() {
    for (content, why) in [
        ("PATH:\\\\evil\\share\\x.pdb", PointerError::FromServer("\\\\evil\\share\\x.pdb".into())),
        ("PATH:/etc/passwd", PointerError::FromServer("/etc/passwd".into())),
        ("MSG: ask the team", PointerError::Message("ask the team".into())),
        ("\x1b[31m", PointerError::NotText),
    ] {
        let server = Server::new(only("/file.ptr", content.into(), 404));
        let cache = Cache::new();
        let place = server.url.replace("/store", &path_of("file.ptr"));
        assert_eq!(cache.fetch(&downloader(quick()), &server.url), Err(SymbolError::Pointer { place, why }));
        assert_eq!(cache.files(), [""; 0]);
    }
}

#[test]
fn two_at_once_do_no_harm() {
    let content = table(ID, 400_000);
    let body = content.clone();
    let server = Server::new(move |_, _, out| {
        server::head(out, 200, Some(body.len()), "")?;
        for chunk in body.chunks(50_000) {
            out.write_all(chunk)?;
            out.flush()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    });
    let cache = Cache::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(Some(cache.target()))));
        }
    });
    assert_eq!(fs::read(cache.target()).unwrap(), content);
    assert_eq!(cache.files(), [NAME]);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let answer = |_, _: &Request, out: &mut dyn Write| whole(out, 200, "", &table(ID, 10));
    let (server, certificate) = Server::tls("localhost", answer);
    let cache = Cache::new();
    let refused = message(cache.fetch(&downloader(quick()), &server.url));
    assert!(refused.starts_with("the certificate or the encryption of the server is not accepted: "), "{refused}");
    assert!(server.asked().is_empty(), "nothing is asked before the certificate is checked");
    assert_eq!(cache.files(), [""; 0]);
    // It is the certificate that decides: trusted, the same server is asked.
    assert_eq!(cache.fetch(&trusting(&certificate), &server.url), Ok(Some(cache.target())));
    // Trusted, but for another host.
    let (server, certificate) = Server::tls("symbols.example", answer);
    let refused = message(Cache::new().fetch(&trusting(&certificate), &server.url));
    assert!(refused.contains("certificate"), "{refused}");
    assert!(server.asked().is_empty());
}

#[test]
fn encryption_is_not_left() {
    let open = Server::new(|_, _, out| whole(out, 200, "", &table(ID, 10)));
    let location = format!("Location: {}\r\n", open.url);
    let (server, certificate) = Server::tls("localhost", move |_, _, out| whole(out, 302, &location, b""));
    let refused = message(Cache::new().fetch(&trusting(&certificate), &server.url));
    assert_eq!(refused, "a redirect from https to http is not followed");
    assert!(open.asked().is_empty());
}

#[test]
fn the_default_folder_is_the_users() {
    let folder = default_cache().unwrap();
    assert!(folder.is_absolute() && folder.ends_with("ntlens/symbols"), "{}", folder.display());
}

#[test]
fn a_hostile_name_reaches_no_server() {
    let server = Server::new(|_, _, out| whole(out, 404, "", b""));
    let cache = Cache::new();
    let text = format!("srv*{}*{}", cache.0.path().display(), server.url);
    let path = ntlens::symbols::SymbolPath::parse(&text);
    let downloader = downloader(quick());
    for name in ["../../x.pdb", "a/b", "nul.pdb", "x.pdb\r\nHost: evil", ""] {
        assert!(path.find(name, ID, Some(&downloader)).found.is_none());
    }
    assert!(server.asked().is_empty());
    // A name that is odd but plain is one part of the path.
    assert!(path.find("a#b%2e", ID, Some(&downloader)).found.is_none());
    assert_eq!(paths(&server)[0], format!("/store/a%23b%252e/{ID}/a%23b%252e"));
}
