//! `cfg status`

use super::place::Place;
use super::{Call, output};
use crate::client::assignment::For;
use crate::client::identity::{Identity, IdentityError};
use crate::client::kept::Kept;
use crate::client::record::{Record, Standing};
use crate::client::report;
use crate::client::session::of_identity;
use crate::client::spool::Spool;
use crate::clock;
use crate::config::{Config, Mode};
use crate::error::{Error, Exit};
use crate::job::Document;
use crate::run::StateDir;
use cfg_catalog::chain;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Status {
    /// As one JSON document.
    #[arg(long)]
    json: bool,
    /// Of the runs that took this folder for `/`.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

impl Status {
    pub fn run(self, call: &Call) -> Result<Exit, Error> {
        let mut config = call.config()?;
        config.state = Place::of(&config, self.root.as_deref())?.state;
        let document = match Identity::load(&config.identity) {
            Ok(identity) => enrolled(&config, &identity)?,
            Err(IdentityError::None(_)) => json!({
                "version": 1, "enrolled": false, "mode": mode(&config), "last_run": past(&config)?.last,
            }),
            Err(error) => return Err(of_identity(error)),
        };
        if self.json {
            output::print_json(&document)?;
        } else {
            output::print(&text(&document))?;
        }
        Ok(exit(&document))
    }
}

/// As the last run ended where it waits: a script that polls a machine wants no text for that.
fn exit(status: &Value) -> Exit {
    match status["last_run"]["result"] == "waiting" {
        true => Exit::Held,
        false => Exit::Done,
    }
}

fn mode(config: &Config) -> &'static str {
    match config.mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    }
}

/// The record with the newest run of all: whoever made one in this folder kept its document, while the record is the
/// daemon's, and that of runs with the server.
fn past(config: &Config) -> Result<Record, Error> {
    let mut record = Record::load(&config.state).map_err(|error| {
        Error::of_files(anyhow::Error::new(error).context(config.state.display().to_string()))
    })?;
    let state = StateDir::new(&config.state);
    let known: Option<Timestamp> = record.last.as_ref().and_then(started);
    let names = state.run_names().map_err(Error::of_files)?;
    let newer: Vec<Document> = names
        .iter()
        .rev()
        // A damaged one only tells nothing.
        .filter_map(|name| state.run(name).ok())
        .take_while(|run| run.started.parse().ok() > known)
        .collect();
    for run in newer.iter().rev() {
        let value = report::value(run);
        record.ran(started(&value).unwrap_or_default(), &value);
    }
    Ok(record)
}

fn started(run: &Value) -> Option<Timestamp> {
    run["started"].as_str()?.parse().ok()
}

fn enrolled(config: &Config, identity: &Identity) -> Result<Value, Error> {
    let whose = For {
        fleet: &identity.fleet,
        name: &identity.name,
    };
    let (kept, damage) = match Kept::new(&config.state).load(whose) {
        Ok(kept) => (kept, None),
        Err(error) => (None, Some(chain(&error))),
    };
    let record = past(config)?;
    let standing = record.contact.as_ref().map(|contact| contact.standing);
    let stated = identity
        .stated()
        .map_err(|error| Error::Config(error.into()))?;
    let server = config.server.as_ref().map(ToString::to_string);
    let part = kept.as_ref().map(|kept| &kept.part);
    Ok(json!({
        "version": 1,
        "enrolled": true,
        "fleet": identity.fleet,
        "name": identity.name,
        "role": part.map_or(&identity.role, |part| &part.role),
        "id": kept.as_ref().map_or(identity.id, |kept| kept.me.id),
        "server": server.unwrap_or_else(|| identity.server.clone()),
        "mode": mode(config),
        "release": kept.as_ref().map(|kept| kept.envelope.release),
        "sequence": kept.as_ref().map(|kept| kept.envelope.sequence),
        "damage": damage,
        "copied": identity.is_copied(),
        "contact": record.contact,
        "reached": record.reached,
        "upgrade_me": standing == Some(Standing::Upgrade),
        "certificate_until": clock::of(stated.until),
        "reports_waiting": Spool::new(&config.state).len().map_err(|error| Error::of_files(error.into()))?,
        "last_run": record.last,
        "changed": record.changed,
    }))
}

fn text(status: &Value) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let word = |key: &str| status[key].as_str().unwrap_or("-").to_string();
    if status["enrolled"] == true {
        lines.push((
            "node",
            format!("{} of fleet {}", word("name"), word("fleet")),
        ));
        lines.push(("role", format!("{}, id {}", word("role"), status["id"])));
        lines.push(("release", release(status)));
        lines.push(("server", server(status)));
    } else {
        lines.push(("node", "not enrolled".into()));
    }
    if status["upgrade_me"] == true {
        lines.push((
            "upgrade",
            "upgrade me: the server's release is newer than this cfg can read".into(),
        ));
    }
    if status["copied"] == true {
        lines.push((
            "copied",
            "this machine is a copy of the one that enrolled: enrol it with a token (`cfg enroll`)"
                .into(),
        ));
    }
    if let Some(damage) = status["damage"].as_str() {
        lines.push(("damage", damage.into()));
    }
    if status["mode"] == "observe" {
        lines.push((
            "mode",
            "observe: the agent plans and reports, and changes nothing".into(),
        ));
    }
    lines.push(("last run", last(&status["last_run"])));
    if let Some(why) = status["last_run"]["without_slot"].as_str() {
        lines.push(("no slot", format!("taken by the last run: {why}")));
    }
    for waiting in list(&status["last_run"]["held"]) {
        lines.push(("waiting", format!("{}: {}", id(waiting), detail(waiting))));
    }
    for failure in list(&status["last_run"]["failures"]) {
        let message = failure["message"].as_str().unwrap_or_default();
        lines.push(("failed", format!("{}: {message}", id(failure))));
    }
    if let Some(count) = status["reports_waiting"]
        .as_u64()
        .filter(|count| *count > 0)
    {
        lines.push(("reports", format!("{count} wait for the server")));
    }
    lines
        .into_iter()
        .map(|(key, value)| format!("{key:9} {}\n", escape(&value)))
        .collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn id(item: &Value) -> &str {
    item["resource"].as_str().unwrap_or("the run")
}

fn detail(held: &Value) -> &str {
    held["detail"]
        .as_str()
        .or(held["why"].as_str())
        .unwrap_or_default()
}

fn release(status: &Value) -> String {
    match (status["release"].as_str(), status["sequence"].as_u64()) {
        (Some(release), Some(sequence)) => {
            format!("{sequence} ({})", super::fleet::short(release))
        }
        _ => "none yet".into(),
    }
}

fn server(status: &Value) -> String {
    let url = status["server"].as_str().unwrap_or("-");
    let contact = &status["contact"];
    let at = contact["at"].as_str().unwrap_or("-");
    let why = contact["why"].as_str().unwrap_or("no reason given");
    match contact["standing"].as_str() {
        None => format!("{url}, not asked yet"),
        Some("current") => format!("{url}, reached at {at}"),
        Some(_) => format!("{url}, at {at}: {why}"),
    }
}

fn last(run: &Value) -> String {
    let Some(result) = run["result"].as_str() else {
        return "none yet".into();
    };
    let dry = if run["dry_run"] == true {
        "dry run, "
    } else {
        ""
    };
    let started = run["started"].as_str().unwrap_or("-");
    let changed = &run["counts"]["changed"];
    let of = &run["counts"]["resources"];
    format!("{dry}{result} at {started}, {changed} of {of} resources changed")
}

/// What came from elsewhere may not speak to the terminal.
fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let shown: String = if c.is_control() {
                c.escape_default().collect()
            } else {
                c.into()
            };
            shown.chars().collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_reads() {
        let status = json!({
            "enrolled": true, "name": "vm-3", "fleet": "lab", "role": "zookeeper", "id": 2, "mode": "observe",
            "server": "https://h:7443", "release": "9c1f9c1f9c1f9c1f", "sequence": 4, "upgrade_me": true,
            "contact": {"at": "2026-01-01T00:00:00Z", "standing": "away", "why": "refused\u{1b}[31m"},
            "reports_waiting": 2, "damage": null,
            "last_run": {"result": "failed", "dry_run": false, "started": "2026-01-01T00:00:00Z",
                         "counts": {"changed": 1, "resources": 42}, "held": [],
                         "failures": [{"resource": "file:/x", "message": "no space"}]},
        });
        let text = text(&status);
        for line in [
            "node      vm-3 of fleet lab\n",
            "role      zookeeper, id 2\n",
            "release   4 (9c1f9c1f9c1f)\n",
            "refused\\u{1b}[31m",
            "upgrade me",
            "observe",
            "failed at 2026-01-01T00:00:00Z, 1 of 42 resources changed\n",
            "failed    file:/x: no space\n",
            "reports   2 wait",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn what_waits_for_a_slot_and_who_took_none() {
        let held = json!([{"resource": "service:zookeeper", "why": "slot", "detail": "vm-2 is not healthy\u{7}"}]);
        let last = json!({"result": "waiting", "held": held, "without_slot": "the site is down"});
        let status = json!({"enrolled": false, "last_run": last});
        assert_eq!(exit(&status), Exit::Held);
        let text = text(&status);
        for line in [
            "waiting   service:zookeeper: vm-2 is not healthy\\u{7}\n",
            "no slot   taken by the last run: the site is down\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn a_machine_that_is_not_enrolled_says_so() {
        let status = json!({"enrolled": false, "mode": "enforce", "last_run": null});
        assert_eq!(exit(&status), Exit::Done);
        let text = text(&status);
        assert_eq!(text, "node      not enrolled\nlast run  none yet\n");
    }
}
