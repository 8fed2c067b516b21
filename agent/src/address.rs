//! Where a server is: its URL, and the socket addresses behind the name.

use crate::machine::tool;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// The port for agents and operators where a URL names none.
const DEFAULT_PORT: u16 = 7443;

/// How long a name may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// `https://HOST[:PORT]` and nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    host: String,
    port: u16,
}

/// A text that is not the URL of a server.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "\"{url}\" is not the address of a server: {why}; https://HOST or https://HOST:PORT is wanted"
)]
pub struct NotAServer {
    url: String,
    why: &'static str,
}

/// A host name that could not be turned into an address.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// getent could not be run.
    #[error("getent could not be run to look up \"{name}\"")]
    Getent {
        /// What was looked up.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// It took too long.
    #[error("looking up \"{0}\" took more than 10 s")]
    Slow(String),
    /// Nobody knows it.
    #[error("the name \"{0}\" is not known here")]
    Unknown(String),
}

impl ServerUrl {
    /// The host: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The same host at the next port: where enrolments go.
    pub fn enrolment(&self) -> ServerUrl {
        ServerUrl {
            host: self.host.clone(),
            port: self.port.wrapping_add(1),
        }
    }

    /// The addresses to try, in order. Names are asked of `getent`, so that the agent itself loads no name service.
    ///
    /// # Errors
    /// Where the name has no address.
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>, ResolveError> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let name = || self.host.clone();
        let asked = tokio::process::Command::new("getent")
            .args(["ahosts", "--", &self.host])
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(RESOLVE_TIMEOUT, asked)
            .await
            .map_err(|_| ResolveError::Slow(name()))?
            .map_err(|source| ResolveError::Getent {
                name: name(),
                source,
            })?;
        let found = addresses_of(&String::from_utf8_lossy(&output.stdout), self.port);
        if found.is_empty() {
            return Err(ResolveError::Unknown(name()));
        }
        Ok(found)
    }
}

/// The addresses of a host, asked of `getent` as well, by who may wait.
///
/// # Errors
/// Where the name has none.
pub fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let argv = ["getent", "ahosts", "--", host];
    let ended = tool::run(&argv, None, RESOLVE_TIMEOUT).map_err(|source| ResolveError::Getent {
        name: host.into(),
        source,
    })?;
    if ended.status.is_none() {
        return Err(ResolveError::Slow(host.into()));
    }
    let found = addresses_of(&ended.out, port);
    match found.is_empty() {
        true => Err(ResolveError::Unknown(host.into())),
        false => Ok(found),
    }
}

/// The stream addresses in what `getent ahosts` prints, each once.
fn addresses_of(printed: &str, port: u16) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for line in printed.lines() {
        let mut words = line.split_whitespace();
        if let (Some(address), Some("STREAM")) = (words.next(), words.next())
            && let Ok(address) = address.parse::<IpAddr>()
            && !found.contains(&SocketAddr::new(address, port))
        {
            found.push(SocketAddr::new(address, port));
        }
    }
    found
}

impl FromStr for ServerUrl {
    type Err = NotAServer;

    fn from_str(url: &str) -> Result<Self, NotAServer> {
        let bad = |why| NotAServer {
            url: url.into(),
            why,
        };
        let rest = url
            .strip_prefix("https://")
            .ok_or_else(|| bad("it does not begin with https://"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(bad("it has more than a host and a port"));
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed
                    .split_once(']')
                    .ok_or_else(|| bad("a bracket is open"))?;
                host.parse::<std::net::Ipv6Addr>()
                    .map_err(|_| bad("what stands in brackets is no IPv6 address"))?;
                (
                    host,
                    after.strip_prefix(':').or(after.is_empty().then_some("")),
                )
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, Some("")),
            },
        };
        let port = match port {
            Some("") if !rest.ends_with(':') => DEFAULT_PORT,
            Some(digits) => digits
                .parse()
                .map_err(|_| bad("the port is not a number"))?,
            None => return Err(bad("a port is wanted after the bracket")),
        };
        let named = !host.is_empty()
            && !host.starts_with('-')
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'));
        if !named || port == 0 {
            return Err(bad("the host or the port is none"));
        }
        Ok(Self {
            host: host.into(),
            port,
        })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "https://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "https://{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (written, meant) in [
            ("https://cfg.example", "https://cfg.example:7443"),
            ("https://cfg.example/", "https://cfg.example:7443"),
            ("https://10.0.0.1:1", "https://10.0.0.1:1"),
            ("https://[::1]", "https://[::1]:7443"),
            ("https://[::1]:9", "https://[::1]:9"),
        ] {
            let url: ServerUrl = written.parse().unwrap();
            assert_eq!(url.to_string(), meant);
        }
        let url: ServerUrl = "https://h:7443".parse().unwrap();
        assert_eq!(url.enrolment().to_string(), "https://h:7444");
    }

    #[test]
    fn refused() {
        for written in [
            "http://x",
            "x",
            "https://",
            "https://:1",
            "https://x:0",
            "https://x:",
            "https://x:y",
            "https://x/y",
            "https://u@x",
            "https://[x]",
            "https://[::1",
            "https://[::1]9",
            "https://-x",
            "https://a b",
        ] {
            assert!(written.parse::<ServerUrl>().is_err(), "{written}");
        }
    }

    #[test]
    fn what_getent_prints() {
        let printed = "127.0.0.1       STREAM localhost\n127.0.0.1       DGRAM\n127.0.0.1 RAW\n\
                       ::1 STREAM\n127.0.0.1 STREAM\nnonsense STREAM\n";
        let found = addresses_of(printed, 7);
        assert_eq!(
            found,
            ["127.0.0.1:7".parse().unwrap(), "[::1]:7".parse().unwrap()]
        );
    }

    #[tokio::test]
    async fn a_literal_asks_nobody_and_an_unknown_name_is_an_error() {
        let url: ServerUrl = "https://192.0.2.7:9".parse().unwrap();
        assert_eq!(
            url.resolve().await.unwrap(),
            ["192.0.2.7:9".parse().unwrap()]
        );
        let url: ServerUrl = "https://no-such-name.invalid".parse().unwrap();
        let why = url.resolve().await.unwrap_err().to_string();
        assert!(why.contains("no-such-name.invalid"), "{why}");
    }
}
