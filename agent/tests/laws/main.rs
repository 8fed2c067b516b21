//! Laws that hold for whatever roles say, one after another, of whatever stands on a machine: a dry run writes nothing and foretells
//! what the run does, a second run is empty, and what the roles have changed comes back when they leave, or is told of.
//!
//! The cases are the same each time. Others: `PROPTEST_RNG_SEED=2 PROPTEST_CASES=1000 cargo test -p cfg-agent --test laws`.

mod ground;
mod role;

use cfg_tests::Desk;
use ground::{Picture, ground};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use role::role;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

/// How a run, dry or not, ended.
struct Ran {
    code: i32,
    document: Value,
}

fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
        config.cases = 64;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_roles_do_is_foretold_and_done_once_and_comes_back(
        ground in ground(),
        roles in prop::collection::vec(role(), 1..3),
    ) {
        let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
        ground.stand(&desk.path("root"));
        let before = Picture::of(&desk.path("root/srv"));
        desk.write("roles/web/tree/q", "q");
        for role in &roles {
            desk.role("web", &role.text());
            if apply(&desk)?.is_none() {
                return Ok(());
            }
        }
        desk.role("web", "description = \"nothing\"\n");
        let left = apply(&desk)?.expect("a role of nothing is right");
        let after = Picture::of(&desk.path("root/srv"));
        let told = left.code != 0 || !left.list("leftovers").is_empty();
        let purged = roles.iter().any(role::Role::purges);
        if !told && !purged {
            prop_assert_eq!(before.to(&after), "", "{}", left);
        }
    }
}

/// Applies the role that stands there, and holds that to the laws. Nothing where it is no role.
fn apply(desk: &Desk) -> Result<Option<Ran>, TestCaseError> {
    let root = desk.path("root/srv");
    let before = Picture::of(&root);
    let dry = run(desk, &["--dry-run"]);
    prop_assert_eq!(
        before.to(&Picture::of(&root)),
        "",
        "a dry run writes nothing"
    );
    if dry.code == 65 {
        return Ok(None);
    }
    let ran = run(desk, &[]);
    is_as_foretold(&dry, &ran)?;
    let after = Picture::of(&root);
    for more in [&["--dry-run"][..], &[]] {
        let again = run(desk, more);
        let all = || format!("{dry}then {ran}then {more:?} {again}");
        prop_assert!(again.changes().is_empty(), "not empty: {}", all());
        prop_assert_eq!(after.to(&Picture::of(&root)), "", "{}", all());
        // A link may stand now where others can write, be it that it came back, or that its folder was given to them again.
        prop_assert!(again.code == ran.code || again.refuses_links(), "{}", all());
    }
    Ok(Some(ran))
}

fn is_as_foretold(dry: &Ran, ran: &Ran) -> Result<(), TestCaseError> {
    let both = || format!("{dry}then {ran}");
    let (planned, made) = (dry.changes(), ran.changes());
    let (certain, assumed): (Vec<_>, Vec<_>) = planned
        .iter()
        .partition(|(_, change)| change["certainty"] == "certain");
    for (key, change) in certain {
        let Some(done) = made.get(key) else {
            return Err(TestCaseError::fail(format!(
                "{key:?} was certain: {}",
                both()
            )));
        };
        for part in ["before", "after", "diff"] {
            prop_assert_eq!(&change[part], &done[part], "{:?}: {}", key, both());
        }
    }
    for (key, change) in &made {
        // What is assumed may come otherwise, with folders that lead there.
        let open = |id: &str| assumed.iter().any(|((of, _), _)| of == id);
        let leads = key.0.starts_with("directory:") && !assumed.is_empty();
        let foretold = planned.contains_key(key) || open(&key.0) || leads;
        prop_assert!(foretold, "{:?} was not foretold: {}", key, both());
        prop_assert!(
            change["unforeseen"] != true,
            "{:?} was unforeseen: {}",
            key,
            both()
        );
    }
    if assumed.is_empty() {
        let ends = if dry.code == 2 { 0 } else { dry.code };
        prop_assert_eq!(ends, ran.code, "{}", both());
        prop_assert_eq!(dry.failed(), ran.failed(), "{}", both());
    }
    Ok(())
}

fn run(desk: &Desk, more: &[&str]) -> Ran {
    let (code, document) = desk.applied("web", &[more, &["--prune"]].concat());
    Ran { code, document }
}

impl Ran {
    fn list(&self, key: &str) -> &[Value] {
        self.document[key].as_array().map_or(&[], Vec::as_slice)
    }

    /// By resource and action.
    fn changes(&self) -> BTreeMap<(String, String), &Value> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = |change: &Value| (word(&change["resource"]), word(&change["action"]));
        let all = self.list("changes").iter();
        all.map(|change| (key(change), change)).collect()
    }

    /// Whether all that fails is what lies behind links that others could have laid.
    fn refuses_links(&self) -> bool {
        let word = |failure: &Value| failure["message"].as_str().unwrap_or_default().to_owned();
        let mut all = self.list("failures").iter().map(word).peekable();
        all.peek().is_some() && all.all(|why| why.contains("a link that is not followed"))
    }

    fn failed(&self) -> BTreeSet<String> {
        let all = self.list("failures").iter();
        all.map(|failure| failure["resource"].to_string()).collect()
    }
}

impl Display for Ran {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        writeln!(to, "{}: {:#}", self.code, self.document)
    }
}
