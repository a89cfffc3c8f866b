//! Answers to standard output or a file; remarks to standard error.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use ntlens::nt::Snapshot;
use ntlens::nt::select::Origin;
use ntlens::render::{self, Format, Terminal, escape};
use ntlens::report::page::Page;
use ntlens::report::{Table, Wanted};
use ntlens::{CoreError, Incomplete, OpenDump};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// An answer was printed.
    Complete,
    /// The answer misses something, and the user asked to be told by the exit status.
    Incomplete,
}

/// Why a command gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Ntlens(#[from] ntlens::Error),
    #[error(transparent)]
    Symbols(#[from] ntlens::symbols::SymbolError),
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("the answer could not be written: {0}")]
    Write(#[from] io::Error),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Usage(String),
}

impl From<ntlens::CoreError> for Failure {
    fn from(error: ntlens::CoreError) -> Self {
        Self::Ntlens(error.into())
    }
}

impl Failure {
    /// Whether nobody reads the output any more.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let (Self::Write(error) | Self::Ntlens(ntlens::Error::Write(error))) = self else { return false };
        error.kind() == io::ErrorKind::BrokenPipe
    }
}

/// Where and how the answer is written.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    /// Columns that the user wants lines to have, 0 for any number.
    pub(crate) width: Option<u16>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) input: Option<PathBuf>,
    pub(crate) strict: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

/// Remarks of one kind that are printed without `-v`.
const SHOWN: usize = 3;

impl Output {
    /// Which columns the answer needs.
    pub(crate) fn wanted(&self) -> Wanted {
        match self.format {
            Format::Table if self.terminal().width.is_some() => Wanted::Wide,
            Format::Table => Wanted::Screen,
            _ => Wanted::All,
        }
    }

    /// Writes an answer and says what it misses.
    pub(crate) fn answer(&self, dump: &OpenDump, answer: &Table) -> Result<Status, Failure> {
        let orphans = answer.outline.iter().flat_map(|outline| &outline.branches).any(|branch| branch.orphan);
        let mut remarks = answer.remarks.clone();
        remarks.extend(orphans.then(|| "? stands before processes whose parent is gone".into()));
        self.said(dump, &remarks, &answer.incomplete, |out, terminal| {
            render::write(out, self.format, Some(dump), answer, terminal)
        })
    }

    /// Writes the page of a process and says what it misses.
    pub(crate) fn page(&self, dump: &OpenDump, page: &Page) -> Result<Status, Failure> {
        self.said(dump, &page.remarks, &page.incomplete, |out, terminal| {
            render::write_page(out, self.format, dump, page, terminal)
        })
    }

    /// Writes something, and says what belongs to it.
    fn said(
        &self,
        dump: &OpenDump,
        remarks: &[String],
        incomplete: &[Incomplete],
        write: impl FnOnce(&mut dyn Write, Terminal) -> Result<Vec<&'static str>, ntlens::Error>,
    ) -> Result<Status, Failure> {
        let mut hidden = Vec::new();
        self.write(|out, terminal| {
            hidden = write(out, terminal)?;
            Ok(())
        })?;
        if !hidden.is_empty() && !self.quiet {
            say("note", &format!("no room for {}; --width 0 and --columns show them", hidden.join(", ")));
        }
        Ok(self.told(dump, remarks, incomplete))
    }

    /// Says what belongs to something that was written.
    pub(crate) fn told(&self, dump: &OpenDump, remarks: &[String], incomplete: &[Incomplete]) -> Status {
        self.remarks(dump, remarks);
        self.missing(incomplete);
        let complete = incomplete.is_empty() && dump.kernel().is_ok();
        if self.strict && !complete { Status::Incomplete } else { Status::Complete }
    }

    /// Writes a table that is of no dump.
    pub(crate) fn plain(&self, answer: &Table) -> Result<Status, Failure> {
        self.write(|out, terminal| {
            render::write(out, self.format, None, answer, terminal)?;
            Ok(())
        })?;
        Ok(Status::Complete)
    }

    /// What the answer is shown on: a file has no width and no colours of its own.
    fn terminal(&self) -> Terminal {
        let stdout = io::stdout();
        let terminal = self.file.is_none().then(|| terminal_size::terminal_size_of(&stdout)).flatten();
        let width = self.width.or(terminal.map(|(width, _)| width.0)).filter(|width| *width > 0);
        let color = self.file.is_none() && AutoStream::choice(&stdout) != ColorChoice::Never;
        Terminal { width, color }
    }

    /// Writes to the file or to standard output.
    pub(crate) fn write(
        &self,
        write: impl FnOnce(&mut dyn Write, Terminal) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(path) = &self.file else {
            let stdout = io::stdout();
            let mut out = BufWriter::new(stdout.lock());
            write(&mut out, self.terminal())?;
            return Ok(out.flush()?);
        };
        let failed = |error| Failure::File { path: path.clone(), error };
        if self.input.as_deref().is_some_and(|input| same_file(input, path)) {
            return Err(Failure::Usage(format!("{}: is the dump itself, and is not overwritten", path.display())));
        }
        let path = match Target::of(path).map_err(failed)? {
            Target::Stream => {
                // Nothing is cut off: the name of an open file may stand for one that others write to as well.
                let mut out = BufWriter::new(File::options().append(true).open(path).map_err(failed)?);
                write(&mut out, self.terminal())?;
                return Ok(out.flush()?);
            }
            Target::File(path) => path,
        };
        if let Some(what) = dump_at(&path)? {
            return Err(Failure::Usage(format!("{}: is {what}, and is not overwritten", path.display())));
        }
        // A file beside the target, put in its place when it is whole.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".ntlens-").tempfile_in(folder).map_err(failed)?;
        {
            let mut out = BufWriter::new(&mut file);
            write(&mut out, self.terminal())?;
            out.flush().map_err(failed)?;
        }
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// What the reader should know: what stands out in the answer, which layout was used, what of the kernel is missing.
    fn remarks(&self, dump: &OpenDump, remarks: &[String]) {
        if self.quiet {
            return;
        }
        for remark in remarks {
            say("note", remark);
        }
        match dump.kernel() {
            Err(why) => say("warning", &why.to_string()),
            Ok(kernel) => {
                self.layout(kernel);
                if kernel.triage().is_some() {
                    say("note", "a triage dump holds the crashing process only, and no tokens and handles");
                }
            }
        }
    }

    /// How well the layout fits, unless it is that of exactly this kernel.
    pub(crate) fn layout(&self, kernel: &Snapshot) {
        let selected = kernel.selected();
        let (origin, source) = (selected.origin, &selected.source);
        let versions: Vec<_> = selected.versions.iter().map(ToString::to_string).collect();
        let versions = match versions.as_slice() {
            [first, .., last] if versions.len() > 2 => format!("{} revisions, {first} to {last}", versions.len()),
            few => few.join(" and "),
        };
        let of = match origin {
            Origin::Exact => return,
            Origin::Inferred => format!("{} fields; the others need symbols", selected.inferred.len()),
            Origin::Forced => "of another kernel".into(),
            _ => format!("what agrees of {versions}"),
        };
        if !self.quiet {
            say("note", &format!("layout: {origin} ({source}, {of})"));
        }
    }

    fn missing(&self, incomplete: &[Incomplete]) {
        let shown = if self.verbose { incomplete.len() } else { SHOWN };
        if let Some(text) = render::missing(incomplete, shown).filter(|_| !self.quiet) {
            let more = if incomplete.len() > shown { "; more with -v" } else { "" };
            say("warning", &format!("{text}{more}"));
        }
    }
}

/// What an answer is written to.
enum Target {
    /// A file that is put in place whole.
    File(PathBuf),
    /// A pipe or a device, or a name for a file that is open already (`/dev/stdout`): it is written into, as other tools do,
    /// and never replaced.
    Stream,
}

impl Target {
    /// What a path stands for. A link stays: it is what it leads to that is written.
    fn of(path: &Path) -> io::Result<Self> {
        let Ok(link) = path.symlink_metadata() else { return Ok(Self::File(path.into())) };
        // Links in `/dev` and `/proc` are names of what is open.
        let in_place = |folder: PathBuf| folder == Path::new("/dev") || folder.starts_with("/proc");
        if link.is_symlink() && path.parent().and_then(|folder| folder.canonicalize().ok()).is_some_and(in_place) {
            return Ok(Self::Stream);
        }
        let found = path.metadata()?;
        if !found.is_file() && !found.is_dir() {
            return Ok(Self::Stream);
        }
        Ok(Self::File(if link.is_symlink() { path.canonicalize()? } else { path.into() }))
    }
}

/// What dump or image of memory there is at a path: anything that ntlens opens, and what it knows by its first bytes. A file
/// that cannot be read is an error: it could be one. This takes as long as opening a dump, which is bounded.
fn dump_at(path: &Path) -> Result<Option<String>, Failure> {
    if !path.metadata().is_ok_and(|found| found.is_file() && found.len() > 0) {
        return Ok(None);
    }
    match ntlens::open(path) {
        Err(ntlens::Error::Dump { error: CoreError::Malformed { offset: 0, field: "Signature", .. }, .. }) => Ok(None),
        Err(ntlens::Error::Dump { error: CoreError::Unsupported { what, .. }, .. }) => Ok(Some(what)),
        Err(error @ (ntlens::Error::Io { .. } | ntlens::Error::Dump { error: CoreError::Read(_), .. })) => {
            Err(error.into())
        }
        // What has the signature of a dump is one, however it is broken.
        Ok(_) | Err(_) => Ok(Some("a dump".into())),
    }
}

fn same_file(left: &Path, right: &Path) -> bool {
    match (left.canonicalize(), right.canonicalize()) {
        (Ok(left), Ok(right)) => left == right,
        _ => false,
    }
}

/// A line on standard error: `error: ...`, `warning: ...` or `note: ...`.
pub(crate) fn say(kind: &str, text: &str) {
    let color = match kind {
        "error" => AnsiColor::Red,
        "warning" => AnsiColor::Yellow,
        _ => AnsiColor::Cyan,
    };
    let style = Style::new().bold().fg_color(Some(color.into()));
    let mut stderr = anstream::stderr();
    // Nobody is left to be told if this fails.
    let _ = writeln!(stderr, "{style}{kind}:{style:#} {}", escape::visible(text));
}

/// Sets colours for the whole program: `--color`, else `NO_COLOR` and each terminal decide.
pub(crate) fn set_color(choice: &str) {
    let choice = match choice {
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        _ => ColorChoice::Auto,
    };
    choice.write_global();
}
