//! Every set of fields that the library reads, resolved once per dump.

use crate::layout::Layouts;
use crate::nt::creator::CreatorFields;
use crate::nt::directory::DirectoryFields;
use crate::nt::etw::EtwFields;
use crate::nt::handle_table::HandleTables;
use crate::nt::job::JobFields;
use crate::nt::loader::LoaderFields;
use crate::nt::module::ModuleFields;
use crate::nt::object::ObjectFields;
use crate::nt::object_name::NameFields;
use crate::nt::object_type::ObjectTypeFields;
use crate::nt::process::ProcessFields;
use crate::nt::processor::ProcessorFields;
use crate::nt::scheduling_group::SchedulingGroupFields;
use crate::nt::security::SecurityFields;
use crate::nt::session::SessionFields;
use crate::nt::silo::SiloFields;
use crate::nt::symbolic_link::SymbolicLinkFields;
use crate::nt::thread::EthreadFields;
use crate::nt::token::TokenFields;
use crate::nt::unicode_string::UnicodeStringFields;
use crate::nt::vad::VadFields;

/// The sets of all kernel subjects: a new subject is its own file and one line here.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each set is documented where it is declared")]
pub struct Fields {
    pub creator: CreatorFields,
    pub directory: DirectoryFields,
    pub etw: EtwFields,
    pub handle_tables: HandleTables,
    pub job: JobFields,
    pub loader: LoaderFields,
    pub module: ModuleFields,
    pub object: ObjectFields,
    pub object_name: NameFields,
    pub object_type: ObjectTypeFields,
    pub process: ProcessFields,
    pub session: SessionFields,
    pub processor: ProcessorFields,
    pub scheduling_group: SchedulingGroupFields,
    pub security: SecurityFields,
    pub silo: SiloFields,
    pub symbolic_link: SymbolicLinkFields,
    pub thread: EthreadFields,
    pub token: TokenFields,
    pub unicode_string: UnicodeStringFields,
    pub vad: VadFields,
}

impl Fields {
    /// Looks all fields up.
    pub fn resolve(layouts: &Layouts) -> Self {
        Self {
            creator: CreatorFields::resolve(layouts),
            directory: DirectoryFields::resolve(layouts),
            etw: EtwFields::resolve(layouts),
            handle_tables: HandleTables::resolve(layouts),
            job: JobFields::resolve(layouts),
            loader: LoaderFields::resolve(layouts),
            module: ModuleFields::resolve(layouts),
            object: ObjectFields::resolve(layouts),
            object_name: NameFields::resolve(layouts),
            object_type: ObjectTypeFields::resolve(layouts),
            process: ProcessFields::resolve(layouts),
            session: SessionFields::resolve(layouts),
            processor: ProcessorFields::resolve(layouts),
            scheduling_group: SchedulingGroupFields::resolve(layouts),
            security: SecurityFields::resolve(layouts),
            silo: SiloFields::resolve(layouts),
            symbolic_link: SymbolicLinkFields::resolve(layouts),
            thread: EthreadFields::resolve(layouts),
            token: TokenFields::resolve(layouts),
            unicode_string: UnicodeStringFields::resolve(layouts),
            vad: VadFields::resolve(layouts),
        }
    }
}
