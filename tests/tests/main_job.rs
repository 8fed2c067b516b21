//! The main job on a real host: user-data alone, a role from the server, and everything that happens to it afterwards.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use cfg_tests::{
    CFG, Catalog, Host, Installation, Run, Sandbox, agent_binary, becomes, dry_run, eventually,
    output, status,
};

const MINUTES: Duration = Duration::from_secs(180);
const SECONDS: Duration = Duration::from_secs(20);

fn serves(host: &Host) -> Result<()> {
    let said = host.sh("printf srvr | nc -w 2 127.0.0.1 2181")?;
    ensure!(said.contains("Mode: standalone"), "{said}");
    Ok(())
}

/// systemd's ids of the starts of a unit that its journal knows, in order.
fn starts(host: &Host, unit: &str) -> Result<Vec<String>> {
    let journal = host.run([
        "journalctl",
        "--no-pager",
        "-o",
        "json",
        "--output-fields=INVOCATION_ID,MESSAGE",
        "-u",
        unit,
    ])?;
    let mut starts = Vec::new();
    for line in journal.lines() {
        let entry: serde_json::Value = serde_json::from_str(line)?;
        let started = entry["MESSAGE"]
            .as_str()
            .is_some_and(|text| text.starts_with("Starting"));
        if let (true, Some(id)) = (started, entry["INVOCATION_ID"].as_str()) {
            starts.push(id.to_owned());
        }
    }
    Ok(starts)
}

fn converged(host: &Host) -> Result<()> {
    let status = status(host)?;
    ensure!(
        status["last_run"]["result"] == "converged" || status["last_run"]["result"] == "applied",
        "{status:#}"
    );
    Ok(())
}

#[test]
fn a_host_boots_with_user_data_alone_and_lives() -> Result<()> {
    Sandbox::run(|sandbox| {
        let installation = Installation::start(sandbox)?;
        let catalog = Catalog::shipped(sandbox)?;
        installation.publish(catalog.dir())?;
        sandbox.step("server, desk, release");
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.boot_with_user_data(&installation.server(&["cloud-init", "--role", "zookeeper"])?)?;
        sandbox.step("booted, cloud-init done");
        eventually("it converges", MINUTES, || converged(&host))?;
        eventually("ZooKeeper serves", SECONDS, || serves(&host))?;
        sandbox.step("converged");
        assert_eq!(
            starts(&host, "zookeeper")?.len(),
            1,
            "started once, with its configuration"
        );
        ensure!(
            !host.exists("/tmp/zookeeper")?,
            "it never ran with the package's data folder"
        );
        ensure!(!host.exists("/etc/cfg/token")?, "the token is erased");
        let run = dry_run(&host)?.expect(0)?;
        assert_eq!(run.changes(), Vec::<String>::new());
        host.sh("printf 'interval = \"5s\"\\nsplay = \"0s\"\\n' >>/etc/cfg/agent.toml && systemctl restart cfg-agent")?;
        published_change_arrives(sandbox, &installation, &catalog, &host)?;
        drift_is_mended(sandbox, &host)?;
        server_away(sandbox, &installation, &host)?;
        host.sh(
            "sed -i /^interval/d /etc/cfg/agent.toml && systemctl restart cfg-agent && sleep 5",
        )?;
        idle(sandbox, &host)
    })
}

#[test]
fn a_first_boot_that_is_cut_short_is_taken_up_by_the_next() -> Result<()> {
    const SCRIPT: &str = "/var/lib/cloud/scripts/per-boot/cfg-bootstrap";
    Sandbox::run(|sandbox| {
        let installation = Installation::start(sandbox)?;
        let catalog = Catalog::shipped(sandbox)?;
        installation.publish(catalog.dir())?;
        let user_data = installation.server(&["cloud-init", "--role", "demo"])?;
        installation.stop_server()?;
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.set_user_data(&user_data)?;
        host.start()?;
        eventually("it looks for its server", MINUTES, || {
            host.sh(&format!("pgrep -f {SCRIPT}"))
        })?;
        host.power_cut()?;
        sandbox.step("the power was cut while it waited");
        installation.start_server()?;
        host.boot()?;
        eventually("it converges", MINUTES, || converged(&host))?;
        ensure!(!host.exists("/etc/cfg/token")?, "the token is erased");
        ensure!(!host.exists(SCRIPT)?, "the script has done its work");
        Ok(())
    })
}

/// The daemon at rest: memory, and processor time over ten seconds.
fn idle(sandbox: &Sandbox, host: &Host) -> Result<()> {
    let pid = host.run(["systemctl", "show", "-P", "MainPID", "cfg-agent"])?;
    let pid = pid.trim();
    let number = |script: String| -> Result<u64> { Ok(host.sh(&script)?.trim().parse()?) };
    let resident = number(format!("awk '/^VmRSS/ {{ print $2 }}' /proc/{pid}/status"))?;
    let ticks = format!("awk '{{ print $14 + $15 }}' /proc/{pid}/stat");
    let before = number(ticks.clone())?;
    host.run(["sleep", "10"])?;
    let spent = number(ticks)? - before;
    sandbox.step(&format!(
        "idle agent: {resident} KiB resident, {spent} ticks of 10 ms in 10 s"
    ));
    ensure!(resident < 12 * 1024, "{resident} KiB resident");
    ensure!(spent <= 2, "{spent} ticks of processor time at rest");
    Ok(())
}

fn published_change_arrives(
    sandbox: &Sandbox,
    installation: &Installation,
    catalog: &Catalog,
    host: &Host,
) -> Result<()> {
    let before = starts(host, "zookeeper")?.len();
    let values = catalog.read("fleet.toml")?;
    catalog.write(
        "fleet.toml",
        format!("{values}max_client_connections = 60\n"),
    )?;
    installation.publish(catalog.dir())?;
    sandbox.step("change published");
    eventually("the change reaches the host", SECONDS, || {
        ensure!(
            host.read_file("/etc/zookeeper/conf/zoo.cfg")?
                .contains("maxClientCnxns=60")
        );
        Ok(())
    })?;
    becomes("one restart", SECONDS, before + 1, || {
        Ok(starts(host, "zookeeper")?.len())
    })?;
    eventually("ZooKeeper serves", SECONDS, || serves(host))?;
    sandbox.step("change arrived, ZooKeeper restarted");
    // Two more intervals.
    host.run(["sleep", "11"])?;
    assert_eq!(
        starts(host, "zookeeper")?.len(),
        before + 1,
        "once, and only once"
    );
    Ok(())
}

fn drift_is_mended(sandbox: &Sandbox, host: &Host) -> Result<()> {
    let whole = host.read_file("/etc/zookeeper/conf/zoo.cfg")?;
    host.write_file("/etc/zookeeper/conf/zoo.cfg", "broken\n")?;
    becomes("the file is put back", SECONDS, whole, || {
        host.read_file("/etc/zookeeper/conf/zoo.cfg")
    })?;
    sandbox.step("a broken file is put back");
    host.run(["systemctl", "stop", "zookeeper"])?;
    eventually("the service is started", SECONDS, || serves(host))?;
    sandbox.step("a stopped service is started");
    Ok(())
}

fn server_away(sandbox: &Sandbox, installation: &Installation, host: &Host) -> Result<()> {
    let marker = "broken while the server is away";
    installation.stop_server()?;
    let hosts = "/etc/zookeeper/conf/zoo.cfg";
    let whole = host.read_file(hosts)?;
    host.write_file(hosts, format!("{marker}\n"))?;
    becomes("the host keeps converging", SECONDS, whole, || {
        host.read_file(hosts)
    })?;
    sandbox.step("mended without the server");
    installation.start_server()?;
    eventually(
        "it reports what happened meanwhile",
        Duration::from_secs(90),
        || {
            let reports = installation.reports("vm-1")?;
            ensure!(reports.contains(marker), "{reports}");
            Ok(())
        },
    )?;
    sandbox.step("reported when the server was back");
    Ok(())
}

#[test]
fn the_dry_run_on_a_blank_host_foretells_the_run() -> Result<()> {
    Sandbox::run(|sandbox| {
        let installation = Installation::start(sandbox)?;
        let catalog = Catalog::shipped(sandbox)?;
        installation.publish(catalog.dir())?;
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.boot()?;
        installation.enroll(&host, "zookeeper")?;
        let foretold = dry_run(&host)?.expect(2)?;
        sandbox.step("dry run on the blank host");
        let run = Run::of(&host.exec([CFG, "apply", "--json"])?)?.expect(0)?;
        sandbox.step("applied");
        assert_eq!(foretold.changes(), run.changes());
        assert_eq!(
            run.document["unforeseen"].as_array().map_or(0, Vec::len),
            0,
            "{:#}",
            run.document
        );
        assert_eq!(dry_run(&host)?.expect(0)?.changes(), Vec::<String>::new());
        eventually("ZooKeeper serves", SECONDS, || serves(&host))?;
        Ok(())
    })
}

#[test]
fn the_agent_is_one_small_static_file() -> Result<()> {
    let agent = agent_binary()?;
    let size = std::fs::metadata(&agent)?.len();
    println!("cfg: {size} bytes");
    ensure!(size < 10_000_000, "{size} bytes");
    let told = output(Command::new("ldd").arg(&agent))?;
    ensure!(
        told.stdout.contains("statically linked") || told.stderr.contains("not a dynamic"),
        "{told}"
    );
    // An error asks for a backtrace, which must not be the end of a program that was made small.
    let mut failing = Command::new(&agent);
    failing.args(["apply", "--role", "demo", "--root", "/nonexistent"]);
    failing.env_remove("RUST_LIB_BACKTRACE");
    let told = output(failing.env("RUST_BACKTRACE", "1"))?;
    told.expect_status(64)?;
    Ok(())
}
