//! What crosses borders, in the words of those who look for it: other sessions, containers, integrity levels.

use crate::job::{JobSpec, Silo, root_directory};
use crate::machine::Machine;
use crate::process_spec::{HandleSpec, HandleTarget, ProcessSpec};
use crate::token::TokenSpec;

const EVENT_ALL: u32 = 0x1f_0003;
const SYNCHRONIZE: u32 = 0x10_0000;
const SECTION_ALL: u32 = 0xf_001f;
const SECTION_READ: u32 = 0x4;
const SECTION_WRITE: u32 = 0x6;
const KEY_READ: u32 = 0x2_0019;
const KEY_ALL: u32 = 0xf_003f;
const DIRECTORY_READ: u32 = 0x3;

/// The path of a named object of a session: session 0 has the names that all see.
///
/// ```
/// use ntlens_testkit::session_path;
///
/// assert_eq!(session_path(0, "Ready"), "\\BaseNamedObjects\\Ready");
/// assert_eq!(session_path(2, "Ready"), "\\Sessions\\2\\BaseNamedObjects\\Ready");
/// ```
pub fn session_path(session: u32, name: &str) -> String {
    match session {
        0 => format!("\\BaseNamedObjects\\{name}"),
        other => format!("\\Sessions\\{other}\\BaseNamedObjects\\{name}"),
    }
}

impl Machine {
    /// Adds an event to the namespace of a session, if it is not there yet, and a handle to it to a process, which should be
    /// one of another session.
    ///
    /// ```
    /// use ntlens_testkit::{Machine, ProcessSpec, layouts};
    ///
    /// let mut machine = Machine::new(layouts("10.0.22000.1098").unwrap()).memory(32 << 20);
    /// let spy = machine.process(ProcessSpec::named("spy.exe").session(2));
    /// machine.cross_session_event(spy, 1, "ShellReady", 0x10_0000);
    /// let image = machine.build();
    /// let [crossing] = &image.truth().cross_session[..] else { panic!() };
    /// assert_eq!((crossing.pid, crossing.namespace_session, crossing.class), (spy, 1, "foreign_session"));
    /// ```
    pub fn cross_session_event(&mut self, holder: u64, session: u32, name: &str, access: u32) -> &mut Self {
        let path = session_path(session, name);
        if !self.named_objects.iter().any(|(_, known)| *known == path) {
            self.named_object("Event", &path);
        }
        self.handle(holder, HandleSpec::named(path, access))
    }

    /// Adds a container with this session as its first one; the number of its job. Builds before Windows 10 have none:
    /// there it is a job like any other.
    ///
    /// ```
    /// use ntlens_testkit::{HandleSpec, Machine, ProcessSpec, layouts};
    ///
    /// let mut machine = Machine::new(layouts("10.0.20348.1129").unwrap()).memory(32 << 20);
    /// let silo = machine.server_silo(3);
    /// let event = format!("{}\\BaseNamedObjects\\Ready", machine.silo_root(silo));
    /// machine.named_object("Event", &event);
    /// machine.process(ProcessSpec::named("inside.exe").session(3).job(silo).handle(HandleSpec::named(&event, 0x10_0000)));
    /// let host = machine.process(ProcessSpec::named("host.exe").handle(HandleSpec::named(&event, 0x1f_0003)));
    /// let image = machine.build();
    /// let [crossing] = &image.truth().cross_silo[..] else { panic!() };
    /// assert_eq!((crossing.pid, crossing.direction), (host, "host_holds_silo"));
    /// assert_eq!(crossing.home_silo, Some(image.truth().jobs[0].va));
    /// ```
    pub fn server_silo(&mut self, session: u32) -> usize {
        self.job(JobSpec::of_session(session).silo(Silo::Server))
    }

    /// The root directory of the container that a job is, in the host's namespace. What stands below it is the
    /// container's own: see [`server_silo`](Self::server_silo).
    pub fn silo_root(&self, job: usize) -> String {
        assert!(job < self.jobs.len(), "the job was added");
        root_directory(job as u64)
    }

    /// Adds a registry hive: the key that is its root, and its file. Keys that handles lead to are in the hive with the
    /// longest root above them.
    ///
    /// ```
    /// use ntlens_testkit::{HandleSpec, Machine, ProcessSpec, layouts};
    ///
    /// let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
    /// let root = "\\REGISTRY\\MACHINE\\SOFTWARE";
    /// machine.hive(root, "\\SystemRoot\\System32\\Config\\SOFTWARE");
    /// let key = format!("{root}\\Vendor\\Settings");
    /// let pid = machine.process(ProcessSpec::named("tool.exe").handle(HandleSpec::key(&key, 0x2_0019)));
    /// let image = machine.build();
    /// assert_eq!(image.truth().hives[0].root, root);
    /// assert_eq!(image.truth().process(pid).unwrap().handles[0].name, Some(key));
    /// ```
    pub fn hive(&mut self, root: impl Into<String>, file: impl Into<String>) -> &mut Self {
        self.hives.push((root.into(), file.into()));
        self
    }

    /// Adds the hives that every machine has.
    pub fn typical_hives(&mut self) -> &mut Self {
        for (root, file) in [
            ("\\REGISTRY\\MACHINE\\SYSTEM", "\\SystemRoot\\System32\\Config\\SYSTEM"),
            ("\\REGISTRY\\MACHINE\\HARDWARE", ""),
            ("\\REGISTRY\\MACHINE\\SOFTWARE", "\\SystemRoot\\System32\\Config\\SOFTWARE"),
            ("\\REGISTRY\\USER\\.DEFAULT", "\\SystemRoot\\System32\\Config\\DEFAULT"),
            ("\\REGISTRY\\MACHINE\\SECURITY", "\\SystemRoot\\System32\\Config\\SECURITY"),
            ("\\REGISTRY\\MACHINE\\SAM", "\\SystemRoot\\System32\\Config\\SAM"),
        ] {
            self.hive(root, file);
        }
        self
    }

    /// Adds processes of several sessions, integrity levels and containers that hold the same objects: every relation of
    /// [`Truth::cross_session`](crate::Truth), `cross_silo` and `cross_integrity`, keys of hives that were given away, and objects
    /// without a name in several sessions. It needs 32 MiB.
    ///
    /// ```
    /// use ntlens_testkit::{Machine, layouts};
    ///
    /// let mut machine = Machine::new(layouts("10.0.17763.3046").unwrap()).memory(40 << 20);
    /// let image = machine.typical_crossings().build();
    /// let truth = image.truth();
    /// assert!(truth.cross_session.iter().any(|crossing| crossing.class == "service_holds_session_object"));
    /// assert!(truth.cross_silo.iter().any(|crossing| crossing.direction == "silo_holds_silo"));
    /// assert_eq!(truth.cross_integrity[0].holder_integrity, 0x1000);
    /// ```
    pub fn typical_crossings(&mut self) -> &mut Self {
        self.typical_hives();
        let token = |session: u32, integrity| TokenSpec::user(1000 + session, integrity);
        let user =
            |name: &str, session, integrity| ProcessSpec::named(name).session(session).token(token(session, integrity));
        let hive = format!("\\REGISTRY\\USER\\{}", token(1, 0).sids[0].0);
        self.hive(&hive, "\\Device\\HarddiskVolume3\\Users\\user\\NTUSER.DAT");
        let (global, own) = (session_path(0, "Vendor.Ready"), session_path(1, "Vendor.Ready"));
        let (shared, cache) = (session_path(1, "Vendor.Elevated"), session_path(0, "Vendor.Cache"));
        for (type_name, path) in [("Event", &global), ("Event", &own), ("Section", &shared), ("Section", &cache)] {
            self.named_object(type_name, path);
        }
        let policy = "\\REGISTRY\\MACHINE\\SOFTWARE\\Policies\\Vendor";
        let service = self.process(
            ProcessSpec::named("service.exe")
                .handle(HandleSpec::key(policy, KEY_ALL).value(0x40))
                .handle(HandleSpec::named(&global, EVENT_ALL))
                .handle(HandleSpec::named(&own, SYNCHRONIZE))
                .handle(HandleSpec::named(&cache, SECTION_ALL))
                .handle(HandleSpec::unnamed("Event", 1, EVENT_ALL)),
        );
        self.process(
            user("elevated.exe", 1, 0x3000)
                .handle(HandleSpec::named(&shared, SECTION_ALL))
                .handle(HandleSpec::key(format!("{hive}\\Software\\Vendor"), KEY_READ)),
        );
        self.process(
            user("browser.exe", 1, 0x1000)
                .cross_session()
                .handle(HandleSpec::named(&shared, SECTION_WRITE))
                .handle(HandleSpec::named(&cache, SECTION_READ))
                .handle(HandleSpec::named(&own, EVENT_ALL))
                .handle(HandleSpec::unnamed("Event", 1, SYNCHRONIZE))
                .handle(HandleSpec::duplicate(service, 0x40, KEY_ALL))
                .handle(HandleSpec::process(service, 0x40)),
        );
        self.process(
            user("desktop.exe", 1, 0x2000)
                .handle(HandleSpec::named("\\KnownDlls", DIRECTORY_READ))
                .handle(HandleSpec::duplicate(service, 0x40, KEY_READ))
                .handle(HandleSpec::key(format!("{hive}\\Software\\Vendor"), KEY_ALL)),
        );
        let other = user("other.exe", 2, 0x2000).handle(HandleSpec::named(&own, SYNCHRONIZE));
        self.process(other.handle(HandleSpec::named(&global, SYNCHRONIZE)));
        self.process(ProcessSpec::named("orphan.exe").no_session().handle(HandleSpec::named(&own, SYNCHRONIZE)));
        self.containers(&global)
    }

    /// Two containers, with a process in each and one of the host that looks into the first.
    fn containers(&mut self, global: &str) -> &mut Self {
        let silos = [self.server_silo(3), self.server_silo(5)];
        let inner = self.job(JobSpec::of_session(3).inside(silos[0]));
        let app = self.job(JobSpec::of_session(4).inside(inner).silo(Silo::Application));
        let root = self.silo_root(silos[0]);
        let (first, second) = (
            format!("{root}\\BaseNamedObjects\\Vendor.Ready"),
            format!("{root}\\Sessions\\4\\BaseNamedObjects\\Vendor.Ready"),
        );
        for path in [&first, &second] {
            self.named_object("Event", path);
        }
        let held = |path: &str| HandleSpec::new(HandleTarget::Named(path.into()), SYNCHRONIZE);
        let key = HandleSpec::key("\\REGISTRY\\MACHINE\\SYSTEM\\CurrentControlSet\\Control", KEY_READ);
        let services = ProcessSpec::named("services.exe").session(3).job(silos[0]).handle(held(&first));
        self.process(services.handle(held(&second)).handle(held(global)).handle(held("\\KnownDlls")).handle(key));
        self.process(ProcessSpec::named("app.exe").session(4).job(app).handle(held(&second)).handle(held(&first)));
        let neighbour = ProcessSpec::named("neighbour.exe").session(5).job(silos[1]);
        self.process(neighbour.handle(held(&first)).handle(held("\\BaseNamedObjects")));
        self.process(ProcessSpec::named("agent.exe").handle(held(&first)).handle(held(&second)).handle(held(&root)));
        self
    }
}
