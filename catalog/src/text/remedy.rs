//! What to write instead, where a value has another form than its key takes and it is plain what was meant.

use super::foreign;
use super::shape::Shape;
use super::tree::{Node, NodeValue};

/// The array that a text with commas is meant for.
pub fn array(text: &str) -> String {
    let items: Vec<String> = text
        .split(',')
        .map(|item| format!("{:?}", item.trim()))
        .collect();
    format!("[{}]", items.join(", "))
}

/// Advice on a value that this shape refused; `written` is the value as it stands in the text.
pub fn of(shape: Shape, node: &Node, written: &str) -> Option<String> {
    let quoted = || Some(format!("write it in quotes: \"{written}\""));
    match (shape, &node.value) {
        (Shape::Words(_), NodeValue::String(word)) => foreign::value(word).map(str::to_owned),
        (Shape::Boolean, value) => boolean(value).map(|yes| format!("write {yes}, without quotes")),
        (
            Shape::References | Shape::Accounts | Shape::Lines | Shape::LoginKeys | Shape::Uris,
            NodeValue::String(text),
        ) => Some(format!("write an array: [{text:?}]")),
        (Shape::Number, NodeValue::String(text)) if text.parse::<u32>().is_ok() => {
            Some(format!("write {text}, without quotes"))
        }
        (Shape::Mode, NodeValue::Integer(_)) => {
            let digits = written.trim_start_matches("0o").trim_start_matches('0');
            let octal = digits.len() <= 4 && digits.chars().all(|c| ('0'..='7').contains(&c));
            octal.then(|| format!("write it in quotes: \"{digits:0>4}\""))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::given::Given;
    use crate::text::tree;

    #[test]
    fn a_mode_without_quotes_gets_one_that_does() {
        for (written, wanted) in [
            ("1", "0001"),
            ("0", "0000"),
            ("644", "0644"),
            ("1777", "1777"),
            ("0o755", "0755"),
        ] {
            let node = tree::value(written).unwrap();
            let help = of(Shape::Mode, &node, written).unwrap();
            assert_eq!(help, format!("write it in quotes: {wanted:?}"));
            let (value, computed) = (wanted.into(), false);
            assert!(Given { value, computed }.mode().is_ok());
        }
        for written in ["888", "-1", "10000", "0x1ff"] {
            let node = tree::value(written).unwrap();
            assert_eq!(of(Shape::Mode, &node, written), None, "{written}");
        }
    }
}
