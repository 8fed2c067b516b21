//! The [Install] section of a unit file: what `enable` makes of it.

use std::collections::BTreeSet;

/// What a unit file says of its start at boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Install {
    /// Units in whose `.wants` it is linked.
    pub wanted_by: Vec<String>,
    /// Units in whose `.requires` it is linked.
    pub required_by: Vec<String>,
    /// Units in whose `.upholds` it is linked, by a systemd that knows them.
    pub upheld_by: Vec<String>,
    /// Its other names.
    pub alias: Vec<String>,
    /// Units that are enabled along with it.
    pub also: Vec<String>,
}

/// The links that an enabled unit has, as paths below `/etc/systemd/system`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// These it has.
    pub must: BTreeSet<String>,
    /// These a newer systemd makes too.
    pub may: BTreeSet<String>,
}

impl Install {
    /// Reads a unit file.
    pub fn parse(text: &str) -> Self {
        let mut install = Install::default();
        let mut inside = false;
        let joined = text.replace("\\\n", " ");
        for line in joined.lines().map(str::trim) {
            if line.starts_with('[') {
                inside = line == "[Install]";
            } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
                let list = match key.trim() {
                    "WantedBy" => &mut install.wanted_by,
                    "RequiredBy" => &mut install.required_by,
                    "UpheldBy" => &mut install.upheld_by,
                    "Alias" => &mut install.alias,
                    "Also" => &mut install.also,
                    _ => continue,
                };
                let words = value.split_ascii_whitespace().map(str::to_owned);
                if value.trim().is_empty() {
                    list.clear();
                }
                list.extend(words);
            }
        }
        install
    }

    /// Whether the unit itself can be enabled, and not only others along with it.
    pub fn enables(&self) -> bool {
        let lists = [
            &self.wanted_by,
            &self.required_by,
            &self.upheld_by,
            &self.alias,
        ];
        lists.iter().any(|list| !list.is_empty())
    }

    /// The links of this unit once it is enabled; none where systemd alone can say (specifiers, names of instances).
    pub fn links(&self, unit: &str) -> Option<Links> {
        let folder = |other: &String, end: &str| format!("{other}.{end}/{unit}");
        let wants = self.wanted_by.iter().map(|other| folder(other, "wants"));
        let requires = self
            .required_by
            .iter()
            .map(|other| folder(other, "requires"));
        let alias = self.alias.iter().filter(|alias| *alias != unit).cloned();
        let links = Links {
            must: wants.chain(requires).chain(alias).collect(),
            may: self
                .upheld_by
                .iter()
                .map(|other| folder(other, "upholds"))
                .collect(),
        };
        let mut all = links.must.iter().chain(&links.may);
        let open = all.any(|link| link.contains('%')) || self.alias.iter().any(|a| a.contains('@'));
        (!open).then_some(links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_enable_makes_of_it() {
        let text = "[Service]\nWantedBy=not.here\n[Install]\nWantedBy=gone.target\nWantedBy=\n\
            WantedBy=a.target \\\n b.target\n# WantedBy=c.target\nRequiredBy=r.target\nUpheldBy=u.target\n\
            Alias=x.service y.service\nAlso=x.socket\n";
        let install = Install::parse(text);
        assert!(install.enables());
        assert_eq!(install.also, ["x.socket"]);
        let links = install.links("x.service").unwrap();
        let must: Vec<&str> = links.must.iter().map(String::as_str).collect();
        assert_eq!(
            must,
            [
                "a.target.wants/x.service",
                "b.target.wants/x.service",
                "r.target.requires/x.service",
                "y.service"
            ]
        );
        assert!(links.may.contains("u.target.upholds/x.service"));
    }

    #[test]
    fn what_enables_nothing_or_what_only_systemd_knows() {
        for text in ["", "[Unit]\nWantedBy=a\n", "[Install]\nAlso=x.socket\n"] {
            assert!(!Install::parse(text).enables(), "{text}");
        }
        for text in ["WantedBy=a@%i.target", "Alias=a@.service"] {
            let install = Install::parse(&format!("[Install]\n{text}\n"));
            assert!(install.enables(), "{text}");
            assert_eq!(install.links("x@y.service"), None, "{text}");
        }
    }
}
