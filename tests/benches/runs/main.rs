//! How long runs take: cfg, by hand and by its daemon, beside the least that any program could do, and beside other tools
//! where they are installed.
//!
//! It changes the machine it runs on only below one folder, asks for packages that are installed already, and takes root.

mod daemon;
mod limit;
mod measure;
mod tools;
mod tree;

use anyhow::{Context as _, Result, bail};
use measure::{Sample, measured, median};
use std::path::PathBuf;
use tools::{Tool, tools};
use tree::Tree;

const HELP: &str = "\
cargo bench -p cfg-tests --bench runs -- [FILES...] [--rounds N] [--with TOOL]... [--cfg PATH] [--folder DIR]

FILES        how many files of 1 KiB, beside 100 packages (100 1000 10000)
--rounds N   how often each is measured; all take turns, medians are shown (15)
--with TOOL  of other tools this one, not all that are installed: cf-agent, puppet, salt-call, ansible-playbook; measured once
             or a few times, since they are slow
--cfg PATH   the program to measure (target/release/cfg, which tests/build makes)
--folder DIR what all is done below, and removed at the end (/var/tmp/cfg-bench)
";

struct Call {
    files: Vec<usize>,
    rounds: usize,
    with: Vec<String>,
    cfg: PathBuf,
    folder: PathBuf,
}

impl Call {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut call = Self {
            files: Vec::new(),
            rounds: 15,
            with: Vec::new(),
            cfg: cfg_tests::agent_binary()?,
            folder: "/var/tmp/cfg-bench".into(),
        };
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} wants a value"))
            };
            match word.as_str() {
                // cargo says so to every benchmark.
                "--bench" => {}
                "--help" => {
                    print!("{HELP}");
                    std::process::exit(0);
                }
                "--rounds" => call.rounds = value()?.parse()?,
                "--with" => call.with.push(value()?),
                "--cfg" => call.cfg = value()?.into(),
                "--folder" => call.folder = value()?.into(),
                number => call.files.push(number.parse().context(HELP)?),
            }
        }
        if call.files.is_empty() {
            call.files = vec![100, 1_000, 10_000];
        }
        if call.with.is_empty() {
            call.with = tools::installed();
        }
        Ok(call)
    }
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some("measure") => return measure::inside(words),
        Some("limit") => return limit::observe(words),
        Some("write") => return limit::write(words),
        _ => {}
    }
    let call = Call::read(std::env::args().skip(1))?;
    if !nix::unistd::geteuid().is_root() {
        bail!("measuring runs on the real root takes root");
    }
    for files in &call.files {
        table(&call, *files)?;
    }
    std::fs::remove_dir_all(&call.folder)?;
    Ok(())
}

/// All figures for this many files.
fn table(call: &Call, files: usize) -> Result<()> {
    let tree = Tree::make(&call.folder, files)?;
    let tools = tools(call, &tree)?;
    println!("\n{files} files of 1 KiB, {} packages", tree.packages.len());
    println!(
        "| what | who | time | times the limit | processor time | times the limit | peak memory |"
    );
    println!("|---|---|---|---|---|---|---|");
    no_op(call, &tree, &tools)?;
    repair(call, &tree, &tools)?;
    first(call, &tree, &tools)?;
    let limit = tools.first().context("the limit")?;
    daemon::periodic(call, &tree, limit)
}

/// Who is measured how often, one after the other by turns.
fn by_turns(
    call: &Call,
    tools: &[&Tool],
    mut measure: impl FnMut(&Tool) -> Result<Sample>,
) -> Result<Vec<Vec<Sample>>> {
    let mut samples: Vec<Vec<Sample>> = tools.iter().map(|_| Vec::new()).collect();
    for round in 0..call.rounds {
        for (tool, samples) in tools.iter().zip(&mut samples) {
            if round < tool.rounds {
                samples.push(measure(tool)?);
            }
        }
    }
    Ok(samples)
}

/// One line a tool; the first is the limit.
fn show(what: &str, tools: &[&Tool], samples: &[Vec<Sample>]) {
    let both = |samples: &[Sample]| {
        let time = median(samples, |sample| sample.time)?;
        Some((
            time.as_secs_f64(),
            median(samples, |sample| sample.busy)?.as_secs_f64(),
        ))
    };
    let Some(limit) = samples.first().and_then(|samples| both(samples)) else {
        return;
    };
    for (tool, samples) in tools.iter().zip(samples) {
        let Some((time, busy)) = both(samples) else {
            continue;
        };
        let peak = samples.iter().map(|sample| sample.peak_kib).max();
        println!(
            "| {what} | {} | {:.2} ms | {:.2} | {:.2} ms | {:.2} | {:.1} MiB |",
            tool.name,
            time * 1e3,
            time / limit.0,
            busy * 1e3,
            busy / limit.1,
            peak.unwrap_or_default() as f64 / 1024.0,
        );
    }
}

/// Nothing differs.
fn no_op(call: &Call, tree: &Tree, tools: &[Tool]) -> Result<()> {
    tree.write_all()?;
    let mut all = Vec::new();
    for tool in tools.iter().filter(|tool| tool.observes()) {
        // Caches are warm, and what a first run keeps is kept.
        measured(&tool.observe)?;
        all.push(tool);
    }
    let samples = by_turns(call, &all, |tool| measured(&tool.observe))?;
    show("nothing differs", &all, &samples);
    Ok(())
}

/// One file differs.
fn repair(call: &Call, tree: &Tree, tools: &[Tool]) -> Result<()> {
    tree.write_all()?;
    let all: Vec<&Tool> = tools
        .iter()
        .filter(|tool| tool.is_limit() || tool.enact.is_some())
        .collect();
    let samples = by_turns(call, &all, |tool| {
        tree.spoil_one()?;
        let sample = measured(tool.enact.as_ref().unwrap_or(&tool.observe))?;
        if tool.enact.is_some() {
            tree.check().with_context(|| tool.name.clone())?;
        }
        Ok(sample)
    })?;
    show("one file differs", &all, &samples);
    Ok(())
}

/// None of the files is there.
fn first(call: &Call, tree: &Tree, tools: &[Tool]) -> Result<()> {
    let all: Vec<&Tool> = tools.iter().filter(|tool| tool.writes()).collect();
    let samples = by_turns(call, &all, |tool| {
        tree.empty()?;
        let command = tool.first.as_ref().or(tool.enact.as_ref());
        let sample = measured(command.context("it writes")?)?;
        tree.check().with_context(|| tool.name.clone())?;
        Ok(sample)
    })?;
    show("no file is there", &all, &samples);
    Ok(())
}
