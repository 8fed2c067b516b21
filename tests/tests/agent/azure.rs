//! `facts.azure`, from a stand-in of Azure's instance metadata at its own address: what a role makes of it, what a machine elsewhere
//! never asks, and answers that are none.

mod metadata;

use std::time::Duration;

use anyhow::{Result, ensure};
use cfg_tests::{CFG, Catalog, Host, Installation, Output, Sandbox, becomes, eventually, status};
use metadata::{INSTANCE, Metadata, Says};

use crate::{SOON, settings};

/// Reads them.
const PLACED: &str = r#"
[file."/etc/placed"]
content = """
{{ facts.azure.compute.location }} {{ facts.azure.compute.zone }} {{ facts.azure.compute.name }}
{% for one in facts.azure.network.interface %}
{{ one.ipv4.ipAddress[0].privateIpAddress }}
{% endfor %}
"""
"#;

/// Reads none.
const PLAIN: &str = "[file.\"/etc/plain\"]\ncontent = \"plain\\n\"\n";

const IN_PLACE: &str = "westeurope 2 vm-1\n10.1.0.4\n";

/// The machine comes to say of its chassis what Azure's machines say: this file is put over those of the kernel.
const OF_AZURE: &str = "
mkdir -p /run/chassis/dmi/id
echo 7783-7084-3265-9085-8269-3286-77 >/run/chassis/dmi/id/chassis_asset_tag
mount -t overlay overlay -o lowerdir=/run/chassis:/sys/class /sys/class";

#[test]
fn instance_metadata_of_azure() -> Result<()> {
    Sandbox::run(|sandbox| {
        let metadata = Metadata::start()?;
        metadata.says(Says::this("200 OK", INSTANCE));
        let installation = Installation::start(sandbox)?;
        let catalog = Catalog::shipped(sandbox)?;
        catalog.write("placed/role.toml", PLACED)?;
        catalog.write("plain/role.toml", PLAIN)?;
        installation.publish(catalog.dir())?;

        let elsewhere = sandbox.host("vm-2", "10.77.0.12")?;
        elsewhere.boot()?;
        asks_nobody(&installation, &elsewhere, &metadata)?;
        sandbox.step("a machine elsewhere asked nobody");

        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.boot()?;
        host.sh(OF_AZURE)?;
        settings(&host, "enforce")?;
        installation.enroll_with(&host, "placed", &["--start"])?;
        becomes("the file", SOON, IN_PLACE.to_owned(), || {
            host.read_file("/etc/placed")
        })?;
        ensure!(metadata.was_asked_by(&host), "it was not asked");
        sandbox.step("a machine of Azure knows its place");
        knows(&host, &metadata)?;

        host.run(["systemctl", "stop", "cfg-agent"])?;
        for role in ["placed", "plain"] {
            let text = catalog.read(&format!("{role}/role.toml"))?;
            host.write_file(&format!("/srv/roles/{role}/role.toml"), text)?;
        }
        are_no_answers(sandbox, &host, &metadata)?;
        is_back(&host, &metadata)?;
        sandbox.step("the agent went on, and made it when there was an answer");
        Ok(())
    })
}

/// It converges, and has not so much as tried to connect: so it has waited for nothing.
fn asks_nobody(installation: &Installation, host: &Host, metadata: &Metadata) -> Result<()> {
    settings(host, "enforce")?;
    installation.enroll_with(host, "plain", &["--start"])?;
    becomes("the file", SOON, "plain\n".to_owned(), || {
        host.read_file("/etc/plain")
    })?;
    let facts = host.exec([CFG, "facts"])?;
    ensure!(!facts.to_string().contains("azure"), "{facts}");
    facts.success()?;
    ensure!(!metadata.was_asked_by(host), "it was asked");
    // It could have been.
    host.run(["bash", "-c", "true >/dev/tcp/169.254.169.254/80"])?;
    becomes("it can be reached from there", SOON, true, || {
        Ok(metadata.was_asked_by(host))
    })
}

/// They are told to who asks the machine, without what is for its first boot, whatever proxy there is.
fn knows(host: &Host, metadata: &Metadata) -> Result<()> {
    let proxy = "http_proxy=http://10.77.0.1:9";
    let facts = host.exec(["env", proxy, CFG, "facts", "--json"])?;
    let compute = &facts.json()?["azure"]["compute"];
    ensure!(compute["location"] == "westeurope", "{facts}");
    ensure!(compute.get("userData").is_none(), "{facts}");
    let facts = host.run([CFG, "facts"])?;
    ensure!(facts.contains("location = \"westeurope\""), "{facts}");
    let asked = metadata.last_request();
    let head = "GET /metadata/instance?api-version=2021-02-01 HTTP/1.0\r\n";
    ensure!(asked.starts_with(head), "{asked}");
    ensure!(asked.contains("\r\nMetadata: true\r\n"), "{asked}");
    Ok(())
}

/// Each is told in plain words, soon, to who reads it, and is no matter to who does not.
fn are_no_answers(sandbox: &Sandbox, host: &Host, metadata: &Metadata) -> Result<()> {
    let elsewhere = format!("302 Found\r\nLocation: {}/Packages", Sandbox::REPOSITORY);
    let slow = "no whole answer within 5s";
    let bad = [
        (Says::this("404 Not Found", ""), "404 Not Found"),
        (Says::this(&elsewhere, "{}"), "302 Found"),
        (Says::this("200 OK", "<html>"), "no JSON"),
        (Says::this("200 OK", "[]"), "no JSON object"),
        (Says::this("500 \u{1b}[2J\u{7}", ""), "500 \\u{1b}[2J\\u{7}"),
        (Says::Endless, "larger than 1 MiB"),
        (Says::Slowly, slow),
        (Says::Nothing, slow),
    ];
    let before = sandbox.repository().requests().len();
    for (says, word) in bad {
        metadata.says(says);
        is_told(host, word)?;
        sandbox.step(&format!("no answer: {word:?}"));
    }
    let followed = sandbox.repository().requests().len() - before;
    ensure!(followed == 0, "it went where it was sent");
    metadata.is_gone()?;
    is_told(host, "no connection: ")?;
    metadata.is_there()?;
    sandbox.step("no such address");

    // An answer may hold anything, which is shown and not done.
    metadata.says(Says::this(
        "200 OK",
        &INSTANCE.replace("\"vm-1\"", r#""\u001b[2J\u0007""#),
    ));
    let shown = asks(host, &["facts"])?;
    ensure!(shown.status == 0 && shown.stdout.contains("[2J"), "{shown}");
    asks(host, &of_role("placed"))?;
    sandbox.step("control characters");
    Ok(())
}

fn of_role(role: &str) -> [&str; 6] {
    [
        "apply",
        "--dry-run",
        "--catalog",
        "/srv/roles",
        "--role",
        role,
    ]
}

fn is_told(host: &Host, word: &str) -> Result<()> {
    let facts = asks(host, &["facts"])?;
    let why = "facts.azure could not be had: Azure's metadata service at 169.254.169.254:80: ";
    ensure!(
        facts.stderr.contains(why) && facts.stderr.contains(word),
        "{facts}"
    );
    ensure!(
        facts.status == 0 && !facts.stdout.contains("azure"),
        "{facts}"
    );
    let placed = asks(host, &of_role("placed"))?;
    ensure!(placed.status == 65, "{placed}");
    let told = ["placed/role.toml:3", "could not be had", word];
    ensure!(
        told.iter().all(|word| placed.stderr.contains(word)),
        "{placed}"
    );
    let plain = asks(host, &of_role("plain"))?;
    ensure!(plain.status == 2, "{plain}");
    Ok(())
}

/// What cfg says, within a time that is far above what it waits for anything, and without a letter that a terminal would obey.
fn asks(host: &Host, words: &[&str]) -> Result<Output> {
    let told = host.exec([&["timeout", "60", CFG], words].concat())?;
    ensure!(told.status != 124, "it does not end: {words:?} {told}");
    let said = [&told.stdout, &told.stderr];
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    ensure!(
        !said.iter().any(|text| text.contains(obeyed)),
        "{words:?} {:?}",
        told.to_string()
    );
    Ok(told)
}

/// The agent says why its role cannot be rendered, keeps its line to the server, and tries again.
fn is_back(host: &Host, metadata: &Metadata) -> Result<()> {
    metadata.says(Says::this("503 Service Unavailable", ""));
    host.sh("rm /etc/placed && systemctl start cfg-agent")?;
    eventually("it says why", Duration::from_secs(60), || {
        let status = status(host)?;
        ensure!(
            status.to_string().contains("503 Service Unavailable"),
            "{status:#}"
        );
        ensure!(status["contact"]["standing"] == "current", "{status:#}");
        Ok(())
    })?;
    metadata.says(Says::this("200 OK", INSTANCE));
    becomes(
        "the file",
        Duration::from_secs(60),
        IN_PLACE.to_owned(),
        || host.read_file("/etc/placed"),
    )
}
