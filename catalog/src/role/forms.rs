//! What of a value is wrong by its form alone.

use crate::render::scan;
use crate::text::declared::{KeyText, is_template};
use crate::text::given::Given;
use crate::text::shape::Shape;
use crate::text::tree::{Entry, Node, NodeValue};
use serde_json::Value;
use std::ops::Range;

/// Where a part of a value stands that is wrong, what it is, and why.
pub type Part<'t> = (&'t Range<usize>, &'t Node, String);

/// What is wrong with each item of an array, or entry of a table, by itself; what is a template is judged when it is rendered.
pub fn parts(key: &KeyText, shape: Shape) -> Vec<Part<'_>> {
    let alone = |value: Value| {
        let computed = false;
        shape.check(&Given { value, computed }).err()
    };
    let whole = |node: &Node| {
        let mut template = false;
        node.strings(&mut |text, _| template |= is_template(text));
        !template && node.unusable().is_none()
    };
    match &key.node.value {
        NodeValue::Array(items) => {
            let wrong = items.iter().filter(|item| whole(item)).filter_map(|item| {
                let why = alone(Value::Array(vec![item.json()]))?;
                let why = why.strip_prefix("item 1: ")?.to_owned();
                Some((&item.span, item, why))
            });
            wrong.collect()
        }
        NodeValue::Table(entries) if matches!(shape, Shape::Environment | Shape::Debconf) => {
            let wrong = entries.iter().filter(|entry| whole(&entry.node));
            let wrong = wrong.filter_map(|entry| {
                let table = [(entry.key.clone(), entry.node.json())];
                let why = alone(Value::Object(table.into_iter().collect()))?;
                Some((&entry.span, &entry.node, why))
            });
            wrong.collect()
        }
        _ => Vec::new(),
    }
}

/// Of which form a part of a value is, as far as advice goes.
pub fn of_part(shape: Shape) -> Shape {
    match shape {
        // Its answers may be numbers.
        Shape::Debconf => shape,
        _ => Shape::Line,
    }
}

/// Whether a value with templates in it can never be of this shape, whatever these give.
pub fn is_never(shape: Shape, node: &Node) -> bool {
    use Shape::{Accounts, Lines, LoginKeys, References, Removals, Shell, Uris, WantedLines};
    use Shape::{Boolean, Debconf, Environment, Number, Settings};
    let array = matches!(
        shape,
        Accounts | Lines | LoginKeys | References | Removals | Uris | WantedLines
    );
    let table = matches!(shape, Debconf | Environment | Settings);
    match &node.value {
        // A string that is wholly one expression keeps the type of what that gives.
        NodeValue::String(text) => {
            (array || table || matches!(shape, Boolean | Number)) && scan::whole(text).is_none()
        }
        NodeValue::Array(_) => !array && shape != Shell,
        NodeValue::Table(_) => !table,
        _ => false,
    }
}

/// The keys inside a value that look like templates, and stay as they are.
pub fn template_keys(node: &Node) -> Vec<&Entry> {
    match &node.value {
        NodeValue::Array(items) => items.iter().flat_map(template_keys).collect(),
        NodeValue::Table(entries) => {
            let own = entries.iter().filter(|entry| is_template(&entry.key));
            let inner = entries.iter().flat_map(|entry| template_keys(&entry.node));
            own.chain(inner).collect()
        }
        _ => Vec::new(),
    }
}
