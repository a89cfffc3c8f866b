//! Any bytes as a pack of layouts: all tables together, then the first ones with all their types.
use ntlens_core::layout::Layouts;
use ntlens_symbols::Pack;

/// Tables that are decoded one by one. Each decodes the blocks anew, and bytes may claim thousands of tables.
const SOME: usize = 4;

/// Decodes and looks up.
pub fn run(bytes: &[u8]) {
    let Ok(pack) = Pack::parse(bytes) else { return };
    let tables: Vec<_> = (0..pack.tables().len()).collect();
    for layouts in pack.kernel_layouts_of(&tables).into_iter().flatten() {
        look_up(&layouts);
    }
    for table in tables.into_iter().take(SOME) {
        let _ = pack.kernel_layouts(table);
        if let Ok(layouts) = pack.all_layouts(table) {
            look_up(&layouts);
        }
    }
}

/// Finds every structure and symbol by its name, and the places of fields by theirs.
pub(crate) fn look_up(layouts: &Layouts) {
    for structure in layouts.structures() {
        assert!(layouts.structure(&structure.name).is_some(), "a structure is listed and cannot be found");
        for field in &structure.fields {
            let _ = layouts.place(&structure.name, &field.name);
        }
    }
    for (name, _) in layouts.symbols() {
        assert!(layouts.symbol(name).is_ok(), "a symbol is listed and cannot be found");
    }
}
