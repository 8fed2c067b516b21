//! The program itself, and what a machine fetches from it.

use crate::home::{Home, text};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

#[test]
fn codes_of_wrong_calls() {
    let home = Home::new();
    for (arguments, code, words) in [
        (&["rnu"][..], 64, "unrecognized subcommand"),
        (&["cloud-init"], 64, "--role"),
        (
            &["cloud-init", "--role", "x", "--ttl", "1y"],
            64,
            "is not a duration",
        ),
        (&["run"], 1, "run cfg-server init first"),
        (&["operator-token"], 1, "run cfg-server init first"),
        (
            &["init", "--fleet", "a b"],
            64,
            "cannot be the name of a fleet",
        ),
    ] {
        let output = home.call(arguments);
        let says = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {says}");
        assert!(says.contains(words), "{arguments:?}: {says}");
    }
    for (keys, words) in [
        ("prot = 1", "unknown field `prot`"),
        (
            "data = \"here\"",
            "data \"here\": an absolute path is wanted",
        ),
        ("[store]\nurl = \"s3://x\"", "azure://CONTAINER is wanted"),
        ("[store]\nurl = \"azure://\"", "azure://"),
    ] {
        std::fs::write(home.path().join("server.toml"), keys).expect("written");
        let output = home.call(&["run"]);
        assert_eq!(output.status.code(), Some(78), "{output:?}");
        assert!(text(&output.stderr).contains(words), "{output:?}");
    }
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    for arguments in [&["--help"][..], &["init", "--fleet", "a b"]] {
        let said = |command: &mut Command| {
            let output = command.args(arguments).output().expect("it runs");
            (output.status.code(), text(&output.stderr))
        };
        let program = || Command::new(env!("CARGO_BIN_EXE_cfg-server"));
        let unset = said(program().env_remove("CFG_SERVER_CONFIG"));
        let empty = said(program().env("CFG_SERVER_CONFIG", ""));
        assert_eq!(empty, unset, "{arguments:?}");
    }
}

#[test]
fn init_says_what_comes_next_and_runs_once() {
    let home = Home::new();
    let first = home.call(&["init"]);
    assert!(first.status.success(), "{first:?}");
    let says = text(&first.stdout);
    let lines: Vec<&str> = says.lines().collect();
    let ca = lines[0].strip_prefix("ca-sha256: ").expect("the CA");
    let token = lines[1]
        .strip_prefix("operator-token: ")
        .expect("the token");
    assert_eq!((ca.len(), token.len(), lines.len()), (64, 44, 2));
    let next = format!("--token-file FILE --ca-sha256 {ca}");
    let told = text(&first.stderr);
    assert!(told.contains(&next) && told.contains("CFG_TOKEN"), "{told}");
    assert!(
        !told.contains(token),
        "the list of processes shows it to all"
    );

    let files = || {
        let key = std::fs::read(home.path().join("data/pki/ca.key")).expect("the key");
        let entries = std::fs::read_dir(home.path().join("data/store/log")).expect("the log");
        (key, entries.count())
    };
    let before = files();
    let second = home.call(&["init"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("left as it is"), "{second:?}");
    assert_eq!(files(), before);

    // A fleet under the CA of one whose store is lost would be another that nobody meant.
    let (store, aside) = (home.path().join("data/store"), home.path().join("aside"));
    std::fs::rename(&store, &aside).expect("moved");
    let lost = home.call(&["init"]);
    assert_eq!(lost.status.code(), Some(1));
    let told = text(&lost.stderr);
    assert!(
        told.contains("restore") && told.contains("data/pki"),
        "{told}"
    );
    std::fs::remove_dir_all(&store).expect("removed");
    std::fs::rename(&aside, &store).expect("moved");
    let another = text(&home.call(&["operator-token"]).stdout);
    assert!(
        another.starts_with(&format!("ca-sha256: {ca}\noperator-token: cfg-")),
        "{another}"
    );
    assert!(!another.contains(token));
}

#[test]
fn cloud_init_warns_of_a_bare_host_name() {
    let home = Home::new();
    assert!(home.call(&["init"]).status.success());
    let warned = || {
        let made = home.call(&["cloud-init", "--role", "web"]);
        assert!(
            text(&made.stdout).starts_with("#cloud-config\n"),
            "{made:?}"
        );
        text(&made.stderr).contains("set `url` or `names` in server.toml")
    };
    assert!(!warned());
    let path = home.path().join("server.toml");
    let toml = std::fs::read_to_string(&path).expect("it is there");
    let bare = toml.replace("names = [\"127.0.0.1\"]\n", "");
    std::fs::write(&path, &bare).expect("written");
    assert!(warned());
    std::fs::write(&path, format!("url = \"https://cfg.example\"\n{bare}")).expect("written");
    assert!(!warned());
}

/// The script of the user-data, made to install below a folder.
fn script(user_data: &str, root: &Path) -> String {
    let start = user_data
        .find("      #!/usr/bin/env python3")
        .expect("the script");
    let script: String = user_data[start..]
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("      ").unwrap_or(line)))
        .collect();
    let program = root.join("cfg").display().to_string();
    script
        .replace("/usr/bin/cfg", &program)
        .replace("PATIENCE = 15 * 60", "PATIENCE = 8")
}

/// A machine with the script of a home's user-data.
struct Booting {
    root: TempDir,
    text: String,
    token: String,
}

impl Booting {
    fn new(home: &Home) -> Self {
        let made = home.call(&["cloud-init", "--role", "web"]);
        assert!(made.status.success(), "{made:?}");
        let user_data = text(&made.stdout);
        let root = tempfile::tempdir().expect("a folder");
        let token = user_data.find("cfg-").expect("the token");
        Self {
            text: script(&user_data, root.path()),
            token: user_data[token..token + 44].to_owned(),
            root,
        }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("cfg-bootstrap")
    }

    fn program(&self) -> PathBuf {
        self.root.path().join("cfg")
    }

    fn boot(&self) -> Child {
        std::fs::write(self.path(), &self.text).expect("written");
        Command::new("python3")
            .arg(self.path())
            // Nobody listens there.
            .env("https_proxy", "http://127.0.0.1:1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3 runs")
    }

    fn booted(&self) -> Output {
        self.boot().wait_with_output().expect("it ends")
    }
}

#[test]
fn cloud_init_brings_the_agent() {
    let home = Home::new();
    assert!(home.call(&["init"]).status.success());
    let _serving = home.serve();
    let made = home.call(&["cloud-init", "--role", "web"]);
    assert!(
        text(&made.stderr).contains("nothing is published yet"),
        "{made:?}"
    );
    let user_data = text(&made.stdout);
    assert!(user_data.starts_with("#cloud-config\n"), "{user_data}");
    assert!(user_data.contains(&format!("https://127.0.0.1:{}/cfg", home.enrol_port)));

    let machine = Booting::new(&home);
    for _ in 0..2 {
        let output = machine.booted();
        assert!(output.status.success(), "{output:?}");
        let says = text(&output.stdout);
        assert!(
            says.contains("agent enroll --server https://127.0.0.1:"),
            "{says}"
        );
        assert!(
            says.contains("--token-file /etc/cfg/token --ca-sha256 "),
            "{says}"
        );
        assert!(says.contains(" --start"), "{says}");
        let all = format!("{says}{}", text(&output.stderr));
        assert!(!all.contains(&machine.token), "the token is in the log");
        assert!(!machine.path().exists(), "the next boot has nothing to do");
    }
    let installed = machine.program();
    assert_eq!(
        std::fs::read(&installed).expect("the agent"),
        std::fs::read(home.path().join("cfg")).expect("the agent")
    );
    use std::os::unix::fs::PermissionsExt as _;
    let mode = installed.metadata().expect("its mode").permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[test]
fn cloud_init_brings_no_other_agent() {
    let home = Home::new();
    std::fs::write(home.path().join("cfg"), "#!/bin/sh\nexit 0\n").expect("written");
    assert!(home.call(&["init"]).status.success());
    let _serving = home.serve();
    let machine = Booting::new(&home);
    // Another program than the one that was promised is not installed, and no more of it is taken than that has.
    let endless = std::fs::File::create(home.path().join("cfg")).expect("created");
    endless.set_len(64 << 30).expect("a length");
    let output = machine.booted();
    assert!(!output.status.success());
    let says = text(&output.stdout);
    assert!(says.matches("somebody meddles").count() > 2, "{says}");
    assert!(text(&output.stderr).contains("gave up until the next boot"));
    assert!(!machine.program().exists());
    assert!(machine.path().exists(), "the next boot tries again");
}

#[test]
fn cloud_init_waits_for_the_server() {
    let home = Home::new();
    assert!(home.call(&["init"]).status.success());
    let machine = Booting::new(&home);
    let booting = machine.boot();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let _serving = home.serve();
    let output = booting.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).contains("fetching the agent: "));
}
