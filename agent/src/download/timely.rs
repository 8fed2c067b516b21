//! A connection that ends when its time is over, however slowly somebody answers.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(15);

/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(60);

/// A connection, and until when it may be used.
pub struct Timely {
    stream: TcpStream,
    until: Instant,
}

impl Timely {
    /// Connects.
    ///
    /// # Errors
    /// Where nobody answers in time.
    pub fn connect(address: &SocketAddr, until: Instant) -> Result<Self> {
        let stream = TcpStream::connect_timeout(address, left(until, CONNECT)?)?;
        Ok(Self { stream, until })
    }
}

/// What is left of the time, and not more than this.
fn left(until: Instant, most: Duration) -> Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(Error::new(ErrorKind::TimedOut, "its time is over")),
        false => Ok(left.min(most)),
    }
}

impl Read for Timely {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = left(self.until, SILENCE)?;
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

impl Write for Timely {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        let left = left(self.until, SILENCE)?;
        self.stream.set_write_timeout(Some(left))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.flush()
    }
}
