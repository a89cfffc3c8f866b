//! `providers`: who sends events, and which sessions listen.

use super::processes::pid_and_name;
use super::{Asked, Cell, Column, Kind, TableDef, screen};
use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::nt::etw::known_provider::{KnownProvider, THREAT_INTELLIGENCE, known_provider};
use crate::nt::etw::provider::{Enable, Provider, Registrant, Registration};
use crate::nt::owner::Owners;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

/// A provider, where it belongs, and the names of what it has to do with.
#[derive(Debug)]
pub struct ProviderRow {
    provider: Provider,
    silo: Option<VirtAddr>,
    sessions: Arc<BTreeMap<u32, String>>,
    owners: Arc<Owners>,
}

impl Deref for ProviderRow {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        &self.provider
    }
}

impl ProviderRow {
    fn known(&self) -> Option<&'static KnownProvider> {
        known_provider(self.guid)
    }

    /// One thing of each session that enabled it.
    fn enabled<T>(&self, get: impl Fn(&Enable) -> T) -> Result<Vec<T>, Absent> {
        self.enabled.as_ref().map(|all| all.iter().map(get).collect()).map_err(|why| *why)
    }

    fn session_name(&self, enable: &Enable) -> String {
        self.sessions.get(&enable.logger_id.into()).cloned().unwrap_or_default()
    }

    fn registrations(&self) -> Result<&[Registration], Absent> {
        self.registrations.as_deref().map_err(|why| *why)
    }

    /// Who registered it: a process, or the module whose function is told of changes.
    fn registrant(&self, registration: &Registration) -> String {
        match &registration.registrant {
            Ok(Registrant::Process(process)) => pid_and_name(process),
            Ok(Registrant::Kernel(None)) => "kernel".into(),
            Ok(Registrant::Kernel(Some(at))) => match self.owners.module(*at) {
                Some(module) => format!("kernel {module}"),
                None => format!("kernel {at}"),
            },
            Err(why) => format!("?{}", why.reason()),
        }
    }

    fn callbacks(&self) -> impl Iterator<Item = VirtAddr> {
        self.registrations.iter().flatten().filter_map(|registration| match registration.registrant {
            Ok(Registrant::Kernel(at)) => at,
            _ => None,
        })
    }

    fn title(&self) -> String {
        self.known().map_or_else(|| self.guid.to_string(), |known| known.name.into())
    }
}

/// The table.
pub const PROVIDERS: Asked<ProviderRow> = Asked {
    table: TableDef {
        name: "providers",
        about: "the providers of trace events (ETW), who registered them, and which sessions enabled them",
        columns: COLUMNS,
        screen: &[
            screen("GUID", "guid"),
            screen("Name", "name"),
            screen("Type", "type"),
            screen("Security", "security_relevant"),
            screen("Sessions", "enabled"),
            screen("Level", "levels"),
            screen("Any keyword", "match_any_keywords"),
            screen("Registered", "registrations"),
            screen("Silo", "silo"),
        ],
        record: false,
    },
    parameters: &[],
    rows: |dump, _| {
        let kernel = dump.kernel()?;
        let tracing = dump.tracing()?;
        let owners = Arc::new(Owners::of(kernel));
        let mut rows = Vec::new();
        for part in tracing.parts {
            let names =
                part.loggers.iter().flatten().filter_map(|logger| Some((logger.id().ok()?, logger.name().ok()??)));
            let sessions = Arc::new(names.collect());
            let row = |provider| ProviderRow {
                provider,
                silo: part.silo,
                sessions: Arc::clone(&sessions),
                owners: owners.clone(),
            };
            rows.extend(part.providers.unwrap_or_default().into_iter().map(row));
        }
        Ok((rows, [owners.missing(), &tracing.incomplete].concat()))
    },
    remarks: |rows| {
        let mut remarks = Vec::new();
        for row in rows {
            // Who listens for attacks does so in the host.
            let of_host = row.guid == THREAT_INTELLIGENCE && row.silo.is_none();
            if of_host && row.enabled.as_ref().is_ok_and(Vec::is_empty) {
                remarks.push(format!("{} is enabled for no session", row.title()));
            }
            let outside = row.callbacks().filter(|at| row.owners.name(*at) == Ok(None));
            remarks.extend(outside.map(|at| format!("{} calls {at}, which lies in no loaded module", row.title())));
        }
        remarks
    },
};

/// Short for a column.
const fn column(
    name: &'static str,
    kind: Kind,
    about: &'static str,
    get: fn(&ProviderRow) -> Cell,
) -> Column<ProviderRow> {
    Column::new(name, kind, about, get)
}

const COLUMNS: &[Column<ProviderRow>] = &[
    column("guid", Kind::Text, "its GUID", |p| p.guid.to_string().into()),
    column("name", Kind::Text, "its name, if it is a well-known one", |p| p.known().map(|known| known.name).into()),
    column("type", Kind::Text, "Trace, Notification or Group", |p| p.guid_type.name().into()),
    column("security_relevant", Kind::Bool, "who watches a machine for attacks listens to it", |p| {
        p.known().is_some_and(|known| known.security_relevant).into()
    }),
    column("enabled", Kind::List, "numbers of the sessions that enabled it", |p| {
        p.enabled(|enable| enable.logger_id.to_string()).into()
    }),
    column("enabled_names", Kind::List, "names of these sessions, empty where there is none", |p| {
        p.enabled(|enable| p.session_name(enable)).into()
    }),
    column("levels", Kind::List, "up to which level each wants events", |p| {
        p.enabled(|enable| enable.level.to_string()).into()
    }),
    column("match_any_keywords", Kind::Addresses, "any of which keywords each wants", |p| {
        p.enabled(|enable| enable.match_any_keyword).into()
    }),
    column("match_all_keywords", Kind::Addresses, "all of which keywords each wants", |p| {
        p.enabled(|enable| enable.match_all_keyword).into()
    }),
    column("enable_properties", Kind::Addresses, "EVENT_ENABLE_PROPERTY bits of each", |p| {
        p.enabled(|enable| u64::from(enable.property)).into()
    }),
    column("registrations", Kind::Uint, "how often it is registered", |p| {
        p.registrations().map(|all| all.len() as u64).into()
    }),
    column("registered_by", Kind::List, "by whom: PID NAME, or kernel and the module of the callback", |p| {
        p.registrations().map(|all| all.iter().map(|one| p.registrant(one)).collect::<Vec<_>>()).into()
    }),
    column("callbacks", Kind::Addresses, "functions of the kernel that are told of changes", |p| {
        p.registrations().map(|_| p.callbacks().map(|at| at.0).collect::<Vec<_>>()).into()
    }),
    column("silo", Kind::Address, "job of the server silo that it belongs to, null for the host", |p| p.silo.into()),
    column("guid_entry", Kind::Address, "address of the ETW_GUID_ENTRY", |p| p.address.into()),
];
