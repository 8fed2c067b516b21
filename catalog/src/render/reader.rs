//! Reads the keys of declared resources: renders them, gives them their types, and notes what is wrong.

use super::doubt::{Doubt, in_file};
use super::engine::{Engine, Trouble};
use super::watch::{Seen, Watch, Watched};
use super::{Blobs, scan};
use crate::fleet::Incomplete;
use crate::release::part::{Blob, Declared, Part};
use crate::resource::Place;
use crate::text::MAX_TEXT;
use crate::text::declared::is_template;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Fault};
use crate::text::given::Given;
use crate::text::secrets::Stand;
use minijinja::value::{Serde, Value};
use std::collections::BTreeMap;

pub struct Reader<'a> {
    part: &'a Part,
    blobs: &'a dyn Blobs,
    engine: Engine,
    base: BTreeMap<String, Seen>,
    watch: Watch,
    doubt: Doubt<'a>,
    pub wrong: Diagnostics,
    /// The present resource reads what only a machine knows, or what is wrong elsewhere: it is left out of a check.
    pub open: bool,
    /// A secret was read since this was last cleared.
    pub secret: bool,
    /// Members were read since this was last cleared, and some of them are waited for.
    pub incomplete: Option<Incomplete>,
    /// Whose fault it is that what was evaluated last read something that is not there.
    fault: Option<Fault>,
    /// Something was evaluated: what the role comes to may hang on it.
    pub evaluated: bool,
}

impl<'a> Reader<'a> {
    pub fn new(
        part: &'a Part,
        blobs: &'a dyn Blobs,
        base: BTreeMap<String, Seen>,
        watch: Watch,
        doubt: Doubt<'a>,
    ) -> Self {
        Self {
            part,
            blobs,
            engine: Engine::new(),
            base,
            watch,
            doubt,
            wrong: Diagnostics::new(),
            open: false,
            secret: false,
            incomplete: None,
            fault: None,
            evaluated: false,
        }
    }

    /// Forgets what was read so far.
    pub fn begin(&mut self) {
        self.secret = false;
        self.incomplete = None;
    }

    /// The role.
    pub fn part(&self) -> &'a Part {
        self.part
    }

    fn context(&mut self, item: Option<&Seen>) -> Value {
        self.evaluated = true;
        let mut context = self.base.clone();
        if let Some(item) = item {
            context.insert("item".into(), item.clone());
        }
        Watched::table(context, &self.watch)
    }

    /// What was evaluated, and whether a secret was read for it.
    fn watched<T>(&mut self, result: T) -> (T, bool) {
        let read = self.watch.take();
        self.secret |= read.secret;
        self.incomplete = self.incomplete.take().or(read.incomplete);
        self.fault = read.fault;
        (result, read.secret)
    }

    /// Notes what went wrong, unless only a machine can know better, or nobody before the members are all there. Of what
    /// read a secret no value is said.
    fn trouble(
        &mut self,
        trouble: Trouble,
        text: &str,
        place: &Place,
        (open, secret): (bool, bool),
    ) {
        if self.incomplete.is_some() {
            return;
        }
        if (open || secret) && self.doubt.is_check() {
            self.open = true;
            return;
        }
        let message = match secret {
            true => trouble.reserved,
            false => trouble.message,
        };
        let mut diagnostic = match trouble.file {
            Some(at) => Diagnostic::error(*at, message).note(place, "for this key"),
            None => Diagnostic::error(place, message),
        };
        diagnostic.help = trouble.help;
        diagnostic.fault = self.fault.unwrap_or(diagnostic.fault);
        diagnostic.within = trouble.range.map(|range| (text.to_owned(), range));
        self.wrong.push(diagnostic);
    }

    /// Notes that a secret was read where none may stand; whether one was.
    pub fn takes_no_secret(&mut self, stand: Stand<'_>, place: &Place) -> bool {
        let refused = self.secret && !stand.takes_secrets();
        if refused {
            let refusal = stand.refuse(|message| Diagnostic::error(place, message));
            self.wrong.push(refusal);
        }
        refused
    }

    /// Whether this rendering is a check's, where nothing may hang on what a secret is.
    pub fn is_check(&self) -> bool {
        self.doubt.is_check()
    }

    /// Whether a resource that stands there may have keys that could not be understood.
    pub fn may_have_keys(&self, at: &Place) -> bool {
        self.doubt
            .unclear
            .is_some_and(|unclear| unclear.has_keys(at))
    }

    /// Whether, at check, only a machine can say what this bare expression gives.
    pub fn is_open(&self, expression: &serde_json::Value) -> bool {
        let text = expression.as_str().unwrap_or_default();
        self.doubt.is_check() && scan::expression(text).is_ok_and(|(uses, _)| uses.is_open())
    }

    /// Whether what could not be understood of a resource that stands there may leave it out.
    pub fn may_be_left_out(&self, at: &Place) -> bool {
        let unclear = self.doubt.unclear;
        unclear.is_some_and(|unclear| unclear.guards.contains(at))
    }

    /// A bare expression's value.
    pub fn expression(
        &mut self,
        text: &str,
        place: &Place,
        item: Option<&Seen>,
    ) -> Option<serde_json::Value> {
        if self.doubt.of_expression(text) {
            self.open = true;
            return None;
        }
        let context = self.context(item);
        let result = self.engine.expression(text, &context);
        match self.watched(result) {
            (Ok(value), _) => Some(value),
            (Err(trouble), secret) => {
                let open = scan::expression(text).is_ok_and(|(uses, _)| uses.is_open());
                self.trouble(trouble, text, place, (open, secret));
                None
            }
        }
    }

    /// A rendered string.
    pub fn string(&mut self, text: &str, place: &Place, item: Option<&Seen>) -> Option<Given> {
        self.string_seen(text, place, item).map(|(given, _)| given)
    }

    /// The same, and whether a secret was read for it.
    fn string_seen(
        &mut self,
        text: &str,
        place: &Place,
        item: Option<&Seen>,
    ) -> Option<(Given, bool)> {
        if !is_template(text) {
            let given = Given {
                value: text.into(),
                computed: false,
            };
            return Some((given, false));
        }
        if self.doubt.of_template(text) {
            self.open = true;
            return None;
        }
        let context = self.context(item);
        let result = self.engine.string(text, &context);
        match self.watched(result) {
            (Ok(given), secret) => Some((given, secret)),
            (Err(trouble), secret) => {
                let open = scan::template(text, "").is_ok_and(|uses| uses.is_open());
                self.trouble(trouble, text, place, (open, secret));
                None
            }
        }
    }

    /// An item as expressions see it, with all strings in it rendered: which of them read a secret is not forgotten.
    pub fn item(&mut self, value: &serde_json::Value, place: &Place) -> Option<Seen> {
        let before = std::mem::take(&mut self.secret);
        let item = self.item_seen(value, place);
        self.secret |= before;
        item
    }

    fn item_seen(&mut self, value: &serde_json::Value, place: &Place) -> Option<Seen> {
        use serde_json::Value as Json;
        match value {
            Json::String(text) => {
                let (given, secret) = self.string_seen(text, place, None)?;
                let value = Value::from(Serde(given.value));
                Some(Seen { value, secret })
            }
            Json::Array(items) => {
                let items: Option<Vec<Seen>> = items
                    .iter()
                    .map(|item| self.item_seen(item, place))
                    .collect();
                Some(Seen::plain(match self.secret {
                    true => Watched::list(items?, &self.watch),
                    false => items?.into_iter().map(|item| item.value).collect(),
                }))
            }
            Json::Object(table) => {
                let entries: Option<BTreeMap<String, Seen>> = table
                    .iter()
                    .map(|(key, value)| Some((key.clone(), self.item_seen(value, place)?)))
                    .collect();
                Some(Seen::plain(match self.secret {
                    true => Watched::table(entries?, &self.watch),
                    false => Value::from_pairs(entries?.into_iter().map(|(k, v)| (k, v.value))),
                }))
            }
            other => Some(Seen::plain(Value::from(Serde(other)))),
        }
    }

    /// A value with all strings in it rendered.
    pub fn value(
        &mut self,
        value: &serde_json::Value,
        place: &Place,
        item: Option<&Seen>,
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
                let entries: Vec<Option<(String, Given)>> = table
                    .iter()
                    .map(|(key, value)| Some((key.clone(), self.value(value, place, item)?)))
                    .collect();
                let entries: Option<Vec<(String, Given)>> = entries.into_iter().collect();
                let entries = entries?;
                let computed = entries.iter().any(|(_, given)| given.computed);
                let table = entries.into_iter().map(|(key, given)| (key, given.value));
                Some(Given {
                    value: Json::Object(table.collect()),
                    computed,
                })
            }
            other => Some(plain(other.clone())),
        }
    }

    /// A template file of a role, rendered.
    pub fn file(&mut self, name: &str, place: &Place, item: Option<&Seen>) -> Option<Vec<u8>> {
        let (part, blobs) = (self.part, self.blobs);
        if self.doubt.of_file(part, blobs, name) {
            self.open = true;
            return None;
        }
        let context = self.context(item);
        let text_of = |name: &str| text_of(part, blobs, name);
        let result = self.engine.file(name, &context, &text_of);
        match self.watched(result) {
            (Ok(text), _) => Some(text.into_bytes()),
            (Err(trouble), secret) => {
                let open = in_file(part, blobs, name, &|uses| uses.is_open());
                self.trouble(trouble, name, place, (open, secret));
                None
            }
        }
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
    pub fn keys<'r>(&'r mut self, declared: &'r Declared, item: Option<&'r Seen>) -> Keys<'r, 'a> {
        Keys {
            reader: self,
            declared,
            item,
            secret: false,
        }
    }
}

/// The text of a template file, if the part has such a file.
pub(super) fn text_of(
    part: &Part,
    blobs: &dyn Blobs,
    name: &str,
) -> Result<Option<String>, String> {
    let Some(blob) = part.files.get(name) else {
        return Ok(None);
    };
    if blob.size > MAX_TEXT as u64 {
        return Err(format!(
            "{name} is larger than {} KiB, the most for a template",
            MAX_TEXT / 1024
        ));
    }
    let bytes = blobs.get(&blob.digest);
    let bytes = bytes.ok_or_else(|| format!("the content of {name} is not at hand"))?;
    let text = String::from_utf8(bytes);
    text.map(Some)
        .map_err(|_| format!("{name} is not UTF-8, which a template must be"))
}

/// The keys of one resource.
pub struct Keys<'r, 'a> {
    pub reader: &'r mut Reader<'a>,
    pub declared: &'r Declared,
    pub item: Option<&'r Seen>,
    /// A secret was read for one of them.
    pub secret: bool,
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
        let declared = self.declared;
        let written = declared.keys.get(key)?;
        let read = |reader: &mut Reader<'_>, item: Option<&Seen>| {
            reader.value(&written.value, &written.place, item)
        };
        self.guarded(Stand::Key(declared.kind, key), &written.place, read)
    }

    /// A template file that a key names, rendered.
    pub fn file(&mut self, key: &str, stand: Stand<'_>) -> Option<Vec<u8>> {
        let name = self.role_path(key)?;
        let place = self.place(key);
        let read = |reader: &mut Reader<'_>, item: Option<&Seen>| reader.file(&name, &place, item);
        self.guarded(stand, &place, read)
    }

    /// What is read, unless a secret is where none may stand.
    fn guarded<T>(
        &mut self,
        stand: Stand<'_>,
        place: &Place,
        read: impl FnOnce(&mut Reader<'_>, Option<&Seen>) -> Option<T>,
    ) -> Option<T> {
        self.reader.secret = false;
        let found = read(self.reader, self.item);
        self.secret |= self.reader.secret;
        if self.reader.takes_no_secret(stand, place) {
            return None;
        }
        found
    }

    /// A key's value as a type.
    pub fn read<T>(&mut self, key: &str, read: impl Fn(&Given) -> Result<T, String>) -> Option<T> {
        let given = self.given(key)?;
        match read(&given) {
            Ok(value) => Some(value),
            Err(why) => {
                self.misfit(key, why);
                None
            }
        }
    }

    /// Notes why what was read last, of this key, cannot be: of what read a secret no value is said.
    pub fn misfit(&mut self, key: &str, why: String) {
        let text = self.declared.keys[key].value.as_str().unwrap_or_default();
        let open = scan::template(text, "").is_ok_and(|uses| uses.is_open());
        let place = self.place(key);
        let trouble = Trouble {
            file: None,
            range: None,
            message: why,
            reserved: format!(
                "what `{key}` comes to does not fit; it read a secret, so it is not shown"
            ),
            help: None,
        };
        let secret = self.reader.secret;
        self.reader.fault = None;
        self.reader.trouble(trouble, text, &place, (open, secret));
    }

    /// The path in the catalog of a file that a key names.
    pub fn role_path(&mut self, key: &str) -> Option<String> {
        let path = self.read(key, Given::role_path)?;
        Some(format!("{}/{path}", self.place(key).role))
    }
}
