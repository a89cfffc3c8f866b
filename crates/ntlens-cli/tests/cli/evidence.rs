//! A dump is evidence: whatever is asked of it, it and what lies beside it stay as they are.

use crate::support::{command, finish, sample};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// What is in a folder, with the time of the last change of each and of the folder itself: that a file came and went shows
/// there, too.
fn state(folder: &Path) -> Vec<(String, SystemTime, u64)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut state: Vec<_> = entries
        .chain([folder.to_owned()])
        .map(|path| {
            let found = fs::metadata(&path).unwrap();
            (path.to_str().unwrap().to_owned(), found.modified().unwrap(), found.len())
        })
        .collect();
    state.sort();
    state
}

#[cfg(unix)]
fn forbid_writing(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn no_command_changes_the_dump_or_its_folder() {
    let evidence = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let dump = evidence.path().join("whole.dmp");
    fs::copy(&sample().path, &dump).unwrap();
    // A folder from a read-only disk. Who runs the tests as root may write all the same, and is found out below.
    #[cfg(unix)]
    {
        forbid_writing(&dump, 0o400);
        forbid_writing(evidence.path(), 0o500);
    }
    let (before, bytes) = (state(evidence.path()), fs::read(&dump).unwrap());
    let dump = dump.to_str().unwrap();
    let mut commands: Vec<Vec<String>> = sample().questions().into_iter().map(|(_, arguments)| arguments).collect();
    for more in
        [&["extract", dump, "--kernel"][..], &["process", dump, "4"], &["crossings", dump], &["doctor", dump, "-v"]]
    {
        commands.push(more.iter().map(ToString::to_string).collect());
    }
    for arguments in commands {
        let arguments = arguments.iter().map(|argument| if *argument == sample().path { dump } else { argument });
        let mut arguments: Vec<&str> = arguments.collect();
        // To the screen from the dump's folder, and to a file from elsewhere.
        let file = elsewhere.path().join("answer");
        for (folder, options) in [(evidence.path(), &[][..]), (elsewhere.path(), &["-o", file.to_str().unwrap()][..])] {
            if options.is_empty() && arguments[0] == "extract" {
                continue;
            }
            let length = arguments.len();
            arguments.extend(options);
            let mut run = command(&arguments);
            run.current_dir(folder);
            let run = finish(run);
            assert_eq!(run.status, 0, "{arguments:?}: {}", run.stderr);
            assert_eq!(state(evidence.path()), before, "{arguments:?} changed something");
            // An extract is a dump, which no answer would overwrite.
            let _ = fs::remove_file(&file);
            arguments.truncate(length);
        }
    }
    assert!(fs::read(dump).unwrap() == bytes, "the dump itself changed");
    #[cfg(unix)]
    forbid_writing(evidence.path(), 0o700);
}
