//! Privileges: what a token allows beside access to objects.

use alloc::string::String;
use alloc::vec::Vec;

/// Names in the order of their numbers, which are the bits of a token's masks. The first is number 2.
const NAMES: [&str; 35] = [
    "SeCreateTokenPrivilege",
    "SeAssignPrimaryTokenPrivilege",
    "SeLockMemoryPrivilege",
    "SeIncreaseQuotaPrivilege",
    "SeMachineAccountPrivilege",
    "SeTcbPrivilege",
    "SeSecurityPrivilege",
    "SeTakeOwnershipPrivilege",
    "SeLoadDriverPrivilege",
    "SeSystemProfilePrivilege",
    "SeSystemtimePrivilege",
    "SeProfileSingleProcessPrivilege",
    "SeIncreaseBasePriorityPrivilege",
    "SeCreatePagefilePrivilege",
    "SeCreatePermanentPrivilege",
    "SeBackupPrivilege",
    "SeRestorePrivilege",
    "SeShutdownPrivilege",
    "SeDebugPrivilege",
    "SeAuditPrivilege",
    "SeSystemEnvironmentPrivilege",
    "SeChangeNotifyPrivilege",
    "SeRemoteShutdownPrivilege",
    "SeUndockPrivilege",
    "SeSyncAgentPrivilege",
    "SeEnableDelegationPrivilege",
    "SeManageVolumePrivilege",
    "SeImpersonatePrivilege",
    "SeCreateGlobalPrivilege",
    "SeTrustedCredManAccessPrivilege",
    "SeRelabelPrivilege",
    "SeIncreaseWorkingSetPrivilege",
    "SeTimeZonePrivilege",
    "SeCreateSymbolicLinkPrivilege",
    "SeDelegateSessionUserImpersonatePrivilege",
];
/// Number of the first privilege that has a name (`SE_MIN_WELL_KNOWN_PRIVILEGE`).
const FIRST: usize = 2;

/// A token's privileges as three masks; the bit is the privilege's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privileges {
    /// Those the token has.
    pub present: u64,
    /// Those that are switched on. One that is not present contradicts how the kernel works.
    pub enabled: u64,
    /// Those that were on when the token was made.
    pub enabled_by_default: u64,
}

/// The names of the privileges of a mask; `bit_N` for what has none.
pub fn names(mask: u64) -> Vec<String> {
    let name = |bit: usize| {
        let known = bit.checked_sub(FIRST).and_then(|index| NAMES.get(index));
        known.map_or_else(|| alloc::format!("bit_{bit}"), |name| (*name).into())
    };
    (0..64).filter(|bit| mask >> bit & 1 == 1).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_have_the_numbers_of_windows() {
        let known = [
            (2, "SeCreateTokenPrivilege"),
            (7, "SeTcbPrivilege"),
            (10, "SeLoadDriverPrivilege"),
            (20, "SeDebugPrivilege"),
            (23, "SeChangeNotifyPrivilege"),
            (29, "SeImpersonatePrivilege"),
            (30, "SeCreateGlobalPrivilege"),
            (36, "SeDelegateSessionUserImpersonatePrivilege"),
            (0, "bit_0"),
            (1, "bit_1"),
            (37, "bit_37"),
            (63, "bit_63"),
        ];
        for (bit, name) in known {
            assert_eq!(names(1 << bit), [name]);
        }
        assert_eq!(names(u64::MAX).len(), 64);
        assert!(names(0).is_empty());
    }
}
