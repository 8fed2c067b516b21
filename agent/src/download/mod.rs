//! Downloads over HTTP and HTTPS: bounded in size, time and redirects. What is fetched is believed by its digest alone, which
//! the caller checks.
//!
//! HTTP/1.1 is spoken by hand, a request a connection: nothing else in this program speaks it, and it must stay small.

mod answer;
mod connect;
mod timely;
mod url;

use answer::Answer;
use std::io::{BufReader, Read as _, Write};
use std::time::{Duration, Instant};
use url::Url;

/// Redirects that are followed.
const MOST_REDIRECTS: usize = 8;

/// How long a whole download may take, over all redirects.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// Why something could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// It is no address of anything.
    #[error("{url} is no URL: {why}")]
    Url {
        /// As it was given, or as a server gave it.
        url: String,
        /// Why.
        why: &'static str,
    },
    /// The server, or the proxy, could not be reached, or TLS did not come about.
    #[error("{peer} cannot be reached: {why}")]
    Away {
        /// Who was called.
        peer: String,
        /// The whole reason.
        why: String,
    },
    /// It broke off.
    #[error("{url} broke off: {why}")]
    Broken {
        /// What was fetched.
        url: String,
        /// Why.
        why: String,
    },
    /// The server said something else than that here it is.
    #[error("{url} said \"{status}\"")]
    Refused {
        /// What was asked for.
        url: String,
        /// The server's line.
        status: String,
    },
    /// One redirect after the other.
    #[error("{0}: more than {MOST_REDIRECTS} redirects")]
    Redirects(String),
    /// A redirect away from TLS.
    #[error("{from} leads to {to}, which is not HTTPS")]
    Downgraded {
        /// Who said so.
        from: String,
        /// Where it leads.
        to: String,
    },
    /// More than may be.
    #[error("{url} has more than {most} bytes")]
    TooBig {
        /// What was fetched.
        url: String,
        /// The bound.
        most: u64,
    },
    /// It took too long.
    #[error("{0} was not done after an hour")]
    Slow(String),
    /// What came could not be put away.
    #[error("writing what was downloaded: {0}")]
    Write(std::io::Error),
}

/// Fetches what is at a URL, at most so many bytes of it.
///
/// # Errors
/// Where it cannot be had whole.
pub fn fetch(url: &str, most: u64, out: &mut dyn Write) -> Result<(), DownloadError> {
    fetch_until(Instant::now() + PATIENCE, url, most, out)
}

fn fetch_until(
    deadline: Instant,
    url: &str,
    most: u64,
    out: &mut dyn Write,
) -> Result<(), DownloadError> {
    let fetched = follow(deadline, url, most, out);
    // Whatever it was about then, it is for want of time that it failed.
    fetched.map_err(|error| match Instant::now() < deadline {
        true => error,
        false => DownloadError::Slow(url.to_owned()),
    })
}

fn follow(
    deadline: Instant,
    url: &str,
    most: u64,
    out: &mut dyn Write,
) -> Result<(), DownloadError> {
    let mut url: Url = url.parse()?;
    for _hop in 0..=MOST_REDIRECTS {
        let mut answer = ask(&url, deadline)?;
        let Some(to) = answer.redirect() else {
            return pour(&url, &mut answer, most, out);
        };
        let next = url.join(to)?;
        if url.https && !next.https {
            return Err(DownloadError::Downgraded {
                from: url.to_string(),
                to: next.to_string(),
            });
        }
        url = next;
    }
    Err(DownloadError::Redirects(url.to_string()))
}

fn ask(url: &Url, deadline: Instant) -> Result<Answer, DownloadError> {
    let connection = connect::to(url, deadline)?;
    let mut stream = connection.stream;
    let broken = |error: std::io::Error| DownloadError::Broken {
        url: url.to_string(),
        why: error.to_string(),
    };
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: cfg\r\nAccept: */*\r\n\
         Accept-Encoding: identity\r\nConnection: close\r\n\r\n",
        target = match connection.absolute {
            true => url.to_string(),
            false => url.path.clone(),
        },
        host = url.authority(),
    );
    stream.write_all(request.as_bytes()).map_err(broken)?;
    stream.flush().map_err(broken)?;
    Answer::read(BufReader::new(stream)).map_err(broken)
}

fn pour(
    url: &Url,
    answer: &mut Answer,
    most: u64,
    out: &mut dyn Write,
) -> Result<(), DownloadError> {
    if !answer.is_here() {
        return Err(DownloadError::Refused {
            url: url.to_string(),
            status: answer.status().to_owned(),
        });
    }
    let too_big = || DownloadError::TooBig {
        url: url.to_string(),
        most,
    };
    let mut left = most;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match answer.body().read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(DownloadError::Broken {
                    url: url.to_string(),
                    why: error.to_string(),
                });
            }
        };
        left = left.checked_sub(count as u64).ok_or_else(too_big)?;
        out.write_all(&buffer[..count])
            .map_err(DownloadError::Write)?;
    }
}

#[cfg(test)]
mod tests;
