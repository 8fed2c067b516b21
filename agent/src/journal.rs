//! A run in the agent's log: a line for each change and each failure, none where nothing happened.

use cfg_catalog::plan::document::{Document, Outcome};
use cfg_catalog::plan::show;
use tracing::{debug, info, warn};

/// Logs a run.
pub fn log(document: &Document) {
    for change in &document.changes {
        let line = show::line(change, show::Style::Plain, document.dry_run);
        if document.dry_run {
            info!("would change {}", line.trim_end());
        } else {
            info!("{}", line.trim_end());
        }
    }
    for held in &document.held {
        info!("{} is held: {}", held.resource, held.detail);
    }
    for failure in &document.failures {
        match &failure.resource {
            Some(resource) => warn!("{resource} failed: {}", failure.message),
            None => warn!("{}", failure.message),
        }
    }
    match document.result {
        Outcome::Converged => debug!("{}", line(document)),
        Outcome::Failed => warn!("{}", line(document)),
        _ => info!("{}", line(document)),
    }
}

/// A run in one line.
pub fn line(document: &Document) -> String {
    let word = match document.result {
        Outcome::Converged => "converged",
        Outcome::Applied => "applied",
        Outcome::Changes => "would change",
        Outcome::Paused => "paused",
        Outcome::Waiting => "waiting",
        Outcome::Failed => "failed",
    };
    let counts = &document.counts;
    let role = document.role.as_deref().unwrap_or("no role");
    let mut line = format!(
        "{role}: {word}, {} of {} resources changed",
        counts.changed, counts.resources
    );
    for (count, what) in [
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.held, "held"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    line.push_str(&format!(", {} ms", document.took_ms));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use cfg_catalog::plan::document::{DryRun, Head};

    #[test]
    fn one_line() {
        let head = Head {
            role: Some("zookeeper".into()),
            took_ms: 7,
            ..Head::default()
        };
        let document = Document::of_error(head, DryRun::No, "no space");
        assert_eq!(
            line(&document),
            "zookeeper: failed, 0 of 0 resources changed, 7 ms"
        );
    }
}
