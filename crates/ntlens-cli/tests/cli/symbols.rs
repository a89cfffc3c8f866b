//! Symbols that the user has: `--symbols`, `_NT_SYMBOL_PATH`, `symbols`, and `dt` with them.

use crate::support::{answer, command, document, finish, ntlens, sample, write};
use serde_json::Value as Json;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// A table of an embedded kernel as a file.
fn isf(build: &str) -> String {
    write(&format!("{build}.json"), |path| {
        answer(&["symbols", "--build", build, "--to-isf", "-o", path.to_str().unwrap()]);
    })
}

/// That of the sample's kernel.
fn own() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| isf("19041.1288"))
}

/// That of another one.
fn other() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| isf("18362.592"))
}

fn id(build: u32, revision: u32) -> String {
    let version = ntlens_testkit::versions().into_iter().find(|v| (v.build, v.revision) == (build, Some(revision)));
    ntlens_testkit::layouts(&version.unwrap().to_string()).unwrap().id().unwrap().to_string()
}

/// The rows of `processes`, and what the document says of the layout.
fn processes(arguments: &[&str]) -> (Json, Json) {
    let document = document(&[&["processes", sample().path.as_str()], arguments].concat());
    (document["rows"].clone(), document["layout"].clone())
}

#[test]
fn a_file_of_the_right_symbols_is_used_and_named() {
    let (embedded, layout) = processes(&[]);
    assert_eq!((&layout["origin"], &layout["source"]), (&"exact".into(), &"embedded".into()));
    let (rows, layout) = processes(&["--symbols", own()]);
    assert_eq!((&layout["origin"], &layout["source"]), (&"exact".into(), &own().into()));
    assert_eq!(rows, embedded);
    assert_eq!(layout["versions"], Json::from(vec!["10.0.19041.1288"]), "the file tells no version, the pack does");
}

#[test]
fn symbols_of_another_kernel_are_refused_until_they_are_forced() {
    let arguments = ["processes", sample().path.as_str(), "--symbols", other()];
    let run = ntlens(&arguments);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""));
    for part in [other(), &id(18362, 592), &id(19041, 1288), "force"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    // Forced, they are used, and the answer says so; as they do not fit, they find nothing to tell.
    let run = ntlens(&["info", &sample().path, "--symbols", other(), "--force-symbols", "--format", "json"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stderr.contains("note: layout: forced") || run.stderr.contains("forced layout"), "{}", run.stderr);
    let run = ntlens(&["processes", &sample().path, "--symbols", own(), "--force-symbols", "--format", "json"]);
    assert!(run.stdout.contains("\"origin\": \"exact\""), "{}", run.stdout);
}

#[test]
fn the_one_that_fits_is_chosen_among_others() {
    let (_, layout) = processes(&["--symbols", other(), "--symbols", own()]);
    assert_eq!(layout["source"], own());
}

#[test]
fn a_folder_and_a_store_are_searched() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("symbols-{}", std::process::id()));
    let store = folder.join("store/ntkrnlmp.pdb").join(id(19041, 1288));
    fs::create_dir_all(&store).unwrap();
    fs::create_dir_all(folder.join("folder")).unwrap();
    fs::copy(own(), store.join("ntkrnlmp.pdb")).unwrap();
    fs::copy(other(), folder.join("folder/one.json")).unwrap();
    fs::copy(own(), folder.join("folder/two.json")).unwrap();
    for (path, source) in [("store", "ntkrnlmp.pdb"), ("folder", "two.json")] {
        let path = folder.join(path).into_os_string().into_string().unwrap();
        let (_, layout) = processes(&["--symbols", &path]);
        assert!(layout["source"].as_str().unwrap().ends_with(source), "{layout}");
        // The same by the variable that debuggers use.
        for text in [path.clone(), format!("cache*{path}"), format!("srv*{path};/nowhere")] {
            let mut command = command(&["info", &sample().path, "--format", "json"]);
            command.env("_NT_SYMBOL_PATH", &text);
            let document: Json = serde_json::from_str(&finish(command).stdout).unwrap();
            let found = document["layout"]["source"].as_str().unwrap();
            let expected = if path.ends_with("folder") && text.contains('*') { "embedded" } else { source };
            assert!(found.ends_with(expected), "{text}: {found}");
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_no_symbol_file_is_an_error() {
    for path in [sample().text.as_str(), "/no/such/file.pdb"] {
        let run = ntlens(&["processes", &sample().path, "--symbols", path]);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{path}");
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(path), "{}", run.stderr);
    }
    let run = ntlens(&["processes", &sample().path, "--force-symbols"]);
    assert_eq!(run.status, 2, "to force nothing is a mistake");
}

#[test]
fn embedded_kernels_are_listed() {
    let document = document(&["symbols", "--embedded"]);
    let rows = document["rows"].as_array().unwrap();
    assert!(rows.len() >= 211, "{}", rows.len());
    let row = rows.iter().find(|row| row["guid_age"] == id(19041, 1288).as_str()).unwrap();
    assert_eq!(
        (&row["version"], &row["build"], &row["revision"]),
        (&"10.0.19041.1288".into(), &19041.into(), &1288.into())
    );
    assert!(row["structures"].as_u64().unwrap() > 1300 && row["symbols"].as_u64().unwrap() > 60, "{row}");
}

#[test]
fn each_module_tells_its_symbols() {
    let document = document(&["symbols", &sample().path]);
    let rows = document["rows"].as_array().unwrap();
    assert_eq!(rows.len(), sample().image.truth().modules.len());
    let kernel = &rows[0];
    assert_eq!((&kernel["module"], &kernel["origin"]), (&"nt".into(), &"exact".into()));
    assert_eq!((&kernel["pdb_name"], &kernel["guid_age"]), (&"ntkrnlmp.pdb".into(), &id(19041, 1288).into()));
    assert!(kernel["types"].as_u64().unwrap() > 1500, "all types, not only those that the library reads: {kernel}");
    let driver = &rows[1];
    assert!(driver["origin"].is_null() && driver["absent"]["guid_age"].is_string(), "{driver}");
}

#[test]
fn names_have_addresses_and_addresses_names() {
    let image = &sample().image;
    let at = image.truth().kernel.base + image.layouts().symbol("PsInitialSystemProcess").unwrap().0;
    let at = format!("{at:#018x}");
    let of = |name: &str| document(&["symbols", &sample().path, name])["rows"].clone();
    assert_eq!(of("nt!PsInitialSystemProcess")[0]["address"], at.as_str());
    assert_eq!(of("PsInitialSystemProcess"), of("NT!PsInitialSystemProcess"));
    assert!(of("nt!Ps*").as_array().unwrap().len() > 3);
    assert_eq!(of(&at)[0]["name"], "nt!PsInitialSystemProcess");
    let behind = u64::from_str_radix(&at[2..], 16).unwrap() + 3;
    assert_eq!(of(&format!("{behind:#x}"))[0]["name"], "nt!PsInitialSystemProcess+0x3");
    let driver = &image.truth().modules[2];
    let stem = driver.name.rsplit_once('.').unwrap().0;
    assert_eq!(of(&format!("{:#x}", driver.base + 0x20))[0]["name"], format!("{stem}+0x20"));
    for name in ["0x1000", "nt!NoSuchName"] {
        let run = ntlens(&["symbols", &sample().path, name]);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{name}");
        assert!(run.stderr.contains(name), "{}", run.stderr);
    }
}

#[test]
fn dt_shows_what_an_instance_holds() {
    let process = sample().process("lsass.exe");
    let at = format!("{:#x}", process.eprocess);
    let dt = |arguments: &[&str]| answer(&[&["dt", "--dump", &sample().path], arguments].concat());
    let value = |field: &str, arguments: &[&str]| {
        let text = dt(&[&["_EPROCESS", &at, field], arguments].concat());
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let pid = format!("+0x440 UniqueProcessId : 0x00000000`{:08x} Void", process.pid);
    assert_eq!(value("UniqueProcessId", &[]), [pid.as_str()]);
    assert_eq!(value("ImageFileName", &[]), ["+0x5a8 ImageFileName : [15] \"lsass.exe\""]);
    let level = process.protection.as_ref().unwrap().level;
    let protection = value("Protection", &["-r"]);
    assert_eq!(protection[0], "+0x87a Protection : _PS_PROTECTION");
    assert!(protection.contains(&format!("+0x000 Signer : 0y{:04b}", level >> 4)), "{protection:?}");
    // In the process's own memory.
    let peb = format!("{:#x}", process.peb.unwrap());
    let text = dt(&["_PEB", &peb, "ProcessParameters", "--pid", &process.pid.to_string()]);
    assert!(text.contains("ProcessParameters : 0x"), "{text}");
    let text = dt(&["_PEB", "0x10", "Ldr"]);
    assert!(text.contains("??? ("), "{text}");
    // Text from a dump does nothing to the terminal.
    for name in crate::support::HOSTILE_NAMES {
        let text = dt(&["_EPROCESS", &format!("{:#x}", sample().process(name).eprocess), "ImageFileName"]);
        assert_eq!(text.lines().count(), 1);
        assert!(!text.trim_end().contains(char::is_control), "{text:?}");
    }
}

#[test]
fn dt_takes_its_kernel_from_a_build_a_dump_or_a_file() {
    let of = |arguments: &[&str]| answer(&[&["dt", "_ETHREAD"], arguments].concat());
    let sorted = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let build = sorted(of(&["--build", "19041.1288"]));
    assert_eq!(sorted(of(&["--dump", &sample().path])), build);
    assert_eq!(sorted(of(&["--symbols", own()])), build);
    assert_eq!(sorted(of(&["--dump", &sample().path, "--symbols", own()])), build);
    for arguments in [&["dt", "_ETHREAD"][..], &["dt", "_ETHREAD", "0x1000", "--build", "19041"]] {
        assert_eq!(ntlens(arguments).status, 2, "{arguments:?}");
    }
}

#[test]
fn dt_tells_what_an_update_changed() {
    let of = |name: &str, arguments: &[&str]| answer(&[&["dt", name, "--build", "18362.592"], arguments].concat());
    let text = of("_EPROCESS", &["Protection", "--against", "19041.1288"]);
    assert_eq!(text, "~  +0x87a Protection       : _PS_PROTECTION  (was at +0x6fa)\n");
    let text = of("_EPROCESS", &["--against", "19041.1288"]);
    assert!(
        text.starts_with("size 0xa40  (was 0x880)\n") && text.lines().any(|line| line.starts_with("+  ")),
        "{text}"
    );
    let run = ntlens(&["dt", "_LIST_ENTRY", "--build", "18362", "--against", "19041"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""));
    assert!(run.stderr.starts_with("note: the same in "), "{}", run.stderr);
}
