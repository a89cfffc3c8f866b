//! `-o FILE`: the whole answer or nothing.

use crate::support::{answer, document, ntlens, sample};
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
fn no_other_dump_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.dmp");
    for start in [&b"PAGEDU64"[..], b"PAGEDUMP"] {
        fs::write(&other, start).unwrap();
        let path = other.to_str().unwrap();
        for arguments in
            [vec!["info", &sample().path, "-o", path], vec!["extract", &sample().path, "--kernel", "-o", path]]
        {
            let run = ntlens(&arguments);
            assert_eq!(run.status, 2, "{}", run.stderr);
            assert!(run.stderr.contains("is a dump, and is not overwritten"), "{}", run.stderr);
            assert_eq!(fs::read(&other).unwrap(), start);
        }
    }
}

#[test]
fn an_extract_is_a_dump_of_its_process() {
    let (folder, path) = target();
    let process = sample().process("lsass.exe");
    let run = ntlens(&["extract", &sample().path, "--process", &process.pid.to_string(), "-o", &path]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    assert!(run.stderr.starts_with("note: ") && run.stderr.contains("pages"), "{}", run.stderr);
    assert_eq!(names(folder.path()), ["answer"]);
    let size = fs::metadata(&path).unwrap().len();
    assert!(size < fs::metadata(&sample().path).unwrap().len());
    let row_of = |path: &str| {
        let document = document(&["processes", path]);
        document["rows"].as_array().unwrap().iter().find(|row| row["pid"] == process.pid).unwrap().clone()
    };
    assert_eq!(row_of(&path), row_of(&sample().path));
    assert_eq!(document(&["info", &path])["rows"][0]["dump_type"], 5);

    let kernel = folder.path().join("kernel.dmp").to_str().unwrap().to_owned();
    assert_eq!(ntlens(&["extract", &sample().path, "--kernel", "-q", "-o", &kernel]).stderr, "");
    assert_eq!(document(&["info", &kernel])["rows"][0]["dump_kind"], "bitmap-kernel");

    // A process that is not there, and what is no question.
    for (arguments, status) in [
        (vec!["extract", &sample().path, "--process", "3", "-o", "never.dmp"], 1),
        (vec!["extract", &sample().path, "-o", "never.dmp"], 2),
        (vec!["extract", &sample().path, "--kernel"], 2),
        (vec!["extract", &sample().path, "--kernel", "--process", "4", "-o", "never.dmp"], 2),
    ] {
        let run = ntlens(&arguments);
        assert_eq!(run.status, status, "{arguments:?}: {}", run.stderr);
        assert!(!Path::new("never.dmp").exists());
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
