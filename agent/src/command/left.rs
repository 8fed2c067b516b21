//! A leftover explained: of which role it is, what was there before cfg, and what a revert would do.

use super::output;
use crate::error::Error;
use crate::job::Document;
use cfg_catalog::id::{Kind, ResourceId};
use cfg_catalog::plan::leftovers::Told;
use cfg_catalog::plan::show::escape;
use serde_json::{Value, json};

/// Before each line of a list.
const INDENT: &str = "  ";

pub struct Left {
    id: ResourceId,
    told: Told,
    /// What a revert would do, with nothing in it but what is about this resource.
    plan: Document,
}

impl Left {
    pub fn of(id: &ResourceId, told: Told) -> Self {
        Self {
            id: id.clone(),
            told,
            plan: Document::of_plan(Default::default(), &Default::default()),
        }
    }

    /// With a dry run that reverts.
    #[must_use]
    pub fn with(self, mut plan: Document) -> Self {
        let files = &self.told.files;
        let about = |other: &ResourceId| {
            let at_path = matches!(other.kind, Kind::File | Kind::Link);
            *other == self.id || (at_path && files.iter().any(|file| file.as_str() == &*other.name))
        };
        plan.changes.retain(|change| about(&change.resource));
        plan.held.retain(|held| about(&held.resource));
        plan.failures.clear();
        plan.leftovers.retain(|left| about(&left.resource));
        Self { plan, ..self }
    }

    /// As one JSON document.
    pub fn json(&self) -> Value {
        json!({
            "version": 1,
            "resource": self.id,
            "role": self.told.role,
            "leftover": true,
            "before": self.told.before,
            "changes": self.plan.changes,
            "held": self.plan.held,
            "leftovers": self.plan.leftovers,
        })
    }

    /// For a person at this terminal.
    pub fn text(&self) -> Result<String, Error> {
        let mut text = format!(
            "{} is left over from the role {}\n\nBefore cfg: {}\n",
            escape(&self.id.to_string()),
            self.told.role,
            escape(&self.told.before)
        );
        let would = output::body(&self.plan, INDENT.len());
        text.push_str(match would.is_empty() {
            true => "\nA revert would change nothing of it.\n",
            false => "\nA revert (leftovers = \"revert\" in the role, or cfg apply --prune)\n",
        });
        for line in would.lines() {
            text.push_str(&format!("{INDENT}{line}\n"));
        }
        Ok(text)
    }
}
