//! Answers for a package's configuration, with real apt and debconf.

use anyhow::{Context as _, Result, ensure};
use cfg_tests::{Host, Local, Sandbox};

fn role(colour: &str, more: &str) -> String {
    format!(
        "[package.asking.debconf]\n\"asking/colour\" = {{ type = \"select\", value = \"{colour}\" }}\n\
         \"asking/password\" = {{ type = \"password\", value = \"hush hush\" }}\n{more}"
    )
}

/// What the package's scripts were answered, one line a configuration.
fn answers(host: &Host) -> Result<Vec<String>> {
    let log = host.read_file("/var/log/asking")?;
    Ok(log.lines().map(str::to_owned).collect())
}

#[test]
fn answers_are_given_before_a_package_asks_and_count_while_it_is_there() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.use_local_repository()?;
        host.boot()?;
        let local = Local::on(&host)?;
        local.write("asks/role.toml", role("green", ""))?;
        assert_eq!(local.converge("asks")?, ["package:asking install"]);
        assert_eq!(answers(&host)?, ["green hush hush"]);
        sandbox.step("installed with its answers");
        let public = host.sh("cat /var/cache/debconf/config.dat /var/lib/dpkg/status")?;
        ensure!(!public.contains("hush"), "the password is for everybody");

        // Another answer in the role, and then one by somebody else.
        local.write("asks/role.toml", role("blue", ""))?;
        assert_eq!(local.converge("asks")?, ["package:asking update"]);
        host.sh("echo asking asking/colour select red | debconf-set-selections")?;
        assert_eq!(local.converge("asks")?, ["package:asking update"]);
        let colours: Vec<String> = answers(&host)?;
        assert_eq!(colours.len(), 3, "{colours:?}");
        ensure!(
            colours[1..].iter().all(|line| line.starts_with("blue")),
            "{colours:?}"
        );
        sandbox.step("configured anew by other answers");

        // What is none of the choices fails, and configures nothing again.
        local.write("asks/role.toml", role("purple", ""))?;
        for run in [local.dry_run("asks")?, local.apply("asks")?] {
            let told = run.expect(1)?.document["failures"][0]["message"].to_string();
            ensure!(told.contains("is one of red, green, blue"), "{told}");
        }
        assert_eq!(answers(&host)?, colours);

        // A package that answers itself is a failure that says what became of the answer.
        local.write(
            "asks/role.toml",
            role("blue", "\"asking/stubborn\" = \"ours\"\n"),
        )?;
        let run = local.apply("asks")?.expect(1)?;
        let told = run.document["failures"][0]["message"]
            .as_str()
            .context("no failure")?;
        ensure!(
            told.contains("mine") && told.contains("asking/stubborn"),
            "{told}"
        );
        Ok(())
    })
}

#[test]
fn scripts_of_packages_are_asked_nothing_and_restart_nothing() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.use_local_repository()?;
        host.boot()?;
        let local = Local::on(&host)?;
        local.write("asks/role.toml", "[package]\nasking = \"*\"\n")?;
        local.converge("asks")?;
        let env = host.read_file("/var/log/asking.env")?;
        for wanted in [
            "STDIN=/dev/null",
            "DEBIAN_FRONTEND=noninteractive",
            "NEEDRESTART_SUSPEND=1",
            "UCF_FORCE_CONFFOLD=1",
            "LC_ALL=C.UTF-8",
        ] {
            ensure!(
                env.lines().any(|line| line == wanted),
                "no {wanted} in:\n{env}"
            );
        }
        Ok(())
    })
}

#[test]
fn apt_goes_by_the_proxy_that_is_configured() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        let key = "signed-by=/srv/repository/key.asc";
        let source = format!("deb [{key}] {} bookworm main\n", Sandbox::REPOSITORY);
        host.write_file("/etc/apt/sources.list", source)?;
        host.boot()?;
        let local = Local::on(&host)?;
        local.write("asks/role.toml", "[package]\nasking = \"*\"\n")?;
        // Nobody listens there: what names it went by it.
        let nobody = "http://10.77.0.1:9/";
        host.write_file(
            "/etc/apt/apt.conf.d/proxy",
            format!("Acquire::http::Proxy \"{nobody}\";\n"),
        )?;
        let run = local.apply("asks")?.expect(1)?;
        ensure!(
            run.document.to_string().contains("10.77.0.1:9 "),
            "{:#}",
            run.document
        );
        host.run(["rm", "/etc/apt/apt.conf.d/proxy"])?;
        let words = local.words("asks", &["--json"]).join(" ");
        let said = host.exec(["sh", "-c", &format!("http_proxy={nobody} {words}")])?;
        ensure!(
            said.status == 1 && said.stdout.contains("10.77.0.1:9 "),
            "{said}"
        );
        let said = host.exec([
            "sh",
            "-c",
            &format!("http_proxy={nobody} no_proxy=10.77.0.1 {words}"),
        ])?;
        ensure!(said.status == 0, "{said}");
        Ok(())
    })
}
