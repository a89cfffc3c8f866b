//! A machine as people have them.

use crate::job::{CpuPolicy, JobSpec, Silo};
use crate::machine::{Machine, ModuleSpec};
use crate::process::RUNNING_AT;
use crate::process_spec::{HandleSpec, HandleTarget, PageState, ProcessSpec};
use crate::rng::Rng;
use crate::token::TokenSpec;
use ntlens_core::layout::Layouts;

const MODULES: &[&str] = &[
    "hal.dll",
    "kd.dll",
    "CLFS.SYS",
    "tm.sys",
    "PSHED.dll",
    "BOOTVID.dll",
    "FLTMGR.SYS",
    "msrpc.sys",
    "ksecdd.sys",
    "CI.dll",
    "cng.sys",
    "Wdf01000.sys",
    "WDFLDR.SYS",
    "WppRecorder.sys",
    "acpiex.sys",
    "ACPI.sys",
    "WMILIB.SYS",
    "pcw.sys",
    "msisadrv.sys",
    "pci.sys",
    "vdrvroot.sys",
    "pdc.sys",
    "CEA.sys",
    "partmgr.sys",
    "spaceport.sys",
    "volmgr.sys",
    "volmgrx.sys",
    "mountmgr.sys",
    "storahci.sys",
    "storport.sys",
    "stornvme.sys",
    "EhStorClass.sys",
    "fileinfo.sys",
    "Wof.sys",
    "WdFilter.sys",
    "Ntfs.sys",
    "Fs_Rec.sys",
    "ndis.sys",
    "NETIO.SYS",
    "ksecpkg.sys",
    "tcpip.sys",
    "fwpkclnt.sys",
    "wfplwfs.sys",
    "fvevol.sys",
    "volume.sys",
    "volsnap.sys",
    "rdyboost.sys",
    "mup.sys",
    "iorate.sys",
    "disk.sys",
    "CLASSPNP.SYS",
    "crashdmp.sys",
    "cdrom.sys",
    "filecrypt.sys",
    "tbs.sys",
    "Null.SYS",
    "Beep.SYS",
    "dxgkrnl.sys",
    "watchdog.sys",
    "BasicDisplay.sys",
    "BasicRender.sys",
    "Npfs.SYS",
    "Msfs.SYS",
    "tdx.sys",
    "TDI.SYS",
    "netbt.sys",
    "afunix.sys",
    "afd.sys",
    "pacer.sys",
    "netbios.sys",
    "Vid.sys",
    "winhvr.sys",
    "rdbss.sys",
    "csc.sys",
    "nsiproxy.sys",
    "npsvctrig.sys",
    "mssmbios.sys",
    "dfsc.sys",
    "fastfat.SYS",
    "bam.sys",
    "ahcache.sys",
    "CompositeBus.sys",
    "kdnic.sys",
    "umbus.sys",
    "i8042prt.sys",
    "kbdclass.sys",
    "mouclass.sys",
    "serial.sys",
    "usbxhci.sys",
    "ucx01000.sys",
    "HDAudBus.sys",
    "portcls.sys",
    "drmk.sys",
    "ks.sys",
    "intelppm.sys",
    "swenum.sys",
    "rdpbus.sys",
    "UsbHub3.sys",
    "USBD.SYS",
    "HdAudio.sys",
    "ksthunk.sys",
    "hidusb.sys",
    "HIDCLASS.SYS",
    "HIDPARSE.SYS",
    "mouhid.sys",
    "kbdhid.sys",
    "win32k.sys",
    "win32kfull.sys",
    "win32kbase.sys",
    "dxgmms2.sys",
    "monitor.sys",
    "cdd.dll",
    "luafv.sys",
    "wcifs.sys",
    "cldflt.sys",
    "bindflt.sys",
    "lltdio.sys",
    "mslldp.sys",
    "rspndr.sys",
    "wanarp.sys",
    "ndisuio.sys",
    "condrv.sys",
    "HTTP.sys",
    "bowser.sys",
    "mrxsmb.sys",
    "mrxsmb20.sys",
    "srvnet.sys",
    "srv2.sys",
    "mmcss.sys",
    "Ndu.sys",
    "peauth.sys",
    "tcpipreg.sys",
];
const UNLOADED: &[&str] = &[
    "dump_storport.sys",
    "dump_stornvme.sys",
    "dump_dumpfve.sys",
    "WdBoot.sys",
    "hwpolicy.sys",
    "dam.sys",
    "WdNisDrv.sys",
];

const DEFENDER: &str =
    "\\Device\\HarddiskVolume3\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18\\MsMpEng.exe";

/// `PROCESS_QUERY_LIMITED_INFORMATION`, `PROCESS_ALL_ACCESS`, `EVENT_ALL_ACCESS`.
const QUERY: u32 = 0x1000;
const ALL: u32 = 0x1f_ffff;
const EVENT: u32 = 0x1f_0003;

impl Machine {
    /// A machine with so many processes, at least 32: what Windows itself runs, a person in session 1 and another in
    /// session 2, and some processes that deserve a look. It needs about 200 KiB of memory per process.
    pub fn typical(layouts: Layouts, seed: u64, process_count: usize) -> Self {
        let frames = (0x4000 + process_count as u64 * 0x40).next_multiple_of(0x1000);
        let mut machine = Self::new(layouts).seed(seed).memory(frames * 0x1000).processors(4);
        let people = machine.windows();
        machine.notable(people);
        let mut rng = Rng::new(seed ^ 0x7479_7069_6361_6c00);
        while machine.processes.len() < process_count {
            machine.ordinary(people, &mut rng);
        }
        machine.cross_handles(people, &mut rng);
        machine.typical_modules(150);
        machine
    }

    /// Adds jobs of every kind: one inside another, one with a name, one without processes, one that only a handle leads to,
    /// a silo of an application, a container with a session of its own, one that nobody is in any more, and a process that nothing but its job shows.
    pub fn typical_jobs(&mut self) -> &mut Self {
        const KILL_ON_JOB_CLOSE: u32 = 0x2000;
        const ACTIVE_PROCESS: u32 = 0x8;
        const ALL_WINDOWS: u32 = 0xff;
        let user = |name: &str| ProcessSpec::named(name).session(1).token(TokenSpec::user(1001, 0x2000));
        let policy = CpuPolicy { kind: 1, min_rate: 500, max_rate: 2500, hard_cap: 1 };
        let browser = self.job(JobSpec::of_session(1).limits(KILL_ON_JOB_CLOSE, 0).cpu(policy));
        let sandbox = JobSpec::of_session(1).inside(browser).limits(KILL_ON_JOB_CLOSE | ACTIVE_PROCESS, ALL_WINDOWS);
        let sandboxes = [self.job(sandbox.clone()), self.job(sandbox)];
        self.process(user("browser.exe").job(browser));
        for (job, count) in sandboxes.into_iter().zip(1..) {
            for _ in 0..count {
                self.process(user("renderer.exe").job(job));
            }
        }
        let named = self.job(JobSpec::of_session(1).path("\\Sessions\\1\\BaseNamedObjects\\BuildJob"));
        self.process(user("builder.exe").job(named));
        self.job(JobSpec::of_session(0).limits(0x40_0001, 0x100));
        let held = self.job(JobSpec::of_session(2).unlisted());
        let service = ProcessSpec::named("job_keeper.exe").handle(HandleSpec::new(HandleTarget::Job(held), 0x1f_001f));
        self.process(service.handle(HandleSpec::new(HandleTarget::Job(browser), 0x4)));
        let office = self.job(JobSpec::of_session(1).silo(Silo::Application));
        self.process(user("office.exe").job(office));
        let container = self.job(JobSpec::of_session(7).silo(Silo::Server));
        self.process(ProcessSpec::named("smss.exe").no_session().job(container));
        let csrss = self.process(ProcessSpec::named("csrss.exe").session(7).job(container));
        let inner = self.job(JobSpec::of_session(7).inside(container));
        self.process(ProcessSpec::named("cmd.exe").session(7).parent(csrss).job(inner));
        let app = self.job(JobSpec::of_session(7).inside(inner).silo(Silo::Application));
        self.process(ProcessSpec::named("app_in_container.exe").session(7).parent(csrss).job(app));
        self.job(JobSpec::of_session(8).silo(Silo::Server));
        let ghost = ProcessSpec::named("ghost.exe").no_session().without_id().threads(0).hidden().job(sandboxes[0]);
        self.process(ghost);
        self
    }

    /// Adds so many modules with the names of Windows' own, numbered where they run out; some headers are paged out.
    pub fn typical_modules(&mut self, count: usize) -> &mut Self {
        for index in 0..count {
            let name = match MODULES.get(index) {
                Some(name) => (*name).to_owned(),
                None => format!("oem{index}.sys"),
            };
            let module = ModuleSpec::named(name);
            self.module(if index % 29 == 28 { module.paged_out() } else { module });
        }
        for name in UNLOADED {
            self.unloaded(*name);
        }
        self
    }

    /// Windows' own processes.
    fn windows(&mut self) -> People {
        let tcb = |name: &str| ProcessSpec::named(name).protection(0x61).signature(0x3e, 0xc).critical();
        self.process(
            ProcessSpec::named("Registry").minimal().pid(92).protection(0x72).signature(0x1e, 0x1c).threads(4),
        );
        let smss =
            self.process(tcb("smss.exe").no_session().command_line("\\SystemRoot\\System32\\smss.exe").threads(2));
        self.process(ProcessSpec::named("MemCompression").minimal().threads(3));
        let csrss = |session| tcb("csrss.exe").session(session).parent(smss).threads(9);
        self.process(csrss(0));
        let wininit = self.process(tcb("wininit.exe").parent(smss));
        self.process(csrss(1));
        let winlogon = self.process(ProcessSpec::named("winlogon.exe").session(1).parent(smss).threads(4));
        self.process(csrss(2));
        let winlogon2 = self.process(ProcessSpec::named("winlogon.exe").session(2).parent(smss).threads(4));
        let services = self.process(tcb("services.exe").parent(wininit).threads(6));
        let lsass = ProcessSpec::named("lsass.exe").parent(wininit).protection(0x41).signature(0x3c, 0xc).critical();
        let lsass = self.process(lsass.threads(8));
        for (session, parent) in [(1, winlogon), (2, winlogon2)] {
            let mut token = TokenSpec::system();
            token.sids[0].0 = format!("S-1-5-90-0-{session}");
            self.process(ProcessSpec::named("dwm.exe").session(session).parent(parent).token(token).threads(5));
        }
        let defender = ProcessSpec::named("MsMpEng.exe").parent(services).protection(0x31).signature(0x37, 0x7);
        self.process(defender.image_path(DEFENDER).threads(12));
        for group in
            ["DcomLaunch", "RPCSS", "netsvcs", "LocalService", "NetworkService", "LocalSystemNetworkRestricted"]
        {
            let line = format!("C:\\Windows\\system32\\svchost.exe -k {group} -p");
            let spec = ProcessSpec::named("svchost.exe").parent(services).command_line(line).threads(6);
            let service = if group.starts_with("Network") { TokenSpec::network_service() } else { TokenSpec::system() };
            self.process(spec.token(service));
        }
        let explorer = |session, parent: u64| {
            let token = TokenSpec::user(1000 + session, 0x2000);
            let path = "\\Device\\HarddiskVolume3\\Windows\\explorer.exe";
            let spec = ProcessSpec::named("explorer.exe").session(session).parent(parent).token(token);
            spec.image_path(path).command_line("C:\\Windows\\Explorer.EXE").threads(10)
        };
        let explorers = [self.process(explorer(1, winlogon)), self.process(explorer(2, winlogon2))];
        People { services, lsass, explorers }
    }

    /// Processes that show something special.
    fn notable(&mut self, people: People) {
        let user = |name: &str| {
            ProcessSpec::named(name).session(1).parent(people.explorers[0]).token(TokenSpec::user(1001, 0x2000))
        };
        self.process(user("bash").subsystem().image_path("\\Device\\HarddiskVolume3\\Linux\\bin\\bash"));
        self.process(user("setup_tool_with_a_long_name.exe").cross_session());
        self.process(user("old_editor.exe").wow64());
        self.process(user("idle_viewer.exe").peb_page(PageState::PageFile { file: 0, page: 0x1_2345 }));
        self.process(user("tab_keeper.exe").peb_page(PageState::Transition).image_path_page(PageState::Transition));
        self.process(user("ntpd_helper.exe").token(TokenSpec::user(1001, 0x3000)).hidden());
        self.process(user("conhost.exe").exited(RUNNING_AT));
        let watchdog = ProcessSpec::named("oem_watchdog.exe").parent(people.services).critical();
        self.process(watchdog.mitigations(0x2_1135, 0x4000));
        for (type_name, path) in [
            ("Event", "\\BaseNamedObjects\\SvcctrlStartEvent_A3752DX"),
            ("Section", "\\BaseNamedObjects\\windows_shell_global_counters"),
            ("Event", "\\Sessions\\1\\BaseNamedObjects\\ShellReadyEvent"),
            ("Mutant", "\\Sessions\\2\\BaseNamedObjects\\OneInstance"),
        ] {
            self.named_object(type_name, path);
        }
    }

    /// One more process of the kind that machines have many of.
    fn ordinary(&mut self, people: People, rng: &mut Rng) {
        let session = 1 + rng.below(2) as u32;
        let explorer = people.explorers[session as usize - 1];
        let user = |integrity| TokenSpec::user(1000 + session, integrity);
        let spec = match rng.below(8) {
            0..4 => {
                let line = format!("C:\\Windows\\system32\\svchost.exe -k netsvcs -p -s Service{}", rng.below(1000));
                ProcessSpec::named("svchost.exe").parent(people.services).command_line(line).threads(3)
            }
            4 | 5 => {
                let line =
                    format!("\"C:\\Program Files\\Google\\Chrome\\chrome.exe\" --type=renderer --id={}", rng.below(99));
                let path = "\\Device\\HarddiskVolume3\\Program Files\\Google\\Chrome\\chrome.exe";
                let spec = ProcessSpec::named("chrome.exe").session(session).parent(explorer).token(user(0x1000));
                spec.image_path(path).command_line(line).mitigations(0x31, 0).threads(4)
            }
            6 => ProcessSpec::named("RuntimeBroker.exe").session(session).parent(people.services).token(user(0x2000)),
            _ => ProcessSpec::named("notepad.exe").session(session).parent(explorer).token(user(0x2000)),
        };
        self.process(spec);
    }

    /// Handles, some of which lead out of their session.
    fn cross_handles(&mut self, people: People, rng: &mut Rng) {
        let alive: Vec<(u64, Option<u32>)> = self
            .processes
            .iter()
            .filter(|spec| spec.exit_time.is_none())
            .map(|spec| (spec.pid.unwrap(), spec.session))
            .collect();
        for (pid, session) in &alive {
            let mut handles = vec![
                HandleSpec::new(HandleTarget::Named("\\KnownDlls".into()), 3),
                HandleSpec::new(HandleTarget::Process(*pid), ALL),
                HandleSpec::new(HandleTarget::Thread(*pid), ALL),
            ];
            for _ in 0..rng.below(20) {
                let other = alive[rng.below(alive.len() as u64) as usize].0;
                let target = if rng.below(4) == 0 { HandleTarget::Token(other) } else { HandleTarget::Process(other) };
                handles.push(HandleSpec { attributes: rng.below(4) as u8, ..HandleSpec::new(target, QUERY) });
            }
            let event = match session {
                Some(1) => Some("\\Sessions\\1\\BaseNamedObjects\\ShellReadyEvent"),
                Some(2) if pid.is_multiple_of(8) => Some("\\BaseNamedObjects\\SvcctrlStartEvent_A3752DX"),
                _ => None,
            };
            handles.extend(event.map(|path| HandleSpec::new(HandleTarget::Named(path.into()), EVENT)));
            if *pid == people.explorers[1] {
                let foreign = "\\Sessions\\1\\BaseNamedObjects\\ShellReadyEvent";
                handles.push(HandleSpec::new(HandleTarget::Named(foreign.into()), EVENT));
                handles.push(HandleSpec::new(HandleTarget::Process(people.explorers[0]), ALL));
            }
            if *pid == people.services {
                handles.push(HandleSpec::new(HandleTarget::Process(people.lsass), ALL));
            }
            self.spec(*pid).handles.extend(handles);
        }
    }
}

#[derive(Clone, Copy)]
struct People {
    services: u64,
    lsass: u64,
    explorers: [u64; 2],
}
