//! A dump that was opened.

use crate::error::{SymbolsError, exception, not_in_dump};
use crate::html;
use crate::listing::Listing;
use crate::opened::{Answer, Opened};
use crate::process::Process;
use crate::progress::{self, Shared};
use crate::questions;
use crate::row::Row;
use crate::source;
use crate::table::{self, Table};
use ntlens::address::{PhysAddr, VirtAddr};
use ntlens::extract;
use ntlens::nt::snapshot::Options;
use ntlens::render::{self, Format, Terminal};
use ntlens::report::memory::{self, Of};
use ntlens::report::{Arguments, timeline, translation};
use ntlens::symbols::dt::{Dt, Pattern, find, find_all};
use ntlens::{CoreError, Symbols, names};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use std::path::PathBuf;
use std::sync::Arc;

/// A dump that was opened, for reading only. It may be used by several threads.
///
/// Every question of the library is a method of its name that gives a `Table`; what an answer could not take into account
/// is warned of (`IncompleteWarning`), or raised if the dump was opened with `strict=True`.
#[pyclass(frozen, module = "ntlens")]
#[derive(Debug)]
pub(crate) struct Dump(Arc<Opened>);

/// Opens a dump of any kind.
///
/// source: a path, `bytes` or another object with a buffer, or a binary file object with `seek` and `read`, of which only
///     what is needed is read.
/// symbols: a PDB, an ISF table, a folder or store of them, or a list of such; searched before `_NT_SYMBOL_PATH`.
/// force_symbols: use the kernel symbols that `symbols` names, whatever kernel they are of.
/// dtb: root of the page tables to start from, instead of the one in the header or found in raw memory.
/// strict: raise `IncompleteError` where an answer misses something, instead of a warning.
/// progress: a bar while something is worked on for long: True, False, or in notebooks only (None); or what is called now
///     and then with the rows that are done and how many there are, None as long as that is not known, and whose `close`
///     is called at the end, if it has one.
#[pyfunction]
#[pyo3(signature = (source, *, symbols = None, force_symbols = false, dtb = None, strict = false, progress = None))]
pub(crate) fn open(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    symbols: Option<&Bound<'_, PyAny>>,
    force_symbols: bool,
    dtb: Option<u64>,
    strict: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Dump> {
    let given = symbols.map(paths).transpose()?.unwrap_or_default();
    let path = ntlens::symbol_path(&given).map_err(|error| SymbolsError::new_err(error.to_string()))?;
    let source = source::given(source)?;
    let progress = progress::shown(py, progress)?;
    open_source(py, source, force_symbols, path, Options { dtb: dtb.map(PhysAddr) }, strict, progress)
}

/// Opens a small sample dump that is part of the package: a made-up machine.
#[pyfunction]
#[pyo3(signature = (*, strict = false))]
pub(crate) fn demo(py: Python<'_>, strict: bool) -> PyResult<Dump> {
    let bytes = ntlens::demo::bytes().map_err(|error| exception(py, error))?;
    let source = source::owned(ntlens::demo::NAME, bytes);
    open_source(py, source, false, ntlens::symbols::path::SymbolPath::new(), Options::default(), strict, None)
}

fn open_source(
    py: Python<'_>,
    source: source::Given,
    force: bool,
    path: ntlens::symbols::path::SymbolPath,
    options: Options,
    strict: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Dump> {
    let opened = progress::run(py, progress.as_ref(), || {
        let symbols = Symbols::embedded()?.forced(force).with_path(path);
        let dump = ntlens::open_source(&source.name, source.source, &symbols, options)?.with_spread(&Shared);
        if let Ok(kernel) = dump.kernel() {
            // The snapshot keeps it. Found by a question that is interrupted, it would stay as it was then.
            kernel.object_manager();
        }
        Ok::<_, ntlens::Error>((dump, symbols))
    })?;
    let (dump, symbols) = opened.map_err(|error| exception(py, error))?;
    let opened = Opened::new(dump, Arc::new(symbols), options, strict, progress);
    opened.tell_of_kernel(py)?;
    opened.tell(py, opened.dump.incomplete())?;
    Ok(Dump(Arc::new(opened)))
}

/// The kernels whose layouts are part of the package, the oldest first.
#[pyfunction]
pub(crate) fn embedded(py: Python<'_>) -> PyResult<Table> {
    let table = py.detach(|| {
        let pack = ntlens::symbols::Pack::embedded()?;
        Ok::<_, ntlens::Error>(ntlens::embedded::embedded(&pack)?)
    });
    Ok(Table::new(Answer::new(table.map_err(|error| exception(py, error))?), None))
}

/// One path or several.
fn paths(given: &Bound<'_, PyAny>) -> PyResult<Vec<PathBuf>> {
    match given.extract::<PathBuf>() {
        Ok(path) => Ok(vec![path]),
        Err(_) => given.try_iter()?.map(|path| path?.extract()).collect(),
    }
}

/// Which memory an address lies in.
fn virtual_of(pid: Option<u64>) -> Of {
    pid.map_or(Of::Kernel, Of::Process)
}

/// Bytes of an address space, all of them or an error.
pub(crate) fn read_virtual<'py>(
    py: Python<'py>,
    of: &Opened,
    address: u64,
    length: usize,
    pid: Option<u64>,
) -> PyResult<Bound<'py, PyBytes>> {
    read(py, of, virtual_of(pid), address, length)
}

fn read<'py>(py: Python<'py>, of: &Opened, memory: Of, address: u64, length: usize) -> PyResult<Bound<'py, PyBytes>> {
    let (bytes, missing) = of.run(py, |dump| memory::bytes(dump, memory, address, length))?;
    match missing {
        None => Ok(PyBytes::new(py, &bytes)),
        Some(why) => {
            let at = address.wrapping_add(bytes.len() as u64);
            Err(not_in_dump(py, format!("{at:#018x}, after {} of {length} bytes: {why}", bytes.len()), Some(why)))
        }
    }
}

#[pymethods]
impl Dump {
    /// What the user called it: its path, or the kind of object it was read from.
    #[getter]
    fn name(&self) -> &str {
        self.0.dump.name()
    }

    /// What the dump is, from its header and its kernel: the one row of the table `info`.
    #[getter]
    fn info(&self, py: Python<'_>) -> PyResult<Row> {
        Ok(Row::new(self.0.lookup(py, questions::question("info")?)?, 0))
    }

    /// What was missing or contradictory when the dump was opened, as `Table.incomplete` has it.
    #[getter]
    fn incomplete<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        table::incomplete(py, self.0.dump.incomplete())
    }

    /// Asks a question by its name, with its parameters: `dump.ask("handles", pid=4)` is `dump.handles(pid=4)`.
    #[pyo3(signature = (question, /, *args, **kwargs))]
    fn ask(
        &self,
        py: Python<'_>,
        question: &str,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Table> {
        let question = questions::question(question)?;
        let arguments: Arguments = questions::arguments(question, args, kwargs)?;
        Ok(Table::new(self.0.ask(py, question, &arguments)?, Some(self.0.clone())))
    }

    /// The process with this id; the first in the active list, if several have had it.
    fn process<'py>(&self, py: Python<'py>, pid: u64) -> PyResult<Bound<'py, Process>> {
        Process::find(py, &self.0, pid)
    }

    /// Bytes of the kernel's address space, or of a process's. `NotInDumpError` says where the first missing one is and why.
    ///
    /// address: a virtual address; one of the kernel's if `pid` is not given.
    /// length: how many bytes.
    /// pid: the process whose address space is meant.
    #[pyo3(signature = (address, length, pid = None))]
    fn read_virtual<'py>(
        &self,
        py: Python<'py>,
        address: u64,
        length: usize,
        pid: Option<u64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        read_virtual(py, &self.0, address, length, pid)
    }

    /// Bytes of physical memory. `NotInDumpError` says where the first missing one is and why.
    ///
    /// address: a physical address.
    /// length: how many bytes.
    fn read_physical<'py>(&self, py: Python<'py>, address: u64, length: usize) -> PyResult<Bound<'py, PyBytes>> {
        read(py, &self.0, Of::Physical, address, length)
    }

    /// Bytes as the table `memory`, sixteen a row; a missing page is one row that says why.
    #[pyo3(signature = (address, length, pid = None, *, physical = false))]
    fn memory(&self, py: Python<'_>, address: u64, length: u64, pid: Option<u64>, physical: bool) -> PyResult<Table> {
        let of = if physical { Of::Physical } else { virtual_of(pid) };
        let table = self.0.run(py, |dump| memory::read(dump, of, address, length))?;
        self.table(py, table)
    }

    /// Where a virtual address of the kernel or of a process lies in physical memory and in the file: the one row of the
    /// table `translation`. What is not known is None, and `absent` says why.
    ///
    /// address: a virtual address; one of the kernel's if `pid` is not given.
    /// pid: the process whose address space is meant.
    #[pyo3(signature = (address, pid = None))]
    fn translate(&self, py: Python<'_>, address: u64, pid: Option<u64>) -> PyResult<Row> {
        let table = self.0.run(py, |dump| translation::translate(dump, virtual_of(pid), VirtAddr(address)))?;
        Ok(Row::new(Answer::new(table), 0))
    }

    /// The layout of a type, as the debugger's command of that name prints it, or with `at` what an instance holds.
    ///
    /// type: a name, `_EPROCESS` or `nt!_eprocess`; a pattern, `_HANDLE*`, lists the types of such names.
    /// pattern: only fields whose names match, such as `System*`.
    /// at: the address of an instance, in the kernel's address space or in that of the process `pid`.
    /// depth: also the fields of structures inside, to this depth.
    #[pyo3(signature = (r#type, pattern = None, *, at = None, pid = None, depth = 0))]
    fn dt(
        &self,
        py: Python<'_>,
        r#type: &str,
        pattern: Option<&str>,
        at: Option<u64>,
        pid: Option<u64>,
        depth: usize,
    ) -> PyResult<Listing> {
        let layouts = self.0.types(py)?;
        if r#type.contains(['*', '?']) {
            let names = find_all(layouts, r#type).into_iter().map(|found| format!("{}\n", found.name()));
            return Ok(Listing(names.collect()));
        }
        let unknown = || SymbolsError::new_err(format!("no type of this kernel is named {type}"));
        let found = find(layouts, r#type).ok_or_else(unknown)?;
        let text = self.0.run(py, |dump| {
            let mut dt = Dt::new(layouts, found).depth(depth);
            if let Some(pattern) = pattern {
                dt = dt.only(Pattern::new(pattern));
            }
            let Some(at) = at else { return Ok::<_, CoreError>(dt.to_string()) };
            let space = memory::space(dump, virtual_of(pid))?;
            Ok(dt.at(&space, VirtAddr(at)).to_string())
        })?;
        Ok(Listing(text))
    }

    /// All types of the kernel and its symbols, as far as they are known, as the text of an ISF table, which volatility3 reads.
    fn to_isf(&self, py: Python<'_>) -> PyResult<String> {
        let layouts = self.0.types(py)?;
        self.0.run(py, |dump| {
            let mut isf = Vec::new();
            ntlens::isf::write(&mut isf, layouts, dump.kernel().ok())?;
            Ok::<_, ntlens::Error>(String::from_utf8_lossy(&isf).into_owned())
        })
    }

    /// Everything in the dump that has a time, as text for other tools: "timesketch" for Timesketch, one JSON object a line,
    /// or "bodyfile" for `mactime`. `timeline` is the same as a table.
    #[pyo3(signature = (format = "timesketch"))]
    fn to_timeline(&self, py: Python<'_>, format: &str) -> PyResult<String> {
        let known = Format::OF_TIMELINE.iter().find(|(name, _)| *name == format);
        let (_, format) = known.ok_or_else(|| {
            let names = Format::OF_TIMELINE.map(|(name, _)| name).join(", ");
            PyValueError::new_err(format!("format is one of {names}, not {format:?}"))
        })?;
        let answer = self.0.ask(py, questions::question(timeline::NAME)?, &Arguments::default())?;
        self.0.run(py, |dump| {
            let mut text = Vec::new();
            render::write(&mut text, *format, Some(dump), &answer.table, Terminal::default())?;
            Ok::<_, ntlens::Error>(String::from_utf8_lossy(&text).into_owned())
        })
    }

    /// Writes a small dump with what is needed to look at one process, or with the kernel alone; other readers open it, too.
    /// It has no user memory of anybody else. What it lacks is warned of.
    ///
    /// path: the new file. One that is there is never overwritten: `FileExistsError`.
    /// process: the id of the process.
    /// kernel: the kernel's memory, and no user pages.
    #[pyo3(signature = (path, *, process = None, kernel = false))]
    fn extract(&self, py: Python<'_>, path: PathBuf, process: Option<u64>, kernel: bool) -> PyResult<()> {
        let of = match (process, kernel) {
            (Some(pid), false) => extract::Of::Process(pid),
            (None, true) => extract::Of::Kernel,
            _ => return Err(PyTypeError::new_err("either process or kernel=True is given")),
        };
        self.0.extract(py, of, path)
    }

    /// The modules and which symbols were found for each: the table `symbols`.
    fn symbols(&self, py: Python<'_>) -> PyResult<Table> {
        let names = self.0.names(py)?;
        let table = self.0.run(py, |_| Ok::<_, CoreError>(names.table()))?;
        self.table(py, table)
    }

    /// The addresses of a name, with or without the module before it: `nt!PsLoadedModuleList`; `*` and `?` stand for others.
    /// The table `symbol`, empty if the name is in no symbols that were found.
    fn symbol(&self, py: Python<'_>, name: &str) -> PyResult<Table> {
        let names = self.0.names(py)?;
        let found = self.0.run(py, |_| Ok::<_, CoreError>(names.addresses(name)))?;
        self.table(py, names::found(&found))
    }

    /// The symbol at an address, or the nearest before it in the same module: a row of the table `symbol`; None outside of
    /// all modules.
    fn nearest(&self, py: Python<'_>, address: u64) -> PyResult<Option<Row>> {
        let names = self.0.names(py)?;
        let found = self.0.run(py, |_| Ok::<_, CoreError>(names.nearest(VirtAddr(address))))?;
        Ok(found.map(|found| Row::new(Answer::new(names::found(&[found])), 0)))
    }

    fn __repr__(&self) -> String {
        let dump = &self.0.dump;
        let layout = match dump.kernel() {
            Ok(kernel) => {
                let version = kernel.version().map(|version| format!("Windows {version}, "));
                let selected = kernel.selected();
                format!("{}layout {} ({})", version.unwrap_or_default(), selected.origin, selected.source)
            }
            Err(why) => why.to_string(),
        };
        let text = format!("<Dump {}: {}, {layout}>", dump.name(), dump.dump().kind.name());
        ntlens::text::visible(&text)
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let info = self.0.lookup(py, questions::question("info")?)?;
        Ok(html::table(&info.table))
    }
}

impl Dump {
    fn table(&self, py: Python<'_>, table: ntlens::report::Table) -> PyResult<Table> {
        Ok(Table::new(self.0.answer(py, table)?, Some(self.0.clone())))
    }
}
