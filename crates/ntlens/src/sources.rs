//! Where layouts and symbols are taken from: what the user names, then the embedded layouts.

use crate::Error;
use ntlens_core::Error as CoreError;
use ntlens_core::error::OtherSymbols;
use ntlens_core::layout::source::{Given, ImageSymbols, LayoutSource, TableInfo};
use ntlens_core::layout::{Layouts, PdbId};
use ntlens_core::nt::Snapshot;
use ntlens_core::nt::image::is_kernel_pdb;
use ntlens_core::nt::select::Origin;
use ntlens_symbols::path::{Fetch, Found, Outcome, Search, SymbolPath};
use ntlens_symbols::{Pack, SymbolError, file};
use std::fmt;
use std::path::{Path, PathBuf};

/// Layouts and symbols for a dump: from a symbol path, if there is one, and from the embedded pack.
///
/// ```no_run
/// use ntlens::Symbols;
/// use ntlens::symbols::path::SymbolPath;
///
/// let path = SymbolPath::parse("/symbols;srv*/cache*https://msdl.microsoft.com/download/symbols");
/// let symbols = Symbols::embedded()?.with_path(path);
/// let dump = ntlens::open_with("MEMORY.DMP", &symbols, Default::default())?;
/// println!("{}", dump.kernel()?.selected().source);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Symbols {
    pack: Pack<'static>,
    path: SymbolPath,
    fetch: Option<Box<dyn Fetch + Send + Sync>>,
    force: bool,
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbols").field("path", &self.path).field("force", &self.force).finish_non_exhaustive()
    }
}

/// The symbol path that a user wants: what was named, one by one, then `_NT_SYMBOL_PATH`.
pub fn symbol_path(given: &[PathBuf]) -> Result<SymbolPath, SymbolError> {
    let mut path = SymbolPath::new();
    for given in given {
        path.push(given)?;
    }
    if let Some(more) = std::env::var_os("_NT_SYMBOL_PATH") {
        path.extend(&more.to_string_lossy());
    }
    Ok(path)
}

impl Symbols {
    /// The embedded layouts alone.
    pub fn embedded() -> Result<Self, Error> {
        Ok(Self { pack: Pack::embedded()?, path: SymbolPath::new(), fetch: None, force: false })
    }

    /// Looks along a path first.
    #[must_use]
    pub fn with_path(self, path: SymbolPath) -> Self {
        Self { path, ..self }
    }

    /// Asks the servers of the path too.
    #[must_use]
    pub fn with_fetch(self, fetch: Box<dyn Fetch + Send + Sync>) -> Self {
        Self { fetch: Some(fetch), ..self }
    }

    /// Uses the first file of kernel symbols that was given, whatever kernel it is of.
    #[must_use]
    pub fn forced(self, force: bool) -> Self {
        Self { force, ..self }
    }

    /// The path.
    pub fn path(&self) -> &SymbolPath {
        &self.path
    }

    /// The embedded layouts.
    pub fn pack(&self) -> &Pack<'static> {
        &self.pack
    }

    /// Looks along the path for the symbols of an image.
    pub fn find(&self, image: &ImageSymbols) -> Search {
        self.path.find(&image.pdb_name, image.id, self.fetch())
    }

    fn fetch(&self) -> Option<&dyn Fetch> {
        self.fetch.as_deref().map(|fetch| fetch as &dyn Fetch)
    }

    /// All types of a kernel, where the kernel itself was opened with those only that the library reads.
    pub fn types(&self, kernel: &Snapshot) -> Result<Layouts, Error> {
        let selected = kernel.selected();
        if selected.source != LayoutSource::name(&self.pack) {
            return Ok(kernel.layouts().clone());
        }
        let tables = self.pack.tables().iter().enumerate();
        let indexes: Vec<usize> = match selected.origin {
            Origin::Exact => {
                tables.filter(|(_, table)| table.id == kernel.kernel_id()).map(|(index, _)| index).collect()
            }
            _ => {
                tables.filter(|(_, table)| selected.versions.contains(&table.version)).map(|(index, _)| index).collect()
            }
        };
        let all = indexes.into_iter().map(|index| self.pack.all_layouts(index)).collect::<Result<Vec<_>, _>>()?;
        Ok(kernel.layouts().completed_by(&Layouts::agreement(&all)))
    }

    /// The version of a kernel, if the embedded layouts know it.
    fn named(&self, layouts: Layouts) -> Layouts {
        let known = self.pack.tables().iter().find(|table| table.id.is_some() && table.id == layouts.id());
        match known.filter(|_| layouts.version().is_none()) {
            Some(table) => layouts.with_version(table.version),
            None => layouts,
        }
    }

    /// Symbols of a file, held against the embedded layouts of the same GUID and age: a file of them that says otherwise was
    /// damaged, or made to mislead. Types that it leaves out are completed.
    fn confirmed(&self, given: Given) -> Result<Given, CoreError> {
        let same = |table: &TableInfo| table.id.is_some() && table.id == given.layouts.id();
        let Some(index) = LayoutSource::tables(&self.pack).iter().position(same) else { return Ok(given) };
        let Some(known) = self.pack.load(&[index])?.pop() else { return Ok(given) };
        match given.layouts.contradiction(&known) {
            None => Ok(Given { layouts: given.layouts.completed_by(&known), ..given }),
            Some(what) => {
                let of = "the embedded layouts of the same GUID and age say otherwise";
                Err(CoreError::LayoutSource { source_name: given.source, message: format!("{what}: {of}") })
            }
        }
    }

    /// The files of kernel symbols that were given one by one.
    fn given_kernels(&self) -> impl Iterator<Item = (&Path, PdbId)> {
        self.path.given_files().into_iter().filter_map(|(path, identity)| {
            let identity = identity.ok()?;
            let kernel = identity.pdb_name.as_deref().is_none_or(is_kernel_pdb);
            kernel.then_some((path, identity.id))
        })
    }
}

/// A file that the user gave and that cannot be read.
fn unreadable(path: &Path, error: &SymbolError) -> CoreError {
    CoreError::LayoutSource { source_name: path.display().to_string(), message: error.to_string() }
}

impl LayoutSource for Symbols {
    fn name(&self) -> &str {
        LayoutSource::name(&self.pack)
    }

    fn tables(&self) -> Vec<TableInfo> {
        LayoutSource::tables(&self.pack)
    }

    fn load(&self, tables: &[usize]) -> Result<Vec<Layouts>, CoreError> {
        self.pack.load(tables)
    }

    fn exact(&self, kernel: Option<&ImageSymbols>) -> Result<Option<Given>, CoreError> {
        let search = |fetch| kernel.map(|kernel| self.path.find(&kernel.pdb_name, kernel.id, fetch));
        let given =
            |found: Found| Given { layouts: self.named(found.table.layouts), source: found.path.display().to_string() };
        let own = search(None);
        let tried = own.as_ref().map_or(Vec::new(), |search| search.tried.clone());
        if let Some(found) = own.and_then(|search| search.found) {
            return self.confirmed(given(found)).map(Some);
        }
        for (path, identity) in self.path.given_files() {
            let identity = identity.map_err(|error| unreadable(path, &error))?;
            // Its identity can be right where the rest is not.
            let failed = tried.iter().filter(|tried| tried.place == path.display().to_string());
            let mut failed = failed.filter_map(|tried| match &tried.outcome {
                Outcome::Failed(error) if kernel.is_some_and(|kernel| kernel.id == identity.id) => Some(error),
                _ => None,
            });
            if let Some(error) = failed.next() {
                return Err(unreadable(path, error));
            }
        }
        // Who names a file wants it used: that it is not is no matter of course.
        if let Some((path, found)) = self.given_kernels().next() {
            let wanted = kernel.map(|kernel| kernel.id);
            let source_name = path.display().to_string();
            let other = OtherSymbols { source_name, found, wanted };
            return Err(CoreError::OtherSymbols(Box::new(other)));
        }
        // No server is asked for what is here already.
        let embedded = self.pack.exact(kernel)?;
        let asked = || search(Some(self.fetch()?))?.found.map(given);
        Ok(embedded.or_else(asked))
    }

    fn of_other(&self, image: &dyn Fn() -> Option<ImageSymbols>) -> Option<Given> {
        if self.path.parts().is_empty() {
            return None;
        }
        let found = self.find(&image()?).found?;
        Some(Given { layouts: found.table.layouts, source: found.path.display().to_string() })
    }

    fn forced(&self) -> Result<Option<Given>, CoreError> {
        let Some((path, _)) = self.given_kernels().next().filter(|_| self.force) else { return Ok(None) };
        let table = file::read(path).map_err(|error| unreadable(path, &error))?;
        Ok(Some(Given { layouts: self.named(table.layouts), source: path.display().to_string() }))
    }
}
