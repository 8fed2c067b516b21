//! minijinja as roles see it: strict, without escaping, bounded, and silent about the values of variables.

use super::scan;
use crate::text::shape::Given;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use std::collections::BTreeMap;
use std::error::Error as _;

/// Work that one string or template file may do; one unit is about one instruction or 64 bytes of output.
const FUEL: u64 = 1_000_000;

/// Why something could not be rendered.
#[derive(Debug)]
pub struct Trouble {
    /// In the template file where it happened: its path in the catalog, the line, and the bytes.
    pub file: Option<(String, u32, Option<std::ops::Range<usize>>)>,
    /// What happened.
    pub message: String,
}

impl Trouble {
    /// Something that happened in no file of its own.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            file: None,
            message: message.into(),
        }
    }
}

/// A template engine with the template files it was given.
pub struct Engine {
    env: Environment<'static>,
    /// Files already compiled, with the names they include.
    known: BTreeMap<String, ()>,
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
        let compiled = self.env.compile_expression(text).map_err(|e| trouble(&e))?;
        let value = compiled.eval(context.clone()).map_err(|e| trouble(&e))?;
        if value.is_undefined() {
            return Err(Trouble::new(format!("`{}` is undefined", text.trim())));
        }
        json(&value)
    }

    /// Renders a string of a role; one that is wholly one `{{ … }}` keeps its expression's type.
    ///
    /// # Errors
    /// Where the template is wrong, or what it reads is not there.
    pub fn string(&self, text: &str, context: &Value) -> Result<Given, Trouble> {
        if !crate::text::declare::is_template(text) {
            return Ok(Given {
                value: text.into(),
                computed: false,
            });
        }
        if let Some(expression) = scan::whole(text) {
            return Ok(Given {
                value: self.expression(expression, context)?,
                computed: true,
            });
        }
        let rendered = self
            .env
            .render_named_str("role.toml", text, context.clone());
        let rendered = rendered.map_err(|e| trouble(&e))?;
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
        text_of: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<String, Trouble> {
        self.learn(name, text_of)?;
        let template = self.env.get_template(name).map_err(|e| trouble(&e))?;
        template.render(context.clone()).map_err(|e| trouble(&e))
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

    fn learn(
        &mut self,
        name: &str,
        text_of: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<(), Trouble> {
        let mut wanted = vec![name.to_owned()];
        while let Some(name) = wanted.pop() {
            if self.known.contains_key(&name) {
                continue;
            }
            let text = text_of(&name).map_err(Trouble::new)?;
            let role = name.split('/').next().unwrap_or_default();
            for include in scan::template(&text, &name)
                .map_err(|e| trouble(&e))?
                .includes
            {
                if let Some(include) = include.name {
                    wanted.push(format!("{role}/{include}"));
                }
            }
            self.env
                .add_template_owned(name.clone(), text)
                .map_err(|e| trouble(&e))?;
            self.known.insert(name, ());
        }
        Ok(())
    }
}

/// The value as JSON, as resources hold it.
fn json(value: &Value) -> Result<serde_json::Value, Trouble> {
    serde_json::to_value(value)
        .map_err(|_| Trouble::new(format!("a {} cannot be a value", value.kind())))
}

/// What minijinja says, without the values it knows; the innermost template file of a chain.
pub fn trouble(error: &Error) -> Trouble {
    let mut inner = error;
    while let Some(source) = inner.source().and_then(|e| e.downcast_ref::<Error>()) {
        inner = source;
    }
    let message = match (inner.kind(), inner.detail()) {
        (ErrorKind::OutOfFuel, _) => "too much work for one template".to_owned(),
        (ErrorKind::InvalidOperation, Some(detail)) => detail.to_owned(),
        (ErrorKind::UndefinedError, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    let in_file = inner.name().filter(|name| name.contains('/'));
    let file = in_file.zip(inner.line()).map(|(name, line)| {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        (name.to_owned(), line, inner.range())
    });
    Trouble { file, message }
}
