//! The keys of each kind: the one table that declarations are checked against, and that the schema and the README's
//! role reference are made from.

pub use super::shape::Shape;
use crate::edit::Format;
use crate::id::Kind;

/// One key: a row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub shape: Shape,
    /// What holds without it: a value of TOML in backticks, or some words.
    pub default: &'static str,
    /// What it means, in Markdown of one line.
    pub meaning: &'static str,
}

/// A row without its meaning, which `is` gives.
const fn key(name: &'static str, shape: Shape, default: &'static str) -> Key {
    Key {
        name,
        shape,
        default,
        meaning: "",
    }
}

impl Key {
    const fn is(self, meaning: &'static str) -> Key {
        Key { meaning, ..self }
    }
}

/// Without the key, what is there is left as it is.
const NOT_MANAGED: &str = "not managed";
/// Without the key, there is none.
pub const NONE: &str = "none";
/// Without the key, the resource is an error.
pub(super) const NEEDED: &str = "must be given";
/// The same where the resource must be there.
const NEEDED_UNLESS_ABSENT: &str = "must be given, unless absent";

const STATE: Key = key(
    "state",
    Shape::Words(&["present", "absent"]),
    "`\"present\"`",
)
.is("`absent`: it must not be there");

/// Keys that every resource takes.
pub const COMMON: &[Key] = &[
    key("when", Shape::Expression, "`true`").is("left out where it is false, empty or zero"),
    key("each", Shape::Each, NONE).is("one resource an item; `{{ item }}` in its name and values"),
    key("after", Shape::References, "`[]`")
        .is("comes after these, and is skipped where one of them fails"),
];

const PACKAGE: &[Key] = &[
    key("version", Shape::Line, "`\"*\"`").is(
        "`\"*\"` whichever is there, else apt's candidate; `\"latest\"`, apt's candidate; an exact version; a glob over the \
         full Debian version (`\"3.8.*\"`), whose newest may come from any repository. No other package moves it from a version \
         that is written. An epoch that is not written is ignored",
    ),
    key("state", Shape::Words(&["present", "absent", "purged"]), "`\"present\"`")
        .is("`absent` leaves configuration files, `purged` does not"),
    key("hold", Shape::Boolean, NOT_MANAGED)
        .is("whether apt may move it otherwise; a held package is unheld for its own change"),
    key("debconf", Shape::Debconf, NONE).is("answers for its configuration, by question"),
];

const REPOSITORY: &[Key] = &[
    key("uris", Shape::Uris, NEEDED)
        .is("where it is, by a method of apt: `https://…`, `file:/…`, `mirror+http://…`"),
    key("suites", Shape::Lines, NEEDED)
        .is("`[\"stable\"]`; one that ends in `/` is a path and has no components"),
    key("components", Shape::Lines, NONE).is("`[\"main\"]`"),
    key("signed_by", Shape::File, NONE).is("its key, armoured or binary"),
    key("architectures", Shape::Lines, "all").is("`[\"amd64\"]`"),
];

const FILE: &[Key] = &[
    key("content", Shape::Text, NOT_MANAGED).is("what it holds"),
    key("template", Shape::Template, NOT_MANAGED).is("the same, from a file that is rendered"),
    key("source", Shape::File, NOT_MANAGED).is(
        "the same, from a file as it is; whether that is executable does not count, `mode` says it",
    ),
    key("url", Shape::Url, NOT_MANAGED).is("the same, fetched over HTTP or HTTPS; needs `sha256`"),
    key("sha256", Shape::Sha256, NONE).is("what is fetched must hash to"),
    key("mode", Shape::Mode, NOT_MANAGED).is("a new one gets `0644`, or `0600` if sensitive"),
    key("owner", Shape::Account, NOT_MANAGED).is("a new one belongs to root"),
    key("group", Shape::Account, NOT_MANAGED).is("a new one belongs to root"),
    key("validate", Shape::Shell, NONE)
        .is("judges the new file, `%s` its path, and must leave it as it is; where it fails the old one stays. A command \
         without `%s` does not look at it, of which check warns"),
    key("sensitive", Shape::Boolean, "`false`")
        .is("its content is never shown, logged or reported; what reads a secret is so by itself"),
    key("create_only", Shape::Boolean, "`false`")
        .is("content counts only while there is no such file"),
    STATE,
];

const DIRECTORY: &[Key] = &[
    key("mode", Shape::Mode, NOT_MANAGED).is("a new one gets `0755`"),
    key("owner", Shape::Account, NOT_MANAGED).is("a new one belongs to root"),
    key("group", Shape::Account, NOT_MANAGED).is("a new one belongs to root"),
    key("source", Shape::Tree, NONE).is(
        "each file of the tree becomes a `file:` resource below, and each folder in it a `directory:`, with this \
         owner and group; an empty folder becomes nothing, as in git",
    ),
    key("purge", Shape::Boolean, "`false`").is(
        "what lies in it and no resource claims is removed, each thing named in the plan. It stops at mounts and at what is cfg's own, and is \
         refused on `/`, `/etc`, `/usr`, `/var`, `/home`, `/root` and `/boot`",
    ),
    STATE.is("an `absent` one is removed where nothing stands in it; what does must be `absent` too"),
];

const LINK: &[Key] = &[
    key("target", Shape::Line, NEEDED_UNLESS_ABSENT).is("as `readlink` shows it; relative is fine"),
    STATE,
];

const EDIT: &[Key] = &[
    key("path", Shape::Path, "the name")
        .is("which file; several edits may share one, if their formats agree and their keys are apart"),
    key("format", Shape::Words(Format::WORDS), NEEDED).is("how it is written"),
    key("set", Shape::Settings, NONE).is("values that must be there"),
    key("remove", Shape::Removals, "`[]`").is(
        "what must not be there: a name with dots between keys (`\"log.level\"`), or an array of keys \
         (`[\"log\", \"a.b\"]`)",
    ),
    key("lines", Shape::WantedLines, "`[]`").is("for `lines`: `{ line, match }`, see below"),
    key("create", Shape::Boolean, "`false`").is(
        "a missing file is made (0644, root), with what leads to it; else it is a failure. Counts for all edits of a \
         path",
    ),
];

const SYSCTL: &[Key] = &[
    key("value", Shape::Setting, NEEDED_UNLESS_ABSENT)
        .is("spaces and tabs between its fields make no difference"),
    STATE.is("`absent` removes its file and leaves the kernel as it is"),
];

const MOUNT: &[Key] = &[
    key("device", Shape::Line, NEEDED_UNLESS_ABSENT)
        .is("a device, `UUID=…`, `LABEL=…`, a folder (with `bind`), `host:/path`, `tmpfs`"),
    key("fstype", Shape::Line, NEEDED_UNLESS_ABSENT).is("`ext4`, `nfs`, `tmpfs`; `none` with `bind`"),
    key("options", Shape::Line, "`\"defaults\"`").is("between commas, as in fstab"),
    key("dump", Shape::Number, "`0`").is("the fifth field of fstab"),
    key("pass", Shape::Number, "`0`").is("the sixth field of fstab"),
    key(
        "state",
        Shape::Words(&["mounted", "present", "unmounted", "absent"]),
        "`\"mounted\"`",
    )
    .is("`present` is in fstab, mounted or not; `unmounted` is in fstab and not mounted; `absent` is neither"),
];

const ARCHIVE: &[Key] = &[
    key("url", Shape::Url, NONE)
        .is("where it is fetched; this and `sha256`, or `source`, must be given"),
    key("sha256", Shape::Sha256, NONE).is("what it must hash to"),
    key("source", Shape::File, NONE).is("an archive in the role"),
    key("strip", Shape::Number, "`0`")
        .is("so many folders are left out at the beginning of each name"),
    key("owner", Shape::Account, "root").is("of all that it holds"),
    key("group", Shape::Account, "root").is("of all that it holds"),
    STATE.is("`absent` removes what was unpacked"),
];

const SERVICE: &[Key] = &[
    key("state", Shape::Words(&["running", "stopped"]), NOT_MANAGED).is("whether it runs"),
    key("enabled", Shape::Boolean, NOT_MANAGED).is("whether it starts at boot"),
    key("masked", Shape::Boolean, NOT_MANAGED)
        .is("whether nothing can start it; enacted before packages"),
    key("unit", Shape::Template, NONE)
        .is("its unit file, written to `/etc/systemd/system/` before the first service is touched"),
    key("restart_on", Shape::References, "`[]`")
        .is("files, edits, directories, packages: restarted when one is not what it started with"),
    key("reload_on", Shape::References, "`[]`")
        .is("the same with a reload; a unit that cannot reload is restarted"),
];

const USER: &[Key] = &[
    key("uid", Shape::Number, NOT_MANAGED).is("a new one gets the next free one, be it one that the role gives to who comes later"),
    key("gid", Shape::Account, NOT_MANAGED)
        .is("its primary group; a new user gets a group of its own name"),
    key("groups", Shape::Accounts, NONE).is("groups it must be in, beside those it is in"),
    key("exact_groups", Shape::Boolean, "`false`").is("in these `groups` and no others"),
    key("shell", Shape::Path, NOT_MANAGED).is("login shell"),
    key("home", Shape::Path, NOT_MANAGED).is(
        "made with the user, or empty where it changes to one that is missing; an old one is never moved",
    ),
    key("system", Shape::Boolean, "`false`")
        .is("a new one gets a number of the system's range, and a home only where it has `authorized_keys`"),
    key("authorized_keys", Shape::LoginKeys, NOT_MANAGED)
        .is("exactly these keys, one a line, in `.ssh/authorized_keys`; blanks around a key do not count"),
    key("password_hash", Shape::Line, NOT_MANAGED).is("as in `/etc/shadow`; never shown"),
    STATE.is("a home is never removed, and root neither"),
];

const GROUP: &[Key] = &[
    key("gid", Shape::Number, NOT_MANAGED).is(
        "a new one gets the next free one, be it one that the role gives to one that comes later",
    ),
    key("system", Shape::Boolean, "`false`").is("a new one gets a number of the system's range"),
    STATE,
];

const COMMAND: &[Key] = &[
    key("run", Shape::Shell, NEEDED).is("what is run"),
    key("unless", Shape::Shell, NONE).is("not run while this succeeds; a program that is not there does not"),
    key("only_if", Shape::Shell, NONE).is("run only while this succeeds; a program that is not there does not"),
    key("creates", Shape::Path, NONE).is("not run while this exists"),
    key("on", Shape::References, "`[]`").is(
        "files, edits, directories, links, packages: owed until it succeeded with these as they are now",
    ),
    key("user", Shape::Account, "root").is("who runs it, and its guards"),
    key("cwd", Shape::Path, "`\"/\"`").is("where"),
    key("env", Shape::Environment, "`{}`")
        .is("added to a minimal environment (`PATH`, `LC_ALL`, `HOME`)"),
    key("timeout", Shape::Duration, "`\"5m\"`").is("then it is killed. A guard may take a minute"),
];

/// Keys of `[fleet]`, and whether this version has them.
pub const FLEET: &[Key] = &[
    key("health", Shape::Shell, NONE).is("must pass after services were started or restarted"),
    key("health_timeout", Shape::Duration, "`\"2m\"`").is("how long it may take until it does"),
    key("wait_for", Shape::Cohorts, NONE).is(
        "what reads `fleet.members(\"ROLE\")`, or `fleet.peers()`, waits until so many of that role have enrolled",
    ),
    key("max_unavailable", Shape::Limit, NONE).is(
        "so many members may be disrupted at a time, see [slots](#slots)",
    ),
    key("leader", Shape::Shell, NONE).is("succeeds on the member that goes last"),
    key("join_last", Shape::References, "`[]`").is(
        "what a member that comes after the others leaves until all of them have applied that it came",
    ),
    key("gone_after", Shape::Duration, NONE).is(
        "a member unseen for so long leaves counts and views, until it is back; `\"5m\"` or more",
    ),
];

/// The types that the tables name, and what each is.
pub const TYPES: &[(&str, &str)] = &[
    ("line", "a string without line breaks, not empty"),
    ("text", "a string"),
    ("boolean", "`true` or `false`"),
    ("number", "a whole number from 0 to 4294967294"),
    (
        "mode",
        "a string of one to four octal digits, with or without a `0` before them: `\"0644\"`, `\"01777\"`; a bare number is an error",
    ),
    ("account", "the name or the number of a user or group"),
    (
        "path",
        "an absolute path; `//` and a trailing `/` make no difference, `..` is refused",
    ),
    ("file", "a path inside the role's folder; taken as it is"),
    ("template", "a path inside the role's folder; rendered"),
    ("tree", "a folder inside the role's folder"),
    ("shell", "an array is argv; a string is for `/bin/sh -c`"),
    ("duration", "`\"90s\"`, `\"2m\"`, `\"1h\"`, `\"1d\"`"),
    (
        "url",
        "an address of `http://` or `https://`, without a user",
    ),
    ("sha256", "64 hexadecimal digits"),
    ("setting", "a string or an integer"),
    (
        "answers",
        "a table of answers by question: a string, a boolean, a number, or `{ type, value }`",
    ),
    (
        "cohorts",
        "a table of numbers of members by role, 1 to 10000: `{ zookeeper = 3 }`",
    ),
    (
        "limit",
        "a number of members, 1 to 10000, or a part of them: `\"10%\"`, rounded down, but one always",
    ),
    (
        "expression",
        "bare, without `{{ }}`: `\"params.port > 1024\"`",
    ),
    (
        "references",
        "an array of `kind:name`, or globs over names: `\"file:/etc/web/*\"`",
    ),
];

impl Shape {
    /// What the tables call it.
    pub fn word(self) -> String {
        match self {
            Shape::Expression => "expression".into(),
            Shape::Each => "array or expression".into(),
            Shape::References => "references".into(),
            Shape::Line => "line".into(),
            Shape::Text => "text".into(),
            Shape::Words(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(", ")
            }
            Shape::Boolean => "boolean".into(),
            Shape::Number => "number".into(),
            Shape::Account => "account".into(),
            Shape::Accounts => "array of groups".into(),
            Shape::Mode => "mode".into(),
            Shape::Lines | Shape::LoginKeys | Shape::Uris => "array of lines".into(),
            Shape::Shell => "shell".into(),
            Shape::Path => "path".into(),
            Shape::Template => "template".into(),
            Shape::File => "file".into(),
            Shape::Tree => "tree".into(),
            Shape::Environment => "table of strings".into(),
            Shape::Duration => "duration".into(),
            Shape::Settings => "table".into(),
            Shape::Removals => "array".into(),
            Shape::WantedLines => "array of tables".into(),
            Shape::Url => "url".into(),
            Shape::Sha256 => "sha256".into(),
            Shape::Setting => "setting".into(),
            Shape::Debconf => "answers".into(),
            Shape::Cohorts => "cohorts".into(),
            Shape::Limit => "limit".into(),
        }
    }
}

/// What a kind is, in one sentence.
pub fn about(kind: Kind) -> &'static str {
    match kind {
        Kind::Repository => "A source for apt",
        Kind::Group => "A group of the system",
        Kind::User => "A user of the system",
        Kind::Package => "A Debian package",
        Kind::Directory => "A directory",
        Kind::File => "A file",
        Kind::Link => "A symbolic link",
        Kind::Edit => "A part of a file that something else owns",
        Kind::Sysctl => "A setting of the kernel",
        Kind::Mount => "A file system: a line of `/etc/fstab`, and whether it is mounted",
        Kind::Archive => {
            "A tar (plain, or packed with gzip, xz or zstd) or a zip, unpacked into a directory of its own"
        }
        Kind::Command => "A command, run while its guards let it",
        Kind::Service => "A systemd unit",
    }
}

/// The keys of this kind alone.
pub fn own(kind: Kind) -> &'static [Key] {
    match kind {
        Kind::Repository => REPOSITORY,
        Kind::Group => GROUP,
        Kind::User => USER,
        Kind::Package => PACKAGE,
        Kind::Directory => DIRECTORY,
        Kind::File => FILE,
        Kind::Link => LINK,
        Kind::Edit => EDIT,
        Kind::Sysctl => SYSCTL,
        Kind::Mount => MOUNT,
        Kind::Archive => ARCHIVE,
        Kind::Command => COMMAND,
        Kind::Service => SERVICE,
    }
}

/// The keys that a kind takes.
pub fn of(kind: Kind) -> impl Iterator<Item = &'static Key> {
    own(kind).iter().chain(COMMON)
}

/// What this key of this kind takes.
pub fn shape(kind: Kind, key: &str) -> Option<Shape> {
    of(kind).find(|row| row.name == key).map(|row| row.shape)
}

/// What a key is merged under: the ways to give a file or an archive its bytes are one.
pub fn slot(kind: Kind, key: &str) -> &str {
    match (kind, key) {
        (Kind::File, "template" | "source" | "url") | (Kind::Archive, "source" | "url") => {
            "content"
        }
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::given::Given;
    use crate::text::tree;

    #[test]
    fn a_row_says_all_that_people_are_told() {
        let all = Kind::ALL
            .into_iter()
            .flat_map(own)
            .chain(COMMON)
            .chain(FLEET);
        let mut defaults = 0;
        for row in all {
            assert!(
                !row.meaning.is_empty() && !row.default.is_empty(),
                "{}",
                row.name
            );
            assert!(!row.meaning.contains(['|', '\n']), "{}", row.name);
            let Some(value) = row.default.strip_prefix('`') else {
                continue;
            };
            defaults += 1;
            let value = tree::value(value.trim_end_matches('`')).unwrap().json();
            let given = Given {
                value,
                computed: false,
            };
            assert_eq!(
                row.shape.check(&given),
                Ok(()),
                "the default of {}",
                row.name
            );
        }
        assert!(defaults > 20);
    }
}
