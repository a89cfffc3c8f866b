//! The picture of who may import whom, kept true by the imports themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

/// The parts of `ntlens-core` in layers: a part imports from its own layer and from those before it, never from one behind.
const LAYERS: &[&[&str]] = &[
    &["address", "absent", "text", "pattern", "identity", "spread"],
    &["source", "error", "incomplete"],
    &["memory"],
    &["layout"],
    &["kdbg"],
    &["dump"],
    &["nt"],
    &["opened"],
    &["doctor"],
    &["report"],
];

/// Names that `lib.rs` exports at the top, and the parts that they are from.
const EXPORTS: &[(&str, &str)] = &[
    ("Absent", "absent"),
    ("Error", "error"),
    ("Incomplete", "incomplete"),
    ("OpenDump", "opened"),
    ("fields", "layout"),
];

/// A file that is longer is about more than one thing.
const MAX_LINES: usize = 700;

/// Source files below a folder of the project, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_path_buf(), text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no source files");
    found.sort();
    found
}

/// Lines of code without comments, numbered as editors do.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().zip(1..).map(|(line, number)| (number, line.split("//").next().unwrap_or_default()));
    lines.filter(|(_, line)| !line.trim().is_empty())
}

/// What follows each `crate::` of a line: a part, or a name that `lib.rs` exports from one. A group in braces gives
/// nothing, which is in no layer.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    let ends = |char: char| !(char.is_alphanumeric() || char == '_');
    line.split("crate::").skip(1).map(move |rest| rest.split(ends).next().unwrap_or_default())
}

#[test]
fn core_imports_downwards_only() {
    let layer = |part: &str| LAYERS.iter().position(|parts| parts.contains(&part));
    let mut wrong = Vec::new();
    for (path, text) in sources("crates/ntlens-core/src") {
        let part = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if part == "lib" {
            continue;
        }
        let own = layer(&part).unwrap_or_else(|| panic!("{part} is in no layer of tests/layering.rs"));
        for (number, line) in code(&text) {
            for name in imports(line) {
                let imported = EXPORTS.iter().find(|(export, _)| *export == name).map_or(name, |(_, part)| part);
                let place = format!("{}:{number}", path.display());
                match layer(imported) {
                    None => wrong.push(format!("{place}: {imported:?} is in no layer")),
                    Some(other) if other > own => wrong.push(format!("{place}: {part} must not import {imported}")),
                    Some(_) => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the order {LAYERS:?}:\n{}", wrong.join("\n"));
}

/// Fails on lines of a folder's code that contain one of these.
fn forbid(folder: &str, words: &[&str], why: &str) {
    let mut wrong = Vec::new();
    for (path, text) in sources(folder) {
        let lines = code(&text).filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        wrong.extend(lines.map(|(number, line)| format!("{folder}/{}:{number}: {}", path.display(), line.trim())));
    }
    assert!(wrong.is_empty(), "{why}:\n{}", wrong.join("\n"));
}

#[test]
fn core_does_no_input_and_output() {
    forbid("crates/ntlens-core/src", &["std::", "extern crate std"], "ntlens-core needs no std");
}

#[test]
fn the_command_decodes_nothing() {
    let words = ["ntlens::memory", "ntlens::kdbg", "ntlens_core", "from_le_bytes", "unsafe"];
    forbid("crates/ntlens-cli/src", &words, "decoding belongs into ntlens-core");
}

#[test]
fn the_python_module_decodes_nothing() {
    let words = ["ntlens_core", "ntlens_symbols", "from_le_bytes", "unsafe {", "unsafe fn", "unsafe impl"];
    forbid("crates/ntlens-py/src", &words, "decoding belongs into ntlens-core, and nothing there is unsafe");
}

#[test]
fn the_testkit_has_nothing_of_the_parser_but_the_types_of_layouts() {
    let mut wrong = Vec::new();
    for (path, text) in sources("crates/ntlens-testkit/src") {
        let foreign = |line: &str| {
            let parser = line.contains("ntlens_core") && !line.contains("ntlens_core::layout::");
            let symbols = line.contains("ntlens_symbols") && path != Path::new("kernels.rs");
            parser || symbols || line.contains("ntlens::")
        };
        let lines = code(&text).filter(|(_, line)| foreign(line));
        wrong.extend(lines.map(|(number, line)| format!("{}:{number}: {}", path.display(), line.trim())));
    }
    assert!(wrong.is_empty(), "a constant that both share cancels itself out when it is wrong:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let mut wrong = Vec::new();
    for folder in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates")).unwrap() {
        let folder = format!("crates/{}/src", folder.unwrap().file_name().to_string_lossy());
        let long = sources(&folder).into_iter().map(|(path, text)| (path, text.lines().count()));
        let long = long.filter(|(_, lines)| *lines > MAX_LINES);
        wrong.extend(long.map(|(path, lines)| format!("{folder}/{}: {lines} lines", path.display())));
    }
    assert!(wrong.is_empty(), "files of more than {MAX_LINES} lines:\n{}", wrong.join("\n"));
}

/// Every file of the project with this name, without what is built and what is hidden.
fn named(name: &str, folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let last = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && last != "target" && !last.starts_with('.') {
            named(name, &path, found);
        } else if last == name || path.extension().is_some_and(|extension| *extension == *name) {
            found.push(path);
        }
    }
}

/// Files with unsafe code, and why they may have it.
const MAY_BE_UNSAFE: [(&str, &str); 2] = [
    ("tests/layering.rs", "names the words that are looked for"),
    ("crates/ntlens-symbols/tests/fixtures/types.rs", "what a PDB of the tests was made from: part of no crate"),
];

/// No crate is an exception: the macros of pyo3 and of libFuzzer bring what they need from outside, where the lint does not
/// look.
#[test]
fn unsafe_code_is_forbidden_in_every_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut manifests, mut sources) = (Vec::new(), Vec::new());
    named("Cargo.toml", root, &mut manifests);
    named("rs", root, &mut sources);
    assert!(manifests.len() > 9 && sources.len() > 300, "{} crates, {} sources", manifests.len(), sources.len());
    let forbids = |manifest: &Path| {
        let text = fs::read_to_string(manifest).unwrap();
        let section = |name: &str| text.split_once(name).map(|(_, rest)| rest.split("\n[").next().unwrap().to_owned());
        let own = section("\n[lints.rust]\n").is_some_and(|lints| lints.contains("unsafe_code = \"forbid\""));
        own || section("\n[lints]\n").is_some_and(|lints| lints.contains("workspace = true"))
    };
    let lax: Vec<_> = manifests.iter().filter(|manifest| !forbids(manifest)).collect();
    assert!(lax.is_empty(), "crates that do not forbid unsafe code: {lax:?}");
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(
        workspace.contains("[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"),
        "the workspace's lints forbid it"
    );
    let words =
        [["unsafe", " {"], ["unsafe", " fn"], ["unsafe", " impl"], ["allow(", "unsafe"]].map(|parts| parts.concat());
    let mut wrong = Vec::new();
    for path in sources {
        if MAY_BE_UNSAFE.iter().any(|(file, _)| path.ends_with(file)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines = code(&text).filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        wrong.extend(lines.map(|(number, line)| format!("{}:{number}: {}", path.display(), line.trim())));
    }
    assert!(wrong.is_empty(), "unsafe code:\n{}", wrong.join("\n"));
}
