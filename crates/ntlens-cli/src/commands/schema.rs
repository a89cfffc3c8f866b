//! `schema`: the output contract.

use super::Other;
use crate::output::Status;
use clap::Command;
use std::io::Write;

pub(super) const SCHEMA: Other = Other {
    spec: || Command::new("schema").about("The JSON schema of the output"),
    run: |_| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{:#}", ntlens::schema::schema())?;
        Ok(Status::Complete)
    },
};
