//! minijinja as roles see it: strict, without escaping, bounded, and silent about the values of variables.

use super::scan;
use crate::text::diagnostic::Spot;
use crate::text::given::Given;
use crate::text::source::Source;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use std::collections::BTreeMap;
use std::error::Error as _;
use std::ops::Range;

/// Work that one string or template file may do; one unit is about one instruction or 64 bytes of output.
const FUEL: u64 = 1_000_000;

/// Finds the text of a template file, if there is such a file.
pub type TextOf<'t> = &'t dyn Fn(&str) -> Result<Option<String>, String>;

/// Why something could not be rendered.
#[derive(Debug)]
pub struct Trouble {
    /// In the template file where it happened.
    pub file: Option<Box<Spot>>,
    /// Else which bytes of the string.
    pub range: Option<Range<usize>>,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The same without any value: for what read a secret.
    pub reserved: String,
}

impl Trouble {
    /// Something that happened in no file of its own.
    pub fn new(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            file: None,
            range: None,
            reserved: message.clone(),
            message,
            help: None,
        }
    }

    /// The same in a string in which so much comes before.
    fn behind(mut self, start: usize) -> Self {
        self.range = self
            .range
            .map(|range| range.start + start..range.end + start);
        self
    }
}

/// A template engine with the template files it was given.
#[derive(Debug)]
pub struct Engine {
    env: Environment<'static>,
    /// Template files already compiled, with their texts.
    known: BTreeMap<String, String>,
}

/// How Jinja reads text here.
pub fn syntax() -> SyntaxConfig {
    let mut builder = SyntaxConfig::builder();
    builder
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true);
    builder.build().unwrap_or_default()
}

impl Engine {
    /// An engine without template files.
    pub fn new() -> Self {
        let mut env = Environment::new();
        env.set_syntax(syntax());
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_fuel(Some(FUEL));
        env.set_debug(false);
        env.remove_global("debug");
        env.add_filter("sh", super::quote::sh);
        env.set_path_join_callback(|name, parent| {
            let role = parent.split('/').next().unwrap_or_default();
            format!("{role}/{name}").into()
        });
        Self {
            env,
            known: BTreeMap::new(),
        }
    }

    /// Evaluates a bare expression.
    ///
    /// # Errors
    /// Where it is none, or what it reads is not there.
    pub fn expression(&self, text: &str, context: &Value) -> Result<serde_json::Value, Trouble> {
        let explain = |error| self.explain(&error, text);
        scan::guard::check(text, true).map_err(explain)?;
        let compiled = self.env.compile_expression(text).map_err(explain)?;
        let value = compiled.eval(context.clone()).map_err(explain)?;
        if value.is_undefined() {
            let start = text.len() - text.trim_start().len();
            let range = Some(start..text.trim_end().len());
            return Err(Trouble {
                range,
                ..undefined(text.trim(), "")
            });
        }
        json(&value)
    }

    /// Renders a template of a role; one that is wholly one `{{ … }}` keeps its expression's type.
    ///
    /// # Errors
    /// Where the template is wrong, or what it reads is not there.
    pub fn string(&self, text: &str, context: &Value) -> Result<Given, Trouble> {
        scan::guard::check(text, false).map_err(|error| self.explain(&error, text))?;
        if let Some((expression, start)) = scan::whole(text) {
            let value = self.expression(expression, context);
            return match value {
                Ok(value) => Ok(Given {
                    value,
                    computed: true,
                }),
                Err(trouble) => Err(trouble.behind(start)),
            };
        }
        let rendered = self
            .env
            .render_named_str("role.toml", text, context.clone());
        let rendered = rendered.map_err(|error| self.explain(&error, text))?;
        Ok(Given {
            value: rendered.into(),
            computed: false,
        })
    }

    /// Renders a template file of the catalog, which `text_of` finds, with all that it includes.
    ///
    /// # Errors
    /// Where a file is missing or wrong, or what it reads is not there.
    pub fn file(
        &mut self,
        name: &str,
        context: &Value,
        text_of: TextOf<'_>,
    ) -> Result<String, Trouble> {
        if !self.known.contains_key(name) {
            self.learn(name, text_of)?;
        }
        let explain = |error| self.explain(&error, "");
        let template = self.env.get_template(name).map_err(explain)?;
        template.render(context.clone()).map_err(explain)
    }

    /// What happened and where; where something is undefined, what.
    fn explain(&self, error: &Error, text: &str) -> Trouble {
        let inner = innermost(error);
        let file = inner
            .name()
            .and_then(|name| Some((name, self.known.get(name)?)));
        let text = file.map_or(text, |(_, text)| text.as_str());
        let range = inner.range().map(|range| scan::whole_range(text, range));
        let piece = range.clone().and_then(|range| text.get(range));
        let piece = piece.map(str::trim).filter(|piece| !piece.is_empty());
        let mut trouble = match (inner.kind(), piece) {
            (ErrorKind::UndefinedError, Some(piece)) => {
                let rest = range.clone().and_then(|range| text.get(range.end..));
                undefined(piece, rest.unwrap_or_default())
            }
            // In a file, the place says which expression it is.
            (kind, Some(piece)) if file.is_none() && is_of_expression(kind) => {
                Trouble::new(format!("`{piece}`: {}", message(inner)))
            }
            _ => Trouble::new(message(inner)),
        };
        if inner.detail().is_some_and(|why| why.contains(NO_METHOD)) {
            trouble.help = Some(METHODS.to_owned());
        }
        // What is undefined is said in the role's own words; all else may quote a value.
        if !matches!((inner.kind(), piece), (ErrorKind::UndefinedError, Some(_))) {
            trouble.reserved = format!("{}; it read a secret, so no more is said", inner.kind());
        }
        let spot = |(name, text): (&str, &String)| {
            let role = name.split('/').next().unwrap_or_default();
            let source = Source::new(role, name, text.as_str());
            let line = source.line_start(inner.line().unwrap_or(1));
            source.spot(&range.clone().unwrap_or(line))
        };
        Trouble {
            range: range.clone().filter(|_| file.is_none()),
            file: file.map(spot).map(Box::new),
            ..trouble
        }
    }

    /// Whether there is such a filter.
    pub fn has_filter(&self, name: &str) -> bool {
        let tried = self.env.empty_state().apply_filter(name, &[]);
        !tried.is_err_and(|why| why.kind() == ErrorKind::UnknownFilter)
    }

    /// Whether there is such a test.
    pub fn has_test(&self, name: &str) -> bool {
        let tried = self.env.empty_state().perform_test(name, &[]);
        !tried.is_err_and(|why| why.kind() == ErrorKind::UnknownTest)
    }

    fn learn(&mut self, name: &str, text_of: TextOf<'_>) -> Result<(), Trouble> {
        let mut wanted = vec![(vec![name.to_owned()], false)];
        while let Some((names, may_miss)) = wanted.pop() {
            // Of several the first that is there counts, as it does in minijinja.
            let mut found = None;
            for name in &names {
                found = text_of(name)
                    .map_err(Trouble::new)?
                    .map(|text| (name, text));
                if found.is_some() {
                    break;
                }
            }
            let (name, text) = match (found, names.first()) {
                (Some(found), _) => found,
                (None, Some(name)) if !may_miss => {
                    return Err(Trouble::new(format!("no such file: {name}")));
                }
                (None, _) => continue,
            };
            if self.known.contains_key(name) {
                continue;
            }
            let bad = |e| Trouble::new(format!("{name}: {}", message(&e)));
            for include in scan::template(&text, name).map_err(bad)?.includes {
                wanted.push((include.paths(name), include.may_miss));
            }
            self.env
                .add_template_owned(name.clone(), text.clone())
                .map_err(bad)?;
            self.known.insert(name.clone(), text);
        }
        Ok(())
    }
}

/// What minijinja says of a method that its values have not: they have none.
const NO_METHOD: &str = "has no method named";

const METHODS: &str = "what are methods in Python are filters here: {{ text | upper }}, {% for key, value in table | items %}";

/// An expression that gives nothing, and what follows it.
fn undefined(piece: &str, rest: &str) -> Trouble {
    let help = match piece.rsplit_once('.').filter(|_| is_fine_itself(rest)) {
        Some((parent, last)) => format!(
            "what it lies in is not there either, so say what then: ({parent} | default({{}})).{last}"
        ),
        None => format!("if it may be missing, say what then: {piece} | default(…)"),
    };
    Trouble {
        help: Some(help),
        ..Trouble::new(format!("`{piece}` is undefined"))
    }
}

/// Whether by what follows an expression it was what it lies in that is undefined: it may be so itself, or is not the last.
fn is_fine_itself(rest: &str) -> bool {
    let rest = rest.trim_start();
    let (asked, words): (_, &[&str]) = match rest.strip_prefix('|') {
        Some(filter) => (filter, &["default", "d("]),
        None => (
            rest.strip_prefix("is ").unwrap_or_default(),
            &["defined", "undefined", "not defined"],
        ),
    };
    rest.starts_with(['.', '['])
        || words
            .iter()
            .any(|word| asked.trim_start().starts_with(word))
}

/// Whether such an error is one expression's, and not the whole template's.
fn is_of_expression(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::SyntaxError | ErrorKind::OutOfFuel)
}

/// The value as JSON, as resources hold it.
fn json(value: &Value) -> Result<serde_json::Value, Trouble> {
    serde_json::to_value(value)
        .map_err(|_| Trouble::new(format!("a {} cannot be a value", value.kind())))
}

/// A boolean or a number as templates write it.
pub fn written(value: &serde_json::Value) -> String {
    Value::from(Serde(value)).to_string()
}

/// The error that a chain of includes began with.
fn innermost(error: &Error) -> &Error {
    let mut inner = error;
    while let Some(source) = inner.source().and_then(|e| e.downcast_ref::<Error>()) {
        inner = source;
    }
    inner
}

/// What minijinja says, without the values it knows.
pub fn message(error: &Error) -> String {
    let inner = innermost(error);
    match (inner.kind(), inner.detail()) {
        (ErrorKind::OutOfFuel, _) => {
            "too much work for one template: does a loop in it go on and on?".to_owned()
        }
        (ErrorKind::SyntaxError, Some(detail)) if detail.contains("recursion limit") => {
            "nested too deeply".to_owned()
        }
        (_, Some(detail)) if detail.contains("recursion limit") => {
            "too deep: does the file include itself, or a macro call itself?".to_owned()
        }
        (ErrorKind::InvalidOperation, Some(detail)) => detail.to_owned(),
        (ErrorKind::UndefinedError, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    }
}
