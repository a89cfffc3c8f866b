//! The layouts of a kernel as a PDB, by the writer of the reader's own unit tests.

/// What the unit tests of the reader use.
#[path = "../../../crates/ntlens-symbols/src/pdb/tests/build.rs"]
#[allow(dead_code, clippy::cast_possible_truncation)]
pub(super) mod build;

use build::{image, record, text, u16s, u32s};
use ntlens::layout::{EnumDef, Layouts, Name, PdbId, StructDef, StructKind, Type};
use std::collections::BTreeMap;

/// The only section's address: no symbol lies before it.
const SECTION: u32 = 0x1000;

/// The PDB of these layouts.
pub(super) fn write(layouts: &Layouts, id: PdbId) -> Vec<u8> {
    let mut types = Types { layouts, records: Vec::new(), named: BTreeMap::new() };
    for def in layouts.structures() {
        types.definition(def, &def.name);
    }
    let symbol = |(name, rva): (&'static str, u64)| (name, 1, u32::try_from(rva).unwrap() - SECTION);
    let symbols: Vec<_> = layouts.symbols().filter(|(_, rva)| rva.0 >= SECTION.into()).collect();
    let symbols: Vec<_> = symbols.into_iter().map(|(name, rva)| symbol((String::leak(name.into()), rva.0))).collect();
    let mut bytes = image(id.age, &types.records, &[SECTION], &symbols);
    let counting: Vec<u8> = (1..=16).collect();
    let at = bytes.windows(16).position(|window| window == counting).unwrap();
    bytes[at..at + 16].copy_from_slice(&guid(id));
    bytes
}

/// As files hold it: three little-endian numbers, then eight bytes.
pub(super) fn guid(id: PdbId) -> [u8; 16] {
    let mut bytes = id.guid.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

/// The numbers of the types of C in `CodeView`.
fn code(name: &str) -> u32 {
    const CODES: [(&str, u32); 20] = [
        ("void", 0x03),
        ("char", 0x70),
        ("unsigned char", 0x20),
        ("wchar", 0x71),
        ("short", 0x11),
        ("unsigned short", 0x21),
        ("long", 0x12),
        ("unsigned long", 0x22),
        ("int", 0x74),
        ("unsigned int", 0x75),
        ("long long", 0x13),
        ("unsigned long long", 0x23),
        ("int128", 0x14),
        ("uint128", 0x24),
        ("bool", 0x30),
        ("f32", 0x40),
        ("double", 0x41),
        ("f80", 0x42),
        ("HRESULT", 0x08),
        ("pointer32", 0x403),
    ];
    CODES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no number of {name}")).1
}

/// A pointer of eight bytes to anything.
const POINTER: u32 = 0x603;

fn number(value: u64) -> Vec<u8> {
    match u16::try_from(value) {
        Ok(small) if small < 0x8000 => u16s(&[small]),
        _ => [u16s(&[0x8004]), u32s(&[u32::try_from(value).unwrap()])].concat(),
    }
}

/// Fills up to a multiple of four, as lists of fields are.
fn filled(mut list: Vec<u8>) -> Vec<u8> {
    let left = (4 - list.len() % 4) % 4;
    list.extend((1..=left).rev().map(|left| 0xf0 | u8::try_from(left).unwrap()));
    list
}

struct Types<'l> {
    layouts: &'l Layouts,
    records: Vec<Vec<u8>>,
    /// Announcements of types with names.
    named: BTreeMap<Name, u32>,
}

impl Types<'_> {
    fn add(&mut self, record: Vec<u8>) -> u32 {
        self.records.push(record);
        0xfff + u32::try_from(self.records.len()).unwrap()
    }

    fn definition(&mut self, def: &StructDef, name: &str) -> u32 {
        let mut list = u16s(&[0x1203]);
        for field in &def.fields {
            let ty = self.ty(&field.ty);
            let member = [u16s(&[0x150d, 3]), u32s(&[ty]), number(field.offset.into()), text(&field.name)].concat();
            list = filled([list, member].concat());
        }
        let fields = self.add(list);
        let size = number(def.size.unwrap_or(0).into());
        self.add(match def.kind {
            StructKind::Union => record(0x1506, &[u16s(&[0, 0]), u32s(&[fields]), size, text(name)]),
            _ => record(0x1505, &[u16s(&[0, 0]), u32s(&[fields, 0, 0]), size, text(name)]),
        })
    }

    fn enumeration(&mut self, name: &Name, def: Option<&EnumDef>) -> u32 {
        let Some(def) = def else {
            return self.add(record(0x1507, &[u16s(&[0, 0x80]), u32s(&[0x74, 0]), text(name)]));
        };
        let mut list = u16s(&[0x1203]);
        for (name, value) in &def.constants {
            let member = [u16s(&[0x1502, 3, 0x8009]), value.to_le_bytes().to_vec(), text(name)].concat();
            list = filled([list, member].concat());
        }
        let constants = self.add(list);
        self.add(record(0x1507, &[u16s(&[0, 0]), u32s(&[code(&def.base), constants]), text(name)]))
    }

    fn ty(&mut self, ty: &Type) -> u32 {
        match ty {
            Type::Base(name) => code(name),
            Type::Pointer(_) => POINTER,
            Type::Array { count, of } => {
                let size = self.layouts.width(of).unwrap_or(0) * u64::from(*count);
                let of = self.ty(of);
                self.add(record(0x1503, &[u32s(&[of, 0x23]), number(size), text("")]))
            }
            Type::Bits { position, length, of } => {
                let of = self.ty(of);
                self.add(record(0x1205, &[u32s(&[of]), vec![*length, *position]]))
            }
            Type::Inline(def) => self.definition(def, "<unnamed-tag>"),
            Type::Struct(name) | Type::Enum(name) => {
                if let Some(index) = self.named.get(name) {
                    return *index;
                }
                let index = if let Type::Struct(_) = ty {
                    self.add(build::structure(name, 0, 0, true))
                } else {
                    let known = self.layouts.enumeration(name).cloned();
                    self.enumeration(name, known.as_ref())
                };
                self.named.insert(name.clone(), index);
                index
            }
            _ => 0,
        }
    }
}
