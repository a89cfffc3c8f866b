//! Providers that are known by their GUIDs.
//!
//! The pairs of name and GUID are facts that Windows itself tells (`logman query providers`, and `evntrace.h` for the kernel's
//! own); each was held against at least two public listings. The table is a choice: what security products and logs listen
//! to, and what else every machine has.

use crate::nt::guid::Guid;

/// A provider that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownProvider {
    guid: Guid,
    /// Its name.
    pub name: &'static str,
    /// Whether who watches a machine for attacks listens to it.
    pub security_relevant: bool,
}

const fn security(guid: u128, name: &'static str) -> KnownProvider {
    KnownProvider { guid: Guid(guid), name, security_relevant: true }
}

const fn other(guid: u128, name: &'static str) -> KnownProvider {
    KnownProvider { guid: Guid(guid), name, security_relevant: false }
}

/// The kernel's own provider of what is done to processes, which only protected antimalware may listen to.
pub const THREAT_INTELLIGENCE: Guid = Guid(0xf4e1_897c_bb5d_5668_f1d8_040f_4d8d_d344);

const PROVIDERS: &[KnownProvider] = &[
    security(THREAT_INTELLIGENCE.0, "Microsoft-Windows-Threat-Intelligence"),
    security(0x5484_9625_5478_4994_a5ba_3e3b_0328_c30d, "Microsoft-Windows-Security-Auditing"),
    security(0xe02a_841c_75a3_4fa7_afc8_ae09_cf9b_7f23, "Microsoft-Windows-Kernel-Audit-API-Calls"),
    security(0xfae1_0392_f0af_4ac0_b8ff_9f4d_920c_3cdf, "Microsoft-Windows-Security-Mitigations"),
    security(0x22fb_2cd6_0e7b_422b_a0c7_2fad_1fd0_e716, "Microsoft-Windows-Kernel-Process"),
    security(0xedd0_8927_9cc4_4e65_b970_c256_0fb5_c289, "Microsoft-Windows-Kernel-File"),
    security(0x7dd4_2a49_5329_4832_8dfd_43d9_7915_3a88, "Microsoft-Windows-Kernel-Network"),
    security(0x70eb_4f03_c1de_4f73_a051_33d1_3d54_13bd, "Microsoft-Windows-Kernel-Registry"),
    security(0xb675_ec37_bdb6_4648_bc92_f3fd_c74d_3ca2, "Microsoft-Windows-Kernel-EventTracing"),
    security(0xe13c_0d23_ccbc_4e12_931b_d9cc_2eee_27e4, "Microsoft-Windows-DotNETRuntime"),
    security(0xa0c1_853b_5c40_4b15_8766_3cf1_c58f_985a, "Microsoft-Windows-PowerShell"),
    security(0x5777_7241_3638_4a4b_bdba_0ac6_e45d_a56c, "Microsoft-JScript"),
    security(0x2a57_6b87_09a7_520e_c21a_4942_f027_1d67, "Microsoft-Antimalware-Scan-Interface"),
    security(0x0a00_2690_3839_4e3a_b3b6_96d8_df86_8d99, "Microsoft-Antimalware-Engine"),
    security(0xe4b7_0372_261f_4c54_8fa6_a5a7_914d_73da, "Microsoft-Antimalware-Protection"),
    security(0x8e92_deef_5e17_413b_b927_59b2_f06a_3cfc, "Microsoft-Antimalware-RTP"),
    security(0x751e_f305_6c6e_4fed_b847_02ef_79d2_6aef, "Microsoft-Antimalware-Service"),
    security(0xd37e_7910_79c8_57c4_da77_52bb_6463_64cd, "Microsoft-Antimalware-UacScan"),
    security(0x11cd_958a_c507_4ef3_b3f2_5fd9_dfbd_2c78, "Microsoft-Windows-Windows Defender"),
    security(0x5770_385f_c22a_43e0_bf4c_06f5_698f_fbd9, "Microsoft-Windows-Sysmon"),
    security(0x4ee7_6bd8_3cf4_44a0_a0ac_3937_643e_37a3, "Microsoft-Windows-CodeIntegrity"),
    security(0xcbda_4dbf_8d5d_4f69_9578_be14_aa54_0d22, "Microsoft-Windows-AppLocker"),
    security(0x0996_14a5_5dd7_4788_8bc9_e29f_43db_28fc, "Microsoft-Windows-LDAP-Client"),
    security(0x98e6_cfcb_ee0a_41e0_a57b_622d_4e1b_30b1, "Microsoft-Windows-Security-Kerberos"),
    security(0xac43_300d_5fcc_4800_8e99_1bd3_f85f_0320, "Microsoft-Windows-NTLM"),
    security(0x89fe_8f40_cdce_464e_8217_15ef_97d4_c7c3, "Microsoft-Windows-Crypto-DPAPI"),
    security(0x1418_ef04_b0b4_4623_bf7e_d74a_b47b_bdaa, "Microsoft-Windows-WMI-Activity"),
    security(0x6ad5_2b32_d609_4be9_ae07_ce8d_ae93_7e39, "Microsoft-Windows-RPC"),
    security(0x1c95_126e_7eea_49a9_a3fe_a378_b03d_db4d, "Microsoft-Windows-DNS-Client"),
    security(0x988c_59c5_0a1c_45b6_a555_0c62_276e_327d, "Microsoft-Windows-SMBClient"),
    security(0xd48c_e617_33a2_4bc3_a5c7_11aa_4f29_619e, "Microsoft-Windows-SMBServer"),
    security(0xde7b_24ea_73c8_4a09_985d_5bda_dcfa_9017, "Microsoft-Windows-TaskScheduler"),
    security(0x43d1_a55c_76d6_4f7e_995c_64c7_11e5_cafe, "Microsoft-Windows-WinINet"),
    security(0x7d44_233d_3055_4b9c_ba64_0d47_ca40_a232, "Microsoft-Windows-WinHttp"),
    security(0xa797_5c8f_ac13_49f1_87da_5a98_4a4a_b417, "Microsoft-Windows-WinRM"),
    security(0xef1c_c15b_46c1_414e_bb95_e76b_077b_d51e, "Microsoft-Windows-Bits-Client"),
    security(0x0063_715b_eeda_4007_9429_ad52_6f62_696e, "Microsoft-Windows-Services"),
    security(0x5559_08d1_a6d7_4695_8e1e_2693_1d20_12f4, "Service Control Manager"),
    security(0xd1bc_9aff_2abf_4d71_9146_ecb2_a986_eb85, "Microsoft-Windows-Windows Firewall With Advanced Security"),
    security(0x5d89_6912_022d_40aa_a3a8_4fa5_515c_76d7, "Microsoft-Windows-TerminalServices-LocalSessionManager"),
    security(0xc76b_aa63_ae81_421c_b425_340b_4b24_157f, "Microsoft-Windows-TerminalServices-RemoteConnectionManager"),
    security(0xfc65_ddd8_d6ef_4962_83d5_6e5c_fe9c_e148, "Microsoft-Windows-Eventlog"),
    other(0xf4ae_d7c7_a898_4627_b053_44a7_caa1_2fcd, "Microsoft-Windows-RPC-Events"),
    other(0xe53c_6823_7bb8_44bb_90dc_3f86_090d_48a6, "Microsoft-Windows-Winsock-AFD"),
    other(0x2f07_e2ee_15db_40f1_90ef_9d7b_a282_188a, "Microsoft-Windows-TCPIP"),
    other(0x5bbc_a4a8_b209_48dc_a8c7_b23d_3e52_16fb, "Microsoft-Windows-CAPI2"),
    other(0xa68c_a8b7_004f_d7b6_a698_07e2_de0f_1f5d, "Microsoft-Windows-Kernel-General"),
    other(0x8c41_6c79_d49b_4f01_a467_e56d_3aa8_234c, "Microsoft-Windows-Win32k"),
    other(0x1ede_ee53_0afe_4609_b846_d8c0_b207_5b1f, "Microsoft-Windows-WMI"),
    other(0xaea1_b4fa_97d1_45f2_a64c_4d69_fffd_92c9, "Microsoft-Windows-GroupPolicy"),
    other(0xdbe9_b383_7cf3_4331_91cc_a3cb_16a3_b538, "Microsoft-Windows-Winlogon"),
    other(0xdab0_1d4d_2d48_477d_b1c3_daad_0ce6_f06b, "ACPI Driver Trace Provider"),
    other(0x9e81_4aad_3204_11d2_9a82_0060_08a8_6939, "Windows Kernel Trace"),
    other(0x3d6f_a8d0_fe05_11d0_9dda_00c0_4fd7_ba7c, "Process"),
    other(0x3d6f_a8d1_fe05_11d0_9dda_00c0_4fd7_ba7c, "Thread"),
    other(0x3d6f_a8d3_fe05_11d0_9dda_00c0_4fd7_ba7c, "PageFault"),
    other(0x3d6f_a8d4_fe05_11d0_9dda_00c0_4fd7_ba7c, "DiskIo"),
    other(0x90cb_dc39_4a3e_11d1_84f4_0000_f804_64e3, "FileIo"),
    other(0x2cb1_5d1d_5fc1_11d2_abe1_00a0_c911_f518, "ImageLoad"),
    other(0xae53_722e_c863_11d2_8659_00c0_4fa3_21a1, "Registry"),
    other(0x9a28_0ac0_c8e0_11d1_84e2_00c0_4fb9_98a2, "TcpIp"),
    other(0xbf3a_50c5_a9c9_4988_a005_2df0_b7c8_0f80, "UdpIp"),
    other(0x45d8_cccd_539f_4b72_a8b7_5c68_3142_609a, "ALPC"),
    other(0xce1d_bfb4_137e_4da6_87b0_3f59_aa10_2cbc, "PerfInfo"),
];

/// What is known of a provider by its GUID.
pub fn known_provider(guid: Guid) -> Option<&'static KnownProvider> {
    PROVIDERS.iter().find(|known| known.guid == guid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_guid_and_every_name_is_there_once() {
        let guids: BTreeSet<_> = PROVIDERS.iter().map(|known| known.guid).collect();
        let names: BTreeSet<_> = PROVIDERS.iter().map(|known| known.name).collect();
        assert_eq!((guids.len(), names.len()), (PROVIDERS.len(), PROVIDERS.len()));
    }

    /// As the bytes lie in memory, from the declaration in public headers.
    #[test]
    fn a_guid_of_memory_is_known() {
        let bytes = [0x7c, 0x89, 0xe1, 0xf4, 0x5d, 0xbb, 0x68, 0x56, 0xf1, 0xd8, 0x04, 0x0f, 0x4d, 0x8d, 0xd3, 0x44];
        let known = known_provider(Guid::from_memory(bytes)).unwrap();
        assert_eq!((known.name, known.security_relevant), ("Microsoft-Windows-Threat-Intelligence", true));
        assert_eq!(known_provider(Guid::default()), None);
    }
}
