//! Secrets on a real host: in a file, in the environment of a command, in a password; and nowhere else.

use anyhow::{Result, ensure};
use cfg_tests::Sandbox;

use super::machine::Machine;

/// What is looked for everywhere.
const CANARY: &str = "Kanari-7f3a91-Kanari";

/// The command writes down what it was given, all arguments of all processes, and which files of cfg have the canary.
const ROLE: &str = r#"
[params]
key = { type = "string", secret = true, default = { secret = "web-key" } }
hash = { type = "string", secret = true, default = { secret = "hash" } }

[user.app]
system = true
password_hash = "{{ params.hash }}"

[file."/etc/app.key"]
content = "{{ params.key }}\n"
validate = "test -s %s; cat /proc/[0-9]*/cmdline >>/root/argv"

[command.seen]
run = """
umask 077
printenv KEY >/root/given
cat /proc/[0-9]*/cmdline >>/root/argv
grep -rlF -f /root/given /var/lib/cfg /run /var/log /tmp >/root/holding
echo "told: $KEY"
"""
unless = "cat /proc/[0-9]*/cmdline >>/root/argv; test -s /root/given"
env = { KEY = "{{ params.key }}" }

[command.fails]
run = "echo \"it said $KEY\" >&2; exit 3"
unless = "test -e /root/nothing"
env = { KEY = "{{ params.key }}" }
"#;

#[test]
fn a_secret_is_where_the_role_puts_it_and_nowhere_else() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, ROLE)?;
        let host = &machine.host;
        let hash = format!("$6${CANARY}$x");
        let secrets = format!("web-key = \"{CANARY}\"\nhash = \"{hash}\"\n");
        host.write_file("/root/secrets.toml", &secrets)?;
        host.run(["chmod", "600", "/root/secrets.toml"])?;
        let given = ["--secrets", "/root/secrets.toml"];
        let (code, shown) = machine.apply(&[&given[..], &["--dry-run"]].concat())?;
        ensure!(code == 2, "{shown:#}");
        ensure!(!shown.to_string().contains(CANARY), "{shown:#}");
        let (code, done) = machine.apply(&given)?;
        ensure!(code == 1, "one command fails: {done:#}");
        ensure!(!done.to_string().contains(CANARY), "{done:#}");
        let failure = &done["failures"][0]["message"];
        ensure!(failure == "it exited with 3", "{failure}");

        ensure!(host.read_file("/etc/app.key")? == format!("{CANARY}\n"));
        ensure!(host.sh("stat -c %a /etc/app.key")?.trim() == "600");
        ensure!(host.read_file("/root/given")? == format!("{CANARY}\n"));
        ensure!(host.read_file("/etc/shadow")?.contains(&hash));
        let argv = host.read_file("/root/argv")?;
        ensure!(
            argv.contains("cfg\0apply"),
            "no arguments were seen: {argv}"
        );
        ensure!(!argv.contains(CANARY), "{argv}");
        // While it ran: the effect's own file, for root alone, and no other.
        let holding = host.read_file("/root/holding")?;
        let lines: Vec<&str> = holding.lines().collect();
        let [task] = lines[..] else {
            anyhow::bail!("the canary was in {lines:?}");
        };
        let of_effect = task.starts_with("/var/lib/cfg/effects/") && task.ends_with("/task.json");
        ensure!(of_effect, "{task}");
        // Afterwards: nothing of cfg, no log and no journal has it.
        let left = host.sh("journalctl --no-pager >/tmp/journal; \
             grep -rlF -f /root/given /var/lib/cfg /run /var/log /tmp /var/tmp /etc || true")?;
        let mut left = left.lines();
        ensure!(
            left.all(|path| path == "/etc/app.key" || path.starts_with("/etc/shadow")),
            "{left:?}"
        );
        Ok(())
    })
}

/// Nothing in the role says that the daemon reads the file.
const TELLTALE: &str = r#"
[params]
key = { type = "string", secret = true, default = { secret = "web-key" } }

[file."/etc/app.key"]
content = "{{ params.key }}\n"

[file."/etc/systemd/system/telltale.service"]
content = "[Service]\nExecStart=/bin/sh -c 'cat /etc/app.key; exit 3'\n"

[service.telltale]
state = "running"
"#;

#[test]
fn a_daemon_that_prints_a_secret_is_not_quoted() -> Result<()> {
    Sandbox::run(|sandbox| {
        let machine = Machine::boot(sandbox, TELLTALE)?;
        let host = &machine.host;
        host.write_file("/root/secrets.toml", format!("web-key = \"{CANARY}\"\n"))?;
        host.run(["chmod", "600", "/root/secrets.toml"])?;
        let (code, done) = machine.apply(&["--secrets", "/root/secrets.toml"])?;
        ensure!(code == 1, "{done:#}");
        let failure = &done["failures"][0];
        ensure!(failure["resource"] == "service:telltale", "{done:#}");
        let message = failure["message"].as_str().unwrap_or_default();
        ensure!(message.contains("exit"), "systemd's word: {message}");
        ensure!(!done.to_string().contains(CANARY), "{done:#}");
        host.sh("journalctl --unit telltale | grep -q Kanari")?;
        Ok(())
    })
}
