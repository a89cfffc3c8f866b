//! Handles, object types and the namespace: the machines of the shared folder against their truth files, and made-up ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{Tally, address, document, hex, machines, narrowed, rows, shared, tallied};
use kit::{bare, dump, open, typical};
use ntlens::OpenDump;
use ntlens::nt::access;
use ntlens::nt::handle::Of;
use ntlens::nt::handle_table::Attributes;
use ntlens::report::{Argument, Arguments, OneByOne, Wanted, question};
use ntlens_testkit::{HandleSpec, HandleTarget, Image, Kind, ProcessSpec};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// The name as the output contract has it: the truth writes processes and threads in its own way, and a link that leads
/// nowhere as an empty text.
fn contract_name(truth: &Json, handle: &Json) -> Json {
    let Some(name) = handle["name"].as_str() else { return Json::Null };
    let numbers: Vec<u64> = name.split(' ').filter_map(|word| word.parse().ok()).collect();
    match (handle["type"].as_str().unwrap(), numbers.as_slice()) {
        ("Process", [pid]) => {
            let mut of = truth["processes"].as_array().unwrap().iter().filter(|process| process["pid"] == *pid);
            let object = &handle["object"];
            let process = of.find(|process| process["eprocess"] == *object).unwrap();
            format!("PID {pid} {}", process["image_name"].as_str().unwrap()).into()
        }
        ("Thread", [tid, pid]) => format!("{pid}.{tid}").into(),
        _ => name.into(),
    }
}

#[test]
fn handles() {
    tallied("handles", |tally, name, dump, truth| {
        let question = question("handles").unwrap();
        let all = Arguments::default().with("all", Argument::Flag);
        let table = question.ask_with(dump, &all, Wanted::All, &OneByOne).unwrap();
        let mut bytes = Vec::new();
        let format = ntlens::render::Format::Json;
        ntlens::render::write(&mut bytes, format, Some(dump), &table, ntlens::render::Terminal::default()).unwrap();
        let document: Json = serde_json::from_slice(&bytes).unwrap();
        let mut found: BTreeMap<u64, BTreeMap<u64, &Json>> = BTreeMap::new();
        for row in document["rows"].as_array().unwrap() {
            let twice =
                found.entry(row["pid"].as_u64().unwrap()).or_default().insert(row["handle"].as_u64().unwrap(), row);
            assert!(twice.is_none(), "{name}: a handle is listed twice");
        }
        let bad: BTreeMap<(u64, u64), &str> = truth["anomalies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|anomaly| anomaly["kind"] == "bad_handle_entry")
            .map(|bad| ((bad["pid"].as_u64().unwrap(), bad["handle"].as_u64().unwrap()), bad["why"].as_str().unwrap()))
            .collect();
        let named: BTreeSet<String> =
            truth["named_objects"].as_array().unwrap().iter().map(|named| named["object"].to_string()).collect();
        for process in truth["processes"].as_array().unwrap() {
            let pid = process["pid"].as_u64().unwrap();
            let place = format!("{name} pid {pid}");
            let mut rows = if process["freed"] == json!(true) {
                continue;
            } else {
                found.remove(&pid).unwrap_or_default()
            };
            if process["handle_table"]["state"] == "paged_out" {
                let told = document["incomplete"].to_string().contains("paged-out");
                tally.check("paged out table", &place, &told.into(), &true.into());
                tally.check("paged out table", &place, &rows.len().into(), &0.into());
                continue;
            }
            let broken: Vec<u64> = bad.keys().filter(|(of, _)| *of == pid).map(|(_, handle)| *handle).collect();
            if let Some(count) = process["handle_table"]["count"].as_u64() {
                // A table counts the handles that lead nowhere too, or not: they were put into it later.
                let listed = rows.len() as u64;
                let fits = listed == count || listed == count + broken.len() as u64;
                tally.check("count", &place, &fits.into(), &true.into());
            }
            for handle in broken {
                let row = rows.remove(&handle).unwrap_or(&Json::Null);
                let reason = if bad[&(pid, handle)] == "unmapped" { "not-present" } else { "malformed" };
                tally.check_absent("type", &place, row, &[reason]);
                tally.check_absent("name", &place, row, &[reason]);
            }
            for handle in process["handles"].as_array().unwrap() {
                let value = handle["handle"].as_u64().unwrap();
                let place = format!("{place} handle {value} {}", handle["type"]);
                let Some(row) = rows.remove(&value) else {
                    tally.check("handle", &place, &Json::Null, &value.into());
                    continue;
                };
                let granted = hex(&handle["access"]).unwrap();
                tally.check("process", &place, &row["process"], &process["image_name"]);
                tally.check("object", &place, &row["object"], &address(hex(&handle["object"]).unwrap()));
                tally.check("type", &place, &row["type"], &handle["type"]);
                tally.check("granted_access", &place, &row["granted_access"], &granted.into());
                let object_type = handle["type"].as_str().unwrap();
                let names = access::names(object_type, u32::try_from(granted).unwrap());
                tally.check("access", &place, &row["access"], &json!(names));
                let expected = contract_name(truth, handle);
                tally.check("name", &place, &row["name"], &expected);
                // A section without a name is called by its file.
                if object_type == "Section" && !named.contains(&handle["object"].to_string()) {
                    tally.check("section_file", &place, &row["section_file"], &expected);
                }
            }
            for (value, row) in rows {
                tally.check("handle", &format!("{place} handle {value}"), row, &Json::Null);
            }
        }
        tally.check("processes", name, &found.len().into(), &0.into());
    });
}

#[test]
fn object_types() {
    tallied("object types", |tally, name, dump, truth| {
        let kernel = dump.kernel().unwrap();
        let types = kernel.object_manager().types();
        let found: BTreeMap<u8, _> = types.types().map(|known| (known.index, known)).collect();
        let expected = truth["object_types"].as_array().unwrap();
        tally.check("count", name, &found.len().into(), &expected.len().into());
        for expected in expected {
            let place = format!("{name} {}", expected["name"]);
            let Some(known) = found.get(&u8::try_from(expected["index"].as_u64().unwrap()).unwrap()) else {
                tally.check("index", &place, &Json::Null, &expected["index"]);
                continue;
            };
            tally.check("name", &place, &json!(&*known.name), &expected["name"]);
            tally.check("object", &place, &address(known.object.0), &address(hex(&expected["va"]).unwrap()));
        }
        tally.check("cookie", name, &json!(types.cookie().unwrap()), &truth["kernel"]["ob_header_cookie"]);
    });
}

/// Where a path leads by the links of the truth, one link after the other; `None` if nothing is there.
fn follow(truth: &Json, path: &str) -> Option<String> {
    let objects = truth["named_objects"].as_array().unwrap();
    let at = |path: &str| objects.iter().find(|object| object["path"] == path);
    let mut path = path.to_owned();
    for _ in 0..64 {
        path = path.strip_prefix("\\??").map_or(path.clone(), |rest| format!("\\GLOBAL??{rest}"));
        let ends: Vec<usize> = path.match_indices('\\').map(|(end, _)| end).skip(1).chain([path.len()]).collect();
        let objects: Vec<_> = ends.into_iter().map(|end| (end, at(&path[..end]))).collect();
        let first = objects.iter().find(|(_, object)| object.is_none_or(|object| object["type"] != "Directory"));
        match first {
            None => return Some(path),
            Some((_, None)) => return None,
            Some((_, Some(object))) if object["type"] != "SymbolicLink" => return Some(path),
            Some((end, Some(link))) => {
                let target = link["link_target"].as_str().filter(|target| !target.is_empty())?;
                path = format!("{target}{}", &path[*end..]);
            }
        }
    }
    None
}

#[test]
fn namespace() {
    tallied("namespace", |tally, name, dump, truth| {
        let rows = rows(dump, "objects");
        let mut found: BTreeMap<&str, &Json> = BTreeMap::new();
        let mut objects = BTreeSet::new();
        for row in &rows {
            assert!(found.insert(row["path"].as_str().unwrap(), row).is_none(), "{name}: a path is listed twice");
            assert!(objects.insert(row["object"].to_string()), "{name}: an object is listed twice");
        }
        for kind in truth["object_types"].as_array().unwrap() {
            let path = format!("\\ObjectTypes\\{}", kind["name"].as_str().unwrap());
            let row = found.remove(path.as_str()).unwrap_or(&Json::Null);
            tally.check("object", &format!("{name} {path}"), &row["object"], &address(hex(&kind["va"]).unwrap()));
            tally.check("type", &format!("{name} {path}"), &row["type"], &"Type".into());
        }
        let silos = truth["jobs"].as_array().unwrap().iter().filter(|job| job["server_silo"] == json!(true));
        let silos: Vec<_> =
            silos.filter_map(|job| Some((job["root_directory"].as_str()?, hex(&job["va"]).unwrap()))).collect();
        for expected in truth["named_objects"].as_array().unwrap() {
            let path = expected["path"].as_str().unwrap();
            let place = format!("{name} {path}");
            let Some(row) = found.remove(path) else {
                tally.check("path", &place, &Json::Null, &path.into());
                continue;
            };
            let leaf = if path == "\\" { path } else { path.rsplit('\\').next().unwrap() };
            let silo = silos.iter().find(|(root, _)| path == *root || path.starts_with(&format!("{root}\\")));
            let target = expected["link_target"].as_str().filter(|target| !target.is_empty());
            let resolved = target.and_then(|_| follow(truth, path));
            for (column, expected) in [
                ("name", leaf.into()),
                ("type", expected["type"].clone()),
                ("object", address(hex(&expected["object"]).unwrap())),
                ("session_id", expected["namespace_session"].clone()),
                ("silo", silo.map_or(Json::Null, |(_, job)| address(*job))),
                ("link_target", target.map_or(Json::Null, Json::from)),
                ("resolved", resolved.map_or(Json::Null, Json::from)),
            ] {
                tally.check(column, &place, &row[column], &expected);
            }
        }
        for (path, row) in found {
            tally.check("path", &format!("{name} {path}"), row, &Json::Null);
        }
    });
}

#[test]
fn holders() {
    tallied("holders", |tally, name, dump, truth| {
        // Who holds what is what the truth of the handles says, turned around.
        let mut expected: BTreeMap<u64, BTreeSet<(u64, u64)>> = BTreeMap::new();
        let lost =
            |process: &Json| process["freed"] == json!(true) || process["handle_table"]["state"] == json!("paged_out");
        for process in truth["processes"].as_array().unwrap().iter().filter(|process| !lost(process)) {
            for handle in process["handles"].as_array().unwrap() {
                let holders = expected.entry(hex(&handle["object"]).unwrap()).or_default();
                holders.insert((process["pid"].as_u64().unwrap(), handle["handle"].as_u64().unwrap()));
            }
        }
        let holders = dump.holders().unwrap();
        let count = holders.objects().count();
        tally.check("objects", name, &count.into(), &expected.len().into());
        for (object, holders_expected) in &expected {
            let of = holders.of(ntlens::address::VirtAddr(*object));
            let found: BTreeSet<_> =
                of.iter().map(|held| (held.handle.holder.pid.unwrap(), held.handle.handle)).collect();
            tally.check("holders", &format!("{name} {object:#x}"), &json!(found), &json!(holders_expected));
        }
        let path = "\\BaseNamedObjects\\DBWinMutex";
        let by_path = narrowed(dump, "holders", &Arguments::default().with("object", Argument::Text(path.into())));
        let object = truth["named_objects"].as_array().unwrap().iter().find(|object| object["path"] == path).unwrap();
        let at = object["object"].as_str().unwrap();
        let by_address = narrowed(dump, "holders", &Arguments::default().with("object", Argument::Text(at.into())));
        tally.check("by path", name, &(by_path == by_address).into(), &true.into());
        tally.check("by path", name, &by_path.len().into(), &expected[&hex(&object["object"]).unwrap()].len().into());
    });
}

#[test]
fn one_process_and_one_directory_can_be_asked_for() {
    machines(|name, dump, _| {
        let of_system = narrowed(dump, "handles", &Arguments::default().with("pid", Argument::Number(4)));
        let handles = dump.handles(Of::Process(4)).unwrap().handles;
        assert_eq!(of_system.len(), handles.len(), "{name}");
        assert!(!handles.is_empty() && handles.iter().all(|handle| handle.holder.pid == Ok(4)), "{name}");
        let known = question("handles").unwrap();
        let nobody = Arguments::default().with("pid", Argument::Number(3));
        assert!(known.ask_with(dump, &nobody, Wanted::All, &OneByOne).is_err(), "{name}");
        let below = narrowed(dump, "objects", &Arguments::default().with("path", Argument::Text("\\device".into())));
        let all = document(dump, "objects");
        let expected = all["rows"].as_array().unwrap().iter().filter(|row| {
            let path = row["path"].as_str().unwrap();
            path == "\\Device" || path.starts_with("\\Device\\")
        });
        assert_eq!(below.len(), expected.count(), "{name}");
    });
}

const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];

/// A kernel dump of a made-up machine.
fn made_up(place: &str, image: &Image) -> OpenDump {
    open(place, dump(image, Kind::BitmapKernel { live: false }).0)
}

#[test]
fn made_up_machines_of_every_build() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let mut machine = typical(build, 3, 34);
        machine.busy(40);
        let image = machine.build();
        let truth = image.truth();
        let place = format!("{build}");
        let opened = made_up(&place, &image);

        let found = opened.handles(Of::All).unwrap();
        tally.check("incomplete", &place, &found.incomplete.len().into(), &0.into());
        let mut by_process: BTreeMap<u64, Vec<Json>> = BTreeMap::new();
        for handle in &found.handles {
            let target = &handle.target;
            by_process.entry(handle.holder.pid.unwrap()).or_default().push(json!([
                handle.handle,
                target.object.unwrap().0,
                target.object_type.as_deref().unwrap(),
                handle.granted_access.unwrap(),
                target.name.as_ref().unwrap().as_deref(),
            ]));
        }
        for process in &truth.processes {
            let expected: Vec<Json> = process
                .handles
                .iter()
                .map(|handle| {
                    let name = kit::contract_name(truth, handle);
                    json!([handle.handle, handle.object, handle.kind, handle.access, name])
                })
                .collect();
            let found = by_process.remove(&process.pid).unwrap_or_default();
            tally.check("handles", &format!("{place} pid {}", process.pid), &found.into(), &expected.into());
        }
        tally.check("processes", &place, &by_process.len().into(), &0.into());

        let found = opened.namespace().unwrap();
        tally.check("incomplete", &place, &found.incomplete.len().into(), &0.into());
        let found: BTreeMap<String, Json> = found
            .objects
            .iter()
            .map(|object| {
                let facts = json!([object.object.0, &*object.object_type.clone().unwrap(), object.session_id.unwrap()]);
                (object.path.to_string(), facts)
            })
            .collect();
        let types = truth
            .object_types
            .iter()
            .map(|kind| (format!("\\ObjectTypes\\{}", kind.name), json!([kind.va, "Type", null])));
        let named = truth
            .named_objects
            .iter()
            .map(|object| (object.path.clone(), json!([object.object, object.kind, object.namespace_session])));
        let expected: BTreeMap<String, Json> = types.chain(named).collect();
        tally.check("namespace", &place, &json!(found), &json!(expected));
    }
    tally.finish("made-up machines");
}

#[test]
fn handles_of_every_depth_keep_their_values_and_attributes() {
    for build in BUILDS {
        let mut machine = bare(build);
        let mut expected = BTreeMap::new();
        for levels in 0..3 {
            let far = [Some(4), (levels > 0).then_some(0x404), (levels > 1).then_some(0x8_0004)];
            let mut spec = ProcessSpec::named("deep.exe").handle_levels(levels);
            let mut handles = Vec::new();
            for (attributes, value) in (0..8).zip(far.into_iter().flatten().cycle()) {
                let value = value + u64::from(attributes) * 4;
                let target = HandleTarget::Process(4);
                spec = spec.handle(HandleSpec { attributes, value: Some(value), ..HandleSpec::new(target, 0x1478) });
                handles.push((value, attributes));
            }
            handles.sort_unstable();
            expected.insert(machine.process(spec), handles);
        }
        let image = machine.build();
        let opened = made_up("deep", &image);
        for (pid, expected) in expected {
            let found = opened.handles(Of::Process(pid)).unwrap();
            assert!(found.incomplete.is_empty(), "{build}: {:?}", found.incomplete);
            let found: Vec<_> =
                found.handles.iter().map(|handle| (handle.handle, handle.attributes.unwrap().bits())).collect();
            assert_eq!(found, expected, "{build} pid {pid}");
        }
    }
    let names = Attributes::all().names();
    assert_eq!(names, ["inherit", "protect", "audit"]);
}

/// A reader that takes an encoded type byte of 0 for "no object" drops one object of each 256.
#[test]
fn no_object_is_lost_whose_stored_type_is_zero() {
    let zeros = std::cell::Cell::new(0);
    machines(|_, dump, truth| {
        if truth["kernel"]["ob_header_cookie"].is_null() {
            return;
        }
        let kernel = dump.kernel().unwrap();
        let handles = dump.handles(Of::All).unwrap().handles;
        let stored_as_zero = |object| {
            let header = kernel.fields().object.of_body(kernel.space(), object);
            header.unwrap().type_index() == Ok(0)
        };
        let found = handles
            .iter()
            .filter(|handle| handle.target.object_type.is_ok() && handle.target.object.is_ok_and(stored_as_zero));
        zeros.set(zeros.get() + found.count());
    });
    if shared().is_some() {
        eprintln!("{} handles lead to objects whose stored type is 0", zeros.get());
        assert!(zeros.get() > 0);
    }
}
