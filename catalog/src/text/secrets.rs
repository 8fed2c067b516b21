//! Where a secret may stand, and why it may not stand elsewhere.
//!
//! It may where what it goes into is shown nowhere and given to no program as an argument: what a file holds or an
//! edit puts into it, the environment of a command, the hash of a password.

use super::diagnostic::Diagnostic;
use crate::id::Kind;

/// Where in a role something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand<'a> {
    /// In the name of a resource.
    Name,
    /// In one that an item of an expression gives, of whose values it is not known which are secret.
    ItemName,
    /// In the value of a key of this kind.
    Key(Kind, &'a str),
    /// In the text of a unit file.
    Unit,
    /// In a key of `[fleet]`.
    Fleet(&'a str),
}

impl Stand<'_> {
    /// Whether a secret may stand there.
    pub fn takes_secrets(self) -> bool {
        matches!(
            self,
            Stand::Key(_, "when" | "each")
                | Stand::Key(Kind::File, "content")
                | Stand::Key(Kind::Edit, "set" | "lines")
                | Stand::Key(Kind::Command, "env")
                | Stand::Key(Kind::User, "password_hash")
        )
    }

    /// What is wrong with a secret there, and what to do instead.
    pub fn refuse(self, refused: impl FnOnce(String) -> Diagnostic) -> Diagnostic {
        let (what, help) = match self {
            Stand::Name => (
                "the name of a resource is shown".to_owned(),
                "name it by something that is not secret",
            ),
            Stand::ItemName => (
                "the name of a resource is shown".to_owned(),
                "write `each` as an array: of that it is known which values of an item are secret",
            ),
            Stand::Unit => (
                "a unit file is for everybody to read".to_owned(),
                "put it into a file of mode 0600, and name that one in the unit: EnvironmentFile=",
            ),
            Stand::Key(Kind::Command, "run" | "unless" | "only_if") => (
                "who lists processes sees their arguments".to_owned(),
                "put it into `env`: env = { PASSWORD = \"{{ params.… }}\" }",
            ),
            Stand::Key(Kind::File, "validate") => (
                "who lists processes sees their arguments".to_owned(),
                "let the command read it from the new file, `%s`",
            ),
            Stand::Fleet(_) => (
                "who lists processes sees their arguments".to_owned(),
                "let the command read it from a file of mode 0600",
            ),
            Stand::Key(Kind::Repository, key) => (
                format!("`{key}` of a repository is for everybody to read"),
                "put it into a file of mode 0600 below /etc/apt/auth.conf.d",
            ),
            Stand::Key(kind, key) => (
                format!("`{key}` of {} is not kept from sight", kind.one()),
                "a secret may stand in what a file holds, in `set` and `lines` of an edit, in `env` of a command and in \
                 `password_hash`",
            ),
        };
        refused(format!("a secret cannot stand here: {what}")).help(help)
    }
}
