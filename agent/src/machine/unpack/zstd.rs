//! What zstd packed: one frame after another.

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{BufRead, Error, Read};

/// All frames of it, one after another.
pub(super) struct Frames<R: BufRead> {
    at: At<R>,
}

enum At<R: BufRead> {
    /// Between two frames, or at the end.
    Between(R),
    Within(Box<StreamingDecoder<R, FrameDecoder>>),
    /// After an error: there is no way on.
    Lost,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(packed: R) -> Self {
        let at = At::Between(packed);
        Self { at }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let next = match std::mem::replace(&mut self.at, At::Lost) {
                At::Lost => return Err(Error::other("it is damaged")),
                At::Between(mut packed) => {
                    if packed.fill_buf()?.is_empty() {
                        self.at = At::Between(packed);
                        return Ok(0);
                    }
                    let within = StreamingDecoder::new(packed).map_err(Error::other)?;
                    At::Within(Box::new(within))
                }
                At::Within(mut frame) => match frame.read(buffer)? {
                    0 => At::Between(frame.into_inner()),
                    count => {
                        self.at = At::Within(frame);
                        return Ok(count);
                    }
                },
            };
            self.at = next;
        }
    }
}
