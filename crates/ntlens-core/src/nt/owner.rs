//! Whose code lies at an address: the module around it, and the symbol that begins there.

use crate::absent::Absent;
use crate::address::{Rva, VirtAddr};
use crate::incomplete::Incomplete;
use crate::nt::module::Module;
use crate::nt::select::Origin;
use crate::nt::snapshot::Snapshot;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The kernel's modules by the addresses that they take, and the symbols of the kernel itself.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    modules: Vec<(u64, u64, Arc<str>)>,
    kernel: Option<VirtAddr>,
    /// In the order of addresses, and of names at one address.
    symbols: Vec<(Rva, Arc<str>)>,
    exact: bool,
    /// Why the modules are not known.
    missing: Vec<Incomplete>,
}

/// The embedded layouts know about a hundred landmarks of a kernel, a kernel's own symbols tens of thousands: with fewer
/// than this, the nearest symbol before an address is not that of the code around it.
const ALL_SYMBOLS: usize = 4096;

impl Owners {
    /// Takes the loaded modules and the symbols that the kernel was opened with.
    pub fn of(snapshot: &Snapshot) -> Self {
        let exact = matches!(snapshot.selected().origin, Origin::Exact | Origin::Forced);
        let symbols = snapshot.layouts().symbols().filter(|_| exact);
        let mut symbols: Vec<(Rva, Arc<str>)> = symbols.map(|(name, rva)| (rva, name.into())).collect();
        symbols.sort();
        let found = snapshot.modules();
        let owners = Self { kernel: snapshot.kernel_base().ok(), symbols, exact, ..Self::of_modules(&found.modules) };
        if owners.know_modules() {
            return owners;
        }
        let mut missing = found.incomplete;
        for module in &found.modules {
            if let (Ok(base), Err(why)) = (module.base, &module.name) {
                Incomplete::new("names of modules", base, *why).add_to(&mut missing);
            }
        }
        Self { missing, ..owners }
    }

    /// Takes modules alone.
    pub fn of_modules(modules: &[Module]) -> Self {
        let range = |module: &Module| {
            let (base, size) = (module.base.ok()?.0, module.size.ok()?);
            Some((base, base.saturating_add(size), module.name.as_ref().ok()?.as_deref()?.into()))
        };
        let mut modules: Vec<_> = modules.iter().filter_map(range).collect();
        modules.sort();
        Self { modules, ..Self::default() }
    }

    /// Why the modules are not known, if they are not: an answer that names owners lacks them.
    pub fn missing(&self) -> &[Incomplete] {
        &self.missing
    }

    /// The name of the module around an address; `None` outside of all modules.
    pub fn module(&self, at: VirtAddr) -> Option<&Arc<str>> {
        self.range(at).map(|(.., name)| name)
    }

    /// The same, or why nobody can say it: an address outside of modules that are not known means nothing. What lies in
    /// user memory is in none of these modules.
    pub fn name(&self, at: VirtAddr) -> Result<Option<String>, Absent> {
        match self.module(at) {
            Some(name) => Ok(Some(String::from(&**name))),
            None if self.know_modules() || !at.is_kernel() => Ok(None),
            None => Err(Absent::SymbolsNeeded),
        }
    }

    /// Bytes from the start of the module around an address; `None` outside of all modules.
    pub fn offset(&self, at: VirtAddr) -> Option<u64> {
        self.range(at).map(|(base, ..)| at.0.saturating_sub(*base))
    }

    fn range(&self, at: VirtAddr) -> Option<&(u64, u64, Arc<str>)> {
        let index = self.modules.partition_point(|(base, ..)| *base <= at.0).checked_sub(1)?;
        self.modules.get(index).filter(|(_, end, _)| at.0 < *end)
    }

    /// Whether the modules are known, the kernel among them: else an address in none of them means nothing.
    pub fn know_modules(&self) -> bool {
        self.kernel.is_some_and(|kernel| self.range(kernel).is_some())
    }

    /// Whether an address lies in the kernel's own module.
    pub fn is_kernel(&self, at: VirtAddr) -> bool {
        self.range(at).is_some_and(|(base, ..)| self.kernel.is_some_and(|kernel| kernel.0 == *base))
    }

    /// The kernel's offset to an address; `None` outside of all modules, where no symbol can be. Of other modules no
    /// symbols are known here.
    fn in_kernel(&self, at: VirtAddr) -> Result<Option<Rva>, Absent> {
        let Some((base, ..)) = self.range(at) else { return Ok(None) };
        match self.kernel {
            Some(kernel) if kernel.0 == *base && self.exact => Ok(Some(Rva(at.0 - kernel.0))),
            _ => Err(Absent::SymbolsNeeded),
        }
    }

    /// The symbol that begins at an address of the kernel: `None` if none does that is known. Of several the first is told.
    pub fn symbol(&self, at: VirtAddr) -> Result<Option<String>, Absent> {
        let rva = self.in_kernel(at)?;
        Ok(rva.and_then(|rva| self.at(rva).next()).map(String::from))
    }

    /// The symbol that an address of the kernel belongs to: one that begins there - of several one that starts with
    /// `prefix`, if one does - or the nearest before it, as `name+0x1c`. Landmarks alone cannot tell the nearest.
    pub fn nearest_symbol(&self, at: VirtAddr, prefix: &str) -> Result<Option<String>, Absent> {
        let Some(rva) = self.in_kernel(at)? else { return Ok(None) };
        if let Some(first) = self.at(rva).next() {
            return Ok(Some(self.at(rva).find(|name| name.starts_with(prefix)).unwrap_or(first).into()));
        }
        if self.symbols.len() < ALL_SYMBOLS {
            return Err(Absent::SymbolsNeeded);
        }
        let before = self.symbols.partition_point(|(other, _)| *other < rva).checked_sub(1);
        let Some((start, _)) = before.and_then(|index| self.symbols.get(index)) else { return Ok(None) };
        let name = self.at(*start).find(|name| name.starts_with(prefix)).or_else(|| self.at(*start).next());
        Ok(name.map(|name| format!("{name}+{:#x}", rva.0 - start.0)))
    }

    /// The symbols that begin at an offset.
    fn at(&self, rva: Rva) -> impl Iterator<Item = &str> {
        let from = self.symbols.partition_point(|(other, _)| *other < rva);
        let rest = self.symbols.get(from..).unwrap_or_default();
        rest.iter().take_while(move |(other, _)| *other == rva).map(|(_, name)| &**name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, base: u64, size: u64) -> Module {
        Module {
            list_entry: Err(Absent::NotApplicable),
            base: Ok(VirtAddr(base)),
            size: Ok(size),
            name: Ok(Some(name.into())),
            path: Ok(None),
            entry: Ok(VirtAddr(base)),
            timestamp: Ok(0),
            checksum: Ok(0),
        }
    }

    #[test]
    fn an_address_belongs_to_the_module_around_it() {
        let owners = Owners::of_modules(&[module("b.sys", 0x3000, 0x1000), module("a.sys", 0x1000, 0x1000)]);
        let name = |at| owners.module(VirtAddr(at)).map(|name| &**name);
        assert_eq!([0xfff, 0x1000, 0x1fff, 0x2000].map(name), [None, Some("a.sys"), Some("a.sys"), None]);
        assert_eq!([0x3000, u64::MAX].map(name), [Some("b.sys"), None]);
        assert_eq!([0x3123, u64::MAX].map(|at| owners.offset(VirtAddr(at))), [Some(0x123), None]);
    }

    #[test]
    fn a_symbol_is_told_only_where_it_begins_and_only_of_the_kernel() {
        let owners = Owners {
            kernel: Some(VirtAddr(0x1000)),
            symbols: Vec::from([(Rva(0x10), "KiPageFault".into())]),
            exact: true,
            ..Owners::of_modules(&[module("nt", 0x1000, 0x1000), module("a.sys", 0x3000, 0x1000)])
        };
        assert_eq!(owners.symbol(VirtAddr(0x1010)), Ok(Some("KiPageFault".into())));
        assert_eq!(owners.symbol(VirtAddr(0x1011)), Ok(None));
        assert_eq!(owners.symbol(VirtAddr(0x3010)), Err(Absent::SymbolsNeeded));
        assert_eq!(owners.symbol(VirtAddr(0x9000)), Ok(None));
        assert_eq!(Owners { exact: false, ..owners }.symbol(VirtAddr(0x1010)), Err(Absent::SymbolsNeeded));
    }
    #[test]
    fn the_nearest_symbol_is_told_where_all_are_known() {
        let names = [(0x10, "ArbAddReserved"), (0x10, "NtCreateJobSet"), (0x40, "KiIsrThunk")];
        let few: Vec<_> = names.into_iter().map(|(at, name)| (Rva(at), Arc::from(name))).collect();
        let mut all = few.clone();
        all.extend((0..ALL_SYMBOLS as u64).map(|index| (Rva(0x800 + index), Arc::from("Other"))));
        let owners = |symbols| Owners {
            kernel: Some(VirtAddr(0x1000)),
            symbols,
            exact: true,
            ..Owners::of_modules(&[module("nt", 0x1000, 0x1000)])
        };
        let (few, all) = (owners(few), owners(all));
        let nearest = |at, prefix| all.nearest_symbol(VirtAddr(at), prefix).unwrap();
        assert_eq!(nearest(0x1010, ""), Some("ArbAddReserved".into()));
        assert_eq!(nearest(0x1010, "Nt"), Some("NtCreateJobSet".into()));
        assert_eq!(nearest(0x1018, "Nt"), Some("NtCreateJobSet+0x8".into()));
        assert_eq!(nearest(0x1048, "Nt"), Some("KiIsrThunk+0x8".into()));
        assert_eq!([nearest(0x1008, ""), nearest(0x9000, "")], [None, None]);
        assert_eq!(few.nearest_symbol(VirtAddr(0x1040), ""), Ok(Some("KiIsrThunk".into())));
        assert_eq!(few.nearest_symbol(VirtAddr(0x1048), ""), Err(Absent::SymbolsNeeded));
        assert!(few.know_modules() && !Owners::of_modules(&[]).know_modules());
    }
}
