//! Resources that wait for one another have no order.

use crate::plan::order::order_exists;
use crate::resource::{Desired, Resource};
use crate::text::diagnostic::{Diagnostic, Diagnostics};

/// Notes every cycle, once each.
pub fn check(desired: &Desired, wrong: &mut Diagnostics) {
    let twice = desired
        .resources
        .windows(2)
        .any(|two| two[0].id == two[1].id);
    match order_exists(desired) {
        Ok(()) if !twice => {}
        _ => each(desired.clone(), wrong),
    }
}

fn each(mut rest: Desired, wrong: &mut Diagnostics) {
    // What is declared twice is an error of its own.
    rest.resources.dedup_by(|a, b| a.id == b.id);
    let Err(mut cycle) = order_exists(&rest) else {
        return;
    };
    loop {
        let on_it = |resource: &Resource| cycle.path.iter().any(|(id, _)| *id == resource.id);
        let message = cycle.to_string();
        let mut places = cycle
            .path
            .iter()
            .filter_map(|(id, _)| Some((id, &rest.get(id)?.place)));
        let mut diagnostic = match places.next() {
            Some((_, first)) => Diagnostic::error(first, message),
            None => Diagnostic::bare(message),
        };
        for (id, place) in places {
            diagnostic = diagnostic.note(place, id.to_string());
        }
        wrong.push(diagnostic.help("one of them must come first: take away what makes it wait"));
        let before = rest.resources.len();
        rest.resources.retain(|resource| !on_it(resource));
        match order_exists(&rest) {
            Err(next) if rest.resources.len() < before => cycle = next,
            _ => return,
        }
    }
}
