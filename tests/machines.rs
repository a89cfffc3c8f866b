//! Machines that the testkit makes up, in every kind of dump and of many builds: every answer equals what was written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod common;
#[path = "common/kit.rs"]
mod kit;

use common::{Tally, document};
use kit::{bare, check_all, check_guid, check_process_rows, check_user_memory, dump, open, typical};
use ntlens::address::PhysAddr;
use ntlens::nt::snapshot::Options;
use ntlens::source::ByteSource;
use ntlens::symbols::Pack;
use ntlens::{CoreError, OpenDump};
use ntlens_testkit::{
    BitmapSignature, DumpOptions, HandleSpec, HandleTarget, Image, Kind, Machine, ModuleSpec, PageState, Placement,
    ProcessSpec,
};
use proptest::prelude::*;
use std::sync::Arc;

/// Every way in which the testkit writes a machine.
fn ways() -> Vec<(&'static str, DumpOptions, Kind)> {
    let bitmap = Kind::BitmapFull { active: false };
    let kernel = Kind::BitmapKernel { live: false };
    let same = |name, kind| (name, DumpOptions::new(kind), kind);
    vec![
        same("full", Kind::Full),
        same("summary", Kind::Summary),
        ("packed summary", DumpOptions::new(Kind::Summary).packed_summary(), Kind::Summary),
        same("bitmap FDMP", bitmap),
        ("bitmap SDMP", DumpOptions::new(bitmap).signature(BitmapSignature::Summary), bitmap),
        same("active", Kind::BitmapFull { active: true }),
        same("kernel bitmap SDMP", kernel),
        ("kernel bitmap FDMP", DumpOptions::new(kernel).signature(BitmapSignature::Full), kernel),
        ("kernel bitmap with user tables", DumpOptions::new(kernel).user_page_tables(), kernel),
        same("live", Kind::BitmapKernel { live: true }),
        same("RDMP 8", Kind::RdmpKernel),
        same("RDMP 9", Kind::RdmpUser),
        same("RDMP 10", Kind::RdmpFull),
        same("raw", Kind::Raw),
        same("triage", Kind::Triage),
    ]
}

/// A whole machine of one build in every kind of dump.
fn every_kind(build: u32) {
    let image = typical(build, 1, 34).build();
    let mut tally = Tally::default();
    for (name, options, kind) in ways() {
        let place = format!("{build} {name}");
        let (bytes, truth) = dump(&image, options);
        let opened = open(&place, bytes);
        check_all(&mut tally, &place, &opened, &truth, kind);
        if kind != Kind::Triage {
            check_guid(&mut tally, &place, &opened, &image);
            check_user_memory(&mut tally, &place, &opened, &image, truth.dump.unwrap().user_pages_included);
        }
    }
    tally.finish(&format!("build {build}"));
}

macro_rules! every_kind_of {
    ($($name:ident: $build:literal,)+) => {$(
        #[test]
        fn $name() {
            every_kind($build);
        }
    )+};
}

every_kind_of! {
    windows_7: 7601,
    windows_8_1: 9600,
    windows_10_1607: 14393,
    windows_10_1809: 17763,
    windows_10_1903: 18362,
    windows_10_2004: 19041,
    server_2022: 20348,
    windows_11: 22000,
}

/// Opens one way of writing a machine and compares every answer.
fn check(tally: &mut Tally, place: &str, image: &Image, options: impl Into<DumpOptions>, kind: Kind) {
    let (bytes, truth) = dump(image, options);
    check_all(tally, place, &open(place, bytes), &truth, kind);
}

const FULL: Kind = Kind::BitmapFull { active: false };
const ACTIVE: Kind = Kind::BitmapFull { active: true };
const KERNEL: Kind = Kind::BitmapKernel { live: false };

#[test]
fn the_last_page_of_a_bitmap_that_ends_inside_a_byte_is_read() {
    let mut tally = Tally::default();
    for extra in [1, 3, 8, 13, 63] {
        // System's page tables lie in the very last frame.
        let machine = bare(19041).memory((40 << 20) + extra * 0x1000).placement(Placement::Descending);
        let image = machine.build();
        let end = image.memory().end();
        assert_eq!(image.truth().kernel.system_dtb / 0x1000 + 1, end);
        assert_ne!(end % 64, 0);
        for kind in [FULL, ACTIVE, KERNEL, Kind::Summary] {
            let options = DumpOptions::new(kind).exact_bits();
            let place = format!("{kind:?} of {end:#x} bits");
            let (bytes, truth) = dump(&image, options);
            let bits =
                if kind == Kind::Summary { u64_at(&bytes, 0x2010) & 0xffff_ffff } else { u64_at(&bytes, 0x2030) };
            assert_eq!(bits, end);
            check_all(&mut tally, &place, &open(&place, bytes), &truth, kind);
        }
    }
    tally.finish("bitmaps");
}

#[test]
fn the_page_tables_of_the_header_may_be_anybodys_and_carry_flags() {
    let mut tally = Tally::default();
    for build in [9600, 19041] {
        let machine = typical(build, 5, 32).pcid();
        let image = machine.build();
        let other = image.truth().named("explorer.exe").unwrap().pid;
        for kind in [Kind::Full, KERNEL, Kind::RdmpUser] {
            let flags = DumpOptions::new(kind).dtb_bits(0x8000_0000_0000_0018);
            check(&mut tally, &format!("{build} {kind:?} flags"), &image, flags, kind);
            let of_other = DumpOptions::new(kind).dtb_of(other);
            check(&mut tally, &format!("{build} {kind:?} of {other}"), &image, of_other, kind);
        }
        check(&mut tally, &format!("{build} raw"), &image, Kind::Raw, Kind::Raw);
    }
    tally.finish("page tables of the header");
}

#[test]
fn machines_may_have_five_levels_shadows_and_scattered_pages() {
    let mut tally = Tally::default();
    for (name, machine) in [
        ("LA57", typical(20348, 1, 32).five_level_paging()),
        ("LA57 with process-context ids", typical(22000, 2, 32).five_level_paging().pcid()),
        ("KVA shadow", typical(17763, 3, 32).kva_shadow()),
        ("KVA shadow with process-context ids", typical(19041, 4, 32).kva_shadow().pcid()),
        ("scattered", typical(19041, 5, 32).placement(Placement::Scattered)),
        ("descending", typical(14393, 6, 32).placement(Placement::Descending)),
        ("encoded KDBG", typical(19041, 7, 32).encoded_kdbg()),
        ("encoded KDBG, scattered", typical(9600, 8, 32).encoded_kdbg().placement(Placement::Scattered)),
        ("one processor", typical(18362, 9, 32).processors(1)),
        ("high memory, large kernel pages", typical(22000, 10, 32).memory(80 << 20)),
    ] {
        let image = machine.build();
        let high = image.memory().end() > 0x10_0000;
        for kind in [ACTIVE, Kind::RdmpKernel, Kind::Raw, Kind::Triage] {
            // A raw image is as long as the address of the last frame.
            if !(high && kind == Kind::Raw) {
                check(&mut tally, &format!("{name} {kind:?}"), &image, kind, kind);
            }
        }
    }
    tally.finish("machines");
}

#[test]
fn the_crash_may_be_in_any_process() {
    let mut tally = Tally::default();
    for build in [7601, 9600, 14393, 17763, 19041, 22000] {
        let mut machine = typical(build, 12, 32);
        let pid = machine.process(ProcessSpec::named("crash.exe").session(2).protection(0x31).signature(0x37, 7));
        let image = machine.current_process(pid).build();
        for kind in [KERNEL, Kind::Triage] {
            let options = DumpOptions::new(kind).dtb_of(pid).secondary_data().bug_check(0x50, [1, 2, 3, u64::MAX]);
            check(&mut tally, &format!("{build} {kind:?}"), &image, options, kind);
        }
    }
    tally.finish("crash in a process");
}

#[test]
fn pages_that_are_not_simply_mapped_give_their_value_or_its_absence() {
    let mut tally = Tally::default();
    let states = [
        PageState::Resident,
        PageState::Transition,
        PageState::PageFile { file: 2, page: 0x1_2345 },
        PageState::DemandZero,
        PageState::Prototype,
        PageState::Unmapped,
    ];
    for (build, mask) in [(9600, None), (14393, Some(0)), (17763, None), (19041, None), (19041, Some(0)), (22000, None)]
    {
        let mut machine = bare(build);
        if let Some(mask) = mask {
            machine = machine.invalid_pte_mask(mask);
        }
        for state in states {
            machine.process(ProcessSpec::named("peb.exe").session(1).peb_page(state));
            machine.process(ProcessSpec::named("path.exe").session(1).image_path_page(state));
        }
        let image = machine.build();
        for kind in [Kind::Full, ACTIVE, KERNEL, Kind::Raw] {
            check(&mut tally, &format!("{build} mask {mask:?} {kind:?}"), &image, kind, kind);
        }
    }
    tally.finish("page states");
}

#[test]
fn what_was_taken_out_of_a_list_is_told_apart() {
    let mut machine = bare(19041);
    machine.process(ProcessSpec::named("seen.exe").session(1));
    let hidden = machine.process(ProcessSpec::named("hidden.exe").session(1));
    let outside = machine.process(ProcessSpec::named("outside.exe").no_session().hidden());
    machine.hide(hidden);
    machine.module(ModuleSpec::named("seen.sys")).module(ModuleSpec::named("hidden.sys").hidden());
    let image = machine.build();
    let (bytes, truth) = dump(&image, KERNEL);
    let opened = open("hidden", bytes);
    let mut tally = Tally::default();
    check_all(&mut tally, "hidden", &opened, &truth, KERNEL);
    let rows = common::rows(&opened, "processes");
    let sources = |pid: u64| rows.iter().find(|row| row["pid"] == pid).unwrap()["sources"].clone();
    assert_eq!(sources(hidden), serde_json::json!(["cid-table", "session-list"]));
    assert_eq!(sources(outside), serde_json::json!(["cid-table"]));
    tally.finish("hidden");
}

#[test]
fn tables_of_handles_of_every_depth_are_counted() {
    let mut tally = Tally::default();
    for build in [7601, 9600, 19041] {
        let mut machine = bare(build);
        for levels in 0..3 {
            let handle = |value| HandleSpec { value, ..HandleSpec::new(HandleTarget::Process(4), 0x1f_ffff) };
            let far = [Some(4), (levels > 0).then_some(0x404), (levels > 1).then_some(0x8_0004)];
            let spec = ProcessSpec::named("many.exe").handle_levels(levels);
            machine.process(far.into_iter().flatten().fold(spec, |spec, value| spec.handle(handle(Some(value)))));
        }
        let image = machine.build();
        check(&mut tally, &format!("{build}"), &image, KERNEL, KERNEL);
    }
    tally.finish("handle tables");
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Fields of the header by which the kernel is found: name, file offset.
const WAYS_IN: [(&str, u64); 4] = [
    ("DirectoryTableBase", 0x10),
    ("PsLoadedModuleList", 0x20),
    ("PsActiveProcessHead", 0x28),
    ("KdDebuggerDataBlock", 0x80),
];

/// The process table is that of the truth, whatever the patches did; all that `info` and `processes` complain of.
fn damaged(tally: &mut Tally, place: &str, image: &Image, options: DumpOptions, kind: Kind) -> String {
    let (bytes, truth) = dump(image, options);
    let opened = open(place, bytes);
    if let Err(error) = opened.kernel() {
        panic!("{place}: {error}");
    }
    let processes = document(&opened, "processes");
    check_process_rows(tally, place, &processes, &truth, kind);
    let modules = document(&opened, "modules");
    tally.check("modules", place, &modules["row_count"], &truth.modules.len().into());
    format!("{} {}", document(&opened, "info")["incomplete"], processes["incomplete"])
}

/// A machine with a few processes and modules, one process hidden and one in no session.
fn small(build: u32, seed: u64) -> Machine {
    let mut machine = bare(build).seed(seed);
    for name in ["smss.exe", "lsass.exe", "hidden.exe", "notepad.exe"] {
        machine.process(ProcessSpec::named(name).session(1));
    }
    let pid = machine.process(ProcessSpec::named("rootkit.exe").no_session());
    machine.hide(pid).typical_modules(5);
    machine
}

/// A blank field is a fault too. Only an encoded block may be found nowhere else before symbols are: then nothing says that
/// the header should have named it.
fn blank_is_named(field: &str, encoded: bool) -> bool {
    !(encoded && field == "KdDebuggerDataBlock")
}

#[test]
fn one_wrong_field_of_the_header_changes_no_answer_and_is_named() {
    let mut tally = Tally::default();
    for (build, encoded, kind) in
        [(7601, false, KERNEL), (9600, true, Kind::RdmpKernel), (19041, false, Kind::Full), (22000, true, ACTIVE)]
    {
        let machine = small(build, 3);
        let image = (if encoded { machine.encoded_kdbg() } else { machine }).build();
        let mapped = image.truth().kernel.base + 0x1000;
        for (field, at) in WAYS_IN {
            for wrong in [0, mapped, 0x1234_5000, u64::MAX] {
                let place = format!("{build} {kind:?} {field} {wrong:#x}");
                let options = DumpOptions::new(kind).patch(at, &wrong.to_le_bytes());
                let said = damaged(&mut tally, &place, &image, options, kind);
                let named = wrong != 0 || blank_is_named(field, encoded);
                tally.check("named", &place, &said.contains(field).into(), &named.into());
            }
        }
    }
    tally.finish("wrong fields");
}

#[test]
fn all_ways_in_may_be_wrong_at_once() {
    let mut tally = Tally::default();
    for (build, encoded, kind) in
        [(7601, false, KERNEL), (9600, false, Kind::RdmpFull), (17763, true, KERNEL), (22000, false, Kind::Full)]
    {
        let machine = small(build, 4).placement(Placement::Scattered);
        let image = (if encoded { machine.encoded_kdbg() } else { machine }).build();
        for (wrong, blank) in [(0, true), (0xffff_dead_beef_0008, false), (u64::from_le_bytes(*b"PAGEPAGE"), true)] {
            let place = format!("{build} {kind:?} all {wrong:#x}");
            let patch = |options: DumpOptions, (_, at): (&str, u64)| options.patch(at, &wrong.to_le_bytes());
            let options = WAYS_IN.into_iter().fold(DumpOptions::new(kind), patch);
            let said = damaged(&mut tally, &place, &image, options, kind);
            for (field, _) in WAYS_IN {
                let named = !blank || blank_is_named(field, encoded);
                tally.check("named", &format!("{place} {field}"), &said.contains(field).into(), &named.into());
            }
        }
    }
    tally.finish("all wrong");
}

#[test]
fn what_the_header_says_about_the_machine_may_be_wrong() {
    let mut tally = Tally::default();
    let image = typical(19041, 6, 32).build();
    for (field, at, wrong, named) in [
        // What the release calls itself: the kernel is that of 19041.
        ("MinorVersion", 0xc, 19045_u32, false),
        ("MinorVersion", 0xc, 1, false),
        ("MinorVersion", 0xc, u32::MAX, false),
        ("MachineImageType", 0x30, 0, true),
        ("MachineImageType", 0x30, u32::MAX, true),
        ("NumberProcessors", 0x34, 0, false),
        ("NumberProcessors", 0x34, u32::MAX, false),
        ("DumpType", 0xf98, 0x55, true),
    ] {
        let place = format!("{field} {wrong:#x}");
        let options = DumpOptions::new(KERNEL).patch(at, &wrong.to_le_bytes());
        let said = damaged(&mut tally, &place, &image, options, KERNEL);
        tally.check("named", &place, &said.contains(field).into(), &named.into());
    }
    tally.finish("header");
}

/// Where the record that names the symbols lies in the kernel's image.
fn rsds(image: &Image) -> u64 {
    let kernel = &image.truth().kernel;
    let pages = (kernel.base..kernel.base + kernel.size).step_by(0x1000);
    let found = pages.filter_map(|page| {
        let bytes = image.read(page, 0x1000)?;
        let at = bytes.windows(4).position(|window| window == b"RSDS")?;
        Some(page + at as u64)
    });
    found.last().expect("the image has a CodeView record")
}

/// A GUID in the order of files.
fn file_order(guid: u128) -> [u8; 16] {
    let mut bytes = guid.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

#[test]
fn a_kernel_that_is_not_known_is_read_with_others_of_its_build() {
    let mut tally = Tally::default();
    for build in [9600, 14393, 17763, 18362, 19041, 20348, 22000] {
        let mut image = typical(build, 8, 32).build();
        let at = rsds(&image);
        image.write_kernel(at + 4, &file_order(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
        for kind in [Kind::Full, KERNEL] {
            let place = format!("{build} {kind:?}");
            let (bytes, truth) = dump(&image, kind);
            let opened = open(&place, bytes);
            let info = &common::rows(&opened, "info")[0];
            tally.check("layout_origin", &place, &info["layout_origin"], &"build".into());
            let id = "0123456789ABCDEF0123456789ABCDEF1";
            tally.check("kernel_guid_age", &place, &info["kernel_guid_age"], &id.into());
            kit::check_processes(&mut tally, &place, &opened, &truth, kind);
            kit::check_modules(&mut tally, &place, &opened, &truth, kind);
            kit::check_unloaded(&mut tally, &place, &opened, &truth, kind);
        }
    }
    tally.finish("unknown kernels");
}

/// Pairs of a build and another one whose symbols a kernel of it claims to have.
const CLAIMS: [(u32, u32); 5] = [(19041, 17763), (17763, 9600), (22000, 19041), (9600, 22000), (7601, 19041)];

/// Makes a kernel claim the symbols of another build.
fn claim(image: &mut Image, build: u32) {
    let at = rsds(image);
    let id = ntlens_testkit::layouts(&kit::kernel(build)).unwrap().id().unwrap();
    image.write_kernel(at + 4, &file_order(id.guid));
    image.write_kernel(at + 20, &id.age.to_le_bytes());
}

#[test]
fn a_layout_of_another_build_is_refused() {
    for (build, wrong) in CLAIMS {
        let mut image = bare(build).build();
        claim(&mut image, wrong);
        let opened = open("wrong", dump(&image, KERNEL).0);
        match opened.kernel() {
            Err(CoreError::NoLayout { reason, .. }) => assert!(reason.contains("System"), "{build}: {reason}"),
            Err(other) => panic!("{build} with the symbols of {wrong}: {other}"),
            Ok(_) => panic!("{build} with the symbols of {wrong} was taken"),
        }
        // The header's word is told all the same.
        let info = &common::rows(&opened, "info")[0];
        assert_eq!(info["windows_build"], build);
        assert_eq!(info["dump_kind"], "bitmap-kernel");
        assert!(document(&opened, "info")["layout"]["error"].as_str().unwrap().contains("System"));
    }
}

#[test]
fn a_layout_of_another_build_gives_way_to_what_the_dump_tells() {
    for (build, wrong) in CLAIMS {
        let mut image = typical(build, 2, 32).build();
        claim(&mut image, wrong);
        let opened = open("wrong", dump(&image, KERNEL).0);
        let kernel = opened.kernel().unwrap_or_else(|error| panic!("{build} with the symbols of {wrong}: {error}"));
        assert_eq!(kernel.selected().origin, ntlens::nt::select::Origin::Inferred);
        let found: Vec<_> = opened.processes().unwrap().processes.iter().map(|p| (p.pid(), p.name())).collect();
        let truth = kit::in_order(image.truth()).into_iter();
        assert_eq!(found, truth.map(|p| (Ok(p.pid), Ok(p.image_name.clone()))).collect::<Vec<_>>(), "{build}");
    }
}

/// A machine by a few numbers.
fn random(seed: u64, processes: usize, build: u32) -> Image {
    let mut machine = bare(build).seed(seed);
    machine.typical_modules(usize::try_from(seed % 9).unwrap());
    for index in 0..processes {
        let bits = seed.rotate_left(u32::try_from(index * 7 % 64).unwrap());
        let mut spec = ProcessSpec::named(format!("p{bits:x}.exe")).protection([0, 0x31, 0x41, 0x62, 0x72][index % 5]);
        if bits & 1 == 0 {
            spec = spec.session(u32::try_from(bits >> 8 & 3).unwrap());
        }
        if bits & 2 == 0 {
            spec = spec.critical();
        }
        if bits & 0x1c == 0 {
            spec = spec.hidden();
        } else if bits & 0xe0 == 0 {
            spec = spec.exited(ntlens_testkit::RUNNING_AT);
        }
        if bits & 0x100 == 0 {
            spec = spec.wow64();
        }
        if bits & 0xe00 == 0 {
            spec = spec.peb_page(PageState::Transition);
        }
        machine.process(spec.threads(1 + u32::try_from(bits >> 20 & 3).unwrap()));
    }
    let placements = [Placement::Ascending, Placement::Descending, Placement::Scattered];
    machine.placement(placements[usize::try_from(seed % 3).unwrap()]).build()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_machine_is_read_back(
        seed: u64,
        processes in 5_usize..40,
        build in prop::sample::select(vec![7601, 9600, 14393, 17763, 18362, 19041, 20348, 22000]),
        way in prop::sample::select(ways()),
    ) {
        let (name, options, kind) = way;
        let image = random(seed, processes, build);
        let mut tally = Tally::default();
        check(&mut tally, &format!("{build} {name}"), &image, options, kind);
        tally.finish("random machine");
    }
}

#[test]
fn raw_memory_is_read_from_the_page_tables_that_the_user_gives() {
    let image = typical(19041, 13, 32).build();
    let (bytes, truth) = dump(&image, Kind::Raw);
    let source: Arc<dyn ByteSource> = Arc::new(bytes);
    let open = |dtb| {
        let options = Options { dtb: Some(PhysAddr(dtb)) };
        OpenDump::open("raw", source.clone(), &Pack::embedded().unwrap(), options)
    };
    let mut tally = Tally::default();
    check_all(&mut tally, "raw with a root", &open(truth.kernel.system_dtb).unwrap(), &truth, Kind::Raw);
    tally.finish("raw with a root");
    // A root that is given is not replaced by one that was found.
    assert!(open(truth.kernel.system_dtb + 0x1000).is_err());
}
