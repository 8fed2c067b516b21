//! What a word on the command line is called by other tools, and here.

use clap::Error;
use clap::error::{ContextKind, ContextValue};

/// What was meant by a call that cannot be read; none where nobody knows.
pub fn meant(error: &Error) -> Option<&'static str> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    if let Some(verb) = text(ContextKind::InvalidSubcommand) {
        return Some(match verb {
            "plan" | "diff" | "noop" | "test" | "dry-run" => {
                "what a run would change is shown by `cfg apply --dry-run`"
            }
            "lint" | "validate" | "verify" => "a catalog is checked by `cfg check DIR`",
            "run" | "converge" | "sync" | "highstate" => "one run is `cfg apply`",
            "version" => "that is `cfg --version`",
            _ => return None,
        });
    }
    match text(ContextKind::InvalidArg)? {
        "--noop" | "--check" | "--test" | "--plan-only" | "-n" | "-C" => {
            Some("what a run would change is shown by --dry-run")
        }
        "--tags" | "--limit" | "--target" => Some("a part of a role is chosen by --only KIND:GLOB"),
        "--verbose" | "-v" | "--debug" => Some("one resource is told of by `cfg explain RESOURCE`"),
        "--catalog" => Some("it is given the folder alone: `cfg check DIR`, `cfg publish DIR`"),
        folder if !folder.starts_with('-') && takes_catalog(error) => {
            Some("`apply`, `explain` and `render` are given a catalog by --catalog DIR --role NAME")
        }
        _ => None,
    }
}

/// Whether the verb of this call has `--catalog`.
fn takes_catalog(error: &Error) -> bool {
    let text = error.render().to_string();
    let verbs = ["apply", "explain", "render"];
    verbs
        .iter()
        .any(|verb| text.contains(&format!("Usage: cfg {verb}")))
}
