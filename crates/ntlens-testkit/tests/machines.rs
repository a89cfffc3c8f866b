//! Machines of every kernel: what the truth says is what memory holds, read back by page tables and lists.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops at the first surprise")]

use ntlens_testkit::{
    DumpOptions, HandleSpec, HandleTarget, Image, Kind, Machine, ModuleSpec, PageState, Placement, ProcessSpec, Space,
    layouts, versions,
};
use std::collections::BTreeSet;

const KERNELS: &[&str] = &[
    "6.1.7601.24540",
    "6.3.9600.20778",
    "10.0.14393.5125",
    "10.0.17763.3046",
    "10.0.18362.592",
    "10.0.19041.1288",
    "10.0.20348.1129",
    "10.0.22000.1098",
];

struct Reader<'a>(&'a Image);

impl Reader<'_> {
    fn offset(&self, structure: &str, path: &str) -> u64 {
        self.0.layouts().place(structure, path).unwrap().offset.into()
    }

    fn u64(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.0.read(address, 8).unwrap().try_into().unwrap())
    }

    fn symbol(&self, name: &str) -> u64 {
        self.0.truth().kernel.base + self.0.layouts().symbol(name).unwrap().0
    }

    /// Entries of a list, forwards; every link backwards must fit.
    fn list(&self, head: u64) -> Vec<u64> {
        let mut entries = Vec::new();
        let mut at = self.u64(head);
        let mut previous = head;
        while at != head {
            assert_eq!(self.u64(at + 8), previous);
            assert!(entries.len() < 100_000);
            entries.push(at);
            previous = at;
            at = self.u64(at);
        }
        entries
    }
}

fn check(image: &Image) {
    let reader = Reader(image);
    let truth = image.truth();
    let links = reader.offset("_EPROCESS", "ActiveProcessLinks");
    let listed: Vec<u64> =
        reader.list(reader.symbol("PsActiveProcessHead")).into_iter().map(|entry| entry - links).collect();
    let expected: Vec<u64> =
        truth.processes.iter().filter(|process| process.in_active_list).map(|process| process.eprocess).collect();
    assert_eq!(listed, expected);
    for process in &truth.processes {
        let field = |path: &str| reader.u64(process.eprocess + reader.offset("_EPROCESS", path));
        assert_eq!(field("UniqueProcessId"), process.pid);
        assert_eq!(field("Pcb.DirectoryTableBase"), process.dtb);
        let threads = reader.list(process.eprocess + reader.offset("_EPROCESS", "ThreadListHead"));
        assert_eq!(threads.len(), process.threads.len());
        if let Some(token) = field("Token").checked_sub(0xf) {
            assert_eq!(token, process.token.va);
        }
        match process.session_id {
            Some(session) => {
                let space = truth.sessions.iter().find(|known| known.session_id == session).unwrap();
                assert_eq!(field("Session"), space.va);
                assert!(space.pids.contains(&process.pid));
            }
            None => assert_eq!(field("Session"), 0),
        }
        // The kernel half is the same in all address spaces.
        let space = image.space(process.pid).unwrap();
        assert_eq!(image.read_in(space, process.eprocess, 0x100), image.read(process.eprocess, 0x100));
        if let (Some(peb), "resident") = (process.peb, process.peb_state) {
            let parameters = image.read_in(space, peb + 0x20, 8).unwrap();
            let parameters = u64::from_le_bytes(parameters.try_into().unwrap());
            let string = image.read_in(space, parameters + 0x70, 16).unwrap();
            let length = usize::from(u16::from_le_bytes(string[..2].try_into().unwrap()));
            let buffer = u64::from_le_bytes(string[8..].try_into().unwrap());
            let units = image.read_in(space, buffer, length).unwrap();
            let units: Vec<u16> = units.chunks(2).map(|unit| u16::from_le_bytes(unit.try_into().unwrap())).collect();
            assert_eq!(String::from_utf16(&units).unwrap(), *process.command_line.as_ref().unwrap());
        }
    }
    let modules = reader.list(reader.symbol("PsLoadedModuleList"));
    assert_eq!(modules.len(), truth.modules.len());
    for (entry, module) in modules.iter().zip(&truth.modules) {
        assert_eq!(reader.u64(entry + 0x30), module.base);
    }
    check_cid(&reader);
}

/// Every process and thread stands in `PspCidTable` under its number.
fn check_cid(reader: &Reader<'_>) {
    let truth = reader.0.truth();
    let table = reader.u64(reader.symbol("PspCidTable"));
    assert_eq!(table, truth.cid_table.va);
    let code = reader.u64(table + reader.offset("_HANDLE_TABLE", "TableCode"));
    assert_eq!(code & 7, 1);
    let body = |id: u64| {
        let leaf = reader.u64((code & !7) + id / 4 / 256 * 8);
        let low = reader.u64(leaf + id / 4 % 256 * 16);
        if truth.build < 9600 { low & !7 } else { (low.cast_signed() >> 16).cast_unsigned() & !0xf }
    };
    for process in truth.processes.iter().filter(|process| process.in_cid_table) {
        assert_eq!(body(process.pid), process.eprocess);
        for thread in &process.threads {
            assert_eq!(body(thread.tid), thread.va);
        }
    }
}

#[test]
fn typical_machines_of_every_build_are_consistent() {
    for version in KERNELS {
        let image = Machine::typical(layouts(version).unwrap(), 5, 40).build();
        check(&image);
    }
}

#[test]
fn machines_of_every_kernel_are_consistent() {
    let versions: BTreeSet<String> = versions().iter().map(ToString::to_string).collect();
    assert!(versions.len() > 150);
    for version in versions {
        check(&Machine::typical(layouts(&version).unwrap(), 3, 32).build());
    }
}

#[test]
fn user_code_may_have_page_tables_of_its_own() {
    let image = Machine::typical(layouts("10.0.19041.1288").unwrap(), 1, 32).kva_shadow().build();
    check(&image);
    let process = image.truth().named("lsass.exe").unwrap();
    let shadow = Space { root: process.user_dtb / 0x1000, ..image.space(process.pid).unwrap() };
    assert!(image.read_in(shadow, process.peb.unwrap(), 8).is_some());
    assert!(image.read_in(shadow, process.eprocess, 8).is_none());
}

#[test]
fn the_same_wishes_give_the_same_bytes() {
    let mut machine = Machine::typical(layouts("10.0.19041.1288").unwrap(), 9, 32).memory(60 << 20);
    machine.busy(20).typical_jobs().typical_crossings();
    let (one, again, other) = (machine.build(), machine.build(), machine.clone().seed(10).build());
    assert_eq!(one.truth().to_json(), again.truth().to_json());
    for kind in Kind::ALL {
        let bytes = one.to_vec(kind);
        assert!(bytes == again.to_vec(kind), "{kind}");
        assert!(bytes != other.to_vec(kind), "{kind}");
    }
}

#[test]
fn machines_with_five_levels_pcids_and_other_placements_are_consistent() {
    let layouts = layouts("10.0.20348.1129").unwrap();
    check(&Machine::typical(layouts.clone(), 1, 32).five_level_paging().build());
    check(&Machine::typical(layouts.clone(), 1, 32).pcid().placement(Placement::Scattered).build());
    let image = Machine::typical(layouts, 1, 32).placement(Placement::Descending).build();
    check(&image);
    assert_eq!(image.truth().kernel.system_dtb / 0x1000 + 1, image.memory().end());
}

#[test]
fn pages_are_there_in_every_way() {
    let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
    let states = [
        PageState::Resident,
        PageState::Transition,
        PageState::PageFile { file: 1, page: 0x77 },
        PageState::DemandZero,
        PageState::Prototype,
        PageState::Unmapped,
    ];
    let pids: Vec<u64> =
        states.iter().map(|state| machine.process(ProcessSpec::named("state.exe").peb_page(*state))).collect();
    machine.module(ModuleSpec::named("hidden.sys").hidden());
    let image = machine.build();
    for (state, pid) in states.iter().zip(pids) {
        let process = image.truth().process(pid).unwrap();
        let readable = image.read_in(image.space(pid).unwrap(), process.peb.unwrap(), 8).is_some();
        assert_eq!(readable, *state == PageState::Resident);
        let translations = &image.truth().translations;
        let noted = translations.iter().find(|known| known.va == process.peb.unwrap() && known.dtb == process.dtb);
        let expected = match state {
            PageState::Resident => "present",
            PageState::PageFile { .. } => "pagefile",
            other => other.name(),
        };
        assert_eq!(noted.unwrap().state, expected);
    }
}

#[test]
fn tables_of_handles_have_the_levels_asked_for() {
    for version in ["6.1.7601.24540", "10.0.19041.1288"] {
        let mut machine = Machine::new(layouts(version).unwrap()).memory(64 << 20);
        let mut spec = ProcessSpec::named("many.exe").handle_levels(2);
        for value in [4, 0x404, 0x8_0004] {
            let handle = HandleSpec::new(HandleTarget::Process(4), 0x1f_ffff);
            spec = spec.handle(HandleSpec { value: Some(value), ..handle });
        }
        let pid = machine.process(spec);
        let image = machine.build();
        let reader = Reader(&image);
        let process = image.truth().process(pid).unwrap();
        let table = process.handle_table.unwrap();
        assert_eq!((table.level, table.count), (2, 3));
        let code = reader.u64(table.va + reader.offset("_HANDLE_TABLE", "TableCode"));
        assert_eq!(code & 7, 2);
        let middle = reader.u64((code & !7) + 8);
        let leaf = reader.u64(middle);
        let low = reader.u64(leaf + 16);
        let header =
            if version.starts_with("6.1") { low & !7 } else { (low.cast_signed() >> 16).cast_unsigned() & !0xf };
        assert_eq!(header, image.truth().process(4).unwrap().object_header);
    }
}

#[test]
fn every_kind_has_the_geometry_of_its_header() {
    let image = Machine::typical(layouts("10.0.19041.1288").unwrap(), 2, 32).build();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Raw) {
        let mut out = std::io::Cursor::new(Vec::new());
        let dump = image.write(kind, &mut out).unwrap().dump.unwrap();
        let mut file = out.into_inner();
        file.resize(usize::try_from(dump.file_size).unwrap(), 0);
        assert_eq!(&file[..8], b"PAGEDU64");
        assert_eq!(file[0xf98], u8::try_from(dump.dump_type).unwrap());
        assert_eq!((kind.dump_type(), kind.name().parse()), (Some(dump.dump_type), Ok(kind)));
        let Some(first) = dump.first_page_offset else {
            assert_eq!(&file[file.len() - 4..], b"TRGD");
            continue;
        };
        assert_eq!(dump.file_size, first + dump.pages_in_dump * 0x1000);
        // System's top page table is in every dump, and maps itself.
        let slot = usize::try_from(image.truth().kernel.self_map_index * 8).unwrap();
        let entry = (image.truth().kernel.system_dtb | 0x8000_0000_0000_0863).to_le_bytes();
        let pages = file[usize::try_from(first).unwrap()..].chunks(0x1000);
        assert_eq!(pages.filter(|page| page[slot..slot + 8] == entry).count(), 1);
    }
}

#[test]
fn the_schema_in_the_package_is_that_of_the_truth() {
    let held: serde_json::Value = serde_json::from_str(include_str!("../truth.schema.json")).unwrap();
    assert!(
        held == ntlens_testkit::truth::schema(),
        "`ntlens-testkit schema` prints what belongs into truth.schema.json"
    );
}

#[test]
fn keys_are_in_the_hive_with_the_longest_root() {
    let mut machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
    let (software, vendor) = ("\\REGISTRY\\MACHINE\\SOFTWARE", "\\REGISTRY\\MACHINE\\SOFTWARE\\Vendor");
    machine.hive(software, "a").hive(vendor, "b");
    let keys = [format!("{software}\\Other"), vendor.into(), format!("{vendor}X"), "\\REGISTRY\\MACHINE".into()];
    let spec = ProcessSpec::named("keys.exe");
    let pid = machine.process(keys.iter().fold(spec, |spec, key| spec.handle(HandleSpec::key(key, 0x2_0019))));
    let image = machine.build();
    let reader = Reader(&image);
    let links = reader.offset("_CMHIVE", "HiveList");
    let listed: Vec<u64> = reader.list(reader.symbol("CmpHiveListHead")).iter().map(|entry| entry - links).collect();
    let [first, second] = &image.truth().hives[..] else { panic!() };
    assert_eq!(listed, [first.va, second.va]);
    let hive = |handle: &ntlens_testkit::truth::Handle| {
        let block = reader.u64(handle.object + reader.offset("_CM_KEY_BODY", "KeyControlBlock"));
        reader.u64(block + reader.offset("_CM_KEY_CONTROL_BLOCK", "KeyHive"))
    };
    let found: Vec<u64> = image.truth().process(pid).unwrap().handles.iter().map(hive).collect();
    assert_eq!(found, [first.va, second.va, first.va, 0]);
}

#[test]
fn files_can_be_damaged() {
    let image = Machine::new(layouts("10.0.19041.1288").unwrap()).memory((32 << 20) + 0x5000).build();
    let options = DumpOptions::new(Kind::BitmapFull { active: false }).exact_bits().dtb_bits(0x8000_0000_0000_0002);
    let whole = image.to_vec(options.clone());
    let bits = u64::from_le_bytes(whole[0x2030..0x2038].try_into().unwrap());
    assert_ne!(bits % 8, 0);
    assert_eq!(whole[0x10], 2);
    let cut = image.to_vec(options.patch(0xf98, &[7]).truncate(0x3000));
    assert_eq!((cut.len(), cut[0xf98]), (0x3000, 7));
}

#[test]
fn an_encoded_debugger_block_decodes_to_the_plain_one() {
    let machine = Machine::new(layouts("10.0.19041.1288").unwrap()).memory(32 << 20);
    let (plain, coded) = (machine.build(), machine.clone().encoded_kdbg().build());
    assert!(coded.truth().kernel.kdbg.encoded && !plain.truth().kernel.kdbg.encoded);
    let reader = Reader(&coded);
    let va = reader.symbol("KdDebuggerDataBlock");
    let (never, always) = (reader.u64(reader.symbol("KiWaitNever")), reader.u64(reader.symbol("KiWaitAlways")));
    let flag = reader.symbol("KdpDataBlockEncoded");
    assert_eq!(coded.read(flag, 1).unwrap(), [1]);
    for offset in (0..0x380).step_by(8) {
        let word = (reader.u64(va + offset) ^ never).rotate_left(u32::try_from(never & 0xff).unwrap()) ^ flag;
        assert_eq!(word.swap_bytes() ^ always, Reader(&plain).u64(va + offset));
    }
}

#[test]
fn a_small_dump_holds_what_its_header_says() {
    let mut machine = Machine::typical(layouts("10.0.19041.1288").unwrap(), 4, 32);
    let pid = machine.process(ProcessSpec::named("crash.exe").session(1));
    let image = machine.current_process(pid).build();
    let truth = image.truth();
    let file = image.to_vec(DumpOptions::new(Kind::Triage).secondary_data());
    let u32_at = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let u64_at = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
    let at = |field: usize| usize::try_from(u32_at(field)).unwrap();
    let process = truth.process(pid).unwrap();
    let reader = Reader(&image);
    let id = at(0x2020) + usize::try_from(reader.offset("_EPROCESS", "UniqueProcessId")).unwrap();
    assert_eq!(u64_at(id), pid);
    let owner = at(0x2024) + usize::try_from(reader.offset("_ETHREAD", "Tcb.ApcState.Process")).unwrap();
    assert_eq!(u64_at(owner), process.eprocess);
    let current = at(0x201c) + usize::try_from(reader.offset("_KPRCB", "CurrentThread")).unwrap();
    assert_eq!(u64_at(current), truth.kernel.current_thread);
    assert_eq!(u64_at(0x2048) + u64::from(u32_at(0x202c)), process.threads[0].stack_base);
    assert_eq!(&file[at(0x2070) + 0x10..at(0x2070) + 0x14], b"KDBG");
    assert_eq!(&file[at(0x2008)..at(0x2008) + 4], b"TRGD");
    assert_eq!(&file[at(0x2004)..at(0x2004) + 8], b"DumpBlob");
    assert_eq!(u64_at(0x20d0), truth.unloaded_drivers.len() as u64);
    assert_eq!(usize::try_from(u32_at(0x2034)).unwrap(), truth.modules.len());
    for (index, module) in truth.modules.iter().enumerate() {
        let entry = at(0x2030) + index * 0x90;
        assert_eq!(u64_at(entry + 0x38), module.base);
        let name = at(entry);
        assert_eq!(u32_at(name) as usize, module.name.encode_utf16().count());
        assert!(name >= at(0x2038) && name < at(0x2038) + at(0x203c));
    }
    let blocks = (0..at(0x207c)).map(|index| at(0x2078) + index * 16);
    let mut end = at(0x2078) + at(0x207c) * 16;
    for block in blocks {
        let (va, offset, size) = (u64_at(block), at(block + 8), at(block + 12));
        assert_eq!(offset, end);
        assert_eq!(image.read(va, size).unwrap(), file[offset..offset + size]);
        end = offset + size;
    }
    // The header has neither runs nor attributes.
    assert_eq!(&file[0x88..0x90], b"PAGEPAGE");
    assert_eq!(&file[0x1050..0x1054], b"PAGE");
}
