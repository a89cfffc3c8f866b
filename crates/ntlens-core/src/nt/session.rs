//! Sessions: `MM_SESSION_SPACE`, what the processes of one logon at the console or a terminal share.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::incomplete::Incomplete;
use crate::layout::Layouts;
use crate::layout::field::{Embedded, Field, Scalar};
use crate::layout::view::StructView;
use crate::nt::census::Processes;
use crate::nt::fields::Fields;
use crate::nt::group::{Found, Group, Groups};
use crate::nt::list::{self, ListName};
use crate::nt::process::Process;
use crate::nt::snapshot::Snapshot;
use crate::nt::time::FileTime;
use alloc::string::String;
use alloc::vec::Vec;
use bitflags::bitflags;

crate::fields! {
    /// Fields of `_MM_SESSION_SPACE`.
    pub struct SessionSpaceFields of "_MM_SESSION_SPACE" {
        /// Number of the session.
        session_id: Field<u32> = "SessionId",
        /// Head of the list of its processes.
        process_list: Field<Embedded> = "ProcessList",
        /// Links of the kernel's list of all sessions.
        ws_list_entry: Field<Embedded> = "WsListEntry",
        /// When it was created.
        create_time: Field<u64> = "CreateTime",
        /// Job of the container that it belongs to.
        server_silo: Field<VirtAddr> = "ServerSilo",
        /// Processes in it, and whoever else keeps it.
        reference_count: Field<u32> = "ReferenceCount",
        /// Processes that it keeps.
        process_reference_to_session: Field<u32> = "ProcessReferenceToSession",
        /// Processes in it that are in memory, as Windows 7 counts them.
        resident_process_count: Field<u32> = "ResidentProcessCount",
        /// Threads of other processes that are attached to it.
        attach_count: Field<u32> = "AttachCount",
        /// The session as an object of the namespace.
        session_object: Field<VirtAddr> = "SessionObject",
        /// Pages committed for it.
        committed_pages: Field<u64> = "CommittedPages",
        /// Its language.
        locale_id: Field<u32> = "LocaleId",
        /// What the input and output system knows of it.
        io_state: Field<u32> = "IoState",
    }
}

/// The structures of sessions, and where the kernel lists them.
#[derive(Clone, Debug)]
pub struct SessionFields {
    pub(crate) space: SessionSpaceFields,
    /// In `MiState`, since Windows 10.
    list_in_state: Result<Field<Embedded>, Absent>,
}

impl SessionFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &Layouts) -> Self {
        let list_in_state = layouts.place("_MI_SYSTEM_INFORMATION", "Vs.SessionWsList");
        Self {
            space: SessionSpaceFields::resolve(layouts),
            list_in_state: list_in_state.map(|place| Field::at(place.offset)),
        }
    }
}

bitflags! {
    /// How a session was found.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct SessionSources: u8 {
        /// A process is in it (`EPROCESS.Session`).
        const PROCESS = 1 << 0;
        /// The kernel's list of sessions (`MiSessionWsList`, or `MiState` since Windows 10).
        const SESSION_LIST = 1 << 1;
    }
}

impl SessionSources {
    /// The names that are shown.
    pub fn names(self) -> Vec<&'static str> {
        let all = [(Self::PROCESS, "process"), (Self::SESSION_LIST, "session-list")];
        all.into_iter().filter(|(source, _)| self.contains(*source)).map(|(_, name)| name).collect()
    }
}

/// One session.
#[derive(Clone, Debug)]
pub struct Session {
    snapshot: Snapshot,
    view: StructView,
    sources: SessionSources,
    members: Result<Vec<VirtAddr>, Absent>,
}

impl Session {
    /// A field by its declaration in [`SessionSpaceFields`].
    pub fn get<T: Scalar>(
        &self,
        field: impl Fn(&SessionSpaceFields) -> &Result<Field<T>, Absent>,
    ) -> Result<T, Absent> {
        self.view.get(field(&self.snapshot.fields().session.space))
    }

    /// Address of the structure.
    pub fn address(&self) -> VirtAddr {
        self.view.at
    }

    /// How it was found.
    pub fn sources(&self) -> SessionSources {
        self.sources
    }

    /// The processes in it by their `EPROCESS`, as its own list has them.
    pub fn members(&self) -> Result<&[VirtAddr], Absent> {
        self.members.as_deref().map_err(|why| *why)
    }

    /// Its number.
    pub fn session_id(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.session_id)
    }

    /// When it was created.
    pub fn create_time(&self) -> Result<Option<FileTime>, Absent> {
        self.get(|fields| &fields.create_time).map(FileTime::from_windows)
    }

    /// What the input and output system knows of it, by the names of the kernel's own enumeration.
    pub fn io_state(&self) -> Result<String, Absent> {
        let state = self.get(|fields| &fields.io_state)?;
        self.snapshot.layouts().name_of("_IO_SESSION_STATE", state)
    }

    /// The job of the container that it belongs to, since Windows 10; `None` for a session of the host.
    pub fn server_silo(&self) -> Result<Option<VirtAddr>, Absent> {
        self.get(|fields| &fields.server_silo).map(|job| Some(job).filter(|job| !job.is_null()))
    }
}

impl Group for Session {
    type Source = SessionSources;

    const NAME: &'static str = "session";
    const LIST: ListName = ListName::new("list of sessions", "MiSessionWsList", "_MM_SESSION_SPACE.WsListEntry");
    const MEMBERS: ListName = ListName::new(
        "list of a session's processes",
        "_MM_SESSION_SPACE.ProcessList",
        "_EPROCESS.SessionProcessLinks",
    );
    const AROUND: Option<(&'static str, SessionSources)> = None;
    const MAX: usize = 1 << 12;

    fn probe(snapshot: &Snapshot, at: VirtAddr) -> Result<Self, Absent> {
        if !at.is_kernel() {
            return Err(Absent::Malformed);
        }
        let fields = &snapshot.fields().session.space;
        let view = StructView::read(snapshot.space(), at, fields.extent);
        let lists = [view.address_of(&fields.process_list), view.address_of(&fields.ws_list_entry)];
        if list::speak_against(snapshot.space(), &lists) {
            return Err(Absent::Malformed);
        }
        let (snapshot, members) = (snapshot.clone(), Err(Absent::AddressNotInDump));
        Ok(Self { snapshot, view, sources: SessionSources::empty(), members })
    }

    fn add_source(&mut self, source: SessionSources) {
        self.sources |= source;
    }

    fn around(&self) -> Option<VirtAddr> {
        None
    }

    fn links(fields: &Fields) -> Result<Field<Embedded>, Absent> {
        fields.session.space.ws_list_entry
    }

    fn members_head(&self) -> Result<VirtAddr, Absent> {
        self.view.address_of(&self.snapshot.fields().session.space.process_list)
    }

    fn process_links(fields: &Fields) -> Result<Field<Embedded>, Absent> {
        fields.process.eprocess.session_process_links
    }

    fn set_members(&mut self, members: Vec<VirtAddr>) {
        self.members = Ok(members);
    }
}

/// The sessions of a dump.
#[derive(Clone, Debug, Default)]
pub struct Sessions(Found<Session>);

impl Sessions {
    pub(crate) fn new(found: Found<Session>) -> Self {
        Self(found)
    }

    /// The session at an address.
    pub fn get(&self, session: VirtAddr) -> Option<&Session> {
        self.0.by_address.get(&session)
    }

    /// All of them, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.0.by_address.values()
    }
}

/// Takes the sessions of processes.
pub(crate) fn meet_those_of<'p>(sessions: &mut Groups<'_, Session>, processes: impl Iterator<Item = &'p Process>) {
    for process in processes {
        if let Ok(session) = process.session()
            && !session.is_null()
        {
            sessions.meet("EPROCESS.Session", process.eprocess(), session, SessionSources::PROCESS);
        }
    }
}

/// The processes with every session, also those that only the kernel's list has: sessions without a process. Symbols tell
/// where that list is.
pub fn with_list(snapshot: &Snapshot) -> Processes {
    let mut census = snapshot.processes();
    if snapshot.triage().is_some() {
        return census;
    }
    let mut sessions = Groups::new(snapshot, core::mem::take(&mut census.sessions.0));
    sessions.kernel_list(SessionSources::SESSION_LIST, |_, _| list_head(snapshot).ok());
    sessions.walk_members(|at| Process::probe(snapshot, at).map(|_| ()));
    let mut found = sessions.finish();
    census.incomplete.append(&mut found.incomplete);
    if let Err(why) = list_head(snapshot) {
        census.incomplete.push(Incomplete::new(&*Session::LIST.what, "MiSessionWsList, MiState", why));
    }
    Processes { sessions: Sessions(found), ..census }
}

/// The head of the kernel's list.
fn list_head(snapshot: &Snapshot) -> Result<VirtAddr, Absent> {
    let in_state = || {
        let offset = snapshot.fields().session.list_in_state?.offset;
        Ok(snapshot.symbol("MiState")?.wrapping_add(offset.into()))
    };
    snapshot.symbol("MiSessionWsList").or_else(|_| in_state())
}
