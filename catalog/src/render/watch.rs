//! Who reads a secret is seen, whatever way it takes from there: through `set`, macros, filters, conditions. So is who
//! reads the members of a role that are not all there yet.

use crate::fleet::Incomplete;
use crate::text::diagnostic::Fault;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What was read since it was asked last.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<Read>>);

/// What was read that bears on what may be done with the value.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// A secret.
    pub secret: bool,
    /// Members of a role, of whom some are waited for; the first such role.
    pub incomplete: Option<Incomplete>,
    /// What the call did not give, or gave without this machine in it: whose fault that is.
    pub fault: Option<Fault>,
}

impl Watch {
    fn with<T>(&self, act: impl FnOnce(&mut Read) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self) {
        self.with(|read| read.secret = true);
    }

    /// Notes that members were read, of whom some are waited for.
    pub fn note_incomplete(&self, incomplete: Incomplete) {
        self.with(|read| {
            read.incomplete.get_or_insert(incomplete);
        });
    }

    /// Notes that something was read that is not there, and whose fault that is.
    pub fn note_fault(&self, fault: Fault) {
        self.with(|read| read.fault = Some(fault));
    }

    /// What was read since this was asked last.
    pub fn take(&self) -> Read {
        self.with(std::mem::take)
    }
}

/// A value, and whether who reads it reads a secret.
#[derive(Clone)]
pub struct Seen {
    pub value: Value,
    pub secret: bool,
}

impl Seen {
    /// A value that is no secret, though some may be in it.
    pub fn plain(value: Value) -> Self {
        Self {
            value,
            secret: false,
        }
    }
}

/// A table or a list that has secrets in it.
pub struct Watched {
    entries: Entries,
    watch: Watch,
}

enum Entries {
    Table(BTreeMap<String, Seen>),
    List(Vec<Seen>),
}

impl Watched {
    /// A table as expressions see it.
    pub fn table(entries: BTreeMap<String, Seen>, watch: &Watch) -> Value {
        Value::from_object(Self {
            entries: Entries::Table(entries),
            watch: watch.clone(),
        })
    }

    /// A list as expressions see it.
    pub fn list(items: Vec<Seen>, watch: &Watch) -> Value {
        Value::from_object(Self {
            entries: Entries::List(items),
            watch: watch.clone(),
        })
    }

    fn read(&self, seen: Option<&Seen>) -> Option<Value> {
        let seen = seen?;
        if seen.secret {
            self.watch.note();
        }
        Some(seen.value.clone())
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive)")
    }
}

impl Object for Watched {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match &self.entries {
            Entries::Table(_) => ObjectRepr::Map,
            Entries::List(_) => ObjectRepr::Seq,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match &self.entries {
            Entries::Table(_) => self.get_value_by_str(key.as_str()?),
            Entries::List(items) => self.read(items.get(key.as_usize()?)),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match &self.entries {
            Entries::Table(entries) => self.read(entries.get(key)),
            Entries::List(_) => None,
        }
    }

    /// The keys alone: what they stand for is read, and seen, one by one.
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &self.entries {
            Entries::Table(entries) => {
                let keys = entries.keys().map(|key| Value::from(key.as_str()));
                Enumerator::Values(keys.collect())
            }
            Entries::List(items) => Enumerator::Seq(items.len()),
        }
    }
}
