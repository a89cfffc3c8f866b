//! Names that do something to who reads an answer: in every place that shows one, as every format.
//!
//! One machine has such a name wherever the testkit can put one. What is written steers no terminal, breaks no line, starts no
//! formula; what programs read is the exact name.

use super::*;
use ntlens::Symbols;
use ntlens::names::Names;
use ntlens::render::escape::is_visible;
use ntlens::report::page::page;
use ntlens::report::{Argument, Arguments, Cell, OneByOne, Table, Value};
use ntlens_testkit::{
    CallbackKind, CallbackSpec, HandleSpec, HandleTarget, JobSpec, LoggerSpec, ModuleSpec, ProviderSpec,
};

/// What a name can do, and a name that does it, without the separator of paths.
const HOSTILE: [&str; 22] = [
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;owned\u{7}",
    "\u{9b}2Jcleared",
    "\u{8}\u{8}\u{7f}",
    "two\nlines",
    "two\r\nlines\r",
    "\u{85}\u{2028}\u{2029}\u{b}\u{c}",
    "\u{202e}fdp.exe",
    "\u{2066}a\u{2069}\u{200f}\u{61c}",
    "ze\u{200b}ro\u{200d}\u{feff}\u{ad}",
    "\u{e0041}\u{e007f}tag",
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "=cmd|'/c'!A0",
    "a,b;\"c\"|d",
    "<b>&amp;\"'</b>",
    "../../../x",
    "nul\0l",
];

/// Names that are paths.
const PATHS: [&str; 5] = ["..\\..\\..\\x", "C:\\x", "\\\\server\\share\\x", "/etc/passwd", "\\??\\C:\\x"];

/// Code units that the longest `UNICODE_STRING` holds.
const LONGEST: usize = 32767;

/// Where half of a pair of code units is put, in place of this name.
const HALF: &str = "half.sys";

/// A name in Latin letters for what holds the others.
const DEVICE: &str = "\\Device\\HarddiskVolume3";

static MACHINE: LazyLock<Image> = LazyLock::new(|| {
    let mut machine = bare(19041).memory(32 << 20).processors(1);
    machine.named_object("Device", DEVICE);
    machine.typical_modules(3);
    let longest = "x".repeat(LONGEST - 1);
    for (name, index) in HOSTILE.into_iter().chain(PATHS).zip(0..) {
        let object = format!("\\BaseNamedObjects\\{index}{}", name.replace('\\', "/"));
        machine.named_object("Event", &object).named_object("SymbolicLink", format!("{object}.link"));
        let job =
            machine.job(JobSpec::of_session(1).path(format!("\\BaseNamedObjects\\{}.job", name.replace('\\', "/"))));
        let targets = [
            HandleTarget::Named(object),
            HandleTarget::File(format!("{DEVICE}\\{name}")),
            HandleTarget::Key(format!("\\REGISTRY\\MACHINE\\{}", name.replace('\\', "/"))),
            HandleTarget::Mapped(format!("{DEVICE}\\mapped{name}")),
        ];
        let spec =
            ProcessSpec::named(name).session(1).job(job).image_path(format!("{DEVICE}\\{name}")).command_line(name);
        let handles = targets.into_iter().map(|target| HandleSpec::new(target, 0x1f_ffff));
        let pid = machine.process(handles.fold(spec, ProcessSpec::handle));
        if index % 5 == 0 {
            machine.hide(pid);
        }
        machine.module(ModuleSpec::named(name)).unloaded(name);
        machine.callback(CallbackSpec::new(CallbackKind::Registry, Some(name)).altitude(name));
        machine
            .logger(LoggerSpec::named(name).log_file(name))
            .provider(ProviderSpec::new(index + 1).module(Some(name)).process(pid));
    }
    machine.process(ProcessSpec::named("long.exe").command_line(longest.as_str()).image_path(longest.as_str()));
    machine.module(ModuleSpec::named(HALF));
    let mut image = machine.build();
    // No text of Rust has half of a pair.
    let entry = image.truth().modules.iter().find(|module| module.name == HALF).unwrap().entry;
    let name = read_u64(&image, entry + offset(&image, "_KLDR_DATA_TABLE_ENTRY", "BaseDllName.Buffer"));
    image.write_kernel(name, &[0x00, 0xd8, 0x41, 0x00, 0x00, 0xdc]);
    image
});

/// Every answer about a dump, with a name for it.
fn tables(dump: &OpenDump) -> Vec<(String, Table)> {
    let mut tables = Vec::new();
    for question in QUESTIONS {
        let mut arguments = Arguments::default();
        let has = |name: &str| question.parameters().iter().any(|parameter| parameter.name == name);
        if question.parameters().iter().any(|parameter| parameter.needed) {
            arguments = arguments.with("type", Argument::Text("Event".into()));
        }
        if has("all") {
            arguments = arguments.with("all", Argument::Flag);
        }
        for wanted in [Wanted::All, Wanted::Screen] {
            let table = question.ask_with(dump, &arguments, wanted, &OneByOne);
            tables.push((
                format!("{} {wanted:?}", question.name()),
                table.unwrap_or_else(|error| panic!("{}: {error}", question.name())),
            ));
        }
    }
    let names = Names::of(dump, &Arc::new(Symbols::embedded().unwrap())).unwrap();
    tables.push(("symbols".into(), names.table()));
    tables.push(("names".into(), ntlens::names::found(&names.addresses("nt!Ps*"))));
    tables
}

fn written(dump: &OpenDump, format: Format, table: &Table, terminal: Terminal) -> String {
    let mut out = Vec::new();
    render::write(&mut out, format, Some(dump), table, terminal).unwrap();
    String::from_utf8(out).unwrap()
}

/// Whether each line is one that a terminal only shows.
fn check_shown(place: &str, text: &str, color: bool) {
    for line in text.split('\n') {
        // Colours are this program's own.
        let plain = if color { without_colors(line) } else { line.to_owned() };
        assert!(is_visible(&plain), "{place}: {line:?}");
    }
}

/// A line without `ESC [ digits and semicolons m`.
fn without_colors(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        let rest = part.trim_start_matches(|char: char| char.is_ascii_digit() || char == ';');
        shown + rest.strip_prefix('m').unwrap_or("\u{1b}")
    })
}

fn texts(cell: &Cell) -> Vec<String> {
    match cell.value() {
        Some(Value::Text(text)) => vec![text.as_str().into()],
        Some(Value::List(texts)) => texts.iter().map(|text| text.as_str().into()).collect(),
        _ => Vec::new(),
    }
}

fn texts_of(value: &Json) -> Vec<String> {
    match value {
        Json::String(text) => vec![text.clone()],
        Json::Array(values) => values.iter().flat_map(texts_of).collect(),
        _ => Vec::new(),
    }
}

/// The exact texts of an answer, in both forms of JSON; and how many there are.
fn check_json(place: &str, dump: &OpenDump, table: &Table) -> usize {
    let document: Json = serde_json::from_str(&written(dump, Format::Json, table, Terminal::default())).unwrap();
    let lines = written(dump, Format::Jsonl, table, Terminal::default());
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(document["rows"].as_array().unwrap(), &lines, "{place}");
    assert_eq!(lines.len(), table.rows.len(), "{place}");
    let mut compared = 0;
    for (row, cells) in lines.iter().zip(&table.rows) {
        for (column, cell) in table.columns.iter().zip(cells) {
            let exact = texts(cell);
            if !exact.is_empty() {
                assert_eq!(texts_of(&row[column.name]), exact, "{place} {}", column.name);
                compared += exact.len();
            }
        }
    }
    compared
}

fn check_csv(place: &str, text: &str, rows: usize) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), rows, "{place}");
    for cell in records.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{place}: {cell:?}");
        assert!(!cell.contains(['\n', '\r']), "{place}: {cell:?}");
    }
}

/// The places where each name of the machine must be found, exactly: table, column, what stands before it.
const SHOWN: [(&str, &str, &str); 11] = [
    ("processes", "name", ""),
    ("processes", "command_line", ""),
    ("processes", "image_path", "\\Device\\HarddiskVolume3\\"),
    ("modules", "name", ""),
    ("unloaded", "name", ""),
    ("loggers", "name", ""),
    ("loggers", "log_file", ""),
    ("callbacks", "altitude", ""),
    ("handles", "name", "\\Device\\HarddiskVolume3\\"),
    ("handles", "name", "\\REGISTRY\\MACHINE\\"),
    ("jobs", "name", "\\BaseNamedObjects\\"),
];

#[test]
fn every_answer_shows_hostile_names_and_keeps_them() {
    let dump = kit::open("hostile", dump(&MACHINE, Kind::Full).0);
    let tables = tables(&dump);
    let (mut checked, mut exact) = (0, 0);
    for (place, table) in &tables {
        for terminal in
            [Terminal::default(), Terminal { width: Some(80), color: true }, Terminal { width: Some(20), color: false }]
        {
            let shown = written(&dump, Format::Table, table, terminal);
            check_shown(&format!("{place} as table"), &shown, terminal.color);
            checked += shown.lines().count();
        }
        for format in [Format::Json, Format::Jsonl, Format::Csv] {
            check_shown(&format!("{place} as {format:?}"), &written(&dump, format, table, Terminal::default()), false);
        }
        exact += check_json(place, &dump, table);
        check_csv(place, &written(&dump, Format::Csv, table, Terminal::default()), table.rows.len());
        let remarks = render::missing(&table.incomplete, usize::MAX).into_iter().chain(table.remarks.clone());
        // What goes to standard error passes through the same function.
        remarks.for_each(|text| assert!(is_visible(&render::escape::visible(&text))));
    }
    common::record(&format!("hostile names: {} tables, {checked} lines, {exact} texts exact", tables.len()));
    assert!(checked > 10_000 && exact > 5000, "{checked} {exact}");
    let whole = |name: &str| &tables.iter().find(|(place, _)| *place == format!("{name} All")).unwrap().1;
    for (table, column, before) in SHOWN {
        let found = whole(table);
        let at = found.columns.iter().position(|heading| heading.name == column).unwrap();
        let found: BTreeSet<String> = found.rows.iter().flat_map(|row| texts(&row[at])).collect();
        for name in HOSTILE.into_iter().filter(|name| !name.contains('\0')) {
            // Names of processes are bytes, up to fifteen: what is not ASCII has no code page.
            if (table, column) == ("processes", "name") && (!name.is_ascii() || name.len() > 15) {
                continue;
            }
            let behind = if table == "jobs" { ".job" } else { "" };
            let name = format!("{before}{name}{behind}");
            assert!(found.contains(&name), "{table}.{column} has no {name:?}: {found:?}");
        }
    }
    let half = whole("modules").rows.iter().flatten().flat_map(texts).any(|text| text.starts_with("\u{fffd}A\u{fffd}"));
    assert!(half, "half a pair of code units is a replacement character");
    let longest = whole("processes").rows.iter().flatten().flat_map(texts).map(|text| text.len()).max();
    assert_eq!(longest, Some(LONGEST - 1));
}

#[test]
fn pages_and_timelines_show_hostile_names_and_keep_them() {
    let dump = kit::open("hostile", dump(&MACHINE, Kind::Full).0);
    let mut pages = 0;
    for process in MACHINE.truth().processes.iter().filter(|process| process.pid != 4) {
        for wanted in [Wanted::All, Wanted::Screen] {
            let page = page(&dump, &process.pid.to_string(), &[], wanted, &OneByOne).unwrap();
            for format in [Format::Table, Format::Json, Format::Jsonl] {
                let mut out = Vec::new();
                render::write_page(&mut out, format, &dump, &page, Terminal::default()).unwrap();
                let text = String::from_utf8(out).unwrap();
                check_shown(&format!("page of {} as {format:?}", process.pid), &text, false);
                if format == Format::Jsonl {
                    text.lines().for_each(|line| drop(serde_json::from_str::<Json>(line).unwrap()));
                }
                pages += 1;
            }
        }
    }
    assert!(pages > 100, "{pages}");
    let timeline = question("timeline").unwrap().ask(&dump, Wanted::All).unwrap();
    assert!(timeline.rows.len() > 60, "{}", timeline.rows.len());
    for (_, format) in Format::OF_TIMELINE {
        let text = written(&dump, format, &timeline, Terminal::default());
        check_shown(&format!("timeline as {format:?}"), &text, false);
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), timeline.rows.len(), "{format:?}");
        match format {
            Format::Bodyfile => assert!(text.lines().all(|line| line.split('|').count() == 11)),
            _ => text.lines().for_each(|line| drop(serde_json::from_str::<Json>(line).unwrap())),
        }
    }
}
