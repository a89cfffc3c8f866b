//! Files that are on their way: `NAME.part`, beside it `NAME.part.info` that says what it is a part of.
//!
//! Whoever has the lock of the `.info` file owns both. Another process that wants the same symbols meanwhile takes a file
//! with a name of its own; the one that is ready last replaces the same content.

use fs4::FileExt;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use ureq::http::Uri;

/// More than any URL and validator.
const MAX_INFO: u64 = 16 * 1024;

/// A file that is on its way.
#[derive(Debug)]
pub(super) struct Partial {
    url: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The file that the next run goes on with.
    Shared { file: File, path: PathBuf, info: File, info_path: PathBuf },
    /// One that goes away with this process.
    Own(NamedTempFile),
}

/// What is there of a file, and how to ask for the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Bytes that are there.
    pub(super) have: u64,
    /// The length of the whole.
    pub(super) total: Option<u64>,
    /// An `ETag`, if the server gave a strong one.
    pub(super) tag: Option<String>,
}

impl Partial {
    /// What an earlier run left, if it left anything.
    pub(super) fn left_over(target: &Path, url: &Uri) -> io::Result<Option<Self>> {
        if beside(target, ".part.info").exists() { Self::new(target, url).map(Some) } else { Ok(None) }
    }

    /// Makes the file, and the folders that it is in.
    pub(super) fn new(target: &Path, url: &Uri) -> io::Result<Self> {
        let folder = target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let open = |path: &Path| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let (path, info_path) = (beside(target, ".part"), beside(target, ".part.info"));
        let info = open(&info_path)?;
        let kind = if owns(&info, &info_path) {
            Kind::Shared { file: open(&path)?, path, info, info_path }
        } else {
            Kind::Own(tempfile::Builder::new().prefix(".ntlens-").tempfile_in(folder)?)
        };
        Ok(Self { url: url.to_string(), kind })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        match &self.kind {
            Kind::Shared { path, .. } => path,
            Kind::Own(file) => file.path(),
        }
    }

    /// The file, to be appended to.
    pub(super) fn file(&mut self) -> &mut File {
        match &mut self.kind {
            Kind::Shared { file, .. } => file,
            Kind::Own(file) => file.as_file_mut(),
        }
    }

    /// What to go on with, if it is known what the file is a part of. The next byte is written at its end.
    pub(super) fn left(&mut self) -> io::Result<Option<Left>> {
        let Kind::Shared { file, info, .. } = &mut self.kind else { return Ok(None) };
        let have = file.seek(SeekFrom::End(0))?;
        let mut text = String::new();
        info.rewind()?;
        // What is no text is nothing to go on with.
        if info.take(MAX_INFO).read_to_string(&mut text).is_err() {
            return Ok(None);
        }
        let mut lines = text.split('\n');
        let [Some(url), Some(total), Some(tag), Some("")] = [lines.next(), lines.next(), lines.next(), lines.next()]
        else {
            return Ok(None);
        };
        let (total, tag) = (total.parse().ok(), Some(tag.to_string()).filter(|tag| !tag.is_empty()));
        let known = (total.is_some() || tag.is_some()) && total.is_none_or(|total| have <= total);
        Ok((url == self.url && have > 0 && known).then_some(Left { have, total, tag }))
    }

    /// Begins anew, with what the server says about the whole.
    pub(super) fn begin(&mut self, total: Option<u64>, tag: Option<&str>) -> io::Result<()> {
        let url = self.url.clone();
        let file = self.file();
        file.set_len(0)?;
        file.rewind()?;
        if let Kind::Shared { info, .. } = &mut self.kind {
            let total = total.map(|total| total.to_string()).unwrap_or_default();
            info.set_len(0)?;
            info.rewind()?;
            write!(info, "{url}\n{total}\n{}\n", tag.unwrap_or_default())?;
        }
        Ok(())
    }

    /// Puts the whole file in its place.
    pub(super) fn keep(self, target: &Path) -> io::Result<()> {
        match self.kind {
            Kind::Shared { file, path, info: _lock, info_path } => {
                file.sync_all()?;
                fs::rename(&path, target)?;
                fs::remove_file(info_path)
            }
            Kind::Own(file) => {
                file.as_file().sync_all()?;
                file.persist(target).map(drop).map_err(|error| error.error)
            }
        }
    }

    /// Throws it away.
    pub(super) fn discard(self) -> io::Result<()> {
        match self.kind {
            Kind::Shared { path, info: _lock, info_path, .. } => {
                fs::remove_file(path)?;
                fs::remove_file(info_path)
            }
            Kind::Own(file) => file.close(),
        }
    }
}

/// Whether this process owns a `.info` file now. On file systems without locks nobody does.
///
/// Its last owner may have removed it between our opening and locking it. Then the path leads to another file or to none,
/// which the lock of ours does not hold.
fn owns(info: &File, path: &Path) -> bool {
    FileExt::try_lock(info).is_ok() && File::open(path).is_ok_and(|now| FileExt::try_lock(&now).is_err())
}

fn beside(target: &Path, end: &str) -> PathBuf {
    let mut path = OsString::from(target);
    path.push(end);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_file_is_owned_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.info");
        let first = File::create(&path).unwrap();
        let second = File::open(&path).unwrap();
        assert!(owns(&first, &path) && !owns(&second, &path));
        fs::remove_file(&path).unwrap();
        drop(first);
        assert!(!owns(&second, &path));
        let third = File::create(&path).unwrap();
        assert!(!owns(&second, &path) && owns(&third, &path));
    }
}
