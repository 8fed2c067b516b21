//! Who a certificate says its holder is, and whether that still counts.

use super::{Node, State};
use crate::refusal::Refusal;
use cfg_catalog::digest::Digest;
use std::fmt;
use std::str::FromStr;

/// What stands in a certificate, as a URI: `cfg://FLEET/node/NAME/GENERATION`, `cfg://FLEET/operator/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The fleet's name.
    pub fleet: String,
    /// Who in it.
    pub who: Who,
}

/// Who, within a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A machine.
    Node {
        /// Its name.
        name: String,
        /// Which enrolment of the name.
        generation: u32,
    },
    /// A person.
    Operator {
        /// The name.
        name: String,
    },
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fleet = &self.fleet;
        match &self.who {
            Who::Node { name, generation } => write!(f, "cfg://{fleet}/node/{name}/{generation}"),
            Who::Operator { name } => write!(f, "cfg://{fleet}/operator/{name}"),
        }
    }
}

/// As it stands in the log: `node vm-1`, `operator alice`.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { name, .. } => write!(f, "node {name}"),
            Self::Operator { name } => write!(f, "operator {name}"),
        }
    }
}

/// A URI that names nobody.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate names nobody of a fleet")]
pub struct Nobody;

impl FromStr for Identity {
    type Err = Nobody;

    fn from_str(uri: &str) -> Result<Self, Nobody> {
        let rest = uri.strip_prefix("cfg://").ok_or(Nobody)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let (fleet, who) = match parts[..] {
            [fleet, "node", name, generation] => {
                let name = super::name::node(name).map_err(|_| Nobody)?;
                let generation = generation.parse().map_err(|_| Nobody)?;
                (fleet, Who::Node { name, generation })
            }
            [fleet, "operator", name] => {
                let name = super::name::operator(name).map_err(|_| Nobody)?;
                (fleet, Who::Operator { name })
            }
            _ => return Err(Nobody),
        };
        let fleet = super::name::fleet(fleet).map_err(|_| Nobody)?;
        Ok(Self { fleet, who })
    }
}

impl State {
    /// The machine that this identity is, now.
    ///
    /// # Errors
    /// Where it is an operator, unknown, revoked, or an earlier enrolment.
    pub fn node_of(&self, identity: &Identity) -> Result<(&str, &Node), Refusal> {
        let Who::Node { name, generation } = &identity.who else {
            return Err(Refusal::Audience {
                who: identity.who.to_string(),
                audience: "machines",
            });
        };
        self.same_fleet(identity)?;
        let Some((name, node)) = self.nodes.get_key_value(name) else {
            return Err(Refusal::Unknown(identity.who.to_string()));
        };
        if node.generation != *generation {
            return Err(Refusal::Superseded(identity.who.to_string()));
        }
        if node.revoked.is_some() {
            return Err(Refusal::Revoked(identity.who.to_string()));
        }
        Ok((name, node))
    }

    /// The operator that this identity, with this key, is now.
    ///
    /// # Errors
    /// Where it is a machine, unknown, or has another key by now.
    pub fn operator_of(&self, identity: &Identity, key: &Digest) -> Result<&str, Refusal> {
        let Who::Operator { name } = &identity.who else {
            return Err(Refusal::Audience {
                who: identity.who.to_string(),
                audience: "operators",
            });
        };
        self.same_fleet(identity)?;
        match self.operators.get_key_value(name) {
            Some((name, operator)) if operator.key == *key => Ok(name),
            Some(_) => Err(Refusal::Superseded(identity.who.to_string())),
            None => Err(Refusal::Unknown(identity.who.to_string())),
        }
    }

    fn same_fleet(&self, identity: &Identity) -> Result<(), Refusal> {
        match &self.fleet {
            Some(fleet) if fleet.name == identity.fleet => Ok(()),
            _ => Err(Refusal::Unknown(identity.who.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        for text in ["cfg://f/node/vm-1.example.org/3", "cfg://f/operator/alice"] {
            assert_eq!(text.parse::<Identity>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn nobody() {
        for text in [
            "",
            "https://f/node/vm-1/1",
            "cfg://f/node/vm-1",
            "cfg://f/node/vm-1/x",
            "cfg://f/node/../1",
            "cfg://f/node/vm-1/1/2",
            "cfg://f/operator/",
            "cfg:///operator/alice",
            "cfg://f/root/alice",
        ] {
            assert_eq!(text.parse::<Identity>(), Err(Nobody), "{text}");
        }
    }
}
