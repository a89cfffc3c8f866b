//! What goes into a pack comes out of it.

use super::*;
use ntlens_core::layout::{EnumDef, FieldDef, Name, PdbId, StructDef, StructKind, Type, Version};
use ntlens_symbols::Source;
use proptest::prelude::*;

/// Few different ones, so that kernels have names and types in common.
fn name(letters: &'static str) -> impl Strategy<Value = Name> {
    (0..letters.len(), 0..3_u8)
        .prop_map(move |(letter, number)| format!("{}{number}", &letters[letter..=letter]).into())
}

fn leaf() -> impl Strategy<Value = Type> {
    prop_oneof![
        name("lus").prop_map(Type::Base),
        name("SUT").prop_map(Type::Struct),
        name("EF").prop_map(Type::Enum),
        Just(Type::Function),
        Just(Type::Unknown),
    ]
}

fn ty() -> impl Strategy<Value = Type> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| Type::Pointer(Box::new(of))),
            (any::<u32>(), inner.clone()).prop_map(|(count, of)| Type::Array { count, of: Box::new(of) }),
            (0..64_u8, 1..9_u8, inner.clone()).prop_map(|(position, length, of)| Type::Bits {
                position,
                length,
                of: Box::new(of)
            }),
            (kind(), prop::option::of(any::<u32>().prop_map(|size| size >> 1)), fields(inner)).prop_map(
                |(kind, size, fields)| {
                    Type::Inline(Arc::new(StructDef { kind, name: Name::default(), size, fields }))
                }
            ),
        ]
    })
}

fn kind() -> impl Strategy<Value = StructKind> {
    prop_oneof![Just(StructKind::Struct), Just(StructKind::Union), Just(StructKind::Class)]
}

fn fields(ty: impl Strategy<Value = Type>) -> impl Strategy<Value = Vec<FieldDef>> {
    let offset = prop_oneof![4 => 0..64_u32, 1 => any::<u32>()];
    prop::collection::vec((name("abcdef"), offset, ty), 0..6)
        .prop_map(|fields| fields.into_iter().map(|(name, offset, ty)| FieldDef { name, offset, ty }).collect())
}

fn definition() -> impl Strategy<Value = Definition> {
    let structure = (kind(), name("STU"), prop::option::of(0..u32::MAX), fields(ty()));
    let value = prop_oneof![4 => -3..20_i64, 1 => any::<i64>()];
    let constants = prop::collection::vec((name("ABC"), value), 0..6);
    prop_oneof![
        3 => structure.prop_map(|(kind, name, size, fields)| {
            Definition::Struct(StructDef { kind, name, size, fields })
        }),
        1 => (name("EF"), name("lu"), constants).prop_map(|(name, base, constants)| {
            Definition::Enum(EnumDef { name, base, constants })
        }),
    ]
}

/// Kernels as they come: each has most of what the others have, some of it changed.
fn kernels() -> impl Strategy<Value = Vec<Kernel>> {
    let pool = prop::collection::vec(definition(), 1..12);
    let picks = prop::collection::vec(any::<prop::sample::Index>(), 0..10);
    let symbols = prop::collection::btree_map("[a-d][0-9]", 0..5000_u32, 0..12);
    let kernel = (any::<bool>(), 0..3_u32, picks, symbols);
    (pool, prop::collection::vec(kernel, 1..7)).prop_map(|(pool, kernels)| {
        let pool: Vec<_> = pool.into_iter().map(Arc::new).collect();
        let kernels = kernels.into_iter().enumerate().map(|(number, (exact, build, picks, symbols))| {
            let definitions = picks.iter().map(|pick| pick.get(&pool)).map(|def| (def.name().to_owned(), def.clone()));
            let revision = u32::try_from(number).ok();
            Kernel {
                version: Version { major: 10, minor: 0, build, revision },
                id: exact.then_some(PdbId { guid: number as u128, age: 1 }),
                source: if exact { Source::Isf } else { Source::Vergilius },
                definitions: definitions.collect(),
                symbols: if exact { symbols } else { BTreeMap::new() },
                origin: String::new(),
            }
        });
        let mut kernels: Vec<_> = kernels.collect();
        kernels.sort_by_key(|kernel| kernel.version);
        kernels
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_kernels_come_out_as_they_went_in(kernels in kernels(), hot in prop::collection::btree_set("[STUEF][0-2]", 0..8)) {
        let stored = Packing { number: 0, pack: |raw| Ok(raw.to_vec()) };
        let stored = Packings { hot: Packing { ..stored }, others: stored };
        let written = write::write(&kernels, &|name| hot.contains(name), "notice", &stored).unwrap();
        verify(&written.bytes, &kernels).unwrap();
        let pack = Pack::parse(&written.bytes).unwrap();
        prop_assert_eq!(pack.notice(), "notice");
        let all: Vec<usize> = (0..kernels.len()).collect();
        for (layouts, kernel) in pack.kernel_layouts_of(&all).unwrap().iter().zip(&kernels) {
            let read = layouts.structures().count() + layouts.enumerations().count();
            prop_assert_eq!(read, kernel.definitions.keys().filter(|name| hot.contains(*name)).count());
        }
        let again = write::write(&kernels, &|name| hot.contains(name), "notice", &stored).unwrap();
        prop_assert_eq!(written.bytes, again.bytes);
    }
}

fn one_kernel(origin: &str, size: u32) -> Kernel {
    let def = StructDef { kind: StructKind::Struct, name: "_A".into(), size: Some(size), fields: Vec::new() };
    Kernel {
        version: Version { major: 10, minor: 0, build: 1, revision: None },
        id: Some(PdbId { guid: 0xab, age: 1 }),
        source: Source::Isf,
        definitions: BTreeMap::from([("_A".to_owned(), Arc::new(Definition::Struct(def)))]),
        symbols: BTreeMap::new(),
        origin: origin.to_owned(),
    }
}

#[test]
fn a_pack_that_tells_otherwise_is_noticed() {
    let written = write::write(&[one_kernel("", 8)], &|_| true, "", &PACKINGS).unwrap();
    verify(&written.bytes, &[one_kernel("", 8)]).unwrap();
    assert!(verify(&written.bytes, &[one_kernel("", 9)]).is_err());
}

#[test]
fn inputs_that_contradict_each_other_are_refused() {
    let same = vec![one_kernel("one.json", 8), one_kernel("two.json", 8)];
    assert_eq!(without_repetition(same).unwrap().len(), 1);
    let other = vec![one_kernel("one.json", 8), one_kernel("two.json", 9)];
    let failure = without_repetition(other).unwrap_err().to_string();
    for part in ["one.json", "two.json", "_A", "8", "9"] {
        assert!(failure.contains(part), "{failure}");
    }
}

#[test]
fn the_list_of_hot_names_has_remarks_and_marks() {
    let (names, alone) = hot_names("# remark\n_A\n_B alone # why\n\n");
    assert!(names.iter().eq(["_A"]) && alone.iter().eq(["_B"]));
}

#[test]
fn the_command_line_is_checked() {
    let parse = |text: &str| Options::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let options = parse("--layouts l --isf a --pdb b --check").unwrap();
    assert_eq!((options.symbols.len(), options.check, options.out), (2, true, None));
    for bad in ["", "--check", "--layouts", "--isf a --nothing"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

/// The pack that lies in the repository is what the inputs make, where they are at hand.
#[test]
fn the_committed_pack_is_reproducible() {
    let Some(shared) = shared() else { return };
    let layouts = shared.join("layouts").to_string_lossy().into_owned();
    run(&["--layouts".to_owned(), layouts, "--check".to_owned()]).unwrap();
}

fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("NTLENS_SHARED").map_or(beside, PathBuf::from);
    if folder.join("layouts").is_dir() {
        return Some(folder);
    }
    println!("skipped: no shared facts at {} (set NTLENS_SHARED)", folder.display());
    None
}
