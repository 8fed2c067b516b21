//! What a command prints: a file in memory, of which the end is kept, however much it is.

use anyhow::Context as _;
use rustix::fs::{
    FallocateFlags, MemfdFlags, OFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_setfl,
    memfd_create,
};
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::process::Stdio;

/// So much of it is kept: its end, where the reason stands.
const KEPT: u64 = 256 * 1024;

/// Where a command prints to. Of a pipe somebody would have to read all the while, and what the command leaves running would
/// keep it open, or die of its end. Of a file on disk all is written out before its beginning is given back.
#[derive(Debug)]
pub struct Printed(File);

impl Printed {
    /// Nothing yet.
    ///
    /// # Errors
    /// Where the kernel has no file in memory for it.
    pub fn new() -> anyhow::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Some kernels want to be told that it is no program, and old ones do not know the word.
        let file = memfd_create("printed", flags | MemfdFlags::NOEXEC_SEAL)
            .or_else(|_| memfd_create("printed", flags))
            .context("cannot make a file in memory")?;
        // Both outputs go to its end, and so does what is opened anew as /dev/stderr, which cuts it off.
        fcntl_setfl(&file, OFlags::APPEND).context("cannot make a file in memory")?;
        Ok(Self(file.into()))
    }

    /// For the command.
    ///
    /// # Errors
    /// Where it cannot be shared.
    pub fn share(&self) -> anyhow::Result<Stdio> {
        let file = self.0.try_clone().context("cannot share a file")?;
        Ok(file.into())
    }

    /// Gives all but the end back, where that is much; says whether it was.
    pub(super) fn trim(&self) -> bool {
        let Ok(about) = self.0.metadata() else {
            return false;
        };
        let over = about.len().saturating_sub(KEPT);
        let much = over > 0 && about.blocks() * 512 > 4 * KEPT;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        much && fallocate(&self.0, flags, 0, over).is_ok()
    }

    /// Its end, once the command has ended. What that left running can add nothing more.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn end(self) -> anyhow::Result<Vec<u8>> {
        fcntl_add_seals(&self.0, SealFlags::GROW).context("cannot close what it printed")?;
        self.trim();
        let read = || -> std::io::Result<Vec<u8>> {
            let length = self.0.metadata()?.len();
            let kept = length.min(KEPT);
            let mut end = vec![0; usize::try_from(kept).unwrap_or_default()];
            self.0.read_exact_at(&mut end, length - kept)?;
            Ok(end)
        };
        read().context("cannot read what it printed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Outcome, wait_for};
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;
    use std::time::Duration;

    fn run(script: &str, printed: &Printed) -> Outcome {
        let mut child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(printed.share().unwrap())
            .stderr(printed.share().unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        wait_for(&mut child, Duration::from_secs(60), printed).unwrap()
    }

    #[test]
    fn however_much_it_is_the_end_is_kept() {
        let printed = Printed::new().unwrap();
        let script =
            "head -c 2G /dev/zero; echo one; echo two >/dev/stderr; echo three >&2; exit 3";
        let most = std::thread::scope(|scope| {
            let ran = scope.spawn(|| run(script, &printed));
            let mut most = 0;
            while !ran.is_finished() {
                most = most.max(printed.0.metadata().unwrap().blocks() * 512);
                std::thread::sleep(Duration::from_micros(200));
            }
            assert_eq!(ran.join().unwrap(), Outcome::Exited(3));
            most
        });
        assert!(most < 512 << 20, "{most} bytes of 2 GiB were held");
        let end = printed.end().unwrap();
        // Who opens a file anew cuts it off.
        assert_eq!(String::from_utf8_lossy(&end), "two\nthree\n");

        let printed = Printed::new().unwrap();
        run("seq 200000; echo last", &printed);
        let end = String::from_utf8(printed.end().unwrap()).unwrap();
        assert_eq!(end.len(), 256 * 1024);
        assert!(end.ends_with("199999\n200000\nlast\n"));
    }

    #[test]
    fn what_it_left_running_adds_nothing_and_is_not_waited_for() {
        let printed = Printed::new().unwrap();
        let file = printed.0.try_clone().unwrap();
        run("yes & echo $! ; sleep 0.1", &printed);
        printed.end().unwrap();
        let ended = file.metadata().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let later = file.metadata().unwrap();
        assert_eq!(later.len(), ended.len());
        assert!(later.blocks() * 512 <= 4 * KEPT);
    }
}
