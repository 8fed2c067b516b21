//! One command, measured: its time, and the most memory that it had at once.
//!
//! The kernel tells the peak of all children of a process together, so each command is the only child of a process of
//! its own.

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run of a command took.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// From before it was started until it had ended.
    pub time: Duration,
    /// Processor time of all its threads and children, in user and in kernel mode.
    pub busy: Duration,
    /// Resident, in KiB.
    pub peak_kib: u64,
}

/// A command with its arguments, and which exit codes are good.
#[derive(Clone, Debug)]
pub struct Words {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Beside 0.
    pub good: Vec<i32>,
}

impl Words {
    /// A command that ends with 0.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            good: Vec::new(),
        }
    }
}

/// Runs it once.
pub fn measured(words: &Words) -> Result<Sample> {
    let output = Command::new(std::env::current_exe()?)
        .arg("measure")
        .args(&words.argv)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{:?} was not measured", words.argv);
    let told = String::from_utf8(output.stdout)?;
    let mut numbers = told.split_ascii_whitespace().map(str::parse::<u64>);
    let mut next = || numbers.next().context("four numbers")?.context("a number");
    let (nanos, micros, peak_kib, code) = (next()?, next()?, next()?, next()?);
    let good = code == 0 || words.good.contains(&i32::try_from(code)?);
    ensure!(good, "{:?} ended with {code}", words.argv);
    Ok(Sample {
        time: Duration::from_nanos(nanos),
        busy: Duration::from_micros(micros),
        peak_kib,
    })
}

/// The process in between.
pub fn inside(mut words: impl Iterator<Item = String>) -> Result<()> {
    let program = words.next().context("a program")?;
    let since = Instant::now();
    let status = Command::new(&program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| program.clone())?;
    let took = since.elapsed().as_nanos();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let (user, system) = (usage.user_time(), usage.system_time());
    let busy = (user + system).num_microseconds();
    let code = status.code().context("it was killed")?;
    println!("{took} {busy} {} {code}", usage.max_rss());
    Ok(())
}

/// The middle one of these times.
pub fn median(samples: &[Sample], time: fn(&Sample) -> Duration) -> Option<Duration> {
    let mut times: Vec<Duration> = samples.iter().map(time).collect();
    times.sort();
    times.get(times.len() / 2).copied()
}
