//! Why a download failed.

use super::url::UrlError;
use ntlens::symbols::SymbolError;
use std::io;
use std::time::Duration;
use ureq::Timeout;

/// Why a file was not brought.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the server answers with status {0}")]
    Status(u16),
    #[error("{0}")]
    Url(#[from] UrlError),
    #[error("more than {0} redirects")]
    Redirects(usize),
    #[error("more than {0} bytes")]
    TooLarge(u64),
    #[error("{why}; {got} bytes are kept, and the next run goes on from there")]
    Interrupted { got: u64, why: Box<Failure> },
    #[error("the connection ended too early")]
    Ended,
    #[error("the server continues with another file than it began")]
    Changed,
    #[error("nothing came for {} s", .0.as_secs_f32())]
    Silent(Duration),
    #[error("the certificate or the encryption of the server is not accepted: {0}")]
    Tls(String),
    #[error("no connection in time")]
    NoConnection,
    #[error("the server gives something that is no symbol file")]
    NotSymbols,
    #[error("the server gives a file that cannot be read: {0}")]
    Unreadable(SymbolError),
    #[error("{0}")]
    Connection(String),
    #[error("the folder for downloads: {0}")]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Symbols(#[from] SymbolError),
}

impl Failure {
    /// What the connection says. `idle` is how long it was waited for.
    pub(super) fn connection(error: ureq::Error, idle: Duration) -> Self {
        match error {
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => Self::NoConnection,
            ureq::Error::Timeout(_) => Self::Silent(idle),
            ureq::Error::Rustls(error) => Self::Tls(error.to_string()),
            ureq::Error::Tls(error) => Self::Tls(error.into()),
            // A handshake that fails is wrapped.
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => Self::Tls(error.to_string()),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => Self::Silent(idle),
            error => Self::Connection(error.to_string()),
        }
    }

    /// Whether the same request may succeed a little later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 408 | 416 | 429 | 500..=599),
            Self::Interrupted { .. } | Self::Changed => true,
            _ => false,
        }
    }

    /// As the search for symbols tells it.
    pub(super) fn at(self, url: String) -> SymbolError {
        match self {
            Self::Symbols(error) => error,
            failure => SymbolError::Download { url, message: failure.to_string() },
        }
    }
}
