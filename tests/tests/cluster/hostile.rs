//! Machines that lie about themselves: what they say gets into no other machine's files.

use std::time::Duration;

use anyhow::{Result, ensure};
use cfg_tests::{
    CFG, Catalog, Host, Installation, Output, Sandbox, agent_binary, becomes, eventually, status,
};

use crate::machines::apply;

const SOON: Duration = Duration::from_secs(60);
/// All that machines are told of each other, in a file and in a command.
const PEERS: &str = "/etc/peers";
const ROLE: &str = r##"
[fleet]
wait_for = { probe = 2 }

[file."/etc/peers"]
content = """
{% for peer in fleet.peers() %}
{{ peer.id }} {{ peer.name }} {{ peer.address }} {{ peer.os }} {{ peer.arch }}
{% endfor %}
"""

[file."/etc/word"]
content = "{{ facts.local.words.word if facts.local.words is defined else 'none' }}\n"

[command.tell]
run = "for word in {% for peer in fleet.peers() %}{{ peer.name | sh }} {{ peer.address | sh }} {% endfor %}; do echo \"$word\"; done >/root/told"
on = ["file:/etc/peers"]
"##;
/// What a shell or a template would make something of.
const POISON: &str = "$(touch /pwned);`touch /pwned`;{{ 7 * 7 }}{% raw %}";

#[test]
fn machines_that_lie() -> Result<()> {
    Sandbox::run(|sandbox| {
        let installation = Installation::start(sandbox)?;
        let catalog = Catalog::shipped(sandbox)?;
        catalog.write("probe/role.toml", ROLE)?;
        installation.publish(catalog.dir())?;
        let mut honest = Vec::new();
        for number in [1, 2] {
            let host = sandbox.host(&format!("honest-{number}"), &format!("10.77.0.1{number}"))?;
            host.boot()?;
            settings(&host, "")?;
            installation.enroll_with(&host, "probe", &["--start"])?;
            honest.push(host);
        }
        let liar = sandbox.host("liar", "10.77.0.66")?;
        liar.boot()?;
        liar.copy_in(&agent_binary()?, CFG)?;
        for host in &honest {
            becomes("they know each other", SOON, 2, || lines(host))?;
            // What comes of news is done.
            eventually("nothing is left to do", SOON, || {
                ensure!(apply(host)?.is_empty());
                Ok(())
            })?;
        }
        let lies = Lies {
            sandbox,
            installation: &installation,
            before: honest.iter().map(files).collect::<Result<_>>()?,
            honest,
            liar,
        };
        lies.before_it_is_of_the_fleet()?;
        lies.of_an_address_that_it_might_have()?;
        lies.after_it_is_of_the_fleet()
    })
}

struct Lies<'a> {
    sandbox: &'a Sandbox,
    installation: &'a Installation,
    honest: Vec<Host>,
    /// The files of those.
    before: Vec<String>,
    liar: Host,
}

impl Lies<'_> {
    /// Who says such things is not let in.
    fn before_it_is_of_the_fleet(&self) -> Result<()> {
        let other = self.honest[0].address();
        let not_its_own = "is not the one that it calls from";
        for (address, why) in [
            (other, not_its_own),
            ("10.77.0.1", not_its_own),
            ("127.0.0.1", not_its_own),
            ("0.0.0.0", not_its_own),
            ("::", not_its_own),
            ("nowhere", "IP address"),
            ("10.77.0.66; touch /pwned", "IP address"),
            ("{{ 7 * 7 }}", "IP address"),
        ] {
            self.is_refused(&format!("address = '{address}'"), why)?;
        }
        for node in [POISON, "a b", "../../etc/passwd", "-rf"] {
            self.is_refused(&format!("node = '{node}'"), "cannot be the name")?;
        }
        self.is_refused("node = 'honest-1'", "is enrolled already")?;
        self.sandbox.step("no other address and no other name");

        // What it is made of is not what others want to read either.
        let release = self.liar.read_file("/etc/os-release")?;
        self.liar
            .write_file("/etc/os-release", format!("ID='{POISON}'\n"))?;
        self.is_refused("", "is not a word")?;
        self.liar.write_file("/etc/os-release", release)?;
        self.sandbox.step("no other system");
        Ok(())
    }

    /// The operator lets machines say where they are; still nobody is where another one is.
    fn of_an_address_that_it_might_have(&self) -> Result<()> {
        let path = self.sandbox.dir().join("installation/server.toml");
        let config = std::fs::read_to_string(&path)?;
        self.installation.stop_server()?;
        std::fs::write(&path, format!("{config}addresses = [\"10.77.0.0/24\"]\n"))?;
        self.installation.start_server()?;
        for host in &self.honest {
            let line = format!("address = '{}'", host.address());
            self.is_refused(&line, &format!("is that of {}", host.name()))?;
        }
        self.is_refused("address = '10.78.0.7'", "is not the one that it calls from")?;
        self.sandbox
            .step("no address of another, and none that was not allowed");
        Ok(())
    }

    /// Let in by the truth, it lies. Its own facts are its own affair, and no more than text there.
    fn after_it_is_of_the_fleet(&self) -> Result<()> {
        let words = format!("word = '''{POISON}'''\n");
        self.liar.write_file("/etc/cfg/facts.d/words.toml", words)?;
        settings(&self.liar, "")?;
        self.installation
            .enroll_with(&self.liar, "probe", &["--start"])?;
        becomes("its word is text", SOON, format!("{POISON}\n"), || {
            self.liar.read_file("/etc/word")
        })?;
        for host in &self.honest {
            becomes("it is one of them", SOON, 3, || lines(host))?;
            eventually("nothing is left to do", SOON, || {
                ensure!(apply(host)?.is_empty());
                Ok(())
            })?;
        }
        let told = self.honest.iter().map(files).collect::<Result<Vec<_>>>()?;
        self.nobody_was_had()?;
        self.sandbox
            .step("it is let in, and tells its own word to itself alone");

        let before = self.liar.read_file("/etc/os-release")?;
        let other = self.honest[1].address();
        for (line, system, why) in [
            (
                format!("address = '{other}'"),
                before.clone(),
                "is that of honest-2",
            ),
            (
                "address = '8.8.8.8'".into(),
                before.clone(),
                "is not the one that it calls from",
            ),
            (String::new(), format!("ID='{POISON}'\n"), "is not a word"),
        ] {
            settings(&self.liar, &line)?;
            self.liar.write_file("/etc/os-release", system)?;
            self.liar.run(["systemctl", "restart", "cfg-agent"])?;
            eventually("it is refused", SOON, || {
                let contact = &status(&self.liar)?["contact"];
                ensure!(contact["why"].to_string().contains(why), "{contact:#}");
                Ok(())
            })?;
            for (host, told) in self.honest.iter().zip(&told) {
                assert_eq!(apply(host)?, Vec::<String>::new());
                assert_eq!(&files(host)?, told, "{}", host.name());
            }
            self.sandbox
                .step(&format!("refused, as one of the fleet: it {why}"));
        }
        self.nobody_was_had()
    }

    /// It is not let in with this in its agent.toml, and nothing of that gets anywhere.
    fn is_refused(&self, line: &str, why: &str) -> Result<()> {
        settings(&self.liar, line)?;
        let said = self.enrol()?;
        ensure!(
            said.status != 0 && said.stderr.contains(why),
            "{line} ({why}): {said}"
        );
        let fleet = self.installation.desk(&["fleet", "--json"])?.json()?;
        let nodes = fleet["nodes"].as_array().map_or(0, Vec::len);
        ensure!(nodes == self.honest.len(), "{fleet:#}");
        for (host, before) in self.honest.iter().zip(&self.before) {
            assert_eq!(&files(host)?, before, "{}", host.name());
        }
        Ok(())
    }

    fn enrol(&self) -> Result<Output> {
        let token = self.installation.token("probe")?;
        let ca = self.installation.ca();
        let words = [
            CFG,
            "enroll",
            "--server",
            Installation::URL,
            "--token",
            &token,
            "--ca-sha256",
            ca,
        ];
        self.liar.exec(words)
    }

    fn nobody_was_had(&self) -> Result<()> {
        for host in self.honest.iter().chain([&self.liar]) {
            ensure!(!host.exists("/pwned")?, "{}", host.name());
        }
        for host in &self.honest {
            let told = host.read_file(PEERS)? + &host.read_file("/root/told")?;
            ensure!(!told.contains("pwned") && !told.contains("49"), "{told}");
        }
        Ok(())
    }
}

fn settings(host: &Host, line: &str) -> Result<()> {
    let text = format!("interval = \"3s\"\nsplay = \"0s\"\n{line}\n");
    host.write_file("/etc/cfg/agent.toml", text)
}

/// How many machines one knows of.
fn lines(host: &Host) -> Result<usize> {
    let text = host.read_file(PEERS)?;
    Ok(text.lines().filter(|line| !line.is_empty()).count())
}

/// What a machine made of the others, with when it did.
fn files(host: &Host) -> Result<String> {
    host.sh(
        "for file in /etc/peers /root/told; do stat --format='%n %i %.9Y' $file; cat $file; done",
    )
}
