//! Who is measured, and how each says what it must bring about.

use super::Call;
use super::measure::Words;
use super::tree::{Tree, below};
use anyhow::{Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Somebody who can be measured.
pub struct Tool {
    /// Its name.
    pub name: String,
    /// How often at most.
    pub rounds: usize,
    /// Looks, and finds nothing to do.
    pub observe: Words,
    /// Brings about what differs; none where it only looks.
    pub enact: Option<Words>,
    /// What it does where nothing is there, if that is another program.
    pub first: Option<Words>,
}

impl Tool {
    /// The least that anything could do.
    pub fn is_limit(&self) -> bool {
        self.name.starts_with("limit")
    }

    /// Whether a look of it is measured.
    pub fn observes(&self) -> bool {
        !self.observe.argv.is_empty()
    }

    /// Whether it brings files about.
    pub fn writes(&self) -> bool {
        self.first.is_some() || self.enact.is_some()
    }

    fn other(name: &str, rounds: usize, argv: Vec<String>) -> Self {
        let words = Words::new(argv);
        Self {
            name: name.into(),
            rounds,
            observe: words.clone(),
            enact: Some(words),
            first: None,
        }
    }
}

/// Who else can be measured.
const OTHERS: [&str; 4] = ["cf-agent", "puppet", "salt-call", "ansible-playbook"];

/// Those of them that are installed; says which are not.
pub fn installed() -> Vec<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = Vec::new();
    for name in OTHERS {
        match std::env::split_paths(&path).any(|folder| folder.join(name).is_file()) {
            true => found.push(name.to_owned()),
            false => println!("{name} is not installed, and not measured"),
        }
    }
    found
}

/// The limit, cfg, and the others that are to be measured.
pub fn tools(call: &Call, tree: &Tree) -> Result<Vec<Tool>> {
    let mut all = vec![limit(call, tree)?];
    all.extend(cfg(call, tree));
    for name in &call.with {
        all.push(match name.as_str() {
            "cf-agent" => cf_agent(tree)?,
            "puppet" => puppet(tree)?,
            "salt-call" => salt(tree)?,
            "ansible-playbook" => ansible(tree)?,
            other => bail!("it is not known how {other} would do it"),
        });
    }
    Ok(all)
}

fn limit(call: &Call, tree: &Tree) -> Result<Tool> {
    let own = std::env::current_exe()?.display().to_string();
    let files = tree.files.to_string();
    let (from, to) = (text(&tree.wanted), text(&tree.machine));
    Ok(Tool {
        name: "limit".into(),
        rounds: call.rounds,
        observe: Words::new([&own, "limit", &to, &files]),
        enact: None,
        first: Some(Words::new([&own, "write", &from, &to, &files])),
    })
}

fn cfg(call: &Call, tree: &Tree) -> [Tool; 2] {
    let config = text(&tree.folder.join("agent.toml"));
    let roles = text(&tree.folder.join("roles"));
    let program = text(&call.cfg);
    let apply = [
        &program,
        "--config",
        &config,
        "apply",
        "--catalog",
        &roles,
        "--role",
        "bench",
    ];
    let dry = Tool {
        name: "cfg apply --dry-run".into(),
        rounds: call.rounds,
        observe: Words::new(apply.into_iter().chain(["--dry-run"])),
        enact: None,
        first: None,
    };
    let words = Words::new(apply);
    let wet = Tool {
        name: "cfg apply".into(),
        rounds: call.rounds,
        observe: words.clone(),
        enact: Some(words),
        first: None,
    };
    [dry, wet]
}

/// A bundle that copies each file by its digest, and has each package present.
fn cf_agent(tree: &Tree) -> Result<Tool> {
    let (from, to) = (text(&tree.wanted), text(&tree.machine));
    let packages: Vec<String> = tree
        .packages
        .iter()
        .map(|name| format!("{name:?}"))
        .collect();
    let policy = format!(
        r#"body common control {{
  inputs => {{ "/usr/share/cfengine3/masterfiles/lib/stdlib.cf" }};
  bundlesequence => {{ "main" }};
}}
bundle agent main {{
  vars:
    "packages" slist => {{ {} }};
    "files" slist => {{ {} }};
  files:
    "{to}/$(files)"
      perms => mog("0644", "root", "root"),
      copy_from => digest_of("{from}/$(files)");
  packages:
    "$(packages)" package_policy => "add", package_method => apt_get;
}}
body copy_from digest_of(from) {{
  source => "$(from)";
  compare => "digest";
}}
"#,
        packages.join(", "),
        files(tree, |below| format!("{below:?}")).join(", "),
    );
    let at = tree.folder.join("bench.cf");
    fs::write(&at, policy)?;
    fs::set_permissions(&at, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let argv = ["cf-agent", "-K", "-f", &text(&at)];
    Ok(Tool::other("cf-agent", 5, argv.map(str::to_owned).to_vec()))
}

/// A manifest with a resource a file.
fn puppet(tree: &Tree) -> Result<Tool> {
    let (from, to) = (text(&tree.wanted), text(&tree.machine));
    let mut manifest = String::new();
    for package in &tree.packages {
        writeln!(manifest, "package {{ '{package}': ensure => present }}")?;
    }
    for below in files(tree, str::to_owned) {
        writeln!(
            manifest,
            "file {{ '{to}/{below}': source => 'file://{from}/{below}', checksum => sha256, owner => root, group => root, mode => '0644' }}"
        )?;
    }
    let at = tree.folder.join("bench.pp");
    fs::write(&at, manifest)?;
    let argv = ["puppet", "apply", &text(&at)];
    Ok(Tool::other("puppet", 3, argv.map(str::to_owned).to_vec()))
}

/// A state a file.
fn salt(tree: &Tree) -> Result<Tool> {
    let to = text(&tree.machine);
    let mut state = String::from("packages:\n  pkg.installed:\n    - pkgs:\n");
    for package in &tree.packages {
        writeln!(state, "      - {package}")?;
    }
    for below in files(tree, str::to_owned) {
        writeln!(
            state,
            "{to}/{below}:\n  file.managed:\n    - source: salt://files/{below}\n    - mode: '0644'\n    - user: root\n    - group: root"
        )?;
    }
    let roots = tree.folder.join("roles/bench");
    fs::write(roots.join("bench.sls"), state)?;
    let config = tree.folder.join("salt");
    fs::create_dir_all(&config)?;
    let minion = format!(
        "id: bench\nfile_client: local\nroot_dir: {}\nfile_roots:\n  base:\n    - {}\n",
        text(&config),
        text(&roots)
    );
    fs::write(config.join("minion"), minion)?;
    let argv = [
        "salt-call",
        "--local",
        "--config-dir",
        &text(&config),
        "state.apply",
        "bench",
    ];
    Ok(Tool::other(
        "salt-call",
        3,
        argv.map(str::to_owned).to_vec(),
    ))
}

/// A task that loops over the files.
fn ansible(tree: &Tree) -> Result<Tool> {
    let (from, to) = (text(&tree.wanted), text(&tree.machine));
    let mut play = String::from("- hosts: localhost\n  gather_facts: false\n  tasks:\n");
    play.push_str("  - package:\n      state: present\n      name:\n");
    for package in &tree.packages {
        writeln!(play, "      - {package}")?;
    }
    writeln!(
        play,
        "  - copy:\n      src: {from}/{{{{ item }}}}\n      dest: {to}/{{{{ item }}}}"
    )?;
    play.push_str("      owner: root\n      group: root\n      mode: '0644'\n    loop:\n");
    for below in files(tree, str::to_owned) {
        writeln!(play, "    - {below}")?;
    }
    let at = tree.folder.join("bench.yml");
    fs::write(&at, play)?;
    let argv = [
        "ansible-playbook",
        "-c",
        "local",
        "-i",
        "localhost,",
        &text(&at),
    ];
    Ok(Tool::other(
        "ansible-playbook",
        1,
        argv.map(str::to_owned).to_vec(),
    ))
}

fn files(tree: &Tree, word: impl Fn(&str) -> String) -> Vec<String> {
    (0..tree.files).map(|file| word(&below(file))).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
