//! Names of addresses, and addresses of names, over all modules of a dump whose symbols are known.

use crate::{Error, Symbols};
use ntlens_core::absent::Absent;
use ntlens_core::address::{Rva, VirtAddr};
use ntlens_core::incomplete::Incomplete;
use ntlens_core::layout::Layouts;
use ntlens_core::layout::source::ImageSymbols;
use ntlens_core::nt::Snapshot;
use ntlens_core::nt::image::ImageHeaders;
use ntlens_core::nt::module::Module;
use ntlens_core::nt::select::Origin;
use ntlens_core::opened::OpenDump;
use ntlens_core::report::{Cell, Column, Kind, Table, TableDef, screen};
use ntlens_symbols::dt::Pattern;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The modules of a dump and their symbols, which are looked for when they are first needed.
///
/// ```no_run
/// # let at = ntlens::address::VirtAddr(0);
/// let symbols = std::sync::Arc::new(ntlens::Symbols::embedded()?);
/// let dump = ntlens::open("MEMORY.DMP")?;
/// let names = ntlens::names::Names::of(&dump, &symbols)?;
/// for found in names.addresses("nt!Ps*Head") {
///     println!("{} {found}", found.address);
/// }
/// if let Some(found) = names.nearest(at) {
///     println!("{found}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Names {
    modules: Vec<ModuleSymbols>,
    incomplete: Vec<Incomplete>,
}

/// One module and its symbols.
#[derive(Debug)]
pub struct ModuleSymbols {
    /// The module.
    pub module: Module,
    /// What the module's image says of its symbols.
    pub image: Result<ImageSymbols, Absent>,
    /// The kernel, if that is what the module is.
    kernel: Option<Snapshot>,
    symbols: Arc<Symbols>,
    loaded: OnceLock<Loaded>,
}

/// What was found for a module.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Types and symbols, if there are any.
    pub layouts: Option<Layouts>,
    /// How they fit.
    pub origin: Option<Origin>,
    /// Where they came from.
    pub source: Option<String>,
    /// Places that were looked in, and what came of each.
    pub tried: Vec<String>,
    /// The symbols by their places in the image.
    by_rva: Vec<(Rva, String)>,
}

/// An address and the symbol at or before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The address.
    pub address: VirtAddr,
    /// The module as debuggers call it: `nt`, `tcpip`.
    pub module: String,
    /// The symbol's name, if one lies at or before the address in its module.
    pub symbol: Option<String>,
    /// Bytes from the symbol, or else from the module's base, to the address.
    pub offset: u64,
    /// Where the symbol came from.
    pub source: Option<String>,
}

impl fmt::Display for Named {
    /// `nt!PsActiveProcessHead+0x10`; `tcpip+0x1234` without a symbol.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.module)?;
        if let Some(symbol) = &self.symbol {
            write!(f, "!{symbol}")?;
        }
        if self.offset == 0 { Ok(()) } else { write!(f, "+{:#x}", self.offset) }
    }
}

impl Names {
    /// Takes the modules of a dump.
    pub fn of(dump: &OpenDump, symbols: &Arc<Symbols>) -> Result<Self, Error> {
        let kernel = dump.kernel()?;
        let found = dump.modules()?;
        let modules = found.modules.into_iter().map(|module| ModuleSymbols::new(kernel, module, symbols)).collect();
        Ok(Self { modules, incomplete: found.incomplete })
    }

    /// The modules, in the order of the kernel's list.
    pub fn modules(&self) -> &[ModuleSymbols] {
        &self.modules
    }

    /// The addresses of a name, with or without the module before it; `*` and `?` stand for others. The case of a name
    /// without them matters, but not that of a module.
    pub fn addresses(&self, name: &str) -> Vec<Named> {
        let (module, name) = name.split_once('!').map_or((None, name), |(module, name)| (Some(module), name));
        let module = module.map(Pattern::new);
        let pattern = name.contains(['*', '?']).then(|| Pattern::new(name));
        let fits = |known: &str| match &pattern {
            Some(pattern) => pattern.matches(known),
            None => known == name || undecorated(known) == name,
        };
        let mut found = Vec::new();
        for known in &self.modules {
            let short = known.short_name();
            let Ok(base) = known.module.base else { continue };
            if module.as_ref().is_some_and(|module| !module.matches(&short)) {
                continue;
            }
            let loaded = known.loaded();
            found.extend(loaded.by_rva.iter().filter(|(_, name)| fits(name)).map(|(rva, name)| Named {
                address: base.wrapping_add(rva.0),
                module: short.clone(),
                symbol: Some(name.clone()),
                offset: 0,
                source: loaded.source.clone(),
            }));
        }
        found
    }

    /// The symbol at an address, or the nearest before it in the same module; `None` outside of all modules.
    pub fn nearest(&self, at: VirtAddr) -> Option<Named> {
        let rva = |known: &ModuleSymbols| {
            let offset = at.0.checked_sub(known.module.base.ok()?.0)?;
            (offset < known.module.size.ok()?).then_some(offset)
        };
        let (known, rva) = self.modules.iter().find_map(|known| Some((known, rva(known)?)))?;
        let loaded = known.loaded();
        let behind = loaded.by_rva.partition_point(|(known, _)| known.0 <= rva);
        let symbol = behind.checked_sub(1).and_then(|index| loaded.by_rva.get(index));
        Some(Named {
            address: at,
            module: known.short_name(),
            symbol: symbol.map(|(_, name)| name.clone()),
            offset: rva - symbol.map_or(0, |(at, _)| at.0),
            source: symbol.and(loaded.source.clone()),
        })
    }

    /// The table `symbols`: what was found for each module, and where.
    pub fn table(&self) -> Table {
        SYMBOLS.fill(&self.modules, self.incomplete.clone())
    }
}

/// The table `symbol` of some names.
pub fn found(names: &[Named]) -> Table {
    SYMBOL.fill(names, Vec::new())
}

/// A name without the character that the C compiler puts before some.
fn undecorated(name: &str) -> &str {
    name.strip_prefix(['_', '@']).unwrap_or(name)
}

impl ModuleSymbols {
    fn new(kernel: &Snapshot, module: Module, symbols: &Arc<Symbols>) -> Self {
        let memory = kernel.space();
        let is_kernel = module.base.is_ok() && module.base == kernel.kernel_base();
        let headers = module.base.and_then(|base| ImageHeaders::read(memory, base));
        let image = headers.and_then(|headers| headers.codeview(memory));
        let kernel = is_kernel.then(|| kernel.clone());
        // The kernel's own record was searched for if its headers are paged out.
        let image = image.or_else(|why| kernel.as_ref().and_then(Snapshot::kernel_symbols).cloned().ok_or(why));
        Self { module, image, kernel, symbols: symbols.clone(), loaded: OnceLock::new() }
    }

    /// The module as debuggers call it: the kernel is `nt`, others go by their file without its ending.
    pub fn short_name(&self) -> String {
        if self.kernel.is_some() {
            return "nt".into();
        }
        let name = self.module.name.as_ref().ok().and_then(Option::as_deref).unwrap_or("?");
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        stem.replace(|char: char| !char.is_alphanumeric(), "_")
    }

    /// Its symbols, which are looked for at the first call.
    pub fn loaded(&self) -> &Loaded {
        self.loaded.get_or_init(|| self.load())
    }

    fn load(&self) -> Loaded {
        let search = self.image.as_ref().ok().map(|image| self.symbols.find(image));
        let tried = search.iter().flat_map(|search| &search.tried).map(ToString::to_string).collect();
        if let Some(found) = search.and_then(|search| search.found) {
            return Loaded::new(found.table.layouts, Origin::Exact, found.path.display().to_string(), tried);
        }
        // What the kernel was opened with, if its symbols have addresses in this image.
        let selected = self.kernel.as_ref().map(Snapshot::selected);
        match selected.filter(|selected| matches!(selected.origin, Origin::Exact | Origin::Forced)) {
            Some(selected) => {
                let all = self.kernel.as_ref().and_then(|kernel| self.symbols.types(kernel).ok());
                let layouts = all.unwrap_or_else(|| selected.layouts.clone());
                Loaded::new(layouts, selected.origin, selected.source.clone(), tried)
            }
            None => Loaded { layouts: None, origin: None, source: None, tried, by_rva: Vec::new() },
        }
    }
}

impl Loaded {
    fn new(layouts: Layouts, origin: Origin, source: String, tried: Vec<String>) -> Self {
        let mut by_rva: Vec<_> = layouts.symbols().map(|(name, rva)| (rva, name.to_owned())).collect();
        by_rva.sort_unstable();
        Self { layouts: Some(layouts), origin: Some(origin), source: Some(source), tried, by_rva }
    }

    fn count(&self, count: impl FnOnce(&Layouts) -> usize) -> Option<u64> {
        self.layouts.as_ref().map(|layouts| count(layouts) as u64)
    }
}

const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&ModuleSymbols) -> Cell,
) -> Column<ModuleSymbols> {
    Column::new(name, kind, about, get)
}

/// The table `symbols`.
pub const SYMBOLS: TableDef<ModuleSymbols> = TableDef {
    name: "symbols",
    about: "the modules and which symbols were found for each",
    columns: &[
        column("module", Kind::Text, "the module as debuggers call it", |m| m.short_name().into()),
        column("base", Kind::Address, "where the image is loaded", |m| m.module.base.into()),
        column("size", Kind::Uint, "bytes it takes", |m| m.module.size.into()),
        column("pdb_name", Kind::Text, "file name of its symbols, as the image gives it", |m| {
            m.image.as_ref().map(|image| image.pdb_name.clone()).map_err(|why| *why).into()
        }),
        column("guid_age", Kind::Text, "identity of its symbols, in the form of symbol stores", |m| {
            m.image.as_ref().map(|image| image.id.to_string()).map_err(|why| *why).into()
        }),
        column("origin", Kind::Text, "how the symbols fit: exact or forced; null without any", |m| {
            m.loaded().origin.map(Origin::name).into()
        }),
        column("source", Kind::Text, "where the symbols come from", |m| m.loaded().source.clone().into()),
        column("types", Kind::Uint, "structures, unions and enumerations that they tell", |m| {
            m.loaded().count(|layouts| layouts.structures().count() + layouts.enumerations().count()).into()
        }),
        column("symbols", Kind::Uint, "names with addresses that they tell", |m| {
            m.loaded().count(|layouts| layouts.symbols().count()).into()
        }),
        column("tried", Kind::List, "places that were looked in, and what came of each", |m| {
            m.loaded().tried.clone().into()
        }),
    ],
    screen: &[
        screen("Module", "module"),
        screen("Base", "base"),
        screen("PDB", "pdb_name"),
        screen("GUID and age", "guid_age"),
        screen("Fit", "origin"),
        screen("Types", "types"),
        screen("Symbols", "symbols"),
        screen("Source", "source"),
    ],
    record: false,
};

/// The table `symbol`.
pub const SYMBOL: TableDef<Named> = TableDef {
    name: "symbol",
    about: "addresses and their names",
    columns: &[
        Column::new("address", Kind::Address, "the address", |n: &Named| n.address.into()),
        Column::new("name", Kind::Text, "module!symbol+offset", |n| n.to_string().into()),
        Column::new("module", Kind::Text, "the module as debuggers call it", |n| n.module.clone().into()),
        Column::new("symbol", Kind::Text, "the symbol at or before the address", |n| n.symbol.clone().into()),
        Column::new("offset", Kind::Uint, "bytes from the symbol, or else from the module's base", |n| n.offset.into()),
        Column::new("source", Kind::Text, "where the symbol comes from", |n| n.source.clone().into()),
    ],
    screen: &[screen("Address", "address"), screen("Name", "name"), screen("Source", "source")],
    record: false,
};
