//! `cfg publish`

use super::{local, output, runtime};
use crate::error::{Error, Exit};
use crate::operator::Desk;
use crate::operator::publish::{Overwrite, Published, publish};
use cfg_catalog::digest::Digest;
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Publish {
    /// The catalog: the folder that holds a folder for each role.
    #[arg(value_name = "DIR")]
    catalog: PathBuf,
    /// Also when somebody else published meanwhile, or the catalog lacks a role that machines have.
    #[arg(long)]
    force: bool,
    /// As a release above this number: machines have seen it from a server that was restored from a backup since.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        hide_default_value = true
    )]
    above: u64,
    /// As one JSON document.
    #[arg(long)]
    json: bool,
    #[arg(long, hide = true, value_name = "SHARE")]
    canary: Option<OsString>,
}

impl Publish {
    pub fn run(self) -> Result<Exit, Error> {
        if self.canary.is_some() {
            return Err(Error::later("`cfg publish --canary`"));
        }
        let catalog = local::load(&self.catalog, &BTreeMap::new())?;
        catalog.publishable().map_err(Error::of_diagnostics)?;
        let release = catalog.release();
        let overwrite = if self.force {
            Overwrite::Whatever
        } else {
            Overwrite::WhatWasSeen
        };
        let published = runtime()?.block_on(async {
            let desk = Desk::open().await?;
            publish(&desk, &release, overwrite, self.above).await
        })?;
        let digest = Digest::of(&release.manifest);
        let (sequence, result, uploaded) = match published {
            Published::New { sequence, uploaded } => (sequence, "published", uploaded),
            Published::Current { sequence } => (sequence, "unchanged", 0),
        };
        if self.json {
            output::print_json(&json!({
                "version": 1, "result": result, "sequence": sequence, "release": digest, "uploaded": uploaded,
            }))?;
        } else {
            let name = digest.to_string();
            let short = super::fleet::short(&name);
            output::print(&match result {
                "published" => format!(
                    "release {sequence} ({short}) is published; {uploaded} new files were uploaded\n"
                ),
                _ => format!("release {sequence} ({short}) is current already\n"),
            })?;
        }
        Ok(Exit::Done)
    }
}
