//! Running a command as another user.

use anyhow::{Context as _, bail};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// The command line that runs `argv` as `user`, with his groups; `env` gets his HOME, USER and LOGNAME unless it has them.
/// Names are looked up in the root of this process.
///
/// # Errors
/// Where there is no such user.
pub fn argv(
    argv: &[String],
    user: &str,
    env: &mut BTreeMap<String, String>,
) -> anyhow::Result<Vec<String>> {
    let account = Account::find(user)?;
    for (name, value) in [
        ("HOME", &account.home),
        ("USER", &account.name),
        ("LOGNAME", &account.name),
    ] {
        env.entry(name.to_owned()).or_insert_with(|| value.clone());
    }
    if account.uid == rustix::process::geteuid().as_raw() {
        return Ok(argv.to_vec());
    }
    let mut whole = vec![
        "setpriv".to_owned(),
        format!("--reuid={}", account.uid),
        format!("--regid={}", account.gid),
        "--init-groups".to_owned(),
        "--".to_owned(),
    ];
    whole.extend_from_slice(argv);
    Ok(whole)
}

/// Why a program cannot be run: of one that is there the kernel says that it is not, where it means what loads it.
pub fn cannot_run(program: &str, error: io::Error) -> anyhow::Error {
    let there = program.contains('/') && Path::new(program).exists();
    let less = match error.kind() {
        io::ErrorKind::NotFound if there => ": it is there, but not its interpreter or loader",
        _ => "",
    };
    anyhow::Error::new(error).context(format!("cannot run {program}{less}"))
}

#[derive(Debug, PartialEq, Eq)]
struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

impl Account {
    fn find(user: &str) -> anyhow::Result<Self> {
        let passwd = std::fs::read("/etc/passwd").context("cannot read /etc/passwd")?;
        let passwd = String::from_utf8_lossy(&passwd);
        if let Some(account) = passwd.lines().find_map(|line| Self::parse(line, user)) {
            return Ok(account);
        }
        let asked = Command::new("getent")
            .args(["passwd", "--", user])
            // It reads nothing, and a root may have no /dev/null.
            .stdin(Stdio::piped())
            .output();
        let told = match asked {
            Ok(output) => output.stdout,
            // A small root has /etc/passwd alone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).context("cannot run getent"),
        };
        let told = String::from_utf8_lossy(&told);
        match told.lines().find_map(|line| Self::parse(line, user)) {
            Some(account) => Ok(account),
            None => bail!("there is no user {user}"),
        }
    }

    fn parse(line: &str, user: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?;
        let gid = fields.next()?;
        let home = fields.nth(1)?;
        (name == user || uid == user).then_some(Self {
            name: name.to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: home.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts() {
        let line = "www:x:33:34:WWW, x:/var/www:/bin/sh";
        let account = Account {
            name: "www".into(),
            uid: 33,
            gid: 34,
            home: "/var/www".into(),
        };
        assert_eq!(Account::parse(line, "www").as_ref(), Some(&account));
        assert_eq!(Account::parse(line, "33"), Some(account));
        for user in ["x", "34", "ww", ""] {
            assert_eq!(Account::parse(line, user), None, "{user:?}");
        }
        assert_eq!(Account::parse("broken", "broken"), None);
    }

    #[test]
    fn nobody_of_that_name() {
        let error = argv(&["true".into()], "no-such-user-here", &mut BTreeMap::new());
        assert!(error.unwrap_err().to_string().contains("no-such-user-here"));
    }
}
