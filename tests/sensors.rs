//! Trace sessions, providers and callbacks against what is known of them: the truth files of the shared folder, and machines
//! of the testkit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;
#[path = "common/others.rs"]
mod others;

use common::{Tally, address, document, dump_file, dumps, hex, rows, shared, told};
use ntlens::layout::source::{LayoutSource, TableInfo};
use ntlens::layout::{Layouts, Name};
use ntlens::nt::snapshot::Options;
use ntlens::report::{Wanted, question};
use ntlens::symbols::SymbolPath;
use ntlens::{CoreError, OpenDump, Symbols};
use ntlens_testkit::{Image, Kind, ProviderSpec, truth};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What nobody but exact symbols can tell.
const NEEDED: &str = "symbols-needed";

struct Sample {
    name: String,
    dump: OpenDump,
    truth: Json,
    /// Opened with all symbols of its kernel, not with the embedded ones.
    all_symbols: bool,
}

impl Sample {
    /// No symbols of exactly this kernel are known.
    fn unknown(&self) -> bool {
        self.name.starts_with("e8")
    }

    fn place(&self) -> String {
        format!("{}{}", self.name, if self.all_symbols { " with symbols" } else { "" })
    }
}

/// Every machine of the shared folder, with embedded symbols and with those of the folder where it has them.
fn samples() -> Vec<Sample> {
    let Some(shared) = shared() else { return Vec::new() };
    let mut search = SymbolPath::new();
    search.push(shared.join("isf")).unwrap();
    let symbols = Symbols::embedded().unwrap().with_path(search);
    let mut samples = Vec::new();
    for path in dumps() {
        let (name, truth) = told(&path);
        let file = dump_file(&path);
        let given = ntlens::open_with(&file, &symbols, Options::default()).unwrap();
        let source = rows(&given, "info")[0]["layout_source"].clone();
        if source != "embedded" {
            samples.push(Sample { name: name.clone(), dump: given, truth: truth.clone(), all_symbols: true });
        }
        samples.push(Sample { dump: ntlens::open(&file).unwrap(), name, truth, all_symbols: false });
    }
    assert!(samples.len() >= 22, "{} samples", samples.len());
    samples
}

fn at(value: &Json) -> Json {
    hex(value).map_or(Json::Null, address)
}

/// Rows by a column of addresses.
fn by<'a>(rows: &'a [Json], column: &str) -> BTreeMap<&'a str, &'a Json> {
    rows.iter().map(|row| (row[column].as_str().unwrap(), row)).collect()
}

/// `LogBuffersLost` becomes `log_buffers_lost`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for char in name.chars() {
        if char.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(char.to_lowercase());
    }
    text
}

/// What a field of the context becomes in the table.
fn logger_cell(field: &str, value: u64) -> (String, Json) {
    match field {
        "LoggerMode" => ("mode".into(), value.into()),
        "Flags" => ("flags_raw".into(), value.into()),
        "AcceptNewEvents" | "CollectionOn" => (snake(field), (value != 0).into()),
        _ => (snake(field), value.into()),
    }
}

/// The reasons of what an answer lacks, each with what it is.
fn complaints(dump: &OpenDump, table: &str) -> Vec<(String, String)> {
    let document = document(dump, table);
    let all = document["incomplete"].as_array().unwrap().iter();
    all.map(|one| (one["what"].as_str().unwrap().into(), one["reason"].as_str().unwrap().into())).collect()
}

fn remarks(dump: &OpenDump, table: &str) -> Vec<String> {
    question(table).unwrap().ask(dump, Wanted::All).unwrap().remarks
}

/// Sessions that security rests on, among those of the truth files.
const SECURITY: [&str; 6] = [
    "Circular Kernel Context Logger",
    "EventLog-Application",
    "EventLog-System",
    "EventLog-Security",
    "DefenderApiLogger",
    "NT Kernel Logger",
];

#[test]
fn sessions_of_shared_dumps() {
    let mut tally = Tally::default();
    for sample in samples() {
        let found = rows(&sample.dump, "loggers");
        if sample.unknown() {
            // Nothing in this dump leads to the sessions but symbols that nobody has.
            let why = ("trace sessions and providers of the host".to_owned(), NEEDED.to_owned());
            assert_eq!(complaints(&sample.dump, "loggers"), [why]);
            assert!(found.is_empty());
            continue;
        }
        let by_address = by(&found, "logger");
        let expected = sample.truth["etw"]["loggers"].as_array().unwrap();
        tally.check("row_count", &sample.place(), &found.len().into(), &expected.len().into());
        for logger in expected {
            let place = format!("{} {}", sample.place(), logger["name"]);
            let Some(row) = by_address.get(at(&logger["va"]).as_str().unwrap()) else {
                tally.check("logger", &place, &Json::Null, &at(&logger["va"]));
                continue;
            };
            for (field, value) in logger["fields"].as_object().unwrap() {
                let (column, expected) = logger_cell(field, value.as_u64().unwrap());
                tally.check(&column, &place, &row[&column], &expected);
            }
            let mut flags: Vec<&str> = row["flags"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
            let mut expected: Vec<&str> = logger["flags"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
            flags.sort_unstable();
            expected.sort_unstable();
            tally.check("flags", &place, &flags.into(), &expected.into());
            for (column, expected) in [
                ("logger_id", logger["slot"].clone()),
                ("name", logger["name"].clone()),
                ("log_file", logger["log_file"].clone()),
                ("start_time", kit::time(logger["start_time"].as_u64().unwrap())),
                ("instance_guid", logger["instance_guid"].clone()),
                ("logger_thread", at(&logger["logger_thread"])),
                ("logger_thread_pid", 4.into()),
                ("silo", Json::Null),
                ("security_relevant", SECURITY.contains(&logger["name"].as_str().unwrap()).into()),
            ] {
                tally.check(column, &place, &row[column], &expected);
            }
            // The generator makes no table of providers: it is all zeros, which no kernel leaves it. Where it is, only the
            // symbols of Windows 7 and 8.1 say, and the embedded ones do not have that name.
            let old = sample.truth["build"].as_u64().unwrap() < 14393;
            let why = if old && !sample.all_symbols { NEEDED } else { "malformed" };
            tally.check_absent("provider_count", &place, row, &[why]);
        }
    }
    tally.finish_shared("trace sessions");
}

/// A callback in the words of the table, from those of the truth files.
fn callback_cells(kind: &'static str, truth: &Json) -> Vec<(&'static str, Json)> {
    let function = |name: &str| at(&truth[name]);
    let common = |function: &Json, entry: &str| {
        vec![("kind", kind.into()), ("address", function.clone()), ("entry", at(&truth[entry]))]
    };
    match kind {
        "registry" => {
            let mut cells = common(&function("function"), "entry");
            cells.extend([
                ("altitude", truth["altitude"].clone()),
                ("cookie", hex(&truth["cookie"]).unwrap().into()),
                ("slot", Json::Null),
                ("object_type", Json::Null),
            ]);
            cells
        }
        "object-pre" | "object-post" => {
            let mut cells = common(&function(if kind == "object-pre" { "pre" } else { "post" }), "entry");
            cells.extend([
                ("altitude", truth["altitude"].clone()),
                ("object_type", truth["type"].clone()),
                ("operations", json!(["create", "duplicate"])),
                ("operations_raw", truth["operations"].clone()),
                ("enabled", true.into()),
                ("supported", true.into()),
                ("slot", Json::Null),
            ]);
            cells
        }
        _ => {
            let mut cells = common(&function("function"), "block");
            cells.extend([
                ("slot", truth["slot"].clone()),
                ("context", truth["flags"].clone()),
                ("altitude", Json::Null),
                ("cookie", Json::Null),
            ]);
            cells
        }
    }
}

const KINDS: [(&str, &str); 6] = [
    ("process", "process"),
    ("thread", "thread"),
    ("image", "load_image"),
    ("registry", "registry"),
    ("object-pre", "object"),
    ("object-post", "object"),
];

/// The module around an address by the truth, which for the second function of a pair it does not name.
fn module_around(truth: &Json, at: &Json) -> Json {
    let at = hex(at).unwrap();
    let around = truth["modules"].as_array().unwrap().iter().find(|module| {
        let base = hex(&module["base"]).unwrap();
        (base..base + module["size"].as_u64().unwrap()).contains(&at)
    });
    around.map_or(Json::Null, |module| module["name"].clone())
}

#[test]
fn callbacks_of_shared_dumps() {
    let mut tally = Tally::default();
    for sample in samples() {
        let found = rows(&sample.dump, "callbacks");
        let mut count = 0;
        for (kind, name) in KINDS {
            if sample.unknown() && !kind.starts_with("object") {
                continue;
            }
            for callback in sample.truth["callbacks"][name].as_array().unwrap() {
                let cells = callback_cells(kind, callback);
                let function = cells[1].1.clone();
                if function.is_null() {
                    continue;
                }
                count += 1;
                let place = format!("{} {kind} {function}", sample.place());
                let is_it = |row: &&Json| row["kind"] == kind && row["address"] == function;
                let Some(row) = found.iter().find(is_it) else {
                    tally.check("address", &place, &Json::Null, &function);
                    continue;
                };
                for (column, expected) in cells {
                    tally.check(column, &place, &row[column], &expected);
                }
                let module = module_around(&sample.truth, &function);
                tally.check("module", &place, &row["module"], &module);
                if let Some(told) = callback.get("module").filter(|_| kind != "object-post") {
                    tally.check("module", &place, &row["module"], told);
                }
                // Only the kernel's own symbols are given, and its callbacks begin at no name that they have.
                if !module.is_null() && (module != "ntoskrnl.exe" || sample.unknown()) {
                    tally.check_absent("symbol", &place, row, &[NEEDED]);
                }
            }
        }
        tally.check("row_count", &sample.place(), &found.len().into(), &count.into());
        let expected: Vec<(String, String)> = if sample.unknown() {
            let needed = |kind| (format!("{kind} callbacks"), NEEDED.to_owned());
            ["process", "thread", "image", "registry"].map(needed).into()
        } else {
            Vec::new()
        };
        // The damaged dump has complaints of its own.
        if !sample.name.starts_with("e5") {
            assert_eq!(complaints(&sample.dump, "callbacks"), expected, "{}", sample.place());
        }
    }
    tally.finish_shared("callbacks");
}

#[test]
fn the_hooked_callback_and_no_other_is_told() {
    for sample in samples() {
        let hooks = sample.truth["hooks"].as_array().cloned().unwrap_or_default();
        let hooked = hooks.iter().filter(|hook| hook["kind"] == "notify_callback_outside_modules");
        let expected: Vec<String> = hooked
            .map(|hook| format!("thread callback {} lies in no loaded module", at(&hook["target"]).as_str().unwrap()))
            .collect();
        assert_eq!(expected.len(), usize::from(sample.name.starts_with("e7")), "{}", sample.name);
        assert_eq!(remarks(&sample.dump, "callbacks"), expected, "{}", sample.place());
    }
}

const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];

/// The layouts of one kernel, and nothing else.
struct Given(Layouts);

impl LayoutSource for Given {
    fn name(&self) -> &'static str {
        "given"
    }

    fn tables(&self) -> Vec<TableInfo> {
        vec![TableInfo { version: self.0.version().unwrap(), id: self.0.id() }]
    }

    fn load(&self, _: &[usize]) -> Result<Vec<Layouts>, CoreError> {
        Ok(vec![self.0.clone()])
    }
}

/// Layouts with other symbols.
fn with_symbols(layouts: &Layouts, symbols: Vec<(Name, ntlens::address::Rva)>) -> Layouts {
    let structs = layouts.structures().map(|def| Arc::new(def.clone()));
    let enums = layouts.enumerations().map(|def| Arc::new(def.clone()));
    Layouts::new(layouts.version(), layouts.id(), structs, enums, symbols)
}

/// All that is known of a build's kernel. The embedded symbols of Windows 7 and 8.1 lack the table of providers; here it is
/// placed where the image of 9600.20778 has it, beside the sessions.
fn complete(build: u32) -> Layouts {
    let layouts = ntlens_testkit::layouts(&kit::kernel(build)).unwrap();
    let mut symbols: Vec<(Name, ntlens::address::Rva)> =
        layouts.symbols().map(|(name, rva)| (name.into(), rva)).collect();
    if let Ok(loggers) = layouts.symbol("WmipLoggerContext") {
        symbols.push(("EtwpGuidHashTable".into(), ntlens::address::Rva(loggers.0 + 0x3c0)));
    }
    with_symbols(&layouts, symbols)
}

fn open_given(place: &str, image: &Image, kind: Kind, layouts: Layouts) -> OpenDump {
    let bytes = kit::dump(image, kind).0;
    OpenDump::open(place, Arc::new(bytes), &Given(layouts), Options::default()).unwrap()
}

fn pid_and_name(image: &Image, pid: u64) -> String {
    format!("{pid} {}", image.truth().process(pid).unwrap().image_name)
}

fn check_logger(tally: &mut Tally, place: &str, image: &Image, row: &Json, logger: &truth::Logger) {
    for (field, value) in &logger.fields {
        let (column, expected) = logger_cell(field, *value);
        tally.check(&column, place, &row[&column], &expected);
    }
    let consumers: Vec<String> = logger.consumers.iter().map(|pid| pid_and_name(image, *pid)).collect();
    let enabled = |provider: &&truth::Provider| {
        provider.silo == logger.silo && provider.enabled.iter().any(|enable| u32::from(enable.logger_id) == logger.slot)
    };
    let providers = image.truth().providers.iter().filter(enabled).count();
    let security = ["Circular Kernel Context Logger", "Eventlog-Security", "DefenderApiLogger"];
    for (column, expected) in [
        ("name", logger.name.as_str().into()),
        ("log_file", logger.log_file.as_deref().map_or(Json::Null, Json::from)),
        ("start_time", kit::time(logger.start_time)),
        ("instance_guid", logger.instance_guid.as_str().into()),
        ("logger_thread", address(logger.logger_thread)),
        ("logger_thread_pid", 4.into()),
        ("silo", logger.silo.map_or(Json::Null, address)),
        ("flags", logger.flags.as_slice().into()),
        ("consumers", consumers.into()),
        ("owner_sid", logger.owner.as_deref().map_or(Json::Null, Json::from)),
        ("provider_count", providers.into()),
        ("security_relevant", security.contains(&logger.name.as_str()).into()),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
}

fn check_provider(tally: &mut Tally, place: &str, image: &Image, row: &Json, provider: &truth::Provider) {
    let enabled = &provider.enabled;
    let texts = |get: fn(&truth::Enable) -> String| -> Json { enabled.iter().map(get).collect() };
    let words = |get: fn(&truth::Enable) -> u64| -> Json { enabled.iter().map(|one| address(get(one))).collect() };
    let session = |enable: &truth::Enable| {
        let is_it =
            |logger: &&truth::Logger| logger.slot == u32::from(enable.logger_id) && logger.silo == provider.silo;
        image.truth().loggers.iter().find(is_it).map(|logger| logger.name.clone())
    };
    let registrants = provider.processes.iter().map(|pid| pid_and_name(image, *pid));
    let modules = provider.callbacks.iter().map(|(_, module)| format!("kernel {}", module.as_deref().unwrap()));
    let registrants: Vec<String> = registrants.chain(modules).collect();
    let known = match &*provider.guid {
        "f4e1897c-bb5d-5668-f1d8-040f4d8dd344" => Some("Microsoft-Windows-Threat-Intelligence"),
        "54849625-5478-4994-a5ba-3e3b0328c30d" => Some("Microsoft-Windows-Security-Auditing"),
        "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716" => Some("Microsoft-Windows-Kernel-Process"),
        _ => None,
    };
    for (column, expected) in [
        ("guid", provider.guid.as_str().into()),
        ("name", known.map_or(Json::Null, Json::from)),
        ("security_relevant", known.is_some().into()),
        ("type", provider.kind.into()),
        ("silo", provider.silo.map_or(Json::Null, address)),
        ("enabled", texts(|enable| enable.logger_id.to_string())),
        ("enabled_names", enabled.iter().map(|enable| session(enable).unwrap()).collect()),
        ("levels", texts(|enable| enable.level.to_string())),
        ("match_any_keywords", words(|enable| enable.match_any)),
        ("match_all_keywords", words(|enable| enable.match_all)),
        ("enable_properties", words(|enable| enable.property.into())),
        ("registrations", registrants.len().into()),
        ("registered_by", registrants.into()),
        ("callbacks", provider.callbacks.iter().map(|(function, _)| address(*function)).collect()),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
}

fn check_callback(tally: &mut Tally, place: &str, row: &Json, callback: &truth::Callback) {
    for (column, expected) in [
        ("kind", callback.kind.into()),
        ("address", address(callback.function)),
        ("module", callback.module.as_deref().map_or(Json::Null, Json::from)),
        ("slot", callback.slot.map_or(Json::Null, Json::from)),
        ("entry", address(callback.entry)),
        ("context", callback.context.into()),
        ("altitude", callback.altitude.as_deref().map_or(Json::Null, Json::from)),
        ("cookie", callback.cookie.map_or(Json::Null, Json::from)),
        ("object_type", callback.object_type.map_or(Json::Null, Json::from)),
        ("operations_raw", callback.operations.map_or(Json::Null, Json::from)),
        ("enabled", callback.enabled.map_or(Json::Null, Json::from)),
    ] {
        tally.check(column, place, &row[column], &expected);
    }
}

fn check_sensors(tally: &mut Tally, place: &str, image: &Image, dump: &OpenDump) {
    let truth = image.truth();
    for table in ["loggers", "providers", "callbacks"] {
        tally.check("incomplete", &format!("{place} {table}"), &json!(complaints(dump, table)), &json!([]));
    }
    let found = rows(dump, "loggers");
    tally.check("loggers", place, &found.len().into(), &truth.loggers.len().into());
    let by_address = by(&found, "logger");
    for logger in &truth.loggers {
        let row = by_address[address(logger.va).as_str().unwrap()];
        check_logger(tally, &format!("{place} {}", logger.name), image, row, logger);
    }
    let found = rows(dump, "providers");
    tally.check("providers", place, &found.len().into(), &truth.providers.len().into());
    let by_address = by(&found, "guid_entry");
    for provider in &truth.providers {
        let row = by_address[address(provider.va).as_str().unwrap()];
        check_provider(tally, &format!("{place} {}", provider.guid), image, row, provider);
    }
    let found = rows(dump, "callbacks");
    tally.check("callbacks", place, &found.len().into(), &truth.callbacks.len().into());
    for callback in &truth.callbacks {
        let is_it = |row: &&Json| row["address"] == address(callback.function);
        let row = found.iter().find(is_it).unwrap_or(&Json::Null);
        check_callback(tally, &format!("{place} {} {:#x}", callback.kind, callback.function), row, callback);
    }
}

#[test]
fn sensors_of_the_testkit_on_every_build() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let layouts = complete(build);
        let image = kit::watched(layouts.clone()).build();
        for kind in [Kind::BitmapKernel { live: false }, Kind::Raw] {
            let place = format!("{build} {kind:?}");
            check_sensors(&mut tally, &place, &image, &open_given(&place, &image, kind, layouts.clone()));
        }
    }
    tally.finish("testkit sensors");
}

#[test]
fn without_symbols_the_block_for_debuggers_leads_to_the_sessions() {
    let mut tally = Tally::default();
    for build in BUILDS {
        let layouts = complete(build);
        let nameless = with_symbols(&layouts, Vec::new());
        for told in [true, false] {
            let machine = kit::watched(layouts.clone());
            let image = if told { machine.debugger_data().build() } else { machine.build() };
            let place = format!("{build}, told: {told}");
            let dump = open_given(&place, &image, Kind::BitmapFull { active: false }, nameless.clone());
            let (loggers, providers) = (rows(&dump, "loggers"), rows(&dump, "providers"));
            let of_host = image.truth().loggers.iter().filter(|logger| told || logger.silo.is_some());
            let expected: Vec<Json> = of_host.map(|logger| address(logger.va)).collect();
            let found: Vec<Json> = loggers.iter().map(|row| row["logger"].clone()).collect();
            tally.check("loggers", &place, &found.into(), &expected.into());
            // Before Windows 10 nothing leads from the sessions to the providers.
            let has_providers = |provider: &&truth::Provider| build >= 14393 && (told || provider.silo.is_some());
            let expected = image.truth().providers.iter().filter(has_providers).count();
            tally.check("providers", &place, &providers.len().into(), &expected.into());
            let complaints = complaints(&dump, "loggers");
            let complete = told && build >= 14393;
            tally.check("complaints", &place, &complaints.len().into(), &usize::from(!complete).into());
            assert!(complaints.iter().all(|(_, reason)| reason == NEEDED), "{place}: {complaints:?}");
            let kinds = rows(&dump, "callbacks").iter().map(|row| row["kind"].clone()).collect::<Vec<_>>();
            let objects = image.truth().callbacks.iter().map(|callback| callback.kind);
            let objects: Vec<&str> = objects.filter(|kind| kind.starts_with("object")).collect();
            tally.check("callbacks", &place, &kinds.into(), &objects.into());
        }
    }
    tally.finish("sensors without symbols");
}

#[test]
fn what_should_not_be_is_remarked() {
    let layouts = complete(19041);
    let image = kit::watched(layouts.clone()).build();
    let dump = open_given("remarks", &image, Kind::Full, layouts.clone());
    let outside = image.truth().callbacks.iter().find(|callback| callback.module.is_none()).unwrap();
    let off: Vec<&truth::Callback> =
        image.truth().callbacks.iter().filter(|callback| callback.enabled == Some(false)).collect();
    let mut expected = vec![format!("thread callback {:#018x} lies in no loaded module", outside.function)];
    expected.extend(off.iter().map(|one| format!("{} callback {:#018x} is switched off", one.kind, one.function)));
    assert_eq!(remarks(&dump, "callbacks"), expected);
    // In the host it is enabled; in the container nobody listens, which is usual.
    assert!(remarks(&dump, "providers").is_empty(), "{:?}", remarks(&dump, "providers"));
    assert!(remarks(&dump, "loggers").is_empty(), "{:?}", remarks(&dump, "loggers"));

    let mut machine = kit::bare(19041);
    machine
        .logger(ntlens_testkit::LoggerSpec::named("EventLog-Security"))
        .provider(ProviderSpec::new(0xf4e1_897c_bb5d_5668_f1d8_040f_4d8d_d344).module(None));
    let image = machine.build();
    let dump = kit::open("bare", kit::dump(&image, Kind::Full).0);
    let callback = image.truth().providers[0].callbacks[0].0;
    let name = "Microsoft-Windows-Threat-Intelligence";
    assert_eq!(
        remarks(&dump, "providers"),
        [
            format!("{name} is enabled for no session"),
            format!("{name} calls {callback:#018x}, which lies in no loaded module")
        ]
    );
    assert_eq!(remarks(&dump, "loggers"), ["session 2 (events of the Security log) has no enabled provider"]);
}

#[test]
fn a_triage_dump_has_no_sensors() {
    let image = kit::watched(complete(19041)).build();
    let dump = kit::open("triage", kit::dump(&image, Kind::Triage).0);
    for table in ["loggers", "providers", "callbacks"] {
        assert!(rows(&dump, table).is_empty(), "{table}");
        assert_eq!(complaints(&dump, table)[0].1, "not-in-dump", "{table}");
    }
}

/// A value that other revisions of the build may place elsewhere is right or absent.
#[test]
fn with_layouts_of_other_revisions_values_are_right_or_need_symbols() {
    let mut tally = Tally::default();
    for build in BUILDS.into_iter().filter(|build| *build > 7601) {
        let layouts = ntlens_testkit::layouts(&kit::kernel(build)).unwrap();
        let image = kit::watched(layouts.clone()).debugger_data().build();
        let place = build.to_string();
        let bytes = kit::dump(&image, Kind::Full).0;
        let exact = kit::open(&place, bytes.clone());
        let others = others::others(layouts.id(), |layouts| layouts);
        let dump = OpenDump::open(place.as_str(), Arc::new(bytes), &others, Options::default()).unwrap();
        assert_eq!(rows(&dump, "info")[0]["layout_origin"], "build", "{build}");
        for (table, key) in [("loggers", "logger"), ("providers", "guid_entry"), ("callbacks", "address")] {
            let expected = rows(&exact, table);
            let expected = by(&expected, key);
            let found = rows(&dump, table);
            if table == "loggers" {
                // In 17763 the revisions place the array differently, and nothing tells where a container has it.
                let container = ("trace sessions of a container".to_owned(), NEEDED.to_owned());
                let lost = usize::from(build == 17763 && complaints(&dump, table).contains(&container));
                tally.check("loggers", &place, &(found.len() + lost).into(), &image.truth().loggers.len().into());
            }
            for row in found {
                let place = format!("{place} {table} {}", row[key]);
                let right = expected[row[key].as_str().unwrap()];
                for (column, value) in row.as_object().unwrap().iter().filter(|(column, _)| *column != "absent") {
                    if row["absent"][column] == NEEDED {
                        tally.check_absent(column, &place, &row, &[NEEDED]);
                    } else {
                        tally.check(column, &place, value, &right[column]);
                    }
                }
            }
        }
    }
    tally.finish("sensors with layouts of other revisions");
}
