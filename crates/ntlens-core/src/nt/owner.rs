//! Whose code lies at an address: the module around it, and the symbol that begins there.

use crate::absent::Absent;
use crate::address::{Rva, VirtAddr};
use crate::nt::module::Module;
use crate::nt::select::Origin;
use crate::nt::snapshot::Snapshot;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The kernel's modules by the addresses that they take, and the symbols of the kernel itself.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    modules: Vec<(u64, u64, Arc<str>)>,
    kernel: Option<VirtAddr>,
    symbols: BTreeMap<Rva, Arc<str>>,
    exact: bool,
}

impl Owners {
    /// Takes the loaded modules and the symbols that the kernel was opened with.
    pub fn of(snapshot: &Snapshot) -> Self {
        let exact = matches!(snapshot.selected().origin, Origin::Exact | Origin::Forced);
        let symbols = snapshot.layouts().symbols().filter(|_| exact);
        Self {
            kernel: snapshot.kernel_base().ok(),
            // Of several names at one place the first is told.
            symbols: symbols.fold(BTreeMap::new(), |mut all, (name, rva)| {
                all.entry(rva).or_insert_with(|| name.into());
                all
            }),
            exact,
            ..Self::of_modules(&snapshot.modules().modules)
        }
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

    /// The name of the module around an address; `None` outside of all modules.
    pub fn module(&self, at: VirtAddr) -> Option<&Arc<str>> {
        self.range(at).map(|(.., name)| name)
    }

    fn range(&self, at: VirtAddr) -> Option<&(u64, u64, Arc<str>)> {
        let index = self.modules.partition_point(|(base, ..)| *base <= at.0).checked_sub(1)?;
        self.modules.get(index).filter(|(_, end, _)| at.0 < *end)
    }

    /// The symbol that begins at an address of the kernel: `None` if none does that is known. Of other modules no symbols
    /// are known here.
    pub fn symbol(&self, at: VirtAddr) -> Result<Option<String>, Absent> {
        let Some((base, ..)) = self.range(at) else { return Ok(None) };
        match self.kernel {
            Some(kernel) if kernel.0 == *base && self.exact => {
                Ok(self.symbols.get(&Rva(at.0 - kernel.0)).map(|name| String::from(&**name)))
            }
            _ => Err(Absent::SymbolsNeeded),
        }
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
    }

    #[test]
    fn a_symbol_is_told_only_where_it_begins_and_only_of_the_kernel() {
        let owners = Owners {
            kernel: Some(VirtAddr(0x1000)),
            symbols: BTreeMap::from([(Rva(0x10), "KiPageFault".into())]),
            exact: true,
            ..Owners::of_modules(&[module("nt", 0x1000, 0x1000), module("a.sys", 0x3000, 0x1000)])
        };
        assert_eq!(owners.symbol(VirtAddr(0x1010)), Ok(Some("KiPageFault".into())));
        assert_eq!(owners.symbol(VirtAddr(0x1011)), Ok(None));
        assert_eq!(owners.symbol(VirtAddr(0x3010)), Err(Absent::SymbolsNeeded));
        assert_eq!(owners.symbol(VirtAddr(0x9000)), Ok(None));
        assert_eq!(Owners { exact: false, ..owners }.symbol(VirtAddr(0x1010)), Err(Absent::SymbolsNeeded));
    }
}
