//! Whatever fails at files and accounts comes with what to do about it.

use crate::download::DownloadError;
use crate::machine::{EnactError, ReadError, SysError, WalkError};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::Plan;
use cfg_catalog::plan::document::{Document, Done, Failure, Head};
use rustix::io::Errno;

/// Where a message says it itself.
const SAYS: [&str; 6] = [
    "or newer is needed",
    "move it away",
    "free space",
    "run again",
    "by hand",
    "or let root own link and folder",
];

fn assert_answered(id: &str, message: &str) {
    let id: ResourceId = id.parse().unwrap();
    let done = Done {
        failures: vec![Failure::of(&id, message)],
        ..Done::default()
    };
    let document = Document::of_run(Head::default(), &Plan::default(), done);
    let answered = document.failures[0].remedy.is_some();
    let says = SAYS.iter().any(|words| message.contains(words));
    assert!(answered || says, "{id}: {message}");
}

/// All that there are: each match knows every one, and gives the next.
fn all<T>(next: impl Fn(Option<&T>) -> Option<T>) -> Vec<T> {
    let mut all = Vec::new();
    while let Some(one) = next(all.last()) {
        all.push(one);
    }
    all
}

fn walk(last: Option<&WalkError>) -> Option<WalkError> {
    let path = || "/a".to_owned();
    Some(match last {
        None => WalkError::NotAFolder {
            path: path(),
            there: None,
        },
        Some(WalkError::NotAFolder { .. }) => WalkError::Planted {
            link: path(),
            why: "user 7 owns it".into(),
        },
        Some(WalkError::Planted { .. }) => WalkError::Dangling {
            link: path(),
            target: "b".into(),
            there: None,
        },
        Some(WalkError::Dangling { .. }) => WalkError::Loop { path: path() },
        Some(WalkError::Loop { .. }) => WalkError::TooDeep { path: path() },
        Some(WalkError::TooDeep { .. }) => sys(Errno::ROFS).into(),
        Some(WalkError::Sys(_)) => return None,
    })
}

fn sys(errno: Errno) -> SysError {
    SysError::at("opening", "/a")(errno)
}

fn enact(last: Option<&EnactError>) -> Option<EnactError> {
    let path = || "/a".to_owned();
    let why = || "it is damaged".to_owned();
    Some(match last {
        None => EnactError::Walk(WalkError::Loop { path: path() }),
        Some(EnactError::Walk(_)) => EnactError::InTheWay {
            path: path(),
            what: "a directory with content",
        },
        Some(EnactError::InTheWay { .. }) => EnactError::Nobody {
            path: path(),
            kind: "group",
            name: "g".into(),
        },
        Some(EnactError::Nobody { .. }) => EnactError::NoContent { path: path() },
        Some(EnactError::NoContent { .. }) => EnactError::ManyNames { path: path() },
        Some(EnactError::ManyNames { .. }) => EnactError::Unread { path: path() },
        Some(EnactError::Unread { .. }) => EnactError::Content {
            path: path(),
            digest: Digest::of(b""),
            why: why(),
        },
        Some(EnactError::Content { .. }) => EnactError::Archive {
            path: path(),
            why: why(),
        },
        Some(EnactError::Archive { .. }) => EnactError::Invalid {
            path: path(),
            new: false,
            said: "ended with exit code 1".into(),
        },
        Some(EnactError::Invalid { .. }) => EnactError::Sacred { path: path() },
        Some(EnactError::Sacred { .. }) => EnactError::Shaky {
            path: path(),
            folder: path(),
        },
        Some(EnactError::Shaky { .. }) => EnactError::OtherMount { path: path() },
        Some(EnactError::OtherMount { .. }) => EnactError::Purge {
            left: vec![sys(Errno::PERM).to_string()],
        },
        Some(EnactError::Purge { .. }) => sys(Errno::ROFS).into(),
        // What a tool says, what is held, what is a fault of cfg, and what has a test of its own: an edit, a download, a value.
        Some(
            EnactError::Sys(_)
            | EnactError::Edit { .. }
            | EnactError::Download { .. }
            | EnactError::OutOfReach(_)
            | EnactError::Tool { .. }
            | EnactError::Unfit(_)
            | EnactError::OtherKind(_),
        ) => return None,
    })
}

fn read(last: Option<&ReadError>) -> Option<ReadError> {
    let path = || "/etc/fstab".parse().unwrap();
    Some(match last {
        None => WalkError::Loop { path: "/a".into() }.into(),
        Some(ReadError::Walk(_)) => sys(Errno::ROFS).into(),
        Some(ReadError::Sys(_)) => ReadError::NotAFile(path()),
        Some(ReadError::NotAFile(_)) => ReadError::NotText(path()),
        Some(ReadError::NotText(_)) => ReadError::TooBig {
            path: path(),
            most: 9,
        },
        Some(ReadError::TooBig { .. }) => return None,
    })
}

fn download(last: Option<&DownloadError>) -> Option<DownloadError> {
    let url = || "https://h/x".to_owned();
    Some(match last {
        None => DownloadError::Url {
            url: url(),
            why: "it has no host",
        },
        Some(DownloadError::Url { .. }) => DownloadError::Away {
            peer: "h:443".into(),
            why: "no route to host".into(),
        },
        Some(DownloadError::Away { .. }) => DownloadError::Broken {
            url: url(),
            why: "the line".into(),
        },
        Some(DownloadError::Broken { .. }) => DownloadError::Refused {
            url: url(),
            status: "404 Not Found".into(),
        },
        Some(DownloadError::Refused { .. }) => DownloadError::Redirects(url()),
        Some(DownloadError::Redirects(_)) => DownloadError::Downgraded {
            from: url(),
            to: "http://h/x".into(),
        },
        Some(DownloadError::Downgraded { .. }) => DownloadError::TooBig {
            url: url(),
            most: 9,
        },
        Some(DownloadError::TooBig { .. }) => DownloadError::Slow(url()),
        Some(DownloadError::Slow(_)) => DownloadError::Write(std::io::Error::from(Errno::NOSPC)),
        Some(DownloadError::Write(_)) => return None,
    })
}

#[test]
fn what_fails_at_a_path_says_what_to_do() {
    for error in all(walk) {
        for id in ["file:/a/x", "mount:/a/x", "user:ada", "service:x"] {
            assert_answered(id, &error.to_string());
        }
    }
    for error in all(enact) {
        let ids: &[&str] = match error {
            EnactError::Archive { .. } => &["archive:/a"],
            EnactError::Shaky { .. } => &["mount:/a"],
            _ => &["file:/a", "directory:/a", "archive:/a"],
        };
        for id in ids {
            assert_answered(id, &error.to_string());
        }
    }
    for error in all(read) {
        for id in ["mount:/m", "user:ada", "group:ada"] {
            assert_answered(id, &error.to_string());
        }
    }
}

#[test]
fn what_could_not_be_fetched_says_what_to_do() {
    for error in all(download) {
        let why = error.to_string();
        let path = "/a".to_owned();
        let whole = EnactError::Download { path, why };
        assert_answered("file:/a", &whole.to_string());
    }
}

#[test]
fn what_the_kernel_refuses_says_what_to_do() {
    for errno in [
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::ROFS,
        Errno::PERM,
        Errno::ACCESS,
        Errno::NOSYS,
        Errno::STALE,
        Errno::BUSY,
        Errno::MFILE,
        Errno::IO,
        Errno::OPNOTSUPP,
        Errno::NAMETOOLONG,
    ] {
        for doing in ["making a file in", "opening"] {
            let error = SysError::at(doing, "/a")(errno).to_string();
            assert_answered("file:/a/x", &error);
            assert_answered("service:x", &format!("cannot write /a/x: {error}"));
        }
    }
}

#[test]
fn a_folder_to_which_nothing_comes_is_named_as_one() {
    let said = SysError::at("making a file in", "/a")(Errno::PERM).to_string();
    let whose = match rustix::process::geteuid().is_root() {
        true => "that folder is immutable or append-only",
        false => "this needs root",
    };
    assert!(said.contains(whose), "{said}");
}
