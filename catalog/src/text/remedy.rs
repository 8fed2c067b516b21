//! What to write instead, where a value has another form than its key takes and it is plain what was meant.

use super::shape::Shape;
use super::tree::{Node, NodeValue};

/// Advice on a value that this shape refused; `written` is the value as it stands in the text.
pub fn of(shape: Shape, node: &Node, written: &str) -> Option<String> {
    let quoted = || Some(format!("write it in quotes: \"{written}\""));
    match (shape, &node.value) {
        (Shape::Boolean, value) => boolean(value).map(|yes| format!("write {yes}, without quotes")),
        (
            Shape::References | Shape::Accounts | Shape::Lines | Shape::LoginKeys,
            NodeValue::String(text),
        ) => Some(format!("write an array: [{text:?}]")),
        (Shape::Number, NodeValue::String(text)) if text.parse::<u32>().is_ok() => {
            Some(format!("write {text}, without quotes"))
        }
        (Shape::Mode, NodeValue::Integer(_)) => {
            let digits = written.trim_start_matches("0o").trim_start_matches('0');
            let octal = !digits.is_empty() && digits.chars().all(|c| ('0'..='7').contains(&c));
            octal.then(|| format!("write it in quotes: \"0{digits}\""))
        }
        (Shape::Duration, NodeValue::Integer(seconds)) if *seconds > 0 => {
            Some(format!("in seconds that is \"{seconds}s\""))
        }
        (
            Shape::Line | Shape::Text,
            NodeValue::Integer(_) | NodeValue::Float(_) | NodeValue::Boolean(_),
        ) => quoted(),
        (Shape::Environment | Shape::Shell, NodeValue::Integer(_) | NodeValue::Boolean(_)) => {
            quoted()
        }
        _ => None,
    }
}

/// What is meant by something that is no boolean.
fn boolean(value: &NodeValue) -> Option<bool> {
    match value {
        NodeValue::Integer(0) => Some(false),
        NodeValue::Integer(1) => Some(true),
        NodeValue::String(text) => match text.as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
