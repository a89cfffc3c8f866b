//! A bar on standard error while a file comes, if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use ntlens::render::escape;
use ureq::http::Uri;

const KNOWN: &str = "{msg} {bytes}/{total_bytes} [{wide_bar}] {bytes_per_sec}, {eta} left";
const UNKNOWN: &str = "{msg} {bytes} {spinner} {bytes_per_sec}";

/// The bar. It goes away with the value.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(quiet: bool, url: &Uri, done: u64, total: Option<u64>) -> Self {
        if quiet {
            return Self(ProgressBar::hidden());
        }
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        // A template that is wrong leaves the plain bar.
        let style = ProgressStyle::with_template(if total.is_some() { KNOWN } else { UNKNOWN });
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let name = url.path().rsplit('/').next().unwrap_or_default();
        bar.set_message(escape::visible(name));
        bar.reset_eta();
        bar.set_position(done);
        Self(bar)
    }

    pub(super) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_right() {
        for template in [KNOWN, UNKNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
