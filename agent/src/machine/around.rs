//! What a revert must know of a machine: whose home is where, whose group is which, and what stands in a folder.

use super::Machine;
use super::read::ReadError;
use super::temporary::names_that_stay;
use cfg_catalog::path::AbsPath;
use cfg_catalog::plan::leftovers::Around;
use std::collections::BTreeSet;

impl Machine {
    /// The same, with what stands in these folders: in one that cannot be listed nobody knows.
    ///
    /// # Errors
    /// Where passwd cannot be read.
    pub(crate) fn around(&self, folders: &[AbsPath]) -> Result<Around, ReadError> {
        let mut around = Around::default();
        for user in self.names().users()?.iter() {
            let of_group = around.primary.entry(user.gid).or_default();
            of_group.insert(user.name.clone());
            if let Ok(home) = user.home.parse() {
                around.homes.insert(home, user.name.clone());
            }
        }
        for folder in folders {
            if let Some(inside) = self.inside(folder) {
                around.inside.insert(folder.clone(), inside);
            }
        }
        Ok(around)
    }

    fn inside(&self, path: &AbsPath) -> Option<BTreeSet<AbsPath>> {
        let reached = self.root().folder(path).ok()?;
        if !reached.missing.is_empty() {
            return None;
        }
        let names = names_that_stay(&reached.folder).ok()?;
        let paths = names.iter().map(|name| path.join(name.to_str()?).ok());
        paths.collect()
    }
}
