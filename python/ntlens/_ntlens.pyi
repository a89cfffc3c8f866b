"""The compiled half of `ntlens`. What it tells of questions and columns is made by `cargo xtask stubs`."""

from collections.abc import Callable, Iterator
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

class IncompleteWarning(UserWarning):
    """An answer misses something; the table's `incomplete` lists all of it."""

def open(
    source: _Source,
    *,
    symbols: _Path | list[_Path] | None = None,
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
        """Bytes of the kernel's address space, or of a process's."""
    def read_physical(self, address: int, length: int) -> bytes:
        """Bytes of physical memory."""
    def memory(self, address: int, length: int, pid: int | None = None, *, physical: bool = False) -> Table:
        """Bytes as the table `memory`, sixteen a row; a missing page is one row that says why."""
    def translate(self, address: int, pid: int | None = None) -> Row:
        """Where a virtual address lies in physical memory and in the file: the one row of the table `translation`."""
    def dt(
        self,
        type: str,
        pattern: str | None = None,
        *,
        at: int | None = None,
        pid: int | None = None,
        depth: int = 0,
    ) -> Listing:
        """The layout of a type, as the debugger's `dt` prints it, or with `at` what an instance holds."""
    def to_isf(self) -> str:
        """All types of the kernel and its symbols, as far as they are known, as the text of an ISF table."""
    def to_timeline(self, format: Literal["timesketch", "bodyfile"] = "timesketch") -> str:
        """Everything in the dump that has a time, as text for other tools; `timeline` is the same as a table.

        format: "timesketch", one JSON object a line, or "bodyfile" for `mactime`.
        """
    def symbols(self) -> Table:
        """The modules and which symbols were found for each: the table `symbols`."""
    def symbol(self, name: str) -> Table:
        """The addresses of a name, `nt!PsLoadedModuleList`, with `*` and `?` for others: the table `symbol`."""
    def nearest(self, address: int) -> Row | None:
        """The symbol at an address, or the nearest before it in the same module: a row of the table `symbol`."""
    def _repr_html_(self) -> str: ...

    # By `cargo xtask stubs`: questions of a dump
    def processes(self, *, tree: bool = False) -> Table:
        """Every process found by any source, and how it is protected."""
    def mitigations(self, *, pid: int | None = None, all: bool = False) -> Table:
        """What makes a fault in a process harder to use, by policy, and how it differs from processes of the same image."""
    def dlls(self, *, pid: int | None = None, all: bool = False) -> Table:
        """The images that the loaders of processes know, by lists in the processes' own memory, which these can change."""
    def vads(self, *, pid: int | None = None, all: bool = False) -> Table:
        """The areas of user memory of processes, what is mapped there, and how it is protected."""
    def threads(self, *, pid: int | None = None) -> Table:
        """The threads of the processes of the active list, where they started and for whom they act."""
    def tokens(self, *, pid: int | None = None) -> Table:
        """The tokens of processes and of threads that act for somebody else, each once."""
    def groups(self, *, pid: int | None = None) -> Table:
        """The SIDs in each process's token: user, groups, restricting SIDs and capabilities."""
    def privileges(self, *, pid: int | None = None) -> Table:
        """The privileges of each process's token, and whether they are on."""
    def handles(self, *, pid: int | None = None, all: bool = False) -> Table:
        """The handles of the processes in the active list, with what they lead to and the rights they give."""
    def handle_types(self, *, pid: int | None = None, all: bool = False) -> Table:
        """How many handles of which type the processes in the active list hold."""
    def objects(self, path: str | None = None) -> Table:
        """The objects that have a place in the namespace, each once; symbolic links are not followed."""
    def holders(self, object: str | int | None = None, *, type: str | None = None) -> Table:
        """Who holds an object, over all processes that any source knows."""
    def crossings(self, *, border: str | None = None, pid: int | None = None, all: bool = False) -> Table:
        """Who holds what across the borders of sessions, containers and integrity, one row for each border."""
    def collisions(self) -> Table:
        """Names that stand in the global namespace and in a session's or a container's, with who holds either object."""
    def sessions(self) -> Table:
        """Every session, the processes in it and the logons that they belong to."""
    def jobs(self) -> Table:
        """Every job that processes, other jobs, the kernel's list or handles lead to, and its limits."""
    def silos(self) -> Table:
        """The host and every job that is a silo: its kind, its namespace, and the processes in it."""
    def modules(self) -> Table:
        """The kernel modules that were loaded."""
    def unloaded(self) -> Table:
        """The last kernel modules that were unloaded, the oldest first."""
    def callbacks(self) -> Table:
        """The functions that drivers have the kernel call: for processes, threads, images, the registry and objects."""
    def loggers(self) -> Table:
        """The sessions of event tracing (ETW) of the host and of each container."""
    def providers(self) -> Table:
        """The providers of trace events (ETW), who registered them, and which sessions enabled them."""
    def crash(self) -> Table:
        """The bug check, and the processor, thread and process in which it was."""
    def cpus(self) -> Table:
        """The processors with their control registers, descriptor tables and entries into the kernel."""
    def idt(self, *, processor: int | None = None) -> Table:
        """The handlers of interrupts and exceptions, and whose they are."""
    def gdt(self, *, processor: int | None = None) -> Table:
        """The segments of each processor, and the stacks of its task state segment."""
    def ssdt(self) -> Table:
        """The routines of system calls, and whose they are."""
    def security(self) -> Table:
        """What protects the whole system: code integrity, hypervisor, KVA shadow, patch level, debugger."""
    def timeline(self) -> Table:
        """What happened when: every time that the other questions tell, in its order."""
    def coverage(self) -> Table:
        """Which memory the dump describes, and how much of it is in the file."""
    def inferred(self) -> Table:
        """The fields whose places were found out from the dump itself, for want of symbols that fit."""
    def doctor(self) -> Table:
        """What is wrong with the dump and what follows from it, and which questions it can answer."""
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
    def __dir__(self) -> list[str]: ...
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
        """Bytes of its address space."""
    def _ask(self, question: str) -> Table: ...

    # By `cargo xtask stubs`: questions of a process
    def dlls(self) -> Table:
        """The images that the loaders of processes know, by lists in the processes' own memory, which these can change."""
    def vads(self) -> Table:
        """The areas of user memory of processes, what is mapped there, and how it is protected."""
    def threads(self) -> Table:
        """The threads of the processes of the active list, where they started and for whom they act."""
    def groups(self) -> Table:
        """The SIDs in each process's token: user, groups, restricting SIDs and capabilities."""
    def privileges(self) -> Table:
        """The privileges of each process's token, and whether they are on."""
    def handles(self) -> Table:
        """The handles of the processes in the active list, with what they lead to and the rights they give."""
    def handle_types(self) -> Table:
        """How many handles of which type the processes in the active list hold."""
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
