//! A server of the web for one test. It says what the test wants, be it HTTP or not.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    fn read(stream: impl Read) -> Option<Self> {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let path = lines.next()?.split(' ').nth(1)?.to_string();
        let headers = lines.take_while(|line| !line.is_empty());
        let headers = headers.filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_ascii_lowercase(), value.to_string()))
        });
        Some(Self { path, headers: headers.collect() })
    }
}

/// Writes the answer to the request of this number. The connection ends after it.
pub(super) type Answer = dyn Fn(usize, &Request, &mut dyn Write) -> io::Result<()> + Send + Sync;

/// A running server. Its threads end with the test's process.
pub(super) struct Server {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(super) fn new(
        answer: impl Fn(usize, &Request, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::start("http", None, Arc::new(answer))
    }

    /// With a certificate that it signed itself, for a host; the certificate.
    pub(super) fn tls(
        host: &str,
        answer: impl Fn(usize, &Request, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> (Self, Vec<u8>) {
        let made = rcgen::generate_simple_self_signed([host.to_string()]).unwrap();
        let certificate = made.cert.der().to_vec();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let chain = vec![CertificateDer::from(certificate.clone())];
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        (Self::start("https", Some(Arc::new(config)), Arc::new(answer)), certificate)
    }

    fn start(scheme: &str, tls: Option<Arc<ServerConfig>>, answer: Arc<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://localhost:{}/store", listener.local_addr().unwrap().port());
        let asked = Arc::<Mutex<Vec<Request>>>::default();
        let log = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tls, answer, log) = (tls.clone(), answer.clone(), log.clone());
                thread::spawn(move || match tls {
                    Some(config) => {
                        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                        serve(&mut stream, &*answer, &log);
                        stream.conn.send_close_notify();
                        // The client may be gone.
                        let _ = stream.flush();
                    }
                    None => serve::<TcpStream>(&mut { stream }, &*answer, &log),
                });
            }
        });
        Self { url, asked }
    }

    /// What was asked for so far.
    pub(super) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve<S: Read + Write>(stream: &mut S, answer: &Answer, log: &Mutex<Vec<Request>>) {
    let Some(request) = Request::read(&mut *stream) else { return };
    let number = {
        let mut log = log.lock().unwrap();
        log.push(request.clone());
        log.len() - 1
    };
    // A client that hangs up is what some tests are about.
    let _ = answer(number, &request, stream).and_then(|()| stream.flush());
}

/// The head of an answer, with its length if it has one.
pub(super) fn head(out: &mut dyn Write, status: u16, length: Option<usize>, headers: &str) -> io::Result<()> {
    write!(out, "HTTP/1.1 {status} status\r\nConnection: close\r\n{headers}")?;
    match length {
        Some(length) => write!(out, "Content-Length: {length}\r\n\r\n"),
        None => write!(out, "\r\n"),
    }
}

/// An answer as it should be.
pub(super) fn whole(out: &mut dyn Write, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
    head(out, status, Some(body.len()), headers)?;
    out.write_all(body)
}

/// Answers the request for a part of a file, or for the whole, as a good server does.
pub(super) fn ranged(out: &mut dyn Write, request: &Request, tag: &str, body: &[u8]) -> io::Result<()> {
    let etag = format!("ETag: {tag}\r\n");
    let start = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match start {
        Some(start) if request.header("if-range").is_none_or(|known| known == tag) => {
            let range = format!("{etag}Content-Range: bytes {start}-{}/{}\r\n", body.len() - 1, body.len());
            whole(out, 206, &range, &body[start..])
        }
        _ => whole(out, 200, &etag, body),
    }
}
