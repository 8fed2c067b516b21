//! `cfg-server cloud-init`: user-data that makes a blank machine a member of the fleet.

use super::duration_s;
use crate::config::{Config, Url};
use crate::state::event::Purpose;
use crate::state::token::Wanted;
use anyhow::Context;
use cfg_catalog::digest::Digest;
use clap::Args;

/// Where the script lies on the machine. cloud-init runs what is there at every boot; `runcmd` it would count as done
/// also where the first boot was cut short.
const SCRIPT: &str = "/var/lib/cloud/scripts/per-boot/cfg-bootstrap";

#[derive(Debug, Args)]
pub(super) struct CloudInit {
    /// The role of the machines.
    #[arg(long, value_name = "NAME")]
    role: String,
    /// How many machines may boot with it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: u32,
    /// How long it works.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration_s)]
    ttl: u64,
}

impl CloudInit {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let agent = config.agent();
        let program = std::fs::read(&agent).with_context(|| {
            format!(
                "the agent {} (agent_binary in server.toml)",
                agent.display()
            )
        })?;
        let server = config.told()?;
        let (log, ca) = super::opened(config).await?;
        let wanted = Wanted {
            purpose: Purpose::Role(self.role.clone()),
            uses: self.uses,
            ttl_s: self.ttl,
        };
        let (secret, warning) = log.create_token("cfg-server cloud-init", wanted).await?;
        if let Some(warning) = warning {
            anstream::eprintln!("warning: {warning}");
        }
        if config.is_unnamed() {
            anstream::eprintln!(
                "warning: machines are told {server}, by this host's bare name: set `url` or `names` in server.toml \
                 to what they reach it by"
            );
        }
        let data = UserData {
            role: self.role,
            token: secret.text().to_owned(),
            enrol: Url {
                port: config.enrol_listen.port(),
                ..server.clone()
            },
            server,
            agent: Digest::of(&program),
            size: program.len(),
            ca: ca.digest(),
        };
        anstream::print!("{}", data.text());
        Ok(())
    }
}

/// All that a machine needs to know.
struct UserData {
    role: String,
    token: String,
    server: Url,
    enrol: Url,
    agent: Digest,
    size: usize,
    ca: Digest,
}

impl UserData {
    fn text(&self) -> String {
        let token = format!("{}\n", self.token);
        let mut files = vec![file("/etc/cfg/token", "0600", &token)];
        // An agent takes the port after the server's for enrolment, if it is told nothing else.
        if self.server.port.checked_add(1) != Some(self.enrol.port) {
            let agent_toml = format!("enrol = \"{}\"\n", self.enrol);
            files.push(file("/etc/cfg/agent.toml", "0644", &agent_toml));
        }
        files.push(file(SCRIPT, "0700", &self.script()));
        let (role, files) = (&self.role, files.concat());
        format!(
            "#cloud-config\n\
             # A machine of role {role}. The token in here lets a machine in: keep this file to yourself.\n\
             write_files:\n{files}"
        )
    }

    fn script(&self) -> String {
        include_str!("bootstrap.py")
            .replace("@AGENT_URL@", &format!("{}/cfg", self.enrol))
            .replace("@AGENT_SIZE@", &self.size.to_string())
            .replace("@AGENT_SHA256@", &self.agent.to_string())
            .replace("@CA_SHA256@", &self.ca.to_string())
            .replace("@SERVER@", &self.server.to_string())
    }
}

/// One item of cloud-init's write_files.
fn file(path: &str, mode: &str, content: &str) -> String {
    let mut item = format!(
        "  - path: {path}\n    owner: root:root\n    permissions: \"{mode}\"\n    content: |\n"
    );
    for line in content.lines() {
        let indent = if line.is_empty() { "" } else { "      " };
        item.push_str(&format!("{indent}{line}\n"));
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(enrol_port: u16) -> UserData {
        let server = Url {
            host: "cfg.example.org".into(),
            port: 7443,
        };
        UserData {
            role: "zookeeper".into(),
            token: "cfg-0123456789abcdef0123456789abcdef01234567".into(),
            enrol: Url {
                port: enrol_port,
                ..server.clone()
            },
            server,
            agent: Digest::of(b"agent"),
            size: 5,
            ca: Digest::of(b"ca"),
        }
    }

    #[test]
    fn whole_user_data() {
        insta::assert_snapshot!(data(7444).text());
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        assert!(!data(7444).script().contains('@'));
    }

    #[test]
    fn unusual_port() {
        let text = data(9000).text();
        let file = "agent.toml\n    owner: root:root\n    permissions: \"0644\"\n    content: |\n      \
                    enrol = \"https://cfg.example.org:9000\"\n";
        assert!(text.contains(file), "{text}");
    }
}
