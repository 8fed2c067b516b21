//! One scenario: its folder read, its runs run, and what came of them.

mod input;

use crate::model::machine::Machine;
use crate::model::reverting::{Kept, aim, converge};
use crate::model::run::{Ran, words};
use crate::told::{Told, told};
use cfg_catalog::id::Kind;
use cfg_catalog::plan::document::{Document, Head};
use cfg_catalog::plan::show::{Style, text};
use cfg_catalog::plan::{Action, Certainty, Change};
use cfg_catalog::resource::Desired;
use std::collections::BTreeMap;

pub struct Story {
    machine: Machine,
    desired: Desired,
    kept: Kept,
    host: String,
}

impl Story {
    /// The goldens by name, as they are found; what must hold of every scenario and does not goes to `wrong`.
    pub fn tell(self, wrong: &mut Vec<String>) -> [(&'static str, String); 3] {
        let mut machine = self.machine.clone();
        let mut kept = self.kept.clone();
        let plan = self.dry(&machine, &kept);
        let ran = converge(&mut machine, &self.desired, &mut kept, usize::MAX).unwrap();
        let unneeded = promises(&plan, &ran, wrong);
        refreshed(&ran, &machine, wrong);
        alone(&plan, &machine, &unneeded, wrong);
        let again = self.dry(&machine, &kept);
        if !again.changes.is_empty() {
            wrong.push(format!("a second run would do {:#?}", words(&again)));
        }
        if (&again.held, &again.failures) != (&plan.held, &plan.failures) {
            wrong.push(format!("a second plan is another: {again:#?}"));
        }
        let json = serde_json::to_string_pretty(&plan).unwrap() + "\n";
        if serde_json::from_str::<Document>(&json).ok().as_ref() != Some(&plan) {
            wrong.push("the document does not survive being written".into());
        }
        [
            ("plan.txt", text(&plan, Style::Plain, 80)),
            ("plan.json", json),
            ("after.toml", after(&machine, &unneeded)),
        ]
    }

    fn dry(&self, machine: &Machine, kept: &Kept) -> Document {
        Document {
            host: self.host.clone(),
            role: Some(self.desired.role.clone()),
            started: "2026-01-02T03:04:05Z".into(),
            ..Document::of_plan(Head::default(), &aim(machine, &self.desired, kept).plan)
        }
    }
}

/// A run does what its plan says: all of it but what was assumed, and nothing else. Gives what turned out not to be
/// needed.
fn promises(plan: &Document, ran: &Ran, wrong: &mut Vec<String>) -> Vec<String> {
    let made: BTreeMap<String, &Change> = by_word(&ran.document);
    let planned = by_word(plan);
    let mut unneeded = Vec::new();
    for change in &plan.changes {
        let word = word(change);
        match made.get(&word) {
            Some(made) if *made == change => {}
            Some(made) => wrong.push(format!("planned {change:#?}, made {made:#?}")),
            None if change.certainty == Certainty::Assumed => unneeded.push(word),
            None => wrong.push(format!("{word} was planned and not made")),
        }
    }
    for word in made.keys().filter(|word| !planned.contains_key(*word)) {
        wrong.push(format!("{word} was made and not planned"));
    }
    if !ran.document.unforeseen.is_empty() {
        wrong.push(format!("unforeseen: {:?}", ran.document.unforeseen));
    }
    if ran.document.failures != plan.failures || ran.document.held != plan.held {
        wrong.push(format!("the run came to other ends: {:#?}", ran.document));
    }
    unneeded
}

/// No run says that it restarted what it did not.
fn refreshed(ran: &Ran, machine: &Machine, wrong: &mut Vec<String>) {
    let refresh = [Action::Restart, Action::Reload];
    let said = ran.document.changes.iter();
    for change in said.filter(|change| refresh.contains(&change.action)) {
        let does = |action: Action| format!("{} {}", change.resource, action.word());
        let would = [Action::Start, Action::Restart, Action::Reload].map(does);
        if !machine.log.iter().any(|effect| would.contains(effect)) {
            wrong.push(format!("{} was said and not done", word(change)));
        }
    }
}

/// Where cfg alone moves things, and no package, command, account or file system beside it, its effects are the plan's, in order.
fn alone(plan: &Document, machine: &Machine, unneeded: &[String], wrong: &mut Vec<String>) {
    let helped = [
        Kind::Package,
        Kind::Command,
        Kind::User,
        Kind::Mount,
        Kind::Archive,
    ];
    if plan
        .changes
        .iter()
        .any(|c| helped.contains(&c.resource.kind))
    {
        return;
    }
    let mut planned = words(plan);
    planned.retain(|word| !unneeded.contains(word));
    if planned != machine.log {
        wrong.push(format!("planned {planned:#?}, did {:#?}", machine.log));
    }
}

fn word(change: &Change) -> String {
    format!("{} {}", change.resource, change.action.word())
}

fn by_word(document: &Document) -> BTreeMap<String, &Change> {
    document.changes.iter().map(|c| (word(c), c)).collect()
}

fn after(machine: &Machine, unneeded: &[String]) -> String {
    let mut text = String::from("# What the run did, in order.\n");
    text.push_str(&list("effects", &machine.log));
    if !unneeded.is_empty() {
        text.push_str("# What the plan assumed, and turned out not to be needed.\n");
        text.push_str(&list("unneeded", unneeded));
    }
    let told: Told = told(machine);
    format!("{text}\n{}", toml::to_string_pretty(&told).unwrap())
}

fn list(key: &str, items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("  {item:?},\n")).collect();
    match items.is_empty() {
        true => format!("{key} = []\n"),
        false => format!("{key} = [\n{}]\n", items.concat()),
    }
}
