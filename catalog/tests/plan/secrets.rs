//! Nothing of a secret is in anything that a plan or a run says, whatever a role makes of it.
use crate::model::machine::{Machine, What};
use crate::running::{dry, run};
use cfg_catalog::digest::Digest;
use cfg_catalog::facts::{Facts, Os};
use cfg_catalog::fleet::FleetView;
use cfg_catalog::plan::Ledger;
use cfg_catalog::plan::document::Document;
use cfg_catalog::plan::show::{Style, line, text};
use cfg_catalog::resource::{Body, Desired};
use cfg_catalog::{Catalog, CatalogFiles, Inputs, Secrets, render};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What a role may make of a secret; `KEY` is the param.
const USES: [&str; 20] = [
    "{{ params.KEY }}",
    "{{ params['KEY'] | upper }}",
    "{{ params['K' ~ 'EY'] }}",
    "key={{ params.KEY ~ params.port }}\n",
    "{% set k = params.KEY %}{{ k }}{{ k | reverse }}",
    "{% if params.KEY == 'x' %}a{% else %}b{% endif %}",
    "{{ params | items | list }}",
    "{{ params | tojson }}",
    "{% for name, value in params | dictsort %}{{ name }}: {{ value }} {% endfor %}",
    "{{ [params.KEY, 'x'] | join(',') }}",
    "{{ params.KEY | length }}",
    "{{ params.KEY[0:6] }}",
    "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(params.KEY) }}",
    "{% with k = params.KEY | list %}{{ k | last }}{% endwith %}",
    "{{ params.KEY | default('x') | indent }}",
    "{{ params.KEY | int }}",
    "{{ params.KEY + 1 }}",
    "{{ params.KEY.x.y }}",
    "{{ params.KEY | replace(params.KEY, params.KEY) | batch(2) }}",
    "{{ range(params.KEY) }}",
];

/// Where it puts that.
#[derive(Clone, Copy, Debug)]
enum Spot {
    Content,
    Template,
    Include,
    When,
    Each,
    Env,
    Hash,
    Switched,
    Set,
    Line,
    Match,
    Twice,
}

/// One resource of the role, as text; and its template file.
fn resource(at: usize, spot: Spot, said: &str, mode: &str) -> (String, Option<(String, String)>) {
    let path = format!("/srv/s/f{at}");
    let quoted = serde_json::to_string(said).unwrap();
    let file = |keys: String| format!("[file.\"{path}\"]\n{mode}{keys}\n");
    let edit = |name: &str, format: &str, keys: String| {
        format!(
            "[edit.{name}{at}]\npath = \"{path}\"\nformat = \"{format}\"\ncreate = true\n{keys}\n"
        )
    };
    match spot {
        Spot::Content => (file(format!("content = {quoted}")), None),
        Spot::Template => (
            file(format!("template = \"t{at}.j2\"")),
            Some((format!("web/t{at}.j2"), said.to_owned())),
        ),
        Spot::Include => (
            file(format!("template = \"i{at}.j2\"")),
            Some((
                format!("web/i{at}.j2"),
                format!("{{% filter trim %}}{said}{{% endfilter %}}"),
            )),
        ),
        Spot::When => (
            file(format!("content = \"w\"\nwhen = \"params.KEY != 'x{at}'\"")),
            None,
        ),
        Spot::Each => (
            format!(
                "[file.\"{path}-{{{{ item.name }}}}\"]\n{mode}each = [{{ name = \"a\", key = {quoted} }}]\n\
                 content = \"{{{{ item.key }}}}\"\n"
            ),
            None,
        ),
        Spot::Env => (
            format!(
                "[command.c{at}]\nrun = \"true\"\ncreates = \"/nowhere{at}\"\nenv = {{ A = {quoted} }}\n"
            ),
            None,
        ),
        Spot::Hash => (format!("[user.u{at}]\npassword_hash = {quoted}\n"), None),
        Spot::Switched => (file(format!("content = {quoted}\nsensitive = false")), None),
        Spot::Set => (edit("e", "env", format!("set = {{ A = {quoted} }}")), None),
        Spot::Line => (
            edit("e", "lines", format!("lines = [{{ line = {quoted} }}]")),
            None,
        ),
        Spot::Match => (
            edit(
                "e",
                "lines",
                format!("lines = [{{ line = \"x\", match = {quoted} }}]"),
            ),
            None,
        ),
        Spot::Twice => {
            let once = |name| edit(name, "lines", format!("lines = [{{ line = {quoted} }}]"));
            (once("e") + &once("f"), None)
        }
    }
}

fn spot() -> impl Strategy<Value = Spot> {
    prop_oneof![
        Just(Spot::Content),
        Just(Spot::Template),
        Just(Spot::Include),
        Just(Spot::When),
        Just(Spot::Each),
        Just(Spot::Env),
        Just(Spot::Hash),
        Just(Spot::Switched),
        Just(Spot::Set),
        Just(Spot::Line),
        Just(Spot::Match),
        Just(Spot::Twice),
    ]
}

/// What comes after the secret was there: the directory is purged, each file has other content or none,
/// or gets a line more.
const AFTER: [&str; 4] = [
    "[directory.\"/srv/s\"]\npurge = true\n",
    "content = \"open\"\n",
    "state = \"absent\"\n",
    "format = \"lines\"\nlines = [{ line = \"open\" }]\n",
];

fn facts() -> Facts {
    Facts {
        hostname: "vm-1".into(),
        fqdn: "vm-1.example.org".into(),
        address: "10.0.0.1".into(),
        os: Os {
            id: "debian".into(),
            version: "12".into(),
            codename: "bookworm".into(),
        },
        arch: "amd64".into(),
        cpus: 2,
        memory_mb: 2048,
        interfaces: BTreeMap::new(),
        local: BTreeMap::new(),
        azure: None,
    }
}

fn desired(files: &CatalogFiles, secrets: &Secrets) -> Result<Desired, String> {
    let (catalog, _) = Catalog::load(files).map_err(|wrong| wrong.to_string())?;
    let inputs = Inputs {
        facts: &facts(),
        fleet: &FleetView::default(),
        me: None,
        node: "vm-3",
        leaf: None,
        set: &BTreeMap::new(),
        secrets,
    };
    render(catalog.part("web").unwrap(), &inputs, catalog.files())
        .map_err(|wrong| format!("{wrong}\n{}\n{wrong:?}", wrong.coloured()))
}

fn files(role: &str, templates: &[(String, String)]) -> CatalogFiles {
    let head = "[params]\n\
        KEY = { type = \"string\", secret = true, default = { secret = \"web-key\" } }\n\
        port = { type = \"integer\", default = 80 }\n";
    let mut files = CatalogFiles::default();
    files
        .bytes
        .insert("web/role.toml".into(), format!("{head}{role}").into());
    for (path, text) in templates {
        files.bytes.insert(path.clone(), text.clone().into());
    }
    files
}

/// All forms in which a text could betray the secret, or what was made of it.
struct Traces(Vec<String>);

impl Traces {
    fn of(secret: &str) -> Self {
        let lower = secret.to_lowercase();
        let numbers: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
        let backwards: String = lower.chars().rev().collect();
        Self(vec![
            lower,
            backwards,
            hex::encode(secret),
            numbers.join(", "),
            Digest::of(secret.as_bytes()).to_string(),
        ])
    }

    fn content(&mut self, bytes: &[u8]) {
        self.0.push(Digest::of(bytes).to_string());
    }

    fn are_not_in(&self, what: &str, text: &str) {
        let text = text.to_lowercase();
        for trace in &self.0 {
            assert!(!text.contains(trace), "{what}: {trace} is in\n{text}");
        }
    }

    fn are_not_in_document(&self, what: &str, document: &Document) {
        let json = serde_json::to_string_pretty(document).unwrap();
        self.are_not_in(what, &json);
        self.are_not_in(what, &text(document, Style::Plain, 80));
        for change in &document.changes {
            self.are_not_in(what, &line(change, Style::Plain, true));
            for value in [&change.before, &change.after] {
                assert!(value.get("size").is_none(), "a size: {change:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_of_it_is_said(
        secret in "[A-Z][a-z]{5}[0-9]{4}[a-z!'\"\\\\$%{}]{6}",
        parts in prop::collection::vec((spot(), prop::sample::select(&USES[..]), prop::sample::select(&["", "mode = \"0644\"\n", "mode = \"0600\"\n"][..])), 1..5),
        after in prop::sample::select(&AFTER[..]),
    ) {
        let secrets = Secrets::new("--secrets FILE", [("web-key".to_owned(), secret.clone())].into());
        let mut traces = Traces::of(&secret);
        let mut role = String::new();
        let mut templates = Vec::new();
        for (at, (spot, said, mode)) in parts.iter().enumerate() {
            let (text, template) = resource(at, *spot, said, mode);
            role.push_str(&text);
            templates.extend(template);
        }
        let desired = match desired(&files(&role, &templates), &secrets) {
            Ok(desired) => desired,
            Err(wrong) => {
                traces.are_not_in("an error", &wrong);
                return Ok(());
            }
        };
        prop_assert!(desired.resources.iter().all(|resource| resource.sensitive), "{role}");
        let mut machine = Machine::blank();
        machine.put("/srv/s", What::Directory);
        for resource in &desired.resources {
            if let Body::Command(command) = &resource.body {
                let made = command.creates.clone().unwrap();
                machine.touches.insert(command.name.clone(), made);
            }
            if let Body::Edit(edit) = &resource.body {
                traces.content(&cfg_catalog::edit::apply(b"", &edit.edit).unwrap());
            }
            if let Body::File(file) = &resource.body {
                let before = format!("{} before, {secret}", file.path);
                traces.content(before.as_bytes());
                machine.put(file.path.as_str(), What::File(before.into()));
                if let Some(content) = &file.content {
                    traces.0.push(content.digest().to_string());
                }
            }
        }
        traces.are_not_in_document("the plan", &dry(&machine, &desired, &Ledger::default()));
        let ran = run(&mut machine, &desired, &Ledger::default());
        traces.are_not_in_document("the run", &ran.document);
        let ledger = serde_json::to_string(&ran.ledger).unwrap();
        traces.are_not_in("the ledger, which has digests of inputs alone", &ledger);
        // The secret leaves the role, and what stands there still is of it.
        let paths: BTreeSet<&str> = desired
            .resources
            .iter()
            .filter_map(|resource| match &resource.body {
                Body::File(file) => Some(file.path.as_str()),
                Body::Edit(edit) => Some(edit.path.as_str()),
                _ => None,
            })
            .collect();
        let kind = if after.starts_with("format") { "edit" } else { "file" };
        let role = match after.starts_with('[') {
            true => after.to_owned(),
            false => paths.iter().map(|path| format!("[{kind}.\"{path}\"]\n{after}")).collect(),
        };
        let later = of_role(&role, &secrets);
        let plan = dry(&machine, &later, &ran.ledger);
        prop_assert!(plan.changes.len() >= paths.len(), "{plan:#?}");
        traces.are_not_in_document("what comes after", &plan);
        let ran = run(&mut machine, &later, &ran.ledger);
        traces.are_not_in_document("what came after", &ran.document);
    }
}

#[test]
fn what_an_edit_cannot_have_is_not_quoted() {
    let secret = "Canary(4711";
    let secrets = Secrets::new(
        "--secrets FILE",
        [("web-key".to_owned(), secret.to_owned())].into(),
    );
    let traces = Traces::of(secret);
    let edit = |name: &str, keys: &str| {
        format!("[edit.{name}]\npath = \"/etc/x\"\nformat = \"lines\"\n{keys}\n")
    };
    let wanted = "lines = [{ line = \"{{ params.KEY }}\" }]";
    let unwanted = "remove = [{ match = \"^C\" }]";
    let hidden = "it read a secret, so it is not shown";
    for (role, said) in [
        (
            edit(
                "a",
                "lines = [{ line = \"x\", match = \"^{{ params.KEY }}$\" }]",
            ),
            hidden,
        ),
        (
            "[edit.\"/etc/x\"]\nformat = \"ini\"\nset = \"{{ {'s': {params.KEY ~ '=': 1}} }}\"\n"
                .to_owned(),
            hidden,
        ),
        (
            edit("a", &format!("{wanted}\n{unwanted}")),
            "edit:a contradicts itself about a line",
        ),
        (
            edit("a", wanted) + &edit("b", unwanted),
            "edit:a and edit:b both claim a line of /etc/x",
        ),
        (
            edit("a", unwanted) + &edit("b", wanted),
            "edit:a and edit:b both claim a line of /etc/x",
        ),
    ] {
        let wrong = desired(&files(&role, &[]), &secrets).unwrap_err();
        assert!(wrong.contains(said), "{role}\n{wrong}");
        traces.are_not_in(&role, &wrong);
    }
}

fn of_role(role: &str, secrets: &Secrets) -> Desired {
    desired(&files(role, &[]), secrets).unwrap()
}
