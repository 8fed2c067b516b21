//! Reads the keys of declared resources: renders them, gives them their types, and notes what is wrong.

use super::engine::{Engine, Trouble};
use super::{Blobs, Purpose, scan};
use crate::release::part::{Blob, Declared, Part};
use crate::resource::Place;
use crate::text::MAX_TEXT;
use crate::text::declare::is_template;
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::shape::Given;
use minijinja::value::{Serde, Value};
use std::collections::{BTreeMap, BTreeSet};

pub struct Reader<'a> {
    part: &'a Part,
    blobs: &'a dyn Blobs,
    engine: Engine,
    base: BTreeMap<&'static str, Value>,
    purpose: Purpose,
    pub wrong: Diagnostics,
    /// The present resource reads what only a machine knows: it is left out of a check.
    pub open: bool,
}

impl<'a> Reader<'a> {
    pub fn new(
        part: &'a Part,
        blobs: &'a dyn Blobs,
        base: BTreeMap<&'static str, Value>,
        purpose: Purpose,
    ) -> Self {
        Self {
            part,
            blobs,
            engine: Engine::new(),
            base,
            purpose,
            wrong: Diagnostics::new(),
            open: false,
        }
    }

    /// The role.
    pub fn part(&self) -> &'a Part {
        self.part
    }

    fn context(&self, item: Option<&serde_json::Value>) -> Value {
        let mut context = self.base.clone();
        if let Some(item) = item {
            context.insert("item", Value::from(Serde(item)));
        }
        Value::from_pairs(context)
    }

    /// Notes what went wrong, unless only a machine can know better.
    fn trouble(&mut self, trouble: Trouble, place: &Place, open: bool) {
        if open && self.purpose == Purpose::Check {
            self.open = true;
            return;
        }
        let mut diagnostic = match trouble.file {
            Some(at) => Diagnostic::error(*at, trouble.message).note(place, "for this key"),
            None => Diagnostic::error(place, trouble.message),
        };
        diagnostic.help = trouble.help;
        self.wrong.push(diagnostic);
    }

    /// Whether, at check, only a machine can say what this bare expression gives.
    pub fn is_open(&self, expression: &serde_json::Value) -> bool {
        let text = expression.as_str().unwrap_or_default();
        self.purpose == Purpose::Check
            && scan::expression(text).is_ok_and(|(uses, _)| uses.is_open())
    }

    /// A bare expression's value.
    pub fn expression(
        &mut self,
        text: &str,
        place: &Place,
        item: Option<&serde_json::Value>,
    ) -> Option<serde_json::Value> {
        match self.engine.expression(text, &self.context(item)) {
            Ok(value) => Some(value),
            Err(trouble) => {
                let open = scan::expression(text).is_ok_and(|(uses, _)| uses.is_open());
                self.trouble(trouble, place, open);
                None
            }
        }
    }

    /// A rendered string.
    pub fn string(
        &mut self,
        text: &str,
        place: &Place,
        item: Option<&serde_json::Value>,
    ) -> Option<Given> {
        if !is_template(text) {
            return Some(Given {
                value: text.into(),
                computed: false,
            });
        }
        match self.engine.string(text, &self.context(item)) {
            Ok(given) => Some(given),
            Err(trouble) => {
                let open = scan::template(text, "").is_ok_and(|uses| uses.is_open());
                self.trouble(trouble, place, open);
                None
            }
        }
    }

    /// A value with all strings in it rendered.
    pub fn value(
        &mut self,
        value: &serde_json::Value,
        place: &Place,
        item: Option<&serde_json::Value>,
    ) -> Option<Given> {
        use serde_json::Value as Json;
        let plain = |value| Given {
            value,
            computed: false,
        };
        match value {
            Json::String(text) => self.string(text, place, item),
            Json::Array(items) => {
                let items: Vec<Option<Given>> = items
                    .iter()
                    .map(|value| self.value(value, place, item))
                    .collect();
                let items: Option<Vec<Given>> = items.into_iter().collect();
                let items = items?;
                let computed = items.iter().any(|given| given.computed);
                Some(Given {
                    value: items.into_iter().map(|given| given.value).collect(),
                    computed,
                })
            }
            Json::Object(table) => {
                let mut computed = false;
                let mut rendered = serde_json::Map::new();
                for (key, value) in table {
                    let given = self.value(value, place, item)?;
                    computed |= given.computed;
                    rendered.insert(key.clone(), given.value);
                }
                Some(Given {
                    value: rendered.into(),
                    computed,
                })
            }
            other => Some(plain(other.clone())),
        }
    }

    /// A template file of a role, rendered.
    pub fn file(
        &mut self,
        name: &str,
        place: &Place,
        item: Option<&serde_json::Value>,
    ) -> Option<Vec<u8>> {
        let context = self.context(item);
        let (part, blobs) = (self.part, self.blobs);
        let text_of = |name: &str| text_of(part, blobs, name);
        match self.engine.file(name, &context, &text_of) {
            Ok(text) => Some(text.into_bytes()),
            Err(trouble) => {
                let open = self.is_open_file(name);
                self.trouble(trouble, place, open);
                None
            }
        }
    }

    /// Whether a template file, or one that it includes, reads what only a machine knows.
    fn is_open_file(&self, name: &str) -> bool {
        let role = name.split('/').next().unwrap_or_default();
        let mut wanted = vec![name.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            let text = text_of(self.part, self.blobs, &name).unwrap_or_default();
            let uses = scan::template(&text, &name).unwrap_or_default();
            if uses.is_open() {
                return true;
            }
            if seen.insert(name) {
                let names = uses.includes.into_iter().filter_map(|include| include.name);
                wanted.extend(names.map(|include| format!("{role}/{include}")));
            }
        }
        false
    }

    /// A file of a role by its path in the catalog.
    pub fn blob(&mut self, name: &str, place: &Place) -> Option<Blob> {
        let blob = self.part.files.get(name).copied();
        if blob.is_none() {
            let message = format!("no such file: {name}");
            let names = self.part.files.keys().map(String::as_str);
            self.wrong
                .push(Diagnostic::error(place, message).near(name, names));
        }
        blob
    }

    /// The first bytes of a file of a role.
    pub fn bytes(&mut self, name: &str, place: &Place) -> Option<Vec<u8>> {
        let blob = self.blob(name, place)?;
        let bytes = self.blobs.get(&blob.digest);
        if bytes.is_none() {
            let message = format!("the content of {name} is not at hand");
            self.wrong.push(Diagnostic::error(place, message));
        }
        bytes
    }

    /// The keys of one resource, for one item of its `each`.
    pub fn keys<'r>(
        &'r mut self,
        declared: &'r Declared,
        item: Option<&'r serde_json::Value>,
    ) -> Keys<'r, 'a> {
        Keys {
            reader: self,
            declared,
            item,
        }
    }
}

pub(super) fn text_of(part: &Part, blobs: &dyn Blobs, name: &str) -> Result<String, String> {
    let blob = part.files.get(name);
    let blob = blob.ok_or_else(|| format!("no such file: {name}"))?;
    if blob.size > MAX_TEXT as u64 {
        return Err(format!(
            "{name} is larger than {} KiB, the most for a template",
            MAX_TEXT / 1024
        ));
    }
    let bytes = blobs.get(&blob.digest);
    let bytes = bytes.ok_or_else(|| format!("the content of {name} is not at hand"))?;
    String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8, which a template must be"))
}

/// The keys of one resource.
pub struct Keys<'r, 'a> {
    pub reader: &'r mut Reader<'a>,
    pub declared: &'r Declared,
    pub item: Option<&'r serde_json::Value>,
}

impl Keys<'_, '_> {
    /// Where a key's value stands, else where the resource does.
    pub fn place(&self, key: &str) -> Place {
        let key = self.declared.keys.get(key);
        key.map_or(&self.declared.place, |key| &key.place).clone()
    }

    /// Notes that a key is wrong.
    pub fn wrong(&mut self, key: &str, message: impl Into<String>) {
        let place = self.place(key);
        self.reader.wrong.push(Diagnostic::error(&place, message));
    }

    /// A key's value, rendered.
    pub fn given(&mut self, key: &str) -> Option<Given> {
        let key = self.declared.keys.get(key)?;
        self.reader.value(&key.value, &key.place, self.item)
    }

    /// A key's value as a type.
    pub fn read<T>(&mut self, key: &str, read: impl Fn(&Given) -> Result<T, String>) -> Option<T> {
        let given = self.given(key)?;
        match read(&given) {
            Ok(value) => Some(value),
            Err(why) => {
                let text = self.declared.keys[key].value.as_str().unwrap_or_default();
                let open = scan::template(text, "").is_ok_and(|uses| uses.is_open());
                let place = self.place(key);
                self.reader.trouble(Trouble::new(why), &place, open);
                None
            }
        }
    }

    /// The path in the catalog of a file that a key names.
    pub fn role_path(&mut self, key: &str) -> Option<String> {
        let path = self.read(key, Given::role_path)?;
        Some(format!("{}/{path}", self.place(key).role))
    }
}
