//! Names of SIDs that are the same on every machine, and of services, whose SIDs follow from their names.

use crate::nt::integrity::Integrity;
use crate::nt::sid::Sid;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use sha1::{Digest, Sha1};

/// Names of SIDs with all their numbers: authority, sub-authorities, name.
const EXACT: &[(u64, &[u32], &str)] = &[
    (0, &[0], "Nobody"),
    (1, &[0], "Everyone"),
    (2, &[0], "Local"),
    (2, &[1], "Console Logon"),
    (3, &[0], "Creator Owner"),
    (3, &[1], "Creator Group"),
    (3, &[4], "Owner Rights"),
    (5, &[1], "Dialup"),
    (5, &[2], "Network"),
    (5, &[3], "Batch"),
    (5, &[4], "Interactive"),
    (5, &[6], "Service"),
    (5, &[7], "Anonymous"),
    (5, &[9], "Enterprise Domain Controllers"),
    (5, &[10], "Self"),
    (5, &[11], "Authenticated Users"),
    (5, &[12], "Restricted"),
    (5, &[13], "Terminal Server User"),
    (5, &[14], "Remote Interactive Logon"),
    (5, &[15], "This Organization"),
    (5, &[17], "IUSR"),
    (5, &[18], "LocalSystem"),
    (5, &[19], "Local Service"),
    (5, &[20], "Network Service"),
    (5, &[33], "Write Restricted"),
    (5, &[32, 544], "Administrators"),
    (5, &[32, 545], "Users"),
    (5, &[32, 546], "Guests"),
    (5, &[32, 547], "Power Users"),
    (5, &[32, 548], "Account Operators"),
    (5, &[32, 549], "Server Operators"),
    (5, &[32, 550], "Print Operators"),
    (5, &[32, 551], "Backup Operators"),
    (5, &[32, 552], "Replicator"),
    (5, &[32, 555], "Remote Desktop Users"),
    (5, &[32, 556], "Network Configuration Operators"),
    (5, &[32, 558], "Performance Monitor Users"),
    (5, &[32, 559], "Performance Log Users"),
    (5, &[32, 562], "Distributed COM Users"),
    (5, &[32, 568], "IIS_IUSRS"),
    (5, &[32, 569], "Cryptographic Operators"),
    (5, &[32, 573], "Event Log Readers"),
    (5, &[32, 578], "Hyper-V Administrators"),
    (5, &[32, 580], "Remote Management Users"),
    (5, &[32, 581], "System Managed Accounts Group"),
    (5, &[64, 10], "NTLM Authentication"),
    (5, &[64, 14], "SChannel Authentication"),
    (5, &[64, 21], "Digest Authentication"),
    (5, &[80, 0], "All Services"),
    (5, &[83, 0], "Virtual Machines"),
    (5, &[84, 0, 0, 0, 0, 0], "User Mode Drivers"),
    (5, &[90, 0], "Window Manager Group"),
    (5, &[96, 0], "Font Driver Hosts"),
    (5, &[113], "Local account"),
    (5, &[114], "Local account and member of Administrators group"),
    (5, &[1000], "Other Organization"),
    (15, &[2, 1], "All Application Packages"),
    (15, &[2, 2], "All Restricted Application Packages"),
    (15, &[3, 1], "internetClient"),
    (15, &[3, 2], "internetClientServer"),
    (15, &[3, 3], "privateNetworkClientServer"),
    (15, &[3, 4], "picturesLibrary"),
    (15, &[3, 5], "videosLibrary"),
    (15, &[3, 6], "musicLibrary"),
    (15, &[3, 7], "documentsLibrary"),
    (15, &[3, 8], "enterpriseAuthentication"),
    (15, &[3, 9], "sharedUserCertificates"),
    (15, &[3, 10], "removableStorage"),
    (18, &[1], "Authentication authority asserted identity"),
    (18, &[2], "Service asserted identity"),
];

/// Accounts that every domain and every machine has, by the last number of `S-1-5-21-...`. They can be renamed.
const OF_DOMAIN: &[(u32, &str)] = &[
    (500, "Administrator"),
    (501, "Guest"),
    (502, "krbtgt"),
    (503, "DefaultAccount"),
    (504, "WDAGUtilityAccount"),
    (512, "Domain Admins"),
    (513, "Domain Users"),
    (514, "Domain Guests"),
    (515, "Domain Computers"),
    (516, "Domain Controllers"),
    (519, "Enterprise Admins"),
];

/// Services of Windows that have SIDs of their own.
const SERVICES: &[&str] = &[
    "AppIDSvc",
    "Appinfo",
    "AppXSvc",
    "AudioEndpointBuilder",
    "Audiosrv",
    "BFE",
    "BITS",
    "BrokerInfrastructure",
    "CDPSvc",
    "ClipSVC",
    "CoreMessagingRegistrar",
    "CryptSvc",
    "DcomLaunch",
    "DeviceInstall",
    "Dhcp",
    "DiagTrack",
    "Dnscache",
    "DoSvc",
    "DPS",
    "DsmSvc",
    "EventLog",
    "EventSystem",
    "FontCache",
    "gpsvc",
    "IKEEXT",
    "iphlpsvc",
    "KeyIso",
    "LanmanServer",
    "LanmanWorkstation",
    "lmhosts",
    "LSM",
    "MpsSvc",
    "MSSQLSERVER",
    "Netlogon",
    "netprofm",
    "NlaSvc",
    "nsi",
    "PcaSvc",
    "PlugPlay",
    "PolicyAgent",
    "Power",
    "ProfSvc",
    "RasMan",
    "RpcEptMapper",
    "RpcSs",
    "SamSs",
    "Schedule",
    "SecurityHealthService",
    "Sense",
    "SENS",
    "SessionEnv",
    "ShellHWDetection",
    "Spooler",
    "SQLSERVERAGENT",
    "SSDPSRV",
    "StateRepository",
    "StorSvc",
    "SysMain",
    "SystemEventsBroker",
    "TermService",
    "Themes",
    "TimeBrokerSvc",
    "TokenBroker",
    "TrkWks",
    "TrustedInstaller",
    "UmRdpService",
    "UserManager",
    "UsoSvc",
    "VaultSvc",
    "vmcompute",
    "vmms",
    "VSS",
    "W32Time",
    "W3SVC",
    "WAS",
    "Wcmsvc",
    "WdiServiceHost",
    "WdiSystemHost",
    "WdNisSvc",
    "WebClient",
    "WinDefend",
    "WinHttpAutoProxySvc",
    "WinRM",
    "Winmgmt",
    "WlanSvc",
    "WpnService",
    "wscsvc",
    "WSearch",
    "wuauserv",
];

/// The first number of a service's SID.
const SERVICE: u32 = 80;

/// The numbers behind `S-1-5-80` of a service: SHA-1 of its name in capital letters, as UTF-16.
fn service_numbers(name: &str) -> [u32; 5] {
    let mut hash = Sha1::new();
    for unit in name.chars().flat_map(char::to_uppercase).collect::<String>().encode_utf16() {
        hash.update(unit.to_le_bytes());
    }
    let digest: [u8; 20] = hash.finalize().into();
    let (words, _) = digest.as_chunks::<4>();
    let mut numbers = [0; 5];
    for (number, word) in numbers.iter_mut().zip(words) {
        *number = u32::from_le_bytes(*word);
    }
    numbers
}

/// The SID of a service.
pub fn service_sid(name: &str) -> Option<Sid> {
    let mut numbers = Vec::from([SERVICE]);
    numbers.extend(service_numbers(name));
    Sid::new(5, &numbers)
}

/// Names of SIDs. A service's name does not follow from its SID: the names of services have to be known.
#[derive(Clone, Debug)]
pub struct SidNames {
    services: BTreeMap<[u32; 5], String>,
}

impl Default for SidNames {
    /// With the services of Windows itself.
    fn default() -> Self {
        let mut names = Self { services: BTreeMap::new() };
        for name in SERVICES {
            names.add_service(name);
        }
        names
    }
}

impl SidNames {
    /// Adds the name of a service, such as one that the dump tells.
    pub fn add_service(&mut self, name: &str) {
        self.services.entry(service_numbers(name)).or_insert_with(|| name.into());
    }

    /// Adds the services that a command line names: service hosts are started with `-s NAME`.
    pub fn add_services_of(&mut self, command_line: &str) {
        let mut words = command_line.split_whitespace();
        while let Some(word) = words.next() {
            if let Some(name) = word.strip_prefix("-s") {
                let name = if name.is_empty() { words.next().unwrap_or_default() } else { name };
                if !name.is_empty() {
                    self.add_service(name);
                }
            }
        }
    }

    /// Whether it is the SID of a service whose name is not known.
    pub fn is_unknown_service(&self, sid: &Sid) -> bool {
        let numbers = sid.sub_authorities();
        sid.authority() == 5 && matches!(numbers, [SERVICE, _, _, _, _, _]) && self.name(sid).is_none()
    }

    /// The name of a SID that is the same everywhere, or of a service that is known.
    pub fn name(&self, sid: &Sid) -> Option<String> {
        let (authority, numbers) = (sid.authority(), sid.sub_authorities());
        let exact = EXACT.iter().find(|(of, all, _)| *of == authority && *all == numbers);
        if let Some((_, _, name)) = exact {
            return Some((*name).into());
        }
        match (authority, numbers) {
            (5, [5, high, low]) => Some(format!("Logon session {:#x}", u64::from(*high) << 32 | u64::from(*low))),
            (5, [21, _, _, _, rid]) => OF_DOMAIN.iter().find(|(known, _)| known == rid).map(|(_, name)| (*name).into()),
            (5, [SERVICE, numbers @ ..]) => {
                let numbers = <[u32; 5]>::try_from(numbers).ok()?;
                self.services.get(&numbers).map(|name| format!("NT SERVICE\\{name}"))
            }
            (5, [90, 0, session]) => Some(format!("DWM-{session}")),
            (5, [96, 0, session]) => Some(format!("UMFD-{session}")),
            (16, [_]) => Integrity::of_label(sid).map(|level| format!("{level} Mandatory Level")),
            (19, [kind, level]) => trust(*kind, *level),
            _ => None,
        }
    }
}

/// The name of a trust label, which goes with a protected process.
fn trust(kind: u32, level: u32) -> Option<String> {
    let kind = match kind {
        0x200 => "ProtectedLight",
        0x400 => "Protected",
        _ => return None,
    };
    let level = match level {
        0x400 => "Authenticode",
        0x600 => "Antimalware",
        0x800 => "App",
        0x1000 => "Windows",
        0x2000 => "WinTcb",
        _ => return None,
    };
    Some(format!("{kind}-{level}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn name(authority: u64, numbers: &[u32]) -> Option<String> {
        SidNames::default().name(&Sid::new(authority, numbers).unwrap())
    }

    #[test]
    fn a_services_sid_follows_from_its_name() {
        // As `sc showsid` prints it on every Windows.
        let text = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
        for spelling in ["TrustedInstaller", "trustedinstaller"] {
            assert_eq!(service_sid(spelling).unwrap().to_string(), text);
        }
        assert_eq!(
            SidNames::default().name(&service_sid("TRUSTEDINSTALLER").unwrap()).unwrap(),
            "NT SERVICE\\TrustedInstaller"
        );
    }

    #[test]
    fn services_are_learned_from_command_lines() {
        let mut names = SidNames::default();
        let (own, sql) = (service_sid("MyOwnSvc").unwrap(), service_sid("MSSQL$ONE").unwrap());
        assert!(names.is_unknown_service(&own) && !names.is_unknown_service(&Sid::new(5, &[80, 0]).unwrap()));
        names.add_services_of(r"C:\Windows\system32\svchost.exe -k netsvcs -p -s MyOwnSvc");
        names.add_services_of(r#""C:\sql\sqlservr.exe" -sMSSQL$ONE"#);
        names.add_services_of("host.exe -s");
        assert_eq!(names.name(&own).unwrap(), "NT SERVICE\\MyOwnSvc");
        assert_eq!(names.name(&sql).unwrap(), "NT SERVICE\\MSSQL$ONE");
        assert!(!names.is_unknown_service(&own));
    }

    #[test]
    fn well_known_sids_have_names() {
        for (authority, numbers, expected) in [
            (5, &[18][..], "LocalSystem"),
            (1, &[0], "Everyone"),
            (5, &[32, 544], "Administrators"),
            (5, &[5, 0, 0x3e7], "Logon session 0x3e7"),
            (5, &[21, 1, 2, 3, 500], "Administrator"),
            (5, &[90, 0, 2], "DWM-2"),
            (5, &[96, 0, 1], "UMFD-1"),
            (16, &[0x2010], "Medium+0x10 Mandatory Level"),
            (19, &[0x200, 0x2000], "ProtectedLight-WinTcb"),
            (15, &[3, 1], "internetClient"),
        ] {
            assert_eq!(name(authority, numbers).as_deref(), Some(expected));
        }
        for (authority, numbers) in
            [(5, &[21, 1, 2, 3, 1001][..]), (5, &[]), (19, &[7, 7]), (5, &[80, 1, 2, 3, 4, 5]), (16, &[]), (99, &[1])]
        {
            assert_eq!(name(authority, numbers), None);
        }
    }
}
