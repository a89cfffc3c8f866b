//! `read` and `translate`, against the memory that the machine was given.

use crate::support::{answer, document, ntlens, sample};
use serde_json::{Value as Json, json};

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

fn address(value: u64) -> String {
    format!("{value:#018x}")
}

/// The rows of `read`: address, bytes, and why they are missing.
fn read(arguments: &[&str]) -> Vec<(String, Json, Json)> {
    let document = document(&[&["read", sample().path.as_str()], arguments].concat());
    let row = |row: &Json| (row["address"].as_str().unwrap().into(), row["bytes"].clone(), row["absent"].clone());
    document["rows"].as_array().unwrap().iter().map(row).collect()
}

/// The one row of `translate`.
fn translate(arguments: &[&str]) -> Json {
    document(&[&["translate", sample().path.as_str()], arguments].concat())["rows"][0].clone()
}

#[test]
fn kernel_memory_is_read_by_virtual_and_physical_address() {
    let image = &sample().image;
    let base = image.truth().kernel.base;
    let expected = image.read(base + 8, 40).unwrap();
    let at = |offset: u64, bytes: &[u8]| (address(offset), Json::from(hex(bytes)), json!({}));
    // Rows end where an address ends in zero, as in a debugger.
    let rows = |start: u64| {
        vec![at(start, &expected[..8]), at(start + 8, &expected[8..24]), at(start + 24, &expected[24..40])]
    };
    assert_eq!(read(&[&address(base + 8), "40"]), rows(base + 8));
    assert_eq!(read(&[&format!("{:x}", base + 8), "0x28"]), rows(base + 8), "without 0x, length in hex");
    let physical = image.space(4).unwrap().translate(image.memory(), base + 8).unwrap().physical;
    assert_eq!(read(&[&address(physical), "40", "--physical"]), rows(physical));
    assert_eq!(read(&[&address(base), "0"]), vec![]);
}

#[test]
fn a_process_is_read_by_its_own_page_tables() {
    let image = &sample().image;
    let process = sample().process("lsass.exe");
    let (pid, peb) = (process.pid.to_string(), process.peb.unwrap());
    let expected = image.read_in(image.space(process.pid).unwrap(), peb + 0x20, 16).unwrap();
    let rows = read(&[&address(peb + 0x20), "16", "--pid", &pid]);
    assert_eq!(rows, vec![(address(peb + 0x20), hex(&expected).into(), json!({}))]);

    let run = ntlens(&["read", &sample().path, &address(peb), "16", "--pid", "3"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""), "no process has an odd id");
    assert!(run.stderr.starts_with("error: ") && run.stderr.contains("process"), "{}", run.stderr);
}

#[test]
fn a_missing_page_is_one_row_that_says_why() {
    let image = &sample().image;
    let process = sample().process("idle_viewer.exe");
    let pid = process.pid.to_string();
    let peb = process.peb.unwrap();
    let space = image.space(process.pid).unwrap();
    // The page of the environment block is in the page file; its neighbour is either.
    let rows = read(&[&address(peb), "16", "--pid", &pid]);
    let why = json!({"bytes": "paged-out", "text": "paged-out"});
    assert_eq!(rows, vec![(address(peb), Json::Null, why.clone())]);

    let before = image.read_in(space, peb - 16, 16);
    let rows = read(&[&address(peb - 16), "32", "--pid", &pid]);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].1, before.map_or(Json::Null, |bytes| hex(&bytes).into()));
    assert_eq!(rows[1], (address(peb), Json::Null, why));

    // From a page that is there into one that is not.
    let kernel = image.space(4).unwrap();
    let mapped = |at: u64| kernel.translate(image.memory(), at).is_some();
    let base = image.truth().kernel.base;
    let end = (1..0x10_0000).map(|page| base + page * 0x1000).find(|at| !mapped(*at)).unwrap();
    let rows = read(&[&address(end - 16), "0x20"]);
    assert_eq!(rows[0].1, hex(&image.read(end - 16, 16).unwrap()));
    assert_eq!((&rows[1].0, &rows[1].1), (&address(end), &Json::Null));
    assert_eq!(rows[1].2["bytes"], "not-present");
    let run = ntlens(&["read", &sample().path, &address(end - 16), "0x20"]);
    assert_eq!(run.status, 0);
    assert!(run.stderr.starts_with("warning: the answer is incomplete, 1 missing"), "{}", run.stderr);
    assert_eq!(ntlens(&["read", &sample().path, &address(end), "1", "--strict"]).status, 3);
}

#[test]
fn translations_are_those_of_the_machine() {
    let translations = &sample().image.truth().translations;
    let system = sample().process("System").dtb;
    let mut checked = 0;
    for known in translations.iter().filter(|known| known.dtb == system) {
        let row = translate(&[&address(known.va)]);
        assert_eq!(row["address"], address(known.va));
        match known.pa {
            Some(physical) => {
                assert_eq!(row["physical"], address(physical), "{known:?}");
                assert_eq!(row["page_size"], known.page_size, "{known:?}");
                let residence = if known.state == "present" { "mapped" } else { known.state };
                assert_eq!(row["residence"], residence, "{known:?}");
            }
            None => assert!(row["physical"].is_null() && row["absent"]["physical"].is_string(), "{known:?}: {row}"),
        }
        checked += 1;
    }
    assert!(checked > 3, "{checked} of {} translations", translations.len());
}

#[test]
fn translations_of_a_process_go_by_its_tables() {
    let pid = |name: &str| sample().process(name).pid.to_string();
    let peb = |name: &str| address(sample().process(name).peb.unwrap());
    let row = translate(&[&peb("idle_viewer.exe"), "--pid", &pid("idle_viewer.exe")]);
    assert_eq!(row["root"], address(sample().process("idle_viewer.exe").dtb & 0x000f_ffff_ffff_f000));
    assert_eq!(row["physical"], Json::Null);
    assert_eq!(row["absent"]["physical"], "paged-out");
    let row = translate(&[&peb("tab_keeper.exe"), "--pid", &pid("tab_keeper.exe")]);
    assert_eq!(row["residence"], "transition");

    // The byte is where `file_offset` says.
    let row = translate(&[&address(sample().image.truth().kernel.base)]);
    let offset = u64::from_str_radix(row["file_offset"].as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap();
    let file = std::fs::read(&sample().path).unwrap();
    assert_eq!(file[usize::try_from(offset).unwrap()..][..2], *b"MZ");
    let text = answer(&["translate", &sample().path, "0x8000000000000000"]);
    assert!(text.contains("Physical"), "{text}");
    assert_eq!(translate(&["0x8000000000000000"])["absent"]["physical"], "non-canonical");
}
