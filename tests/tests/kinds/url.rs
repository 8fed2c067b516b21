//! Files from afar: over HTTPS, by the authorities that a host trusts, and by a proxy.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use cfg_tests::{Host, Local, Sandbox, becomes};

/// A web server over TLS with a certificate of an authority of its own, on the host itself.
const SERVE: &str = r#"
mkdir -p /srv/www /srv/ca && cd /srv/ca
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=tests \
  -addext basicConstraints=critical,CA:TRUE 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN=localhost 2>/dev/null
echo 'subjectAltName=DNS:localhost' >ext
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out tls.crt 2>/dev/null
echo 'from afar' >/srv/www/file
"#;

/// A proxy that notes what it is asked for, and takes everything to that server.
const PROXY: &str = r#"
import socket, socketserver, threading
class Proxy(socketserver.StreamRequestHandler):
    def handle(self):
        asked = self.rfile.readline().decode().split()
        if not asked:
            return
        while self.rfile.readline().strip():
            pass
        with open('/srv/asked', 'a') as note:
            note.write(' '.join(asked[:2]) + '\n')
        if asked[0] != 'CONNECT':
            self.wfile.write(b'HTTP/1.1 200 OK\r\n\r\nfrom afar\n')
            return
        server = socket.create_connection(('127.0.0.1', 8443))
        self.wfile.write(b'HTTP/1.1 200 OK\r\n\r\n')
        def pump(one, other):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        threading.Thread(target=pump, args=(self.connection, server)).start()
        pump(server, self.connection)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(('127.0.0.1', 3128), Proxy).serve_forever()
"#;

fn role(url: &str, sha256: &str) -> String {
    format!("[file.\"/opt/app/file\"]\nurl = \"{url}\"\nsha256 = \"{sha256}\"\n")
}

fn listens(host: &Host, port: &str) -> Result<()> {
    let asked = format!("</dev/tcp/127.0.0.1/{port}");
    becomes("it listens", Duration::from_secs(10), 0, || {
        Ok(host.exec(["bash", "-c", &asked])?.status)
    })
}

#[test]
fn a_file_is_fetched_from_whom_the_host_trusts_and_by_its_proxy() -> Result<()> {
    Sandbox::run(|sandbox| {
        let host = sandbox.host("vm-1", "10.77.0.11")?;
        host.boot()?;
        let local = Local::on(&host)?;
        host.sh(SERVE)?;
        let sha256 = host.sh("sha256sum </srv/www/file | cut -d' ' -f1")?;
        let sha256 = sha256.trim();
        host.write_file("/srv/proxy.py", PROXY)?;
        let serve = "cd /srv/www && exec openssl s_server -accept 8443 -cert /srv/ca/tls.crt -key /srv/ca/tls.key -WWW -quiet";
        let _server = host.spawn(["sh", "-c", serve])?;
        let _proxy = host.spawn(["python3", "/srv/proxy.py"])?;
        listens(&host, "8443")?;
        listens(&host, "3128")?;
        sandbox.step("there is a server, and a proxy");

        let secure = "https://localhost:8443/file";
        local.write("app/role.toml", role(secure, sha256))?;
        let foretold = local.dry_run("app")?.expect(2)?;
        let run = local.apply("app")?.expect(1)?;
        let told = run.document["failures"][0]["message"]
            .as_str()
            .context("no failure")?;
        ensure!(told.contains("UnknownIssuer"), "{told}");
        ensure!(!host.exists("/opt/app/file")?, "it is believed");
        host.sh("cp /srv/ca/ca.crt /usr/local/share/ca-certificates/ && update-ca-certificates")?;
        assert_eq!(local.converge("app")?, ["file:/opt/app/file create"]);
        ensure!(
            foretold
                .changes()
                .contains(&"file:/opt/app/file create".into())
        );
        assert_eq!(host.read_file("/opt/app/file")?, "from afar\n");
        sandbox.step("fetched over TLS");

        // Another file under the same URL is not what was meant.
        host.sh("echo changed >/srv/www/file && rm /opt/app/file")?;
        let run = local.apply("app")?.expect(1)?;
        ensure!(
            run.document.to_string().contains(sha256),
            "{:#}",
            run.document
        );
        ensure!(host.sh("ls -A /opt/app")?.is_empty(), "something was left");
        host.sh("echo 'from afar' >/srv/www/file")?;

        by_proxy(&host, &local, secure, sha256)
    })
}

fn by_proxy(host: &Host, local: &Local<'_>, secure: &str, sha256: &str) -> Result<()> {
    let env = "http_proxy=http://127.0.0.1:3128 https_proxy=http://127.0.0.1:3128";
    let words = local.words("app", &[]).join(" ");
    host.sh(&format!("{env} {words}"))?;
    local.write("app/role.toml", role("http://far.invalid/file?x", sha256))?;
    host.sh(&format!("rm /opt/app/file && {env} {words}"))?;
    assert_eq!(
        host.read_file("/srv/asked")?,
        "CONNECT localhost:8443\nGET http://far.invalid/file?x\n"
    );
    assert_eq!(host.read_file("/opt/app/file")?, "from afar\n");
    local.write("app/role.toml", role(secure, sha256))?;
    host.sh(&format!(
        "rm /opt/app/file && {env} no_proxy=localhost {words}"
    ))?;
    let asked = host.read_file("/srv/asked")?;
    ensure!(asked.lines().count() == 2, "{asked}");
    Ok(())
}
