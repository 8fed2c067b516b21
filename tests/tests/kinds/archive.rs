//! Archives on a real host: fetched, unpacked, replaced, and finished after a crash.

use std::time::Duration;

use anyhow::{Result, ensure};
use cfg_tests::{Host, Local, Sandbox, becomes};

/// Sends half of the first thing that it is asked for and then nothing more; from then on everything.
const SERVER: &str = r#"
import http.server, time
class Server(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        body = open('/srv/www' + self.path, 'rb').read()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        Server.asked += 1
        if Server.asked == 1:
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            time.sleep(1000)
        self.wfile.write(body)
http.server.ThreadingHTTPServer(('127.0.0.1', 8080), Server).serve_forever()
"#;

fn role(version: &str, sha256: &str) -> String {
    format!(
        r#"
[user.app]
system = true

[archive."/opt/app"]
url = "http://127.0.0.1:8080/app-{version}.tar.gz"
sha256 = "{sha256}"
strip = 1
owner = "app"

[file."/opt/app/conf/app.toml"]
content = "version = {version}\n"
owner = "app"
"#
    )
}

/// Packs a version of the program; gives its SHA-256.
fn packed(host: &Host, version: &str) -> Result<String> {
    let script = format!(
        "mkdir -p /srv/www /srv/app-{version}/bin && cd /srv && echo 'echo {version}' >app-{version}/bin/app && \
         chmod 4755 app-{version}/bin/app && head -c 300000 /dev/urandom >app-{version}/data && ln -s bin/app app-{version}/run && \
         tar czf www/app-{version}.tar.gz app-{version} && sha256sum <www/app-{version}.tar.gz | cut -d' ' -f1"
    );
    Ok(host.sh(&script)?.trim().to_owned())
}

/// An archive's name, and how Python packs it.
const PACKINGS: [(&str, &str); 2] = [
    (
        "app-2.tar.xz",
        "import tarfile; tarfile.open('www/app-2.tar.xz', 'w:xz').add('app-2')",
    ),
    (
        "app-2.zip",
        "import shutil; shutil.make_archive('www/app-2', 'zip', '.', 'app-2')",
    ),
];

#[test]
fn an_archive_comes_and_goes_whole_whatever_dies_in_between() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.boot()?;
        let local = Local::on(&host)?;
        let (one, two) = (packed(&host, "1")?, packed(&host, "2")?);
        host.write_file("/srv/server.py", SERVER)?;
        let _server = host.spawn(["python3", "/srv/server.py"])?;
        becomes("it listens", Duration::from_secs(10), 0, || {
            let asked = "</dev/tcp/127.0.0.1/8080";
            Ok(host.exec(["bash", "-c", asked])?.status)
        })?;

        // Killed while half of it has come.
        local.write("app/role.toml", role("1", &one))?;
        let run = host.spawn(local.words("app", &[]))?;
        becomes("half of it is there", Duration::from_secs(20), true, || {
            Ok(!host
                .sh("find /opt -name '.cfg-tmp-*' -size +50k")?
                .is_empty())
        })?;
        host.sh("pkill -KILL -x cfg")?;
        run.wait(Duration::from_secs(10))?;
        ensure!(!host.exists("/opt/app")?, "half of it is in place");
        sandbox.step("killed");

        let changes = local.converge("app")?;
        assert_eq!(changes[0], "archive:/opt/app create", "{changes:?}");
        assert_eq!(host.run(["ls", "-A", "/opt"])?.trim(), "app");
        let stat = host.run(["stat", "-c", "%a %U", "/opt/app/bin/app", "/opt/app/run"])?;
        assert_eq!(stat, "755 app\n777 app\n");
        assert_eq!(host.run(["sh", "/opt/app/run"])?.trim(), "1");
        sandbox.step("finished by the next run");

        local.write("app/role.toml", role("2", &two))?;
        host.sh("echo mine >/opt/app/stray")?;
        let run = local.apply("app")?.expect(0)?;
        assert_eq!(run.changes()[0], "archive:/opt/app update");
        assert_eq!(host.read_file("/opt/app/conf/app.toml")?, "version = 2\n");
        ensure!(!host.exists("/opt/app/stray")?);
        local.dry_run("app")?.expect(0)?;
        sandbox.step("replaced");

        // The same, as others pack it.
        for (name, pack) in PACKINGS {
            host.sh(&format!("cd /srv && python3 -c \"{pack}\""))?;
            let sum = host.sh(&format!("sha256sum </srv/www/{name}"))?;
            let role = role("2", sum.split(' ').next().unwrap_or_default());
            local.write("app/role.toml", role.replace("app-2.tar.gz", name))?;
            let run = local.apply("app")?.expect(0)?;
            assert_eq!(run.changes()[0], "archive:/opt/app update", "{name}");
            assert_eq!(host.run(["sh", "/opt/app/bin/app"])?.trim(), "2", "{name}");
            let stat = host.run(["stat", "-c", "%a %U", "/opt/app/bin/app"])?;
            assert_eq!(stat, "755 app\n", "{name}");
            local.dry_run("app")?.expect(0)?;
        }
        local.write(
            "app/role.toml",
            "[archive.\"/opt/app\"]\nstate = \"absent\"\n",
        )?;
        assert_eq!(local.converge("app")?, ["archive:/opt/app remove"]);
        ensure!(host.sh("ls -A /opt")?.is_empty());
        Ok(())
    })
}
