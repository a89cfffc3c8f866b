//! `-o FILE`: the whole answer or nothing.

use crate::support::{answer, ntlens, sample};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder, and a file in it to be written.
fn target() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answer").to_str().unwrap().to_owned();
    (folder, path)
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_file_gets_what_the_screen_would() {
    for format in ["table", "json", "jsonl", "csv"] {
        let (folder, path) = target();
        fs::write(&path, "an older answer\n".repeat(10_000)).unwrap();
        let run = ntlens(&["processes", &sample().path, "--format", format, "-o", &path]);
        assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{}", run.stderr);
        let expected = answer(&["processes", &sample().path, "--format", format]);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{format}");
        assert_eq!(names(folder.path()), ["answer"]);
    }
}

#[test]
fn the_dump_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("whole.dmp");
    fs::copy(&sample().path, &dump).unwrap();
    let before = fs::read(&dump).unwrap();
    fs::create_dir(folder.path().join("below")).unwrap();
    let mut others = vec![dump.clone(), folder.path().join("below").join("..").join("whole.dmp")];
    #[cfg(unix)]
    {
        others.push(folder.path().join("link"));
        std::os::unix::fs::symlink(&dump, &others[2]).unwrap();
    }
    for other in others {
        let run = ntlens(&["info".as_ref(), dump.as_os_str(), "-o".as_ref(), other.as_os_str()]);
        assert_eq!(run.status, 2, "{}: {}", other.display(), run.stderr);
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains("the dump itself"), "{}", run.stderr);
        assert!(fs::read(&dump).unwrap() == before, "{} changed the dump", other.display());
    }
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let (folder, path) = target();
    let run = ntlens(&["info", &sample().text, "-o", &path]);
    assert_eq!(run.status, 1);
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));

    // An older answer stays as it is.
    fs::write(&path, "older").unwrap();
    assert_eq!(ntlens(&["info", &sample().text, "-o", &path]).status, 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "older");
    assert_eq!(names(folder.path()), ["answer"]);

    // The answer is there, but not the place for it.
    for place in [folder.path().to_str().unwrap(), &format!("{path}/below"), "/no/such/folder/answer"] {
        let run = ntlens(&["info", &sample().path, "-o", place]);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{place}: {}", run.stderr);
        assert!(run.stderr.starts_with(&format!("error: {place}: ")), "{}", run.stderr);
        assert_eq!(names(folder.path()), ["answer"], "{place}");
    }
}
