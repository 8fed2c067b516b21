//! Units.

use crate::case::{Case, names};

fn at_units(script: &str) -> Case {
    Case::new(&format!(
        "mkdir -p etc/systemd/system; cd etc/systemd/system; {script}"
    ))
}

#[test]
fn a_mask_destroys_nothing() {
    for there in ["f b.service", "ln -s /srv/x b.service", "mkdir b.service"] {
        let case = at_units(there);
        let (code, ran) = case.role("web", "[service.b]\nmasked = true\n");
        let failure = &ran["failures"][0];
        assert_eq!(code, 1, "{there}: {ran:#}");
        let told = failure["message"].as_str().unwrap();
        assert!(told.contains("a mask would stand in its place"), "{told}");
        assert!(
            failure["remedy"].as_str().unwrap().contains("absent"),
            "{ran:#}"
        );
        case.leaves();
    }
}

#[test]
fn a_mask_comes_where_the_role_makes_room() {
    for (there, kind) in [("f b.service", "file"), ("ln -s /srv/x b.service", "link")] {
        let case = at_units(there);
        let role = format!(
            "[service.b]\nmasked = true\n[{kind}.\"/etc/systemd/system/b.service\"]\nstate = \"absent\"\n"
        );
        let (code, ran) = case.role("web", &role);
        assert_eq!((code, names(&ran).len()), (0, 2), "{ran:#}");
        case.leaves();
    }
}

#[test]
fn what_cannot_be_enabled_is_foretold() {
    let gone = "[service.b]\nenabled = true\n[file.\"/etc/systemd/system/b.service\"]\nstate = \"absent\"\n";
    let own = "[service.b]\nenabled = true\nunit = \"u\"\n";
    for (there, role, told) in [
        ("f b.service", gone, "there is no unit b.service"),
        (
            "touch multi-user.target.wants",
            own,
            "multi-user.target.wants is not a directory",
        ),
    ] {
        let case = at_units(there);
        let (code, ran) = case.role("web", role);
        let said = ran["failures"][0]["message"].as_str().unwrap();
        assert!(code == 1 && said.contains(told), "{ran:#}");
        assert!(
            !ran["failures"][0]["remedy"]
                .as_str()
                .unwrap()
                .contains("journalctl")
        );
        case.leaves();
    }
    // Another file comes to light.
    let lib = "mkdir -p ../../../lib/systemd/system; f ../../../lib/systemd/system/b.service; f b.service";
    let case = at_units(lib);
    assert_eq!(case.role("web", gone).0, 0);
    case.leaves();
}

#[test]
fn a_link_of_the_role_enables_as_well() {
    let link = "[link.\"/etc/systemd/system/multi-user.target.wants/q.service\"]\ntarget = \"../q.service\"\n";
    let case = at_units("true");
    let (code, ran) = case.role(
        "web",
        &format!("{link}[service.q]\nunit = \"u\"\nenabled = true\n"),
    );
    assert!(
        code == 0 && !names(&ran).contains(&"enable service:q".into()),
        "{ran:#}"
    );
    case.leaves();
    let (code, ran) = case.role(
        "other",
        &format!("{link}[service.q]\nunit = \"u\"\nenabled = false\n"),
    );
    let told = ran["failures"][0]["message"].as_str().unwrap();
    assert!(code == 1 && told.contains("say one of the two"), "{ran:#}");
}

#[test]
fn what_was_there_before_comes_back() {
    const MASK: &str = "ln -s /dev/null b.service";
    const ENABLED: &str = "f b.service; mkdir multi-user.target.wants; \
        ln -s /etc/systemd/system/b.service multi-user.target.wants/b.service";
    for (there, roles) in [
        (MASK, &["masked = false"][..]),
        ("touch b.service", &["masked = false"]),
        (MASK, &["unit = \"u\"\nmasked = false\nenabled = true"]),
        (MASK, &["unit = \"u\""]),
        ("true", &["unit = \"u\"\nenabled = true", "masked = true"]),
        (ENABLED, &["unit = \"x\"\nenabled = true"]),
        ("f b.service; chmod 600 b.service", &["unit = \"x\""]),
        ("ln -s /srv/u b.service", &["unit = \"x\""]),
        // What stood there is seen only when the role has a file for it.
        (
            "f b.service",
            &["enabled = true", "enabled = true\nunit = \"x\""],
        ),
        // All of it goes, folders too.
        ("cd ..; rmdir system", &["unit = \"u\"\nenabled = true"]),
        ("cd ..; rmdir system", &["masked = true"]),
    ] {
        let case = at_units(there);
        for (at, keys) in roles.iter().enumerate() {
            let name = ["web", "next"][at];
            case.role(name, &format!("[service.b]\n{keys}\n"));
        }
        case.leaves();
    }
}
