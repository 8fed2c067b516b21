//! What keys of one resource say together: contradictions, and what is missing.

use super::reader::Keys;
use crate::id::Kind;
use crate::resource::Place;
use crate::resource::service::is_template;
use crate::text::declared::KeyText;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Spot};
use crate::text::names;
use serde_json::Value;

/// A key's value, if it is known before rendering, and where it stands.
pub struct Said<'a> {
    pub value: Option<Value>,
    pub at: At<'a>,
}

/// Where something stands; its line is looked up only where something is wrong.
pub enum At<'a> {
    Place(&'a Place),
    Spot(&'a Spot),
    Value(&'a KeyText),
}

impl At<'_> {
    fn spot(&self) -> Spot {
        match self {
            At::Place(place) => Spot::from(*place),
            At::Spot(spot) => (*spot).clone(),
            At::Value(key) => key.value_spot(),
        }
    }

    fn role(&self) -> &str {
        match self {
            At::Place(place) => &place.role,
            At::Spot(spot) => &spot.place.role,
            At::Value(key) => key.role(),
        }
    }
}

/// All that is said of a resource, by key.
pub struct Sayings<'a> {
    pub kind: Kind,
    pub name: &'a str,
    pub at: At<'a>,
    pub keys: Vec<(&'a str, Said<'a>)>,
    /// Whether it is all: else nothing is missing.
    pub all: bool,
}

/// A key with one of these values.
type Case = (Kind, &'static str, &'static [Test]);

#[derive(Clone, Copy)]
enum Test {
    Word(&'static str),
    Yes,
    Any,
}

/// Under the first, none of the others may be said.
const CONTRADICTIONS: &[(Case, &[(&str, Test)])] = &[
    (
        (Kind::File, "state", &[Test::Word("absent")]),
        &[
            ("content", Test::Any),
            ("template", Test::Any),
            ("source", Test::Any),
            ("url", Test::Any),
            ("validate", Test::Any),
            ("create_only", Test::Yes),
        ],
    ),
    (
        (Kind::Directory, "state", &[Test::Word("absent")]),
        &[("source", Test::Any), ("purge", Test::Yes)],
    ),
    (
        (Kind::Archive, "state", &[Test::Word("absent")]),
        &[
            ("url", Test::Any),
            ("source", Test::Any),
            ("strip", Test::Any),
            ("owner", Test::Any),
            ("group", Test::Any),
        ],
    ),
    (
        (Kind::Mount, "state", &[Test::Word("absent")]),
        &[
            ("device", Test::Any),
            ("fstype", Test::Any),
            ("options", Test::Any),
            ("dump", Test::Any),
            ("pass", Test::Any),
        ],
    ),
    (
        (Kind::Sysctl, "state", &[Test::Word("absent")]),
        &[("value", Test::Any)],
    ),
    (
        (Kind::Link, "state", &[Test::Word("absent")]),
        &[("target", Test::Any)],
    ),
    (
        (Kind::Edit, "format", &[Test::Word("lines")]),
        &[("set", Test::Any)],
    ),
    (
        (
            Kind::Edit,
            "format",
            &[
                Test::Word("env"),
                Test::Word("ini"),
                Test::Word("json"),
                Test::Word("yaml"),
                Test::Word("toml"),
            ],
        ),
        &[("lines", Test::Any)],
    ),
    (
        (
            Kind::Package,
            "state",
            &[Test::Word("absent"), Test::Word("purged")],
        ),
        &[
            ("version", Test::Any),
            ("hold", Test::Yes),
            ("debconf", Test::Any),
        ],
    ),
    (
        (Kind::Service, "masked", &[Test::Yes]),
        &[
            ("state", Test::Word("running")),
            ("enabled", Test::Yes),
            ("unit", Test::Any),
        ],
    ),
    (
        (Kind::User, "state", &[Test::Word("absent")]),
        &[
            ("groups", Test::Any),
            ("authorized_keys", Test::Any),
            ("password_hash", Test::Any),
        ],
    ),
];

/// What only an instance of a unit template can be.
const OF_INSTANCES: [&str; 4] = ["state", "enabled", "restart_on", "reload_on"];

/// Directories that `purge` would be the end of.
const PRECIOUS: [&str; 7] = ["/", "/etc", "/usr", "/var", "/home", "/root", "/boot"];

impl Test {
    fn holds(self, said: &Said<'_>) -> bool {
        match (self, &said.value) {
            (Test::Any, _) => true,
            (Test::Yes, value) => value == &Some(Value::Bool(true)),
            (Test::Word(word), Some(Value::String(text))) => text == word,
            (Test::Word(_), _) => false,
        }
    }
}

impl Sayings<'_> {
    fn get(&self, key: &str) -> Option<&Said<'_>> {
        let mut keys = self.keys.iter();
        keys.find_map(|(known, said)| (*known == key).then_some(said))
    }

    /// Notes all that does not go together.
    pub fn check(&self, wrong: &mut Diagnostics) {
        for ((kind, key, cases), others) in CONTRADICTIONS {
            let said = (*kind == self.kind).then(|| self.get(key)).flatten();
            let Some(said) = said.filter(|said| cases.iter().any(|case| case.holds(said))) else {
                continue;
            };
            for (other, test) in *others {
                if let Some(there) = self.get(other).filter(|there| test.holds(there)) {
                    wrong.push(self.contradiction((key, said), (other, there)));
                }
            }
        }
        if self.kind == Kind::Service {
            self.template(wrong);
        }
        let missing = self.all.then(|| self.missing());
        for message in missing.into_iter().flatten() {
            wrong.push(Diagnostic::error(self.at.spot(), message));
        }
        self.precious(wrong);
    }

    /// What no machine can be without.
    fn precious(&self, wrong: &mut Diagnostics) {
        let (key, test, help) = match self.kind {
            Kind::Directory if PRECIOUS.contains(&self.name) => (
                "purge",
                Test::Yes,
                "too much lies there that is no role's: purge a folder below it",
            ),
            Kind::User | Kind::Group if self.name == "root" => (
                "state",
                Test::Word("absent"),
                "no machine starts without root: `shell` or `password_hash` keep people from logging in",
            ),
            _ => return,
        };
        if let Some(said) = self.get(key).filter(|said| test.holds(said)) {
            let what = match self.kind {
                Kind::Directory => format!("`purge` is refused on {}", self.name),
                kind => format!("`state = \"absent\"` is refused on {}:root", kind.word()),
            };
            wrong.push(Diagnostic::error(said.at.spot(), what).help(help));
        }
    }

    /// A template is a file, of which only instances run.
    fn template(&self, wrong: &mut Diagnostics) {
        let Ok(unit) = names::unit(self.name) else {
            return;
        };
        if !is_template(&unit) {
            return;
        }
        for key in OF_INSTANCES {
            if let Some(said) = self.get(key) {
                let message = format!(
                    "service:{} is a template, which has no `{key}`; its instances do",
                    self.name
                );
                let mut diagnostic = Diagnostic::error(said.at.spot(), message);
                let instance = unit.replacen('@', "@NAME", 1);
                let instance = instance.strip_suffix(".service").unwrap_or(&instance);
                diagnostic.help = Some(format!("declare service.\"{instance}\""));
                wrong.push(diagnostic);
            }
        }
    }

    fn contradiction(&self, one: (&str, &Said<'_>), other: (&str, &Said<'_>)) -> Diagnostic {
        let show = |(key, said): (&str, &Said<'_>)| match &said.value {
            Some(value)
                if matches!(
                    key,
                    "state" | "masked" | "enabled" | "hold" | "purge" | "format"
                ) =>
            {
                format!("`{key} = {value}`")
            }
            _ => format!("`{key}`"),
        };
        let (a, b) = (one.1.at.role(), other.1.at.role());
        let message = match a == b {
            true => format!("{} contradicts {}", show(one), show(other)),
            false => {
                let (one, other) = (show(one), show(other));
                format!("{one} of the role {a} contradicts {other} of the role {b}")
            }
        };
        Diagnostic::error(one.1.at.spot(), message).note(other.1.at.spot(), "the other one")
    }

    /// Whether something keeps a command from being run each time: an empty `on` does not.
    fn is_guarded(&self) -> bool {
        let none = Some(Value::Array(Vec::new()));
        let mut guards = ["unless", "only_if", "creates", "on"].into_iter();
        guards.any(|guard| self.get(guard).is_some_and(|said| said.value != none))
    }

    fn missing(&self) -> Vec<String> {
        let has = |key: &str| self.get(key).is_some();
        // A word that is none may be meant for this one.
        let there = ["present", "mounted", "unmounted"];
        let is_there = |state: &Value| state.as_str().is_some_and(|word| there.contains(&word));
        let absent = self
            .get("state")
            .is_some_and(|said| !said.value.as_ref().is_some_and(is_there));
        let need = |key: &str| format!("{} needs `{key}`", self.kind.one());
        let mut missing = Vec::new();
        // Words are made only where something is missing.
        let mut demand = |bad: bool, message: &dyn Fn() -> String| {
            if bad {
                missing.push(message());
            }
        };
        match self.kind {
            Kind::File | Kind::Archive => {
                demand(
                    self.kind == Kind::Archive && !absent && !has("url") && !has("source"),
                    &|| "an archive needs `url` or `source`".into(),
                );
                demand(has("url") && !has("sha256"), &|| {
                    "`url` needs sha256, by which what is fetched is believed".into()
                });
                demand(has("sha256") && !has("url"), &|| {
                    "`sha256` needs url".into()
                });
            }
            Kind::Link => demand(!absent && !has("target"), &|| need("target")),
            Kind::Edit => {
                // The name of a template is not known yet.
                let named = self.name.is_empty() || self.name.starts_with('/');
                demand(!named && !has("path"), &|| {
                    format!("{}, or an absolute path as its name", need("path"))
                });
                demand(!has("format"), &|| need("format"));
                demand(!["set", "remove", "lines"].into_iter().any(has), &|| {
                    "an edit needs something to do: set, remove or lines".into()
                });
            }
            Kind::Sysctl => demand(!absent && !has("value"), &|| need("value")),
            Kind::Mount => {
                demand(!absent && !has("device"), &|| need("device"));
                demand(!absent && !has("fstype"), &|| need("fstype"));
            }
            Kind::Repository => {
                demand(!has("uris"), &|| need("uris"));
                demand(!has("suites"), &|| need("suites"));
            }
            Kind::Command => {
                demand(!has("run"), &|| need("run"));
                demand(!self.is_guarded(), &|| {
                    "a command needs a guard: unless, only_if, creates or on".into()
                });
            }
            Kind::User => demand(has("exact_groups") && !has("groups"), &|| {
                "`exact_groups` needs groups".into()
            }),
            _ => {}
        }
        missing
    }
}

/// Judges a resource after rendering.
pub fn rendered(keys: &mut Keys<'_, '_>, name: &str) {
    let declared = keys.declared;
    let mut said = Vec::new();
    for (key, written) in declared.keys.iter() {
        // Only these are compared by value; what a text holds is of no interest here.
        let compared = matches!(
            key.as_str(),
            "state" | "masked" | "enabled" | "hold" | "purge" | "create_only" | "format"
        );
        let value = match compared {
            true => keys.given(key).map(|given| given.value),
            false => None,
        };
        let at = At::Place(&written.place);
        said.push((key.as_str(), Said { value, at }));
    }
    let sayings = Sayings {
        kind: declared.kind,
        name,
        at: At::Place(&declared.place),
        keys: said,
        all: !keys.reader.may_have_keys(&declared.place),
    };
    sayings.check(&mut keys.reader.wrong);
}
