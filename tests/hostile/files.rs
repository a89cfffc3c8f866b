//! Files that are no dump, and dumps whose memory cannot be read.

use super::*;

#[test]
fn files_that_are_something_else_are_named() {
    assert!(matches!(refused(b""), CoreError::Unsupported { what, .. } if what.contains("empty")));
    for (start, name) in [(&b"MDMP\x93\xa7\0\0"[..], "user-mode"), (b"\x7fELF", "ELF")] {
        for length in [start.len(), 0x3000] {
            let mut bytes = start.to_vec();
            bytes.resize(length, 0);
            assert!(matches!(refused(&bytes), CoreError::Unsupported { what, .. } if what.contains(name)), "{name}");
        }
    }
    let long = [vec![0; 0x10_0000], vec![0xff; 0x10_0000], b"text\n".repeat(0x1_0000)];
    for bytes in long.into_iter().chain([b"x".to_vec(), b"Dear diary,\n".to_vec()]) {
        let error = refused(&bytes);
        assert!(matches!(error, CoreError::Malformed { offset: 0, field: "Signature", .. }), "{error}");
    }
    // A dump of a 32-bit kernel may open for what its header says, but has no kernel for us.
    let mut bytes = b"PAGEDUMP".to_vec();
    bytes.resize(0x3000, 0);
    let kernel = match ntlens::open_bytes("32-bit", bytes) {
        Ok(dump) => dump.kernel().map(|_| ()),
        Err(Error::Dump { error, .. }) => Err(error),
        Err(other) => panic!("{other}"),
    };
    assert!(matches!(kernel, Err(CoreError::Unsupported { what, .. }) if what.contains("32-bit")));
    // The signature alone is no dump.
    assert!(matches!(refused(b"PAGEDU64"), CoreError::Malformed { structure: "DUMP_HEADER64", field: "size", .. }));
}

#[test]
fn dumps_that_cannot_be_read_still_tell_what_they_are() {
    let build = SMALL.truth().build;
    let header_only = Patched::of(&BITMAP).set(0xf98, &3_u32.to_le_bytes()).cut(0x2000);
    // The registers tell the processor, too: ContextFlags of ARM64, and none at all.
    let arm = Patched::of(&BITMAP).set(0x30, &0xaa64_u32.to_le_bytes()).set(0x348, &0x40_0007_u32.to_le_bytes());
    let arm = arm.set(0x378, &[0; 4]);
    let x86 = Patched::of(&BITMAP).set(0x30, &0x14c_u32.to_le_bytes()).set(0x378, &[0; 4]);
    let encrypted = Patched::of(&BITMAP).set(0x1050, &0x100_u32.to_le_bytes());
    for (source, kind, says, machine) in [
        (header_only, "header", "header and nothing else", "x64"),
        (arm, "bitmap-kernel", "ARM64", "ARM64"),
        (x86, "bitmap-kernel", "32-bit", "x86"),
        (encrypted, "bitmap-kernel", "encrypted", "x64"),
    ] {
        let opened = survives(says, source).unwrap();
        let info = &rows(&opened, "info")[0];
        assert_eq!(info["dump_kind"], kind);
        assert_eq!(info["windows_build"], build);
        assert_eq!(info["machine"], machine);
        assert_eq!(info["physical_pages_described"], Json::Null);
        match opened.kernel() {
            Err(CoreError::Unsupported { what, .. }) => assert!(what.contains(says), "{what}"),
            other => panic!("{says}: {other:?}"),
        }
        assert!(matches!(question("processes").unwrap().ask(&opened, Wanted::All), Err(CoreError::Unsupported { .. })));
    }
    // Type 7 is a setting, not a format: with a bitmap it is read as one.
    let seven = survives("type 7", Patched::of(&BITMAP).set(0xf98, &7_u32.to_le_bytes())).unwrap();
    assert_eq!(rows(&seven, "info")[0]["dump_kind"], "bitmap-kernel");
    assert_eq!(eprocesses(&seven), all_eprocesses());
    // Without one, and without runs, it is named as what it is.
    let without = Patched::of(&FULL).set(0xf98, &7_u32.to_le_bytes()).set(0x88, &[0; 16]);
    assert!(matches!(survives("type 7", without), Err(CoreError::Malformed { structure: "BITMAP_DUMP", .. })));
}
