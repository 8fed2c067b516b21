//! `--fleet FILE`: the other machines as a person writes them, judged as a server judges what machines say of themselves.

use crate::error::Error;
use anyhow::Context as _;
use cfg_catalog::fleet::{FleetView, MOST_NAME, Member, is_name, is_word};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::Path;

/// The members of each role, sorted by id.
///
/// # Errors
/// [`Error::Usage`] where it cannot be read, [`Error::Config`] where no server would say so.
pub fn read(path: &Path) -> Result<FleetView, Error> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("--fleet {shown}"));
    let text = String::from_utf8(bytes.map_err(Error::Usage)?)
        .map_err(|_| Error::config(format!("--fleet {shown}: it is not UTF-8")))?;
    let written: Result<Written, String> = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => toml::from_str(&text).map_err(|error| error.to_string()),
    };
    let written =
        written.map_err(|why| Error::config(format!("--fleet {shown}: {}", why.trim_end())))?;
    let roles = written.roles.into_iter();
    Ok(FleetView {
        number: written.number,
        roles: roles
            .map(|(role, members)| (role.0, members.0.into_iter().map(Member::from).collect()))
            .collect(),
        formed: written.formed,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    number: u64,
    #[serde(default)]
    roles: BTreeMap<RoleName, Members>,
    #[serde(default)]
    formed: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(try_from = "Vec<Machine>")]
struct Members(Vec<Machine>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    id: NonZeroU32,
    name: Name,
    address: IpAddr,
    os: Plain,
    arch: Plain,
    cpus: u32,
    memory_mb: u64,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
struct RoleName(String);

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Plain(String);

/// The most characters of a role's name.
const MOST_ROLE: usize = 128;

impl TryFrom<String> for RoleName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        named("role", MOST_ROLE, text).map(Self)
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        named("machine", MOST_NAME, text).map(Self)
    }
}

fn named(what: &str, most: usize, text: String) -> Result<String, String> {
    match is_name(&text, most) {
        true => Ok(text),
        false => Err(format!(
            "{text:?} cannot be the name of a {what}: letters, digits, \".\", \"_\" and \"-\", the first a letter or a digit, at most {most}"
        )),
    }
}

impl TryFrom<String> for Plain {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match is_word(&text) {
            true => Ok(Self(text)),
            false => Err(format!(
                "{text:?} is not a word: letters, digits, \".\", \"_\" and \"-\", at most 64"
            )),
        }
    }
}

impl TryFrom<Vec<Machine>> for Members {
    type Error = String;

    fn try_from(mut machines: Vec<Machine>) -> Result<Self, String> {
        machines.sort_by_key(|machine| machine.id);
        let twice = machines.windows(2).find(|two| two[0].id == two[1].id);
        match twice {
            None => Ok(Self(machines)),
            Some(two) => Err(format!(
                "each member of a role wants an id of its own: {} and {} both have {}",
                two[0].name.0, two[1].name.0, two[0].id
            )),
        }
    }
}

impl From<Machine> for Member {
    fn from(machine: Machine) -> Self {
        Self {
            id: machine.id.get(),
            name: machine.name.0,
            // One address has one text.
            address: machine.address.to_canonical().to_string(),
            os: machine.os.0,
            arch: machine.arch.0,
            cpus: machine.cpus,
            memory_mb: machine.memory_mb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u32) -> String {
        format!(
            "[[roles.zk]]\nid = {id}\nname = \"n{id}\"\naddress = \"10.0.0.{id}\"\nos = \"debian\"\n\
             arch = \"amd64\"\ncpus = 1\nmemory_mb = 1\n"
        )
    }

    #[test]
    fn a_fleet_in_toml_or_json() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, member(2) + &member(1)).unwrap();
        let view = read(file.path()).unwrap();
        let ids: Vec<u32> = view.roles["zk"].iter().map(|member| member.id).collect();
        assert_eq!(ids, [1, 2], "sorted by id");
        std::fs::write(&file, serde_json::to_string(&view).unwrap()).unwrap();
        assert_eq!(read(file.path()).unwrap(), view);
        let mapped = member(1).replace("10.0.0.1", "::ffff:10.0.0.1");
        std::fs::write(&file, mapped).unwrap();
        let view = read(file.path()).unwrap();
        assert_eq!(view.roles["zk"][0].address, "10.0.0.1");
    }

    #[test]
    fn a_fleet_that_no_server_would_tell_of() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let with = |was: &str, is: &str| member(1).replace(was, is);
        for (text, said) in [
            ("{".into(), "line 1 column"),
            ("x = 1".into(), "line 1, column 1"),
            (member(0), "line 2, column 6"),
            (member(1) + &member(1), "n1 and n1 both have 1"),
            (with("\"n1\"", "\"n 1;\""), "line 3, column 8"),
            (with("\"n1\"", "\"-n\""), "cannot be the name of a machine"),
            (with("10.0.0.1", "x y"), "line 4, column 11"),
            (with("debian", "de bian"), "line 5, column 6"),
            (with("amd64", ""), "is not a word"),
            (with("cpus", "cups"), "unknown field `cups`"),
            (member(1) + "zz = 1\n", "line 9, column 1"),
            (
                with("roles.zk", "roles.\"z k\""),
                "cannot be the name of a role",
            ),
            (with("cpus = 1\n", ""), "missing field `cpus`"),
            (
                "{\"roles\":{\"zk\":[\n{\"id\":1,\"name\":\"n1\",\"address\":\"x y\"}]}}".into(),
                "line 2 column",
            ),
        ] {
            std::fs::write(&file, &text).unwrap();
            let error = read(file.path()).unwrap_err();
            assert_eq!(error.exit() as u8, 78, "{text}: {error}");
            assert!(error.to_string().contains(said), "{text}: {error}");
        }
        let error = read(Path::new("/nonexistent")).unwrap_err();
        assert_eq!(error.exit() as u8, 64, "{error}");
    }
}
