//! What the server gives a machine to do, believed only after every hash in it was checked.

use cfg_catalog::digest::Digest;
use cfg_catalog::fleet::{FleetView, Me};
use cfg_catalog::release::nodes::Proof;
use cfg_catalog::release::part::Part;
use cfg_catalog::release::{Envelope, FORMAT, Manifest};
use cfg_wire::{AssignmentReply, News};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The documents as text, just as they were hashed; this is what is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// The machine's role.
    pub role: String,
    manifest: String,
    envelope: String,
    part: String,
    /// None where this node has no layer of its own.
    leaf: Option<String>,
    proof: String,
    view: String,
    me: String,
}

/// Documents that fit together, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Which release, in which order.
    pub envelope: Envelope,
    /// The role's part of it.
    pub part: Part,
    /// This node's own layer.
    pub leaf: Option<Vec<u8>>,
    /// The fleet as this machine may see it.
    pub view: FleetView,
    /// Which member this machine is.
    pub me: Me,
}

/// Who asks: the documents must be for it.
#[derive(Clone, Copy, Debug)]
pub struct For<'a> {
    /// The fleet that it enrolled in.
    pub fleet: &'a str,
    /// The node's name.
    pub name: &'a str,
}

/// Why documents are not believed.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// Written by a newer version.
    #[error("the release is of format {format}, this cfg reads up to {FORMAT}: upgrade me")]
    Newer {
        /// Its format.
        format: u32,
    },
    /// Not text, or not what it should be.
    #[error("the {what} cannot be read: {why}")]
    Unreadable {
        /// Which document.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// Two documents contradict each other.
    #[error("the release is not believed: {0}")]
    Contradiction(String),
    /// An older release than the one that is kept.
    #[error(
        "release {offered} was offered after {kept}, and releases never go back: if the server was restored from a backup, `cfg publish DIR --above {kept}` goes on"
    )]
    Backwards {
        /// What came.
        offered: u64,
        /// What is kept.
        kept: u64,
    },
    /// Another release under the number of the one that is kept.
    #[error(
        "release {0} is another than it was: if the server was restored from a backup, `cfg publish DIR --above {0}` goes on"
    )]
    Another(u64),
}

impl Documents {
    /// Takes the documents out of the server's answer.
    ///
    /// # Errors
    /// Where one is not text.
    pub fn of(reply: AssignmentReply) -> Result<Self, Rejection> {
        let leaf = if reply.leaf.is_empty() {
            None
        } else {
            Some(text("leaf", reply.leaf)?)
        };
        Ok(Self {
            role: reply.role,
            manifest: text("manifest", reply.manifest)?,
            envelope: text("envelope", reply.envelope)?,
            part: text("part", reply.part)?,
            leaf,
            proof: text("proof", reply.proof)?,
            view: text("view", reply.view)?,
            me: text("me", reply.me)?,
        })
    }

    /// Checks that they fit together and are for this node, and reads them.
    ///
    /// # Errors
    /// The first thing that is not so.
    pub fn verify(&self, whose: For<'_>) -> Result<Assignment, Rejection> {
        for (what, document) in [
            ("envelope", &self.envelope),
            ("manifest", &self.manifest),
            ("part", &self.part),
        ] {
            known_format(what, document)?;
        }
        let envelope: Envelope = json("envelope", &self.envelope)?;
        let manifest: Manifest = json("manifest", &self.manifest)?;
        let part: Part = json("part", &self.part)?;
        let proof: Proof = json("proof", &self.proof)?;
        let view: FleetView = json("view", &self.view)?;
        let me: Me = json("me", &self.me)?;
        let leaf = self.leaf.as_ref().map(|leaf| leaf.as_bytes().to_vec());
        let part_digest = Digest::of(self.part.as_bytes());
        let promises = [
            (
                envelope.fleet == whose.fleet,
                "it is for another fleet".to_string(),
            ),
            (
                Digest::of(self.manifest.as_bytes()) == envelope.release,
                "the manifest is not the one that the envelope names".into(),
            ),
            (
                manifest.roles.get(&self.role) == Some(&part_digest),
                format!(
                    "the part is not the one that the manifest names for role {}",
                    self.role
                ),
            ),
            (part.role == self.role, "the part is of another role".into()),
            (me.name == whose.name, "it is for another node".into()),
            (
                proof.verify(&part.nodes, whose.name, leaf.as_deref()),
                "the node's own layer, or its absence, is not what was published".into(),
            ),
        ];
        if let Some((_, why)) = promises.into_iter().find(|(kept, _)| !kept) {
            return Err(Rejection::Contradiction(why));
        }
        Ok(Assignment {
            envelope,
            part,
            leaf,
            view,
            me,
        })
    }
}

impl Assignment {
    /// What it is made of, as the server's news name it.
    pub fn news(&self) -> News {
        News {
            sequence: self.envelope.sequence,
            view: self.view.number,
            probe: 0,
        }
    }

    /// Whether this may take the place of what is kept: a release never goes back, and a sequence never changes its meaning.
    ///
    /// # Errors
    /// Where it may not.
    pub fn follows(&self, kept: &Assignment) -> Result<(), Rejection> {
        let (offered, kept) = (&self.envelope, &kept.envelope);
        if offered.fleet != kept.fleet {
            return Ok(());
        }
        if offered.sequence < kept.sequence {
            return Err(Rejection::Backwards {
                offered: offered.sequence,
                kept: kept.sequence,
            });
        }
        if offered.sequence == kept.sequence && offered.release != kept.release {
            return Err(Rejection::Another(offered.sequence));
        }
        Ok(())
    }
}

fn text(what: &'static str, bytes: Vec<u8>) -> Result<String, Rejection> {
    String::from_utf8(bytes).map_err(|error| Rejection::Unreadable {
        what,
        why: error.to_string(),
    })
}

fn json<T: DeserializeOwned>(what: &'static str, document: &str) -> Result<T, Rejection> {
    serde_json::from_str(document).map_err(|error| Rejection::Unreadable {
        what,
        why: error.to_string(),
    })
}

/// Asks for the format alone: the rest of a newer document need not make sense to this version.
fn known_format(what: &'static str, document: &str) -> Result<(), Rejection> {
    #[derive(Deserialize)]
    struct Formatted {
        format: u32,
    }
    let Formatted { format } = json(what, document)?;
    if format > FORMAT {
        return Err(Rejection::Newer { format });
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use cfg_catalog::release::nodes;
    use std::collections::BTreeMap;

    /// An answer for node `vm-1` of fleet `fleet`, role `web`, with a leaf where one is given.
    pub fn reply(sequence: u64, leaf: Option<&str>, files: &[(&str, &[u8])]) -> AssignmentReply {
        let leaves: BTreeMap<String, Vec<u8>> = leaf
            .map(|leaf| ("vm-1".to_string(), leaf.as_bytes().to_vec()))
            .into_iter()
            .collect();
        let files: serde_json::Map<_, _> = files
            .iter()
            .map(|(path, bytes)| {
                let blob = serde_json::json!({"digest": Digest::of(bytes), "size": bytes.len()});
                (path.to_string(), blob)
            })
            .collect();
        let part = serde_json::json!({
            "format": FORMAT, "role": "web", "nodes": nodes::root(&leaves), "params": {}, "values": {},
            "resources": [], "files": files, "reads": [], "health": null, "sequence": sequence,
        })
        .to_string();
        let manifest = serde_json::to_string(&Manifest {
            format: FORMAT,
            roles: [("web".to_string(), Digest::of(part.as_bytes()))].into(),
        })
        .unwrap();
        let envelope = Envelope {
            format: FORMAT,
            fleet: "fleet".into(),
            release: Digest::of(manifest.as_bytes()),
            sequence,
            previous: None,
        };
        let me = Me {
            name: "vm-1".into(),
            id: 1,
            admitted: true,
            joining: false,
        };
        AssignmentReply {
            manifest: manifest.into(),
            envelope: serde_json::to_vec(&envelope).unwrap(),
            part: part.into(),
            leaf: leaf.unwrap_or_default().into(),
            proof: serde_json::to_vec(&nodes::prove(&leaves, "vm-1")).unwrap(),
            view: b"{\"number\": 3}".to_vec(),
            me: serde_json::to_vec(&me).unwrap(),
            role: "web".into(),
        }
    }

    pub const VM1: For<'static> = For {
        fleet: "fleet",
        name: "vm-1",
    };

    fn verify(reply: AssignmentReply) -> Result<Assignment, Rejection> {
        Documents::of(reply)?.verify(VM1)
    }

    #[test]
    fn what_fits_is_believed() {
        let with = verify(reply(1, Some("{}"), &[("web/a", b"a")])).unwrap();
        assert_eq!(with.leaf.as_deref(), Some(&b"{}"[..]));
        assert_eq!(with.view.number, 3);
        assert_eq!(with.part.blobs(), [Digest::of(b"a")].into());
        assert_eq!(verify(reply(1, None, &[])).unwrap().leaf, None);
    }

    #[test]
    fn anything_exchanged_is_found() {
        type Tamper = fn(&mut AssignmentReply);
        let other = || reply(2, Some("{\"x\": 1}"), &[]);
        let cases: [(Tamper, &str); 10] = [
            (|r| r.role = "db".into(), "role db"),
            (|r| r.part = reply(7, None, &[]).part, "manifest names"),
            (
                |r| r.manifest = reply(7, None, &[]).manifest,
                "envelope names",
            ),
            (|r| r.leaf = b"{\"admin\": true}".to_vec(), "own layer"),
            (|r| r.leaf = Vec::new(), "own layer"),
            (
                |r| r.proof = format!("{{\"siblings\": [\"{}\"]}}", Digest::of(b"")).into(),
                "own layer",
            ),
            (
                |r| r.me = b"{\"name\": \"vm-2\", \"id\": 1}".to_vec(),
                "another node",
            ),
            (|r| r.view = b"{".to_vec(), "view"),
            (|r| r.part = vec![0xff], "part"),
            (
                |r| {
                    r.envelope = String::from_utf8_lossy(&r.envelope)
                        .replace("\"fleet\":\"fleet\"", "\"fleet\":\"x\"")
                        .into()
                },
                "another fleet",
            ),
        ];
        assert!(verify(other()).is_ok());
        for (tamper, word) in cases {
            let mut reply = other();
            tamper(&mut reply);
            let why = verify(reply).unwrap_err().to_string();
            assert!(why.contains(word), "{word}: {why}");
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        for document in ["manifest", "envelope", "part"] {
            let mut reply = reply(1, None, &[]);
            let newer = b"{\"format\": 2, \"shape\": \"unheard of\"}".to_vec();
            match document {
                "manifest" => reply.manifest = newer,
                "envelope" => reply.envelope = newer,
                _ => reply.part = newer,
            }
            let rejection = verify(reply).unwrap_err();
            assert!(
                matches!(rejection, Rejection::Newer { format: 2 }),
                "{document}"
            );
            assert!(rejection.to_string().contains("upgrade me"));
        }
    }

    #[test]
    fn releases_never_go_back() {
        let [one, two] = [1, 2].map(|sequence| verify(reply(sequence, None, &[])).unwrap());
        assert!(two.follows(&one).is_ok());
        assert!(two.follows(&two).is_ok());
        assert!(matches!(
            one.follows(&two),
            Err(Rejection::Backwards {
                offered: 1,
                kept: 2
            })
        ));
        let mut forged = two.clone();
        forged.envelope.release = Digest::of(b"other");
        assert!(forged.follows(&two).is_err());
        let mut elsewhere = one.clone();
        elsewhere.envelope.fleet = "new".into();
        assert!(elsewhere.follows(&two).is_ok());
    }
}
