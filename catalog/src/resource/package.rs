//! A Debian package.

/// A package and what must be so of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// Its name, with `:arch` only where the role wrote one.
    pub name: String,
    /// Whether, and how, it must be there.
    pub state: PackagePresence,
    /// Which versions do.
    pub version: Wanted,
    /// Whether apt may move it otherwise; none leaves that alone.
    pub hold: Option<bool>,
    /// Answers for its configuration, set before it is installed: question to (type, value).
    pub debconf: Vec<(String, String, String)>,
}

/// Whether a package must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PackagePresence {
    /// Installed and configured.
    #[default]
    Present,
    /// Not installed; its configuration may stay.
    Absent,
    /// Not installed, its configuration gone.
    Purged,
}

/// Which versions of a package do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `*`: whichever is there; the newest when it is not.
    Any,
    /// `latest`: the newest that the index has.
    Latest,
    /// A glob over the full Debian version; an epoch not written is ignored. Without `*?[` it is exact.
    Glob(String),
}

/// What dpkg and apt say of a package.
#[derive(Clone, Debug, PartialEq)]
pub struct PackageState {
    /// What dpkg has.
    pub dpkg: DpkgState,
    /// On hold.
    pub held: bool,
    /// Marked as installed only for others.
    pub auto: bool,
    /// The versions the index offers, newest first; asked only where dpkg's does not do, else none.
    pub available: Option<Vec<String>>,
}

/// What dpkg has of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DpkgState {
    /// Not there, nothing left.
    Absent,
    /// Removed, its configuration left.
    ConfigFiles,
    /// `install ok installed`.
    Installed {
        /// Its version.
        version: String,
        /// When this version was unpacked, in µs since 1970.
        changed_us: u64,
    },
    /// Unpacked, half-configured, half-installed: to be repaired.
    Broken {
        /// Its version.
        version: String,
        /// dpkg's word.
        status: String,
    },
}
