//! The address of something to fetch.

use super::DownloadError;
use std::fmt;
use std::str::FromStr;

/// `http://HOST[:PORT]/PATH`, or with `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Over TLS.
    pub https: bool,
    /// A name, or an address without brackets.
    pub host: String,
    /// As written, or 80 or 443.
    pub port: u16,
    /// Path and query; begins with `/`.
    pub path: String,
}

impl Url {
    /// Host and port as a request names them.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.https, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Where a redirect of this leads.
    ///
    /// # Errors
    /// Where that is nowhere.
    pub fn join(&self, to: &str) -> Result<Url, DownloadError> {
        let to = to.split('#').next().unwrap_or_default();
        let scheme = if self.https { "https" } else { "http" };
        // A scheme comes first: what a query names is none.
        let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let begins = to.split_once("://");
        let whole = if begins.is_some_and(|(scheme, _)| scheme.chars().all(of_scheme)) {
            to.to_owned()
        } else if to.starts_with("//") {
            format!("{scheme}:{to}")
        } else if to.starts_with('/') {
            format!("{scheme}://{}{to}", self.authority())
        } else if to.starts_with('?') {
            let path = self.path.split('?').next().unwrap_or_default();
            format!("{scheme}://{}{path}{to}", self.authority())
        } else {
            let path = self.path.split('?').next().unwrap_or_default();
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{}{folder}/{to}", self.authority())
        };
        whole.parse()
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl FromStr for Url {
    type Err = DownloadError;

    fn from_str(url: &str) -> Result<Self, DownloadError> {
        let bad = |why| DownloadError::Url {
            url: url.into(),
            why,
        };
        if !url.chars().all(|c| c.is_ascii_graphic()) {
            return Err(bad(
                "what is no letter, digit or sign in it is to be written as %XX",
            ));
        }
        let (https, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            _ => return Err(bad("it does not begin with http:// or https://")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split('#').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(bad("a user has no place in it"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(inside) => inside
                .split_once(']')
                .ok_or_else(|| bad("a bracket is open"))?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().map_err(|_| bad("its port is no number"))?,
            None if port.is_empty() => [80, 443][usize::from(https)],
            None => return Err(bad("a port is wanted after the bracket")),
        };
        let named = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
        if host.is_empty() || host.starts_with('-') || !host.chars().all(named) {
            return Err(bad("it names no host"));
        }
        Ok(Self {
            https,
            host: host.into(),
            port,
            path: match path.starts_with('/') {
                true => path.into(),
                false => format!("/{path}"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (written, meant) in [
            ("http://h/a?b=c#d", "http://h/a?b=c"),
            ("HTTPS://h", "https://h/"),
            ("https://h:8443/", "https://h:8443/"),
            ("http://[::1]:81/x", "http://[::1]:81/x"),
            ("http://h?q", "http://h/?q"),
        ] {
            assert_eq!(written.parse::<Url>().unwrap().to_string(), meant);
        }
        for refused in [
            "ftp://h/",
            "h/x",
            "http://",
            "http:///x",
            "http://u:p@h/",
            "http://h:x/",
            "http://[::1/",
            "http://-h/",
            "http://h/a b",
            "http://h/\r\nX: y",
            "http://[::1]x/",
        ] {
            assert!(refused.parse::<Url>().is_err(), "{refused}");
        }
    }

    #[test]
    fn redirects() {
        let from: Url = "https://h:1/a/b?q".parse().unwrap();
        for (to, meant) in [
            ("c", "https://h:1/a/c"),
            ("/c?d", "https://h:1/c?d"),
            ("//other/c", "https://other/c"),
            ("http://other/c#x", "http://other/c"),
            ("/c?u=http://x/", "https://h:1/c?u=http://x/"),
            ("c?u=http://x/", "https://h:1/a/c?u=http://x/"),
            ("?u=http://x/", "https://h:1/a/b?u=http://x/"),
            ("//o/c?u=http://x/", "https://o/c?u=http://x/"),
            ("http://o/c?u=https://x/", "http://o/c?u=https://x/"),
        ] {
            assert_eq!(from.join(to).unwrap().to_string(), meant);
        }
        assert!(from.join("ftp://x/").is_err());
    }
}
