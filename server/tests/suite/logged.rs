//! What servers of this process logged: operators read it, so tests do.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Kept;

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Keeper;

impl MakeWriter<'_> for Keeper {
    type Writer = Kept;

    fn make_writer(&self) -> Kept {
        Kept
    }
}

/// Keeps what is logged from now on, in this process.
pub fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let format = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_target(false)
            .with_writer(Keeper);
        tracing::subscriber::set_global_default(format.finish()).expect("the first one");
    });
}

fn text() -> String {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&lines).into_owned()
}

/// How many lines have this in them.
pub fn count(words: &str) -> usize {
    text().lines().filter(|line| line.contains(words)).count()
}

/// Waits for a line with all these words.
pub async fn expect(words: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = text();
        let found = text
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word)));
        if found {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "no line with {words:?} in:\n{text}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
