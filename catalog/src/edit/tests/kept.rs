//! Every byte that an edit does not mean stays where it is: comments above and behind values, quotes, blanks, the ends of lines.

use super::super::{Edit, Format, apply};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use std::ops::Range;

/// How texts of one form are made: entries, with something before and after them.
struct Form {
    format: &'static str,
    /// The table that the entries are in; none where they stand before all tables.
    table: Option<&'static str>,
    head: &'static str,
    indent: &'static str,
    between: &'static str,
    /// Values as they are written.
    values: &'static [&'static str],
    /// What may stand behind a value, where `@` is a comment of its own.
    tails: &'static [&'static str],
    /// Lines that may stand above an entry.
    above: &'static [&'static str],
    /// What parts the entries, where line breaks alone do not.
    comma: &'static str,
    foot: &'static str,
}

const YAML: &[&str] = &[
    "v",
    "a b",
    "12",
    "true",
    "no",
    "'v'",
    "'it''s # no'",
    "''",
    "\"v\"",
    "\"a \\\" # \\\\\"",
    "\"\u{e4}\"",
    "\"a\n      b\"",
    "'a\n\n      b'",
    "a\n      b",
];
const TAILS: &[&str] = &["", " ", " # @", "  # it's \"@\", x: y", "\t# @ 'x"];
const ABOVE: &[&str] = &["", "", "# @\n", "\n", "  # k0: \"@\" = x\n"];

const FORMS: &[Form] = &[
    Form {
        format: "yaml",
        table: None,
        head: "# @\n---\n",
        indent: "",
        between: ": ",
        values: YAML,
        tails: TAILS,
        above: ABOVE,
        comma: "",
        foot: "# @\nz: 'end' # @\n",
    },
    Form {
        format: "yaml",
        table: Some("t"),
        head: "\"t\": # @\n",
        indent: "    ",
        between: ":  ",
        values: YAML,
        tails: TAILS,
        above: ABOVE,
        comma: "",
        foot: "\n# @\nz: \"end\" # @\n",
    },
    Form {
        format: "yaml",
        table: Some("t"),
        head: "t: { # @\n",
        indent: "  ",
        between: ": ",
        values: YAML,
        tails: TAILS,
        above: ABOVE,
        comma: ",",
        foot: "} # @\nz: end",
    },
    Form {
        format: "toml",
        table: None,
        head: "# @\n\n",
        indent: "",
        between: " = ",
        values: TOML,
        tails: TOML_TAILS,
        above: ABOVE,
        comma: "",
        foot: "# @\n[z] # @\nend = 'x' # @\n",
    },
    Form {
        format: "toml",
        table: Some("t"),
        head: "a = 1 # @\n[t] # @\n",
        indent: "  ",
        between: "=",
        values: TOML,
        tails: TOML_TAILS,
        above: ABOVE,
        comma: "",
        foot: "\n# @\n[z] # @\nend = 'x'# @",
    },
    Form {
        format: "ini",
        table: Some("t"),
        head: "; @\n[t]\n",
        indent: "",
        between: " = ",
        values: &[
            "v",
            "a  b",
            "\"v\" ; no",
            "'v'",
            "a\n   more",
            "a,\\\nmore",
            "",
        ],
        tails: &[""],
        above: &["", "# @\n", "; k0 = @\n", "\n"],
        comma: "",
        foot: "\n; @\n[z]\nend: x\n",
    },
    Form {
        format: "env",
        table: None,
        head: "# @\n",
        indent: "export ",
        between: "=",
        values: &[
            "",
            "v",
            "'v w'",
            "\"v \\\" # \\\\\"",
            "\"a\nb\"",
            "'a'\"b\"",
            "$x",
        ],
        tails: &["", " ", " # @", "\t# it's \"@"],
        above: ABOVE,
        comma: "",
        foot: "# @\nz='end' # @",
    },
    Form {
        format: "json",
        table: Some("t"),
        head: "{ \"t\" : {\n",
        indent: "\t",
        between: " :  ",
        values: &["1", "\"v\"", "\"a \\\" , }\"", "[1,\n 2]", "null", "true"],
        tails: &["", "  "],
        above: &["", "\n"],
        comma: ",",
        foot: "}, \"z\":[ ] }\n",
    },
];

const TOML: &[&str] = &[
    "1",
    "0x1F",
    "true",
    "\"v\"",
    "\"a \\\" # \\\\\"",
    "'v # no'",
    "\"\"\"a\n# no \\\"\"\"\"",
    "'''\n'''",
    "[ 1,2 ]",
    "1979-05-27 07:32:00Z",
    "\"\u{e4}\"",
];
const TOML_TAILS: &[&str] = &["", " ", " # @", "# @", "\t# it's \"@\" = '"];

/// A text, and where one entry of it stands.
#[derive(Debug)]
struct Case {
    form: usize,
    text: String,
    /// From its first line to the end of its last.
    entry: Range<usize>,
    value: Range<usize>,
    number: usize,
}

impl Case {
    fn form(&self) -> &'static Form {
        &FORMS[self.form]
    }

    fn path(&self, name: &str) -> Vec<String> {
        let way = self.form().table.into_iter().chain([name]);
        way.map(str::to_owned).collect()
    }

    fn set(&self, name: &str, value: &Value) -> String {
        let path = self.path(name);
        let way = path.iter().rev();
        let table = way.fold(value.clone(), |value, key| json!({ key: value }));
        let mut edit = self.edit();
        edit.set(table.as_object().unwrap()).unwrap();
        self.edited(&edit).unwrap()
    }

    fn edit(&self) -> Edit {
        Edit::of(Format::of_word(self.form().format).unwrap())
    }

    fn edited(&self, edit: &Edit) -> Option<String> {
        let edited = apply(self.text.as_bytes(), edit).ok()?;
        Some(String::from_utf8(edited).unwrap())
    }
}

/// A text in the making.
struct Draft {
    text: String,
    crlf: bool,
    comments: usize,
}

impl Draft {
    /// Comments are told apart by a number, and lines end in one way.
    fn push(&mut self, piece: &str) -> Range<usize> {
        let from = self.text.len();
        let end = if self.crlf { "\r\n" } else { "\n" };
        for (at, part) in piece.replace('\n', end).split('@').enumerate() {
            if at > 0 {
                self.comments += 1;
                self.text.push_str(&format!("c{}", self.comments));
            }
            self.text.push_str(part);
        }
        from..self.text.len()
    }
}

/// Which value an entry has, what stands behind it and what above.
type Drawn = [Index; 3];

fn drawn(form: usize, entries: &[Drawn], chosen: Index, crlf: bool) -> Case {
    let chosen = chosen.index(entries.len());
    let of = &FORMS[form];
    let mut draft = Draft {
        text: String::new(),
        crlf,
        comments: 0,
    };
    let (mut entry, mut value) = (0..0, 0..0);
    draft.push(of.head);
    for (at, [of_value, tail, above]) in entries.iter().enumerate() {
        draft.push(above.get::<&str>(of.above));
        let name = match of.format {
            "json" => format!("\"k{at}\""),
            _ => format!("k{at}"),
        };
        let key = draft.push(&format!("{}{name}{}", of.indent, of.between));
        let written = draft.push(of_value.get::<&str>(of.values));
        let last = at + 1 == entries.len();
        draft.push(if last { "" } else { of.comma });
        draft.push(tail.get::<&str>(of.tails));
        let end = draft.push("\n").end;
        if at == chosen {
            (entry, value) = (key.start..end, written);
        }
    }
    draft.push(of.foot);
    Case {
        form,
        text: draft.text,
        entry,
        value,
        number: chosen,
    }
}

fn case() -> impl Strategy<Value = Case> {
    let entries = prop::collection::vec(any::<Drawn>(), 2..5);
    (0..FORMS.len(), entries, any::<Index>(), any::<bool>())
        .prop_map(|(form, entries, chosen, crlf)| drawn(form, &entries, chosen, crlf))
}

/// Whether a text is another with something put in at one place.
fn is_longer(text: &str, before: &str) -> bool {
    let same = |(one, other): &(u8, u8)| one == other;
    let front = text.bytes().zip(before.bytes()).take_while(same).count();
    let back = text
        .bytes()
        .rev()
        .zip(before.bytes().rev())
        .take_while(same)
        .count();
    text.len() > before.len() && front + back >= before.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn around_a_value_that_is_set(case in case(), value in prop::sample::select(vec![json!("w"), json!("x y'z"), json!(7)])) {
        let edited = case.set(&format!("k{}", case.number), &value);
        let (before, after) = (&case.text[..case.value.start], &case.text[case.value.end..]);
        prop_assert!(edited.starts_with(before), "{edited:?}");
        prop_assert!(edited.ends_with(after), "{edited:?}");
        prop_assert!(edited.len() >= before.len() + after.len(), "{edited:?}");
    }

    #[test]
    fn around_a_key_that_is_new(case in case()) {
        let edited = case.set("new", &json!("w"));
        prop_assert!(is_longer(&edited, &case.text), "{edited:?}");
    }

    #[test]
    fn around_a_key_that_goes(case in case()) {
        let mut edit = case.edit();
        edit.remove(case.path(&format!("k{}", case.number))).unwrap();
        let rest = [&case.text[..case.entry.start], &case.text[case.entry.end..]];
        match case.form().comma {
            "" => prop_assert_eq!(case.edited(&edit), Some(rest.concat())),
            // What stands beside the comma that goes with it is kept, or else it is refused.
            _ => {
                let edited = case.edited(&edit).unwrap_or_else(|| rest.concat());
                let words = rest.into_iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
                let numbered = |word: &&str| word.strip_prefix('c').is_some_and(|n| n.parse::<u8>().is_ok());
                for comment in words.filter(numbered) {
                    prop_assert!(edited.contains(comment), "{comment}: {edited:?}");
                }
            }
        }
    }
}
