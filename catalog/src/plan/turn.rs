//! A resource's turn: what is to be done to it, judged by what is there now.
//!
//! The same judgement makes the plan (with what is [`Ahead`] of the resource) and the run (with nothing ahead: all
//! that comes before has been done).

use super::ahead::Ahead;
use super::claims::{Claims, presence};
use super::elsewhere::elsewhere;
use super::inputs::Inputs;
use super::ledger::Ledger;
use super::nobody::{doubt, wanting};
use super::order::Phase;
use super::refusals::heed;
use super::unprivileged::withheld;
use super::{Action, Change, Host, Power};
use crate::id::ResourceId;
use crate::resource::{
    Body, Desired, Observed, Obstacle, PathState, Presence, Resource, account, archive, attributes,
    boot, command, directory, edit, file, link, mount, package, repository, service, sysctl,
};
use serde_json::Value;

/// What a resource is judged by, beside itself and what was seen of it.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// All that the machine must be.
    pub desired: &'a Desired,
    /// Which paths its resources claim.
    pub claims: &'a Claims,
    /// What each service's present start read, and each command.
    pub ledger: &'a Ledger,
    /// What is there now to be read.
    pub inputs: &'a Inputs,
    /// The machine as a whole.
    pub host: &'a Host,
    /// What is planned before this turn; [`Ahead::nothing`] in a run.
    pub ahead: &'a Ahead,
}

impl Turn<'_> {
    /// Whether a reader is owed anything on account of these inputs only by what is assumed.
    pub(crate) fn all_assumed(&self, reader: &ResourceId, causes: &[ResourceId]) -> bool {
        causes.iter().all(|cause| {
            let read = self.ledger.read(reader, cause);
            self.ahead.is_assumed(cause, read)
        })
    }
}

/// The judgement. All three empty is the definition of converged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// What is to be done, in order; of the resource itself and of what its purge removes.
    pub changes: Vec<Change>,
    /// What would be, and may not be by this process; in words.
    pub held: Vec<String>,
    /// Why it cannot be brought about; then there are no changes.
    pub obstacle: Option<String>,
    /// What cannot be done beside the changes, which are made all the same: a failure on whose account nothing is skipped.
    pub missed: Option<String>,
}

impl Verdict {
    /// Whether nothing differs.
    pub fn is_converged(&self) -> bool {
        let whole = self.obstacle.is_none() && self.missed.is_none();
        whole && self.changes.is_empty() && self.held.is_empty()
    }
}

/// What a kind found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) changes: Vec<Change>,
    pub(crate) held: Vec<String>,
    pub(crate) missed: Option<String>,
}

impl From<Vec<Change>> for Found {
    fn from(changes: Vec<Change>) -> Self {
        Self {
            changes,
            ..Self::default()
        }
    }
}

/// Judges a resource in one of its phases. Total: what cannot be done is an obstacle in the verdict.
pub fn turn(
    phase: Phase,
    resource: &Resource,
    observed: Option<&Observed>,
    turn: &Turn<'_>,
) -> Verdict {
    let found = match observed {
        None => Err(Obstacle("it was not looked at".into())),
        Some(Observed::Failed { why }) => Err(Obstacle(why.clone())),
        Some(observed) if phase == Phase::Parent => parent(resource, observed, turn),
        Some(observed) => of_kind(phase, resource, observed, turn),
    };
    let clash = turn.claims.clash(&resource.id);
    let found = clash.map_or(found, |why| Err(Obstacle(why.to_owned())));
    let mut verdict = match found {
        Ok(Found {
            changes,
            held,
            missed,
        }) => Verdict {
            changes,
            held,
            obstacle: None,
            missed,
        },
        Err(Obstacle(why)) => Verdict {
            obstacle: Some(why),
            ..Verdict::default()
        },
    };
    if clash.is_none() {
        verdict = elsewhere(resource, verdict, turn);
    }
    if let Some(why) = wanting(resource, &verdict, turn) {
        return Verdict {
            obstacle: Some(why),
            ..Verdict::default()
        };
    }
    doubt(resource, &mut verdict, turn);
    let verdict = heed(resource, verdict, turn);
    match turn.host.power {
        Power::Root => verdict,
        // A mask is a link, and needs no unit.
        Power::Own { .. } if phase == Phase::Mask => verdict,
        Power::Own { .. } => withheld(resource, observed, verdict, turn),
    }
}

fn of_kind(
    phase: Phase,
    resource: &Resource,
    observed: &Observed,
    turn: &Turn<'_>,
) -> Result<Found, Obstacle> {
    match (&resource.body, observed) {
        // What must not be there makes way for the mask of the role, which stands in its place then.
        (body, Observed::Path(PathState::Link(link)))
            if presence(body) == Presence::Absent
                && boot::is_mask_of(turn.desired, &resource.id, link) =>
        {
            Ok(Found::default())
        }
        (Body::Repository(body), Observed::Repository(state)) => {
            repository::diff(resource, body, state, turn)
        }
        (Body::Group(body), Observed::Group(state)) => {
            Ok(account::diff_group(resource, body, state))
        }
        (Body::User(body), Observed::User(state)) => Ok(account::diff_user(resource, body, state)),
        (Body::Package(body), Observed::Package(state)) => {
            package::diff(resource, body, state, turn)
        }
        (Body::Directory(body), Observed::Path(state)) => {
            directory::diff(resource, body, state, turn)
        }
        (Body::File(body), Observed::Path(state)) => file::diff(resource, body, state, turn),
        (Body::Link(body), Observed::Path(state)) => link::diff(resource, body, state),
        (Body::Edit(body), Observed::Path(state)) => edit::diff(resource, body, state, turn),
        (Body::Sysctl(body), Observed::Sysctl(state)) => sysctl::diff(resource, body, state, turn),
        (Body::Mount(body), Observed::Mount(state)) => mount::diff(resource, body, state),
        (Body::Archive(body), Observed::Archive(state)) => archive::diff(resource, body, state),
        (Body::Command(body), Observed::Command(state)) => {
            command::diff(resource, body, state, turn)
        }
        (Body::Service(body), Observed::Service(state)) => {
            service::diff(resource, body, state, phase, turn)
        }
        _ => Err(Obstacle("what was looked at is of another kind".into())),
    }
}

/// A folder that nobody declares and something needs: whatever leads there does.
fn parent(resource: &Resource, observed: &Observed, turn: &Turn<'_>) -> Result<Found, Obstacle> {
    let Observed::Path(state) = observed else {
        return Err(Obstacle("what was looked at is of another kind".into()));
    };
    match state {
        PathState::Absent { .. } => {
            let new = attributes::outcome(
                &crate::resource::Attributes::default(),
                None,
                directory::NEW,
                turn.host,
            );
            let after = attributes::shown(&new.after, &[]);
            let change = Change::new(&resource.id, Action::Create).showing(Value::Null, after);
            Ok(vec![change].into())
        }
        PathState::Directory(_) | PathState::Link(_) => Ok(Found::default()),
        PathState::File(_) | PathState::Special | PathState::Unreadable { .. } => {
            Err(file::in_the_way(state))
        }
    }
}
