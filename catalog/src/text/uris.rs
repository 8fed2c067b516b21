//! Where apt's sources lie.

use super::given::Given;
use super::near::nearest;

/// How apt fetches, or what comes after a `+` in that: sources.list(5), and packages named `apt-transport-…`.
const METHODS: [&str; 11] = [
    "http", "https", "file", "copy", "cdrom", "mirror", "ssh", "rsh", "ftp", "s3", "tor",
];

impl Given {
    /// Addresses that apt has a method for, without white space.
    pub fn uris(&self) -> Result<Vec<String>, String> {
        self.items(|item| {
            let uri = item.line()?;
            if uri.contains(char::is_whitespace) {
                return Err(format!("white space in {uri:?}"));
            }
            let method = uri.split_once(':').map_or("", |(method, _)| method);
            let last = method.rsplit('+').next().unwrap_or_default();
            if METHODS.contains(&last) {
                return Ok(uri);
            }
            let meant = match nearest(last, METHODS) {
                Some(near) => format!("did you mean `{near}:`?"),
                None => "as https://… or file:/…".into(),
            };
            Err(format!("{uri:?} begins with no method of apt, {meant}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_apt_can_fetch() {
        let read = |uri: &str| {
            let (value, computed) = (json!([uri]), false);
            Given { value, computed }.uris()
        };
        for uri in [
            "http://a",
            "https://u:p@a/debian/",
            "file:/srv",
            "file:///srv",
            "copy:/srv",
            "cdrom:[Debian]/",
            "ssh://a",
            "mirror://a/list",
            "mirror+file:/etc/apt/mirrors",
            "tor+http://a",
            "ar+https://europe-apt.pkg.dev/a",
            "s3://bucket",
        ] {
            assert!(read(uri).is_ok(), "{uri}");
        }
        for (uri, why) in [
            ("-x", "no method of apt"),
            ("javascript:x", "no method of apt"),
            ("htps://a", "did you mean `https:`?"),
            ("/srv/mirror", "file:/"),
            ("http ://a", "white space"),
            ("", "empty string"),
        ] {
            let told = read(uri).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
