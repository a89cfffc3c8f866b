//! `TOKEN`: who a process or thread runs as, and what that allows.

use crate::absent::Absent;
use crate::address::VirtAddr;
use crate::layout::field::Field;
use crate::layout::view::StructView;
use crate::memory::VirtualMemory;
use crate::nt::integrity::Integrity;
use crate::nt::privilege::Privileges;
use crate::nt::sid::{self, Sid, SidAndAttributes};
use crate::nt::snapshot::Snapshot;
use crate::text;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

crate::fields! {
    /// Fields of `_TOKEN`.
    pub struct TokenObjectFields of "_TOKEN" {
        /// Who made the token: eight characters.
        source_name: Field<[u8; 8]> = "TokenSource.SourceName" | "TokenSource",
        /// Number of the token.
        token_id: Field<u64> = "TokenId",
        /// Number of the logon session.
        authentication_id: Field<u64> = "AuthenticationId",
        /// Number of the token it was filtered from.
        parent_token_id: Field<u64> = "ParentTokenId",
        /// When it ends.
        expiration_time: Field<u64> = "ExpirationTime",
        /// Privileges the token has.
        present: Field<u64> = "Privileges.Present",
        /// Privileges that are on.
        enabled: Field<u64> = "Privileges.Enabled",
        /// Privileges that were on at first.
        enabled_by_default: Field<u64> = "Privileges.EnabledByDefault",
        /// The session that it is for.
        session_id: Field<u32> = "SessionId",
        /// How many SIDs the user and the groups are.
        user_and_group_count: Field<u32> = "UserAndGroupCount",
        /// The user, then the groups.
        user_and_groups: Field<VirtAddr> = "UserAndGroups",
        /// How many restricting SIDs.
        restricted_sid_count: Field<u32> = "RestrictedSidCount",
        /// SIDs that must be allowed, too.
        restricted_sids: Field<VirtAddr> = "RestrictedSids",
        /// The group that new objects get.
        primary_group: Field<VirtAddr> = "PrimaryGroup",
        /// `TOKEN_TYPE`
        token_type: Field<u32> = "TokenType",
        /// `SECURITY_IMPERSONATION_LEVEL`
        impersonation_level: Field<u32> = "ImpersonationLevel",
        /// Flags that no symbols name.
        token_flags: Field<u32> = "TokenFlags",
        /// Which of the groups is the integrity label.
        integrity_level_index: Field<u32> = "IntegrityLevelIndex",
        /// The label again, where the kernel changed it.
        integrity_level_sid: Field<VirtAddr> = "IntegrityLevelSidValue",
        /// `TOKEN_MANDATORY_POLICY`
        mandatory_policy: Field<u32> = "MandatoryPolicy",
        /// The logon session.
        logon_session: Field<VirtAddr> = "LogonSession",
        /// Number of the logon session that asked for this one.
        originating_logon_session: Field<u64> = "OriginatingLogonSession",
        /// SID of the app package.
        package: Field<VirtAddr> = "Package",
        /// What the package may do.
        capabilities: Field<VirtAddr> = "Capabilities",
        /// How many that is.
        capability_count: Field<u32> = "CapabilityCount",
        /// The package's number in its session.
        lowbox_number_entry: Field<VirtAddr> = "LowboxNumberEntry",
        /// Label that goes with a protected process.
        trust_level_sid: Field<VirtAddr> = "TrustLevelSid",
    }
}

crate::fields! {
    /// Fields of `_SEP_LOGON_SESSION_REFERENCES`.
    pub struct LogonSessionFields of "_SEP_LOGON_SESSION_REFERENCES" {
        /// Its number.
        logon_id: Field<u64> = "LogonId",
        /// The other half of a split logon.
        buddy_logon_id: Field<u64> = "BuddyLogonId",
    }
}

crate::fields! {
    /// Fields of `_SEP_LOWBOX_NUMBER_ENTRY`.
    pub struct LowboxFields of "_SEP_LOWBOX_NUMBER_ENTRY" {
        /// The number.
        lowbox_number: Field<u32> = "LowboxNumber",
    }
}

/// The sets of fields that describe a token.
#[derive(Clone, Debug)]
pub struct TokenFields {
    token: TokenObjectFields,
    logon_session: LogonSessionFields,
    lowbox: LowboxFields,
}

impl TokenFields {
    /// Takes the fields from the layouts.
    pub fn resolve(layouts: &crate::layout::Layouts) -> Self {
        Self {
            token: TokenObjectFields::resolve(layouts),
            logon_session: LogonSessionFields::resolve(layouts),
            lowbox: LowboxFields::resolve(layouts),
        }
    }
}

/// `TOKEN_IS_FILTERED`: rights were taken away when the logon was split.
const FILTERED: u32 = 0x800;
/// `TOKEN_LOWBOX`: an app container's. Windows before 8 has none and leaves the bit clear.
const LOWBOX: u32 = 0x4000;
/// Which label: none.
const NO_LABEL: u32 = u32::MAX;

/// Names of `TokenFlags`, from bit 0. No symbols tell them, and headers agree on these only.
const FLAGS: [&str; 22] = [
    "HasTraverse",
    "HasBackup",
    "HasRestore",
    "WriteRestricted",
    "IsRestricted",
    "SessionNotReferenced",
    "SandboxInert",
    "HasImpersonate",
    "BackupPrivilegesChecked",
    "VirtualizeAllowed",
    "VirtualizeEnabled",
    "IsFiltered",
    "UIAccess",
    "NotLow",
    "LowBox",
    "HasOwnClaimAttributes",
    "PrivateNamespace",
    "DoNotUseGlobalAttribs",
    "SpecialEncryptedOpen",
    "NoChildProcess",
    "NoChildProcessUnlessSecure",
    "AuditNoChildProcess",
];

/// The names of a token's flags; `bit_N` for what has none.
pub fn flag_names(flags: u32) -> Vec<String> {
    text::bit_names(flags.into(), &FLAGS)
}

/// The name of a `SECURITY_IMPERSONATION_LEVEL`.
pub fn impersonation_level_name(level: u64) -> String {
    match level {
        0 => "Anonymous".into(),
        1 => "Identification".into(),
        2 => "Impersonation".into(),
        3 => "Delegation".into(),
        other => alloc::format!("Unknown({other})"),
    }
}

/// How a logon was split by User Account Control. Nothing stores it: it follows from the flags and the logon session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elevation {
    /// The logon has one token only.
    Default,
    /// The one with all rights.
    Full,
    /// The one from which rights were taken.
    Limited,
}

impl Elevation {
    /// The name, which is that of `TOKEN_ELEVATION_TYPE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "Default",
            Self::Full => "Full",
            Self::Limited => "Limited",
        }
    }
}

/// A token. What is read often was read once; the rest is read when it is asked for.
#[derive(Clone, Debug)]
pub struct Token {
    snapshot: Snapshot,
    view: StructView,
    groups: Result<Vec<SidAndAttributes>, Absent>,
}

impl Token {
    /// Reads the token at an address. Nothing in a token says that it is one: what cannot be is said field by field.
    pub fn read(snapshot: &Snapshot, at: VirtAddr) -> Self {
        let fields = &snapshot.fields().token.token;
        let view = StructView::read(snapshot.space(), at, fields.extent);
        let groups = list(snapshot, &view, &fields.user_and_groups, &fields.user_and_group_count);
        Self { snapshot: snapshot.clone(), view, groups }
    }

    fn get<T: crate::layout::field::Scalar>(
        &self,
        field: impl Fn(&TokenObjectFields) -> &Result<Field<T>, Absent>,
    ) -> Result<T, Absent> {
        self.view.get(field(&self.snapshot.fields().token.token))
    }

    /// Address of the `TOKEN`.
    pub fn address(&self) -> VirtAddr {
        self.view.at
    }

    /// The user and the groups; the first is the user.
    pub fn groups(&self) -> Result<&[SidAndAttributes], Absent> {
        self.groups.as_deref().map_err(|why| *why)
    }

    /// The user.
    pub fn user(&self) -> Result<Sid, Absent> {
        self.groups()?.first().ok_or(Absent::Malformed)?.sid
    }

    /// SIDs that must be allowed, too; empty if the token is not restricted.
    pub fn restricted_sids(&self) -> Result<Vec<SidAndAttributes>, Absent> {
        let fields = &self.snapshot.fields().token.token;
        list(&self.snapshot, &self.view, &fields.restricted_sids, &fields.restricted_sid_count)
    }

    /// Whether it has restricting SIDs.
    pub fn restricted(&self) -> Result<bool, Absent> {
        self.get(|fields| &fields.restricted_sid_count).map(|count| count != 0)
    }

    /// The SID behind a pointer; `None` behind a null one.
    fn sid(
        &self,
        field: impl Fn(&TokenObjectFields) -> &Result<Field<VirtAddr>, Absent>,
    ) -> Result<Option<Sid>, Absent> {
        let at = self.get(field)?;
        if at.is_null() {
            return Ok(None);
        }
        if !at.is_kernel() {
            return Err(Absent::Malformed);
        }
        Sid::read(self.snapshot.space(), at).map(Some)
    }

    /// The group that new objects get.
    pub fn primary_group(&self) -> Result<Option<Sid>, Absent> {
        self.sid(|fields| &fields.primary_group)
    }

    /// The integrity label; `None` for a token without one.
    pub fn integrity_label(&self) -> Result<Option<Sid>, Absent> {
        let index = self.get(|fields| &fields.integrity_level_index)?;
        if index == NO_LABEL {
            return Ok(None);
        }
        let listed = self.groups().and_then(|groups| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            groups.get(index).ok_or(Absent::Malformed)?.sid
        });
        // Since Windows 8 the label has a pointer of its own where the kernel changed it.
        listed
            .map(Some)
            .or_else(|why| self.sid(|fields| &fields.integrity_level_sid).ok().flatten().map(Some).ok_or(why))
    }

    /// The integrity level; `None` for a token without a label.
    pub fn integrity(&self) -> Result<Option<Integrity>, Absent> {
        let label = self.integrity_label()?;
        label.map(|label| Integrity::of_label(&label).ok_or(Absent::Malformed)).transpose()
    }

    /// `TOKEN_MANDATORY_POLICY_*` bits.
    pub fn mandatory_policy(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.mandatory_policy)
    }

    /// The privileges as masks.
    pub fn privileges(&self) -> Result<Privileges, Absent> {
        Ok(Privileges {
            present: self.get(|fields| &fields.present)?,
            enabled: self.get(|fields| &fields.enabled)?,
            enabled_by_default: self.get(|fields| &fields.enabled_by_default)?,
        })
    }

    /// The session that it is for, which need not be that of its process.
    pub fn session_id(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.session_id)
    }

    /// `AuthenticationId`: number of the logon session.
    pub fn logon_id(&self) -> Result<u64, Absent> {
        self.get(|fields| &fields.authentication_id)
    }

    /// `TokenId`: number of the token.
    pub fn token_id(&self) -> Result<u64, Absent> {
        self.get(|fields| &fields.token_id)
    }

    /// `ParentTokenId`: number of the token that it was filtered from; `None` if from none.
    pub fn parent_token_id(&self) -> Result<Option<u64>, Absent> {
        self.get(|fields| &fields.parent_token_id).map(|id| Some(id).filter(|id| *id != 0))
    }

    /// `OriginatingLogonSession`: number of the logon session that asked for this one; `None` if none did.
    pub fn originating_logon_id(&self) -> Result<Option<u64>, Absent> {
        self.get(|fields| &fields.originating_logon_session).map(|id| Some(id).filter(|id| *id != 0))
    }

    /// `TokenSource.SourceName`: who made it, such as `User32` or `Advapi`.
    pub fn source_name(&self) -> Result<String, Absent> {
        let name = self.get(|fields| &fields.source_name)?;
        Ok(text::ascii_until_nul(&name).trim_end_matches(' ').into())
    }

    /// `TOKEN_TYPE`: `Primary` of a process, `Impersonation` of a thread.
    pub fn token_type(&self) -> Result<&'static str, Absent> {
        match self.get(|fields| &fields.token_type)? {
            1 => Ok("Primary"),
            2 => Ok("Impersonation"),
            _ => Err(Absent::Malformed),
        }
    }

    /// `SECURITY_IMPERSONATION_LEVEL`, which only an impersonation token has.
    pub fn impersonation_level(&self) -> Result<String, Absent> {
        if self.token_type()? == "Primary" {
            return Err(Absent::NotApplicable);
        }
        self.get(|fields| &fields.impersonation_level).map(|level| impersonation_level_name(level.into()))
    }

    /// `TokenFlags`, as [`flag_names`] names them.
    pub fn flags(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.token_flags)
    }

    /// Whether it is an app container's.
    pub fn app_container(&self) -> Result<bool, Absent> {
        self.flags().map(|flags| flags & LOWBOX != 0)
    }

    /// SID of the app package; `None` outside of app containers.
    pub fn package_sid(&self) -> Result<Option<Sid>, Absent> {
        self.sid(|fields| &fields.package)
    }

    /// How many capabilities the package has.
    pub fn capability_count(&self) -> Result<u32, Absent> {
        self.get(|fields| &fields.capability_count)
    }

    /// What the package may do.
    pub fn capabilities(&self) -> Result<Vec<SidAndAttributes>, Absent> {
        let fields = &self.snapshot.fields().token.token;
        list(&self.snapshot, &self.view, &fields.capabilities, &fields.capability_count)
    }

    /// The package's number in its session; `None` outside of app containers.
    pub fn lowbox_number(&self) -> Result<Option<u32>, Absent> {
        let entry = self.get(|fields| &fields.lowbox_number_entry)?;
        if entry.is_null() {
            return Ok(None);
        }
        let field = self.snapshot.fields().token.lowbox.lowbox_number?;
        self.snapshot.space().read_u32(entry.wrapping_add(field.offset.into())).map(Some)
    }

    /// The trust label, which goes with a protected process; `None` for a token without one.
    pub fn trust_label(&self) -> Result<Option<Sid>, Absent> {
        self.sid(|fields| &fields.trust_level_sid)
    }

    /// Number of the logon session with the other half of a split logon; `None` for a logon that is whole.
    pub fn linked_logon_id(&self) -> Result<Option<u64>, Absent> {
        let session = self.get(|fields| &fields.logon_session)?;
        if session.is_null() {
            return Err(Absent::NotApplicable);
        }
        if !session.is_kernel() {
            return Err(Absent::Malformed);
        }
        let fields = &self.snapshot.fields().token.logon_session;
        let view = StructView::read(self.snapshot.space(), session, fields.extent);
        // A session that is not this token's says nothing about it.
        if view.get(&fields.logon_id)? != self.logon_id()? {
            return Err(Absent::Malformed);
        }
        view.get(&fields.buddy_logon_id).map(|id| Some(id).filter(|id| *id != 0))
    }

    /// How its logon was split.
    pub fn elevation(&self) -> Result<Elevation, Absent> {
        let filtered = self.flags()? & FILTERED != 0;
        Ok(match (self.linked_logon_id()?, filtered) {
            (None, _) => Elevation::Default,
            (Some(_), false) => Elevation::Full,
            (Some(_), true) => Elevation::Limited,
        })
    }
}

/// A list of SIDs that a token points at.
fn list(
    snapshot: &Snapshot,
    view: &StructView,
    at: &Result<Field<VirtAddr>, Absent>,
    count: &Result<Field<u32>, Absent>,
) -> Result<Vec<SidAndAttributes>, Absent> {
    sid::read_list(snapshot.space(), view.get(at)?, view.get(count)?)
}

/// Tokens by their addresses: each is read once, however many processes and threads use it.
#[derive(Debug, Default)]
pub struct Tokens(BTreeMap<VirtAddr, Arc<Token>>);

impl Tokens {
    /// The token at an address.
    pub fn get(&mut self, snapshot: &Snapshot, at: VirtAddr) -> Result<Arc<Token>, Absent> {
        if !at.is_kernel() {
            return Err(Absent::Malformed);
        }
        Ok(self.0.entry(at).or_insert_with(|| Arc::new(Token::read(snapshot, at))).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_names() {
        assert_eq!(flag_names(0x4801), ["HasTraverse", "IsFiltered", "LowBox"]);
        assert_eq!(flag_names(0x2810), ["IsRestricted", "IsFiltered", "NotLow"]);
        assert_eq!(flag_names(0x8020_0000), ["AuditNoChildProcess", "bit_31"]);
        assert!(flag_names(0).is_empty());
    }

    #[test]
    fn levels_of_impersonation_have_names() {
        let names: Vec<_> = (0..5).map(impersonation_level_name).collect();
        assert_eq!(names, ["Anonymous", "Identification", "Impersonation", "Delegation", "Unknown(4)"]);
    }
}
