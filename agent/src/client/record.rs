//! What `cfg status` tells of the past: the last contact with the server and the last run.

use super::sync::SyncError;
use crate::client::channel::CallError;
use crate::durable;
use cfg_catalog::chain;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// How the server stood to this machine when it was last asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It answered, and the role is current.
    Current,
    /// It could not be reached.
    Away,
    /// It refuses this machine.
    Refused,
    /// It has nothing for this machine yet.
    Waiting,
    /// It has what this version cannot read.
    Upgrade,
    /// Its answer was not believed.
    Rejected,
}

/// One asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// When.
    pub at: Timestamp,
    /// How it stood.
    pub standing: Standing,
    /// Why, where not current.
    pub why: Option<String>,
}

/// The file of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The last asking.
    pub contact: Option<Contact>,
    /// When the server last answered.
    pub reached: Option<Timestamp>,
    /// At which address that was; the route to it says this machine's own, also when names are not known.
    pub peer: Option<SocketAddr>,
    /// The last run's document without its changes.
    pub last: Option<Value>,
    /// When a run last changed something.
    pub changed: Option<Timestamp>,
}

impl Standing {
    /// What a failure means for the standing.
    pub fn of(error: &SyncError) -> Self {
        match error {
            error if error.asks_for_upgrade() => Standing::Upgrade,
            SyncError::Call(error) => Self::of_call(error),
            SyncError::Rejected(_) | SyncError::Kept(_) => Standing::Rejected,
        }
    }

    /// What a failed call means for it.
    pub fn of_call(error: &CallError) -> Self {
        match error {
            CallError::Away { .. } => Standing::Away,
            CallError::Refused(_) => Standing::Refused,
            CallError::Said { .. } => Standing::Waiting,
        }
    }
}

impl Record {
    fn path(state: &Path) -> PathBuf {
        state.join("status.json")
    }

    /// Reads it; one that is missing or damaged is empty: it only tells, nothing hangs on it.
    ///
    /// # Errors
    /// Where it may not be read.
    pub fn load(state: &Path) -> io::Result<Self> {
        let bytes = durable::read(&Self::path(state))?;
        Ok(bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default())
    }

    /// Writes it.
    ///
    /// # Errors
    /// Of the file system.
    pub fn store(&self, state: &Path) -> io::Result<()> {
        durable::private_folder(state)?;
        durable::write(&Self::path(state), &serde_json::to_vec_pretty(self)?)
    }

    /// Notes how the server stood.
    pub fn asked(
        &mut self,
        at: Timestamp,
        outcome: Result<(), &SyncError>,
        peer: Option<SocketAddr>,
    ) {
        let standing = outcome.err().map_or(Standing::Current, Standing::of);
        if standing != Standing::Away {
            self.reached = Some(at);
        }
        self.peer = peer.or(self.peer);
        self.contact = Some(Contact {
            at,
            standing,
            why: outcome.err().map(|error| chain(error)),
        });
    }

    /// Why the server's last word was not taken, where it answered.
    pub fn rejected(&self) -> Option<String> {
        let contact = self.contact.as_ref()?;
        let rejected = matches!(contact.standing, Standing::Rejected | Standing::Upgrade);
        contact.why.clone().filter(|_| rejected)
    }

    /// Notes that the line to the server broke, where that is news; says whether it is.
    pub fn broke(&mut self, at: Timestamp, standing: Standing, why: &str) -> bool {
        let known = self.contact.as_ref().is_some_and(|contact| {
            contact.standing == standing && contact.why.as_deref() == Some(why)
        });
        if !known {
            if standing != Standing::Away {
                self.reached = Some(at);
            }
            self.contact = Some(Contact {
                at,
                standing,
                why: Some(why.into()),
            });
        }
        !known
    }

    /// Notes that the line stands again, with nothing new on it: what was answered before it broke holds.
    pub fn mended(&mut self, at: Timestamp, answered: Contact) {
        self.reached = Some(at);
        self.contact = Some(Contact { at, ..answered });
    }

    /// Notes a run by its document.
    pub fn ran(&mut self, at: Timestamp, document: &Value) {
        let mut short = document.clone();
        let changed = short
            .as_object_mut()
            .and_then(|keys| keys.remove("changes"))
            .is_some_and(|changes| changes.as_array().is_some_and(|list| !list.is_empty()));
        if changed && short["dry_run"] != Value::Bool(true) {
            self.changed = Some(at);
        }
        self.last = Some(short);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::assignment::Rejection;
    use crate::client::channel::Lack;
    use serde_json::json;
    use tonic::Code;

    #[test]
    fn standings() {
        let said = |code| {
            SyncError::Call(CallError::Said {
                code,
                message: "why".into(),
            })
        };
        for (error, standing) in [
            (said(Code::FailedPrecondition), Standing::Waiting),
            (said(Code::Unimplemented), Standing::Upgrade),
            (
                SyncError::Call(CallError::Refused("no".into())),
                Standing::Refused,
            ),
            (Rejection::Newer { format: 2 }.into(), Standing::Upgrade),
            (
                Rejection::Contradiction("x".into()).into(),
                Standing::Rejected,
            ),
        ] {
            assert_eq!(Standing::of(&error), standing, "{error}");
        }
    }

    #[test]
    fn told_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Record::load(folder.path()).unwrap(), Record::default());
        let mut record = Record::default();
        let now = Timestamp::now();
        let away = SyncError::Call(CallError::Away {
            url: "https://h".into(),
            why: "gone".into(),
            lack: Lack::Unreached,
        });
        record.asked(now, Ok(()), Some("127.0.0.1:7443".parse().unwrap()));
        record.asked(now, Err(&away), None);
        record.ran(
            now,
            &json!({"result": "applied", "dry_run": false, "changes": [{}]}),
        );
        record.store(folder.path()).unwrap();
        let read = Record::load(folder.path()).unwrap();
        assert_eq!(read, record);
        assert_eq!(read.reached, Some(now));
        assert_eq!(read.changed, Some(now));
        assert!(read.peer.is_some());
        assert_eq!(read.contact.unwrap().standing, Standing::Away);
        assert_eq!(
            read.last.unwrap(),
            json!({"result": "applied", "dry_run": false})
        );
        std::fs::write(folder.path().join("status.json"), "{").unwrap();
        assert_eq!(Record::load(folder.path()).unwrap(), Record::default());
    }
}
