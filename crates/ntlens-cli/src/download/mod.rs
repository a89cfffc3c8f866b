//! Symbols from symbol servers, kept in a folder that is a symbol store itself.
//!
//! Nothing that a server says chooses a file: names come from the dump, checked, and a file is put into the store only
//! after its own GUID and age were found in it. What was interrupted stays beside it as `.part`, and the next run goes on.

mod failure;
mod partial;
mod progress;
#[cfg(test)]
mod tests;
mod transfer;
mod url;

use failure::Failure;
use ntlens::layout::PdbId;
use ntlens::symbols::path::{Fetch, FileName, POINTER, Pointer, PointerError, Wanted};
use ntlens::symbols::{SymbolError, file};
use partial::Partial;
use progress::Progress;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

/// What servers are asked with, and how long they are waited for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// No progress on standard error.
    pub(crate) quiet: bool,
    /// The most bytes that are taken for one file.
    pub(crate) limit: u64,
    /// The longest wait for a connection.
    pub(crate) connect: Duration,
    /// The longest wait for anything to arrive on it.
    pub(crate) idle: Duration,
    /// How often one file is asked for again after a failure that may pass.
    pub(crate) retries: u32,
    /// The wait before that, doubled each time.
    pub(crate) pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            quiet: false,
            limit: 1 << 30,
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(30),
            retries: 3,
            pause: Duration::from_secs(1),
        }
    }
}

/// The user's folder for downloads: below `XDG_CACHE_HOME` or `~/.cache`, on Windows below `LOCALAPPDATA`.
pub(crate) fn default_cache() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.cache_dir().join("ntlens").join("symbols"))
}

/// How the symbols in a downloaded file are known.
type Identify = Box<dyn Fn(&Path) -> Result<PdbId, SymbolError> + Send + Sync>;

/// Asks symbol servers.
pub(crate) struct Downloader {
    agent: Agent,
    options: Options,
    identify: Identify,
}

impl fmt::Debug for Downloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downloader").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Downloader {
    /// A downloader that trusts the certificates of the web and uses the proxy of the environment.
    pub(crate) fn new(options: Options) -> Self {
        let identify = |path: &Path| file::identify(path).map(|identity| identity.id);
        Self::with(options, Box::new(identify), RootCerts::WebPki, Proxy::try_from_env())
    }

    fn with(options: Options, identify: Identify, roots: RootCerts, proxy: Option<Proxy>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // They are followed by rules of our own: see `url::follow`.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("ntlens/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .proxy(proxy)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_resolve(Some(options.connect))
            .timeout_connect(Some(options.connect))
            .timeout_send_request(Some(options.idle))
            .timeout_recv_response(Some(options.idle))
            .timeout_per_read(Some(options.idle))
            .build();
        Self { agent: config.new_agent(), options, identify }
    }

    /// Brings one file of a server into its place, if the server has it.
    fn file(&self, url: &Uri, target: &Path, id: PdbId) -> Result<bool, Failure> {
        let mut partial = Partial::left_over(target, url)?;
        if self.holds(target, id) {
            return Ok(true);
        }
        let mut pause = self.options.pause;
        for left in (0..=self.options.retries).rev() {
            match self.transfer(url, target, &mut partial) {
                Ok(true) => break,
                Ok(false) => {
                    partial.map(Partial::discard).transpose()?;
                    return Ok(false);
                }
                Err(failure) if left > 0 && failure.may_pass() => {
                    std::thread::sleep(pause);
                    pause = pause.saturating_mul(2);
                }
                Err(failure) => return Err(failure),
            }
        }
        let Some(partial) = partial else { return Ok(false) };
        match (self.identify)(partial.path()) {
            Ok(found) if found == id => partial.keep(target)?,
            other => {
                partial.discard()?;
                let place = url.to_string();
                return Err(match other {
                    Ok(found) => SymbolError::Mismatch { place, wanted: id, found }.into(),
                    Err(SymbolError::NotSymbols { .. }) => Failure::NotSymbols,
                    Err(error) => Failure::Unreadable(error),
                });
            }
        }
        Ok(true)
    }

    /// Whether another process has brought it meanwhile.
    fn holds(&self, target: &Path, id: PdbId) -> bool {
        target.is_file() && (self.identify)(target).is_ok_and(|found| found == id)
    }

    /// What a server's `file.ptr` says. It is not followed: a path of a server's choice may lead to a share, which Windows
    /// opens with the user's credentials.
    fn pointer(&self, url: &Uri) -> Result<(), Failure> {
        let Some(bytes) = self.small(url)? else { return Ok(()) };
        let why = match Pointer::parse(&bytes) {
            Ok(Pointer::Path(path)) => PointerError::FromServer(path),
            Ok(Pointer::Message(message)) => PointerError::Message(message),
            Err(why) => why,
        };
        Err(SymbolError::Pointer { place: url.to_string(), why }.into())
    }

    fn progress(&self, url: &Uri, done: u64, total: Option<u64>) -> Progress {
        Progress::new(self.options.quiet, url, done, total)
    }
}

impl Fetch for Downloader {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<PathBuf>, SymbolError> {
        let Wanted { server, name, id, .. } = *wanted;
        let failed = |url: &dyn fmt::Display, failure: Failure| failure.at(url.to_string());
        let server = url::server(server).map_err(|why| failed(&server, why.into()))?;
        let url = |file: &str| {
            let path = [name.as_str(), &id.to_string(), file];
            url::below(&server, &path).map_err(|why| failed(&server, why.into()))
        };
        let folder = wanted.folder();
        let mut refused = None;
        for file in files(name) {
            let (url, target) = (url(&file)?, folder.join(&file));
            match self.file(&url, &target, id) {
                Ok(true) => return Ok(Some(target)),
                Ok(false) => {}
                // Some stores answer so for what they do not have.
                Err(failure @ Failure::Status(401 | 403)) => refused = Some(failed(&url, failure)),
                Err(failure) => return Err(failed(&url, failure)),
            }
        }
        let pointer = url(POINTER)?;
        match self.pointer(&pointer) {
            Ok(()) | Err(Failure::Status(401 | 403)) => refused.map_or(Ok(None), Err),
            Err(failure) => Err(failed(&pointer, failure)),
        }
    }
}

/// What a store may have: the file, or a cabinet of it.
fn files(name: &FileName) -> Vec<String> {
    let mut files = vec![name.to_string(), name.compressed()];
    files.dedup();
    files
}
