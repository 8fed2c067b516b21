//! What was made of a turn that failed halfway. Some resources take several effects, and what was done is to be told.

use cfg_catalog::id::Kind;
use cfg_catalog::plan::{Action, Change, Due, Standing, Verdict};
use serde_json::Value;

/// Of what was due, that which `left` no longer asks for.
pub(super) fn made(due: &[Due], left: &Verdict) -> Vec<Due> {
    if left.obstacle.is_some() {
        // Nothing can be told of what is there.
        return Vec::new();
    }
    due.iter().filter_map(|due| made_of(due, left)).collect()
}

fn made_of(due: &Due, left: &Verdict) -> Option<Due> {
    let change = &due.change;
    let rest = |rest: &&Change| rest.resource == change.resource;
    let Some(rest) = left.changes.iter().find(rest) else {
        return Some(due.clone());
    };
    if change.resource.kind != Kind::User || rest.action != Action::Update {
        return None;
    }
    let part = |change: &Change| {
        let mut part = change.clone();
        for shown in [&mut part.before, &mut part.after] {
            if let (Value::Object(shown), Value::Object(rest)) = (shown, &rest.after) {
                shown.retain(|key, _| !rest.contains_key(key));
            }
        }
        part
    };
    let change = part(change);
    let nothing = change
        .after
        .as_object()
        .is_none_or(|after| after.is_empty());
    if change.action == Action::Update && nothing {
        return None;
    }
    let standing = match &due.standing {
        Standing::Planned(planned) => Standing::Planned(part(planned)),
        other => other.clone(),
    };
    Some(Due { change, standing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(resource: &str, action: Action, before: Value, after: Value) -> Change {
        Change::new(&resource.parse().unwrap(), action).showing(before, after)
    }

    fn told(due: &[Change], left: Verdict) -> Vec<(String, Value, Value)> {
        let due: Vec<Due> = due
            .iter()
            .map(|change| Due {
                change: change.clone(),
                standing: Standing::Planned(change.clone()),
            })
            .collect();
        let of = |due: Due| match due.standing {
            Standing::Planned(planned) => {
                assert_eq!(planned, due.change);
                let word = format!("{} {}", planned.resource, planned.action.word());
                (word, planned.before, planned.after)
            }
            other => panic!("{other:?}"),
        };
        made(&due, &left).into_iter().map(of).collect()
    }

    fn left(changes: &[Change]) -> Verdict {
        Verdict {
            changes: changes.to_vec(),
            ..Verdict::default()
        }
    }

    #[test]
    fn of_a_user_what_no_longer_differs() {
        let whole = change(
            "user:bob",
            Action::Update,
            json!({"uid": 1, "home": "/a", "authorized_keys": []}),
            json!({"uid": 2, "home": "/b", "authorized_keys": ["k"]}),
        );
        let keys = change(
            "user:bob",
            Action::Update,
            json!({"authorized_keys": []}),
            json!({"authorized_keys": ["k"]}),
        );
        let (before, after) = (
            json!({"uid": 1, "home": "/a"}),
            json!({"uid": 2, "home": "/b"}),
        );
        let update = "user:bob update".to_owned();
        assert_eq!(
            told(
                std::slice::from_ref(&whole),
                left(std::slice::from_ref(&keys))
            ),
            [(update, before, after)]
        );
        assert_eq!(
            told(
                std::slice::from_ref(&whole),
                left(std::slice::from_ref(&whole))
            ),
            []
        );
        let new = change(
            "user:bob",
            Action::Create,
            Value::Null,
            json!({"uid": 2, "authorized_keys": ["k"]}),
        );
        let create = "user:bob create".to_owned();
        assert_eq!(
            told(std::slice::from_ref(&new), left(&[keys])),
            [(create, Value::Null, json!({"uid": 2}))]
        );
        assert_eq!(
            told(std::slice::from_ref(&new), left(std::slice::from_ref(&new))),
            []
        );
    }

    #[test]
    fn of_a_purge_the_victims_that_are_gone() {
        let gone = |name: &str| change(name, Action::Remove, json!(1), Value::Null);
        let due = [gone("file:/a/x"), gone("file:/a/y")];
        let words = |left| -> Vec<String> {
            let told = told(&due, left);
            told.into_iter().map(|(word, _, _)| word).collect()
        };
        assert_eq!(words(left(&due[1..])), ["file:/a/x remove"]);
        assert_eq!(words(left(&due)), [""; 0]);
        let blind = Verdict {
            obstacle: Some("it cannot be read".into()),
            ..Verdict::default()
        };
        assert_eq!(words(blind), [""; 0]);
    }
}
