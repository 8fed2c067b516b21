//! The filters and tests that expressions know, by name: what may be meant by a word that is none.

/// Filters, minijinja's and `sh`.
pub const FILTERS: [&str; 50] = [
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sh",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "zip",
];

/// Tests.
pub const TESTS: [&str; 42] = [
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// Those of them that somebody may have meant: what is but a letter is near everything.
pub fn meant(words: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    words.iter().copied().filter(|word| word.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::engine::Engine;

    /// minijinja lists them nowhere but in what it shows for debugging.
    fn listed(field: &str) -> Vec<String> {
        let shown = format!("{:?}", Engine::new());
        let start = shown.find(&format!("{field}: ")).unwrap();
        let list = &shown[start..];
        let (open, close) = (
            list.find(['[', '{']).unwrap(),
            list.find([']', '}']).unwrap(),
        );
        let names = list[open + 1..close].split(", ");
        names
            .map(|name| name.trim_matches('"').to_owned())
            .collect()
    }

    #[test]
    fn all_that_there_are() {
        assert_eq!(listed("filters"), FILTERS);
        assert_eq!(listed("tests"), TESTS);
    }
}
