//! Jobs and sessions that are broken: what is damaged is told, what is not is still found.

use super::*;

/// A raw image of a machine, in which bytes are changed by their virtual addresses.
struct Damaged<'i> {
    image: &'i Image,
    bytes: Vec<u8>,
}

impl<'i> Damaged<'i> {
    fn of(image: &'i Image, bytes: &[u8]) -> Self {
        Self { image, bytes: bytes.to_vec() }
    }

    fn set(mut self, at: u64, value: u64) -> Self {
        let space = self.image.space(4).unwrap();
        let place = space.translate(self.image.memory(), at).expect("mapped").physical;
        let place = usize::try_from(place).unwrap();
        self.bytes[place..place + 8].copy_from_slice(&value.to_le_bytes());
        self
    }

    /// All tables that look at jobs and sessions come, soon.
    fn opens(self, place: &str) -> OpenDump {
        const SOON: Duration = Duration::from_secs(20);
        let start = Instant::now();
        let dump = kit::open(place, self.bytes);
        for table in ["processes", "jobs", "silos", "sessions", "objects"] {
            document(&dump, table);
        }
        assert!(start.elapsed() < SOON, "{place}: {:?}", start.elapsed());
        dump
    }
}

fn complaints(dump: &OpenDump, table: &str) -> String {
    document(dump, table)["incomplete"].to_string()
}

/// Addresses that lead to nothing good: nowhere, into user memory, to an object of another kind.
fn wild(image: &Image) -> [u64; 4] {
    [0xffff_dead_beef_0000, 0x7ff0_0000, image.truth().processes[1].token.va, u64::MAX - 3]
}

#[test]
fn damaged_jobs_cost_only_what_is_damaged() {
    let image = with_jobs(19041, 23);
    let (bytes, truth) = kit::dump(&image, Kind::Raw);
    let field = |structure, name| kit::offset(&image, structure, name);
    let all = truth.jobs.len();
    let inner = truth.jobs.iter().find(|job| job.parent.is_some() && job.processes.len() > 1).unwrap();
    let outer = inner.parent.unwrap();
    let member = truth.processes.iter().find(|process| process.job == Some(inner.va)).unwrap();
    let row_of = |dump: &OpenDump, pid: u64| {
        rows(dump, "processes").into_iter().find(|row| row["pid"] == json!(pid)).expect("the process is there")
    };

    // Jobs that lie in themselves.
    let parent = field("_EJOB", "ParentJob");
    for (place, damaged) in [
        ("in itself", Damaged::of(&image, &bytes).set(inner.va + parent, inner.va)),
        ("in one another", Damaged::of(&image, &bytes).set(outer + parent, inner.va)),
    ] {
        let dump = damaged.opens(place);
        let row = row_of(&dump, member.pid);
        let expected =
            if place == "in itself" { json!([address(inner.va)]) } else { json!([address(inner.va), address(outer)]) };
        assert_eq!((&row["job_chain"], &row["absent"]["silo"]), (&expected, &json!("malformed")), "{place}");
        assert_eq!(rows(&dump, "jobs").len(), all, "{place}");
    }
    for wrong in wild(&image) {
        let place = format!("ParentJob is {wrong:#x}");
        let dump = Damaged::of(&image, &bytes).set(inner.va + parent, wrong).opens(&place);
        assert_eq!(rows(&dump, "jobs").len(), all, "{place}");
        assert!(complaints(&dump, "processes").contains("EJOB.ParentJob is"), "{place}");

        let place = format!("EPROCESS.Job is {wrong:#x}");
        let job = member.eprocess + field("_EPROCESS", "Job");
        let dump = Damaged::of(&image, &bytes).set(job, wrong).opens(&place);
        assert_eq!(row_of(&dump, member.pid)["job"], address(wrong), "{place}");
        assert!(complaints(&dump, "processes").contains("EPROCESS.Job is"), "{place}");
        assert!(complaints(&dump, "jobs").contains("contradict each other"), "{place}");

        let place = format!("ServerSiloGlobals is {wrong:#x}");
        let silo = truth.jobs.iter().find(|job| job.server_silo).unwrap();
        let globals = silo.va + field("_EJOB", "ServerSiloGlobals");
        Damaged::of(&image, &bytes).set(globals, wrong).opens(&place);
    }
    // A list that never comes back to its head: what is behind the break is found from the other end.
    let (head, links) = (inner.va + field("_EJOB", "ProcessListHead"), field("_EPROCESS", "JobLinks"));
    for wrong in [member.eprocess + links, 0, 0xffff_dead_beef_0000] {
        let place = format!("a member's Flink is {wrong:#x}");
        let dump = Damaged::of(&image, &bytes).set(member.eprocess + links, wrong).opens(&place);
        let found = rows(&dump, "jobs");
        let row = by(&found, "job")[address(inner.va).as_str().unwrap()].clone();
        assert_eq!(sorted(&row["processes"]), sorted(&json!(inner.processes)), "{place}");
        assert_ne!(complaints(&dump, "processes"), "[]", "{place}");
    }
    let dump = Damaged::of(&image, &bytes).set(head, head).opens("ProcessListHead.Flink is its own");
    assert_ne!(complaints(&dump, "jobs"), "[]");
    // The kernel's list, broken at one job.
    for wrong in [0, inner.va + field("_EJOB", "JobLinks"), 0xffff_dead_beef_0000] {
        let place = format!("JobLinks.Flink is {wrong:#x}");
        let dump = Damaged::of(&image, &bytes).set(inner.va + field("_EJOB", "JobLinks"), wrong).opens(&place);
        assert_eq!(rows(&dump, "jobs").len(), all, "{place}");
        assert!(complaints(&dump, "jobs").contains("list of jobs"), "{place}");
    }
    // Two who tell different things of a process's container.
    let inside = truth.processes.iter().find(|process| process.server_silo_job.is_some()).unwrap();
    let silo = inside.eprocess + field("_EPROCESS", "ServerSilo");
    let dump = Damaged::of(&image, &bytes).set(silo, 0).opens("ServerSilo");
    assert!(complaints(&dump, "processes").contains("EPROCESS.ServerSilo is not the container"));
    assert_eq!(row_of(&dump, inside.pid)["server_silo"], Json::Null);
    assert_eq!(row_of(&dump, inside.pid)["silo"], inside.job.map_or(Json::Null, address));
}

#[test]
fn damaged_sessions_lose_no_process() {
    let image = with_jobs(22000, 24);
    let (bytes, truth) = kit::dump(&image, Kind::Raw);
    let session = truth.sessions.iter().find(|session| session.pids.len() > 3).unwrap();
    let links = kit::offset(&image, "_EPROCESS", "SessionProcessLinks");
    let of = |pid: u64| truth.process(pid).unwrap().eprocess;
    let pointer = kit::offset(&image, "_EPROCESS", "Session");
    for wrong in wild(&image) {
        let place = format!("Session is {wrong:#x}");
        let dump = Damaged::of(&image, &bytes).set(of(session.pids[1]) + pointer, wrong).opens(&place);
        assert_eq!(rows(&dump, "processes").len(), truth.processes.len(), "{place}");
        assert_eq!(rows(&dump, "sessions").len(), truth.sessions.len(), "{place}");
        assert!(complaints(&dump, "processes").contains("EPROCESS.Session is"), "{place}");
    }
    for wrong in [0, of(session.pids[1]) + links, of(session.pids[0]) + links] {
        let place = format!("SessionProcessLinks.Flink is {wrong:#x}");
        let dump = Damaged::of(&image, &bytes).set(of(session.pids[1]) + links, wrong).opens(&place);
        let found = rows(&dump, "sessions");
        let row = by(&found, "space")[address(session.va).as_str().unwrap()].clone();
        assert_eq!(sorted(&row["processes"]), sorted(&json!(session.pids)), "{place}");
        assert_ne!(complaints(&dump, "sessions"), "[]", "{place}");
    }
}

#[test]
fn any_bytes_in_jobs_and_sessions_end() {
    let image = with_jobs(18362, 25);
    let (bytes, truth) = kit::dump(&image, Kind::Raw);
    let places: Vec<u64> = truth.jobs.iter().map(|job| job.va).chain(truth.sessions.iter().map(|s| s.va)).collect();
    // Numbers of a generator that everybody knows (Knuth's MMIX), so that a failure can be repeated.
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    let pick = |from: &[u64], random: u64| from[usize::try_from(random).unwrap() % from.len()];
    let processes: Vec<u64> = truth.processes.iter().map(|process| process.eprocess).collect();
    for round in 0..24 {
        let mut damaged = Damaged::of(&image, &bytes);
        for _ in 0..16 {
            let at = pick(&places, next()) + next() % 0x60 * 8;
            let value = match next() % 4 {
                0 => next(),
                1 => 0xffff_0000_0000_0000 | next(),
                2 => pick(&places, next()) + next() % 0x60 * 8,
                _ => pick(&processes, next()) + next() % 0x100 * 8,
            };
            damaged = damaged.set(at, value);
        }
        let dump = damaged.opens(&format!("round {round}"));
        assert!(rows(&dump, "processes").len() >= truth.processes.len() - 1, "round {round}");
    }
}

#[test]
fn a_triage_dump_tells_which_job_and_no_more() {
    let mut machine = kit::typical(19041, 26, 33);
    machine.typical_jobs();
    let truth = machine.build().truth().clone();
    let browser = truth.named("browser.exe").unwrap();
    let image = machine.current_process(browser.pid).build();
    let dump = kit::open("triage", kit::dump(&image, Kind::Triage).0);
    let row = &rows(&dump, "processes")[0];
    assert_eq!(row["job"], browser.job.map_or(Json::Null, address));
    assert_eq!((&row["silo"], &row["absent"]["silo"]), (&Json::Null, &json!("not-in-dump")));
    let jobs = rows(&dump, "jobs");
    assert_eq!((jobs.len(), &jobs[0]["job"], &jobs[0]["processes"]), (1, &row["job"], &json!([browser.pid])));
    assert_eq!((&jobs[0]["job_id"], &jobs[0]["absent"]["job_id"]), (&Json::Null, &json!("not-in-dump")));
    let sessions = rows(&dump, "sessions");
    assert_eq!((sessions.len(), &sessions[0]["processes"]), (1, &json!([browser.pid])));
    assert_eq!(sessions[0]["absent"]["session_id"], json!("not-in-dump"));
    assert_eq!(rows(&dump, "silos"), [] as [Json; 0]);
}
