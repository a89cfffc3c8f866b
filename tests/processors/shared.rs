//! What the shared folder tells: truth files, facts of real dumps, and volatility3 on its dumps.

use crate::common::{Tally, address, document, dump_file, dumps, files, hex, json, rows, shared, told};
use crate::{peer, remarks};
use ntlens::nt::snapshot::Options;
use ntlens::symbols::SymbolPath;
use ntlens::{OpenDump, Symbols};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;

struct Sample {
    name: String,
    dump: OpenDump,
    truth: Json,
    /// Whether all symbols of exactly this kernel are at hand.
    symbols: bool,
}

/// The dumps of the shared folder, with the symbols that lie there.
fn samples() -> Vec<Sample> {
    let Some(shared) = shared() else { return Vec::new() };
    dumps().iter().map(|path| sample(&shared, path)).collect()
}

fn sample(shared: &Path, path: &Path) -> Sample {
    let (name, truth) = told(path);
    let id = format!("{}-{}", truth["isf"]["guid"].as_str().unwrap(), truth["isf"]["age"]);
    let isf = shared.join(format!("isf/{id}.json.xz"));
    let symbols = isf.exists();
    let given = Symbols::embedded().unwrap();
    let given = if symbols { given.with_path(only(&isf)) } else { given };
    let dump = ntlens::open_with(dump_file(path), &given, Options::default()).unwrap();
    Sample { name, dump, truth, symbols }
}

/// A symbol path of one file.
fn only(file: &Path) -> SymbolPath {
    let mut path = SymbolPath::new();
    path.push(file).unwrap();
    path
}

fn at(value: &Json) -> Json {
    hex(value).map_or(Json::Null, address)
}

fn number(value: &Json) -> Json {
    hex(value).map_or(Json::Null, Json::from)
}

/// The features of the contract among the bits that a truth file names.
fn features(cr4_bits: &Json) -> Json {
    let bits = cr4_bits.as_array().unwrap();
    ["SMEP", "SMAP", "UMIP", "CET", "PKE", "PCIDE", "FSGSBASE", "LA57"]
        .into_iter()
        .filter(|name| bits.contains(&json!(name)))
        .collect()
}

#[test]
fn registers() {
    let mut tally = Tally::default();
    for Sample { name, dump, truth, symbols } in samples() {
        let found = rows(&dump, "cpus");
        let cpus = truth["cpus"].as_array().unwrap();
        tally.check("row_count", &name, &found.len().into(), &cpus.len().into());
        for (row, cpu) in found.iter().zip(cpus) {
            let place = format!("{name} processor {}", cpu["number"]);
            let saved = &cpu["special_registers"];
            for (column, expected) in [
                ("number", cpu["number"].clone()),
                ("pcr", at(&cpu["pcr"])),
                ("prcb", at(&cpu["prcb"])),
                ("current_thread", at(&cpu["current_thread"])),
                ("idle_thread", at(&cpu["idle_thread"])),
                ("cr0", at(&saved["Cr0"])),
                ("cr2", at(&saved["Cr2"])),
                ("cr3", at(&saved["Cr3"])),
                ("cr4", at(&saved["Cr4"])),
                ("cr8", at(&saved["Cr8"])),
                ("dr0", at(&saved["KernelDr0"])),
                ("dr6", at(&saved["KernelDr6"])),
                ("dr7", at(&saved["KernelDr7"])),
                ("lstar", at(&saved["MsrLStar"])),
                ("cstar", at(&saved["MsrCStar"])),
                ("star", at(&saved["MsrStar"])),
                ("sfmask", at(&saved["MsrSyscallMask"])),
                ("gs_base", at(&saved["MsrGsBase"])),
                ("gs_swap", at(&saved["MsrGsSwap"])),
                ("gdt_base", at(&saved["Gdtr"]["base"])),
                ("gdt_limit", saved["Gdtr"]["limit"].clone()),
                ("idt_base", at(&saved["Idtr"]["base"])),
                ("idt_limit", saved["Idtr"]["limit"].clone()),
                ("tr", number(&saved["Tr"])),
                ("features", features(&cpu["cr4_bits"])),
                ("tss", at(&cpu["tss"]["base"])),
                ("rsp0", at(&cpu["tss"]["rsp0"])),
                ("lstar_module", "ntoskrnl.exe".into()),
            ] {
                tally.check(column, &place, &row[column], &expected);
            }
            tally.check_absent("efer", &place, row, &["no-such-field"]);
            for (column, field) in [("xcr0", "Xcr0"), ("fs_base", "MsrFsBase")] {
                match saved.get(field) {
                    Some(value) => tally.check(column, &place, &row[column], &at(value)),
                    None => tally.check_absent(column, &place, row, &["no-such-field"]),
                }
            }
            let stacks = cpu["tss"]["ist"].as_array().unwrap();
            let stacks: Json = stacks.iter().map(at).chain((stacks.len()..7).map(|_| address(0))).collect();
            tally.check("ist", &place, &row["ist"], &stacks);
            // The revision that no table has: what its symbols would tell is told by the processes, or not at all.
            if dump.kernel().unwrap().selected().origin.name() == "exact" {
                tally.check("kva_shadow", &place, &row["kva_shadow"], &cpu["kva_shadow"]);
                tally.check("kva_shadow_evidence", &place, &row["kva_shadow_evidence"], &"MsrLStar".into());
            } else {
                tally.check_absent("kva_shadow", &place, row, &["symbols-needed"]);
            }
            if symbols {
                tally.check("lstar_symbol", &place, &row["lstar_symbol"], &cpu["msr_lstar_symbol"]);
                tally.check("cstar_symbol", &place, &row["cstar_symbol"], &cpu["msr_cstar_symbol"]);
            }
        }
    }
    tally.finish_shared("registers of processors");
}

#[test]
fn interrupt_tables() {
    let mut tally = Tally::default();
    for Sample { name, dump, truth, symbols } in samples() {
        let document = document(&dump, "idt");
        let found: BTreeMap<(u64, u64), &Json> = document["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| ((row["processor"].as_u64().unwrap(), row["vector"].as_u64().unwrap()), row))
            .collect();
        let mut expected_rows = 0;
        for cpu in truth["cpus"].as_array().unwrap() {
            for entry in cpu["idt"]["entries"].as_array().unwrap() {
                expected_rows += 1;
                let key = (cpu["number"].as_u64().unwrap(), entry["vector"].as_u64().unwrap());
                let place = format!("{name} processor {} vector {}", key.0, key.1);
                let row = found.get(&key).copied().unwrap_or(&Json::Null);
                let kind = if entry["type"] == 14 { "interrupt-gate" } else { "trap-gate" };
                for (column, expected) in [
                    ("address", at(&entry["handler"])),
                    ("module", entry["module"].clone()),
                    ("selector", entry["selector"].clone()),
                    ("ist", entry["ist"].clone()),
                    ("dpl", entry["dpl"].clone()),
                    ("type", kind.into()),
                    ("present", (entry["present"] == 1).into()),
                ] {
                    tally.check(column, &place, &row[column], &expected);
                }
                match entry["module"].as_str() {
                    Some("ntoskrnl.exe") if symbols => tally.check("symbol", &place, &row["symbol"], &entry["symbol"]),
                    // Only the kernel's symbols are known.
                    Some("ntoskrnl.exe") => {}
                    Some(_) => tally.check_absent("symbol", &place, row, &["symbols-needed"]),
                    None => tally.check("symbol", &place, &row["symbol"], &Json::Null),
                }
            }
        }
        tally.check("row_count", &name, &found.len().into(), &expected_rows.into());
        tally.check("incomplete", &name, &lasting(&document).into(), &0.into());
    }
    tally.finish_shared("interrupt tables");
}

/// What an answer complains of beyond what was wrong when the dump was opened, and its lists of modules.
fn lasting(document: &Json) -> usize {
    let mentions = |what: &str| what.contains("vectors") || what.contains("services") || what.contains("descriptor");
    let complaints = document["incomplete"].as_array().unwrap();
    complaints.iter().filter(|complaint| mentions(complaint["what"].as_str().unwrap())).count()
}

/// The names of bits of a descriptor, by the manual's table of descriptor types.
fn kind_of(raw: u64) -> &'static str {
    match raw >> 40 & 0x1f {
        0b11000..=0b11111 => "code",
        0b10000..=0b10111 => "data",
        11 => "tss-busy",
        9 => "tss-available",
        other => panic!("descriptor type {other}"),
    }
}

#[test]
fn descriptor_tables() {
    let mut tally = Tally::default();
    for Sample { name, dump, truth, .. } in samples() {
        let found = rows(&dump, "gdt");
        let mut expected_rows = 0;
        for cpu in truth["cpus"].as_array().unwrap() {
            let entries = cpu["gdt"]["entries"].as_array().unwrap();
            for entry in entries.iter().filter(|entry| !entry["name"].as_str().unwrap().ends_with("high half")) {
                expected_rows += 1;
                let place = format!("{name} processor {} selector {}", cpu["number"], entry["selector"]);
                let is_it = |row: &&Json| row["processor"] == cpu["number"] && row["selector"] == entry["selector"];
                let row = found.iter().find(is_it).unwrap_or(&Json::Null);
                let raw = hex(&entry["raw"]).unwrap();
                tally.check("raw", &place, &row["raw"], &raw.into());
                tally.check("name", &place, &row["name"], &entry["name"]);
                tally.check("kind", &place, &row["kind"], &kind_of(raw).into());
                tally.check("dpl", &place, &row["dpl"], &(raw >> 45 & 3).into());
                tally.check("present", &place, &row["present"], &(raw >> 47 & 1 == 1).into());
                if entry["selector"] == cpu["tss"]["selector"] {
                    tally.check("base", &place, &row["base"], &at(&cpu["tss"]["base"]));
                    tally.check("limit", &place, &row["limit"], &cpu["tss"]["limit"]);
                    tally.check("rsp0", &place, &row["rsp0"], &at(&cpu["tss"]["rsp0"]));
                } else {
                    tally.check("base", &place, &row["base"], &address(0));
                    tally.check("rsp0", &place, &row["rsp0"], &Json::Null);
                }
            }
        }
        tally.check("row_count", &name, &found.len().into(), &expected_rows.into());
    }
    tally.finish_shared("descriptor tables");
}

#[test]
fn services() {
    let mut tally = Tally::default();
    for Sample { name, dump, truth, symbols } in samples() {
        let document = document(&dump, "ssdt");
        let found: BTreeMap<u64, &Json> =
            document["rows"].as_array().unwrap().iter().map(|row| (row["index"].as_u64().unwrap(), row)).collect();
        tally.check("row_count", &name, &document["row_count"], &found.len().into());
        let ssdt = &truth["ssdt"];
        let (nt, win32k) = (ssdt["services"].as_array().unwrap(), ssdt["win32k"]["services"].as_array().unwrap());
        tally.check("row_count", &name, &found.len().into(), &(nt.len() + win32k.len()).into());
        for (table, service) in
            nt.iter().map(|service| ("nt", service)).chain(win32k.iter().map(|service| ("win32k", service)))
        {
            let index = service["index"].as_u64().unwrap();
            let place = format!("{name} service {index}");
            let row = found.get(&index).copied().unwrap_or(&Json::Null);
            let of_nt = table == "nt";
            let module = if of_nt { &service["module"] } else { &ssdt["win32k"]["module"] };
            let base = if of_nt { &ssdt["table"] } else { &ssdt["win32k"]["table"] };
            for (column, expected) in [
                ("table", table.into()),
                ("address", at(&service["va"])),
                ("module", module.clone()),
                ("stack_args", service["stack_args"].clone()),
                ("table_address", at(base)),
            ] {
                tally.check(column, &place, &row[column], &expected);
            }
            if of_nt && symbols && service["hooked"] == json!(false) {
                // Several names can be at one place. The truth leaves out the underscore that some names begin with.
                let found = row["symbol"].as_str().unwrap_or_default();
                let names: Vec<&str> =
                    service["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
                let is_known =
                    names.contains(&found) || found.strip_prefix('_').is_some_and(|rest| names.contains(&rest));
                tally.check("symbol", &place, &is_known.into(), &true.into());
                let own: Vec<&&str> = names.iter().filter(|name| name.starts_with("Nt")).collect();
                if own.len() == 1 {
                    tally.check("symbol", &place, &found.trim_start_matches('_').into(), &Json::from(*own[0]));
                }
            } else if !of_nt {
                tally.check_absent("symbol", &place, row, &["symbols-needed"]);
            }
        }
        tally.check("incomplete", &name, &lasting(&document).into(), &0.into());
    }
    tally.finish_shared("system services");
}

/// What the truth calls a hook is told, and nothing else.
#[test]
fn hooks_are_told_and_nothing_else_is() {
    let mut hooked = 0;
    for Sample { name, dump, truth, .. } in samples() {
        let hooks = truth["hooks"].as_array().unwrap();
        let of_kind = |kind: &str| hooks.iter().filter(|hook| hook["kind"] == kind).collect::<Vec<_>>();
        let vectors = of_kind("idt_entry_outside_modules");
        let expected: Vec<String> = vectors
            .iter()
            .map(|hook| {
                let at = at(&hook["target"]);
                let (number, vector) = (&hook["processor"], &hook["vector"]);
                format!("processor {number}: 1 handler lies in no module: vector {vector} ({})", at.as_str().unwrap())
            })
            .collect();
        assert_eq!(remarks(&dump, "idt"), expected, "{name}");
        let slots = of_kind("ssdt_slot_outside_modules");
        let expected: Vec<String> = slots
            .iter()
            .map(|hook| {
                let at = at(&hook["target"]);
                let at = at.as_str().unwrap();
                format!("1 service of nt leads out of its module: {} ({at} in no module)", hook["index"])
            })
            .collect();
        assert_eq!(remarks(&dump, "ssdt"), expected, "{name}");
        assert_eq!(remarks(&dump, "gdt"), Vec::<String>::new(), "{name}");
        assert_eq!(remarks(&dump, "cpus"), Vec::<String>::new(), "{name}");
        hooked += vectors.len() + slots.len();
    }
    assert!(shared().is_none() || hooked == 2, "{hooked} hooks");
}

/// A revision of which nobody has symbols: the tables prove themselves.
#[test]
fn services_are_found_without_symbols() {
    let Some(shared) = shared() else { return };
    let mut tally = Tally::default();
    for Sample { name, dump, truth, .. } in [sample(&shared, &shared.join("dumps/e8-22000.2295-active.dmp.xz"))] {
        assert_eq!(dump.kernel().unwrap().selected().origin.name(), "build", "{name}");
        let found = rows(&dump, "ssdt");
        let services = truth["ssdt"]["services"].as_array().unwrap();
        for (row, service) in found.iter().zip(services) {
            tally.check("address", &name, &row["address"], &at(&service["va"]));
            tally.check_absent("symbol", &name, row, &["symbols-needed"]);
        }
    }
    tally.finish("services without symbols");
}

/// The one processor that each real triage dump holds, as the facts beside it tell.
#[test]
fn processors_of_real_dumps() {
    let Some(shared) = shared() else { return };
    let mut tally = Tally::default();
    let mut dumps = 0;
    for packed in files(&shared.join("real"), ".dmp.xz") {
        let name = packed.file_name().unwrap().to_string_lossy().replace(".dmp.xz", "");
        let facts = json(&packed.with_file_name(format!("{name}.facts.json")));
        let Some(prcb) = facts.get("prcb") else { continue };
        dumps += 1;
        let dump = ntlens::open(dump_file(&packed)).unwrap();
        let row = &rows(&dump, "cpus")[0];
        for (column, expected) in [
            ("number", prcb["number"].clone()),
            ("current_thread", at(&prcb["current_thread"])),
            ("idle_thread", at(&prcb["idle_thread"])),
            ("cr0", at(&prcb["cr0"])),
            ("cr3", at(&prcb["cr3_in_special_registers"])),
            ("cr4", at(&prcb["cr4"])),
            ("mhz", prcb["mhz"].clone()),
            // Windows sets the task register to its seventh descriptor, and real kernels save no MSRs here.
            ("tr", 0x40.into()),
            ("idt_limit", 0xfff.into()),
        ] {
            tally.check(column, &name, &row[column], &expected);
        }
        for column in ["lstar", "star", "sfmask", "gs_base"] {
            tally.check_absent(column, &name, row, &["not-in-dump"]);
        }
        tally.check("remarks", &name, &remarks(&dump, "cpus").into(), &json!([]));
        tally.check("remarks", &name, &remarks(&dump, "idt").into(), &json!([]));
    }
    assert!(dumps >= 13, "{dumps} dumps");
    tally.finish("processors of real dumps");
}

/// volatility3 reads the kernel's own table only.
#[test]
fn volatility_finds_the_same_services() {
    let (Some(shared), Some(python)) = (shared(), peer::python()) else { return };
    let mut left_out = 0;
    let mut tally = Tally::default();
    for name in ["s1-18362-active", "s2-19041-full", "e3-9600-bitmap", "e7-18362-hooks"] {
        let Sample { dump, .. } = sample(&shared, &shared.join(format!("dumps/{name}.dmp.xz")));
        let theirs = peer::volatility(&python, &peer::given_symbols(&shared), dump.name().as_ref(), "windows.ssdt");
        let ours = rows(&dump, "ssdt");
        let ours: Vec<&Json> = ours.iter().filter(|row| row["table"] == "nt").collect();
        // It has a row for each name of a routine.
        let theirs: BTreeMap<u64, &Json> = theirs.iter().map(|row| (row["Index"].as_u64().unwrap(), row)).collect();
        for own in ours {
            let place = format!("{name} service {}", own["index"]);
            let row = theirs.get(&own["index"].as_u64().unwrap());
            let Some(module) = own["module"].as_str() else {
                // Known fault of the peer: it leaves out what leads to no module, the very thing that one looks for.
                assert!(row.is_none(), "{place} is in it by now: say so in the documents");
                left_out += 1;
                continue;
            };
            let row = row.copied().unwrap_or(&Json::Null);
            // It cuts addresses to the 48 bits that page tables translate, and names to what is before the dot.
            let at = hex(&own["address"]).map(|at| at & 0xffff_ffff_ffff);
            tally.check("address", &place, &at.into(), &row["Address"]);
            tally.check("module", &place, &module.split('.').next().into(), &row["Module"]);
        }
    }
    assert_eq!(left_out, 1, "the hooked service of e7");
    tally.finish("volatility3 ssdt");
}
