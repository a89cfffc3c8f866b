//! ISF: text that ends or is none, members of other types or none, numbers at their extremes, types without end.

use super::{Class, Form::Isf, Made, Sound, refused, true_or_refused};
use serde_json::{Value, json};

pub(super) const CLASSES: &[Class] = &[
    refused("text: cut", Isf, cuts),
    Class { every: true, ..refused("text: no JSON", Isf, no_json) },
    true_or_refused("text: any byte", Isf, bytes),
    Class { every: true, ..refused("sections: missing", Isf, sections) },
    Class { every: true, ..true_or_refused("sections: empty", Isf, empty) },
    true_or_refused("members: of other types", Isf, types),
    true_or_refused("members: missing", Isf, missing),
    Class { every: true, ..true_or_refused("members: twice", Isf, twice) },
    Class { every: true, ..true_or_refused("metadata: identity, format, machine", Isf, metadata) },
    Class { every: true, ..true_or_refused("numbers: offsets", Isf, offsets) },
    Class { every: true, ..true_or_refused("numbers: sizes", Isf, sizes) },
    Class { every: true, ..true_or_refused("numbers: counts, bits", Isf, counts) },
    Class { every: true, ..true_or_refused("numbers: constants, addresses", Isf, constants) },
    Class { every: true, ..true_or_refused("types: wrong base types", Isf, base_types) },
    Class { every: true, ..true_or_refused("types: loops", Isf, loops) },
    Class { every: true, ..true_or_refused("types: deep nesting", Isf, nesting) },
    Class { every: true, ..refused("types: more than there can be", Isf, expansion) },
    Class { every: true, ..true_or_refused("names: hostile", Isf, names) },
];

/// The table as it is, to be changed.
fn table(sound: &Sound) -> Value {
    serde_json::from_slice(&sound.isf).unwrap()
}

fn made(what: impl Into<String>, table: &Value) -> Made {
    Made::new(what, table.to_string())
}

/// The table with another value at a place; with none there it is added.
fn with(sound: &Sound, path: &str, value: Value) -> Made {
    let mut table = table(sound);
    let what = format!("{path} = {value:.40}");
    let (parent, name) = path.rsplit_once('/').unwrap();
    table.pointer_mut(parent).unwrap()[name] = value;
    made(what, &table)
}

/// Where `_EPROCESS` and others have a field.
fn field(structure: &str, name: &str, member: &str) -> String {
    format!("/user_types/{structure}/fields/{name}/{member}")
}

fn cuts(sound: &Sound) -> Vec<Made> {
    let whole = sound.isf.trim_ascii_end().len();
    let lengths = (0..12).map(|step| whole / 12 * step).chain([1, 2, whole - 1]);
    lengths.map(|length| Made::new(format!("cut at {length:#x}"), &sound.isf[..length])).collect()
}

fn no_json(sound: &Sound) -> Vec<Made> {
    let text = &sound.isf;
    let behind = [text.as_slice(), b"{}"].concat();
    let wide: Vec<u8> = text.iter().flat_map(|byte| [*byte, 0]).collect();
    let invalid = String::from_utf8(text.clone()).unwrap().replace("_EPROCESS", "_EPRO\u{1}ESS").into_bytes();
    let mut no_text = text.clone();
    let at = text.windows(9).position(|window| window == b"_EPROCESS").unwrap();
    no_text[at] = 0xff;
    vec![
        Made::new("a list", b"[]".as_slice()),
        Made::new("an object of nothing", b"{}".as_slice()),
        Made::new("an object that goes on", [b"{", vec![b' '; 1 << 20].as_slice()].concat()),
        Made::new("something behind it", behind),
        Made::new("UTF-16", wide),
        Made::new("a control character in a name", invalid),
        Made::new("bytes that are no text", no_text),
    ]
}

fn bytes(sound: &Sound) -> Vec<Made> {
    let mut state = 11_u64;
    let fault = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 33).unwrap() % sound.isf.len();
        let mut bytes = sound.isf.clone();
        bytes[at] ^= 1 << (state >> 29 & 7);
        Made::new(format!("bit {} at {at:#x}", state >> 29 & 7), bytes)
    };
    (0..24).map(fault).collect()
}

const SECTIONS: [&str; 4] = ["metadata", "user_types", "enums", "symbols"];

fn sections(sound: &Sound) -> Vec<Made> {
    let without = |name: &str| {
        let mut table = table(sound);
        table.as_object_mut().unwrap().remove(name);
        made(format!("no {name}"), &table)
    };
    let of = |value: Value| SECTIONS.map(|name| with(sound, &format!("/{name}"), value.clone()));
    let values = [Value::Null, json!([]), json!("x"), json!(-1)];
    SECTIONS.map(without).into_iter().chain(values.into_iter().flat_map(of)).collect()
}

fn empty(sound: &Sound) -> Vec<Made> {
    let of = |name: &&str| with(sound, &format!("/{name}"), json!({}));
    ["base_types", "user_types", "enums", "symbols"].iter().map(of).collect()
}

/// Members of every level.
fn members() -> Vec<String> {
    let mut members: Vec<String> = [
        "format",
        "windows",
        "windows/pdb",
        "windows/pdb/GUID",
        "windows/pdb/age",
        "windows/pdb/database",
        "windows/pdb/machine_type",
    ]
    .map(|name| format!("/metadata/{name}"))
    .into();
    members.extend(["", "/kind", "/size", "/fields"].map(|name| format!("/user_types/_EPROCESS{name}")));
    for name in ["UniqueProcessId", "ImageFileName", "ActiveProcessLinks"] {
        let at = format!("/user_types/_EPROCESS/fields/{name}");
        members.extend(["", "/offset", "/type", "/type/kind"].map(|member| format!("{at}{member}")));
    }
    members.extend(
        ["/type/count", "/type/subtype", "/type/subtype/name"]
            .map(|member| format!("/user_types/_EPROCESS/fields/ImageFileName{member}")),
    );
    members.extend(["", "/base", "/constants"].map(|name| format!("/enums/_KTHREAD_STATE{name}")));
    members.extend(["", "/address"].map(|name| format!("/symbols/PsActiveProcessHead{name}")));
    members
}

fn types(sound: &Sound) -> Vec<Made> {
    let values =
        [Value::Null, json!([]), json!({}), json!("x"), json!(""), json!(-1), json!(1.5), json!(true), json!(u64::MAX)];
    let whole = table(sound);
    let known = members().into_iter().filter(|path| whole.pointer(path).is_some());
    known.enumerate().map(|(index, path)| with(sound, &path, values[index % values.len()].clone())).collect()
}

fn missing(sound: &Sound) -> Vec<Made> {
    let whole = table(sound);
    let without = |path: String| {
        let mut table = whole.clone();
        let (parent, name) = path.rsplit_once('/').unwrap();
        table.pointer_mut(parent)?.as_object_mut()?.remove(name)?;
        Some(made(format!("no {path}"), &table))
    };
    members().into_iter().filter_map(without).collect()
}

fn twice(sound: &Sound) -> Vec<Made> {
    let text = String::from_utf8(sound.isf.clone()).unwrap();
    let first = |from: &str, to: &str| text.replacen(from, to, 1);
    vec![
        Made::new("user_types", first("\"user_types\":", "\"user_types\":{},\"user_types\":")),
        Made::new(
            "a structure",
            first("\"_EPROCESS\":", "\"_EPROCESS\":{\"kind\":\"struct\",\"size\":8,\"fields\":{}},\"_EPROCESS\":"),
        ),
        Made::new(
            "a field",
            first(
                "\"UniqueProcessId\":",
                "\"UniqueProcessId\":{\"offset\":0,\"type\":{\"kind\":\"function\"}},\"UniqueProcessId\":",
            ),
        ),
        Made::new(
            "a symbol",
            first("\"PsActiveProcessHead\":", "\"PsActiveProcessHead\":{\"address\":1},\"PsActiveProcessHead\":"),
        ),
    ]
}

fn metadata(sound: &Sound) -> Vec<Made> {
    let pdb = |name: &str, value: Value| with(sound, &format!("/metadata/windows/pdb/{name}"), value);
    vec![
        pdb("GUID", json!("0123456789ABCDEF0123456789ABCDEF")),
        pdb("GUID", json!("")),
        pdb("GUID", json!("../../../../../../../etc/passwd")),
        pdb("GUID", json!("-1")),
        pdb("GUID", json!("0".repeat(1 << 16))),
        pdb("age", json!(sound.id.age + 1)),
        pdb("age", json!(u64::MAX)),
        pdb("database", json!("..\\..\\Windows\\System32\\x.pdb")),
        pdb("database", json!("/etc/passwd")),
        pdb("database", json!("")),
        pdb("machine_type", json!(0x14c)),
        pdb("machine_type", json!(0xaa64)),
        with(sound, "/metadata/format", json!("4.0.0")),
        with(sound, "/metadata/format", json!("60.0.0")),
        with(sound, "/metadata/linux", json!({})),
    ]
}

fn offsets(sound: &Sound) -> Vec<Made> {
    let size = sound.layouts.size_of("_EPROCESS").unwrap();
    let mut faults = Vec::new();
    for value in [
        json!(-1),
        json!(i64::MIN),
        json!(0),
        json!(8),
        json!(size - 8),
        json!(size - 1),
        json!(size),
        json!(0x7fff_ffff),
        json!(u32::MAX),
        json!(1_u64 << 32),
        json!(u64::MAX),
        json!(1e30),
    ] {
        faults.push(with(sound, &field("_EPROCESS", "UniqueProcessId", "offset"), value.clone()));
        faults.push(with(sound, &field("_EPROCESS", "ActiveProcessLinks", "offset"), value.clone()));
        faults.push(with(sound, &field("_LIST_ENTRY", "Flink", "offset"), value));
    }
    faults
}

fn sizes(sound: &Sound) -> Vec<Made> {
    let values = || [json!(-1), json!(0), json!(1), json!(0x10_0000), json!(u32::MAX), json!(1_u64 << 32), json!(1e10)];
    let of = |name: &str| values().map(|value| with(sound, &format!("/user_types/{name}/size"), value));
    ["_EPROCESS", "_LIST_ENTRY", "_HANDLE_TABLE_ENTRY"].into_iter().flat_map(of).collect()
}

fn counts(sound: &Sound) -> Vec<Made> {
    let name = |member: &str| field("_EPROCESS", "ImageFileName", &format!("type/{member}"));
    let mut faults: Vec<_> = [json!(-1), json!(0), json!(16), json!(u32::MAX), json!(1_u64 << 32)]
        .map(|value| with(sound, &name("count"), value))
        .into();
    let bits = |position: Value, length: Value| {
        let ty = json!({"kind": "bitfield", "bit_position": position, "bit_length": length,
            "type": {"kind": "base", "name": "unsigned long"}});
        with(sound, &field("_EPROCESS", "BreakOnTermination", "type"), ty)
    };
    faults.extend(
        [(32, 1), (0, 33), (255, 255), (13, 0), (12, 1), (-1, 1), (13, -1), (256, 1)]
            .map(|(at, length)| bits(json!(at), json!(length))),
    );
    let deep = json!({"kind": "array", "count": u32::MAX, "subtype": {"kind": "array", "count": u32::MAX,
        "subtype": {"kind": "array", "count": u32::MAX, "subtype": {"kind": "base", "name": "char"}}}});
    faults.push(with(sound, &field("_EPROCESS", "ImageFileName", "type"), deep));
    faults
}

fn constants(sound: &Sound) -> Vec<Made> {
    let whole = table(sound);
    let (name, of) = whole["enums"].as_object().unwrap().iter().next().unwrap();
    let constant = of["constants"].as_object().unwrap().keys().next().unwrap().clone();
    let constant = format!("/enums/{name}/constants/{constant}");
    let mut faults: Vec<_> = [json!(1e30), json!("1"), json!(i64::MIN), json!(u64::MAX), json!(77)]
        .map(|value| with(sound, &constant, value))
        .into();
    faults.push(with(sound, &format!("/enums/{name}/base"), json!("no type of C")));
    for name in ["PsActiveProcessHead", "PsLoadedModuleList", "ObpRootDirectoryObject"] {
        for value in [json!(-1), json!(0), json!(0x1000), json!(u32::MAX), json!(1_u64 << 32), json!(u64::MAX)] {
            faults.push(with(sound, &format!("/symbols/{name}/address"), value));
        }
    }
    faults.push(with(sound, "/symbols/PsActiveProcessHead/linkage_name", json!("other")));
    faults
}

fn base_types(sound: &Sound) -> Vec<Made> {
    let base = |name: &str| json!({"kind": "base", "name": name});
    let mut faults = Vec::new();
    for name in ["unsigned char", "unsigned long", "double", "f128", "void", "", "no type of C", "_EPROCESS"] {
        for (structure, member) in
            [("_EPROCESS", "UniqueProcessId"), ("_LIST_ENTRY", "Flink"), ("_UNICODE_STRING", "Length")]
        {
            faults.push(with(sound, &field(structure, member, "type"), base(name)));
        }
    }
    for kind in ["struct", "union", "enum"] {
        faults.push(with(
            sound,
            &field("_EPROCESS", "UniqueProcessId", "type"),
            json!({"kind": kind, "name": "_NOTHING"}),
        ));
    }
    faults.push(with(sound, &field("_EPROCESS", "UniqueProcessId", "type"), json!({"kind": "function"})));
    faults.push(with(
        sound,
        "/base_types/unsigned long",
        json!({"size": 8, "signed": false, "kind": "int", "endian": "big"}),
    ));
    faults.push(with(
        sound,
        "/base_types/pointer",
        json!({"size": 4, "signed": false, "kind": "int", "endian": "little"}),
    ));
    faults
}

fn loops(sound: &Sound) -> Vec<Made> {
    let holds = |size: u32, other: &str| json!({"kind": "struct", "size": size, "fields": {"f": {"offset": 0, "type": {"kind": "struct", "name": other}}}});
    let with_types = |what: &str, types: &[(&str, Value)]| {
        let mut table = table(sound);
        for (name, value) in types {
            table["user_types"][name] = value.clone();
        }
        made(what, &table)
    };
    vec![
        with_types("a structure in itself", &[("_A", holds(8, "_A"))]),
        with_types("structures in each other", &[("_A", holds(8, "_B")), ("_B", holds(8, "_A"))]),
        with_types(
            "one without a tag in itself",
            &[("__unnamed_f00d", holds(8, "__unnamed_f00d")), ("_A", holds(8, "__unnamed_f00d"))],
        ),
        with_types(
            "ones without a tag in each other",
            &[
                ("__unnamed_f00d", holds(8, "__unnamed_f00e")),
                ("__unnamed_f00e", holds(8, "__unnamed_f00d")),
                ("_A", holds(8, "__unnamed_f00d")),
            ],
        ),
        with_types("_EPROCESS is a list", &[("_EPROCESS", holds(16, "_LIST_ENTRY"))]),
        with_types("a list is _EPROCESS", &[("_LIST_ENTRY", holds(0xa40, "_EPROCESS"))]),
    ]
}

fn nesting(sound: &Sound) -> Vec<Made> {
    let text = String::from_utf8(sound.isf.clone()).unwrap();
    let pointers = |depth: usize| {
        let deep =
            ["{\"kind\":\"pointer\",\"subtype\":".repeat(depth), "{\"kind\":\"function\"}".into(), "}".repeat(depth)]
                .concat();
        let field = format!("\"UniqueProcessId\":{{\"offset\":1088,\"type\":{deep}}},\"UniqueProcess\":");
        Made::new(format!("{depth} pointers"), text.replacen("\"UniqueProcessId\":", &field, 1))
    };
    let unknown = |depth: usize| {
        let deep = ["[".repeat(depth), "]".repeat(depth)].concat();
        Made::new(format!("{depth} lists of nobody"), text.replacen('{', &format!("{{\"x\":{deep},"), 1))
    };
    vec![pointers(33), pointers(127), pointers(100_000), unknown(200), unknown(100_000)]
}

/// Few structures that unfold to many fields, or inside one another.
fn expansion(sound: &Sound) -> Vec<Made> {
    let chain = |length: u32, fields: u32| {
        let mut table = table(sound);
        let link = |number: u32| {
            let inner =
                json!({"offset": 0, "type": {"kind": "struct", "name": format!("__unnamed_{:x}", 0xf000 + number)}});
            let fields: serde_json::Map<_, _> = (0..fields).map(|field| (format!("f{field}"), inner.clone())).collect();
            json!({"kind": "union", "size": 8, "fields": fields})
        };
        for number in 1..=length {
            table["user_types"][format!("__unnamed_{:x}", 0xf000 + number)] = link(number - 1);
        }
        table["user_types"]["_A"] = link(length);
        made(format!("{length} levels of {fields} fields"), &table)
    };
    vec![chain(12, 10), chain(16, 3), chain(17, 1), chain(5000, 1)]
}

fn names(sound: &Sound) -> Vec<Made> {
    let hostile = ["\u{1b}[2J", "\u{202e}fdp", "a\nb", "=1+1", "<script>", "../../x", "", "\0", "\u{fffd}"];
    let long = "x".repeat(65535);
    let add = |name: &str| {
        let mut table = table(sound);
        table["user_types"][name] = json!({"kind": "struct", "size": 8, "fields": {name: {"offset": 0, "type": {"kind": "struct", "name": name}}}});
        table["symbols"][name] = json!({"address": 0x1000});
        table["enums"][name] = json!({"base": "int", "size": 4, "constants": {name: 1}});
        made(format!("{name:.20?}"), &table)
    };
    hostile.into_iter().chain([long.as_str()]).map(add).collect()
}
