//! Waiting for what comes true by itself, with a deadline, and with the last thing seen in the error.

use std::fmt::Debug;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

const PAUSE: Duration = Duration::from_millis(50);

/// Asks `probe` again and again until it succeeds; after `within`, its last error is the error.
pub fn eventually<T>(
    what: &str,
    within: Duration,
    mut probe: impl FnMut() -> Result<T>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(error) if started.elapsed() >= within => {
                return Err(error).with_context(|| format!("not within {within:?}: {what}"));
            }
            Err(_) => sleep(PAUSE),
        }
    }
}

/// Waits until `probe` gives `wanted`; after `within`, the error shows the last value, or the last error.
pub fn becomes<T, W>(
    what: &str,
    within: Duration,
    wanted: W,
    mut probe: impl FnMut() -> Result<T>,
) -> Result<()>
where
    T: PartialEq<W> + Debug,
    W: Debug,
{
    eventually(what, within, || {
        let value = probe()?;
        if value == wanted {
            Ok(())
        } else {
            Err(anyhow!("wanted {wanted:?}, got {value:?}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_is_in_the_error() {
        let mut n = 0;
        let error = becomes("a thousand", Duration::from_millis(120), 1000, || {
            n += 1;
            Ok(n)
        })
        .unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.starts_with("not within 120ms: a thousand: wanted 1000, got "),
            "{text}"
        );
    }

    #[test]
    fn an_error_is_tried_again() {
        let mut n = 0;
        let value = eventually("third time", Duration::from_secs(5), || {
            n += 1;
            if n == 3 {
                Ok("there")
            } else {
                Err(anyhow!("not yet"))
            }
        });
        assert_eq!(value.unwrap(), "there");
    }
}
