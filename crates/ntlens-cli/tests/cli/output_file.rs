//! `-o FILE`: the whole answer or nothing.

use crate::support::{answer, command, document, ntlens, sample};
use ntlens_testkit::Kind;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
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

/// Every command that writes a file: questions, and those that are none.
fn writers() -> Vec<Vec<String>> {
    let dump = sample().path.as_str();
    let mut writers: Vec<Vec<String>> = sample().questions().into_iter().map(|(_, arguments)| arguments).collect();
    for more in [
        &["extract", dump, "--kernel"][..],
        &["extract", dump, "--process", "4"],
        &["process", dump, "4"],
        &["timeline", dump, "--format", "bodyfile"],
        &["timeline", dump, "--format", "timesketch"],
        &["symbols", dump, "--to-isf"],
        &["symbols", "--build", "19041.1288", "--to-isf"],
        &["symbols", "--embedded"],
        &["dt", "_EPROCESS", "--dump", dump],
        &["dt", "_EPROCESS", "--build", "22000"],
    ] {
        writers.push(more.iter().map(ToString::to_string).collect());
    }
    writers
}

#[test]
fn no_command_overwrites_another_dump() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.dmp");
    let path = other.to_str().unwrap().to_owned();
    for (arguments, start) in writers().into_iter().zip([&b"PAGEDU64"[..], b"PAGEDUMP"].into_iter().cycle()) {
        let to_file = [&arguments[..], &["-o".to_owned(), path.clone()]].concat();
        fs::write(&other, start).unwrap();
        let run = ntlens(&to_file);
        assert_eq!(run.status, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains("is a dump, and is not overwritten"), "{arguments:?}: {}", run.stderr);
        assert_eq!(fs::read(&other).unwrap(), start, "{arguments:?}");
        assert_eq!(names(folder.path()), ["other.dmp"], "{arguments:?}");
        // What is no dump is replaced, whole, and nothing else is left behind. Questions all write in one way.
        if ntlens::report::question(&arguments[0]).is_none() || arguments.len() > 2 {
            fs::write(&other, "an older answer").unwrap();
            let run = ntlens(&to_file);
            assert_eq!(run.status, 0, "{arguments:?}: {}", run.stderr);
            assert!(fs::read(&other).unwrap() != b"an older answer", "{arguments:?}");
            assert_eq!(names(folder.path()), ["other.dmp"], "{arguments:?}");
        }
    }
}

/// What has no header or a broken one is still memory, and so is what other tools wrote.
#[test]
fn whatever_opens_as_a_dump_or_is_memory_of_another_form_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("other");
    let image = &sample().image;
    let whole = image.to_vec(Kind::Full);
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let dumps = [
        ("raw memory", image.to_vec(Kind::Raw)),
        ("a damaged signature", with(0, b"PAXEDU64")),
        ("a signature of zeros", with(0, &[0; 8])),
        ("a broken description", with(0xf98, &[0xff; 4])),
    ];
    for (what, bytes) in dumps {
        fs::write(&target, &bytes).unwrap();
        let run = ntlens(&["info".as_ref(), sample().path.as_ref(), "-o".as_ref(), target.as_os_str()]);
        assert_eq!(run.status, 2, "{what}: {}", run.stderr);
        assert!(run.stderr.contains("is a dump, and is not overwritten"), "{what}: {}", run.stderr);
        assert!(fs::read(&target).unwrap() == bytes, "{what}");
    }
    for (start, words) in [
        (&b"hibr"[..], "a hibernation file"),
        (b"\x7fELF", "an ELF file"),
        (b"EMiL", "a LiME memory image"),
        (b"MDMP", "a minidump"),
        (b"\x1f\x8b", "a gzip file"),
    ] {
        let bytes = [start, &[7; 0x3000]].concat();
        fs::write(&target, &bytes).unwrap();
        let run = ntlens(&["info".as_ref(), sample().path.as_ref(), "-o".as_ref(), target.as_os_str()]);
        assert_eq!(run.status, 2, "{words}: {}", run.stderr);
        assert!(run.stderr.contains(words) && run.stderr.contains("is not overwritten"), "{words}: {}", run.stderr);
        assert!(fs::read(&target).unwrap() == bytes, "{words}");
    }
    // Large files of other things, also such as could be raw memory, and files without a byte.
    for other in [vec![], vec![0; 4 << 20], b"row,row\n".repeat(1 << 18)] {
        fs::write(&target, &other).unwrap();
        let start = Instant::now();
        let run = ntlens(&["info".as_ref(), sample().path.as_ref(), "-o".as_ref(), target.as_os_str()]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
    assert_eq!(names(folder.path()), ["other"]);
}

#[cfg(unix)]
fn pipe(path: &Path) -> bool {
    std::process::Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success())
}

/// A pipe gets what the screen would, and is a pipe afterwards; a link to one, too.
#[cfg(unix)]
#[test]
fn a_pipe_is_written_into_and_stays() {
    use std::os::unix::fs::FileTypeExt;
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("pipe"), folder.path().join("link"));
    if !pipe(&path) {
        return;
    }
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let expected = answer(&["processes", &sample().path, "--format", "csv"]);
    for target in [&path, &link] {
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read_to_string(path).unwrap()
        });
        let run = ntlens(&["processes", &sample().path, "--format", "csv", "-o", target.to_str().unwrap()]);
        // If nobody wrote into it the reader waits for ever: that is looked at first.
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo(), "the pipe was replaced");
        assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{}", run.stderr);
        assert!(reader.join().unwrap() == expected);
    }
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let mut left = names(folder.path());
    left.sort();
    assert_eq!(left, ["link", "pipe"]);
}

/// `-o /dev/stdout` into a file that holds something already: it is added to, and the name in `/dev` stays.
#[cfg(target_os = "linux")]
#[test]
fn the_name_of_an_open_file_is_written_into() {
    let expected = answer(&["info", &sample().path]);
    let (_folder, path) = target();
    // A link of the test's own: nothing of the machine is at stake if this fails.
    let name = "/proc/self/fd/1";
    fs::write(&path, "older\n").unwrap();
    let mut run = command(&["info", &sample().path, "-o", name]);
    run.stdout(fs::File::options().append(true).open(&path).unwrap());
    assert!(run.status().unwrap().success());
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("older\n{expected}"));
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_what_it_leads_to_is_replaced() {
    let (folder, path) = target();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let to_link = ["info", &sample().path, "-o", link.to_str().unwrap()];
    fs::write(&path, "older").unwrap();
    assert_eq!(ntlens(&to_link).status, 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&path).unwrap(), answer(&["info", &sample().path]));
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
fn an_extract_says_what_it_lacks() {
    let (folder, path) = target();
    let comment = |path: &str| document(&["info", path])["rows"][0]["comment"].as_str().unwrap().to_owned();
    for of in [&["--kernel"][..], &["--process", "4"]] {
        let arguments = |dump: &'static str| [&["extract", dump, "-o", &path, "--strict"][..], of].concat();
        let run = ntlens(&arguments(&sample().path));
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert!(!run.stderr.contains("warning: ") && !comment(&path).contains(';'), "{}", run.stderr);
        fs::remove_file(&path).unwrap();

        let run = ntlens(&arguments(&sample().truncated));
        assert_eq!(run.status, 3, "{}", run.stderr);
        assert!(run.stderr.contains("warning: ") && run.stderr.contains("page frames"), "{}", run.stderr);
        assert!(comment(&path).contains("; ") && comment(&path).contains("missing"), "{}", comment(&path));
        fs::remove_file(&path).unwrap();
        let quiet = ntlens(&[&["extract", &sample().truncated, "-o", &path, "-q"][..], of].concat());
        assert_eq!((quiet.status, quiet.stderr.as_str()), (0, ""));
        fs::remove_file(&path).unwrap();
    }
    assert!(names(folder.path()).is_empty());
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

/// A command that runs in the background and says nothing.
fn start(arguments: &[&str]) -> Child {
    command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn writers_of_the_same_file_leave_one_whole_answer() {
    let (folder, path) = target();
    let formats = ["table", "json", "jsonl", "csv"];
    let whole: BTreeSet<Vec<u8>> =
        formats.iter().map(|format| answer(&["processes", &sample().path, "--format", format]).into_bytes()).collect();
    let mut writers: Vec<Child> = (0..3)
        .flat_map(|_| formats)
        .map(|format| start(&["processes", &sample().path, "--format", format, "-o", &path]))
        .collect();
    let mut looks = 0;
    // Whenever somebody looks there is nothing yet, or one whole answer.
    while writers.iter_mut().any(|writer| writer.try_wait().unwrap().is_none()) {
        if let Ok(found) = fs::read(&path) {
            assert!(whole.contains(&found), "{} bytes of no answer", found.len());
            looks += 1;
        }
    }
    assert!(writers.into_iter().all(|mut writer| writer.wait().unwrap().success()));
    assert!(looks > 0 && whole.contains(&fs::read(&path).unwrap()));
    assert_eq!(names(folder.path()), ["answer"]);
}

#[test]
fn a_writer_that_is_killed_leaves_no_half_file() {
    let (folder, path) = target();
    let arguments = ["extract", &sample().path, "--kernel", "-o", &path];
    assert_eq!(ntlens(&arguments).status, 0);
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let (mut killed, mut wait) = (0, Duration::ZERO);
    // Later and later, until it was quicker. A signal that cannot be caught may leave the part under a name of its own.
    loop {
        let mut writer = start(&arguments);
        std::thread::sleep(wait);
        writer.kill().unwrap();
        if writer.wait().unwrap().success() {
            break;
        }
        killed += 1;
        assert!(fs::read(&path).is_ok_and(|found| found == whole) || !Path::new(&path).exists(), "after {wait:?}");
        wait += Duration::from_millis(2) + wait / 10;
        let _ = fs::remove_file(&path);
    }
    assert!(killed > 1, "it was never stopped on its way");
    assert!(fs::read(&path).unwrap() == whole);
    assert!(names(folder.path()).iter().all(|name| name == "answer" || name.starts_with(".ntlens-")));
}
