//! A regular file's bytes, in as few calls as can be.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};

/// Reads a file of about this size to its end, up to `most` bytes and one more, which shows that it has too many.
///
/// # Errors
/// Of the file system.
pub fn read(file: &mut File, size: u64, most: u64) -> io::Result<Vec<u8>> {
    // The byte more shows in one call that this was all.
    let expected = usize::try_from(size.min(most)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; expected.saturating_add(1)];
    let mut seen = 0;
    while seen < bytes.len() {
        match file.read(&mut bytes[seen..]) {
            Ok(0) => break,
            Ok(count) => seen += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if seen == expected {
            // A read that gives less than it could has come to the end.
            break;
        }
    }
    bytes.truncate(seen);
    if seen > expected {
        // It has grown.
        let rest = most.saturating_add(1).saturating_sub(seen as u64);
        file.take(rest).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there_whatever_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for there in [0, 1, 10, 1000] {
            std::fs::write(&path, vec![b'x'; there]).unwrap();
            for expected in [0, 1, 9, 10, 11, 1000, 5000] {
                for most in [10, 5000] {
                    let mut file = File::open(&path).unwrap();
                    let read = read(&mut file, expected, most).unwrap();
                    let wanted = there.min(usize::try_from(most).unwrap() + 1);
                    // At exactly what was expected it stops, as at the end.
                    let short = usize::try_from(expected.min(most)).unwrap();
                    let fits = read.len() == wanted || (read.len() == short && there == short);
                    assert!(fits, "{there} {expected} {most}: {}", read.len());
                }
            }
        }
    }
}
