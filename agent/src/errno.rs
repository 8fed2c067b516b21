//! The kernel's answers in words, with what a person can do about each.

use rustix::io::Errno;
use std::io;

/// What it says, and what to do.
pub fn words(errno: Errno) -> String {
    let remedy = match errno {
        Errno::NOSPC => "; free space (or inodes) on that file system and run again",
        Errno::DQUOT => "; the quota is used up",
        Errno::ROFS => "; the file system is mounted read-only",
        Errno::PERM => "; it may be immutable (see lsattr) or append-only, or this needs root",
        Errno::ACCESS => "; this needs root",
        Errno::NOSYS => "; Linux 5.6 or newer is needed",
        Errno::STALE => "; somebody else changed it at the same moment, run again",
        Errno::BUSY => "; it is a mount of its own",
        Errno::MFILE | Errno::NFILE => "; too many files are open",
        Errno::IO => "; the disk may be failing, see the kernel's log",
        _ => "",
    };
    // The number that the standard library adds says nothing to a person who has the words.
    let words = io::Error::from(errno).to_string();
    let words = words.split(" (os error").next().unwrap_or(&words);
    format!("{words}{remedy}")
}

/// The same failure, in these words; it stays as it is where it is not the kernel's.
pub fn explained(error: io::Error) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(errno) => io::Error::new(error.kind(), words(errno)),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_comes_with_what_to_do() {
        let full = explained(Errno::NOSPC.into());
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        let told =
            "No space left on device; free space (or inodes) on that file system and run again";
        assert_eq!(full.to_string(), told);
        assert_eq!(explained(io::Error::other("x")).to_string(), "x");
    }
}
