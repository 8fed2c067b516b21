//! What a server answers: a bounded head, and a body that is read as it comes.

use super::connect::Stream;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result};

/// More than any head has.
const MOST_HEAD: u64 = 64 * 1024;

/// More than anybody says before an answer.
const MOST_INTERIM: usize = 16;

/// An answer whose head has been read.
pub struct Answer {
    status: String,
    code: u16,
    location: Option<String>,
    body: Body<BufReader<Stream>>,
}

impl Answer {
    /// Reads the head.
    pub fn read(mut stream: BufReader<Stream>) -> Result<Self> {
        let head = Head::last(&mut stream)?;
        let body = Body {
            stream,
            rest: match (head.chunked, head.length) {
                (true, _) => Rest::Chunks,
                (false, Some(length)) => Rest::Bytes(length),
                (false, None) => Rest::UntilClosed,
            },
        };
        Ok(Self {
            status: head.status,
            code: head.code,
            location: head.location,
            body,
        })
    }

    /// The server's first line.
    pub fn status(&self) -> &str {
        &self.status
    }

    /// Whether what was asked for comes.
    pub fn is_here(&self) -> bool {
        self.code == 200
    }

    /// Where it is instead.
    pub fn redirect(&self) -> Option<&str> {
        let redirects = matches!(self.code, 301 | 302 | 303 | 307 | 308);
        self.location.as_deref().filter(|_| redirects)
    }

    /// What comes.
    pub fn body(&mut self) -> &mut impl Read {
        &mut self.body
    }
}

#[derive(Debug, Default)]
struct Head {
    status: String,
    code: u16,
    location: Option<String>,
    length: Option<u64>,
    chunked: bool,
}

fn bad(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, why.into())
}

impl Head {
    /// The head of the answer itself: others, which say only that it is on its way, may come before it.
    fn last(stream: &mut impl BufRead) -> Result<Self> {
        for _interim in 0..MOST_INTERIM {
            let head = Self::read(stream)?;
            if !(100..200).contains(&head.code) {
                return Ok(head);
            }
        }
        Err(bad("its answer does not come"))
    }

    fn read(stream: &mut impl BufRead) -> Result<Self> {
        let mut lines = stream.take(MOST_HEAD);
        let status = line(&mut lines)?;
        let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        if !status.starts_with("HTTP/1.") {
            return Err(bad("its answer is not HTTP/1"));
        }
        let mut head = Self {
            code: code.ok_or_else(|| bad("its answer has no code"))?,
            status,
            ..Self::default()
        };
        loop {
            let line = line(&mut lines)?;
            if line.is_empty() {
                return Ok(head);
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(bad("a line of its answer is none"));
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "location" => head.location = Some(value.to_owned()),
                "content-length" => {
                    let length = number(value, 10).ok_or_else(|| bad("its length is no number"))?;
                    if head
                        .length
                        .replace(length)
                        .is_some_and(|said| said != length)
                    {
                        return Err(bad("it says two lengths"));
                    }
                }
                "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => {
                    head.chunked = true;
                }
                "transfer-encoding" => return Err(bad("its encoding is not known")),
                _ => {}
            }
        }
    }
}

/// A number of digits alone.
fn number(digits: &str, radix: u32) -> Option<u64> {
    let plain = digits.chars().all(|c| c.is_digit(radix));
    u64::from_str_radix(digits, radix).ok().filter(|_| plain)
}

/// A line without its end; the end of the head's bound is none.
fn line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(bad("its answer breaks off, or is too long"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| bad("its answer is no text"))
}

/// A body, without what HTTP puts around it.
struct Body<S> {
    stream: S,
    rest: Rest,
}

enum Rest {
    /// So many bytes.
    Bytes(u64),
    /// A chunk's head comes next.
    Chunks,
    /// So many bytes of a chunk, and its end.
    Chunk(u64),
    /// Whatever comes.
    UntilClosed,
    /// Nothing.
    Done,
}

impl<S: BufRead> Body<S> {
    /// The size of the next chunk; 0 is the last.
    fn chunk(&mut self) -> Result<u64> {
        let size = line(&mut (&mut self.stream).take(MOST_HEAD))?;
        let size = size.split(';').next().unwrap_or_default().trim();
        number(size, 16).ok_or_else(|| bad("a chunk's size is no number"))
    }
}

impl<S: BufRead> Read for Body<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if let Rest::Chunks = self.rest {
            self.rest = match self.chunk()? {
                0 => Rest::Done,
                size => Rest::Chunk(size),
            };
        }
        let left = match &self.rest {
            Rest::Bytes(0) | Rest::Done => return Ok(0),
            Rest::Bytes(left) | Rest::Chunk(left) => *left,
            Rest::UntilClosed | Rest::Chunks => u64::MAX,
        };
        let most = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = match self.stream.read(&mut buffer[..most]) {
            // Some do not say goodbye over TLS; the digest tells whether all has come.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
            count => count?,
        };
        let left = left.saturating_sub(count as u64);
        match &mut self.rest {
            Rest::UntilClosed => {}
            _ if count == 0 && most > 0 => {
                let missing = format!("{left} bytes that it announced did not come");
                return Err(bad(missing));
            }
            Rest::Bytes(rest) => *rest = left,
            Rest::Chunk(rest) if left > 0 => *rest = left,
            _ => {
                if !line(&mut (&mut self.stream).take(2))?.is_empty() {
                    return Err(bad("a chunk has no end"));
                }
                self.rest = Rest::Chunks;
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(rest: Rest, text: &str) -> Result<String> {
        let mut body = Body {
            stream: text.as_bytes(),
            rest,
        };
        let mut read = String::new();
        body.read_to_string(&mut read)?;
        Ok(read)
    }

    #[test]
    fn bodies() {
        assert_eq!(body(Rest::Bytes(3), "abcdef").unwrap(), "abc");
        assert_eq!(body(Rest::UntilClosed, "abcdef").unwrap(), "abcdef");
        let chunks = "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n";
        for end in ["\r\n", "Expires: never\r\nX: y\r\n\r\n"] {
            let read = body(Rest::Chunks, &format!("{chunks}{end}"));
            assert_eq!(read.unwrap(), "abc0123456789");
        }
        let short = body(Rest::Bytes(9), "abc").unwrap_err().to_string();
        assert_eq!(short, "6 bytes that it announced did not come");
        for (rest, broken) in [
            (Rest::Bytes(9), "abc"),
            (Rest::Chunks, "3\r\nab"),
            (Rest::Chunks, "3\r\nabcd\r\n"),
            (Rest::Chunks, "3\r\nabc\r\n"),
            (Rest::Chunks, "x\r\nabc\r\n0\r\n\r\n"),
            (Rest::Chunks, "+3\r\nabc\r\n0\r\n\r\n"),
            (Rest::Chunks, ""),
        ] {
            assert!(body(rest, broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn heads() {
        let read = |text: &str| Head::read(&mut text.as_bytes());
        let head =
            read("HTTP/1.1 302 Found\r\nLOCATION:  /x \r\ncontent-length: 7\n\r\nbody").unwrap();
        assert_eq!((head.code, head.length), (302, Some(7)));
        assert_eq!(head.location.as_deref(), Some("/x"));
        assert!(
            read("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .unwrap()
                .chunked
        );
        let twice = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 7\r\n\r\n";
        assert_eq!(read(twice).unwrap().length, Some(7));
        let endless = format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(20_000));
        for broken in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 what\r\n\r\n",
            "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +7\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            &endless,
        ] {
            assert!(read(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_comes_before_an_answer_is_none() {
        let read = |text: &str| Head::last(&mut text.as_bytes());
        let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        let head = read(&format!(
            "{early}HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
        ));
        let head = head.unwrap();
        assert_eq!((head.code, head.length), (200, Some(7)));
        for none in [early.to_owned(), early.repeat(MOST_INTERIM)] {
            assert!(read(&none).is_err());
        }
    }
}
