"""The compiled half of `ntlens`. What it tells of questions and columns is made by `cargo xtask stubs`."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from os import PathLike
from typing import Any, Literal, Protocol, SupportsIndex, TypeAlias, TypedDict, final, overload, type_check_only

import pandas  # type: ignore[import-untyped, import-not-found, unused-ignore]
import polars  # type: ignore[import-untyped, import-not-found, unused-ignore]
import pyarrow  # type: ignore[import-untyped, import-not-found, unused-ignore]
from typing_extensions import Buffer, disjoint_base

__all__ = [
    "Dump",
    "DumpError",
    "Error",
    "IncompleteError",
    "IncompleteWarning",
    "Listing",
    "NoLayoutError",
    "NotInDumpError",
    "Process",
    "Row",
    "SymbolsError",
    "Table",
    "__version__",
    "demo",
    "embedded",
    "open",
    "questions",
    "visible",
]

__version__: str

class _BinaryFile(Protocol):
    def seek(self, offset: int, whence: int = ..., /) -> int: ...
    def read(self, size: int = ..., /) -> bytes: ...

_Source: TypeAlias = str | PathLike[str] | Buffer | _BinaryFile
_Path: TypeAlias = str | PathLike[str]
_Progress: TypeAlias = Callable[[int, int | None], object]

@type_check_only
class _Incomplete(TypedDict):
    """One thing that could not be read, or that contradicts another."""

    what: str
    where: str
    reason: str
    """One word of the output contract, such as `paged-out`."""
    count: int
    file_offset: int | None
    """Where it is, if that is a place in the file; else `address`, if it is one in memory."""
    address: int | None
    structure: str | None
    """The structure whose `field` is wrong: what was `found` in it, and what was `expected`."""
    field: str | None
    found: str | None
    expected: str | None

class Error(Exception):
    """What ntlens could not do. The classes below it say which part failed."""

class DumpError(Error):
    """The file is no dump that can be read, or no Windows kernel is in it."""

class NoLayoutError(Error):
    """No layout fits the dump's kernel: symbols of it are needed."""

class SymbolsError(Error):
    """Symbols that were given cannot be used, or do not tell what was asked."""

class NotInDumpError(Error):
    """The dump does not hold what was asked for."""

    reason: str | None
    """One word of the output contract, such as `paged-out`."""

class IncompleteError(Error):
    """An answer misses something, and the dump was opened with strict=True."""

    incomplete: list[_Incomplete]
    """What it misses, as `Table.incomplete` lists it."""

class IncompleteWarning(UserWarning):
    """An answer misses something; the table's `incomplete` lists all of it."""

def open(
    source: _Source,
    *,
    symbols: _Path | Iterable[_Path] | None = None,
    force_symbols: bool = False,
    dtb: int | None = None,
    strict: bool = False,
    progress: bool | _Progress | None = None,
) -> Dump:
    """Opens a dump of any kind.

    source: a path, `bytes` or another object with a buffer, or a binary file object with `seek` and `read`, of which
        only what is needed is read.
    symbols: a PDB, an ISF table, a folder or store of them, or a list of such; searched before `_NT_SYMBOL_PATH`.
    force_symbols: use the kernel symbols that `symbols` names, whatever kernel they are of.
    dtb: root of the page tables to start from, instead of the one in the header or found in raw memory.
    strict: raise `IncompleteError` where an answer misses something, instead of a warning.
    progress: a bar while something is worked on for long: True, False, or in notebooks only (None); or what is called now
        and then with the rows that are done and how many there are, None as long as that is not known, and whose `close`
        is called at the end, if it has one.
    """

def demo(*, strict: bool = False) -> Dump:
    """Opens a small sample dump that is part of the package: a made-up machine."""

def embedded() -> Table:
    """The kernels whose layouts are part of the package, the oldest first."""

def visible(text: str) -> str:
    """A text as every output shows it: characters that steer a terminal, break a line or change the direction of writing
    as `\\u{..}`."""

def questions() -> list[dict[str, Any]]:
    """The questions, each with its parameters and columns: what methods of `Dump` are made from."""

@final
class Dump:
    """A dump that was opened, for reading only. It may be used by several threads.

    Every question of the library is a method of its name that gives a `Table`; what an answer could not take into
    account is warned of (`IncompleteWarning`), or raised if the dump was opened with `strict=True`.
    """

    @property
    def name(self) -> str:
        """What the user called it: its path, or the kind of object it was read from."""
    @property
    def info(self) -> Row:
        """What the dump is, from its header and its kernel: the one row of the table `info`."""
    @property
    def incomplete(self) -> list[_Incomplete]:
        """What was missing or contradictory when the dump was opened."""
    def ask(self, question: str, /, *args: Any, **kwargs: Any) -> Table:
        """Asks a question by its name, with its parameters: `dump.ask("handles", pid=4)` is `dump.handles(pid=4)`."""
    def process(self, pid: int) -> Process:
        """The process with this id; the first in the active list, if several have had it."""
    def read_virtual(self, address: int, length: int, pid: int | None = None) -> bytes:
        """Bytes of the kernel's address space, or of a process's.

        `NotInDumpError` says where the first missing one is and why.

        address: a virtual address; one of the kernel's if `pid` is not given.
        length: how many bytes.
        pid: the process whose address space is meant.
        """
    def read_physical(self, address: int, length: int) -> bytes:
        """Bytes of physical memory. `NotInDumpError` says where the first missing one is and why.

        address: a physical address.
        length: how many bytes.
        """
    def memory(self, address: int, length: int, pid: int | None = None, *, physical: bool = False) -> Table:
        """Bytes as the table `memory`, sixteen a row; a missing page is one row that says why."""
    def translate(self, address: int, pid: int | None = None) -> Row:
        """Where a virtual address lies in physical memory and in the file: the one row of the table `translation`.

        What is not known is None, and `absent` says why.

        address: a virtual address; one of the kernel's if `pid` is not given.
        pid: the process whose address space is meant.
        """
    def dt(
        self,
        type: str,
        pattern: str | None = None,
        *,
        at: int | None = None,
        pid: int | None = None,
        depth: int = 0,
    ) -> Listing:
        """The layout of a type, as the debugger's `dt` prints it, or with `at` what an instance holds.

        type: a name, `_EPROCESS` or `nt!_eprocess`; a pattern, `_HANDLE*`, lists the types of such names.
        pattern: only fields whose names match, such as `System*`.
        at: the address of an instance, in the kernel's address space or in that of the process `pid`.
        depth: also the fields of structures inside, to this depth.
        """
    def to_isf(self) -> str:
        """All types of the kernel and its symbols, as far as they are known, as the text of an ISF table."""
    def to_timeline(self, format: Literal["timesketch", "bodyfile"] = "timesketch") -> str:
        """Everything in the dump that has a time, as text for other tools; `timeline` is the same as a table.

        format: "timesketch", one JSON object a line, or "bodyfile" for `mactime`.
        """
    def extract(self, path: _Path, *, process: int | None = None, kernel: bool = False) -> None:
        """Writes a small dump with what is needed to look at one process, or with the kernel alone.

        Other readers open it, too. It has no user memory of anybody else. What it lacks is warned of.

        path: the new file. One that is there is never overwritten: `FileExistsError`.
        process: the id of the process.
        kernel: the kernel's memory, and no user pages. Either this or `process` is given.
        """
    def symbols(self) -> Table:
        """The modules and which symbols were found for each: the table `symbols`."""
    def symbol(self, name: str) -> Table:
        """The addresses of a name, with or without its module: `nt!PsLoadedModuleList`; `*` and `?` stand for others.

        The table `symbol`, empty if the name is in no symbols that were found.
        """
    def nearest(self, address: int) -> Row | None:
        """The symbol at an address, or the nearest before it in the same module: a row of the table `symbol`.

        None outside of all modules.
        """
    def _repr_html_(self) -> str: ...

    # By `cargo xtask stubs`: questions of a dump
    def processes(self, *, tree: bool = False) -> Table:
        """Every process found by any source, and how it is protected.

        tree: Each process below the one that started it; with --where also those above the ones that fit.
        Columns:
            eprocess (address): address of the EPROCESS
            pid (uint): process id
            ppid (uint): process id of the parent, which may be gone
            parent (address): EPROCESS of the process with the id ppid that is not younger; null if there is none
            orphan (bool): ppid is of a process that is gone, whoever has the id now
            depth (uint): how many processes are above it, from parent to parent
            name (text): ImageFileName as stored, at most 15 bytes
            image_path (text): SeAuditProcessCreationInfo as stored
            command_line (text): command line, from the PEB
            create_time (time): when it was created
            exit_time (time): when it ended
            dtb (address): root of its page tables (physical)
            user_dtb (address): root of its user page tables with KVA shadow (physical)
            peb (address): process environment block
            wow64 (bool): a 32-bit process
            peb32 (address): environment block that a 32-bit program sees
            active_threads (uint): threads that have not ended
            handle_count (uint): handles in use
            sources (list): the views of the kernel in which it was found
            protection (text): protected-process type and signer
            protection_level (uint): PS_PROTECTION as one byte
            protection_type (text): None, ProtectedLight or Protected
            protection_signer (text): signer of the protection
            protection_audit (bool): the protection is only audited
            signature_level (uint): signature level of the image, both nibbles
            signature_level_name (text): the same in words
            section_signature_level (uint): signature level that images loaded later must have
            section_signature_level_name (text): the same in words
            critical (bool): BreakOnTermination: the system stops if it ends
            system_process (bool): Flags3.SystemProcess
            subsystem_process (bool): Flags3.SubsystemProcess
            cross_session_create (bool): created for another session
            minimal (bool): started with an empty address space
            pico (bool): has a pico provider
            pico_context (address): what the pico provider keeps for it
            secure (bool): a trustlet: has a half in the secure kernel
            trustlet_id (uint): TrustletIdentity, for a trustlet
            scheduling_group (address): KPROCESS.SchedulingGroup: what limits its share of the processors
            frozen (bool): KPROCESS.FreezeCount is not 0
            being_debugged (bool): DebugPort is not 0
            exiting (bool): ProcessExiting
            deleted (bool): ProcessDelete
            flags (list): what is set in Flags
            flags2 (list): what is set in Flags2
            flags3 (list): what is set in Flags3
            flags_raw (uint): Flags
            flags2_raw (uint): Flags2
            flags3_raw (uint): Flags3
            integrity (text): integrity level
            integrity_rid (uint): integrity level as a number
            session_id (uint): number of its session, from EPROCESS.Session
            job (address): innermost job
            job_name (text): full name of that job, if it has one
            job_chain (addresses): the jobs that it is in, from the innermost to the outermost
            silo (address): job of the innermost silo that it is in
            silo_kind (text): none, silo (of an application) or server-silo (a container)
            silo_id (uint): JobId of the silo
            server_silo (address): job of the container that it runs in, around other silos too
            token (address): primary token
            user_sid (text): the token's user
            user_name (text): the user's name, if it is a well-known one
            token_session_id (uint): TOKEN.SessionId, which need not be session_id
            logon_id (code): number of the logon session
            elevation (text): Default, Full or Limited: how the logon was split
            app_container (bool): runs in an AppContainer
            package_sid (text): SID of the app package
            capabilities (uint): how many capabilities the package has
            privileges_enabled (list): privileges that are on
            restricted (bool): restricting SIDs must be allowed, too
            trust_label (text): SID of the trust label
            mitigations (list): what is set in MitigationFlags, 2 and 3
            mitigation_flags_raw (uint): MitigationFlags
            mitigation_flags2_raw (uint): MitigationFlags2
            mitigation_flags3_raw (uint): MitigationFlags3
        """
    def mitigations(self, *, pid: int | None = None, all: bool = False) -> Table:
        """What makes a fault in a process harder to use, by policy, and how it differs from processes of the same image.

        pid: Only of this process, whichever source it was found by: its id, or the address of its EPROCESS.
        all: Also processes that are not in the active list.
        Columns:
            pid (uint): process id
            process (text): ImageFileName
            eprocess (address): address of the EPROCESS
            policies (list): policies of which anything is set
            dep (list): bits of KEXECUTE_OPTIONS: whether data can run as code
            sehop (list): validation of exception chains
            aslr (list): address space layout randomization
            cfg (list): control flow guard
            xfg (list): extended flow guard
            cet (list): shadow stacks (control-flow enforcement technology)
            pointer_authentication (list): signed return addresses
            dynamic_code (list): no new code at run time (ACG)
            signature (list): how images must be signed, and stay as they were (CIG)
            image_load (list): where images may come from
            fonts (list): which fonts may be loaded
            extension_points (list): no old ways to load code into it
            win32k (list): lockdown of win32k's system calls
            child_process (list): whether it may start processes, from its token's flags
            strict_handles (list): bits of HANDLE_TABLE: a handle that is not valid is an exception
            payload (list): export and import address filters, ROP checks
            side_channels (list): against speculation and shared pages
            redirection_guard (list): which junctions are followed
            system_calls (list): system calls that are refused
            other (list): further bits of the words of mitigations
            siblings (uint): other processes of the same image, by its path where that is known
            missing (list): what most siblings have and it has not, as policy:Name
            extra (list): what it has and most siblings have not
        """
    def dlls(self, *, pid: int | None = None, all: bool = False) -> Table:
        """The images that the loaders of processes know, by lists in the processes' own memory, which these can change.

        pid: Only of this process, whichever source it was found by: its id, or the address of its EPROCESS.
        all: Also the images of processes that are not in the active list.
        Columns:
            pid (uint): process id
            process (text): ImageFileName of the process
            base (address): where it is loaded
            size (uint): bytes it takes
            name (text): BaseDllName
            path (text): FullDllName
            entry (address): entry point, 0 for an image without one
            load_time (time): when it was loaded
            load_count (uint): how often; all bits set for one that stays until the process ends
            load_reason (text): why, since Windows 8
            flags (list): what is set in Flags
            flags_raw (code): Flags
            wow64 (bool): of the 32-bit loader of the process
            sources (list): the orders in whose lists it is: of load, memory, init(ialization)
            in_vads (bool): an image is mapped at its base, by the kernel's tree of areas
        """
    def vads(self, *, pid: int | None = None, all: bool = False) -> Table:
        """The areas of user memory of processes, what is mapped there, and how it is protected.

        pid: Only of this process, whichever source it was found by: its id, or the address of its EPROCESS.
        all: Also the areas of processes that are not in the active list.
        Columns:
            pid (uint): process id
            process (text): ImageFileName of the process
            vad (address): the node in the tree of areas
            start (address): first byte
            end (address): last byte
            size (uint): bytes
            type (text): private, mapped, image and others, by VadType
            protection (text): PAGE_* constants of the whole area, from when it was made
            protection_raw (uint): the same as five bits
            commit (uint): pages that the process is charged for
            private (bool): memory of the process alone
            file (text): the mapped file
            in_loader (bool): for an image: a loader list of the process has an entry with this base
            flags (list): further flags of the node
            flags_raw (code): the node's word of flags
        """
    def threads(self, *, pid: int | None = None) -> Table:
        """The threads of the processes of the active list, where they started and for whom they act.

        pid: Only of this process, whichever source it was found by: its id, or the address of its EPROCESS.
        Columns:
            pid (uint): id of the process it belongs to
            tid (uint): its own id
            process_name (text): ImageFileName of that process
            ethread (address): address of the ETHREAD
            state (text): what the scheduler does with it
            wait_reason (text): what it waits for, or waited for last
            start_address (address): where it starts for the kernel
            win32_start_address (address): where it starts for the program
            start_module (text): kernel module that it starts in
            create_time (time): when it was created
            exit_time (time): when it ended
            impersonation (text): how far it may act for somebody else
            impersonation_token (address): the token it acts with
            impersonation_user_sid (text): the user it acts for
            effective_only (bool): groups and privileges that are off stay off
            teb (address): thread environment block
            sources (list): the views of the kernel in which it was found
        """
    def tokens(self, *, pid: int | None = None) -> Table:
        """The tokens of processes and of threads that act for somebody else, each once.

        pid: Only of this process, whichever source it was found by: its id, or the address of its EPROCESS.
        Columns:
            token (address): address of the TOKEN
            used_by (list): ids of the processes whose primary token it is
            impersonated_by (list): threads that act with it, as PID.TID
            type (text): Primary or Impersonation
            impersonation_level (text): how far a thread may act with it
            user_sid (text): the user
            user_name (text): the user's name, if it is a well-known one
            integrity (text): integrity level
            integrity_rid (uint): integrity level as a number
            mandatory_policy (list): what the integrity level restricts
            mandatory_policy_raw (uint): MandatoryPolicy
            token_session_id (uint): TOKEN.SessionId
            logon_id (code): AuthenticationId: number of the logon session
            linked_logon_id (code): logon session with the other half of a split logon
            originating_logon_id (code): logon session that asked for this one
            token_id (code): TokenId
            parent_token_id (code): TokenId of the token that it was filtered from
            elevation (text): Default, Full or Limited: how the logon was split
            groups (list): SIDs of the user and the groups
            group_names (list): the well-known names of these, empty where there is none
            group_attributes (list): the attributes of these, joined with |
            primary_group (text): SID of the group that new objects get
            restricted (bool): restricting SIDs must be allowed, too
            restricted_sids (list): these SIDs
            privileges_present (list): privileges it has
            privileges_enabled (list): those that are on
            privileges_default (list): those that were on at first
            privileges_present_raw (uint): Privileges.Present
            privileges_enabled_raw (uint): Privileges.Enabled
            privileges_default_raw (uint): Privileges.EnabledByDefault
            app_container (bool): of an AppContainer
            package_sid (text): SID of the app package
            lowbox_number (uint): the package's number in its session
            capabilities (uint): how many capabilities the package has
            capability_sids (list): SIDs of these
            trust_label (text): SID of the trust label
            flags (list): what is set in TokenFlags
            flags_raw (uint): TokenFlags
            source_name (text): who made it
        """
    def groups(self, *, pid: int | None = None) -> Table:
        """The SIDs in each process's token: user, groups, restricting SIDs and capabilities.

        pid: Only of this process, whichever source it was found by: its id, or the address of its EPROCESS.
        Columns:
            pid (uint): process id
            process (text): ImageFileName of the process
            token (address): its primary token
            list (text): user, group, restricting or capability
            sid (text): the SID
            name (text): its name, if it is a well-known one
            attributes (list): how the token uses it
            attributes_raw (uint): the same as a number
        """
    def privileges(self, *, pid: int | None = None) -> Table:
        """The privileges of each process's token, and whether they are on.

        pid: Only of this process, whichever source it was found by: its id, or the address of its EPROCESS.
        Columns:
            pid (uint): process id
            process (text): ImageFileName of the process
            token (address): its primary token
            privilege (text): the privilege's name
            number (uint): the privilege's number, which is its bit in the masks
            present (bool): the token has it
            enabled (bool): it is on
            enabled_by_default (bool): it was on at first
        """
    def handles(self, *, pid: int | None = None, all: bool = False) -> Table:
        """The handles of the processes in the active list, with what they lead to and the rights they give.

        pid: Only of this process, whichever source it was found by: its id, or the address of its EPROCESS.
        all: Also the handles of processes that are not in the active list.
        Columns:
            pid (uint): process id of the holder
            process (text): ImageFileName of the holder
            handle (uint): the handle: four times its index, also for System
            object (address): the object
            type (text): the object's type
            name (text): the object's full name
            granted_access (code): rights, the low 25 bits of an access mask
            access (list): the rights by name, for the object's type
            attributes (list): inherit, protect (from close), audit
            section_file (text): the file that a section maps, whatever its name
        """
    def handle_types(self, *, pid: int | None = None, all: bool = False) -> Table:
        """How many handles of which type the processes in the active list hold.

        pid: Only of this process, whichever source it was found by: its id, or the address of its EPROCESS.
        all: Also the handles of processes that are not in the active list.
        Columns:
            pid (uint): process id of the holder
            process (text): ImageFileName of the holder
            type (text): the type of the objects
            handles (uint): how many handles
        """
    def objects(self, path: str | None = None) -> Table:
        r"""The objects that have a place in the namespace, each once; symbolic links are not followed.

        path: Only this object and what is below it, such as \BaseNamedObjects.
        Columns:
            path (text): full name
            name (text): last part of the path
            type (text): type
            object (address): the object
            session_id (uint): session whose namespace it is in
            silo (address): job of the server silo whose namespace it is in
            handle_count (uint): handles to it, as its header counts them
            pointer_count (uint): references to it; handles hold many in advance
            link_target (text): what a symbolic link stands for
            resolved (text): where a link leads in the end, in its own session and silo
        """
    def holders(self, object: str | int | None = None, *, type: str | None = None) -> Table:
        """Who holds an object, over all processes that any source knows.

        object: The object's full name or its address.
        type: All objects of this type.
        Columns:
            object (address): the object
            type (text): the object's type
            path (text): the object's full name
            object_session_id (uint): session whose namespace the object is in
            object_silo (address): job of the server silo whose namespace the object is in
            holder_pid (uint): process id of the holder
            holder (text): ImageFileName of the holder
            holder_session_id (uint): session of the holder
            handle (uint): the handle: four times its index, also for System
            granted_access (code): rights, the low 25 bits of an access mask
            access (list): the rights by name, for the object's type
            attributes (list): inherit, protect (from close), audit
        """
    def crossings(self, *, border: str | None = None, pid: int | None = None, all: bool = False) -> Table:
        """Who holds what across the borders of sessions, containers and integrity, one row for each border.

        border: Only this border.
        pid: Only of this process, whichever source it was found by: its id, or the address of its EPROCESS.
        all: Also what processes hold that are not in the active list.
        Columns:
            object (address): the object
            type (text): the object's type
            path (text): the object's full name
            object_session_id (uint): session whose namespace the object is in
            holder_pid (uint): process id of the holder
            holder (text): ImageFileName of the holder
            holder_session_id (uint): session of the holder
            handle (uint): the handle: four times its index, also for System
            granted_access (code): rights, the low 25 bits of an access mask
            access (list): the rights by name, for the object's type
            border (text): session, silo, integrity or shared
            relation (text): how the border is crossed
            creator_flag (bool): the holder's CrossSessionCreate bit
            object_silo (address): job of the server silo whose namespace the object is in
            holder_silo (address): job of the server silo that the holder runs in
            holder_integrity (text): integrity level of the holder's primary token
            owner_integrity (text): level of the process, thread or token, or of the highest holder
        """
    def collisions(self) -> Table:
        """Names that stand in the global namespace and in a session's or a container's, with who holds either object.

        Columns:
            name (text): the name below BaseNamedObjects
            border (text): session or silo: which namespaces meet
            global_path (text): full name of the global object
            global_object (address): the global object
            global_type (text): its type
            global_holders (list): who has handles to it
            global_integrity (text): highest integrity level of these
            global_creator_pid (uint): who created it, if the object tells
            other_path (text): full name of the session's or container's object
            other_object (address): that object
            other_type (text): its type
            other_session_id (uint): session whose namespace it is in
            other_silo (address): job of the server silo whose namespace it is in
            other_holders (list): who has handles to it
            other_integrity (text): highest integrity level of these
            other_creator_pid (uint): who created it, if the object tells
            lower (bool): whether its holders are all trusted less than one of the global object's
        """
    def sessions(self) -> Table:
        """Every session, the processes in it and the logons that they belong to.

        Columns:
            session_id (uint): SessionId
            space (address): address of the MM_SESSION_SPACE
            processes (numbers): ids of the processes in it
            process_count (uint): how many these are
            reference_count (uint): ReferenceCount: processes and others that keep it
            process_reference_to_session (uint): ProcessReferenceToSession
            resident_process_count (uint): ResidentProcessCount, which only Windows 7 counts
            attach_count (uint): AttachCount: threads of other processes that work in it
            create_time (time): when it was created
            silo (address): ServerSilo: job of the container that it belongs to
            logon_ids (numbers): logon sessions of the tokens of its processes
            users (list): SIDs of the users of these tokens
            sources (list): how it was found: process, session-list
            session_object (address): the session in the namespace
            committed_pages (uint): CommittedPages
            locale_id (code): LocaleId
            io_state (text): what the input and output system knows of it
        """
    def jobs(self) -> Table:
        """Every job that processes, other jobs, the kernel's list or handles lead to, and its limits.

        Columns:
            job (address): address of the EJOB
            name (text): the job's full name, if it has one
            job_id (uint): JobId
            session_id (uint): SessionId
            parent_job (address): the job around it
            root_job (address): RootJob: the outermost job around it
            nesting_depth (uint): jobs around it, as far as they can be followed
            silo_kind (text): none, silo or server-silo: what the job itself is
            silo_id (uint): JobId of a job that is a silo
            silo (address): job of the innermost silo that it is or lies in
            processes (numbers): ids of the processes that are in it and in no job inside it
            sources (list): how it was found: process, parent-job, job-list, handle
            active_processes (uint): ActiveProcesses: those that run, in jobs inside it too
            total_processes (uint): TotalProcesses: those that ever were in it
            total_terminated_processes (uint): TotalTerminatedProcesses: those that a limit ended
            job_flags (list): what is set in JobFlags
            job_flags_raw (code): JobFlags
            job_flags2 (list): what is set in JobFlags2
            job_flags2_raw (code): JobFlags2
            limit_flags (list): limits that are on, by winnt.h
            limit_flags_raw (code): LimitFlags
            effective_limit_flags (list): the same with those of the jobs around it
            effective_limit_flags_raw (code): EffectiveLimitFlags
            kill_on_close (bool): closing the last handle ends its processes
            ui_restrictions (list): what its processes may not do with windows, by winnt.h
            ui_restrictions_raw (code): UIRestrictionsClass
            active_process_limit (uint): ActiveProcessLimit
            process_memory_limit (uint): ProcessMemoryLimit: pages that each process may commit
            job_memory_limit (uint): JobMemoryLimit: pages that all processes may commit
            peak_process_memory_used (uint): PeakProcessMemoryUsed, in pages
            peak_job_memory_used (uint): PeakJobMemoryUsed, in pages
            current_job_memory_used (uint): CurrentJobMemoryUsed, in pages
            per_process_user_time_limit (duration): PerProcessUserTimeLimit, in seconds
            per_job_user_time_limit (duration): PerJobUserTimeLimit, in seconds
            total_user_time (duration): TotalUserTime, in seconds
            total_kernel_time (duration): TotalKernelTime, in seconds
            minimum_working_set_size (uint): MinimumWorkingSetSize of each process, in bytes
            maximum_working_set_size (uint): MaximumWorkingSetSize of each process, in bytes
            priority_class (uint): PriorityClass of its processes
            scheduling_class (uint): SchedulingClass of its processes
            affinity (addresses): Affinity: a mask of processors for each group
            cpu_rate_control (address): CpuRateControl: how its share of the processor is limited
            scheduling_group (address): EffectiveSchedulingGroup: what the scheduler made of that, and of the jobs around it
            cpu_rate (uint): its rate or weight in Windows 8 and 8.1, by cpu_policy
            cpu_min_rate (uint): share of the processors that it is sure of, in hundredths of a percent
            cpu_max_rate (uint): share that it never exceeds, in hundredths of a percent
            cpu_weight (uint): its weight, in the place of cpu_min_rate: cpu_policy tells which it is
            cpu_policy (uint): Type of its scheduling group, by weight or by rate, as stored
            cpu_hard_cap (uint): HardCap of its scheduling group in Windows 8 and 8.1, as stored
            completion_port (address): CompletionPort: who is told what happens in it
            effective_freeze_count (uint): EffectiveFreezeCount: its processes are frozen if not 0
            end_of_job_time_action (uint): EndOfJobTimeAction: 0 ends the processes, 1 tells the port
            container_id (text): ContainerId
            container_telemetry_id (text): ContainerTelemetryId
            server_silo_globals (address): ServerSiloGlobals of a container
        """
    def silos(self) -> Table:
        """The host and every job that is a silo: its kind, its namespace, and the processes in it.

        Columns:
            job (address): address of the EJOB; null for the host
            silo_kind (text): host, silo (of an application) or server-silo (a container)
            silo_id (uint): JobId of the silo
            name (text): full name of the job, if it has one
            parent_silo (address): job of the silo around it
            container_id (text): ContainerId
            container_telemetry_id (text): ContainerTelemetryId
            state (text): how far the container's life has gone (_SERVERSILO_STATE)
            state_raw (uint): State
            exit_status (code): ExitStatus
            session_id (uint): SessionId of the job: of a container, its own first session
            service_session_id (uint): ServiceSessionId: the session of its services
            active_console_id (uint): ActiveConsoleId: the session at its console
            console_foreground_process_id (uint): ConsoleSessionForegroundProcessId
            shared_user_session_id (uint): SharedUserSessionId
            session_ids (numbers): sessions of the processes in it
            processes (numbers): ids of the processes in it and in silos inside it; of the host, of the others
            process_count (uint): how many these are
            sources (list): how its job was found: process, parent-job, job-list, handle
            root_directory (text): path of its root directory in the host's namespace
            root_directory_object (address): that directory
            globals (address): address of the ESERVERSILO_GLOBALS
            is_downlevel_container (bool): its Windows is older than the host's
            product_type (text): workstation, domain-controller or server
            suites (list): VER_SUITE names
            nt_system_root (text): NtSystemRoot: where its Windows is
            system_device_map (address): ObSiloState.SystemDeviceMap: its drive letters
            etw_silo_state (address): EtwSiloState: its loggers and providers
            system_logon_session (address): SeSiloState.SystemLogonSession
            session_leader_pid (uint): MiSessionLeaderProcess: the process that makes its sessions
            default_error_port_pid (uint): ExpDefaultErrorPortProcess: the process that shows its errors
            silo_hard_reference_count (uint): SiloHardReferenceCount: what keeps it alive
            job_flags (list): what is set in JobFlags
            job_flags2 (list): what is set in JobFlags2
        """
    def modules(self) -> Table:
        """The kernel modules that were loaded.

        Columns:
            base (address): where it is loaded
            size (uint): bytes it takes
            name (text): BaseDllName
            path (text): FullDllName
            entry (address): its entry point
            timestamp (uint): TimeDateStamp of the image header
            checksum (uint): CheckSum of the image header
        """
    def unloaded(self) -> Table:
        """The last kernel modules that were unloaded, the oldest first.

        Columns:
            name (text): name, cut at its length
            start (address): where it was loaded
            end (address): where it ended
            unload_time (time): when it was unloaded
        """
    def callbacks(self) -> Table:
        """The functions that drivers have the kernel call: for processes, threads, images, the registry and objects.

        Columns:
            kind (text): process, thread, image, registry, object-pre or object-post: when it is called
            address (address): where the function is
            module (text): the module around it, null if none is
            symbol (text): the symbol that begins there
            slot (uint): slot of the kernel's array
            entry (address): the block or list entry that holds it
            context (code): what is passed to it; of processes, threads and images flags of the registration
            altitude (text): its place among others
            cookie (code): number by which a registry callback is taken back
            object_type (text): type of the objects
            operations (list): create, duplicate: which handles are meant
            operations_raw (uint): Operations
            enabled (bool): the entry is on
            supported (bool): objects of the type call such functions (SupportsObjectCallbacks)
        """
    def loggers(self) -> Table:
        """The sessions of event tracing (ETW) of the host and of each container.

        Columns:
            logger_id (uint): its number, which is that of its slot
            name (text): LoggerName
            log_file (text): LogFileName: the file that it writes
            mode (code): LoggerMode: how it works
            mode_names (list): LoggerMode by the names of evntrace.h
            flags (list): what is set in Flags
            flags_raw (uint): Flags
            security_relevant (bool): its name is that of a session that security rests on
            known_as (text): what a session of this name is for
            known_by (text): where that is documented
            silo (address): job of the server silo that it belongs to, null for the host
            log_file_pattern (text): LogFilePattern: the pattern of such files' names
            realtime_logfile_name (text): file that keeps events while no consumer takes them
            start_time (time): when it was started
            instance_guid (text): InstanceGuid: the GUID of the session
            accept_new_events (bool): events are taken
            collection_on (bool): the session runs
            logger_status (code): NTSTATUS of the session
            clock_type (uint): which clock stamps events
            clock_name (text): its name: QPC, SystemTime or CpuCycle
            buffer_size (uint): bytes of one buffer
            maximum_event_size (uint): bytes that an event may have
            minimum_buffers (uint): buffers at least
            maximum_buffers (uint): buffers at most
            number_of_buffers (uint): buffers that there are
            buffers_available (uint): buffers that are free
            buffers_written (uint): buffers that were written out
            log_buffers_lost (uint): buffers that could not be written to the file
            real_time_buffers_delivered (uint): buffers that consumers got
            real_time_buffers_lost (uint): buffers that no consumer got
            events_lost (uint): events that were lost
            local_sequence (uint): number of the last event
            last_flushed_buffer (uint): the last buffer that was written out
            flush_timer (uint): how often buffers are written out, in seconds unless the mode says otherwise
            maximum_file_size (uint): largest size of the file, in MB unless the mode says otherwise
            pool_type (uint): POOL_TYPE of the buffers
            provider_count (uint): providers that are enabled for it
            logger_thread (address): the thread that writes its buffers out
            logger_thread_pid (uint): id of the process of this thread
            num_consumers (uint): consumers, as it counts them
            consumers (list): the processes that take its events as they come, as PID NAME
            owner_sid (text): SID of who started it, where the kernel keeps a token
            owner_name (text): this user's name, if it is a well-known one
            logger (address): address of the WMI_LOGGER_CONTEXT
        """
    def providers(self) -> Table:
        """The providers of trace events (ETW), who registered them, and which sessions enabled them.

        Columns:
            guid (text): its GUID
            name (text): its name, if it is a well-known one
            type (text): Trace, Notification or Group
            security_relevant (bool): who watches a machine for attacks listens to it
            enabled (list): numbers of the sessions that enabled it
            enabled_names (list): names of these sessions, empty where there is none
            levels (list): up to which level each wants events
            match_any_keywords (addresses): any of which keywords each wants
            match_all_keywords (addresses): all of which keywords each wants
            enable_properties (addresses): EVENT_ENABLE_PROPERTY bits of each
            registrations (uint): how often it is registered
            registered_by (list): by whom: PID NAME, or kernel and the module of the callback
            callbacks (addresses): functions of the kernel that are told of changes
            silo (address): job of the server silo that it belongs to, null for the host
            guid_entry (address): address of the ETW_GUID_ENTRY
        """
    def crash(self) -> Table:
        """The bug check, and the processor, thread and process in which it was.

        Columns:
            bugcheck_code (code): bug check code
            bugcheck_name (text): the code's name
            bugcheck_parameters (addresses): the four parameters
            exception_code (code): status code of the recorded exception
            exception_address (address): where it was raised
            processor (uint): number of the processor
            prcb (address): address of its KPRCB
            eprocess (address): process whose address space the thread used
            pid (uint): its id
            name (text): its ImageFileName
            protection (text): its protection
            ethread (address): the thread
            tid (uint): its id
            thread_pid (uint): id of the process that the thread belongs to
            start_address (address): where the thread starts for the kernel
            win32_start_address (address): where it starts for the program
            teb (address): thread environment block
            trap_frame (address): registers at its last entry to the kernel
            stack_base (address): highest address of its kernel stack
            stack_limit (address): lowest address of its kernel stack
            kernel_stack (address): where its kernel stack was when it last ran
            context_source (text): bugcheck (KPRCB.Context) or header
            rip (address): register
            rip_module (text): kernel module that rip points into
            rip_offset (code): bytes from the start of that module
            rip_symbol (text): symbol of the kernel that begins at rip
            rsp (address): register
            rbp (address): register
            rax (address): register
            rbx (address): register
            rcx (address): register
            rdx (address): register
            rsi (address): register
            rdi (address): register
            r8 (address): register
            r9 (address): register
            r10 (address): register
            r11 (address): register
            r12 (address): register
            r13 (address): register
            r14 (address): register
            r15 (address): register
            eflags (code): register
            cs (code): register
            ds (code): register
            es (code): register
            fs (code): register
            gs (code): register
            ss (code): register
            mxcsr (code): register
            dr0 (address): debug register
            dr1 (address): debug register
            dr2 (address): debug register
            dr3 (address): debug register
            dr6 (code): debug register
            dr7 (code): debug register
            cr0 (address): control register, from KPRCB
            cr2 (address): control register, from KPRCB
            cr3 (address): control register, from KPRCB
            cr4 (address): control register, from KPRCB
        """
    def cpus(self) -> Table:
        """The processors with their control registers, descriptor tables and entries into the kernel.

        Columns:
            number (uint): its number
            pcr (address): address of its KPCR
            prcb (address): address of its KPRCB
            cr0 (address): control register 0
            cr2 (address): control register 2: address of the last page fault
            cr3 (address): control register 3: root of page tables with flags
            cr4 (address): control register 4
            cr8 (address): control register 8: interrupt request level
            efer (address): extended features: no Windows keeps this register in its KPRCB
            lstar (address): where SYSCALL of 64-bit code enters the kernel
            cstar (address): where SYSCALL of 32-bit code enters the kernel
            star (address): segments of SYSCALL and SYSRET
            sfmask (address): flags that SYSCALL clears
            gdt_base (address): base of the descriptor table: GDTR, else KPCR.GdtBase
            gdt_limit (uint): its last byte, counted from its begin
            idt_base (address): base of the interrupt table: IDTR, else KPCR.IdtBase
            idt_limit (uint): its last byte, counted from its begin
            current_thread (address): thread that runs
            idle_thread (address): thread that runs when no other does
            features (list): of SMEP SMAP UMIP CET PKE PCIDE FSGSBASE LA57 those that CR4 has on
            next_thread (address): thread that runs next, if that is decided
            current_tid (uint): id of the thread that runs
            current_process (address): process whose address space that thread uses
            current_pid (uint): id of that process
            current_process_name (text): ImageFileName of that process
            lstar_module (text): module that LSTAR leads into
            lstar_symbol (text): symbol there
            cstar_module (text): module that CSTAR leads into
            cstar_symbol (text): symbol there
            kva_shadow (bool): user mode runs on page tables of its own
            kva_shadow_evidence (text): what says so: MsrLStar, KiKvaShadow or UserDirectoryTableBase
            nx (bool): it obeys no-execute pages: it works with one, which it could not otherwise
            nx_evidence (address): a page that it works with and that is mapped without the right to run code
            cr0_flags (list): bits of CR0 that are set
            cr4_flags (list): bits of CR4 that are set
            xcr0 (address): states that XSAVE may save
            dr0 (address): debug register 0
            dr1 (address): debug register 1
            dr2 (address): debug register 2
            dr3 (address): debug register 3
            dr6 (address): debug register 6: what breakpoint was hit
            dr7 (address): debug register 7: what breakpoints are on
            tr (code): task register: selector of the task state segment
            ldtr (code): selector of a local descriptor table; Windows for x64 has none
            tss (address): the task state segment: by TR and the descriptor table
            rsp0 (address): stack that the processor changes to when it enters the kernel
            ist (addresses): stacks 1 to 7 of the interrupt table
            gs_base (address): base of GS
            gs_swap (address): base of GS after SWAPGS
            fs_base (address): base of FS
            bpb_state (list): BpbState: how branch predictors are kept apart
            bpb_features (list): BpbFeatures: what of that is in use
            vendor (text): maker
            mhz (uint): clock in MHz
        """
    def idt(self, *, processor: int | None = None) -> Table:
        """The handlers of interrupts and exceptions, and whose they are.

        processor: only this processor.
        Columns:
            processor (uint): number of the processor
            vector (uint): the vector
            address (address): where the handler begins
            module (text): module that owns the handler
            symbol (text): symbol of the kernel that the handler belongs to
            dpl (uint): least privileged level that may raise it with an instruction
            ist (uint): number of the stack in the task state segment; 0 for none
            type (text): interrupt-gate or trap-gate
            selector (code): code segment that the handler runs in
            present (bool): the processor uses the entry
            interrupt_objects (addresses): KINTERRUPT objects that the vector is connected with
            service_routines (addresses): routines of drivers that these objects lead to
            service_modules (list): modules that own these routines; none where no module does
        """
    def gdt(self, *, processor: int | None = None) -> Table:
        """The segments of each processor, and the stacks of its task state segment.

        processor: only this processor.
        Columns:
            processor (uint): number of the processor
            selector (code): place in the table, as code names it
            name (text): what Windows uses the place for
            kind (text): code, data, tss-busy, tss-available, ldt or a gate
            base (address): where the segment begins; of a gate, where it leads to
            limit (code): its last byte, counted from its begin
            dpl (uint): least privileged level that may use it
            present (bool): the processor may use it
            flags (list): its other bits that are set
            raw (code): its first eight bytes
            rsp0 (address): of a task state: the stack of the kernel
            ist (addresses): of a task state: stacks 1 to 7 of the interrupt table
            io_map_base (code): of a task state: where the map of ports begins
        """
    def ssdt(self) -> Table:
        """The routines of system calls, and whose they are.

        Columns:
            table (text): nt or win32k
            index (uint): number of the service, as a system call gives it: from 0x1000 on for win32k
            address (address): its routine
            module (text): module that owns the routine
            symbol (text): symbol of the kernel that the routine belongs to
            stack_args (uint): arguments that lie on the stack
            table_address (address): where the table is
            session_id (uint): session whose copy of the table was read; none for memory that all share
        """
    def security(self) -> Table:
        """What protects the whole system: code integrity, hypervisor, KVA shadow, patch level, debugger.

        Columns:
            build_lab (text): NtBuildLab
            build_lab_ex (text): NtBuildLabEx
            build_qfe (uint): NtBuildQfe: number of the latest fixes
            csd_version (code): CmNtCSDVersion
            service_pack (uint): number of the service pack, in bits 8 to 15 of CmNtCSDVersion; 0 for none
            csd_version_string (text): CmCSDVersionString
            product_type (text): NtProductType of KUSER_SHARED_DATA
            suites (list): SuiteMask of KUSER_SHARED_DATA: VER_SUITE names
            boot_id (uint): BootId of KUSER_SHARED_DATA: how often the system was started
            secure_boot (bool): DbgSecureBootEnabled of KUSER_SHARED_DATA
            safe_boot_mode (bool): SafeBootMode of KUSER_SHARED_DATA
            init_safe_boot_mode (uint): InitSafeBootMode: 1 minimal, 2 network, 3 directory services
            kd_debugger_enabled (bool): KdDebuggerEnabled: the kernel can be debugged
            kd_debugger_not_present (bool): KdDebuggerNotPresent: no debugger is attached to it
            kd_debugger_enabled_raw (code): KdDebuggerEnabled of KUSER_SHARED_DATA
            global_flag (code): NtGlobalFlag
            ci_enabled (bool): g_CiEnabled of Windows 7: code integrity is on
            ci_options (code): g_CiOptions of CI.dll, by symbols of CI.dll: 0 lets any driver load
            ci_symbols (text): where the symbols of CI.dll came from
            ci_callbacks (addresses): routines behind SeCiCallbacks (Windows 7: g_CiCallbacks)
            ci_callback_modules (list): the modules that own these routines
            hypervisor_connected (bool): HvlHypervisorConnected: the kernel knows its hypervisor
            vsm_enabled (bool): VslVsmEnabled: virtualization-based security
            virtualization_flags (code): VirtualizationFlags of KUSER_SHARED_DATA
            mi_flags (list): MiFlags: what is set in _MI_FLAGS, guarantees of code by a hypervisor among it
            mi_flags_raw (uint): MiFlags
            kva_shadow (bool): user mode runs on page tables of its own
            kva_shadow_evidence (text): what says so: KiKvaShadow or UserDirectoryTableBase
            ki_kva_shadow_mode (uint): KiKvaShadowMode
            ki_kva_leakage (uint): KiKvaLeakage
            nx_enabled (bool): PF_NX_ENABLED of KUSER_SHARED_DATA: pages without the right to run code
            nx_support_policy (text): NXSupportPolicy of KUSER_SHARED_DATA: which processes get such pages
            seh_validation_policy (text): SEHValidationPolicy of KUSER_SHARED_DATA
            kernel_cet_enabled (bool): KiKernelCetEnabled: the kernel has shadow stacks
            user_cet_allowed (bool): KiUserCetAllowed: programs may have shadow stacks
            elevation (bool): DbgElevationEnabled of KUSER_SHARED_DATA: user account control
            shared_data_flags (list): SharedDataFlags of KUSER_SHARED_DATA
            shared_data_flags_raw (uint): SharedDataFlags of KUSER_SHARED_DATA
            processor_features (list): ProcessorFeatures of KUSER_SHARED_DATA, by the names of PF_*
            alt_system_call_handlers (addresses): PsAltSystemCallHandlers: other ways of system calls
            alt_system_call_modules (list): the modules that own these handlers; none where no module does
            system_call (uint): SystemCall of KUSER_SHARED_DATA: not zero for another way of system calls
            qpc_bypass_enabled (code): QpcBypassEnabled of KUSER_SHARED_DATA
            active_console_id (uint): ActiveConsoleId of KUSER_SHARED_DATA: session on the console
        """
    def timeline(self) -> Table:
        """What happened when: every time that the other questions tell, in its order.

        Columns:
            time (time): when it happened
            event (text): what happened
            table (text): the question whose answer tells of it
            column (text): the column of that answer
            pid (uint): id of the process that it belongs to
            name (text): the name of what it happened to
            message (text): all of this in one sentence
            details (list): the other values of that row, as column=value
        """
    def coverage(self) -> Table:
        """Which memory the dump describes, and how much of it is in the file.

        Columns:
            space (text): physical or virtual
            start (address): first address
            bytes_described (uint): bytes that the dump describes
            bytes_present (uint): bytes of them that are in the file
            file_offset (address): where they begin in the file
        """
    def inferred(self) -> Table:
        """The fields whose places were found out from the dump itself, for want of symbols that fit.

        Columns:
            structure (text): the structure by Windows' name
            field (text): the field's path in it
            offset (code): bytes from the structure's start
            confidence (confidence): how sure it is, from 0 to 1
            evidence (text): what it rests on
        """
    def doctor(self) -> Table:
        """What is wrong with the dump and what follows from it, and which questions it can answer.

        Columns:
            kind (text): fault, gap (not in the dump) or answer (to a question)
            severity (text): how much depends on it: info, low, medium or high
            check (text): the check that found it, or the first question that noticed it
            file_offset (address): where it lies in the file
            address (address): where it lies in memory
            subject (text): structure and field, or what is missing, or the question
            structure (text): the structure
            field (text): the field of the structure
            found (text): what it holds; for a question, yes, partly or no
            expected (text): what it should hold
            count (uint): how many such things
            reason (text): why, by the names that explain missing values
            what (text): the same in one sentence
            consequence (text): what follows; for a question, what of the answer is missing
        """
    # Until here.

@final
class Table:
    """An answer: rows and columns, and what it could not take into account.

    It is an Arrow stream, which pyarrow, polars, pandas and DuckDB read without a copy; a sequence of rows; and a
    mapping of columns to lists of values.
    """

    @property
    def name(self) -> str:
        """The table's name."""
    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
    @property
    def about(self) -> dict[str, str]:
        """What each column means, with its unit."""
    @property
    def incomplete(self) -> list[_Incomplete]:
        """What the answer could not take into account."""
    @property
    def remarks(self) -> list[str]:
        """What a reader should not miss in the rows."""
    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as plain dicts. Times end at microseconds there; Arrow has all of their digits."""
    def to_arrow(self) -> pyarrow.Table:
        """A `pyarrow.Table`."""
    def to_pandas(self) -> pandas.DataFrame:
        """A `pandas.DataFrame` with Arrow's own types: a whole number that is missing makes no float of the others."""
    def to_polars(self) -> polars.DataFrame:
        """A `polars.DataFrame`."""
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, key: str, /) -> list[Any]: ...
    @overload
    def __getitem__(self, key: slice, /) -> Table: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> Row: ...
    def __iter__(self) -> Iterator[Row]: ...
    def _repr_html_(self) -> str: ...

@disjoint_base
class Row:
    """One row: a mapping of columns to values, which are attributes too.

    A value that is not there is None, and `absent` says why.
    """

    @property
    def absent(self) -> dict[str, str]:
        """Why values are missing, by column. A column that is None and not in here has simply no value."""
    def keys(self) -> list[str]:
        """The columns."""
    def values(self) -> list[Any]:
        """The values, in the order of the columns."""
    def items(self) -> list[tuple[str, Any]]:
        """Pairs of a column and its value."""
    def get(self, column: str, default: Any = None, /) -> Any:
        """The value of a column, or the default if there is no such column."""
    def to_dict(self) -> dict[str, Any]:
        """The row as a plain dict."""
    def __getitem__(self, key: str, /) -> Any: ...
    def __getattr__(self, name: str, /) -> Any: ...
    def __dir__(self) -> Iterable[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __len__(self) -> int: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def _repr_html_(self) -> str: ...

@final
class Process(Row):
    """A process: a row of the table `processes`, whose columns are its attributes, and what belongs to it."""

    @property
    def token(self) -> Row | None:
        """Its primary token, a row of the table `tokens`; None if it has none or `absent["token"]` says why."""
    @property
    def job(self) -> Row | None:
        """Its innermost job, a row of the table `jobs`; None if it is in none or `absent["job"]` says why."""
    @property
    def silo(self) -> Row | None:
        """The container it runs in, a row of the table `silos`; None if it is in none or `absent["silo"]` says why."""
    def read_virtual(self, address: int, length: int) -> bytes:
        """Bytes of its address space; see `Dump.read_virtual`."""
    def _ask(self, question: str) -> Table: ...

    # By `cargo xtask stubs`: questions of a process
    def dlls(self) -> Table:
        """The images that the loaders of processes know, by lists in the processes' own memory, which these can change.

        Only what belongs to this process; the columns are those of `Dump.dlls`.
        """
    def vads(self) -> Table:
        """The areas of user memory of processes, what is mapped there, and how it is protected.

        Only what belongs to this process; the columns are those of `Dump.vads`.
        """
    def threads(self) -> Table:
        """The threads of the processes of the active list, where they started and for whom they act.

        Only what belongs to this process; the columns are those of `Dump.threads`.
        """
    def groups(self) -> Table:
        """The SIDs in each process's token: user, groups, restricting SIDs and capabilities.

        Only what belongs to this process; the columns are those of `Dump.groups`.
        """
    def privileges(self) -> Table:
        """The privileges of each process's token, and whether they are on.

        Only what belongs to this process; the columns are those of `Dump.privileges`.
        """
    def handles(self) -> Table:
        """The handles of the processes in the active list, with what they lead to and the rights they give.

        Only what belongs to this process; the columns are those of `Dump.handles`.
        """
    def handle_types(self) -> Table:
        """How many handles of which type the processes in the active list hold.

        Only what belongs to this process; the columns are those of `Dump.handle_types`.
        """
    # Until here.

    # By `cargo xtask stubs`: columns of processes
    eprocess: int | None
    """Address of the EPROCESS."""
    pid: int | None
    """Process id."""
    ppid: int | None
    """Process id of the parent, which may be gone."""
    parent: int | None
    """EPROCESS of the process with the id ppid that is not younger; null if there is none."""
    orphan: bool | None
    """Ppid is of a process that is gone, whoever has the id now."""
    depth: int | None
    """How many processes are above it, from parent to parent."""
    name: str | None
    """ImageFileName as stored, at most 15 bytes."""
    image_path: str | None
    """SeAuditProcessCreationInfo as stored."""
    command_line: str | None
    """Command line, from the PEB."""
    create_time: datetime | None
    """When it was created."""
    exit_time: datetime | None
    """When it ended."""
    dtb: int | None
    """Root of its page tables (physical)."""
    user_dtb: int | None
    """Root of its user page tables with KVA shadow (physical)."""
    peb: int | None
    """Process environment block."""
    wow64: bool | None
    """A 32-bit process."""
    peb32: int | None
    """Environment block that a 32-bit program sees."""
    active_threads: int | None
    """Threads that have not ended."""
    handle_count: int | None
    """Handles in use."""
    sources: list[str] | None
    """The views of the kernel in which it was found."""
    protection: str | None
    """Protected-process type and signer."""
    protection_level: int | None
    """PS_PROTECTION as one byte."""
    protection_type: str | None
    """None, ProtectedLight or Protected."""
    protection_signer: str | None
    """Signer of the protection."""
    protection_audit: bool | None
    """The protection is only audited."""
    signature_level: int | None
    """Signature level of the image, both nibbles."""
    signature_level_name: str | None
    """The same in words."""
    section_signature_level: int | None
    """Signature level that images loaded later must have."""
    section_signature_level_name: str | None
    """The same in words."""
    critical: bool | None
    """BreakOnTermination: the system stops if it ends."""
    system_process: bool | None
    """Flags3.SystemProcess."""
    subsystem_process: bool | None
    """Flags3.SubsystemProcess."""
    cross_session_create: bool | None
    """Created for another session."""
    minimal: bool | None
    """Started with an empty address space."""
    pico: bool | None
    """Has a pico provider."""
    pico_context: int | None
    """What the pico provider keeps for it."""
    secure: bool | None
    """A trustlet: has a half in the secure kernel."""
    trustlet_id: int | None
    """TrustletIdentity, for a trustlet."""
    scheduling_group: int | None
    """KPROCESS.SchedulingGroup: what limits its share of the processors."""
    frozen: bool | None
    """KPROCESS.FreezeCount is not 0."""
    being_debugged: bool | None
    """DebugPort is not 0."""
    exiting: bool | None
    """ProcessExiting."""
    deleted: bool | None
    """ProcessDelete."""
    flags: list[str] | None
    """What is set in Flags."""
    flags2: list[str] | None
    """What is set in Flags2."""
    flags3: list[str] | None
    """What is set in Flags3."""
    flags_raw: int | None
    """Flags."""
    flags2_raw: int | None
    """Flags2."""
    flags3_raw: int | None
    """Flags3."""
    integrity: str | None
    """Integrity level."""
    integrity_rid: int | None
    """Integrity level as a number."""
    session_id: int | None
    """Number of its session, from EPROCESS.Session."""
    job_name: str | None
    """Full name of that job, if it has one."""
    job_chain: list[int] | None
    """The jobs that it is in, from the innermost to the outermost."""
    silo_kind: str | None
    """None, silo (of an application) or server-silo (a container)."""
    silo_id: int | None
    """JobId of the silo."""
    server_silo: int | None
    """Job of the container that it runs in, around other silos too."""
    user_sid: str | None
    """The token's user."""
    user_name: str | None
    """The user's name, if it is a well-known one."""
    token_session_id: int | None
    """TOKEN.SessionId, which need not be session_id."""
    logon_id: int | None
    """Number of the logon session."""
    elevation: str | None
    """Default, Full or Limited: how the logon was split."""
    app_container: bool | None
    """Runs in an AppContainer."""
    package_sid: str | None
    """SID of the app package."""
    capabilities: int | None
    """How many capabilities the package has."""
    privileges_enabled: list[str] | None
    """Privileges that are on."""
    restricted: bool | None
    """Restricting SIDs must be allowed, too."""
    trust_label: str | None
    """SID of the trust label."""
    mitigations: list[str] | None
    """What is set in MitigationFlags, 2 and 3."""
    mitigation_flags_raw: int | None
    """MitigationFlags."""
    mitigation_flags2_raw: int | None
    """MitigationFlags2."""
    mitigation_flags3_raw: int | None
    """MitigationFlags3."""
    # Until here.

@final
class Listing:
    """What `dt` prints: lines of text, shown as they are by `print`, at a prompt and in a notebook."""

    @property
    def lines(self) -> list[str]:
        """The lines."""
    def _repr_html_(self) -> str: ...
