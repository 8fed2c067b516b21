//! Questions about a whole machine: whether its role is healthy, and whether it leads.

use super::site::{Hand, Healthy};
use crate::effect::Outcome;
use crate::guard::{self, Question, Where};
use crate::resource::command;
use cfg_catalog::resource::{Health, Shell};
use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// No such question in a run may take longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The first pause between two questions about the role's health, which doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two questions about the role's health.
const PAUSE: Duration = Duration::from_secs(2);

/// What says for so long that it is not healthy is not. A machine under load, or members that elect another leader, are done by then;
/// and much hangs on it, since what is not healthy may be disrupted, and what only seems to run is started.
pub(super) const SURE: Duration = Duration::from_secs(10);

/// What a shell ends with where it finds no such program, or may not run it.
const NOT_RUN: [i32; 2] = [126, 127];

/// Asks a role's health once.
pub fn ask(root: &Path, health: &Health, place: Where, timeout: Duration) -> Healthy {
    let unknown = |why: &str| Healthy::Unknown(format!("it cannot be asked{}", told(why)));
    let answer = match question(root, &health.command, timeout).ask(place) {
        Ok(answer) => answer,
        Err(error) => return unknown(&cfg_catalog::chain(error.as_ref())),
    };
    let words = command::last_lines(&answer.output);
    match answer.outcome {
        Some(outcome) if outcome.is_success() => Healthy::Yes,
        Some(Outcome::Exited(code)) if NOT_RUN.contains(&code) => unknown(&words),
        Some(outcome) if words.is_empty() => Healthy::No(outcome.to_string()),
        Some(_) => Healthy::No(words),
        None => unknown(&words),
    }
}

/// Whether this command succeeds; not where it cannot be run.
pub(super) fn succeeds(root: &Path, command: &Shell) -> bool {
    let answer = question(root, command, PATIENCE).ask(Where::Open);
    let outcome = answer.ok().and_then(|answer| answer.outcome);
    outcome.is_some_and(|outcome| outcome.is_success())
}

fn question<'a>(root: &'a Path, command: &Shell, timeout: Duration) -> Question<'a> {
    const NONE: &BTreeMap<String, String> = &BTreeMap::new();
    Question {
        argv: guard::argv(command),
        env: NONE,
        user: None,
        cwd: "/",
        root,
        timeout,
    }
}

/// How a role's health was asked before this one came, where that is another way.
pub fn former(health: &Health, kept: Option<Shell>) -> Option<Health> {
    let command = kept.filter(|kept| *kept != health.command)?;
    let timeout_s = health.timeout_s;
    Some(Health { command, timeout_s })
}

/// How long it may take until it passes.
pub(super) fn timeout(health: &Health) -> Duration {
    Duration::from_secs(health.timeout_s)
}

/// Asks until it passes, or the time is over.
pub(super) fn ask_until(hand: &mut impl Hand, health: &Health, timeout: Duration) -> Healthy {
    let deadline = hand.clock() + timeout;
    let mut pause = FIRST_PAUSE;
    loop {
        let answer = hand.healthy(health);
        let left = deadline.saturating_sub(hand.clock());
        if answer == Healthy::Yes || left.is_zero() {
            return answer;
        }
        hand.wait(pause.min(left));
        pause = (pause * 2).min(PAUSE);
    }
}

/// Whether it is surely not healthy, by a look that changes nothing.
pub(super) fn is_sick(root: &Path, health: &Health, place: Where) -> bool {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let sick = matches!(ask(root, health, place, PATIENCE), Healthy::No(_));
        let left = SURE.saturating_sub(began.elapsed());
        if !sick || left.is_zero() {
            return sick;
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSE);
    }
}

/// What it said, at the end of a sentence.
pub(super) fn told(said: &str) -> String {
    match said.trim() {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_run_says_nothing() {
        let asked = |argv: &[&str]| {
            let command = Shell::Argv(argv.iter().map(|word| (*word).to_owned()).collect());
            let health = Health {
                command,
                timeout_s: 1,
            };
            ask(Path::new("/"), &health, Where::Open, PATIENCE)
        };
        assert_eq!(asked(&["true"]), Healthy::Yes);
        let said = Healthy::No("no quorum".into());
        assert_eq!(asked(&["sh", "-c", "echo no quorum; false"]), said);
        for argv in [
            &["/no/such/program"][..],
            &["/etc/passwd"],
            &["sh", "-c", "/no/such/program"],
            &["sh", "-c", "/etc/passwd"],
        ] {
            let said = asked(argv);
            let unknown =
                matches!(&said, Healthy::Unknown(why) if why.starts_with("it cannot be asked: "));
            assert!(unknown, "{argv:?}: {said:?}");
        }
    }
}
