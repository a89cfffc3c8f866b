//! Files that appear whole or not at all, and replace others only if that is wanted.

use crate::Failure;
use std::fs::File;
use std::io;
use std::path::Path;

/// Where a file shall be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) path: &'a Path,
    /// Whether a file that is there is replaced.
    pub(crate) force: bool,
}

impl Target<'_> {
    fn failed(self, error: io::Error) -> Failure {
        Failure::File { path: self.path.into(), error }
    }

    /// Says early what [`write`](Self::write) would refuse.
    pub(crate) fn check(self) -> Result<(), Failure> {
        if self.path.is_dir() {
            return Err(self.failed(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        if self.path.metadata().is_ok_and(|found| !found.is_file()) {
            return Err(Failure::Usage(format!("{} is a pipe or a device, and is not replaced", self.path.display())));
        }
        if !self.force && self.path.symlink_metadata().is_ok() {
            return Err(Failure::Usage(format!("{} is there; --force replaces it", self.path.display())));
        }
        Ok(())
    }

    /// Fills a file beside the target, and then gives it the target's name. A link stays: what it leads to is replaced.
    pub(crate) fn write<T>(self, fill: impl FnOnce(&mut File) -> io::Result<T>) -> Result<T, Failure> {
        self.check()?;
        let is_link = self.path.symlink_metadata().is_ok_and(|found| found.is_symlink());
        let path = if is_link { self.path.canonicalize() } else { Ok(self.path.into()) };
        let path = path.map_err(|error| self.failed(error))?;
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut part = builder.prefix(".ntlens-testkit-").tempfile_in(folder).map_err(|error| self.failed(error))?;
        let done = fill(part.as_file_mut()).map_err(|error| self.failed(error))?;
        // Somebody may have made the file meanwhile.
        let kept = if self.force { part.persist(&path) } else { part.persist_noclobber(&path) };
        kept.map_err(|error| self.failed(error.error))?;
        Ok(done)
    }
}
