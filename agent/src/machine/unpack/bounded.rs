//! What comes out of an archive has an end, whatever it says of itself.

use std::cell::Cell;
use std::io::Read;

/// Ends with an error where more comes than may.
pub(super) struct Bounded<'b, R> {
    pub(super) packed: R,
    /// Bytes that may still come of the whole archive.
    pub(super) left: &'b Cell<u64>,
    /// What may still come of a head, while one is read: it is kept in memory.
    pub(super) head: &'b Cell<Option<u64>>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.packed.read(buffer)?;
        let too_much =
            || std::io::Error::other("it unpacks to more than an archive of its size may");
        let left = self.left.get().checked_sub(count as u64);
        self.left.set(left.ok_or_else(too_much)?);
        if let Some(left) = self.head.get() {
            let too_much = || std::io::Error::other("what it says of one thing is too long");
            let left = left.checked_sub(count as u64).ok_or_else(too_much)?;
            self.head.set(Some(left));
        }
        Ok(count)
    }
}
