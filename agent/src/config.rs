//! `agent.toml`: raw as written, then validated. Every key has a working default.

use crate::address::ServerUrl;
use crate::error::Error;
use cfg_catalog::text::words::{Word, word};
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where it is looked for when nobody says.
pub const DEFAULT_PATH: &str = "/etc/cfg/agent.toml";

/// What the agent was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The folder that agent.toml lies in, or would; `facts.d` lies beside it.
    pub folder: PathBuf,
    /// Where the server listens for agents; none: where this machine enrolled.
    pub server: Option<ServerUrl>,
    /// Where it listens for enrolments; none: the port after the server's.
    pub enrol: Option<ServerUrl>,
    /// The node's name at enrolment; none: the host name.
    pub node: Option<String>,
    /// What the agent keeps between runs.
    pub state: PathBuf,
    /// Its key and certificates.
    pub identity: PathBuf,
    /// Between two runs of the daemon.
    pub interval: Duration,
    /// Up to this much is added to each interval, at random.
    pub splay: Duration,
    /// Whether the daemon changes anything.
    pub mode: Mode,
    /// The machine's address; none: the source address of the route to the server.
    pub address: Option<IpAddr>,
    /// How old apt's lists may be.
    pub index_max_age: Duration,
    /// How long a run may wait for others that use apt or dpkg.
    pub lock_timeout: Duration,
}

/// Whether the daemon changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It applies its role.
    #[default]
    Enforce,
    /// It plans and reports, and never enacts.
    Observe,
}

/// The keys of agent.toml, for people.
pub const KEYS: &[Word] = &[
    word("server", "URL", "where the machine enrolled").is("`https://HOST` or `https://HOST:PORT`"),
    word("enrol", "URL", "the port after the server's").is("where it takes enrolments"),
    word("node", "string", "the host name").is("the machine's name in the fleet"),
    word("state", "path", "`/var/lib/cfg`").is("what the agent keeps"),
    word("identity", "path", "`identity` in `state`").is("its key and certificate"),
    word("interval", "duration", "`\"5m\"`").is("between two runs of the daemon"),
    word("splay", "duration", "a fifth of `interval`").is("up to this much is added, at random"),
    word("mode", "`\"enforce\"`, `\"observe\"`", "`\"enforce\"`")
        .is("`observe` plans and reports, and changes nothing"),
    word(
        "address",
        "IP address",
        "the source of the route to the server",
    )
    .is("what others see as its address"),
    word("index_max_age", "duration", "`\"1d\"`")
        .is("how old apt's lists may be before packages change"),
    word("lock_timeout", "duration", "`\"5m\"`")
        .is("how long a run waits, in all, for others that use apt or dpkg"),
];

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    server: Option<String>,
    enrol: Option<String>,
    node: Option<String>,
    state: Option<PathBuf>,
    identity: Option<PathBuf>,
    interval: Option<String>,
    splay: Option<String>,
    mode: Option<Mode>,
    address: Option<IpAddr>,
    index_max_age: Option<String>,
    lock_timeout: Option<String>,
}

impl Config {
    /// Reads a file; the one at [`DEFAULT_PATH`] need not exist, one that was named must.
    ///
    /// # Errors
    /// [`Error::Config`] where it cannot be read or holds what makes no sense.
    pub fn load(named: Option<&Path>) -> Result<Self, Error> {
        let path = named.unwrap_or(Path::new(DEFAULT_PATH));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                String::new()
            }
            Err(error) => return Err(Error::config(format!("{}: {error}", path.display()))),
        };
        let folder = path.parent().unwrap_or(Path::new("/")).to_path_buf();
        Self::parse(&text, folder)
            .map_err(|why| Error::config(format!("{}: {}", path.display(), why.trim_end())))
    }

    /// What is the agent's own, and no role's.
    pub fn own(&self) -> Vec<PathBuf> {
        let file = self.folder.join("agent.toml");
        vec![self.state.clone(), self.identity.clone(), file]
    }

    fn parse(text: &str, folder: PathBuf) -> Result<Self, String> {
        let raw: Raw = toml::from_str(text).map_err(|error| error.to_string())?;
        let url = |key: &str, value: Option<String>| {
            value
                .map(|url| url.parse::<ServerUrl>())
                .transpose()
                .map_err(|error| format!("{key}: {error}"))
        };
        let time = |key: &str, value: Option<String>, default: Duration| {
            match value {
            None => Ok(default),
            Some(text) => parse_duration(&text).ok_or(format!(
                "{key}: \"{text}\" is not a time: a number with s, m, h or d is wanted, as in \"5m\""
            )),
        }
        };
        let interval = time("interval", raw.interval, Duration::from_secs(300))?;
        if interval < Duration::from_secs(1) {
            return Err("interval: at least \"1s\" is wanted".into());
        }
        let state = folder_of("state", raw.state, "/var/lib/cfg")?;
        Ok(Self {
            folder,
            server: url("server", raw.server)?,
            enrol: url("enrol", raw.enrol)?,
            node: raw.node,
            identity: match raw.identity {
                None => state.join("identity"),
                given => folder_of("identity", given, "")?,
            },
            state,
            interval,
            splay: time("splay", raw.splay, interval / 5)?,
            mode: raw.mode.unwrap_or_default(),
            address: raw.address,
            index_max_age: time(
                "index_max_age",
                raw.index_max_age,
                Duration::from_secs(86_400),
            )?,
            lock_timeout: time("lock_timeout", raw.lock_timeout, Duration::from_secs(300))?,
        })
    }
}

fn folder_of(key: &str, value: Option<PathBuf>, default: &str) -> Result<PathBuf, String> {
    let path = value.unwrap_or_else(|| PathBuf::from(default));
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(format!(
            "{key}: \"{}\" is not an absolute path",
            path.display()
        ))
    }
}

/// `30s`, `5m`, `2h`, `1d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = &text[..text.len() - unit.len_utf8()];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cfg_tests::readme::Readme;

    #[test]
    fn every_key_is_told_of() {
        let unknown = toml::from_str::<Raw>("nothing = 1")
            .err()
            .unwrap()
            .to_string();
        let taken = |key: &&Word| unknown.contains(&format!("`{}`", key.name));
        assert_eq!(KEYS.iter().filter(taken).count(), KEYS.len());
        let words = unknown.split("expected").nth(1).unwrap();
        assert_eq!(words.matches('`').count(), 2 * KEYS.len(), "{words}");
        let mut readme =
            Readme::read("UPDATE=1 cargo test -p cfg-agent --lib every_key_is_told_of");
        let row = |key: &Word| {
            let name = format!("`{}`", key.name);
            vec![
                name,
                key.takes.into(),
                key.default.into(),
                key.meaning.into(),
            ]
        };
        let rows: Vec<Vec<String>> = KEYS.iter().map(row).collect();
        readme.table(
            "## agent.toml",
            &["key", "type", "default", "meaning"],
            &rows,
        );
        readme.compare();
    }

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, "/etc/cfg".into())
    }

    #[test]
    fn nothing_written_works() {
        let config = parse("").unwrap();
        assert_eq!(config.state, Path::new("/var/lib/cfg"));
        assert_eq!(config.identity, Path::new("/var/lib/cfg/identity"));
        assert_eq!(config.interval, Duration::from_secs(300));
        assert_eq!(config.splay, Duration::from_secs(60));
        assert_eq!(config.mode, Mode::Enforce);
        assert_eq!(config.server, None);
    }

    #[test]
    fn all_of_it() {
        let config = parse(
            "server = \"https://cfg.example\"\nnode = \"vm-3\"\nstate = \"/x\"\ninterval = \"10s\"\n\
             mode = \"observe\"\naddress = \"10.0.0.3\"\nidentity = \"/y\"",
        )
        .unwrap();
        assert_eq!(
            config.server.unwrap().to_string(),
            "https://cfg.example:7443"
        );
        assert_eq!(config.identity, Path::new("/y"));
        assert_eq!(config.splay, Duration::from_secs(2));
        assert_eq!(config.mode, Mode::Observe);
        assert_eq!(config.address, Some("10.0.0.3".parse().unwrap()));
    }

    #[test]
    fn refused_with_the_key() {
        for (text, word) in [
            ("intervall = \"5m\"", "intervall"),
            ("interval = \"5\"", "interval"),
            ("interval = \"0s\"", "interval"),
            ("splay = \"-1s\"", "splay"),
            ("server = \"http://x\"", "server"),
            ("state = \"x\"", "state"),
            ("identity = \"x\"", "identity"),
            ("mode = \"off\"", "observe"),
            ("address = \"here\"", "address"),
            ("server = ", "server"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }

    #[test]
    fn one_that_was_named_must_exist() {
        let error = Config::load(Some(Path::new("/nonexistent/agent.toml"))).unwrap_err();
        assert_eq!(error.exit() as u8, 78);
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("30s", Some(30)), ("5m", Some(300)), ("2h", Some(7200))] {
            assert_eq!(parse_duration(text).map(|d| d.as_secs()), seconds);
        }
        for text in [
            "",
            "s",
            "5",
            "1.5m",
            "+1s",
            "5 m",
            "99999999999999999999s",
            "1é",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
