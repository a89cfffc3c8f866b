//! Who holds what across which border, and names that stand for two objects: the machines of the shared folder and those of
//! the testkit, of every build, against what is true of them. Both truths have the same form.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{Tally, address, hex, tallied};
use kit::{bare, dump, open};
use ntlens::OpenDump;
use ntlens::report::{Argument, Arguments, OneByOne, Wanted, question};
use ntlens_testkit::{HandleSpec, HandleTarget, Kind, ProcessSpec, TokenSpec};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// The rows of an answer that is narrowed, as JSON has them.
fn rows_of(dump: &OpenDump, table: &str, arguments: &Arguments) -> Vec<Json> {
    let answer = question(table).unwrap().ask_with(dump, arguments, Wanted::All, &OneByOne).unwrap();
    let mut bytes = Vec::new();
    let format = ntlens::render::Format::Json;
    ntlens::render::write(&mut bytes, format, Some(dump), &answer, ntlens::render::Terminal::default()).unwrap();
    serde_json::from_slice::<Json>(&bytes).unwrap()["rows"].as_array().unwrap().clone()
}

fn all() -> Arguments {
    Arguments::default().with("all", Argument::Flag)
}

fn of_border(border: &str) -> Arguments {
    all().with("border", Argument::Text(border.into()))
}

/// Rows by the handle that each is about.
type ByHandle = BTreeMap<(u64, u64), Json>;

fn by_handle(rows: Vec<Json>) -> ByHandle {
    let mut found = ByHandle::new();
    for row in rows {
        let key = (row["holder_pid"].as_u64().unwrap(), row["handle"].as_u64().unwrap());
        assert!(found.insert(key, row).is_none(), "a handle crosses one border twice");
    }
    found
}

fn array<'a>(truth: &'a Json, name: &str) -> &'a Vec<Json> {
    truth[name].as_array().unwrap()
}

/// The machines of the shared folder, then those of the testkit.
fn everywhere(what: &str, check: impl Fn(&mut Tally, &str, &OpenDump, &Json)) {
    tallied(what, &check);
    let mut tally = Tally::default();
    for build in BUILDS {
        let mut machine = bare(build).seed(u64::from(build));
        let image = machine.typical_crossings().build();
        let kind = Kind::BitmapKernel { live: build % 2 == 0 };
        let (bytes, truth) = dump(&image, kind);
        check(&mut tally, &format!("testkit {build}"), &open("testkit", bytes), &truth.to_json());
    }
    tally.finish(&format!("{what}, testkit"));
}

/// Processes of the truth whose handles can be read, by their ids. The testkit pages out no table of handles.
fn holders(truth: &Json) -> BTreeMap<u64, &Json> {
    let readable = |process: &&Json| {
        let table = &process["handle_table"];
        process["freed"] != json!(true)
            && !table.is_null()
            && matches!(table["state"].as_str(), None | Some("resident"))
    };
    let processes = array(truth, "processes").iter().filter(readable);
    processes.map(|process| (process["pid"].as_u64().unwrap(), process)).collect()
}

/// Holds the rows of a border against what the truth lists: all of it, and nothing else.
fn check_border(
    tally: &mut Tally,
    place: &str,
    mut found: ByHandle,
    truth: &Json,
    expected: &[Json],
    columns: impl Fn(&Json) -> Vec<(&'static str, Json)>,
) {
    let holders = holders(truth);
    for expected in expected {
        let key = (expected["pid"].as_u64().unwrap(), expected["handle"].as_u64().unwrap());
        let Some(holder) = holders.get(&key.0) else { continue };
        let place = format!("{place} pid {} handle {}", key.0, key.1);
        let row = found.remove(&key).unwrap_or(Json::Null);
        for (column, expected) in [
            ("object", address(hex(&expected["object"]).unwrap())),
            ("type", expected["type"].clone()),
            ("path", expected["path"].clone()),
            ("granted_access", hex(&expected["access"]).unwrap().into()),
            ("holder", holder["image_name"].clone()),
            ("holder_session_id", holder["session_id"].clone()),
            ("creator_flag", holder["cross_session_create"].clone()),
        ]
        .into_iter()
        .chain(columns(expected))
        {
            tally.check(column, &place, &row[column], &expected);
        }
    }
    for ((pid, handle), row) in found {
        tally.check("nothing else", &format!("{place} pid {pid} handle {handle}"), &row, &Json::Null);
    }
}

#[test]
fn sessions() {
    everywhere("crossings of sessions", |tally, name, dump, truth| {
        let found = by_handle(rows_of(dump, "crossings", &of_border("session")));
        check_border(tally, name, found, truth, array(truth, "cross_session"), |expected| {
            let relation = expected["class"].as_str().unwrap().replace('_', "-");
            vec![("relation", relation.into()), ("object_session_id", expected["namespace_session"].clone())]
        });
    });
}

#[test]
fn silos() {
    everywhere("crossings of containers", |tally, name, dump, truth| {
        let found = by_handle(rows_of(dump, "crossings", &of_border("silo")));
        let job = |silo: &Json| hex(silo).map_or(Json::Null, address);
        check_border(tally, name, found, truth, array(truth, "cross_silo"), |expected| {
            let relation = match (expected["direction"].as_str().unwrap(), expected["scope"].as_str().unwrap()) {
                ("silo_holds_host", "shared_root") => "silo-holds-host-root",
                ("silo_holds_host", _) => "silo-holds-host",
                ("silo_holds_silo", _) => "silo-holds-silo",
                _ => "host-holds-silo",
            };
            vec![
                ("relation", relation.into()),
                ("holder_silo", job(&expected["holder_silo"])),
                ("object_silo", job(&expected["home_silo"])),
            ]
        });
    });
}

/// Rights that the public headers give to who may change a process or a key, write to a section or set an event, with
/// `DELETE`, `WRITE_DAC` and `WRITE_OWNER`.
const WRITES: [(&str, u64); 4] = [("Event", 0xd_0002), ("Key", 0xd_0026), ("Process", 0xd_0bef), ("Section", 0xd_0012)];
const LEVELS: [(u64, &str); 5] =
    [(0x1000, "Low"), (0x2000, "Medium"), (0x2100, "MediumPlus"), (0x3000, "High"), (0x4000, "System")];

fn level(name: &Json) -> u64 {
    let name = name.as_str().unwrap();
    let (name, more) = name.split_once("+0x").unwrap_or((name, "0"));
    let known = LEVELS.iter().find(|(_, known)| *known == name).map_or(0, |(level, _)| *level);
    assert!(known > 0 || name == "Untrusted", "{name}");
    known + u64::from_str_radix(more, 16).unwrap()
}

#[test]
fn integrity() {
    everywhere("crossings of integrity", |tally, name, dump, truth| {
        let found = by_handle(rows_of(dump, "crossings", &of_border("integrity")));
        let holders = holders(truth);
        // Sections that are written to from below medium while somebody high holds them. The truth lists those with names
        // that programs give; those of `\KnownDlls` are among the handles that are gone through below.
        let planted: BTreeSet<(u64, u64)> = array(truth, "cross_integrity")
            .iter()
            .map(|row| (row["holder_pid"].as_u64().unwrap(), row["handle"].as_u64().unwrap()))
            .filter(|(pid, _)| holders.contains_key(pid))
            .collect();
        let is_such = |row: &Json| {
            let (holder, owner) = (level(&row["holder_integrity"]), level(&row["owner_integrity"]));
            let named = row["path"].as_str().and_then(base_name).is_some();
            row["type"] == "Section" && named && holder < 0x2000 && owner >= 0x3000
        };
        let such: BTreeSet<(u64, u64)> = found.iter().filter(|(_, row)| is_such(row)).map(|(key, _)| *key).collect();
        tally.check("cross_integrity", name, &json!(such), &json!(planted));
        // The same by the handles and the levels of the truth, for the two types whose rights stand above.
        let level_of = |process: &Json| {
            let known = process["token"]["state"] != "paged_out";
            process["token"]["integrity_rid"].as_u64().filter(|_| known)
        };
        let mut highest: BTreeMap<String, u64> = BTreeMap::new();
        for process in holders.values() {
            for handle in array(process, "handles") {
                let level = level_of(process).unwrap_or(0);
                let known = highest.entry(handle["object"].to_string()).or_default();
                *known = level.max(*known);
            }
        }
        for process in array(truth, "processes").iter().filter(|process| process["freed"] != json!(true)) {
            match level_of(process) {
                Some(level) => _ = highest.insert(process["eprocess"].to_string(), level),
                None => _ = highest.remove(&process["eprocess"].to_string()),
            }
        }
        for (pid, process) in &holders {
            for handle in array(process, "handles") {
                let Some((_, writes)) = WRITES.iter().find(|(kind, _)| handle["type"] == *kind) else { continue };
                let owner = highest.get(&handle["object"].to_string()).copied();
                let holder = level_of(process);
                let crosses = hex(&handle["access"]).unwrap() & writes != 0
                    && holder.zip(owner).is_some_and(|(holder, owner)| holder < owner);
                let key = (*pid, handle["handle"].as_u64().unwrap());
                let row = found.get(&key);
                let place = format!("{name} pid {pid} handle {} {}", key.1, handle["type"]);
                tally.check("crosses", &place, &row.is_some().into(), &crosses.into());
                if let Some(row) = row {
                    tally.check("holder_integrity", &place, &level(&row["holder_integrity"]).into(), &json!(holder));
                    tally.check("owner_integrity", &place, &level(&row["owner_integrity"]).into(), &json!(owner));
                }
            }
        }
    });
}

#[test]
fn shared_objects() {
    everywhere("objects without a name in several sessions", |tally, name, dump, truth| {
        let found = by_handle(rows_of(dump, "crossings", &of_border("shared")));
        let named: BTreeSet<String> =
            array(truth, "named_objects").iter().map(|row| row["object"].to_string()).collect();
        let mut sessions: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        let mut handles = Vec::new();
        for (pid, process) in holders(truth) {
            let Some(session) = process["session_id"].as_u64() else { continue };
            for handle in array(process, "handles") {
                let object = handle["object"].to_string();
                let by_file = handle["type"] == "Section" && !named.contains(&object);
                if handle["name"].is_null() || by_file {
                    sessions.entry(object.clone()).or_default().insert(session);
                    handles.push((object, (pid, handle["handle"].as_u64().unwrap())));
                }
            }
        }
        let several = handles.into_iter().filter(|(object, _)| sessions[object].len() > 1);
        let expected: BTreeSet<(u64, u64)> = several.map(|(_, key)| key).collect();
        let found: BTreeSet<(u64, u64)> = found.keys().copied().collect();
        tally.check("shared", name, &json!(found), &json!(expected));
    });
}

#[test]
fn the_active_list_and_one_process_narrow_the_answer() {
    everywhere("narrowed crossings", |tally, name, dump, truth| {
        let everything = rows_of(dump, "crossings", &all());
        let borders = ["session", "silo", "integrity", "shared"];
        let parts: Vec<Json> =
            borders.iter().flat_map(|border| rows_of(dump, "crossings", &of_border(border))).collect();
        tally.check("borders", name, &json!(everything), &json!(parts));
        let active: BTreeSet<u64> = array(truth, "processes")
            .iter()
            .filter(|process| process["in_active_list"] == json!(true))
            .map(|process| process["pid"].as_u64().unwrap())
            .collect();
        let is_active = |row: &&Json| active.contains(&row["holder_pid"].as_u64().unwrap());
        let expected: Vec<&Json> = everything.iter().filter(is_active).collect();
        tally.check("active", name, &json!(rows_of(dump, "crossings", &Arguments::default())), &json!(expected));
        let pid = everything[everything.len() / 2]["holder_pid"].as_u64().unwrap();
        let expected: Vec<&Json> = everything.iter().filter(|row| row["holder_pid"] == pid).collect();
        let of_pid = Arguments::default().with("pid", Argument::Number(pid));
        tally.check("pid", name, &json!(rows_of(dump, "crossings", &of_pid)), &json!(expected));
        let crossings = question("crossings").unwrap();
        for wrong in [("pid", Argument::Number(3)), ("border", Argument::Text("moon".into()))] {
            let arguments = Arguments::default().with(wrong.0, wrong.1);
            assert!(crossings.ask_with(dump, &arguments, Wanted::All, &OneByOne).is_err(), "{name} {}", wrong.0);
        }
    });
}

/// The path below the directory of named objects, for global objects and for those of a session or a container.
fn base_name(path: &str) -> Option<(&str, &str)> {
    path.split_once("\\BaseNamedObjects\\")
}

#[test]
fn collisions() {
    tallied("collisions", |tally, name, dump, truth| {
        let rows = rows_of(dump, "collisions", &Arguments::default());
        let squatted = |row: &&Json| row["border"] == "session" && row["other_silo"].is_null();
        let mut found: BTreeMap<&str, &Json> =
            rows.iter().filter(squatted).map(|row| (row["name"].as_str().unwrap(), row)).collect();
        for expected in array(truth, "squatting") {
            let leaf = expected["leaf"].as_str().unwrap();
            let place = format!("{name} {leaf}");
            let row = found.remove(leaf).unwrap_or(&Json::Null);
            for (side, known) in [("global", &expected["global_object"]), ("other", &expected["session_object"])] {
                let column = |what: &str| &row[format!("{side}_{what}")];
                tally.check("path", &place, column("path"), &known["path"]);
                tally.check("object", &place, column("object"), &address(hex(&known["object"]).unwrap()));
                tally.check("type", &place, column("type"), &expected["type"]);
                tally.check("integrity", &place, &level(column("integrity")).into(), &known["integrity_rid"]);
                let holder = json!(format!("{} {}", known["pid"], known["image_name"].as_str().unwrap()));
                tally.check("holders", &place, &column("holders")[0], &holder);
            }
            let levels = |side: &str| expected[side]["integrity_rid"].as_u64();
            let lower = levels("session_object") < levels("global_object");
            tally.check("lower", &place, &row["lower"], &lower.into());
        }
        for (leaf, row) in found {
            tally.check("nothing else", &format!("{name} {leaf}"), row, &Json::Null);
        }
        // Containers have services of their own, with the names that those of the host have.
        let named: BTreeMap<&str, &Json> =
            array(truth, "named_objects").iter().map(|row| (row["path"].as_str().unwrap(), row)).collect();
        let is_named = |row: &Json| row["type"] != "Directory" && row["type"] != "SymbolicLink";
        let of_silo = |path: &&str| {
            let Some((namespace, leaf)) = base_name(path) else { return false };
            let global = named.get(format!("\\BaseNamedObjects\\{leaf}").as_str());
            namespace.starts_with("\\Silos\\")
                && is_named(named[*path])
                && global.is_some_and(|global| is_named(global))
        };
        let expected: BTreeSet<&str> = named.keys().copied().filter(of_silo).collect();
        let found: BTreeSet<&str> =
            rows.iter().filter(|row| row["border"] == "silo").map(|row| row["other_path"].as_str().unwrap()).collect();
        tally.check("silo", name, &json!(found), &json!(expected));
    });
}

const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];

#[test]
fn made_up_borders_of_every_build() {
    let mut tally = Tally::default();
    let global = "\\BaseNamedObjects\\Vendor.Ready";
    let session = "\\Sessions\\1\\BaseNamedObjects\\Vendor.Ready";
    for build in BUILDS {
        let mut machine = bare(build);
        machine.named_object("Event", global).named_object("Mutant", session);
        let held = |path: &str, access| HandleSpec::new(HandleTarget::Named(path.into()), access);
        let shared = |number, access| HandleSpec::new(HandleTarget::Unnamed("Event", number), access);
        let user = |session: u32, integrity| TokenSpec::user(1000 + session, integrity);
        let service = ProcessSpec::named("service.exe").session(0).handle(held(global, 0x1f_0003));
        let service = machine.process(service.handle(held(session, 0x10_0000)).handle(shared(1, 0x10_0000)));
        let squatter = ProcessSpec::named("squatter.exe").session(1).token(user(1, 0x1000)).cross_session();
        let squatter = squatter.handle(held(session, 0x1f_0001)).handle(held(global, 0x10_0002));
        let squatter = squatter.handle(shared(1, 0x10_0002)).handle(shared(2, 0x1f_0003));
        let to_service = HandleSpec::new(HandleTarget::Process(service), 0x0040);
        let squatter = machine.process(squatter.handle(to_service).handle(shared(2, 0x10_0000)));
        let other = ProcessSpec::named("other.exe").session(2).token(user(2, 0x2000));
        let other = machine.process(other.handle(held(session, 0x10_0000)).handle(held(global, 0x10_0000)));
        let orphan = machine.process(ProcessSpec::named("orphan.exe").no_session().handle(held(session, 0x10_0000)));
        let image = machine.build();
        let place = format!("{build}");
        let dump = open(&place, dump(&image, Kind::BitmapKernel { live: false }).0);
        let found = rows_of(&dump, "crossings", &Arguments::default());
        let mut found: BTreeSet<String> = found
            .iter()
            .map(|row| {
                let levels = json!([row["holder_integrity"], row["owner_integrity"]]);
                let facts = json!([row["border"], row["relation"], row["holder_pid"], row["handle"]]);
                format!("{facts} {levels} {}", row["creator_flag"])
            })
            .collect();
        let (s, m) = ("System", "Medium");
        for (border, relation, pid, handle, levels, flag) in [
            ("session", "service-holds-session-object", service, 8, [json!(s), Json::Null], false),
            ("session", "session-holds-global", squatter, 8, [json!("Low"), Json::Null], true),
            ("session", "foreign-session", other, 4, [json!(m), Json::Null], false),
            ("session", "session-holds-global", other, 8, [json!(m), Json::Null], false),
            ("session", "no-session", orphan, 4, [json!(s), Json::Null], false),
            ("integrity", "writes-what-higher-holds", squatter, 4, [json!("Low"), json!(s)], true),
            ("integrity", "writes-what-higher-holds", squatter, 8, [json!("Low"), json!(s)], true),
            ("integrity", "writes-what-higher-holds", squatter, 12, [json!("Low"), json!(s)], true),
            ("integrity", "writes-higher", squatter, 20, [json!("Low"), json!(s)], true),
            ("shared", "held-in-several-sessions", service, 12, [json!(s), Json::Null], false),
            ("shared", "held-in-several-sessions", squatter, 12, [json!("Low"), Json::Null], true),
        ] {
            let expected = format!("{} {} {flag}", json!([border, relation, pid, handle]), json!(levels));
            tally.check("crossing", &format!("{place} {expected}"), &found.remove(&expected).into(), &true.into());
        }
        tally.check("nothing else", &place, &json!(found), &json!([]));
        let rows = rows_of(&dump, "collisions", &Arguments::default());
        tally.check("collisions", &place, &rows.len().into(), &1.into());
        let (row, holder) = (&rows[0], |pid: u64, name: &str| format!("{pid} {name}"));
        for (column, expected) in [
            ("name", json!("Vendor.Ready")),
            ("border", json!("session")),
            ("global_path", json!(global)),
            ("global_type", json!("Event")),
            (
                "global_holders",
                json!([holder(service, "service.exe"), holder(squatter, "squatter.exe"), holder(other, "other.exe")]),
            ),
            ("other_path", json!(session)),
            ("other_type", json!("Mutant")),
            ("other_session_id", json!(1)),
            ("other_integrity", json!(s)),
            ("lower", json!(false)),
        ] {
            tally.check(column, &place, &row[column], &expected);
        }
    }
    tally.finish("made-up borders");
}
