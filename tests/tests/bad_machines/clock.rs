//! Certificates that are not yet, or no more, valid by the machine's clock.

use std::time::Duration;

use anyhow::{Result, ensure};
use cfg_tests::{Host, Local, Sandbox, becomes};

use crate::machine::{Failed, boot, is_tidy};

/// An authority that the host trusts, and certificates of it: valid, no more, not yet.
const AUTHORITY: &str = r#"
set -eu
mkdir -p /srv/www /srv/ca && cd /srv/ca
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 9000 -subj /CN=tests -addext basicConstraints=critical,CA:TRUE 2>/dev/null
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
subjectAltName = DNS:localhost
C
openssl req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN=localhost 2>/dev/null
for kind in 'valid 20200101000000Z 20990101000000Z' 'past 20200101000000Z 20200201000000Z' 'future 20980101000000Z 20990101000000Z'; do
  set -- $kind
  : >index
  openssl ca -batch -notext -config ca.conf -in tls.csr -out $1.crt -startdate $2 -enddate $3 2>/dev/null
done
cp ca.crt /usr/local/share/ca-certificates/ && update-ca-certificates >/dev/null 2>&1
echo 'from afar' >/srv/www/file
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
        host.sh(AUTHORITY)?;
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
