//! One Debian host: its boot and its end, commands in it, its cable.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::command::{output, output_with_stdin, shown, signal};
use crate::disk::Disk;
use crate::image::from_sandbox;
use crate::sandbox::script;
use crate::{Background, Image, Output, eventually};

const BOOT: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(60);
const COMMAND_SECONDS: &str = "300";

/// A Debian host with systemd as its first process and an address of its own.
///
/// It lives as long as its sandbox, whether or not this value is dropped. Its disk survives power cuts and boots.
#[derive(Debug)]
pub struct Host {
    name: String,
    address: String,
    layers: String,
    dir: PathBuf,
    cgroup: PathBuf,
    nspawn: Mutex<Option<Child>>,
}

impl Host {
    pub(crate) fn new(sandbox: &Path, image: Image, name: &str, address: &str) -> Result<Host> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            !name.is_empty() && name.chars().all(plain),
            "a host's name is of a-z, 0-9 and -, not {name:?}"
        );
        ensure!(
            name.len() <= 13,
            "a host's name has at most 13 letters, since its cable's has 15: {name}"
        );
        ensure!(name != "self", "`self` is the sandbox's own cgroup");
        output(Command::new(script("plug.sh")).args([name, address]))?.success()?;
        Ok(Host {
            name: name.to_owned(),
            address: address.to_owned(),
            layers: image.layers()?,
            dir: sandbox.join(name),
            cgroup: Path::new(&from_sandbox("CFG_CGROUP")?).join(name),
            nspawn: Mutex::new(None),
        })
    }

    /// Its name, which is its hostname.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Gives it user-data for cloud-init at its next boot; a host that never got any boots without cloud-init, which saves seconds.
    pub fn set_user_data(&self, user_data: &str) -> Result<()> {
        let seed = "/var/lib/cloud/seed/nocloud";
        let meta_data = format!(
            "instance-id: {name}\nlocal-hostname: {name}\n",
            name = self.name
        );
        self.disk()
            .write(&format!("{seed}/meta-data"), meta_data.as_bytes())?;
        self.disk()
            .write(&format!("{seed}/user-data"), user_data.as_bytes())
    }

    /// Lets it have packages from the repository without a network, as `file:`, in tests that are not about the resource `repository`.
    pub fn use_local_repository(&self) -> Result<()> {
        let line = "deb [signed-by=/srv/repository/key.asc] file:/srv/repository bookworm main\n";
        self.write_file("/etc/apt/sources.list", line)
    }

    /// Switches it on, and waits until it runs; a unit that failed is an error.
    pub fn boot(&self) -> Result<()> {
        self.start()?;
        self.wait_until_up()
    }

    /// Switches it on with user-data, and waits until it runs and cloud-init is done; a unit that failed is an error.
    pub fn boot_with_user_data(&self, user_data: &str) -> Result<()> {
        self.set_user_data(user_data)?;
        self.boot()
    }

    /// Switches it on, and does not wait.
    pub fn start(&self) -> Result<()> {
        ensure!(self.nspawn_ended()?, "{} is already on", self.name);
        let mut nspawn = self.lock();
        let seeded = self.disk().exists("/var/lib/cloud/seed/nocloud/user-data");
        let disabled = "/etc/cloud/cloud-init.disabled";
        if seeded {
            self.disk().remove(disabled)?
        } else {
            self.disk().write(disabled, b"")?
        }
        let console = fs::File::create(self.dir.join("nspawn.log")).context("nspawn.log")?;
        let mut command = Command::new(script("boot.sh"));
        command
            .args([&self.name, &self.layers])
            .stdin(Stdio::null());
        command
            .stdout(console.try_clone().context("nspawn.log")?)
            .stderr(console);
        *nspawn = Some(command.spawn().context("cannot start boot.sh")?);
        Ok(())
    }

    /// Waits until systemd has done all of its start, and cloud-init too; a unit that failed is an error.
    pub fn wait_until_up(&self) -> Result<()> {
        let state = self.wait_until_booted()?;
        if state != "running" {
            let failed = self.run([
                "systemctl",
                "list-units",
                "--failed",
                "--plain",
                "--no-legend",
            ])?;
            bail!("{} is {state}; failed units:\n{failed}", self.name);
        }
        Ok(())
    }

    /// Waits until systemd has done all of its start, and gives its word on it: `running`, or `degraded` if a unit failed.
    pub fn wait_until_booted(&self) -> Result<String> {
        let mut gone = false;
        let state = eventually(&format!("{} boots", self.name), BOOT, || {
            if self.nspawn_ended()? {
                gone = true;
                return Ok(String::new());
            }
            let state = self.exec(["systemctl", "is-system-running", "--wait"])?;
            match state.stdout.trim() {
                state @ ("running" | "degraded") => Ok(state.to_owned()),
                _ => Err(anyhow!("{state}")),
            }
        });
        if gone {
            bail!("{} went off while it booted\n{}", self.name, self.console());
        }
        state.with_context(|| self.console())
    }

    /// Runs a command in it to its end, whatever its exit code. A command that is not done after five minutes is an error.
    ///
    /// It has all of root's capabilities, which units of the host have not: what is to be judged as a service must be started as one.
    pub fn exec<S: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> Result<Output> {
        self.exec_with_stdin(argv, b"")
    }

    /// As [`Host::exec`], with something to read.
    pub fn exec_with_stdin<S: AsRef<OsStr>>(
        &self,
        argv: impl IntoIterator<Item = S>,
        stdin: &[u8],
    ) -> Result<Output> {
        let argv: Vec<S> = argv.into_iter().collect();
        let shown = shown(&argv);
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", COMMAND_SECONDS])
            .args(self.enter()?)
            .args(argv);
        let mut ended = output_with_stdin(&mut command, stdin)?;
        ended.command = format!("{}: {shown}", self.name);
        ensure!(
            ended.status != 124,
            "not done after {COMMAND_SECONDS} s: {ended}"
        );
        Ok(ended)
    }

    /// Runs a command in it that must succeed, and gives what it printed.
    pub fn run<S: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> Result<String> {
        self.exec(argv)?.success()
    }

    /// Runs a line of shell in it that must succeed, and gives what it printed.
    pub fn sh(&self, script: &str) -> Result<String> {
        self.run(["sh", "-c", script])
    }

    /// Starts a command in it, and does not wait.
    pub fn spawn<S: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> Result<Background> {
        Background::start(&self.dir, &self.enter()?, argv)
    }

    /// A file's content. While the host is off, no link is followed.
    pub fn read_file(&self, path: &str) -> Result<String> {
        if self.is_on() {
            return self.run(["cat", "--", path]);
        }
        self.disk().read(path)
    }

    /// Writes a file, and makes the folders that it lacks. While the host is off, no link is followed.
    pub fn write_file(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        if self.is_on() {
            let script = "mkdir -p -- \"${0%/*}/\" && cat >\"$0\"";
            return self
                .exec_with_stdin(["sh", "-c", script, path], content.as_ref())?
                .success()
                .map(drop);
        }
        self.disk().write(path, content.as_ref())
    }

    /// Whether the path is there.
    pub fn exists(&self, path: &str) -> Result<bool> {
        if self.is_on() {
            return Ok(self.exec(["test", "-e", path])?.status == 0);
        }
        Ok(self.disk().exists(path))
    }

    /// Copies a file of this machine into it, with its mode.
    pub fn copy_in(&self, from: &Path, to: &str) -> Result<()> {
        let mode = output(Command::new("stat").args(["--format=%a", "--"]).arg(from))?.success()?;
        let content = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.write_file(to, content)?;
        let chmod = if self.is_on() {
            to.to_owned()
        } else {
            self.disk().upper(to)?.display().to_string()
        };
        let argv = ["chmod", mode.trim(), "--", &chmod];
        if self.is_on() {
            self.run(argv).map(drop)
        } else {
            output(Command::new(argv[0]).args(&argv[1..]))?
                .success()
                .map(drop)
        }
    }

    /// Copies all that it ever wrote to its disk to that of another host, which was never on.
    pub fn copy_disk(&self, to: &Host) -> Result<()> {
        for host in [self, to] {
            ensure!(!host.is_on(), "{} is on", host.name);
        }
        let mut copy = Command::new("cp");
        copy.args(["-a", "--"]).arg(self.dir.join("disk/."));
        output(copy.arg(to.dir.join("disk")))?.success().map(drop)
    }

    /// Whether it was switched on and has not gone off.
    pub fn is_on(&self) -> bool {
        matches!(self.nspawn_ended(), Ok(false))
    }

    /// Powers it off in order, and waits for it.
    pub fn stop(&self) -> Result<()> {
        let id = match &*self.lock() {
            Some(nspawn) => i64::from(nspawn.id()),
            None => bail!("{} is not on", self.name),
        };
        signal("TERM", id)?;
        self.wait_until_off()
    }

    /// Waits until it went off by itself, or by a command given in it.
    pub fn wait_until_off(&self) -> Result<()> {
        eventually(&format!("{} goes off", self.name), STOP, || {
            ensure!(self.nspawn_ended()?, "it is still on");
            Ok(())
        })
        .with_context(|| self.console())?;
        *self.lock() = None;
        Ok(())
    }

    /// Restarts it in order, and waits until it runs again; a unit that failed is an error.
    ///
    /// A host that restarts by itself goes off here, and is switched on by [`Host::boot`] after [`Host::wait_until_off`].
    pub fn reboot(&self) -> Result<()> {
        self.run(["systemctl", "reboot"])?;
        self.wait_until_off()?;
        self.boot()
    }

    /// Pulls its plug: every process is gone at once. What was written is kept, even what was not synced.
    pub fn power_cut(&self) -> Result<()> {
        let mut nspawn = self.lock();
        let Some(mut child) = nspawn.take() else {
            bail!("{} is not on", self.name)
        };
        fs::write(self.cgroup.join("cgroup.kill"), "1").context("cgroup.kill")?;
        child.wait().context("wait for nspawn")?;
        Ok(())
    }

    /// Pulls its cable.
    pub fn link_down(&self) -> Result<()> {
        self.link("down")
    }

    /// Plugs its cable in.
    pub fn link_up(&self) -> Result<()> {
        self.link("up")
    }

    fn link(&self, state: &str) -> Result<()> {
        output(Command::new("ip").args(["link", "set", &format!("v-{}", self.name), state]))?
            .success()?;
        Ok(())
    }

    /// What its console showed.
    pub fn console(&self) -> String {
        let read = |name| {
            fs::read(self.dir.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = format!(
            "{}{}",
            read("nspawn.log").unwrap_or_default(),
            read("console.log").unwrap_or_default()
        );
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(30)..].join("\n");
        format!("the console of {} ended with:\n{last}", self.name)
    }

    /// The words that, before a command, make it run in the host, and belong to the host's cgroup.
    fn enter(&self) -> Result<Vec<String>> {
        let leader = self.leader()?.to_string();
        let cgroup = self
            .cgroup
            .join("payload/init.scope/cgroup.procs")
            .display()
            .to_string();
        let join = ["sh", "-c", "echo $$ >\"$0\" && exec \"$@\"", &cgroup];
        let enter = [
            "nsenter", "--target", &leader, "--mount", "--uts", "--ipc", "--net", "--pid",
            "--cgroup", "--root", "--wd",
        ];
        let environment = [
            "env",
            "-i",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "LANG=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
        ];
        Ok([&join[..], &enter, &environment]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect())
    }

    /// The host's first process, as the sandbox counts.
    fn leader(&self) -> Result<u32> {
        let nspawn = self
            .lock()
            .as_ref()
            .map(Child::id)
            .with_context(|| format!("{} is not on", self.name))?;
        let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children"))
            .unwrap_or_default();
        let first = children
            .split_whitespace()
            .next()
            .with_context(|| format!("{} has no process yet", self.name))?;
        first
            .parse()
            .with_context(|| format!("/proc/{nspawn}: {children}"))
    }

    fn nspawn_ended(&self) -> Result<bool> {
        match &mut *self.lock() {
            Some(child) => Ok(child.try_wait().context("wait for nspawn")?.is_some()),
            None => Ok(true),
        }
    }

    fn disk(&self) -> Disk<'_> {
        Disk {
            upper: self.dir.join("disk"),
            layers: &self.layers,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.nspawn
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
