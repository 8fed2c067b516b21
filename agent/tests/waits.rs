//! What a run waits for and reads, as the kernel saw it: waits for the disk overlap, and nothing is read twice.

use cfg_tests::Desk;
use std::collections::BTreeMap;
use std::process::Command;

const FILES: usize = 300;
const PACKAGES: usize = 20;

/// One call, in seconds.
struct Call {
    begun: f64,
    over: f64,
    text: String,
}

/// A role of many files and packages, and a root that has the packages.
fn desk() -> Desk {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    let files = (0..FILES).map(|at| format!("[file.\"/many/{at}\"]\ncontent = \"{at}\"\n"));
    let packages = (0..PACKAGES).map(|at| format!("[package.p{at}]\nversion = \"1\"\n"));
    desk.role("web", &files.chain(packages).collect::<String>());
    let installed = (0..PACKAGES).map(|at| {
        format!("Package: p{at}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n")
    });
    desk.write("root/var/lib/dpkg/status", installed.collect::<String>());
    desk
}

/// The calls of these names that an apply made, with all its threads and children; each wait for the disk takes
/// a while.
fn apply(desk: &Desk, name: &str, more: &[&str]) -> Vec<Call> {
    let notes = desk.path("notes");
    std::fs::create_dir(&notes).unwrap();
    let output = desk
        .at(Command::new("strace"))
        .args(["-ff", "-ttt", "-T", "-y", "-qqq", "--signal=none"])
        .args(["-e", &format!("trace={name}")])
        .args(["-e", "inject=fsync:delay_enter=10000"])
        .arg("-o")
        .arg(notes.join("t"))
        .arg(env!("CARGO_BIN_EXE_cfg"))
        .args(cfg_tests::desk::apply("web"))
        .args(more)
        .output()
        .expect("strace is installed");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut calls = Vec::new();
    for note in std::fs::read_dir(&notes).unwrap() {
        let text = std::fs::read_to_string(note.unwrap().path()).unwrap();
        calls.extend(text.lines().map(call));
    }
    std::fs::remove_dir_all(&notes).unwrap();
    calls
}

/// `1764105310.5 fsync(9</a/b>) = 0 (DELAYED) <0.15>`.
fn call(line: &str) -> Call {
    let (begun, text) = line.split_once(' ').unwrap();
    let (_, took) = text.rsplit_once('<').unwrap();
    let begun: f64 = begun.parse().unwrap();
    let took: f64 = took.trim_end_matches('>').parse().unwrap();
    Call {
        begun,
        over: begun + took,
        text: text.to_owned(),
    }
}

#[test]
fn many_files_are_synced_before_they_are_in_place_and_their_waits_overlap() {
    let desk = desk();
    let calls = apply(&desk, "fsync,renameat,renameat2", &[]);
    let folder = format!("{}>", desk.path("root/many").display());
    let (syncs, renames): (Vec<&Call>, Vec<&Call>) = calls
        .iter()
        .partition(|call| call.text.starts_with("fsync"));
    let renames: Vec<&Call> = renames
        .into_iter()
        .filter(|call| call.text.contains(&folder))
        .collect();
    assert_eq!(renames.len(), FILES);
    for rename in renames {
        let new = rename.text.split('"').nth(1).unwrap();
        let new = format!("/{new}>");
        let synced = syncs.iter().find(|sync| sync.text.contains(&new));
        // Two clocks of the tracer.
        let first = synced.is_some_and(|sync| sync.over < rename.begun + 0.005);
        assert!(first, "not synced before: {}", rename.text);
    }
    let together = syncs.iter().map(|sync| {
        let others = syncs
            .iter()
            .filter(|other| other.begun <= sync.begun && sync.begun < other.over);
        others.count()
    });
    assert!(together.max().unwrap() >= 4, "the waits do not overlap");
    let of_folder = syncs
        .iter()
        .filter(|sync| sync.text.contains(&folder))
        .count();
    assert!(
        (1..FILES / 10).contains(&of_folder),
        "{of_folder} waits for the folder"
    );
}

#[test]
fn a_second_run_reads_each_file_and_the_status_of_dpkg_once() {
    let desk = desk();
    apply(&desk, "fsync", &[]);
    let mut opened: BTreeMap<String, usize> = BTreeMap::new();
    for call in apply(&desk, "open,openat,openat2", &["--dry-run"]) {
        // The path of what was opened stands behind its number.
        if let Some((_, got)) = call.text.rsplit_once(" = ")
            && let Some((path, _)) = got
                .split_once('<')
                .and_then(|(_, path)| path.split_once('>'))
            && !call.text.contains("O_PATH")
        {
            *opened.entry(path.to_owned()).or_default() += 1;
        }
    }
    let reads = |name: &str| opened.get(desk.path(name).to_str().unwrap()).copied();
    assert_eq!(reads("root/var/lib/dpkg/status"), Some(1));
    for at in 0..FILES {
        assert_eq!(reads(&format!("root/many/{at}")), Some(1), "/many/{at}");
    }
}

#[test]
fn a_folder_is_searched_once_for_what_a_run_that_died_left() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    let edit =
        |at| format!("[edit.\"/many/{at}\"]\nformat = \"env\"\ncreate = true\nset = {{ A = 1 }}\n");
    let link = |at| format!("[link.\"/many/{at}\"]\ntarget = \"x\"\n");
    let all = (0..20).map(edit).chain((20..40).map(link));
    desk.role("web", &all.collect::<String>());
    std::fs::create_dir(desk.path("root/many")).unwrap();
    let folder = format!("{}>", desk.path("root/many").display());
    let calls = apply(&desk, "getdents64", &[]);
    let listed = calls.iter().filter(|call| {
        // The last call of each listing.
        call.text.contains(&folder) && call.text.contains(" = 0 ")
    });
    assert_eq!(listed.count(), 1);
}

#[test]
fn a_name_is_asked_for_once() {
    let desk = Desk::new(env!("CARGO_BIN_EXE_cfg"));
    let folders = (0..20).map(|at| format!("[directory.\"/many/{at}\"]\n"));
    // Of whom a service brings nobody knows before it is there.
    let unit = "[service.app]\nunit = \"app.service\"\nenabled = true\n";
    let after = "[directory.\"/late\"]\nafter = [\"service:app\"]\n";
    let role: String = folders.collect();
    desk.role("web", &[&*role, unit, after].concat());
    desk.write(
        "roles/web/app.service",
        "[Service]\nExecStart=/bin/app\n[Install]\nWantedBy=multi-user.target\n",
    );
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for call in apply(&desk, "execve", &[]) {
        if let Some((_, words)) = call.text.split_once("[\"getent\", ")
            && call.text.contains(" = 0 ")
        {
            let (words, _) = words.split_once(']').unwrap();
            *asked.entry(words.to_owned()).or_default() += 1;
        }
    }
    // Once for all folders, and once after the service; the root has no accounts of its own.
    for of in ["passwd", "group"] {
        let times = asked.get(&format!("\"{of}\", \"--\", \"0\""));
        assert_eq!(times, Some(&2), "{asked:?}");
    }
}
