//! `schema`: what other programs may rely on, and that it stays so.

use crate::support::{answer, sample};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

/// Columns of the output contract in its order, for the tables that it spells out. Columns of parts that do not exist yet
/// are left out; others may stand between these.
const CONTRACT: &[(&str, &str)] = &[
    (
        "info",
        "file file_size dump_kind dump_type active windows_build build_lab os_version machine processors dtb system_dtb \
         kernel_base kernel_guid_age bugcheck_code bugcheck_name bugcheck_parameters crash_time uptime product_type \
         suites physical_pages_described physical_pages_present file_complete comment layout_origin layout_source",
    ),
    (
        "processes",
        "eprocess pid ppid name image_path command_line create_time exit_time dtb user_dtb peb wow64 active_threads \
         handle_count sources protection protection_level protection_type protection_signer protection_audit \
         signature_level signature_level_name section_signature_level section_signature_level_name critical \
         system_process subsystem_process cross_session_create minimal pico frozen being_debugged exiting deleted \
         flags flags2 flags3 flags_raw flags2_raw flags3_raw integrity integrity_rid session_id job job_name \
         job_chain silo silo_kind silo_id token user_sid user_name token_session_id logon_id elevation app_container package_sid capabilities privileges_enabled \
         restricted trust_label mitigations mitigation_flags_raw mitigation_flags2_raw mitigation_flags3_raw",
    ),
    (
        "threads",
        "pid tid ethread state wait_reason start_address win32_start_address start_module create_time impersonation",
    ),
    ("handles", "pid process handle object type name granted_access access attributes"),
    ("objects", "path name type object session_id silo handle_count pointer_count link_target"),
    ("holders", "object type path object_session_id holder_pid holder holder_session_id handle granted_access access"),
    ("callbacks", "kind address module symbol"),
    ("loggers", "logger_id name log_file mode"),
    ("sessions", "session_id space processes create_time"),
    ("jobs", "job name job_id session_id parent_job silo_kind silo_id processes"),
    ("silos", "job silo_kind silo_id container_id state session_id processes root_directory"),
    ("modules", "base size name path entry timestamp checksum"),
    ("unloaded", "name start end unload_time"),
    (
        "cpus",
        "number pcr prcb cr0 cr2 cr3 cr4 cr8 efer lstar cstar star sfmask gdt_base idt_base current_thread idle_thread \
         features",
    ),
    ("idt", "processor vector address module symbol dpl ist"),
    ("ssdt", "table index address module symbol"),
];

/// What a column holds, as the schema tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Integer,
    Seconds,
    Confidence,
    Time,
    Address,
    Addresses,
    Numbers,
    List,
    Text,
}

impl Kind {
    fn of(property: &Json) -> Self {
        let is_address = |schema: &Json| schema.get("pattern").is_some();
        match property["type"][0].as_str().unwrap() {
            "boolean" => Self::Bool,
            "integer" => Self::Integer,
            "number" if property["maximum"] == 1 => Self::Confidence,
            "number" => Self::Seconds,
            "array" if is_address(&property["items"]) => Self::Addresses,
            "array" if property["items"]["type"] == "integer" => Self::Numbers,
            "array" => Self::List,
            "string" if is_address(property) => Self::Address,
            "string" if property["format"] == "date-time" => Self::Time,
            "string" => Self::Text,
            other => panic!("no column is of type {other}"),
        }
    }

    /// Whether a value of a row is of this kind; any may be null.
    pub(crate) fn fits(self, value: &Json) -> bool {
        let all = |fits: fn(&str) -> bool| {
            let values = value.as_array().map(|values| values.iter().all(|value| value.as_str().is_some_and(fits)));
            values.unwrap_or(false)
        };
        value.is_null()
            || match self {
                Self::Bool => value.is_boolean(),
                Self::Integer => value.is_u64(),
                Self::Confidence => value.as_f64().is_some_and(|sure| (0.0..=1.0).contains(&sure)),
                Self::Seconds => value.as_f64().is_some_and(|seconds| seconds >= 0.0),
                Self::Time => value.as_str().is_some_and(is_time),
                Self::Address => value.as_str().is_some_and(is_address),
                Self::Addresses => all(is_address),
                Self::Numbers => value.as_array().is_some_and(|values| values.iter().all(Json::is_u64)),
                Self::List => all(|_| true),
                Self::Text => value.is_string(),
            }
    }
}

/// `0x` and 16 digits in lower case.
fn is_address(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// RFC 3339 in UTC with seven decimals.
fn is_time(text: &str) -> bool {
    const FORM: &str = "0000-00-00T00:00:00.0000000Z";
    let fits = |(found, form): (u8, u8)| if form == b'0' { found.is_ascii_digit() } else { found == form };
    text.len() == FORM.len() && text.bytes().zip(FORM.bytes()).all(fits)
}

fn schema() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| serde_json::from_str(&answer(&["schema"])).expect("a JSON document"))
}

/// The columns of a table in their order.
pub(crate) fn columns(table: &str) -> Vec<(String, Kind)> {
    let properties = schema()["$defs"][table]["properties"].as_object().unwrap_or_else(|| panic!("no table {table}"));
    let columns = properties.iter().filter(|(name, _)| !["absent", "sections"].contains(&name.as_str()));
    columns.map(|(name, property)| (name.clone(), Kind::of(property))).collect()
}

#[test]
fn tables_have_the_contracts_columns_in_its_order() {
    for (table, contract) in CONTRACT {
        let columns = columns(table);
        let mut rest = columns.iter();
        for wanted in contract.split_whitespace() {
            assert!(rest.any(|(name, _)| name == wanted), "{table}.{wanted} is missing, or not in its place");
        }
    }
}

/// Programs rely on columns: none is renamed, goes, or changes its kind.
#[test]
fn columns_stay_as_they_were() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema/columns.txt");
    let tables = schema()["$defs"].as_object().unwrap().keys();
    let now: Vec<String> = tables
        .flat_map(|table| columns(table).into_iter().map(move |(name, kind)| format!("{table} {name} {kind:?}")))
        .collect();
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let committed: Vec<&str> = text.lines().collect();
    let gone: Vec<&&str> = committed.iter().filter(|line| !now.iter().any(|column| column == *line)).collect();
    assert!(gone.is_empty(), "columns are gone or of another kind, which breaks programs that read them: {gone:#?}");
    if std::env::var_os("NTLENS_UPDATE_COLUMNS").is_some() {
        std::fs::write(&path, now.join("\n") + "\n").unwrap();
        return;
    }
    let known: BTreeSet<&str> = committed.iter().copied().collect();
    let new: Vec<&String> = now.iter().filter(|column| !known.contains(column.as_str())).collect();
    let how = "NTLENS_UPDATE_COLUMNS=1 cargo test -p ntlens-cli --test cli columns";
    assert!(new.is_empty(), "columns are new, which is fine; write them down with `{how}`: {new:#?}");
}

#[test]
fn output_fits_the_schema() {
    for (table, arguments) in sample().questions() {
        let mut arguments = arguments;
        arguments.extend(["--format".into(), "json".into()]);
        let document: Json = serde_json::from_str(&answer(&arguments)).unwrap();
        Validator(schema()).check(schema(), &document, table).unwrap();
        // A validator that finds nothing wrong proves nothing.
        let mut wrong = document.clone();
        if document["rows"].as_array().unwrap().is_empty() {
            continue;
        }
        wrong["rows"][0]["absent"] = "a text".into();
        Validator(schema()).check(schema(), &wrong, table).unwrap_err();
        let mut wrong = document;
        wrong["rows"][0].as_object_mut().unwrap().remove("absent");
        Validator(schema()).check(schema(), &wrong, table).unwrap_err();
    }
}

/// As much of JSON Schema as `ntlens schema` uses. What it does not know fails, so that no word is overlooked.
struct Validator<'a>(&'a Json);

impl Validator<'_> {
    fn check(&self, schema: &Json, value: &Json, place: &str) -> Result<(), String> {
        for (keyword, wanted) in schema.as_object().unwrap() {
            self.keyword(schema, keyword, wanted, value, place)?;
        }
        Ok(())
    }

    fn keyword(&self, schema: &Json, keyword: &str, wanted: &Json, value: &Json, place: &str) -> Result<(), String> {
        let wrong = || Err(format!("{place}: {value} is against {keyword} {wanted}"));
        match keyword {
            "type" => {
                let types = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
                if !types.iter().any(|wanted| has_type(value, wanted.as_str().unwrap())) {
                    return wrong();
                }
            }
            "const" if value != wanted => return wrong(),
            "minimum" if value.as_f64().is_some_and(|value| value < wanted.as_f64().unwrap()) => return wrong(),
            "const" | "minimum" | "$schema" | "title" | "description" | "$defs" | "then" => {}
            "pattern" => {
                assert_eq!(wanted, "^0x[0-9a-f]{16}$");
                if value.as_str().is_some_and(|text| !is_address(text)) {
                    return wrong();
                }
            }
            "format" => {
                assert_eq!(wanted, "date-time");
                if value.as_str().is_some_and(|text| !is_time(text)) {
                    return wrong();
                }
            }
            "required" => {
                let has = |name: &Json| value.get(name.as_str().unwrap()).is_some();
                if value.is_object() && !wanted.as_array().unwrap().iter().all(has) {
                    return wrong();
                }
            }
            "properties" => {
                for (name, wanted) in wanted.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        self.check(wanted, value, &format!("{place}.{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                assert!(schema.get("properties").is_none(), "all properties are additional ones");
                for (name, value) in value.as_object().into_iter().flatten() {
                    self.check(wanted, value, &format!("{place}.{name}"))?;
                }
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    self.check(wanted, value, &format!("{place}[{index}]"))?;
                }
            }
            "allOf" => {
                for wanted in wanted.as_array().unwrap() {
                    self.check(wanted, value, place)?;
                }
            }
            "if" => {
                if self.check(wanted, value, place).is_ok() {
                    self.check(&schema["then"], value, place)?;
                }
            }
            "$ref" => {
                let path = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                self.check(self.0.pointer(path).expect("a definition"), value, place)?;
            }
            other => panic!("{other} is new in the schema; teach it to the validator"),
        }
        Ok(())
    }
}

fn has_type(value: &Json, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type is named {other}"),
    }
}
