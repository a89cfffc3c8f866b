//! Sensors of which something was broken, or made to deceive.

use super::*;
use ntlens_testkit::truth::Logger;
use ntlens_testkit::{CallbackKind, CallbackSpec, LoggerSpec, ProviderSpec};

/// A machine with sensors of every kind.
static WATCHED: LazyLock<Image> = LazyLock::new(|| {
    let layouts = ntlens_testkit::layouts("10.0.19041.1288").unwrap();
    kit::watched(layouts).build()
});
static WHOLE: LazyLock<Arc<Vec<u8>>> = LazyLock::new(|| Arc::new(dump(&WATCHED, Kind::Full).0));

/// File offset of a kernel address.
fn place(va: u64) -> u64 {
    at_in(&WATCHED, va)
}

/// Opens and asks for the sensors, in bounded time.
fn asked(what: &str, patched: Patched) -> OpenDump {
    let start = Instant::now();
    let opened = patched.open().unwrap();
    assert!(ask_all(&opened) > 0, "{what}");
    assert!(start.elapsed() < PATIENCE, "{what}: {:?}", start.elapsed());
    opened
}

fn count(opened: &OpenDump, table: &str) -> usize {
    rows(opened, table).len()
}

fn state() -> u64 {
    read_u64(&WATCHED, symbol(&WATCHED, "EtwpHostSiloState"))
}

/// The sessions of the host in the order of their slots.
fn loggers() -> Vec<&'static Logger> {
    WATCHED.truth().loggers.iter().filter(|logger| logger.silo.is_none()).collect()
}

const WILD: [u64; 6] = [0, 2, 0x1000, 0x4141_4141_4141_4141, 0xffff_8000_dead_0000, u64::MAX];

#[test]
fn a_whole_machine_has_no_complaints() {
    let opened = asked("whole", Patched::of(&WHOLE));
    for table in ["loggers", "providers", "callbacks"] {
        assert_eq!(complaints(&opened, table), "", "{table}");
    }
}

#[test]
fn a_wild_pointer_to_a_session_costs_that_session() {
    let array = read_u64(&WATCHED, state() + offset(&WATCHED, "_ETW_SILODRIVERSTATE", "EtwpLoggerContext"));
    let all = WATCHED.truth().loggers.len();
    let slot = u64::from(loggers()[1].slot);
    for wild in WILD {
        let opened = asked("slot", Patched::of(&WHOLE).set(place(array + slot * 8), &wild.to_le_bytes()));
        assert_eq!(count(&opened, "loggers"), all - 1, "{wild:#x}");
        // A slot that holds nothing is a free one.
        assert_eq!(complaints(&opened, "loggers").is_empty(), wild == 0, "{wild:#x}");
    }
    // Two slots that lead to one session: it is told where it says that it is, and remarked.
    let twice = Patched::of(&WHOLE).set(place(array + 8 * 9), &loggers()[0].va.to_le_bytes());
    let opened = asked("twice", twice);
    assert_eq!(count(&opened, "loggers"), all + 1);
    assert!(
        complaints(&opened, "loggers").contains("slot 9 says that it is session 2"),
        "{}",
        complaints(&opened, "loggers")
    );
    // Memory that is no session at all.
    let none = Patched::of(&WHOLE).set(place(array + 8 * 9), &WATCHED.truth().processes[0].eprocess.to_le_bytes());
    let opened = asked("no session", none);
    assert_eq!(count(&opened, "loggers"), all);
    assert_ne!(complaints(&opened, "loggers"), "");
}

#[test]
fn any_count_of_slots_ends() {
    let field = state() + offset(&WATCHED, "_ETW_SILODRIVERSTATE", "MaxLoggers");
    for slots in [u32::MAX, 0x8000_0000, 257] {
        let opened = asked("slots", Patched::of(&WHOLE).set(place(field), &slots.to_le_bytes()));
        let found = rows(&opened, "loggers");
        for logger in &WATCHED.truth().loggers {
            assert!(found.iter().any(|row| row["logger"] == address(logger.va)), "{slots:#x}: {}", logger.name);
        }
        assert!(complaints(&opened, "loggers").contains("at most 256 are possible"), "{slots:#x}");
    }
    let opened = asked("no slots", Patched::of(&WHOLE).set(place(field), &[0; 4]));
    assert_eq!(count(&opened, "loggers"), WATCHED.truth().loggers.len() - loggers().len());
}

#[test]
fn a_wild_state_or_array_is_an_absence() {
    let variable = symbol(&WATCHED, "EtwpHostSiloState");
    let array = state() + offset(&WATCHED, "_ETW_SILODRIVERSTATE", "EtwpLoggerContext");
    for wild in WILD {
        for at in [variable, array] {
            let opened = asked("state", Patched::of(&WHOLE).set(place(at), &wild.to_le_bytes()));
            for row in rows(&opened, "loggers") {
                assert_ne!(row["silo"], Json::Null, "{wild:#x}: {row}");
            }
            assert_ne!(complaints(&opened, "loggers"), "", "{wild:#x}");
        }
    }
}

#[test]
fn broken_lists_of_providers_end_and_are_told() {
    let all = WATCHED.truth().providers.len();
    let of_host = WATCHED.truth().providers.iter().find(|provider| provider.silo.is_none()).unwrap();
    let (entry, other) = (of_host.va, WATCHED.truth().providers[1].va);
    for wild in [0, entry, other, state(), 0x4141_4141_4141_4141, 0xffff_8000_dead_0000] {
        for side in [0, 8] {
            let opened = asked("links", Patched::of(&WHOLE).set(place(entry + side), &wild.to_le_bytes()));
            assert!(count(&opened, "providers") <= all + 1, "{wild:#x}");
            assert_ne!(complaints(&opened, "providers"), "", "{wild:#x} at {side}");
        }
    }
    // Registrations that run in a circle, or lead to what is none.
    let head = entry + offset(&WATCHED, "_ETW_GUID_ENTRY", "RegListHead");
    for wild in [entry, other, 0x4141_4141_4141_4141, 0xffff_8000_dead_0000] {
        let opened = asked("registrations", Patched::of(&WHOLE).set(place(head), &wild.to_le_bytes()));
        assert_eq!(count(&opened, "providers"), all, "{wild:#x}");
        assert_ne!(complaints(&opened, "providers"), "", "{wild:#x}");
    }
    // A table in which every list is one and the same.
    let table = state() + offset(&WATCHED, "_ETW_SILODRIVERSTATE", "EtwpGuidHashTable");
    let same = Patched::of(&WHOLE).set(place(table), &entry.to_le_bytes().repeat(64));
    assert!(count(&asked("one list", same), "providers") <= all);
}

#[test]
fn broken_lists_of_consumers_are_an_absence() {
    let logger = loggers()[1];
    assert!(!logger.consumers.is_empty());
    let head = logger.va + offset(&WATCHED, "_WMI_LOGGER_CONTEXT", "Consumers");
    for wild in [0, logger.va, state(), 0x4141_4141_4141_4141, 0xffff_8000_dead_0000] {
        let opened = asked("consumers", Patched::of(&WHOLE).set(place(head), &wild.to_le_bytes()));
        let row = rows(&opened, "loggers").into_iter().find(|row| row["logger"] == address(logger.va)).unwrap();
        assert_eq!((&row["consumers"], row["absent"]["consumers"].is_string()), (&Json::Null, true), "{wild:#x}");
        assert_eq!(row["name"], logger.name);
    }
}

#[test]
fn broken_callbacks_cost_nothing_but_themselves() {
    let all = WATCHED.truth().callbacks.len();
    let array = symbol(&WATCHED, "PspCreateProcessNotifyRoutine");
    let block = WATCHED.truth().callbacks[0].entry;
    let function = place(block + 8);
    for wild in WILD {
        let opened = asked("slot", Patched::of(&WHOLE).set(place(array), &wild.to_le_bytes()));
        assert_eq!(count(&opened, "callbacks"), all - 1, "{wild:#x}");
        // What is left of small numbers without the count of references is nothing: a free slot.
        assert_eq!(complaints(&opened, "callbacks").is_empty(), wild < 16, "{wild:#x}");
    }
    // A function outside of everything is a callback all the same.
    for wild in [1, 0x7fff_0000, 0x4141_4141_4141_4141] {
        let opened = asked("function", Patched::of(&WHOLE).set(function, &u64::to_le_bytes(wild)));
        let row = &rows(&opened, "callbacks")[0];
        assert_eq!((&row["address"], &row["module"]), (&address(wild), &Json::Null));
    }
    assert_eq!(count(&asked("none", Patched::of(&WHOLE).set(function, &[0; 8])), "callbacks"), all - 1);
    // Lists: of the registry, and of a type.
    let entries = |kind: &str| -> Vec<u64> {
        WATCHED
            .truth()
            .callbacks
            .iter()
            .filter(|callback| callback.kind == kind)
            .map(|callback| callback.entry)
            .collect()
    };
    let (registry, objects) = (entries("registry"), entries("object-pre"));
    for entry in [registry[0], objects[0]] {
        for wild in [0, entry, registry[1], objects[1], 0x4141_4141_4141_4141, 0xffff_8000_dead_0000] {
            let right = read_u64(&WATCHED, entry);
            if wild != right {
                let opened = asked("list", Patched::of(&WHOLE).set(place(entry), &wild.to_le_bytes()));
                assert_eq!(count(&opened, "callbacks"), all, "{entry:#x} {wild:#x}");
                assert_ne!(complaints(&opened, "callbacks"), "", "{entry:#x} {wild:#x}");
            }
        }
    }
    // An entry of another type, and one whose functions were taken out.
    let opened = asked("type", Patched::of(&WHOLE).set(place(objects[0] + 0x20), &objects[1].to_le_bytes()));
    assert_ne!(complaints(&opened, "callbacks"), "");
    let opened = asked("emptied", Patched::of(&WHOLE).set(place(objects[0] + 0x28), &[0; 16]));
    assert_eq!(count(&opened, "callbacks"), all - 2);
    assert!(complaints(&opened, "callbacks").contains("an entry without functions"));
    // A registration that leads nowhere.
    for wild in WILD {
        let opened = asked("registration", Patched::of(&WHOLE).set(place(objects[0] + 0x18), &wild.to_le_bytes()));
        let row = rows(&opened, "callbacks").into_iter().find(|row| row["entry"] == address(objects[0])).unwrap();
        assert_eq!((&row["altitude"], row["absent"]["altitude"].is_string()), (&Json::Null, true), "{wild:#x}");
    }
}

#[test]
fn names_of_sensors_are_kept_in_json_and_shown_harmless_elsewhere() {
    const NAMES: [&str; 4] = ["\u{1b}[31mred\u{1b}[0m", "a\r\nb", "\u{202e}gol", "=cmd|'/C c'!A"];
    let mut machine = bare(19041).memory(24 << 20).processors(1);
    machine.typical_modules(3);
    for name in NAMES {
        machine.logger(LoggerSpec::named(name).log_file(name));
        machine.callback(CallbackSpec::new(CallbackKind::Registry, Some("hal.dll")).altitude(name));
    }
    machine.provider(ProviderSpec::new(1).enabled(2, 1, 1, 1));
    let opened = kit::open("names", dump(&machine.build(), Kind::Full).0);
    for (table, column) in [("loggers", "name"), ("loggers", "log_file"), ("callbacks", "altitude")] {
        let found: Vec<Json> = rows(&opened, table).iter().map(|row| row[column].clone()).collect();
        assert_eq!(found, NAMES.map(Json::from), "{table}.{column}");
    }
    for table in ["loggers", "providers", "callbacks"] {
        let answer = question(table).unwrap().ask(&opened, Wanted::All).unwrap();
        for format in [Format::Table, Format::Csv] {
            let mut out = Vec::new();
            render::write(&mut out, format, Some(&opened), &answer, Terminal::default()).unwrap();
            let text = String::from_utf8(out).unwrap();
            let steering = |char: char| char.is_control() && char != '\n' || ('\u{202a}'..='\u{202e}').contains(&char);
            assert!(!text.contains(steering), "{table} {format:?}: {text}");
            assert_eq!(text.lines().count(), answer.rows.len() + 1, "{table} {format:?}: {text}");
        }
    }
}
