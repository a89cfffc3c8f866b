//! The header of an extract: `DUMP_HEADER64` and the header of a bitmap. The offsets are those of the file format.

use super::Of;
use ntlens_core::OpenDump;
use ntlens_core::dump::header64::offsets;
use ntlens_core::dump::{Attributes, DumpKind, HEADER_SIZE};
use ntlens_core::nt::Snapshot;

/// Bytes of the bitmap's header.
const BITMAP_HEADER: usize = 0x38;
/// File offset of the first bit.
pub(super) const BITS: u64 = HEADER_SIZE + BITMAP_HEADER as u64;
/// The x64 processor.
const MACHINE_X64: u32 = 0x8664;
/// `DumpOptions`: kernel addresses can be read, those of the current process can be.
const KERNEL_VA: u32 = 1;
const USER_VA: u32 = 2;
/// Bytes of the comment, with the zero that ends it.
const COMMENT: usize = 0x80;
/// Runs that the header has room for.
const MAX_RUNS: usize = 42;

/// Bytes to be filled in at offsets.
struct Fields(Vec<u8>);

impl Fields {
    fn put(&mut self, at: u64, bytes: &[u8]) {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        if let Some(place) = self.0.get_mut(start..start.saturating_add(bytes.len())) {
            place.copy_from_slice(bytes);
        }
    }

    fn u32(&mut self, at: u64, value: u32) {
        self.put(at, &value.to_le_bytes());
    }

    fn u64(&mut self, at: u64, value: u64) {
        self.put(at, &value.to_le_bytes());
    }
}

/// Both headers. What the dump's own header says is kept where it is right, and put right where the kernel tells better. The
/// comment ends with a word about what the extract lacks.
pub(super) fn headers(
    dump: &OpenDump,
    kernel: &Snapshot,
    of: Of,
    lack: &str,
    pages: u64,
    bits: u64,
    first_page: u64,
) -> Vec<u8> {
    let file = dump.dump();
    let own = file.header.as_ref().and_then(|_| file.source.read_vec(0, HEADER_SIZE).ok());
    let size = usize::try_from(HEADER_SIZE).unwrap_or(0);
    let mut fields = Fields(own.unwrap_or_else(|| b"PAGE".repeat(size / 4)));
    fields.0.resize(size + BITMAP_HEADER, 0);
    fields.put(0, b"PAGEDU64");
    fields.u32(offsets::MACHINE_IMAGE_TYPE, MACHINE_X64);
    let header = file.header.as_ref();
    if header.is_none() {
        // 15: a free build.
        fields.u32(offsets::MAJOR_VERSION, 0xf);
        fields.u32(offsets::NUMBER_PROCESSORS, u32::try_from(kernel.processors().len()).unwrap_or(1).max(1));
    }
    if header.is_none_or(|header| header.build.is_none()) {
        fields.u32(offsets::MINOR_VERSION, kernel.build().unwrap_or(0));
    }
    if let Some(space) = kernel.space().paged() {
        let sound = file.header_dtb().filter(|root| space.with_root(root.0).has_self_map());
        fields.u64(offsets::DIRECTORY_TABLE_BASE, sound.unwrap_or(space.root()).0);
    }
    let heads = kernel.heads();
    for (at, known) in [
        (offsets::PS_LOADED_MODULE_LIST, heads.ps_loaded_module_list.ok()),
        (offsets::PS_ACTIVE_PROCESS_HEAD, heads.ps_active_process_head.ok()),
        (offsets::KD_DEBUGGER_DATA_BLOCK, kernel.kdbg_address()),
    ] {
        if let Some(known) = known {
            fields.u64(at, known.0);
        }
    }
    runs(&mut fields, dump);
    let attributes = header.and_then(|header| header.attributes).unwrap_or_default() | Attributes::FILTER_DUMP_FILE;
    fields.u32(offsets::ATTRIBUTES, attributes.bits());
    fields.u64(offsets::REQUIRED_DUMP_SPACE, first_page.saturating_add(pages.saturating_mul(0x1000)));
    let (dump_type, signature, options, name) = match of {
        Of::Process(pid) => (5, b"FDMPDUMP", KERNEL_VA | USER_VA, format!("process {pid}")),
        Of::Kernel => (6, b"SDMPDUMP", KERNEL_VA, "the kernel".to_owned()),
    };
    fields.u32(offsets::DUMP_TYPE, dump_type);
    let mut comment = format!("ntlens extract: {name}{lack}").into_bytes();
    comment.truncate(COMMENT - 1);
    comment.resize(COMMENT, 0);
    fields.put(offsets::COMMENT, &comment);
    fields.put(HEADER_SIZE, signature);
    fields.u32(HEADER_SIZE + 8, options);
    fields.u64(HEADER_SIZE + 0x20, first_page);
    fields.u64(HEADER_SIZE + 0x28, pages);
    fields.u64(HEADER_SIZE + 0x30, bits);
    fields.0
}

/// The runs of a complete dump's memory, as they were understood.
fn runs(fields: &mut Fields, dump: &OpenDump) {
    let Ok(image) = dump.dump().physical() else { return };
    let runs: Vec<_> = image.frames().runs().take(MAX_RUNS + 1).collect();
    if dump.dump().kind != DumpKind::Full || runs.len() > MAX_RUNS {
        return;
    }
    fields.u32(offsets::NUMBER_OF_RUNS, u32::try_from(runs.len()).unwrap_or(0));
    fields.u64(offsets::NUMBER_OF_PAGES, image.frames().described());
    for (index, run) in (0_u64..).zip(runs) {
        fields.u64(offsets::RUNS + index * 16, run.first.0);
        fields.u64(offsets::RUNS + index * 16 + 8, run.count);
    }
}
