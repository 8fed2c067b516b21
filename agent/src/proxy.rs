//! The proxy that this process was told to use, in the variables that all know.

use std::collections::BTreeMap;

/// In lower case alone: the upper case of the first is what a web server takes from a request.
const NAMES: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];

/// Those variables that are set, for a program that is to go by the same proxy.
pub fn variables() -> BTreeMap<String, String> {
    let set = NAMES.iter().filter_map(|name| {
        let value = std::env::var(name).ok()?;
        (!value.is_empty()).then(|| ((*name).to_owned(), value))
    });
    set.collect()
}

/// A proxy that is spoken to without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// A name, or an address without brackets.
    pub host: String,
    /// As written, or 80.
    pub port: u16,
}

/// The proxy for a host; none where it is to be called itself.
///
/// # Errors
/// Where a variable names no proxy that can be used.
pub fn of(https: bool, host: &str) -> Result<Option<Proxy>, String> {
    choose(&variables(), https, host)
}

fn choose(
    variables: &BTreeMap<String, String>,
    https: bool,
    host: &str,
) -> Result<Option<Proxy>, String> {
    let name = if https { "https_proxy" } else { "http_proxy" };
    let spared = variables.get("no_proxy");
    match variables.get(name) {
        Some(proxy) if !spared.is_some_and(|list| spares(list, host)) => parse(proxy)
            .map(Some)
            .map_err(|why| format!("{name}: {why}")),
        _ => Ok(None),
    }
}

/// Whether a host is in the list of those that are called themselves: by its name, by a domain above it, or as one of all.
fn spares(list: &str, host: &str) -> bool {
    list.split([',', ' ']).any(|word| {
        let domain = word.trim_start_matches('.');
        let below = host.strip_suffix(domain);
        word == "*"
            || (!domain.is_empty()
                && below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    })
}

fn parse(proxy: &str) -> Result<Proxy, &'static str> {
    let rest = match proxy.split_once("://") {
        Some(("http", rest)) => rest,
        Some(_) => return Err("only a proxy at http://HOST:PORT can be used"),
        None => proxy,
    };
    let rest = rest.trim_end_matches('/');
    if rest.contains('@') {
        return Err("a proxy with a user is not in this version");
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(inside) => inside.split_once(']').ok_or("a bracket is open")?,
        None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().map_err(|_| "its port is no number")?,
        None => 80,
    };
    match host.is_empty() {
        true => Err("it names no host"),
        false => Ok(Proxy {
            host: host.into(),
            port,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_proxy() {
        let variables = [
            ("http_proxy", "http://plain:3128/"),
            ("https_proxy", "secure:1"),
            ("no_proxy", "localhost, .internal,10.0.0.1"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = variables.into();
        for (https, host, wanted) in [
            (false, "example.org", Some(("plain", 3128))),
            (true, "example.org", Some(("secure", 1))),
            (true, "localhost", None),
            (false, "a.internal", None),
            (false, "internal", None),
            (false, "notinternal", Some(("plain", 3128))),
            (false, "10.0.0.1", None),
            (false, "10.0.0.10", Some(("plain", 3128))),
        ] {
            let found = choose(&variables, https, host).unwrap();
            let found = found.as_ref().map(|proxy| (&*proxy.host, proxy.port));
            assert_eq!(found, wanted, "{host}");
        }
        assert!(spares("*", "anything"));
        assert_eq!(choose(&BTreeMap::new(), true, "h"), Ok(None));
    }

    #[test]
    fn proxies() {
        let of = |host: &str, port| {
            Ok(Proxy {
                host: host.into(),
                port,
            })
        };
        assert_eq!(parse("http://p"), of("p", 80));
        assert_eq!(parse("http://[::1]:81"), of("::1", 81));
        for refused in ["https://p", "socks5://p", "http://u:p@h", "http://", "h:x"] {
            assert!(parse(refused).is_err(), "{refused}");
        }
    }
}
