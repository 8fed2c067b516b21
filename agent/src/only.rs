//! `KIND:GLOB`: which resources of a role a call is about.

use cfg_catalog::glob::Glob;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::text::near::nearest;
use std::str::FromStr;

/// `KIND:GLOB`.
#[derive(Clone, Debug)]
pub struct Only {
    text: String,
    kind: Kind,
    glob: Glob,
    /// The name that it is, where it is one: in its one spelling.
    exact: Option<ResourceId>,
}

impl FromStr for Only {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((word, name)) = text.split_once(':') else {
            let meant = match Kind::of_word(text) {
                Some(kind) => format!("{}:**", kind.word()),
                None if text.starts_with('/') => format!("file:{text}"),
                None => "file:/etc/zookeeper/**".into(),
            };
            return Err(format!("KIND:GLOB is wanted, as in {meant}"));
        };
        let kind = Kind::of_word(word).ok_or_else(|| {
            let near = nearest(word, Kind::ALL.map(Kind::word));
            let meant = near.map_or(String::new(), |near| {
                format!("; did you mean {near}:{name}?")
            });
            format!("there is no kind \"{word}\"{meant}")
        })?;
        Ok(Self {
            text: text.into(),
            kind,
            glob: glob(name)?,
            exact: ResourceId::new(kind, name).in_one_spelling().ok(),
        })
    }
}

fn glob(name: &str) -> Result<Glob, String> {
    let mut single = name.to_owned();
    while single.contains("//") {
        single = single.replace("//", "/");
    }
    Glob::of_names(&single).map_err(|error| error.to_string())
}

impl Only {
    /// Whether this resource is meant.
    pub fn names(&self, id: &ResourceId) -> bool {
        let unit = || format!("{}.service", id.name);
        self.exact.as_ref() == Some(id)
            || (id.kind == self.kind
                && (self.glob.matches(&id.name)
                    || (id.kind == Kind::Service && self.glob.matches(&unit()))))
    }

    /// As it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What may be meant where none of these is named: words to be added, or none.
    pub fn meant(&self, all: &[&ResourceId]) -> String {
        let word = self.kind.word();
        let name = self.text.split_once(':').map_or("", |(_, name)| name);
        let is_any = |name: &str| {
            let mut others = all.iter().filter(|id| id.kind == self.kind);
            glob(name).is_ok_and(|glob| others.any(|id| glob.matches(&id.name)))
        };
        let deep = name.replace("**", "*").replace('*', "**");
        let below = format!("{}/**", name.trim_end_matches('/'));
        if deep != name && is_any(&deep) {
            return format!("; `*` does not cross `/`, as `**` does: {word}:{deep}");
        }
        if is_any(&below) {
            return format!("; what lies below it is {word}:{below}");
        }
        if name.contains(',') && !name.contains('{') {
            return "; several are given by an --only each".into();
        }
        let names: Vec<String> = all.iter().map(|id| id.to_string()).collect();
        let near = nearest(&self.text, names.iter().map(String::as_str));
        near.map_or(String::new(), |near| format!("; did you mean {near}?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ResourceId {
        text.parse().unwrap()
    }

    #[test]
    fn only_is_a_kind_and_a_glob() {
        for (only, resource, named) in [
            ("file:/etc/*", "file:/etc/hosts", true),
            ("file:/etc/*", "file:/etc/apt/x", false),
            ("file:/etc/**", "file:/etc/apt/x", true),
            ("file:/etc/*", "link:/etc/hosts", false),
            ("service:zookeeper", "service:zookeeper", true),
            ("service:zookeeper.service", "service:zookeeper", true),
            ("service:zoo*.service", "service:zookeeper", true),
            ("service:zookeeper.service", "service:zoo", false),
            ("file:/etc//hosts", "file:/etc/hosts", true),
            ("file:/etc//*", "file:/etc/hosts", true),
            ("directory:/etc/apt/", "directory:/etc/apt", true),
            (
                "sysctl:net/ipv4/ip_forward",
                "sysctl:net.ipv4.ip_forward",
                true,
            ),
        ] {
            let parsed: Only = only.parse().unwrap();
            assert_eq!(parsed.names(&id(resource)), named, "{only} {resource}");
        }
        for (wrong, why) in [
            ("file", "as in file:**"),
            ("/etc/hosts", "as in file:/etc/hosts"),
            ("fil:/x", "did you mean file:/x?"),
            ("file:[", "unclosed"),
        ] {
            let told = wrong.parse::<Only>().unwrap_err();
            assert!(told.contains(why), "{wrong}: {told}");
        }
    }

    #[test]
    fn what_names_nothing_says_what_may_be_meant() {
        let (file, package) = (id("file:/etc/nginx/sites/a"), id("package:vim"));
        for (only, meant) in [
            (
                "file:/etc/*",
                "; `*` does not cross `/`, as `**` does: file:/etc/**",
            ),
            (
                "file:/etc/nginx",
                "; what lies below it is file:/etc/nginx/**",
            ),
            (
                "package:vim,package:less",
                "; several are given by an --only each",
            ),
            ("package:vin", "; did you mean package:vim?"),
            ("service:nginx", ""),
        ] {
            let parsed: Only = only.parse().unwrap();
            assert_eq!(parsed.meant(&[&file, &package]), meant, "{only}");
        }
    }
}
