//! What apt and dpkg print, where it matters.

use super::sources::source;
use std::collections::BTreeSet;

/// The tool's own last words about what went wrong; its last lines where none of them is an error.
pub fn complaint(output: &str) -> String {
    if let Some(holder) = locked(output) {
        return format!("{LOCKED}: {holder}");
    }
    let lines: Vec<&str> = output
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let mut told: Vec<&str> = Vec::new();
    let mut after_error = false;
    for (n, line) in lines.iter().enumerate() {
        if line.starts_with("dpkg: error processing") {
            told.extend(script(&lines[..n]));
        }
        let is_error = begins(line, ERRORS);
        // dpkg explains on indented lines below, and names what it gave up at the end.
        let goes_on = after_error && line.starts_with(' ');
        if (is_error || goes_on) && !told.contains(line) {
            told.push(line);
        }
        after_error = is_error || goes_on;
    }
    // What stops apt before it begins is explained above its own error, in lines without a mark.
    if let Some(unmet) = lines
        .iter()
        .position(|line| line.starts_with("The following packages have unmet dependencies"))
    {
        let explained = lines[unmet + 1..]
            .iter()
            .take_while(|line| line.starts_with(' '));
        told.splice(0..0, explained.copied());
    }
    if told.is_empty() {
        told = lines;
    }
    let last = told.len().saturating_sub(12);
    told[last..].join("\n")
}

/// The same of a refresh: every error, since each may be about another source, and what apt says of a source nowhere but where it failed.
/// Where a signature is wrong it ends without a word of error about what it did not reach.
pub fn unfetched(output: &str) -> String {
    if let Some(holder) = locked(output) {
        return format!("{LOCKED}: {holder}");
    }
    let mut told: Vec<String> = output
        .lines()
        .map(str::trim_end)
        .filter(|line| begins(line, ERRORS))
        .map(str::to_owned)
        .collect();
    let mut lines = output.lines().map(str::trim_end).peekable();
    while let Some(line) = lines.next() {
        let mut words = line.split_ascii_whitespace();
        let failed = words.next().is_some_and(|word| word.starts_with("Err:"));
        let (true, Some(uri), Some(suite)) = (failed, words.next(), words.next()) else {
            continue;
        };
        // Of a component it says SUITE/COMPONENT; of a flat source the suite itself ends with a slash.
        let suite = match suite.rsplit_once('/') {
            Some((suite, component)) if !component.is_empty() => suite,
            _ => suite,
        };
        let source = source(uri, suite, None);
        let mut whole = line.to_owned();
        while let Some(reason) = lines.next_if(|line| line.starts_with(' ')) {
            whole.push(' ');
            whole.push_str(reason.trim_start());
        }
        if !told.iter().any(|line| source.is_in(line)) {
            told.push(whole);
        }
    }
    match told.is_empty() {
        true => complaint(output),
        false => told.join("\n"),
    }
}

/// How apt and dpkg begin what they say of errors.
const ERRORS: &[&str] = &[
    "E: ",
    "W: Failed",
    "W: GPG error",
    "dpkg: error",
    "dpkg: unrecoverable",
    "dpkg: warning: error",
];

/// How dpkg begins the lines in which it says what it is doing to packages.
const AT_WORK: &[&str] = &[
    "Setting up ",
    "Unpacking ",
    "Preparing to unpack ",
    "Selecting previously ",
    "(Reading database",
    "Processing triggers for ",
    "Removing ",
    "Purging configuration files for ",
];

/// How dpkg and apt begin the other lines in which they say what they are at.
const PROGRESS: &[&str] = &["dpkg: ", "Errors were encountered", "Get:", "Fetched "];

/// So many lines of a script are worth quoting.
const SCRIPT_LINES: usize = 5;

/// What a package's script printed before dpkg gave it up: its last lines.
fn script<'a>(before: &[&'a str]) -> Vec<&'a str> {
    let printed = before
        .iter()
        .rev()
        .take_while(|line| !begins(line, AT_WORK) && !begins(line, PROGRESS));
    let mut last: Vec<&str> = printed.take(SCRIPT_LINES).copied().collect();
    last.reverse();
    last.retain(|line| !line.starts_with(' '));
    last
}

fn begins(line: &str, words: &[&str]) -> bool {
    words.iter().any(|start| line.starts_with(start))
}

/// How a complaint begins that is about a lock.
const LOCKED: &str = "another apt or dpkg is at work, and did not end while this run waited for it";

/// Whether this is the complaint of what found a lock held.
pub fn is_of_lock(complaint: &str) -> bool {
    complaint.starts_with(LOCKED)
}

/// Who holds which lock, where another apt, dpkg or debconf was at work: worth waiting for. Once dpkg is at work itself,
/// it is a package's script that asks for what is held for it, and asks in vain for ever.
pub fn locked(output: &str) -> Option<String> {
    let mut before = output.lines().take_while(|line| !begins(line, AT_WORK));
    before.find_map(|line| {
        if let Some(held) = line.strip_prefix("E: Could not get lock ") {
            return Some(match held.split_once(". It is held by process ") {
                Some((lock, process)) => format!("process {process} holds {lock}"),
                None => format!("somebody holds {held}"),
            });
        }
        let dpkg = line.strip_prefix("dpkg: error: ");
        if let Some((lock, process)) =
            dpkg.and_then(|words| words.split_once(" was locked by another process with pid "))
        {
            return Some(format!(
                "process {process} holds /var/lib/dpkg/lock ({lock})"
            ));
        }
        let debconf = line.starts_with("debconf: DbDriver") && line.contains("is locked by");
        let frontend = line.starts_with("E: ") && line.contains("lock-frontend");
        (debconf || frontend).then(|| line.to_owned())
    })
}

/// The packages that a simulation would remove or purge, without architectures.
pub fn removals(simulation: &str) -> BTreeSet<String> {
    simulation
        .lines()
        .filter_map(|line| {
            line.strip_prefix("Remv ")
                .or_else(|| line.strip_prefix("Purg "))
        })
        .filter_map(|rest| rest.split_ascii_whitespace().next())
        .map(|name| plain(name).to_owned())
        .collect()
}

/// A package that a simulation would unpack.
#[derive(Debug, PartialEq, Eq)]
pub struct Unpacked<'a> {
    /// Its name, with its architecture where that is a foreign one.
    pub name: &'a str,
    /// The version that is there.
    pub from: Option<&'a str>,
    /// The version that comes.
    pub to: &'a str,
}

/// What a simulation would unpack: `Inst NAME [OLD] (NEW SOURCE [ARCH])`.
pub fn unpacked(simulation: &str) -> impl Iterator<Item = Unpacked<'_>> {
    simulation.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
        let (old, new) = rest.split_once('(')?;
        let old = old.trim().strip_prefix('[');
        Some(Unpacked {
            name,
            from: old.and_then(|old| old.strip_suffix(']')),
            to: new.split_ascii_whitespace().next()?,
        })
    })
}

/// What `--no-remove` kept apt from removing, from its own list.
pub fn would_remove(output: &str) -> BTreeSet<String> {
    output
        .lines()
        .skip_while(|line| !line.starts_with("The following packages will be REMOVED"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .flat_map(str::split_ascii_whitespace)
        .map(|name| plain(name.trim_end_matches('*')).to_owned())
        .collect()
}

/// The name of a package without an architecture.
pub(super) fn plain(name: &str) -> &str {
    name.split_once(':').map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints() {
        for (output, wanted) in [
            (
                "Reading package lists...\nE: Unable to locate package nosuch\n",
                "E: Unable to locate package nosuch",
            ),
            (
                "Setting up x (1) ...\nboom\ndpkg: error processing package x (--configure):\n installed x package post-installation script subprocess returned error exit status 3\nErrors were encountered while processing:\n x\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n",
                "boom\ndpkg: error processing package x (--configure):\n installed x package post-installation script subprocess returned error exit status 3\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
            ),
            (
                "The following packages have unmet dependencies:\n a : Depends: b but it is not installable\nE: Unable to correct problems, you have held broken packages.\n",
                " a : Depends: b but it is not installable\nE: Unable to correct problems, you have held broken packages.",
            ),
            (
                "W: GPG error: http://r suite InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 1\nE: The repository 'http://r suite InRelease' is not signed.\n",
                "W: GPG error: http://r suite InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 1\nE: The repository 'http://r suite InRelease' is not signed.",
            ),
            (
                "Unpacking x (1) ...\ndpkg: unrecoverable fatal error, aborting:\n unable to fill /var/lib/dpkg/updates/tmp.i with padding: No space left on device\nE: Sub-process /usr/bin/dpkg returned an error code (2)\n",
                "dpkg: unrecoverable fatal error, aborting:\n unable to fill /var/lib/dpkg/updates/tmp.i with padding: No space left on device\nE: Sub-process /usr/bin/dpkg returned an error code (2)",
            ),
            ("something\nodd\n", "something\nodd"),
        ] {
            assert_eq!(complaint(output), wanted);
        }
        let long: String = (0..50).map(|n| format!("E: {n}\n")).collect();
        assert_eq!(complaint(&long).lines().count(), 12);
    }

    #[test]
    fn of_each_source_that_was_not_fetched() {
        let signature = "W: GPG error: http://r suite InRelease: NO_PUBKEY 1\nE: The repository 'http://r suite InRelease' is not signed.";
        let output = format!(
            "Hit:1 http://r bookworm InRelease\nGet:2 http://r suite InRelease [1 kB]\nErr:2 http://r suite InRelease\n  The signatures: NO_PUBKEY 1\n\
             Ign:3 http://h:81/debian bookworm InRelease\nErr:3 http://h:81/debian bookworm Release\n  Could not connect to h:81\nErr:4 file:/srv ./ Packages\n  No such file\n\
             Reading package lists...\n{signature}\n"
        );
        let also = "Err:3 http://h:81/debian bookworm Release Could not connect to h:81\nErr:4 file:/srv ./ Packages No such file";
        assert_eq!(unfetched(&output), format!("{signature}\n{also}"));
        let output = "Err:1 http://r suite/main amd64 Packages\n  404\nE: Failed to fetch http://r/dists/suite/main/x  404\n";
        let told = "E: Failed to fetch http://r/dists/suite/main/x  404";
        assert_eq!(unfetched(output), told);
        assert_eq!(unfetched("odd\n"), "odd");
    }

    #[test]
    fn lists_of_removals() {
        let simulation = "Inst a (1 repo [amd64])\nRemv b [2]\nPurg c:i386 [3]\nConf a (1 repo)\n";
        assert_eq!(
            removals(simulation).into_iter().collect::<Vec<_>>(),
            ["b", "c"]
        );
        let simulation =
            "Inst a [1] (2 repo:x, y [all]) []\nInst b:i386 (1:3-1 z [i386])\nConf a (2 r)\n";
        let row = |name, from, to| Unpacked { name, from, to };
        assert_eq!(
            unpacked(simulation).collect::<Vec<_>>(),
            [row("a", Some("1"), "2"), row("b:i386", None, "1:3-1")]
        );
        let refused = "The following packages will be REMOVED:\n  exim4 mutt*\nThe following NEW packages will be installed:\n  x\nE: Packages need to be removed but remove is disabled.\n";
        assert_eq!(
            would_remove(refused).into_iter().collect::<Vec<_>>(),
            ["exim4", "mutt"]
        );
    }

    #[test]
    fn locks() {
        for (line, holder) in [
            (
                "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 9 (apt-get)",
                "process 9 (apt-get) holds /var/lib/apt/lists/lock",
            ),
            (
                "E: Could not get lock /x - open (11: Resource temporarily unavailable)",
                "somebody holds /x - open (11: Resource temporarily unavailable)",
            ),
            (
                "dpkg: error: dpkg frontend lock was locked by another process with pid 7",
                "process 7 holds /var/lib/dpkg/lock (dpkg frontend lock)",
            ),
        ] {
            let output = format!("Reading package lists...\n{line}\nE: Unable to lock\n");
            assert_eq!(locked(&output).unwrap(), holder);
            let told = complaint(&output);
            assert!(is_of_lock(&told) && told.ends_with(holder), "{told}");
        }
        for told in [
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 9 (apt-get)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?",
            "dpkg: error: dpkg frontend lock was locked by another process with pid 9",
            "debconf: DbDriver \"config\": /var/cache/debconf/config.dat is locked by another process: Resource temporarily unavailable",
        ] {
            let output = format!(
                "Preparing to unpack x.deb ...\nUnpacking x (1) ...\nSetting up x (1) ...\n{told}\ndpkg: error processing package x (--configure):\n \
                 installed x package post-installation script subprocess returned error exit status 100\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n"
            );
            assert_eq!(locked(&output), None, "its own script asked");
            let complaint = complaint(&output);
            assert!(
                !is_of_lock(&complaint) && complaint.starts_with(told),
                "{complaint}"
            );
            assert!(
                complaint.contains("installed x package post-installation script"),
                "{complaint}"
            );
        }
        let other = "Could not get lock\nE: Unable to locate package lock\n";
        assert_eq!(locked(other), None);
        assert!(!is_of_lock(&complaint(other)));
    }
}
