//! Text that is made to exhaust something is refused, and ends nothing else.

use crate::common::files;
use cfg_catalog::{Catalog, CatalogFiles};

fn load(role: String) -> Result<(), String> {
    let mut files = CatalogFiles::default();
    files
        .bytes
        .insert("web/role.toml".into(), role.into_bytes());
    match Catalog::load(&files) {
        Ok(_) => Ok(()),
        Err(wrong) => Err(wrong.to_string()),
    }
}

fn content(template: String) -> String {
    format!("[file.\"/etc/x\"]\ncontent = '{template}'\n")
}

#[test]
fn nesting() {
    let deep = 100_000;
    for text in [
        format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("[{}a]\nb = 1", "a.".repeat(deep)),
        format!("[package]\n{}b = '*'", "a.".repeat(deep)),
    ] {
        let wrong = load(text).unwrap_err();
        assert!(
            wrong.contains("nested too deeply"),
            "{}",
            &wrong[..200.min(wrong.len())]
        );
    }
}

#[test]
fn expressions() {
    let deep = 20_000;
    for expression in [
        format!("{{{{ params{} }}}}", ".a".repeat(deep)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(deep)),
        format!("{{{{ 1{} }}}}", " | string".repeat(deep)),
        format!("{{{{ 1{} }}}}", "[0]".repeat(deep)),
        format!("{{{{ {}1{} }}}}", "(".repeat(deep), ")".repeat(deep)),
        format!("{{{{ {}1{} }}}}", "[".repeat(deep), "]".repeat(deep)),
        format!("{{{{ {}1 }}}}", "not ".repeat(deep)),
        format!("{{{{ {}1 }}}}", "-".repeat(deep)),
        format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(deep / 2)),
        format!(
            "{}{}",
            "{% if 1 %}".repeat(deep / 2),
            "{% endif %}".repeat(deep / 4)
        ),
        format!("{{{{ 1{} }}}}", " == 1".repeat(deep)),
        format!("{{{{ 1{} }}}}", " and 1".repeat(deep)),
        format!("{{{{ 1{} }}}}", " ** 1".repeat(deep)),
    ] {
        let wanted = match expression.starts_with("{{") {
            true => "the expression is too long",
            false => "nested too deeply",
        };
        let begun: String = expression.chars().take(40).collect();
        let wrong = load(content(expression)).unwrap_err();
        assert!(wrong.contains(wanted), "{begun}");
    }
}

#[test]
fn work() {
    let many = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    assert!(
        load(content(many.into()))
            .unwrap_err()
            .contains("too much work")
    );
    let wide = "{{ \"x\" * 1000000000 }}";
    assert!(
        load(content(wide.into()))
            .unwrap_err()
            .contains("too much work")
    );
    let each = "[file.\"/etc/{{ item }}\"]\neach = 'range(20001)|list'\ncontent = ''";
    assert!(
        load(each.into())
            .unwrap_err()
            .contains("more than 20000 resources")
    );
}

#[test]
fn size() {
    let large = format!("# {}", "x".repeat(2 << 20));
    assert!(load(large).unwrap_err().contains("larger than 1024 KiB"));
}

#[test]
fn a_tree_of_too_many_files_is_named() {
    let role = "[directory.'/a']\nsource = 'few'\n[directory.'/b']\nsource = 'many'";
    let mut files = files(&[("web/role.toml", role), ("web/few/x", "")]);
    for at in 0..20_000 {
        files.bytes.insert(format!("web/many/{at}"), Vec::new());
    }
    let wrong = Catalog::load(&files).unwrap_err().to_string();
    assert!(wrong.contains("more than 20000 resources"), "{wrong}");
    assert!(wrong.contains("web/role.toml:4:10"), "{wrong}");
    assert!(wrong.contains("[archive.\"/PATH\"]"), "{wrong}");
}

#[test]
fn chains_of_includes() {
    let mut files = CatalogFiles::default();
    for at in 0..5000 {
        let role = format!("include = ['r{}']", at + 1);
        files
            .bytes
            .insert(format!("r{at}/role.toml"), role.into_bytes());
    }
    files.bytes.insert("r5000/role.toml".into(), Vec::new());
    let wrong = Catalog::load(&files).unwrap_err().to_string();
    assert!(
        wrong.contains("more than 64 roles include one another"),
        "{wrong}"
    );
}
