//! Structures of the kernel that are broken, or made to deceive.

use super::*;

/// Values that a link should not have.
fn wrong_links(own: u64, other: u64) -> [u64; 5] {
    [0, own, other, SMALL.truth().kernel.base + 0x100, 0x4141_4141_4141_4141]
}

#[test]
fn one_broken_link_loses_no_process() {
    let links = offset(&SMALL, "_EPROCESS", "ActiveProcessLinks");
    let mut members: Vec<u64> = SMALL.truth().processes.iter().map(|process| process.eprocess + links).collect();
    members.push(symbol(&SMALL, "PsActiveProcessHead"));
    for (index, member) in members.iter().enumerate() {
        for side in [0, 8] {
            let right = read_u64(&SMALL, member + side);
            for wrong in wrong_links(*member, members[(index + 3) % members.len()]) {
                if wrong == right {
                    continue;
                }
                let place = format!("link {} + {side} is {wrong:#x}", member - links);
                let opened = survives(&place, Patched::of(&FULL).set(at(member + side), &wrong.to_le_bytes()));
                let opened = opened.unwrap();
                assert_eq!(eprocesses(&opened), all_eprocesses(), "{place}");
                assert_ne!(complaints(&opened, "processes"), "", "{place}");
                for row in rows(&opened, "processes") {
                    assert!(row["sources"].as_array().unwrap().contains(&"active-list".into()), "{place}: {row}");
                }
            }
        }
    }
}

#[test]
fn one_broken_link_loses_no_module() {
    let mut members: Vec<u64> = SMALL.truth().modules.iter().map(|module| module.entry).collect();
    members.push(symbol(&SMALL, "PsLoadedModuleList"));
    let expected: Vec<Json> = SMALL.truth().modules.iter().map(|module| module.name.as_str().into()).collect();
    for (index, member) in members.iter().enumerate() {
        for side in [0, 8] {
            let right = read_u64(&SMALL, member + side);
            for wrong in wrong_links(*member, members[(index + 3) % members.len()]) {
                if wrong == right {
                    continue;
                }
                let place = format!("link {member:#x} + {side} is {wrong:#x}");
                let opened = survives(&place, Patched::of(&FULL).set(at(member + side), &wrong.to_le_bytes()));
                let opened = opened.unwrap();
                let names: Vec<Json> = rows(&opened, "modules").iter().map(|row| row["name"].clone()).collect();
                assert_eq!(names, expected, "{place}");
                assert_ne!(complaints(&opened, "modules"), "", "{place}");
            }
        }
    }
}

#[test]
fn loops_in_page_tables_end() {
    let root = SMALL.truth().kernel.system_dtb;
    let back = (root | 0x63).to_le_bytes();
    let space = SMALL.space(4).unwrap();
    // Each table on the way to a process leads back to the root.
    let mut table = root;
    let process = SMALL.truth().processes[1].eprocess;
    for shift in [39, 30, 21, 12] {
        let entry = table + (process >> shift & 0x1ff) * 8;
        table = SMALL.memory().read_u64(entry) & 0x000f_ffff_ffff_f000;
        survives(&format!("table {shift}"), Patched::of(&FULL).set(of_physical(entry), &back)).unwrap();
    }
    // Every entry of the root is the root, and every page is a root.
    let all = back.repeat(0x200);
    survives("root", Patched::of(&FULL).set(of_physical(root), &all)).unwrap();
    let kernel = Patched::of(&FULL).set(of_physical(root) + 0x800, &all[..0x800]);
    survives("upper half", kernel).unwrap();
    // A process whose page tables are no page tables.
    let dtb = offset(&SMALL, "_EPROCESS", "Pcb.DirectoryTableBase");
    assert!(space.translate(SMALL.memory(), process).is_some());
    for wrong in [0, 1 << 40, root, u64::MAX, 0x3000] {
        let opened = survives("dtb", Patched::of(&FULL).set(at(process + dtb), &u64::to_le_bytes(wrong))).unwrap();
        assert_eq!(eprocesses(&opened), all_eprocesses(), "{wrong:#x}");
    }
}

#[test]
fn a_broken_table_of_ids_costs_nothing_but_its_own_answer() {
    let table = SMALL.truth().cid_table.va;
    let code = table + offset(&SMALL, "_HANDLE_TABLE", "TableCode");
    let end = table + offset(&SMALL, "_HANDLE_TABLE", "NextHandleNeedingPool");
    let top = read_u64(&SMALL, code) & !7;
    let own = top.to_le_bytes().repeat(0x200);
    for (place, source) in [
        ("no table", Patched::of(&FULL).set(at(code), &[0; 8])),
        ("seven levels", Patched::of(&FULL).set(at(code), &(top | 7).to_le_bytes())),
        ("two levels", Patched::of(&FULL).set(at(code), &(top | 2).to_le_bytes())),
        ("garbage", Patched::of(&FULL).set(at(code), &0xffff_8000_dead_0001_u64.to_le_bytes())),
        ("user memory", Patched::of(&FULL).set(at(code), &0x1_0001_u64.to_le_bytes())),
        ("a page of itself", Patched::of(&FULL).set(at(code), &(top | 2).to_le_bytes()).set(at(top), &own)),
        ("no end", Patched::of(&FULL).set(at(end), &[0xff; 4])),
        (
            "a page of itself without end",
            Patched::of(&FULL).set(at(code), &(top | 2).to_le_bytes()).set(at(top), &own).set(at(end), &[0xff; 4]),
        ),
        ("no variable", Patched::of(&FULL).set(at(symbol(&SMALL, "PspCidTable")), &[0; 8])),
    ] {
        let opened = survives(place, source).unwrap();
        assert_eq!(eprocesses(&opened), all_eprocesses(), "{place}");
        if place != "no end" {
            assert_ne!(complaints(&opened, "processes"), "", "{place}");
        }
    }
}

#[test]
fn a_token_may_hold_anything() {
    let process = &SMALL.truth().processes[1];
    let token = process.token.va;
    let field = |name: &str| token + offset(&SMALL, "_TOKEN", name);
    let groups = read_u64(&SMALL, field("UserAndGroups"));
    let user = read_u64(&SMALL, groups);
    let row_of = |opened: &OpenDump, table: &str| {
        let (column, address) = if table == "tokens" { ("token", token) } else { ("eprocess", process.eprocess) };
        rows(opened, table).into_iter().find(|row| row[column] == common::address(address))
    };
    for (place, column, patched) in [
        ("no list", "user_sid", Patched::of(&FULL).set(at(field("UserAndGroups")), &[0; 8])),
        ("a list of 2^32 - 1", "user_sid", Patched::of(&FULL).set(at(field("UserAndGroupCount")), &[0xff; 4])),
        ("an empty list", "user_sid", Patched::of(&FULL).set(at(field("UserAndGroupCount")), &[0; 4])),
        ("another revision", "user_sid", Patched::of(&FULL).set(at(user), &[0xff])),
        ("16 sub-authorities", "user_sid", Patched::of(&FULL).set(at(user + 1), &[16])),
        ("a user of user memory", "user_sid", Patched::of(&FULL).set(at(groups), &0x1000_u64.to_le_bytes())),
        ("a label that is none", "integrity_rid", Patched::of(&FULL).set(at(field("IntegrityLevelIndex")), &[0; 4])),
    ] {
        let opened = survives(place, patched).unwrap();
        for table in ["processes", "tokens"] {
            let row = row_of(&opened, table).unwrap();
            assert_eq!((&row[column], &row["absent"][column]), (&Json::Null, &"malformed".into()), "{place}");
            assert_eq!(row["logon_id"], process.token.auth_id, "{place}");
        }
    }
    // Where the list does not lead to the label, the token's own pointer to it does.
    let far = Patched::of(&FULL).set(at(field("IntegrityLevelIndex")), &[0xee, 0, 0, 0]);
    let row = row_of(&survives("a far label", far).unwrap(), "processes").unwrap();
    assert_eq!(row["integrity_rid"], process.token.integrity_rid);
    // A token without a label, which is no fault.
    let none = Patched::of(&FULL).set(at(field("IntegrityLevelIndex")), &[0xff; 4]);
    let row = row_of(&survives("no label", none).unwrap(), "processes").unwrap();
    assert_eq!((&row["integrity"], &row["absent"]["integrity"]), (&Json::Null, &Json::Null));
    // Where its process points does not have to be a token.
    let own = at(process.eprocess + offset(&SMALL, "_EPROCESS", "Token"));
    for wrong in [1, SMALL.truth().kernel.base, u64::MAX, 0xffff_8000_dead_0000, 0x4141_4141_4141_4141] {
        let opened = survives("a wrong token", Patched::of(&FULL).set(own, &u64::to_le_bytes(wrong))).unwrap();
        assert_eq!(row_of(&opened, "processes").unwrap()["pid"], process.pid, "{wrong:#x}");
    }
}

#[test]
fn one_broken_link_loses_no_thread() {
    let links = offset(&SMALL, "_ETHREAD", "ThreadListEntry");
    let process = SMALL.truth().processes.iter().max_by_key(|process| process.threads.len()).unwrap();
    let mut members: Vec<u64> = process.threads.iter().map(|thread| thread.va + links).collect();
    assert!(members.len() > 2);
    members.push(process.eprocess + offset(&SMALL, "_EPROCESS", "ThreadListHead"));
    let threads = |opened: &OpenDump| {
        let rows = rows(opened, "threads").into_iter().map(|row| row["ethread"].as_str().unwrap().to_owned());
        rows.collect::<BTreeSet<String>>()
    };
    let all: BTreeSet<String> = SMALL
        .truth()
        .processes
        .iter()
        .filter(|process| process.in_active_list)
        .flat_map(|process| &process.threads)
        .map(|thread| address(thread.va).as_str().unwrap().to_owned())
        .collect();
    for (index, member) in members.iter().enumerate() {
        for side in [0, 8] {
            let right = read_u64(&SMALL, member + side);
            for wrong in wrong_links(*member, members[(index + 2) % members.len()]) {
                if wrong != right {
                    let place = format!("link {member:#x} + {side} is {wrong:#x}");
                    let broken = Patched::of(&FULL).set(at(member + side), &wrong.to_le_bytes());
                    let opened = survives(&place, broken).unwrap();
                    assert_eq!(threads(&opened), all, "{place}");
                    assert_ne!(complaints(&opened, "threads"), "", "{place}");
                }
            }
        }
    }
}

#[test]
fn strings_of_wrong_lengths_spoil_nothing_else() {
    let truth = &SMALL.truth().processes[2];
    let name = offset(&SMALL, "_EPROCESS", "SeAuditProcessCreationInfo.ImageFileName");
    let text = read_u64(&SMALL, truth.eprocess + name);
    let module = &SMALL.truth().modules[2];
    let driver = module.entry + offset(&SMALL, "_KLDR_DATA_TABLE_ENTRY", "BaseDllName");
    for length in [1_u16, 3, 0x7fff, 0xffff, 0xfffe] {
        let source = Patched::of(&FULL).set(at(text), &length.to_le_bytes()).set(at(driver), &length.to_le_bytes());
        let opened = survives(&format!("length {length}"), source).unwrap();
        let row = rows(&opened, "processes").into_iter().find(|row| row["pid"] == truth.pid).unwrap();
        assert_eq!(row["name"], truth.image_name, "{length}");
        assert_eq!(row["command_line"], truth.command_line.as_deref().unwrap(), "{length}");
        if length % 2 == 1 {
            assert_eq!(row["absent"]["image_path"], "malformed", "{length}");
        } else if let Some(path) = row["image_path"].as_str() {
            // What follows in memory belongs to it, if it is there: never more than the length says.
            assert!(path.starts_with(truth.image_path.as_deref().unwrap()), "{length}");
            assert!(path.encode_utf16().count() <= usize::from(length) / 2);
        } else {
            assert!(row["absent"]["image_path"].is_string(), "{length}");
        }
        let row = &rows(&opened, "modules")[2];
        assert_eq!((&row["path"], &row["base"]), (&module.path.as_str().into(), &address(module.base)));
        assert!(row["name"].as_str() != Some(&module.name), "{length}");
    }
    for pointer in [0, 1, 0xffff_8000_dead_0000, u64::MAX] {
        let opened = survives("pointer", Patched::of(&FULL).set(at(text + 8), &u64::to_le_bytes(pointer))).unwrap();
        let row = rows(&opened, "processes").into_iter().find(|row| row["pid"] == truth.pid).unwrap();
        assert_eq!((&row["image_path"], row["name"].as_str()), (&Json::Null, Some(truth.image_name.as_str())));
    }
}

#[test]
fn names_made_to_deceive_are_kept_in_json_and_shown_harmless_elsewhere() {
    const NAMES: [&str; 8] = [
        "\u{1b}[31mred\u{1b}[0m",
        "a\r\nb.exe",
        "\u{202e}gpj.exe",
        "=cmd|'/C c'!A",
        "+1\tx",
        "@SUM(1)",
        "\u{7}\u{8}\u{9b}2J",
        "a,\"b\";c",
    ];
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    let pids: Vec<u64> = NAMES
        .iter()
        .map(|name| machine.process(ProcessSpec::named(*name).image_path(*name).command_line(*name)))
        .collect();
    let (bytes, truth) = dump(&machine.build(), Kind::Full);
    let opened = kit::open("names", bytes);
    let rows = rows(&opened, "processes");
    for (pid, name) in pids.iter().zip(NAMES) {
        let row = rows.iter().find(|row| row["pid"] == *pid).unwrap();
        // That name is bytes in no known encoding: only ASCII can be told.
        if name.is_ascii() {
            assert_eq!(row["name"], truth.process(*pid).unwrap().image_name);
        }
        assert_eq!(row["image_path"], name);
        assert_eq!(row["command_line"], name);
    }
    let answer = question("processes").unwrap().ask(&opened, Wanted::All).unwrap();
    for format in [Format::Table, Format::Csv, Format::Jsonl] {
        let mut out = Vec::new();
        render::write(&mut out, format, Some(&opened), &answer, Terminal::default()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let steering = |char: char| char.is_control() && char != '\n' || ('\u{202a}'..='\u{202e}').contains(&char);
        let headings = usize::from(format != Format::Jsonl);
        assert_eq!(text.lines().count(), rows.len() + headings, "{text}");
        if format != Format::Jsonl {
            assert!(!text.contains(steering), "{format:?}: {text}");
        }
        if format == Format::Csv {
            let mut reader = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
            // Only the last of the names has a comma in it, and it stands behind the others.
            let cells: Vec<String> = reader.by_ref().flatten().map(|cell| cell.trim_matches('"').to_owned()).collect();
            assert!(!cells.iter().any(|cell| cell.starts_with(['=', '+', '-', '@'])), "{text}");
        }
    }
}

#[test]
fn a_small_dump_whose_copies_contradict_each_other_is_refused() {
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let cid = usize::try_from(offset(&SMALL, "_ETHREAD", "Cid.UniqueProcess")).unwrap();
    let mut bytes = TRIAGE.to_vec();
    // TRIAGE_DUMP64.ThreadOffset
    let copy = usize::try_from(word(&bytes, 0x2024)).unwrap() + cid;
    bytes[copy] ^= 0x40;
    let open = |bytes: &[u8]| ntlens::open_bytes("triage", bytes.to_vec()).unwrap();
    // One contradiction can be the dump's own.
    assert!(open(&bytes).kernel().is_ok());
    bytes[0x11] ^= 0x10;
    let error = open(&bytes).kernel().unwrap_err();
    assert!(matches!(error, CoreError::NoLayout { .. }), "{error}");
    assert!(error.to_string().contains("not that of the thread"), "{error}");
}
