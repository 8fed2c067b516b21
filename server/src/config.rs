//! `/etc/cfg/server.toml`. Every key has a default that works.

use anyhow::Context;
use cfg_catalog::text::keys::NONE;
use cfg_catalog::text::words::{self, Word, word};
use ipnet::IpNet;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where it is looked for.
pub const DEFAULT: &str = "/etc/cfg/server.toml";

/// The server's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The server's own folder; `pki/` in it holds the CA.
    pub data: PathBuf,
    /// For machines and operators, over mutual TLS.
    pub listen: SocketAddr,
    /// For enrolment and the agent's download.
    pub enrol_listen: SocketAddr,
    /// Names and addresses by which the server is reached, beside the host's own.
    pub names: Vec<String>,
    /// What agents are told: `https://HOST:PORT`. Without it, the first of `names`, or the host's name.
    pub url: Option<String>,
    /// The agent that cloud-init fetches; without it, `cfg` beside this program.
    pub agent_binary: Option<PathBuf>,
    /// Networks out of which a machine may say an address that it does not call from.
    pub addresses: Vec<IpNet>,
    /// How long a certificate of a machine lasts. They renew themselves.
    pub certificate_days: u32,
    /// Where everything but the CA lies.
    pub store: StoreConfig,
}

/// `[store]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `file:///FOLDER`, or `azure://CONTAINER`; empty: the folder `store` in `data`.
    pub url: String,
    /// The storage account.
    pub account: Option<String>,
    /// A file with the account's key, for those who want it in no environment.
    pub key_file: Option<PathBuf>,
    /// A file with a shared access signature of the container.
    pub sas_file: Option<PathBuf>,
    /// Another place than `https://ACCOUNT.blob.core.windows.net`, such as an Azurite.
    pub endpoint: Option<String>,
}

/// The keys of server.toml, for people.
pub const KEYS: &[Word] = &[
    word("data", "path", "`/var/lib/cfg-server`")
        .is("the server's folder; `pki` in it holds the CA"),
    word("listen", "address", "`0.0.0.0:7443`").is("machines and operators"),
    word("enrol_listen", "address", "`0.0.0.0:7444`").is("enrolment, and the agent's download"),
    word("names", "array of strings", "`[]`")
        .is("names and addresses of the server, beside its host name"),
    word("url", "URL", "the first of `names`, or the host name")
        .is("what machines and operators are told"),
    word("agent_binary", "path", "`cfg` beside `cfg-server`").is("what cloud-init fetches"),
    word("addresses", "array of networks", "`[]`").is(
        "where machines may have addresses that they do not call from, as behind a translating router: `[\"10.0.0.0/8\"]`",
    ),
    word("certificate_days", "number", "`30`")
        .is("how long a certificate lasts, 1 to 3650. Agents renew theirs after two thirds"),
];

/// The keys of `[store]`.
pub const STORE_KEYS: &[Word] = &[
    word("url", "string", "`file://` and `store` in `data`")
        .is("`file:///FOLDER`, or `azure://CONTAINER` with or without `/PREFIX`"),
    word("account", "string", "`AZURE_STORAGE_ACCOUNT_NAME`").is("the storage account"),
    word("key_file", "path", NONE).is("a file with the account's key"),
    word("sas_file", "path", NONE).is("a file with a shared access signature instead"),
    word("endpoint", "URL", "the public cloud's").is("another place, such as an Azurite"),
];

/// All keys for the help.
pub fn help() -> String {
    let store = words::help("In [store]", STORE_KEYS);
    format!("{}\n\n{store}", words::help("Keys of server.toml", KEYS))
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("/var/lib/cfg-server"),
            listen: SocketAddr::from(([0, 0, 0, 0], 7443)),
            enrol_listen: SocketAddr::from(([0, 0, 0, 0], 7444)),
            names: Vec::new(),
            url: None,
            agent_binary: None,
            addresses: Vec::new(),
            certificate_days: 30,
            store: StoreConfig::default(),
        }
    }
}

impl Config {
    /// Reads the file that was named, or the default one if it is there.
    ///
    /// # Errors
    /// Where it cannot be read, or something in it is wrong.
    pub fn read(named: Option<&Path>) -> anyhow::Result<Self> {
        let path = named.unwrap_or(Path::new(DEFAULT));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                return Self::parse("");
            }
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        Self::parse(&text).context(path.display().to_string())
    }

    /// From the text of the file.
    ///
    /// # Errors
    /// Where something in it is wrong.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let config = toml::from_str::<Self>(text)?;
        if config.data.is_relative() {
            anyhow::bail!("data {:?}: an absolute path is wanted", config.data);
        }
        let config = config.with_store();
        crate::store::place(&config.store)?;
        if !(1..=3650).contains(&config.certificate_days) {
            anyhow::bail!("certificate_days must be from 1 to 3650");
        }
        if let Some(url) = &config.url {
            Url::parse(url)?;
        }
        Ok(config)
    }

    /// What agents and operators are told.
    ///
    /// # Errors
    /// Where `url` is not one.
    pub fn told(&self) -> anyhow::Result<Url> {
        match &self.url {
            Some(url) => Url::parse(url),
            None => Ok(Url {
                host: self.names.first().cloned().unwrap_or_else(host_name),
                port: self.listen.port(),
            }),
        }
    }

    /// Whether nobody said how the server is reached.
    pub fn is_unnamed(&self) -> bool {
        self.url.is_none() && self.names.is_empty()
    }

    /// The names that the server's certificate carries from the start.
    pub fn certificate_names(&self) -> Vec<String> {
        let mut names = self.names.clone();
        names.push(host_name());
        names.extend(self.told().map(|url| url.host));
        names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        names.sort();
        names.dedup();
        names
    }

    /// The agent's program.
    pub fn agent(&self) -> PathBuf {
        self.agent_binary.clone().unwrap_or_else(|| {
            let own = std::env::current_exe().unwrap_or_default();
            own.with_file_name("cfg")
        })
    }

    fn with_store(mut self) -> Self {
        if self.store.url.is_empty() {
            self.store.url = format!("file://{}", self.data.join("store").display());
        }
        self
    }
}

/// `https://HOST:PORT`, nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Url {
    fn parse(text: &str) -> anyhow::Result<Self> {
        Self::of(text).with_context(|| format!("url {text:?}: https://HOST:PORT is wanted"))
    }

    fn of(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (rest, 7443),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        let host = match host.strip_prefix('[') {
            Some(host) => host.strip_suffix(']')?,
            None if host.contains(':') => return None,
            None => host,
        };
        (!host.is_empty() && host.chars().all(plain)).then(|| Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        match host.contains(':') {
            true => write!(f, "https://[{host}]:{port}"),
            false => write!(f, "https://{host}:{port}"),
        }
    }
}

/// The kernel's host name.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cfg_tests::readme::Readme;
    use serde::de::DeserializeOwned;

    /// The keys of a table are those that it takes.
    fn taken<T: DeserializeOwned>(keys: &[Word], tables: &[&str]) {
        let unknown = toml::from_str::<T>("nothing = 1")
            .err()
            .unwrap()
            .to_string();
        let words = unknown.split("expected").nth(1).unwrap();
        for name in keys
            .iter()
            .map(|key| key.name)
            .chain(tables.iter().copied())
        {
            assert!(words.contains(&format!("`{name}`")), "{name}: {words}");
        }
        let count = keys.len() + tables.len();
        assert_eq!(words.matches('`').count(), 2 * count, "{words}");
    }

    #[test]
    fn every_key_is_told_of() {
        taken::<Config>(KEYS, &["store"]);
        taken::<StoreConfig>(STORE_KEYS, &[]);
        let mut readme =
            Readme::read("UPDATE=1 cargo test -p cfg-server --lib every_key_is_told_of");
        for (heading, keys) in [("## server.toml", KEYS), ("### [store]", STORE_KEYS)] {
            let row = |key: &Word| {
                let name = format!("`{}`", key.name);
                vec![
                    name,
                    key.takes.into(),
                    key.default.into(),
                    key.meaning.into(),
                ]
            };
            let rows: Vec<Vec<String>> = keys.iter().map(row).collect();
            readme.table(heading, &["key", "type", "default", "meaning"], &rows);
        }
        readme.compare();
    }

    #[test]
    fn nothing_is_enough() {
        let config = Config::parse("").unwrap();
        assert_eq!(config.data, Path::new("/var/lib/cfg-server"));
        assert_eq!(config.store.url, "file:///var/lib/cfg-server/store");
        let config = Config::parse("data = \"/srv/cfg\"").unwrap();
        assert_eq!(config.store.url, "file:///srv/cfg/store");
        assert_eq!(config.told().unwrap().port, 7443);
    }

    #[test]
    fn two_lines_for_azure() {
        let text = "[store]\nurl = \"azure://cfg\"\naccount = \"acme\"\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.store.url, "azure://cfg");
        assert_eq!(config.store.account.as_deref(), Some("acme"));
    }

    #[test]
    fn refused() {
        for (text, words) in [
            ("listne = \"x\"", "unknown field"),
            ("certificate_days = 0", "certificate_days"),
            ("url = \"http://a:1\"", "https://HOST:PORT is wanted"),
            ("url = \"https://a b:1\"", "https://HOST:PORT is wanted"),
            ("url = \"https://a/x\"", "https://HOST:PORT is wanted"),
            ("[store]\nkey = \"x\"", "unknown field"),
            (
                "data = \"srv/cfg\"",
                "data \"srv/cfg\": an absolute path is wanted",
            ),
            (
                "[store]\nurl = \"s3://x\"",
                "file:///FOLDER or azure://CONTAINER is wanted",
            ),
            (
                "[store]\nurl = \"file://x\"",
                "the path is not absolute: three slashes",
            ),
        ] {
            let error = format!("{:#}", Config::parse(text).unwrap_err());
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn urls() {
        for (text, host, port) in [
            ("https://cfg.example.org", "cfg.example.org", 7443),
            ("https://10.0.0.1:17443/", "10.0.0.1", 17443),
            ("https://[fd00::1]:1", "fd00::1", 1),
            ("https://[fd00::1]", "fd00::1", 7443),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.host.as_str(), url.port), (host, port), "{text}");
        }
    }
}
