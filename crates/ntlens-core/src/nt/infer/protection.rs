//! `SignatureLevel`, `SectionSignatureLevel` and `Protection`: three bytes in a row since Windows 8.1. Windows 7 and 8
//! have none of them.

use super::found::{At, Found};
use super::name::name_of;
use super::population::{Population, Subject};
use super::votes::{Votes, Weight, only};
use alloc::format;

/// What System has: PP-WinTcb in Windows 8.1, PP-WinSystem since Windows 10.
const SYSTEM: [u8; 2] = [0x62, 0x72];
/// PPL-WinTcb, which these always have.
const WIN_TCB: u8 = 0x61;
const ALWAYS: [&[u8]; 4] = [b"smss.exe", b"csrss.exe", b"wininit.exe", b"services.exe"];
/// So many of them must be seen.
const MIN_SEEN: u32 = 3;
/// Levels of signatures: `WindowsTcb` and `Windows`.
const LEVEL_TCB: u8 = 0xe;
const LEVEL_WINDOWS: u8 = 0xc;

pub(super) fn find(population: &Population, found: &mut Found) {
    if found.eprocess("ImageFileName").is_none() {
        return;
    }
    let bytes = |process: &Subject, offset: u32| process.body.slice(offset, 3)?.first_chunk::<3>().copied();
    let is_system = |[signature, section, protection]: [u8; 3]| {
        let levels = (signature & 0xf, section & 0xf) == (LEVEL_TCB, LEVEL_WINDOWS);
        SYSTEM.contains(&protection) && levels && (signature | section) & 0x80 == 0
    };
    let offsets = (0..population.extent()).filter(|offset| bytes(population.system(), *offset).is_some_and(is_system));
    let candidates = offsets.map(|offset| {
        let named = |process: &&Subject| name_of(process, found).is_some_and(|name| ALWAYS.contains(&name));
        let tcb = population.alive().filter(named).map(|process| bytes(process, offset).map(is_tcb));
        let tcb = Votes::count(tcb);
        // Several kinds, and none for most: everything else in these bytes would be an accident.
        let all = Votes::count(population.others().map(|process| bytes(process, offset).map(is_valid)));
        let plain = population.alive().filter(|process| bytes(process, offset).is_some_and(|[_, _, byte]| byte == 0));
        // Somebody may have given an own process such a name.
        let enough = tcb.good >= MIN_SEEN && tcb.bad * 2 <= tcb.good && plain.count() >= 3;
        (offset, if enough { all } else { Votes::default() })
    });
    let Some((offset, votes)) = only(candidates, Weight::Shape) else { return };
    let evidence = format!(
        "System, smss.exe, csrss.exe, wininit.exe and services.exe have what they always have; {} of {} hold one of \
         the kinds of protection",
        votes.good,
        votes.all()
    );
    for (field, offset) in
        [("SignatureLevel", offset), ("SectionSignatureLevel", offset + 1), ("Protection", offset + 2)]
    {
        found.add(At::eprocess(field, offset), votes, Weight::Shape, evidence.clone());
    }
}

/// The bytes of the processes that Windows itself starts first.
fn is_tcb([signature, section, protection]: [u8; 3]) -> bool {
    protection == WIN_TCB && signature & 0xf == LEVEL_TCB && section & 0xf >= LEVEL_WINDOWS
}

/// A type has a signer and a signer a type. What is protected need not be signed: the kernel's own processes are not.
fn is_valid([signature, section, protection]: [u8; 3]) -> bool {
    let (kind, signer) = (protection & 7, protection >> 4);
    let consistent = kind <= 2 && signer <= 8 && (kind == 0) == (signer == 0);
    consistent && (signature | section) & 0x80 == 0
}
