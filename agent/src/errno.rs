//! The kernel's answers in words, with what a person can do about each.

use rustix::io::Errno;
use std::io;

/// What it says, and what is behind it.
pub fn words(errno: Errno) -> String {
    told(errno, "it, or its folder,")
}

/// The same of a folder in which no name could be made.
pub fn words_of_folder(errno: Errno) -> String {
    told(errno, "that folder")
}

fn told(errno: Errno, what: &str) -> String {
    let root = rustix::process::geteuid().is_root();
    let fixed = format!("; {what} is immutable or append-only (see lsattr -d)");
    let remedy = match errno {
        Errno::NOSPC => "; free space (or inodes) on that file system and run again",
        Errno::DQUOT => "; the quota is used up",
        Errno::ROFS => "; the file system is mounted read-only",
        Errno::PERM if root => &fixed,
        Errno::PERM => "; this needs root, unless it is immutable or append-only (see lsattr -d)",
        Errno::ACCESS if root => "; something keeps even root from it",
        Errno::ACCESS => "; this needs root",
        Errno::OPNOTSUPP => "; its file system has no such thing",
        Errno::NAMETOOLONG => "; a name may have 255 bytes",
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
