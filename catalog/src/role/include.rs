//! Which roles a role is made of.

use crate::text::declared::RoleText;
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use std::collections::{BTreeMap, BTreeSet};

/// Every role by name.
pub type Roles = BTreeMap<String, RoleText>;

/// So deep may roles include one another.
const MOST_DEEP: usize = 64;

/// Includes, followed.
#[derive(Debug, Default)]
pub struct Includes {
    /// By role: those it includes, however far, and itself last; depth first, each once.
    closures: BTreeMap<String, Vec<String>>,
}

impl Includes {
    /// Follows all includes; unknown names and cycles are noted.
    pub fn follow(roles: &Roles, wrong: &mut Diagnostics) -> Self {
        let names = || roles.keys().map(String::as_str);
        for role in roles.values() {
            for (name, span) in &role.include {
                if !roles.contains_key(name) {
                    let message = format!("no role `{name}`");
                    wrong.push(
                        Diagnostic::error(role.source.spot(span), message).among(name, names()),
                    );
                }
            }
        }
        let mut includes = Self::default();
        let mut cycles = BTreeSet::new();
        for (name, role) in roles {
            let mut walk = Walk {
                roles,
                path: Vec::new(),
                closure: Vec::new(),
                cycles: std::mem::take(&mut cycles),
                too_deep: false,
            };
            walk.visit(name);
            if walk.too_deep {
                let span = role.include.first().map_or(0..0, |(_, span)| span.clone());
                let message = format!("more than {MOST_DEEP} roles include one another in a row");
                wrong.push(Diagnostic::error(role.source.spot(&span), message));
            }
            cycles = walk.cycles;
            includes.closures.insert(name.clone(), walk.closure);
        }
        for cycle in cycles {
            let mut spots = (0..cycle.len()).filter_map(|at| {
                let (role, next) = (&roles[&cycle[at]], &cycle[(at + 1) % cycle.len()]);
                let (_, span) = role.include.iter().find(|(name, _)| name == next)?;
                Some(role.source.spot(span))
            });
            let names: Vec<&str> = cycle
                .iter()
                .chain(cycle.first())
                .map(String::as_str)
                .collect();
            let message = format!("a cycle: {}", names.join(" includes "));
            let mut diagnostic = match spots.next() {
                Some(spot) => Diagnostic::error(spot, message),
                None => Diagnostic::bare(message),
            };
            for (spot, next) in spots.zip(cycle.iter().skip(2).chain(cycle.first())) {
                diagnostic = diagnostic.note(spot, format!("includes {next}"));
            }
            wrong.push(diagnostic);
        }
        includes
    }

    /// The roles that this one is made of, itself last.
    pub fn closure(&self, role: &str) -> &[String] {
        self.closures.get(role).map_or(&[], Vec::as_slice)
    }

    /// Whether one role includes another, however far.
    pub fn includes(&self, role: &str, other: &str) -> bool {
        role != other && self.closure(role).iter().any(|name| name == other)
    }

    /// Of what several roles say, what counts: what no other that says something includes.
    pub fn count<'a, T>(&self, said: &'a [(&'a str, T)]) -> Vec<&'a (&'a str, T)> {
        said.iter()
            .filter(|(role, _)| !said.iter().any(|(other, _)| self.includes(other, role)))
            .collect()
    }
}

/// One walk through what a role includes.
struct Walk<'a> {
    roles: &'a Roles,
    path: Vec<String>,
    closure: Vec<String>,
    cycles: BTreeSet<Vec<String>>,
    too_deep: bool,
}

impl Walk<'_> {
    fn visit(&mut self, name: &str) {
        if self.closure.iter().any(|known| known == name) {
            return;
        }
        if let Some(at) = self.path.iter().position(|known| known == name) {
            // The same cycle from wherever it is entered: it begins with its first name.
            let mut cycle = self.path[at..].to_vec();
            let first = (0..cycle.len()).min_by_key(|at| &cycle[*at]).unwrap_or(0);
            cycle.rotate_left(first);
            self.cycles.insert(cycle);
            return;
        }
        if self.path.len() >= MOST_DEEP {
            self.too_deep = true;
            return;
        }
        let roles = self.roles;
        let Some(role) = roles.get(name) else {
            return;
        };
        self.path.push(name.to_owned());
        for (include, _) in &role.include {
            self.visit(include);
        }
        self.path.pop();
        self.closure.push(name.to_owned());
    }
}
