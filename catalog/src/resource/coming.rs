//! Whether there will be a unit when its turn comes, and what is possible with it.

use super::Obstacle;
use super::service::{Activity, Enabled, Load, Service, ServiceState};
use crate::plan::turn::Turn;
use crate::plan::{Certainty, Change};

/// Where a unit that systemd does not have could come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coming {
    /// It is there.
    There,
    /// The role brings it.
    Own,
    /// What is planned before may bring it.
    Ahead,
    /// A command that is planned before might.
    Perhaps,
    /// From nowhere.
    Nowhere,
}

impl Coming {
    /// How sure it is that there will be a unit.
    pub(super) fn certainty(self) -> Certainty {
        match self {
            Coming::Perhaps => Certainty::Assumed,
            Coming::There | Coming::Own | Coming::Ahead | Coming::Nowhere => Certainty::Certain,
        }
    }

    pub(super) fn of(
        service: &Service,
        state: &ServiceState,
        unit: &Option<Change>,
        turn: &Turn<'_>,
    ) -> Self {
        match state.load {
            Load::Loaded => Coming::There,
            Load::Masked if service.masked != Some(false) => Coming::There,
            Load::Bad if unit.is_none() && !turn.ahead.may_bring_units() => Coming::There,
            _ if service.unit_file.is_some() || service.template.is_some() => Coming::Own,
            // What goes brings a unit only where another file comes to light.
            Load::NotFound if !turn.ahead.may_bring_new_units() => match turn.ahead.runs_commands()
            {
                true => Coming::Perhaps,
                false => Coming::Nowhere,
            },
            _ if turn.ahead.may_bring_units() => Coming::Ahead,
            // Under a mask that goes.
            Load::Masked if state.enabled != Enabled::Unknown => Coming::There,
            _ if turn.ahead.runs_commands() => Coming::Perhaps,
            _ => Coming::Nowhere,
        }
    }
}

/// Whether the unit can do what it must.
pub(super) fn possible(
    service: &Service,
    state: &ServiceState,
    coming: Coming,
) -> Result<(), Obstacle> {
    let run = service.state == Some(Activity::Running);
    if !run && service.enabled != Some(true) {
        return Ok(());
    }
    let why = match (coming, state.load) {
        (_, _) if service.masked == Some(true) => {
            "it is to be masked, and to run or to be enabled".to_owned()
        }
        (Coming::Nowhere, _) => format!("there is no unit {}", service.unit),
        (Coming::There, Load::Masked) if service.masked != Some(false) => {
            "it is masked, and the role does not say masked = false".to_owned()
        }
        (Coming::There, Load::Bad) => format!("systemd cannot load {}", service.unit),
        _ => return Ok(()),
    };
    Err(Obstacle(why))
}
