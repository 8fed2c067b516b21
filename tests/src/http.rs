//! A plain server of files, for packages and programs that hosts fetch.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// Serves folders over HTTP until it is dropped.
#[derive(Debug)]
pub struct FileServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    folders: Vec<(String, PathBuf)>,
    requests: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl FileServer {
    /// Listens at `address` (port 0: any) and serves each folder below its prefix, as `("/debian", path)`.
    pub fn start(address: &str, folders: &[(&str, &Path)]) -> Result<FileServer> {
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen at {address}"))?;
        let address = listener.local_addr().context("local address")?;
        let folders = folders
            .iter()
            .map(|(prefix, path)| ((*prefix).to_owned(), path.to_path_buf()))
            .collect();
        let shared = Arc::new(Shared {
            folders,
            ..Shared::default()
        });
        let server = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if server.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let server = server.clone();
                // A client that breaks off is its own affair.
                thread::spawn(move || stream.and_then(|stream| server.answer(stream)));
            }
        });
        Ok(FileServer { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The paths that were asked for so far, in order.
    pub fn requests(&self) -> Vec<String> {
        self.shared
            .requests
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)); // wakes it
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut lines = BufReader::new(stream.try_clone()?.take(64 * 1024)).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        while lines
            .next()
            .transpose()?
            .is_some_and(|line| !line.is_empty())
        {}
        let mut words = request.split_whitespace();
        let (method, target) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        self.requests
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .push(target.to_owned());

        let path = decode(target.split('?').next().unwrap_or_default());
        match self.open(&path) {
            _ if method != "GET" && method != "HEAD" => end(&mut stream, "405 Method Not Allowed"),
            None => end(&mut stream, "404 Not Found"),
            Some((mut file, size)) => {
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
                )?;
                if method == "GET" {
                    std::io::copy(&mut file, &mut stream)?;
                }
                Ok(())
            }
        }
    }

    fn open(&self, path: &str) -> Option<(File, u64)> {
        let (prefix, folder) = self
            .folders
            .iter()
            .find(|(prefix, _)| path.starts_with(&format!("{prefix}/")))?;
        let below = &path[prefix.len() + 1..];
        if below.split('/').any(|part| part == "..") {
            return None;
        }
        let path = folder.join(below);
        let meta = fs::metadata(&path).ok().filter(|meta| meta.is_file())?;
        Some((File::open(path).ok()?, meta.len()))
    }
}

fn end(stream: &mut TcpStream, status: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

/// Undoes percent-encoding: apt asks for a version's `~` and `:` so.
fn decode(target: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = target.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = if *first == b'%' {
            tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok())
        } else {
            None
        };
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(server: &FileServer, target: &str) -> Result<String> {
        let mut stream = TcpStream::connect(server.address())?;
        write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn files_below_the_prefix_and_nothing_else() -> Result<()> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("pool"))?;
        fs::write(dir.path().join("pool/a:1.deb"), "content")?;
        let pool = dir.path().join("pool");
        let server = FileServer::start("127.0.0.1:0", &[("/debian", &pool)])?;
        assert!(get(&server, "/debian/a%3a1.deb")?.ends_with("\r\n\r\ncontent"));
        assert!(get(&server, "/debian/../pool/a:1.deb")?.starts_with("HTTP/1.1 404"));
        assert!(get(&server, "/debian/%2e%2e/pool/a:1.deb")?.starts_with("HTTP/1.1 404"));
        assert!(get(&server, "/other/a:1.deb")?.starts_with("HTTP/1.1 404"));
        assert_eq!(server.requests().len(), 4);
        Ok(())
    }
}
