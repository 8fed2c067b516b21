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
    silence: Duration,
}

impl Timely {
    /// Connects.
    ///
    /// # Errors
    /// Where nobody answers in time.
    pub fn connect(address: &SocketAddr, until: Instant) -> Result<Self> {
        let stream = TcpStream::connect_timeout(address, left(until, CONNECT)?)?;
        Ok(Self {
            stream,
            until,
            silence: SILENCE,
        })
    }

    /// In words that say how long: the kernel says of such an end only that it may be tried again.
    fn told(&self, error: Error, nothing: &str) -> Error {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                let seconds = self.silence.as_secs();
                Error::new(
                    ErrorKind::TimedOut,
                    format!("{nothing} for {seconds} seconds"),
                )
            }
            _ => error,
        }
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
        let left = left(self.until, self.silence)?;
        self.stream.set_read_timeout(Some(left))?;
        let read = self.stream.read(buffer);
        read.map_err(|error| self.told(error, "nothing came"))
    }
}

impl Write for Timely {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        let left = left(self.until, self.silence)?;
        self.stream.set_write_timeout(Some(left))?;
        let written = self.stream.write(buffer);
        written.map_err(|error| self.told(error, "nothing was taken"))
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_with_its_time() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let mut timely = Timely::connect(&listener.local_addr().unwrap(), until).unwrap();
        timely.silence = Duration::from_secs(1);
        let why = timely.read(&mut [0]).unwrap_err();
        assert_eq!(why.to_string(), "nothing came for 1 seconds");
        let full = loop {
            if let Err(full) = timely.write(&[0; 1 << 20]) {
                break full;
            }
        };
        assert_eq!(full.to_string(), "nothing was taken for 1 seconds");
    }
}
