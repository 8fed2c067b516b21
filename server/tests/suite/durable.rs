//! The local store is on the disk before anybody is told so: the order of the program's own calls to the kernel, while it serves.

use crate::channel::{self, Identity};
use crate::home::{Home, Serving, text};
use crate::papers::facts;
use crate::release::Release;
use crate::world::{Desk, csr, guest};
use cfg_wire::agents_client::AgentsClient;
use cfg_wire::{EnrollOperatorRequest, EnrollRequest, ReportRequest};
use rcgen::KeyPair;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Each sync lasts so long, so that an answer which does not wait for it is seen to come first.
const SYNC: Duration = Duration::from_millis(150);
const CALLS: &str = "trace=fsync,fdatasync,link,linkat,rename,renameat,renameat2,mkdir,mkdirat";

/// One call that went well, and when it was over, seconds since 1970.
#[derive(Debug)]
struct Call {
    name: String,
    /// What is synced, or what gets another name.
    path: PathBuf,
    /// The name that is new.
    new: Option<PathBuf>,
    begun: f64,
    over: f64,
}

/// The program below strace, whose notes are a file a thread. The program is the child, so that it can be ended.
fn traced(home: &Home, arguments: &[&str]) -> Command {
    let mut command = Command::new("strace");
    let delay = format!("inject=fsync,fdatasync:delay_enter={}", SYNC.as_micros());
    command
        .args(["-D", "-ff", "-ttt", "-T", "-y", "-s", "4096", "-qq"])
        .args(["-e", CALLS, "-e", &delay, "-o"])
        .arg(home.path().join("trace"))
        .arg(env!("CARGO_BIN_EXE_cfg-server"))
        .args(home.words(arguments));
    command
}

/// All calls until now.
fn calls(home: &Home) -> Vec<Call> {
    let mut calls = Vec::new();
    for entry in std::fs::read_dir(home.path()).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if name.starts_with("trace.") {
            let notes = std::fs::read_to_string(&path).expect("notes");
            calls.extend(notes.lines().filter_map(call));
        }
    }
    calls.sort_by(|a: &Call, b| a.over.total_cmp(&b.over));
    calls
}

/// `1764105310.5 fsync(9</a/b>) = 0 (DELAYED) <0.15>`, `… linkat(AT_FDCWD</>, "/a/b#1", AT_FDCWD</>, "/a/b", 0) = 0 <0.01>`.
fn call(line: &str) -> Option<Call> {
    let (begun, rest) = line.split_once(' ')?;
    let (call, result) = rest.rsplit_once(" = ")?;
    let (name, arguments) = call.split_once('(')?;
    if !result.starts_with("0 ") {
        return None;
    }
    let begun: f64 = begun.parse().ok()?;
    let (_, took) = result.rsplit_once('<')?;
    let took: f64 = took.trim_end_matches('>').parse().ok()?;
    let mut quoted = arguments.split('"').skip(1).step_by(2).map(PathBuf::from);
    let (path, new) = match name {
        "fsync" | "fdatasync" => {
            let (_, path) = arguments.split_once('<')?;
            (path.rsplit_once('>')?.0.into(), None)
        }
        "mkdir" | "mkdirat" => (quoted.next()?, None),
        _ => (quoted.next()?, quoted.next()),
    };
    Some(Call {
        name: name.to_owned(),
        path,
        new,
        begun,
        over: begun + took,
    })
}

fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs_f64()
}

/// Every name that appeared since then below the server's folder: what it names was synced before, and the folder that has
/// it after, and that is over by now. Gives the names.
fn durable_since(home: &Home, from: f64) -> Vec<String> {
    let until = now();
    let (data, calls) = (home.path().join("data"), calls(home));
    let synced = |path: &Path, from: f64, until: f64| {
        let mut syncs = calls.iter().filter(|call| call.name.ends_with("sync"));
        syncs.any(|call| call.path == path && call.begun >= from && call.over <= until)
    };
    let mut names = Vec::new();
    for call in calls.iter().filter(|call| !call.name.ends_with("sync")) {
        let new = call.new.as_ref().unwrap_or(&call.path);
        let Ok(name) = new.strip_prefix(&data) else {
            continue;
        };
        if call.begun < from || call.begun > until {
            continue;
        }
        let folder = new.parent().expect("it lies in one");
        assert!(
            synced(folder, call.over, until),
            "{} was not synced by {until} after {call:?}: {calls:#?}",
            folder.display()
        );
        assert!(
            call.new.is_none() || synced(&call.path, 0.0, call.begun),
            "it was not synced before {call:?}: {calls:#?}"
        );
        names.push(name.display().to_string());
    }
    names
}

#[track_caller]
fn has(names: &[String], parts: &[&str]) {
    for part in parts {
        assert!(
            names.iter().any(|name| name.contains(part)),
            "no {part} in {names:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_on_the_disk() {
    let home = Home::new();
    let began = now();
    let init = traced(&home, &["init"])
        .output()
        .expect("strace is installed");
    assert!(init.status.success(), "{}", text(&init.stderr));
    has(
        &durable_since(&home, began),
        &["pki", "store", "store/log/0"],
    );
    let printed = text(&init.stdout);
    let token = printed
        .lines()
        .find_map(|line| line.strip_prefix("operator-token: "));
    let token = token.expect("the token").to_owned();

    let _serving = Serving::start(&mut traced(&home, &["run"]));
    let (ca, key) = (home.ca(), KeyPair::generate().expect("a key"));
    let mut door = guest(home.enrol_address(), &ca);
    let mut began = now();
    let mut expect = |parts: &[&str]| {
        has(&durable_since(&home, began), parts);
        began = now();
    };
    let csr_of = |name| csr(name, &key);
    let request = EnrollOperatorRequest {
        token,
        name: "alice".into(),
        csr: csr_of("alice"),
    };
    let enrolled = door.enroll_operator(request).await.expect("alice enrols");
    expect(&["store/log/0"]);
    let identity = |certificate| Identity {
        certificate,
        key: key.serialize_pem(),
    };
    let alice = identity(enrolled.into_inner().certificate);
    let desk = Desk::at(home.address(), &ca, &alice);
    desk.upload(b"a blob").await.expect("it is taken");
    expect(&["store/blob"]);
    desk.publish(&Release::of(&["web"], 1)).await;
    expect(&["store/log/0", "store/layers"]);
    let token = desk.token("web", 1, 600).await;
    expect(&["store/log/0"]);
    let request = EnrollRequest {
        token,
        name: "vm-1".into(),
        csr: csr_of("vm-1"),
        facts: facts("127.0.0.1"),
    };
    let enrolled = door.enroll(request).await.expect("it enrols");
    expect(&["store/log/0"]);
    let machine = identity(enrolled.into_inner().certificate);
    let tls = channel::tls(&ca, Some(&machine));
    let mut agents = AgentsClient::new(channel::open(home.address(), tls));
    let document = b"{\"result\": \"applied\"}".to_vec();
    agents
        .report(ReportRequest { document })
        .await
        .expect("it is taken");
    expect(&["store/runs/vm-1/", "store/last/vm-1"]);
    desk.revoke("vm-1").await;
    expect(&["store/log/0"]);
}
