//! Certificates that are not yet, or no more, valid by the machine's clock.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use cfg_tests::{CFG, Host, Installation, Local, Run, Sandbox, becomes, output};

use crate::machine::{Failed, boot, is_tidy};

/// An authority that the host trusts.
const AUTHORITY: &str = r#"
set -eu
mkdir -p /srv/www /srv/ca && cd /srv/ca
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 9000 -subj /CN=tests -addext basicConstraints=critical,CA:TRUE 2>/dev/null
cp ca.crt /usr/local/share/ca-certificates/ && update-ca-certificates >/dev/null 2>&1
echo 'from afar' >/srv/www/file
export NAME=DNS:localhost
"#;

/// Certificates by the authority in this folder for `$NAME`: valid, no more, not yet.
const CERTIFICATES: &str = r#"
set -eu
cat >ca.conf <<'C'
[ca]
default_ca = it
[it]
database = index
new_certs_dir = .
certificate = ca.crt
private_key = ca.key
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = san
[any]
commonName = supplied
[san]
subjectAltName = ${ENV::NAME}
C
openssl req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN=tests 2>/dev/null
for kind in 'valid 20200101000000Z 20990101000000Z' 'past 20200101000000Z 20200201000000Z' 'future 20980101000000Z 20990101000000Z'; do
  set -- $kind
  : >index
  openssl ca -batch -notext -config ca.conf -in tls.csr -out $1.crt -startdate $2 -enddate $3 2>/dev/null
done
"#;

fn serve(host: &Host, kind: &str, port: &str) -> Result<()> {
    let command = format!(
        "cd /srv/www && exec openssl s_server -accept {port} -cert /srv/ca/{kind}.crt -key /srv/ca/tls.key -WWW -quiet"
    );
    host.spawn(["sh", "-c", &command])?;
    let asked = format!("</dev/tcp/127.0.0.1/{port}");
    becomes("it listens", Duration::from_secs(10), 0, || {
        Ok(host.exec(["bash", "-c", &asked])?.status)
    })
}

#[test]
fn a_certificate_of_another_time_names_the_clock() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = boot(sandbox)?;
        let local = Local::on(&host)?;
        host.sh(&format!("{AUTHORITY}{CERTIFICATES}"))?;
        let sha256 = host.sh("sha256sum </srv/www/file | cut -d' ' -f1")?;
        let mut role = "[file.'/srv/beside']\ncontent = \"\"\n".to_owned();
        for (kind, port) in [("valid", "8443"), ("past", "8444"), ("future", "8445")] {
            serve(&host, kind, port)?;
            role += &format!(
                "[file.'/srv/{kind}']\nurl = \"https://localhost:{port}/file\"\nsha256 = \"{}\"\n",
                sha256.trim()
            );
        }
        local.write("app/role.toml", role)?;
        host.write_file("/srv/past", "old\n")?;
        let failed = Failed::of(
            &local,
            &host,
            "app",
            &["file:/srv/future", "file:/srv/past"],
        )?;
        let year = host.sh("date -u +%Y")?;
        let now = format!("this machine's clock says {}", year.trim());
        failed.says(
            "file:/srv/past",
            &["/srv/past is left as it was", "ended at 2020-02-01", &now],
        )?;
        failed.says(
            "file:/srv/future",
            &["begins at 2098-01-01", &now, "set the clock"],
        )?;
        failed.made(&["file:/srv/beside create", "file:/srv/valid create"])?;
        assert_eq!(host.read_file("/srv/past")?, "old\n");
        ensure!(!host.exists("/srv/future")?);
        is_tidy(&host, "/srv")
    })
}

/// Somebody in the server's place, with this certificate of its authority.
fn stand_in(folder: &Path, kind: &str) -> Result<Child> {
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", "7443", "-alpn", "h2", "-quiet"]);
    command.args(["-key", "tls.key", "-cert", &format!("{kind}.crt")]);
    let child = command
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("openssl")?;
    becomes("it listens", Duration::from_secs(10), true, || {
        Ok(TcpStream::connect((Sandbox::ADDRESS, 7443)).is_ok())
    })?;
    Ok(child)
}

#[test]
fn a_server_of_another_time_is_not_asked_and_the_kept_role_is_applied() -> Result<()> {
    Sandbox::run(|sandbox| {
        let installation = Installation::start(sandbox)?;
        let catalog = sandbox.dir().join("roles");
        fs::create_dir_all(catalog.join("app"))?;
        let role = "[file.'/etc/kept']\ncontent = \"kept\\n\"\n";
        fs::write(catalog.join("app/role.toml"), role)?;
        installation.publish(&catalog)?;
        let host = boot(sandbox)?;
        installation.enroll(&host, "app")?;
        host.run([CFG, "apply"])?;
        installation.stop_server()?;
        sandbox.step("enrolled");

        let folder = sandbox.dir().join("pki");
        let kept = sandbox.dir().join("installation/server/pki");
        fs::create_dir_all(&folder)?;
        fs::copy(kept.join("ca.pem"), folder.join("ca.crt"))?;
        fs::copy(kept.join("ca.key"), folder.join("ca.key"))?;
        let mut certificates = Command::new("sh");
        certificates
            .args(["-c", CERTIFICATES])
            .env("NAME", format!("IP:{}", Sandbox::ADDRESS));
        output(certificates.current_dir(&folder))?.success()?;
        let now = format!(
            "this machine's clock says {}",
            host.sh("date -u +%Y")?.trim()
        );
        for (kind, word) in [
            ("past", "its certificate ended at 2020-02-01T00:00:00Z"),
            ("future", "its certificate begins at 2098-01-01T00:00:00Z"),
        ] {
            let mut server = stand_in(&folder, kind)?;
            host.write_file("/etc/kept", "drifted\n")?;
            let told = host.exec([CFG, "apply", "--json"])?;
            for word in [word, &now, "as it was kept"] {
                ensure!(told.stderr.contains(word), "no {word:?}: {told}");
            }
            let run = Run::of(&told)?.expect(0)?;
            ensure!(run.changes() == ["file:/etc/kept update"], "{told}");
            ensure!(host.read_file("/etc/kept")? == "kept\n");
            server.kill()?;
            server.wait()?;
            sandbox.step(kind);
        }
        installation.start_server()?;
        let told = host.exec([CFG, "apply", "--json"])?;
        ensure!(
            told.status == 0 && !told.stderr.contains("certificate"),
            "{told}"
        );
        Ok(())
    })
}
