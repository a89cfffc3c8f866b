//! Machines by random calls of the testkit's builder: what was written is what is read, table by table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{Tally, address, document_with};
use kit::{bare, check_all, dump, open};
use ntlens::OpenDump;
use ntlens::report::{Argument, Arguments};
use ntlens_testkit::truth::Truth;
use ntlens_testkit::{
    HandleSpec, Image, JobSpec, Kind, Machine, ModuleSpec, PageState, Placement, ProcessSpec, RUNNING_AT, Silo,
    TokenSpec, session_path,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value as Json, json};

const BUILDS: [u32; 8] = [7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000];

/// Wishes about one process.
#[derive(Clone, Debug)]
struct Wish {
    name: String,
    session: Option<u32>,
    integrity: u32,
    protection: u8,
    threads: u32,
    job: Option<Index>,
    bits: u8,
    page: PageState,
}

/// One call of the builder. What it refers to is one of what was added before.
#[derive(Clone, Debug)]
enum Call {
    Process(Wish),
    Job { session: u32, parent: Option<Index>, silo: Silo, unlisted: bool, limits: u32 },
    Named { kind: &'static str, session: u32, number: u8 },
    CrossSessionEvent { holder: Index, session: u32, access: u32 },
    Handle { holder: Index, target: u8, other: Index, access: u32, attributes: u8 },
    Module { hidden: bool, paged_out: bool },
}

fn wish() -> impl Strategy<Value = Wish> {
    let page = select(vec![
        PageState::Resident,
        PageState::Transition,
        PageState::PageFile { file: 1, page: 7 },
        PageState::Prototype,
    ]);
    let level = select(vec![0, 0x1000, 0x1fff, 0x2000, 0x2100, 0x3000, 0x4000]);
    let job = prop::option::of(any::<Index>());
    let level_of_protection = select(vec![0_u8, 0x31, 0x41, 0x61, 0x62, 0x72, 0x39]);
    ("[a-z]{1,20}", prop::option::of(0_u32..4), level, level_of_protection, 1_u32..5, job, any::<u8>(), page).prop_map(
        |(name, session, integrity, protection, threads, job, bits, page)| Wish {
            name,
            session,
            integrity,
            protection,
            threads,
            job,
            bits,
            page,
        },
    )
}

fn call() -> impl Strategy<Value = Call> {
    let silo = select(vec![Silo::None, Silo::Application, Silo::Server]);
    let parent = prop::option::of(any::<Index>());
    let kind = select(vec!["Event", "Mutant", "Section", "Semaphore"]);
    let access = 0_u32..0x20_0000;
    prop_oneof![
        5 => wish().prop_map(Call::Process),
        2 => (0_u32..4, parent, silo, any::<bool>(), any::<u32>()).prop_map(|(session, parent, silo, unlisted, limits)| {
            Call::Job { session, parent, silo, unlisted, limits }
        }),
        2 => (kind, 0_u32..4, any::<u8>()).prop_map(|(kind, session, number)| Call::Named { kind, session, number }),
        2 => (any::<Index>(), 0_u32..4, access.clone()).prop_map(|(holder, session, access)| {
            Call::CrossSessionEvent { holder, session, access }
        }),
        8 => (any::<Index>(), 0_u8..8, any::<Index>(), access, 0_u8..8).prop_map(
            |(holder, target, other, access, attributes)| Call::Handle { holder, target, other, access, attributes },
        ),
        1 => any::<[bool; 2]>().prop_map(|[hidden, paged_out]| Call::Module { hidden, paged_out }),
    ]
}

/// What the calls have added so far.
struct Made {
    machine: Machine,
    /// Processes that live: handles lead to them and from them.
    alive: Vec<u64>,
    paths: Vec<String>,
    jobs: usize,
    modules: u32,
}

impl Made {
    fn apply(&mut self, call: Call) {
        match call {
            Call::Process(wish) => self.process(wish),
            Call::Job { session, parent, silo, unlisted, limits } => {
                let spec = JobSpec::of_session(session).silo(silo).limits(limits, limits >> 24);
                let spec = match parent.filter(|_| self.jobs > 0) {
                    Some(parent) => spec.inside(parent.index(self.jobs)),
                    None => spec,
                };
                // A job that is in no list is found by a handle, a process or another job only.
                let job = self.machine.job(if unlisted { spec.unlisted() } else { spec });
                self.machine.handle(4, HandleSpec::job(job, 0x4));
                self.jobs += 1;
            }
            Call::Named { kind, session, number } => {
                let path = session_path(session, &format!("{kind}{number}"));
                if !self.paths.contains(&path) {
                    self.machine.named_object(kind, &path);
                    self.paths.push(path);
                }
            }
            Call::CrossSessionEvent { holder, session, access } => {
                let holder = *holder.get(&self.alive);
                self.machine.cross_session_event(holder, session, "Vendor.Ready", access);
            }
            Call::Handle { holder, target, other, access, attributes } => {
                let (holder, pid) = (*holder.get(&self.alive), *other.get(&self.alive));
                let spec = match target {
                    0 => HandleSpec::process(pid, access),
                    1 => HandleSpec::thread(pid, access),
                    2 => HandleSpec::token(pid, access),
                    3 if !self.paths.is_empty() => HandleSpec::named(other.get(&self.paths), access),
                    4 if self.jobs > 0 => HandleSpec::job(other.index(self.jobs), access),
                    5 => HandleSpec::key(format!("\\REGISTRY\\MACHINE\\SOFTWARE\\K{pid}\\ключ"), access),
                    6 => HandleSpec::file(format!("\\Device\\Volume\\folder\\{pid}.dat"), access),
                    _ => HandleSpec::unnamed("Event", u32::try_from(other.index(9)).unwrap(), access),
                };
                self.machine.handle(holder, spec.attributes(attributes));
            }
            Call::Module { hidden, paged_out } => {
                let spec = ModuleSpec::named(format!("m{}.sys", self.modules));
                let spec = if hidden { spec.hidden() } else { spec };
                self.machine.module(if paged_out { spec.paged_out() } else { spec });
                self.modules += 1;
            }
        }
    }

    fn process(&mut self, wish: Wish) {
        let rid = 1000 + wish.session.unwrap_or(500);
        let mut spec = ProcessSpec::named(wish.name)
            .protection(wish.protection)
            .threads(wish.threads)
            .token(TokenSpec::user(rid, wish.integrity))
            .peb_page(wish.page)
            .image_path_page(wish.page);
        spec = match wish.session {
            Some(session) => spec.session(session),
            None => spec.no_session(),
        };
        let bit = |number: u8| wish.bits >> number & 1 == 1;
        for (number, change) in [
            ProcessSpec::critical as fn(ProcessSpec) -> ProcessSpec,
            ProcessSpec::wow64,
            ProcessSpec::cross_session,
            ProcessSpec::hidden,
        ]
        .into_iter()
        .enumerate()
        {
            spec = if bit(u8::try_from(number).unwrap()) { change(spec) } else { spec };
        }
        // Nothing would show a hidden one that ended.
        let ended = wish.bits >> 4 == 0xf && !bit(3);
        if ended {
            spec = spec.exited(RUNNING_AT);
        } else if let Some(job) = wish.job.filter(|_| self.jobs > 0) {
            spec = spec.job(job.index(self.jobs));
        }
        let pid = self.machine.process(spec);
        if !ended {
            self.alive.push(pid);
        }
    }
}

fn machine(build: u32, seed: u64, placement: Placement, calls: Vec<Call>) -> Image {
    let mut machine = bare(build).seed(seed).placement(placement);
    machine.typical_hives().named_object("Device", "\\Device\\Volume");
    let mut made = Made { machine, alive: vec![4], paths: Vec::new(), jobs: 0, modules: 0 };
    for call in calls {
        made.apply(call);
    }
    made.machine.build()
}

fn rows(tally: &mut Tally, place: &str, dump: &OpenDump, table: &str) -> Vec<Json> {
    // All processes where a question is about the active list alone.
    let takes_all = ["handles", "crossings"].contains(&table);
    let arguments = if takes_all { Arguments::default().with("all", Argument::Flag) } else { Arguments::default() };
    let document = document_with(dump, table, &arguments);
    tally.check("incomplete", &format!("{place} {table}"), &document["incomplete"], &json!([]));
    document["rows"].as_array().unwrap().clone()
}

/// Rows as these columns alone, in any order.
fn narrowed(rows: &[Json], columns: &[&str]) -> Vec<String> {
    let row = |row: &Json| Json::from(columns.iter().map(|column| row[*column].clone()).collect::<Vec<_>>());
    sorted(rows.iter().map(row))
}

fn sorted(rows: impl Iterator<Item = Json>) -> Vec<String> {
    let mut rows: Vec<String> = rows.map(|row| row.to_string()).collect();
    rows.sort();
    rows
}

/// Compares a whole table.
fn same(tally: &mut Tally, place: &str, table: &str, found: &[String], expected: &[String]) {
    for row in expected {
        tally.check(table, place, &found.contains(row).into(), &true.into());
        if !found.contains(row) {
            tally.check(table, place, &Json::Null, &row.as_str().into());
        }
    }
    let extra: Vec<&String> = found.iter().filter(|row| !expected.contains(row)).collect();
    tally.check(table, place, &json!([found.len(), extra]), &json!([expected.len(), []]));
}

fn hex(value: Option<u64>) -> Json {
    value.map_or(Json::Null, address)
}

fn check_tokens(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth) {
    const COLUMNS: [&str; 9] = [
        "token",
        "user_sid",
        "groups",
        "integrity_rid",
        "privileges_present_raw",
        "privileges_enabled_raw",
        "token_session_id",
        "logon_id",
        "flags_raw",
    ];
    let found = narrowed(&rows(tally, place, dump, "tokens"), &COLUMNS);
    let expected = truth.processes.iter().map(|process| {
        let token = &process.token;
        let groups: Vec<&str> = token.sids.iter().map(|group| group.sid.as_str()).collect();
        json!([
            address(token.va),
            token.user,
            groups,
            token.integrity_rid,
            token.privileges_present,
            token.privileges_enabled,
            token.session_id,
            token.auth_id,
            token.token_flags
        ])
    });
    same(tally, place, "tokens", &found, &sorted(expected));
}

fn check_handles(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth) {
    const COLUMNS: [&str; 6] = ["pid", "handle", "object", "type", "granted_access", "name"];
    let found = narrowed(&rows(tally, place, dump, "handles"), &COLUMNS);
    let expected = truth.processes.iter().flat_map(|process| {
        process.handles.iter().map(|handle| {
            let name = kit::contract_name(truth, handle);
            json!([process.pid, handle.handle, address(handle.object), handle.kind, handle.access, name])
        })
    });
    same(tally, place, "handles", &found, &sorted(expected));
}

const OF_JOBS: [&str; 7] =
    ["job", "session_id", "processes", "limit_flags_raw", "ui_restrictions_raw", "parent_job", "server_silo_globals"];

fn check_groups(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth) {
    let found = narrowed(&rows(tally, place, dump, "sessions"), &["session_id", "space", "processes"]);
    let expected = truth.sessions.iter().map(|known| json!([known.session_id, address(known.va), known.pids]));
    same(tally, place, "sessions", &found, &sorted(expected));
    let found = narrowed(&rows(tally, place, dump, "jobs"), &OF_JOBS);
    let expected = truth.jobs.iter().map(|job| {
        let (parent, globals) = (hex(job.parent), hex(job.silo_globals));
        json!([address(job.va), job.session_id, job.processes, job.limit_flags, job.ui_restrictions, parent, globals])
    });
    same(tally, place, "jobs", &found, &sorted(expected));
}

fn check_crossings(tally: &mut Tally, place: &str, dump: &OpenDump, truth: &Truth) {
    let all = rows(tally, place, dump, "crossings");
    let of = |border: &str| all.iter().filter(|row| row["border"] == border).cloned().collect::<Vec<_>>();
    let columns = ["holder_pid", "handle", "object", "path", "relation", "object_session_id"];
    let expected = truth.cross_session.iter().map(|known| {
        let relation = known.class.replace('_', "-");
        json!([known.pid, known.handle, address(known.object), known.path, relation, known.namespace_session])
    });
    same(tally, place, "crossings of sessions", &narrowed(&of("session"), &columns), &sorted(expected));
    let columns = ["holder_pid", "handle", "object", "path", "holder_silo", "object_silo"];
    let expected = truth.cross_silo.iter().map(|known| {
        let (holder, home) = (hex(known.holder_silo), hex(known.home_silo));
        json!([known.pid, known.handle, address(known.object), known.path, holder, home])
    });
    same(tally, place, "crossings of containers", &narrowed(&of("silo"), &columns), &sorted(expected));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_what_is_read(
        calls in prop::collection::vec(call(), 1..60),
        build in select(BUILDS.to_vec()),
        seed: u64,
        placement in select(vec![Placement::Ascending, Placement::Descending, Placement::Scattered]),
        kind in select(Kind::ALL.into_iter().filter(|kind| *kind != Kind::Triage).collect::<Vec<_>>()),
    ) {
        let image = machine(build, seed, placement, calls);
        let (bytes, truth) = dump(&image, kind);
        let place = format!("{build} {kind}");
        let opened = open(&place, bytes);
        let mut tally = Tally::default();
        check_all(&mut tally, &place, &opened, &truth, kind);
        check_tokens(&mut tally, &place, &opened, &truth);
        check_handles(&mut tally, &place, &opened, &truth);
        check_groups(&mut tally, &place, &opened, &truth);
        check_crossings(&mut tally, &place, &opened, &truth);
        tally.finish("random calls");
    }
}
