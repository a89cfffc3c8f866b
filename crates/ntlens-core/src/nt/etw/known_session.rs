//! Trace sessions that security rests on, by their names. A name proves nothing: anybody may start a session with it.

/// A session that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownSession {
    /// Its name, or the start of it if `starts` is set.
    name: &'static str,
    starts: bool,
    /// What it is for.
    pub about: &'static str,
    /// Where that is documented.
    pub source: &'static str,
}

const fn known(name: &'static str, about: &'static str, source: &'static str) -> KnownSession {
    KnownSession { name, starts: false, about, source }
}

const fn starting(name: &'static str, about: &'static str, source: &'static str) -> KnownSession {
    KnownSession { name, starts: true, about, source }
}

/// The sessions of the registry key `HKLM\SYSTEM\CurrentControlSet\Control\WMI\Autologger`.
const AUTOLOGGER: &str = "Windows: Control\\WMI\\Autologger";
const SDK: &str = "Windows SDK: evntrace.h, KERNEL_LOGGER_NAME";
const DOCS: &str = "Microsoft Learn: Configuring and Starting an AutoLogger Session";
const SIGMA: &str = "Sigma: Disable Windows Event Logging via Logman";

/// The first that fits counts.
const SESSIONS: &[KnownSession] = &[
    known("EventLog-Security", "events of the Security log", AUTOLOGGER),
    known("EventLog-System", "events of the System log", AUTOLOGGER),
    known("EventLog-Application", "events of the Application log", AUTOLOGGER),
    starting("EventLog-Microsoft-Windows-Sysmon-", "events of Sysmon's log", SIGMA),
    starting("EventLog-", "events of a log of its own", AUTOLOGGER),
    known("DefenderApiLogger", "calls that Microsoft Defender watches", AUTOLOGGER),
    known("DefenderAuditLogger", "events that Microsoft Defender audits", AUTOLOGGER),
    known("SYSMON TRACE", "network events for Sysmon", SIGMA),
    known("SysmonDnsEtwSession", "DNS queries for Sysmon", SIGMA),
    known("NT Kernel Logger", "events of the kernel, for who asks for them", SDK),
    known("Circular Kernel Context Logger", "the last events of the kernel, in memory only", DOCS),
];

/// What is known of a session by its name; case does not matter.
pub fn known_session(name: &str) -> Option<&'static KnownSession> {
    let fits = |known: &&KnownSession| match name.get(..known.name.len()) {
        Some(start) => start.eq_ignore_ascii_case(known.name) && (known.starts || name.len() == known.name.len()),
        None => false,
    };
    SESSIONS.iter().find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case() {
        let about = |name| known_session(name).map(|known| known.about);
        assert_eq!(about("Eventlog-Security"), Some("events of the Security log"));
        assert_eq!(about("EventLog-Microsoft-Windows-Sysmon-Operational"), Some("events of Sysmon's log"));
        assert_eq!(about("EventLog-Setup"), Some("events of a log of its own"));
        assert_eq!(about("NT Kernel Logger 2"), None);
        assert_eq!(about("DefenderApi"), None);
        assert_eq!(about("трасса"), None);
        assert_eq!(about(""), None);
    }
}
