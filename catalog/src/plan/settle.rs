//! A planned change meets what is needed at its turn.
//!
//! A plan names each change by the machine as it was when the run began. By its turn a package may have made some of
//! it, or made it another effect: a file to be created is there already and only to be updated. It still counts as
//! the change that was planned.

use super::claims::path_of;
use super::{Action, Certainty, Change, Snapshot};
use crate::id::{Kind, ResourceId};
use crate::resource::{Observed, PathState};

/// What a resource's turn comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// Planned, and already so; reported as made, with nothing left to do.
    pub already: Vec<Change>,
    /// To be done, in this order.
    pub due: Vec<Due>,
}

/// One effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// What is done now.
    pub change: Change,
    /// What that is reported as, once it is done.
    pub standing: Standing,
}

/// How an effect stands to the plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It is this change of the plan.
    Planned(Change),
    /// It removes what was not there when the run began, so that there is no change by the plan's naming.
    Tidying,
    /// What was done before it has made it necessary, as no plan can know: commands.
    Consequence(Vec<ResourceId>),
    /// The plan should have had it, and had not.
    Unforeseen,
}

/// What was planned for a turn, with what is needed there now. `begun` is what was seen when the run began.
pub fn settle(planned: &[Change], needed: Vec<Change>, begun: &Snapshot) -> Settled {
    let mut open: Vec<&Change> = planned.iter().collect();
    let mut settled = Settled::default();
    for change in needed {
        let at = open.iter().position(|plan| covers(plan, &change));
        let standing = match at {
            Some(at) => Standing::Planned(open.remove(at).clone()),
            None if change.action == Action::Remove && came_since(&change.resource, begun) => {
                Standing::Tidying
            }
            None => Standing::Unforeseen,
        };
        settled.due.push(Due { change, standing });
    }
    settled.already = open
        .into_iter()
        .filter(|plan| counts(plan))
        .cloned()
        .collect();
    settled
}

/// Whether a change that is not needed counts as made. What was only assumed has turned out not to be needed; and
/// that nobody need run or refresh a thing any more is not to say that somebody did.
fn counts(plan: &Change) -> bool {
    let is_a_state = !matches!(plan.action, Action::Restart | Action::Reload | Action::Run);
    is_a_state && plan.certainty == Certainty::Certain
}

/// Whether an effect is what the plan meant, by the machine as it was.
fn covers(plan: &Change, needed: &Change) -> bool {
    use Action::{Create, Downgrade, Install, Reload, Restart, Start, Update, Upgrade};
    if plan.resource != needed.resource {
        return false;
    }
    match (plan.action, needed.action) {
        (same, now) if same == now => true,
        (Create | Update, Create | Update) => true,
        (Install | Upgrade | Downgrade, Install | Upgrade | Downgrade) => true,
        // It came along with another, and is to be marked as wanted for itself.
        (Install | Upgrade | Downgrade, Update) => true,
        (Start | Restart, Start | Restart | Reload) => true,
        // Its unit went away under it and came back.
        (Reload, Start) => true,
        _ => false,
    }
}

/// Whether a path was empty when the run began.
fn came_since(id: &ResourceId, begun: &Snapshot) -> bool {
    let Some(path) = path_of(id) else {
        return false;
    };
    match begun.observed.get(id) {
        Some(Observed::Path(state)) => matches!(state, PathState::Absent { .. }),
        Some(_) => false,
        None => !path.ancestors().any(|above| {
            let folder = ResourceId::new(Kind::Directory, above.as_str());
            match begun.observed.get(&folder) {
                Some(Observed::Path(PathState::Directory(seen))) => {
                    seen.below.iter().any(|below| below.path == path)
                }
                _ => false,
            }
        }),
    }
}
