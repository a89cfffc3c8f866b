//! Every set of fields that the library reads, resolved once per dump.

use crate::layout::Layouts;
use crate::nt::handle_table::HandleTables;
use crate::nt::module::ModuleFields;
use crate::nt::process::ProcessFields;
use crate::nt::processor::KprcbFields;
use crate::nt::thread::EthreadFields;
use crate::nt::token::TokenFields;
use crate::nt::unicode_string::UnicodeStringFields;

/// The sets of all kernel subjects: a new subject is its own file and one line here.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each set is documented where it is declared")]
pub struct Fields {
    pub handle_tables: HandleTables,
    pub kprcb: KprcbFields,
    pub module: ModuleFields,
    pub process: ProcessFields,
    pub thread: EthreadFields,
    pub token: TokenFields,
    pub unicode_string: UnicodeStringFields,
}

impl Fields {
    /// Looks all fields up.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self {
            handle_tables: HandleTables::resolve(layouts),
            kprcb: KprcbFields::resolve(layouts),
            module: ModuleFields::resolve(layouts),
            process: ProcessFields::resolve(layouts),
            thread: EthreadFields::resolve(layouts),
            token: TokenFields::resolve(layouts),
            unicode_string: UnicodeStringFields::resolve(layouts),
        }
    }
}
