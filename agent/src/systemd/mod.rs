//! Units: what systemd says of them in one round, and what is done to them.
//!
//! States come over D-Bus, all units at once, or from one `systemctl show` where there is no bus. Changes are few and go
//! through systemctl, which waits for its job, knows SysV scripts, and says why a job failed. Where no systemd runs (a
//! chroot, `--root`) a unit's boot links are all there is.

mod bus;
mod cgroup;
mod control;
pub mod foreseen;
mod judge;
mod last_words;
mod offline;
mod owner;
mod properties;
mod sysv;

pub use offline::also;
pub use properties::Properties;
use properties::complete;

use anyhow::Context as _;
use cfg_catalog::resource::service::{Enabled, ServiceState, is_template};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use offline::links;

/// The units of one root.
#[derive(Debug)]
pub struct Systemd {
    root: PathBuf,
    reach: Reach,
}

#[derive(Debug)]
enum Reach {
    /// systemd runs and answers on the bus.
    Bus(bus::Bus),
    /// systemd runs; only systemctl reaches it.
    Control,
    /// No systemd runs for this root.
    Offline,
}

impl Systemd {
    /// Whatever reaches the systemd of this root.
    pub fn reach(root: &Path) -> Self {
        let runs = root == Path::new("/") && Path::new("/run/systemd/system").is_dir();
        let reach = if !runs {
            Reach::Offline
        } else {
            match bus::Bus::connect() {
                Ok(bus) => Reach::Bus(bus),
                Err(error) => {
                    tracing::debug!("no D-Bus, systemctl it is: {error:#}");
                    Reach::Control
                }
            }
        };
        Self {
            root: root.to_owned(),
            reach,
        }
    }

    /// Whether a systemd runs that can be asked and told.
    pub fn is_running(&self) -> bool {
        !matches!(self.reach, Reach::Offline)
    }

    /// The states of these units, all in one round; `unit_file` of each is left to the caller.
    ///
    /// # Errors
    /// Where systemd does not answer.
    pub fn states(&self, units: &[&str]) -> anyhow::Result<BTreeMap<String, ServiceState>> {
        // systemd speaks of instances alone: a template is its file.
        let (templates, units): (Vec<&str>, Vec<&str>) = match self.reach {
            Reach::Offline => (units.to_vec(), Vec::new()),
            _ => units.iter().partition(|unit| is_template(unit)),
        };
        let mut files = BTreeMap::new();
        if !templates.is_empty() {
            files = offline::states(&self.root, &templates);
            self.add_owners(&mut files, |unit| offline::source(&self.root, unit))?;
        }
        if units.is_empty() {
            return Ok(files);
        }
        let mut properties = match &self.reach {
            Reach::Bus(bus) => bus.properties(&units)?,
            Reach::Control => control::properties(&units)?,
            Reach::Offline => return Ok(files),
        };
        complete(&mut properties);
        let mut states: BTreeMap<_, _> = properties
            .iter()
            .map(|(unit, properties)| {
                let rc = sysv::starts_at_boot(&self.root, unit);
                (unit.clone(), judge::state(properties, rc))
            })
            .collect();
        self.add_owners(&mut states, |unit| properties.get(unit)?.source())?;
        states.extend(files);
        Ok(states)
    }

    /// The links below `/etc/systemd/system` that `enable` makes for this unit, by path from there, with their targets; none
    /// where drop-ins have a say in what those are.
    pub fn links(&self, unit: &str) -> Option<BTreeMap<String, String>> {
        offline::links(&self.root, unit)
    }

    /// Whether a masked unit starts at boot once it is not; unknown where the mask hides none.
    pub fn enabled_beneath(&self, unit: &str) -> Enabled {
        offline::enabled(&self.root, unit)
    }

    /// Units that this one starts when something happens; none where systemd does not say.
    pub fn triggers(&self, unit: &str) -> anyhow::Result<Vec<String>> {
        if !self.is_running() {
            return Ok(Vec::new());
        }
        let told = control::show("Triggers", &[unit])?;
        let told = told
            .get(unit)
            .and_then(|line| line.strip_prefix("Triggers="));
        let units = told.unwrap_or_default().split_ascii_whitespace();
        Ok(units.map(str::to_owned).collect())
    }

    /// Why a unit's last start ended as it did: systemd's word and, where `journal` is to be read, the last lines of it.
    pub fn last_words(&self, unit: &str, journal: bool) -> Option<String> {
        if !self.is_running() {
            return None;
        }
        last_words::of(unit, journal)
    }

    fn add_owners(
        &self,
        states: &mut BTreeMap<String, ServiceState>,
        source: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<()> {
        let sources: BTreeMap<_, _> = states
            .keys()
            .filter_map(|unit| Some((unit.clone(), source(unit)?)))
            .collect();
        let wanted: BTreeSet<&str> = sources.values().map(String::as_str).collect();
        let owners = owner::owners(&self.root, &wanted)?;
        for (unit, state) in states {
            state.package = sources.get(unit).and_then(|path| owners.get(path)).cloned();
        }
        Ok(())
    }

    /// The names under which these units go, those of aliases too, without `.service`.
    ///
    /// # Errors
    /// Where systemd does not answer.
    pub fn names(&self, units: &[&str]) -> anyhow::Result<BTreeSet<String>> {
        let mut names: BTreeSet<String> = units.iter().map(|unit| short(unit)).collect();
        let units = units.iter().copied();
        let units: Vec<&str> = units.filter(|unit| !is_template(unit)).collect();
        if units.is_empty() {
            return Ok(names);
        }
        let properties = match &self.reach {
            Reach::Bus(bus) => bus.properties(&units)?,
            Reach::Control => control::properties(&units)?,
            Reach::Offline => return Ok(names),
        };
        for properties in properties.values() {
            names.extend(properties.names.iter().map(|name| short(name)));
        }
        Ok(names)
    }

    /// Units that run now, without `.service`.
    ///
    /// # Errors
    /// Where systemd does not answer.
    pub fn active(&self) -> anyhow::Result<BTreeSet<String>> {
        if !self.is_running() {
            return Ok(BTreeSet::new());
        }
        Ok(control::active()?.iter().map(|unit| short(unit)).collect())
    }

    /// Reads all unit files again.
    ///
    /// # Errors
    /// systemctl's own words.
    pub fn daemon_reload(&self) -> anyhow::Result<()> {
        match self.reach {
            Reach::Offline => Ok(()),
            _ => control::run(&["daemon-reload"]),
        }
    }

    /// Starts, stops, restarts or reloads a unit and waits until that is done.
    ///
    /// # Errors
    /// systemctl's own words; where no systemd runs.
    pub fn job(&self, job: Job, unit: &str) -> anyhow::Result<()> {
        match self.reach {
            Reach::Offline => anyhow::bail!("no systemd runs here that could {} it", job.word()),
            _ => control::run(&[job.word(), "--", unit]),
        }
    }

    /// Forgets that a unit failed too often to be started again.
    pub fn forget_failures(&self, unit: &str) {
        if self.is_running()
            && let Err(error) = control::run(&["reset-failed", "--", unit])
        {
            // A unit that never failed cannot be forgiven either; the start will tell.
            tracing::debug!("{error:#}");
        }
    }

    /// Enables, disables, masks or unmasks a unit.
    ///
    /// # Errors
    /// systemctl's own words, or why the links cannot be made.
    pub fn boot(&self, boot: Boot, unit: &str) -> anyhow::Result<()> {
        match self.reach {
            Reach::Offline => offline::boot(&self.root, boot, unit)
                .with_context(|| format!("cannot {} {unit}", boot.word())),
            _ => {
                let unit = &self.main_name(boot, unit)?;
                match boot {
                    Boot::Unmask => control::run(&["unmask", "--runtime", "--", unit])?,
                    Boot::Disable => control::run(&["disable", "--runtime", "--", unit])?,
                    Boot::Enable | Boot::EnableAnew | Boot::Mask => {}
                }
                control::run(&[boot.word(), "--", unit])
            }
        }
    }

    /// systemd enables no unit by another of its names; a mask is of one name.
    fn main_name(&self, boot: Boot, unit: &str) -> anyhow::Result<String> {
        if matches!(boot, Boot::Mask | Boot::Unmask) || is_template(unit) {
            return Ok(unit.to_owned());
        }
        let told = control::show("Id", &[unit])?;
        let id = told.get(unit).and_then(|line| line.strip_prefix("Id="));
        Ok(id.unwrap_or(unit).to_owned())
    }
}

/// A job for systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Start.
    Start,
    /// Stop.
    Stop,
    /// Stop, then start.
    Restart,
    /// Read the configuration again.
    Reload,
}

impl Job {
    fn word(self) -> &'static str {
        match self {
            Job::Start => "start",
            Job::Stop => "stop",
            Job::Restart => "restart",
            Job::Reload => "reload",
        }
    }
}

/// What happens to a unit at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// It starts.
    Enable,
    /// It starts as its file says now: links of an earlier [Install] go.
    EnableAnew,
    /// It does not.
    Disable,
    /// Nobody can start it.
    Mask,
    /// It can be started again.
    Unmask,
}

impl Boot {
    fn word(self) -> &'static str {
        match self {
            Boot::Enable => "enable",
            Boot::EnableAnew => "reenable",
            Boot::Disable => "disable",
            Boot::Mask => "mask",
            Boot::Unmask => "unmask",
        }
    }
}

fn short(unit: &str) -> String {
    unit.strip_suffix(".service").unwrap_or(unit).to_owned()
}
