//! Resources that wait for one another have no order.

use crate::plan::order::order;
use crate::resource::{Desired, Resource};
use crate::text::diagnostic::{Diagnostic, Diagnostics};

/// Notes every cycle, once each.
pub fn check(desired: &Desired, wrong: &mut Diagnostics) {
    let mut rest = desired.clone();
    // What is declared twice is an error of its own.
    rest.resources.dedup_by(|a, b| a.id == b.id);
    let Err(mut cycle) = order(&rest) else {
        return;
    };
    loop {
        let on_it = |resource: &Resource| cycle.path.contains(&resource.id);
        let message = cycle.to_string();
        let first = rest.resources.iter().find(|resource| on_it(resource));
        wrong.push(match first {
            Some(resource) => Diagnostic::error(&resource.place, message),
            None => Diagnostic::bare(message),
        });
        let before = rest.resources.len();
        rest.resources.retain(|resource| !on_it(resource));
        match order(&rest) {
            Err(next) if rest.resources.len() < before => cycle = next,
            _ => return,
        }
    }
}
