//! What is a unit's file or a setting's in one role and a file of its own in the next, or the other way: what was there before
//! cfg comes back.

use crate::case::Case;

const UNIT: &str = "[service.b]\nunit = \"u\"\n";
const ENABLED: &str = "[service.b]\nunit = \"u\"\nenabled = true\n";
const NAMED: &str = "[service.b]\nenabled = true\n";
const MASK: &str = "[service.b]\nmasked = true\n";
const FILE: &str = "[file.\"/etc/systemd/system/b.service\"]\n\
    content = \"[Service]\\nExecStart=/bin/false\\n[Install]\\nWantedBy=x.target\\n\"\n";
const MODE: &str = "[file.\"/etc/systemd/system/b.service\"]\nmode = \"0640\"\n";
const LINK: &str = "[link.\"/etc/systemd/system/b.service\"]\ntarget = \"/srv/other\"\n";
const GONE: &str = "[file.\"/etc/systemd/system/b.service\"]\nstate = \"absent\"\n";

/// Where this stands, the machine has all of these roles, one after the other, and then none: once each leaves what the one before
/// it left, once each brings that back.
fn comes_back(folder: &str, theirs: &[&str], ways: &[&[&str]]) {
    for (there, roles) in theirs
        .iter()
        .flat_map(|one| ways.iter().map(move |way| (one, way)))
    {
        for name in ["web", "next"] {
            let case = Case::new(&format!("mkdir -p {folder}; cd {folder}; {there}"));
            for role in *roles {
                let (code, ran) = case.role(name, role);
                assert_eq!(code, 0, "{there}: {roles:?}: {ran:#}");
            }
            case.leaves();
        }
    }
}

#[test]
fn what_stood_in_a_units_place_comes_back() {
    let both = &[FILE, NAMED].concat();
    comes_back(
        "etc/systemd/system",
        &["true", "f b.service; chmod 600 b.service"],
        &[
            &[UNIT, FILE],
            &[FILE, UNIT, FILE],
            &[ENABLED, FILE],
            &[FILE, ENABLED],
            &[both, ENABLED, both],
            &[UNIT, GONE],
            &[UNIT, MODE],
        ],
    );
}

#[test]
fn what_stood_in_a_masks_place_comes_back() {
    comes_back(
        "etc/systemd/system",
        &["true", "ln -s /dev/null b.service"],
        &[
            &[MASK, FILE],
            &[MASK, UNIT],
            &[MASK, UNIT, FILE],
            &[MASK, LINK],
            &[LINK, UNIT],
        ],
    );
}

#[test]
fn what_stood_in_a_settings_place_comes_back() {
    let set = "[sysctl]\n\"vm.swappiness\" = \"9\"\n";
    let other = "[sysctl]\n\"vm.swappiness\" = \"8\"\n";
    let unset = "[sysctl.\"vm.swappiness\"]\nstate = \"absent\"\n";
    let file = "[file.\"/etc/sysctl.d/90-cfg-vm.swappiness.conf\"]\ncontent = \"x = 1\\n\"\n";
    let name = "90-cfg-vm.swappiness.conf";
    comes_back(
        "etc/sysctl.d",
        &["true", &format!("echo 'a = 2' > {name}; chmod 600 {name}")],
        &[
            &[set, file],
            &[set, file, other],
            &[file, set, file],
            &[file, unset],
            &[unset, file],
        ],
    );
}

#[test]
fn what_stood_in_a_repositorys_places_comes_back() {
    let plain =
        "[repository.x]\nuris = [\"http://127.0.0.1/\"]\nsuites = [\"a\"]\ncomponents = [\"b\"]\n";
    let signed = &format!("{plain}signed_by = \"k.asc\"\n");
    let sources = "/etc/apt/sources.list.d/cfg-x.sources";
    let key = "/etc/apt/keyrings/cfg-x.asc";
    let file = |path: &str| format!("[file.{path:?}]\ncontent = \"# x\\n\"\n");
    let (of_sources, of_key) = (&*file(sources), &*file(key));
    let gone = &*format!("[file.{key:?}]\nstate = \"absent\"\n");
    let both = &*[of_sources, of_key].concat();
    let beside = &*[plain, of_key].concat();
    let theirs = |path: &str| format!("echo '# old' > {path}; chmod 600 {path}; ");
    let stanza = theirs("cfg-x.sources");
    let keyring = format!("mkdir ../keyrings; {}", theirs("../keyrings/cfg-x.asc"));
    comes_back(
        "etc/apt/sources.list.d",
        &["true", &[&*stanza, &keyring].concat()],
        &[
            &[plain, of_sources],
            &[of_sources, plain, of_sources],
            &[signed, of_sources],
            &[signed, of_key],
            &[of_key, signed],
            &[both, signed, both],
            &[signed, beside],
            &[signed, gone],
            &[plain, signed, plain, of_key],
        ],
    );
}
