//! A world of its own for one test: namespaces with a switch to plug hosts into, which vanish with the test.

use std::any::type_name;
use std::env;
use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{code, output};
use crate::image::from_sandbox;
use crate::{FileServer, Host, Image};

/// The folder of the harness's scripts.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("hosts")
        .join(name)
}

/// The world of one test: a network 10.77.0.0/24 without a way out, in which the test itself is 10.77.0.1.
#[derive(Debug)]
pub struct Sandbox {
    dir: PathBuf,
    started: Instant,
    repository: FileServer,
}

impl Sandbox {
    /// The test's own address, where its servers listen.
    pub const ADDRESS: &str = "10.77.0.1";
    /// The signed apt repository (suite `bookworm`, component `main`); hosts also see it at `/srv/repository`.
    pub const REPOSITORY: &str = "http://10.77.0.1:8000/debian";

    /// The same under another address, since apt takes no source twice with keys in two places.
    pub const MESOS_REPOSITORY: &str = "http://10.77.0.1:8000/mesos";

    /// Runs the body of a test in a sandbox. It must be a closure written in the test function itself: outside of a sandbox this
    /// starts the same test again, by the closure's name, inside of one, and gives its result.
    ///
    /// A test that did not run in a sandbox fails. Environment: `CFG_TEST_TIMEOUT` (seconds, 600); `CFG_TEST_HOLD=1` keeps the
    /// sandbox of a failed test until it is interrupted.
    pub fn run<F: FnOnce(&Sandbox) -> Result<()>>(test: F) -> Result<()> {
        Sandbox::run_beside(File::lock_shared, test)
    }

    /// The same while no other test has a sandbox: for a test that measures times. It waits until the others are done, and who comes
    /// later waits for it.
    pub fn run_alone<F: FnOnce(&Sandbox) -> Result<()>>(test: F) -> Result<()> {
        Sandbox::run_beside(File::lock, test)
    }

    fn run_beside<F: FnOnce(&Sandbox) -> Result<()>>(
        lock: fn(&File) -> std::io::Result<()>,
        test: F,
    ) -> Result<()> {
        let name = test_name(type_name::<F>())?;
        if env::var_os("CFG_SANDBOX").is_none() {
            return run_in_sandbox(&name, lock);
        }
        let sandbox = Sandbox::open()?;
        println!("{}", entered(&name));
        let result = catch_unwind(AssertUnwindSafe(|| test(&sandbox)));
        match &result {
            Ok(Ok(())) => sandbox.step("passed"),
            Ok(Err(error)) => sandbox.hold(&format!("failed: {error:#}")),
            Err(_) => sandbox.hold("panicked"),
        }
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn open() -> Result<Sandbox> {
        let address = output(Command::new("ip").args(["-o", "addr", "show", "dev", "br0"]))?;
        ensure!(
            address.stdout.contains(Self::ADDRESS),
            "CFG_SANDBOX is set, but this is no sandbox: it is set by tests/hosts/sandbox.sh alone"
        );
        let files = PathBuf::from(from_sandbox("CFG_REPOSITORY")?).join("debian");
        let repository = FileServer::start(
            &format!("{}:8000", Self::ADDRESS),
            &[("/debian", &files), ("/mesos", &files)],
        )?;
        Ok(Sandbox {
            dir: PathBuf::from(from_sandbox("CFG_SANDBOX")?),
            started: Instant::now(),
            repository,
        })
    }

    /// A host with an empty disk over [`Image::DebianWithJava`], plugged in but not booted.
    pub fn host(&self, name: &str, address: &str) -> Result<Host> {
        self.host_from(Image::DebianWithJava, name, address)
    }

    /// A host with an empty disk over that image, plugged in but not booted.
    pub fn host_from(&self, image: Image, name: &str, address: &str) -> Result<Host> {
        Host::new(&self.dir, image, name, address)
    }

    /// A folder for the test's own files, which goes with the sandbox, and stays when the test fails.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The server of [`Sandbox::REPOSITORY`], which knows what was asked of it.
    pub fn repository(&self) -> &FileServer {
        &self.repository
    }

    /// The key that signs the repository, for a role's `signed_by`.
    pub fn repository_key(&self) -> Result<PathBuf> {
        Ok(PathBuf::from(from_sandbox("CFG_REPOSITORY")?).join("debian/key.asc"))
    }

    /// That key's fingerprint, in forty capital digits, by which the shipped roles name a key.
    pub fn repository_fingerprint(&self) -> Result<String> {
        let path = PathBuf::from(from_sandbox("CFG_REPOSITORY")?).join("debian/key.fingerprint");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.trim().to_owned())
    }

    /// Notes in the test's log what was reached, and after how long.
    pub fn step(&self, what: &str) {
        println!("{:8.2} s  {what}", self.started.elapsed().as_secs_f64());
    }

    fn hold(&self, why: &str) {
        self.step(why);
        println!("disks and consoles of its hosts: {}", self.dir.display());
        if env::var_os("CFG_TEST_HOLD").is_some() {
            println!("held until interrupted; to enter a host: tests/hosts/enter NAME");
            loop {
                thread::park();
            }
        }
    }
}

/// The test's name, from that of the closure in it: `file::module::test::{{closure}}`.
fn test_name(closure: &str) -> Result<String> {
    let path = closure.split("::{{closure}}").next().unwrap_or_default();
    match path.split_once("::") {
        Some((_, name)) if closure.ends_with("::{{closure}}") => Ok(name.to_owned()),
        _ => bail!("Sandbox::run wants a closure written in the test function, not {closure}"),
    }
}

/// The line by which a test inside tells that it did run.
fn entered(name: &str) -> String {
    format!("sandbox of {name}")
}

/// Of the two cores that all tests share: a part, or all, until the file is dropped. Whoever wants all waits at the door, so that
/// nobody else gets in before.
fn take_cores(cache: &Path, lock: fn(&File) -> std::io::Result<()>) -> Result<File> {
    std::fs::create_dir_all(cache).with_context(|| cache.display().to_string())?;
    let open = |name: &str| {
        let path = cache.join(name);
        File::create(&path).with_context(|| path.display().to_string())
    };
    let (door, cores) = (open("door.lock")?, open("cores.lock")?);
    door.lock().context("door.lock")?;
    lock(&cores).context("cores.lock")?;
    Ok(cores)
}

fn run_in_sandbox(name: &str, lock: fn(&File) -> std::io::Result<()>) -> Result<()> {
    let root = std::fs::metadata("/proc/self").context("/proc")?.uid() == 0;
    ensure!(
        root,
        "{name} boots hosts, which needs root: run the tests as root, or with sudo"
    );
    let cache = env::var_os("CFG_TEST_CACHE").unwrap_or_else(|| "/var/cache/cfg-tests".into());
    let _cores = take_cores(Path::new(&cache), lock)?;
    let hold = env::var_os("CFG_TEST_HOLD").is_some();
    let seconds = env::var("CFG_TEST_TIMEOUT")
        .ok()
        .map(|text| text.parse())
        .transpose()
        .context("CFG_TEST_TIMEOUT")?;
    let deadline = Duration::from_secs(seconds.unwrap_or(600));

    let (reader, writer) = std::io::pipe().context("pipe")?;
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .arg(script("sandbox.sh"))
        .arg(name.replace("::", "-"));
    command.arg(env::current_exe().context("this program's path")?);
    command.args([
        "--exact",
        name,
        "--include-ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command.env("RUST_LIB_BACKTRACE", "0"); // an error there says what matters
    command
        .stdin(std::process::Stdio::null())
        .stdout(writer.try_clone().context("pipe")?)
        .stderr(writer);
    let mut child = command.spawn().context("cannot start setpriv")?;
    drop(command); // it holds the pipe's other end
    let log = thread::spawn(move || read_log(reader, hold));

    let started = Instant::now();
    let ended = loop {
        if let Some(status) = child.try_wait().context("wait for the sandbox")? {
            break Some(status);
        }
        if !hold && started.elapsed() > deadline {
            child.kill().context("kill the sandbox")?;
            child.wait().context("wait for the sandbox")?;
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let log = log.join().unwrap_or_else(|_| Ok(String::new()))?;
    if !hold {
        print!("{log}");
    }
    let Some(status) = ended else {
        bail!("{name} was not done after {deadline:?}; its sandbox was killed")
    };
    ensure!(
        status.success(),
        "{name} failed in its sandbox (exit code {}); its own words stand above",
        code(status)
    );
    ensure!(
        log.contains(&entered(name)),
        "{name} never ran in its sandbox: no test has that name"
    );
    Ok(())
}

/// All that the sandbox says, shown as it comes if somebody watches.
fn read_log(mut reader: PipeReader, live: bool) -> Result<String> {
    let mut log = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = reader.read(&mut buffer).context("read the sandbox's log")?;
        if n == 0 {
            return Ok(String::from_utf8_lossy(&log).into_owned());
        }
        log.extend_from_slice(&buffer[..n]);
        if live {
            std::io::stderr()
                .write_all(&buffer[..n])
                .context("stderr")?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_all_cores_waits_and_is_not_overtaken() {
        let cache = tempfile::tempdir().unwrap();
        let cache = cache.path();
        let takes = |lock| take_cores(cache, lock).unwrap();
        let (says, hears) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let parts = [takes(File::lock_shared), takes(File::lock_shared)];
            let all = says.clone();
            scope.spawn(move || {
                let cores = takes(File::lock);
                all.send("all").unwrap();
                drop(cores);
            });
            let door = File::open(cache.join("door.lock")).unwrap();
            while door.try_lock().is_ok() {
                door.unlock().unwrap();
                thread::yield_now();
            }
            scope.spawn(move || {
                let cores = takes(File::lock_shared);
                says.send("a part").unwrap();
                drop(cores);
            });
            assert!(hears.recv_timeout(Duration::from_millis(100)).is_err());
            drop(parts);
        });
        assert_eq!(hears.iter().collect::<Vec<_>>(), ["all", "a part"]);
    }

    #[test]
    fn a_closure_tells_its_test() {
        assert_eq!(
            test_name("hosts_boot::boots::{{closure}}").unwrap(),
            "boots"
        );
        assert_eq!(
            test_name("story::first::boots::{{closure}}::{{closure}}").unwrap(),
            "first::boots"
        );
        assert!(test_name("hosts_boot::body").is_err());
    }
}
