//! What the bits of a handle's granted access mean: the lower sixteen to the object's type, the others to every type.
//!
//! The names are those of the public headers of Windows (`winnt.h`, `winuser.h`, `ntifs.h`, `evntcons.h`).

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

/// Bits that a handle table entry has room for.
pub const ACCESS_BITS: u32 = 25;
/// The mask of these bits.
pub const ACCESS_MASK: u32 = (1 << ACCESS_BITS) - 1;
/// Bits of the lower half, whose meaning is the type's.
const SPECIFIC_BITS: u32 = 16;

/// A bit without a name.
const NONE: &str = "";

/// Names of the bits from the lowest on, by the name of the type.
const SPECIFIC: &[(&str, &[&str])] = &[
    ("ALPC Port", &["PORT_CONNECT"]),
    ("DebugObject", &["DEBUG_READ_EVENT", "DEBUG_PROCESS_ASSIGN", "DEBUG_SET_INFORMATION", "DEBUG_QUERY_INFORMATION"]),
    (
        "Desktop",
        &[
            "DESKTOP_READOBJECTS",
            "DESKTOP_CREATEWINDOW",
            "DESKTOP_CREATEMENU",
            "DESKTOP_HOOKCONTROL",
            "DESKTOP_JOURNALRECORD",
            "DESKTOP_JOURNALPLAYBACK",
            "DESKTOP_ENUMERATE",
            "DESKTOP_WRITEOBJECTS",
            "DESKTOP_SWITCHDESKTOP",
        ],
    ),
    ("Device", FILE),
    (
        "Directory",
        &["DIRECTORY_QUERY", "DIRECTORY_TRAVERSE", "DIRECTORY_CREATE_OBJECT", "DIRECTORY_CREATE_SUBDIRECTORY"],
    ),
    ("EtwConsumer", TRACE),
    ("EtwRegistration", TRACE),
    ("Event", &["EVENT_QUERY_STATE", "EVENT_MODIFY_STATE"]),
    ("File", FILE),
    ("IoCompletion", &["IO_COMPLETION_QUERY_STATE", "IO_COMPLETION_MODIFY_STATE"]),
    (
        "Job",
        &[
            "JOB_OBJECT_ASSIGN_PROCESS",
            "JOB_OBJECT_SET_ATTRIBUTES",
            "JOB_OBJECT_QUERY",
            "JOB_OBJECT_TERMINATE",
            "JOB_OBJECT_SET_SECURITY_ATTRIBUTES",
            "JOB_OBJECT_IMPERSONATE",
        ],
    ),
    (
        "Key",
        &[
            "KEY_QUERY_VALUE",
            "KEY_SET_VALUE",
            "KEY_CREATE_SUB_KEY",
            "KEY_ENUMERATE_SUB_KEYS",
            "KEY_NOTIFY",
            "KEY_CREATE_LINK",
            NONE,
            NONE,
            "KEY_WOW64_64KEY",
            "KEY_WOW64_32KEY",
        ],
    ),
    ("KeyedEvent", &["KEYEDEVENT_WAIT", "KEYEDEVENT_WAKE"]),
    ("Mutant", &["MUTANT_QUERY_STATE"]),
    ("Partition", &["MEMORY_PARTITION_QUERY_ACCESS", "MEMORY_PARTITION_MODIFY_ACCESS"]),
    (
        "Process",
        &[
            "PROCESS_TERMINATE",
            "PROCESS_CREATE_THREAD",
            "PROCESS_SET_SESSIONID",
            "PROCESS_VM_OPERATION",
            "PROCESS_VM_READ",
            "PROCESS_VM_WRITE",
            "PROCESS_DUP_HANDLE",
            "PROCESS_CREATE_PROCESS",
            "PROCESS_SET_QUOTA",
            "PROCESS_SET_INFORMATION",
            "PROCESS_QUERY_INFORMATION",
            "PROCESS_SUSPEND_RESUME",
            "PROCESS_QUERY_LIMITED_INFORMATION",
            "PROCESS_SET_LIMITED_INFORMATION",
        ],
    ),
    (
        "Section",
        &[
            "SECTION_QUERY",
            "SECTION_MAP_WRITE",
            "SECTION_MAP_READ",
            "SECTION_MAP_EXECUTE",
            "SECTION_EXTEND_SIZE",
            "SECTION_MAP_EXECUTE_EXPLICIT",
        ],
    ),
    ("Semaphore", &["SEMAPHORE_QUERY_STATE", "SEMAPHORE_MODIFY_STATE"]),
    ("Session", &["SESSION_QUERY_ACCESS", "SESSION_MODIFY_ACCESS"]),
    ("SymbolicLink", &["SYMBOLIC_LINK_QUERY", "SYMBOLIC_LINK_SET"]),
    (
        "Thread",
        &[
            "THREAD_TERMINATE",
            "THREAD_SUSPEND_RESUME",
            "THREAD_ALERT",
            "THREAD_GET_CONTEXT",
            "THREAD_SET_CONTEXT",
            "THREAD_SET_INFORMATION",
            "THREAD_QUERY_INFORMATION",
            "THREAD_SET_THREAD_TOKEN",
            "THREAD_IMPERSONATE",
            "THREAD_DIRECT_IMPERSONATION",
            "THREAD_SET_LIMITED_INFORMATION",
            "THREAD_QUERY_LIMITED_INFORMATION",
            "THREAD_RESUME",
        ],
    ),
    ("Timer", &["TIMER_QUERY_STATE", "TIMER_MODIFY_STATE"]),
    (
        "TmEn",
        &[
            "ENLISTMENT_QUERY_INFORMATION",
            "ENLISTMENT_SET_INFORMATION",
            "ENLISTMENT_RECOVER",
            "ENLISTMENT_SUBORDINATE_RIGHTS",
            "ENLISTMENT_SUPERIOR_RIGHTS",
        ],
    ),
    (
        "TmRm",
        &[
            "RESOURCEMANAGER_QUERY_INFORMATION",
            "RESOURCEMANAGER_SET_INFORMATION",
            "RESOURCEMANAGER_RECOVER",
            "RESOURCEMANAGER_ENLIST",
            "RESOURCEMANAGER_GET_NOTIFICATION",
            "RESOURCEMANAGER_REGISTER_PROTOCOL",
            "RESOURCEMANAGER_COMPLETE_PROPAGATION",
        ],
    ),
    (
        "TmTm",
        &[
            "TRANSACTIONMANAGER_QUERY_INFORMATION",
            "TRANSACTIONMANAGER_SET_INFORMATION",
            "TRANSACTIONMANAGER_RECOVER",
            "TRANSACTIONMANAGER_RENAME",
            "TRANSACTIONMANAGER_CREATE_RM",
            "TRANSACTIONMANAGER_BIND_TRANSACTION",
        ],
    ),
    (
        "TmTx",
        &[
            "TRANSACTION_QUERY_INFORMATION",
            "TRANSACTION_SET_INFORMATION",
            "TRANSACTION_ENLIST",
            "TRANSACTION_COMMIT",
            "TRANSACTION_ROLLBACK",
            "TRANSACTION_PROPAGATE",
        ],
    ),
    (
        "Token",
        &[
            "TOKEN_ASSIGN_PRIMARY",
            "TOKEN_DUPLICATE",
            "TOKEN_IMPERSONATE",
            "TOKEN_QUERY",
            "TOKEN_QUERY_SOURCE",
            "TOKEN_ADJUST_PRIVILEGES",
            "TOKEN_ADJUST_GROUPS",
            "TOKEN_ADJUST_DEFAULT",
            "TOKEN_ADJUST_SESSIONID",
        ],
    ),
    ("Type", &["OBJECT_TYPE_CREATE"]),
    (
        "WindowStation",
        &[
            "WINSTA_ENUMDESKTOPS",
            "WINSTA_READATTRIBUTES",
            "WINSTA_ACCESSCLIPBOARD",
            "WINSTA_CREATEDESKTOP",
            "WINSTA_WRITEATTRIBUTES",
            "WINSTA_ACCESSGLOBALATOMS",
            "WINSTA_EXITWINDOWS",
            NONE,
            "WINSTA_ENUMERATE",
            "WINSTA_READSCREEN",
        ],
    ),
    ("WmiGuid", TRACE),
];

/// Files, pipes and folders; a folder's names for the lower bits are others, and the handle does not tell it apart.
const FILE: &[&str] = &[
    "FILE_READ_DATA",
    "FILE_WRITE_DATA",
    "FILE_APPEND_DATA",
    "FILE_READ_EA",
    "FILE_WRITE_EA",
    "FILE_EXECUTE",
    "FILE_DELETE_CHILD",
    "FILE_READ_ATTRIBUTES",
    "FILE_WRITE_ATTRIBUTES",
];

/// Event tracing, whose objects share one set of rights.
const TRACE: &[&str] = &[
    "WMIGUID_QUERY",
    "WMIGUID_SET",
    "WMIGUID_NOTIFICATION",
    "WMIGUID_READ_DESCRIPTION",
    "WMIGUID_EXECUTE",
    "TRACELOG_CREATE_REALTIME",
    "TRACELOG_CREATE_ONDISK",
    "TRACELOG_GUID_ENABLE",
    "TRACELOG_ACCESS_KERNEL_LOGGER",
    "TRACELOG_LOG_EVENT",
    "TRACELOG_ACCESS_REALTIME",
    "TRACELOG_REGISTER_GUIDS",
    "TRACELOG_JOIN_GROUP",
];

/// Bits 16 and up.
const STANDARD: &[&str] =
    &["DELETE", "READ_CONTROL", "WRITE_DAC", "WRITE_OWNER", "SYNCHRONIZE", NONE, NONE, NONE, "ACCESS_SYSTEM_SECURITY"];

/// The names of the rights in an access mask, for an object of a type; `bit_N` for bits that have none there.
pub fn names(object_type: &str, access: u32) -> Vec<Cow<'static, str>> {
    let known = SPECIFIC.binary_search_by_key(&object_type, |(name, _)| name);
    let specific = known.ok().and_then(|index| SPECIFIC.get(index)).map_or(&[][..], |(_, names)| *names);
    let name = |bit: u32| {
        let (names, index) =
            if bit < SPECIFIC_BITS { (specific, bit) } else { (STANDARD, bit.saturating_sub(SPECIFIC_BITS)) };
        let name = usize::try_from(index).ok().and_then(|index| names.get(index)).filter(|name| !name.is_empty());
        name.map_or_else(|| Cow::Owned(format!("bit_{bit}")), |name| Cow::Borrowed(*name))
    };
    let mut found = Vec::with_capacity(access.count_ones() as usize);
    found.extend((0..u32::BITS).filter(|bit| access >> bit & 1 == 1).map(name));
    found
}

/// Rights of every type with which an object is changed or taken over: `DELETE`, `WRITE_DAC`, `WRITE_OWNER`.
const STANDARD_WRITES: u32 = 0x000d_0000;

/// Names of the rights of each type with which an object is changed, or made to act.
const WRITES: &[(&str, &[&str])] = &[
    (
        "Desktop",
        &[
            "DESKTOP_CREATEWINDOW",
            "DESKTOP_CREATEMENU",
            "DESKTOP_HOOKCONTROL",
            "DESKTOP_JOURNALRECORD",
            "DESKTOP_JOURNALPLAYBACK",
            "DESKTOP_WRITEOBJECTS",
        ],
    ),
    ("Directory", &["DIRECTORY_CREATE_OBJECT", "DIRECTORY_CREATE_SUBDIRECTORY"]),
    ("Event", &["EVENT_MODIFY_STATE"]),
    ("File", FILE_WRITES),
    ("IoCompletion", &["IO_COMPLETION_MODIFY_STATE"]),
    (
        "Job",
        &[
            "JOB_OBJECT_ASSIGN_PROCESS",
            "JOB_OBJECT_SET_ATTRIBUTES",
            "JOB_OBJECT_TERMINATE",
            "JOB_OBJECT_SET_SECURITY_ATTRIBUTES",
            "JOB_OBJECT_IMPERSONATE",
        ],
    ),
    ("Key", &["KEY_SET_VALUE", "KEY_CREATE_SUB_KEY", "KEY_CREATE_LINK"]),
    (
        "Process",
        &[
            "PROCESS_TERMINATE",
            "PROCESS_CREATE_THREAD",
            "PROCESS_SET_SESSIONID",
            "PROCESS_VM_OPERATION",
            "PROCESS_VM_WRITE",
            "PROCESS_DUP_HANDLE",
            "PROCESS_CREATE_PROCESS",
            "PROCESS_SET_QUOTA",
            "PROCESS_SET_INFORMATION",
            "PROCESS_SUSPEND_RESUME",
        ],
    ),
    ("Section", &["SECTION_MAP_WRITE", "SECTION_EXTEND_SIZE"]),
    ("Semaphore", &["SEMAPHORE_MODIFY_STATE"]),
    ("SymbolicLink", &["SYMBOLIC_LINK_SET"]),
    (
        "Thread",
        &[
            "THREAD_TERMINATE",
            "THREAD_SUSPEND_RESUME",
            "THREAD_SET_CONTEXT",
            "THREAD_SET_INFORMATION",
            "THREAD_SET_THREAD_TOKEN",
            "THREAD_IMPERSONATE",
            "THREAD_DIRECT_IMPERSONATION",
        ],
    ),
    ("Timer", &["TIMER_MODIFY_STATE"]),
    (
        "Token",
        &[
            "TOKEN_ASSIGN_PRIMARY",
            "TOKEN_DUPLICATE",
            "TOKEN_IMPERSONATE",
            "TOKEN_ADJUST_PRIVILEGES",
            "TOKEN_ADJUST_GROUPS",
            "TOKEN_ADJUST_DEFAULT",
            "TOKEN_ADJUST_SESSIONID",
        ],
    ),
    ("WindowStation", &["WINSTA_ACCESSCLIPBOARD", "WINSTA_CREATEDESKTOP", "WINSTA_WRITEATTRIBUTES"]),
];

/// Rights that change a file, a pipe or a folder.
const FILE_WRITES: &[&str] =
    &["FILE_WRITE_DATA", "FILE_APPEND_DATA", "FILE_WRITE_EA", "FILE_DELETE_CHILD", "FILE_WRITE_ATTRIBUTES"];

/// Whether rights let their holder change an object of a type, or act through it.
pub fn writes(object_type: &str, access: u32) -> bool {
    if access & STANDARD_WRITES != 0 {
        return true;
    }
    let known = WRITES.iter().find(|(name, _)| *name == object_type);
    known.is_some_and(|(_, writes)| names(object_type, access).iter().any(|right| writes.contains(&right.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_are_in_the_order_that_they_are_searched_in() {
        assert!(SPECIFIC.is_sorted_by(|(one, _), (other, _)| one < other));
        assert!(SPECIFIC.iter().all(|(_, names)| names.len() <= SPECIFIC_BITS as usize));
    }

    /// Values as the public headers define them.
    #[test]
    fn rights_have_the_headers_values() {
        for (object_type, access, expected) in [
            ("Process", 0x0001, "PROCESS_TERMINATE"),
            ("Process", 0x0040, "PROCESS_DUP_HANDLE"),
            ("Process", 0x0800, "PROCESS_SUSPEND_RESUME"),
            ("Process", 0x1000, "PROCESS_QUERY_LIMITED_INFORMATION"),
            ("Process", 0x2000, "PROCESS_SET_LIMITED_INFORMATION"),
            ("Thread", 0x0010, "THREAD_SET_CONTEXT"),
            ("Thread", 0x0200, "THREAD_DIRECT_IMPERSONATION"),
            ("Thread", 0x0800, "THREAD_QUERY_LIMITED_INFORMATION"),
            ("Token", 0x0008, "TOKEN_QUERY"),
            ("Token", 0x0100, "TOKEN_ADJUST_SESSIONID"),
            ("File", 0x0100, "FILE_WRITE_ATTRIBUTES"),
            ("File", 0x0020, "FILE_EXECUTE"),
            ("Key", 0x0020, "KEY_CREATE_LINK"),
            ("Key", 0x0200, "KEY_WOW64_32KEY"),
            ("Section", 0x0020, "SECTION_MAP_EXECUTE_EXPLICIT"),
            ("WindowStation", 0x0200, "WINSTA_READSCREEN"),
            ("Desktop", 0x0100, "DESKTOP_SWITCHDESKTOP"),
            ("Job", 0x0008, "JOB_OBJECT_TERMINATE"),
            ("EtwRegistration", 0x0800, "TRACELOG_REGISTER_GUIDS"),
            ("Event", 0x0010_0000, "SYNCHRONIZE"),
            ("no such type", 0x0004_0000, "WRITE_DAC"),
            ("Event", 0x0100_0000, "ACCESS_SYSTEM_SECURITY"),
            ("Event", 0x0004, "bit_2"),
            ("Key", 0x0040, "bit_6"),
            ("no such type", 0x0001, "bit_0"),
            ("Event", 0x0080_0000, "bit_23"),
        ] {
            assert_eq!(names(object_type, access), [expected], "{object_type} {access:#x}");
        }
        assert!(names("Event", 0).is_empty());
        assert_eq!(names("Event", 0x001f_0003).len(), 7);
    }

    #[test]
    fn writing_is_told_from_reading() {
        for (object_type, access, expected) in [
            ("Section", 0x0004, false),
            ("Section", 0x0006, true),
            ("Section", 0x0010, true),
            ("Event", 0x0010_0001, false),
            ("Event", 0x0010_0002, true),
            ("Process", 0x1410, false),
            ("Process", 0x0008, true),
            ("Process", 0x0040, true),
            ("Thread", 0x1048, false),
            ("Token", 0x0008, false),
            ("Token", 0x0002, true),
            ("Key", 0x0002_0019, false),
            ("Key", 0x0002_0006, true),
            ("File", 0x0012_0089, false),
            ("File", 0x0012_0116, true),
            ("Mutant", 0x0010_0001, false),
            ("Mutant", 0x001f_0001, true),
            ("no such type", 0xffff, false),
            ("no such type", 0x0004_0000, true),
        ] {
            assert_eq!(writes(object_type, access), expected, "{object_type} {access:#x}");
        }
    }

    #[test]
    fn every_right_to_write_is_a_right_of_its_type() {
        for (object_type, writes) in WRITES {
            let known = SPECIFIC.iter().find(|(name, _)| name == object_type);
            let (_, known) = known.unwrap_or_else(|| panic!("{object_type}"));
            assert!(writes.iter().all(|right| known.contains(right)), "{object_type}");
        }
    }
}
