//! A user's authorized_keys, in a folder that is his: none of his links is followed, and what is given to
//! him was made here.

use super::{MOST_KEYS, keys_path};
use crate::machine::attributes::Numbers;
use crate::machine::error::{EnactError, WalkError};
use crate::machine::hands::Hands;
use crate::machine::read::ReadError;
use crate::machine::temporary::Over;
use crate::machine::walk::What;
use cfg_catalog::path::AbsPath;
use cfg_catalog::resource::account::{KEYS_MODE, Present};
use cfg_catalog::resource::file::{Content, File};
use cfg_catalog::resource::{Attributes, Presence};
use std::ffi::OsStr;

/// Of a home that is made for somebody who is there already, as useradd has it on Debian.
const HOME: u32 = 0o700;

impl Hands<'_> {
    /// Makes a user's home where it is not there. What the one before has stays where it is.
    pub(crate) fn home(&self, user: &Present) -> Result<(), EnactError> {
        let unfit = |error| EnactError::Unfit(format!("a home {:?}: {error}", user.home));
        let home: AbsPath = user.home.parse().map_err(unfit)?;
        if self.machine().root().folder(&home)?.missing.is_empty() {
            return Ok(());
        }
        let spot = self.spot(&home)?;
        let his = Numbers {
            uid: Some(user.uid),
            gid: Some(user.gid),
            mode: HOME,
        };
        self.new_directory(&spot.folder, &spot.name, &his, Over::Rename)
    }

    /// Writes exactly these keys.
    pub(crate) fn keys(&self, user: &Present, keys: &[String]) -> Result<(), EnactError> {
        let text: String = keys.iter().map(|key| format!("{key}\n")).collect();
        self.key_file(user, text.into_bytes())
    }

    /// Writes the same file again as the user's own: what stands there may be another file's name, which is left as it is.
    pub(crate) fn same_keys(&self, user: &Present) -> Result<(), EnactError> {
        let unfit = |error: ReadError| EnactError::Unfit(error.to_string());
        let text = match keys_path(&user.home) {
            Some(path) => self
                .machine()
                .root()
                .read(&path, MOST_KEYS)
                .map_err(unfit)?,
            None => None,
        };
        self.key_file(user, text.unwrap_or_default())
    }

    fn key_file(&self, user: &Present, text: Vec<u8>) -> Result<(), EnactError> {
        let path = keys_path(&user.home)
            .ok_or_else(|| EnactError::Unfit(format!("a home {:?} cannot hold keys", user.home)))?;
        let Some(folder) = path.parent() else {
            return Err(EnactError::Unfit(format!("{path} is no place for keys")));
        };
        let Some(home) = folder.parent() else {
            return Err(EnactError::Unfit(format!("{folder} is no place for keys")));
        };
        let reached = self.machine().root().folder(&home)?;
        if !reached.missing.is_empty() {
            return Err(EnactError::Unfit(format!(
                "the home {home} is not there, and so it cannot hold keys"
            )));
        }
        let home = reached.folder;
        let name = OsStr::new(folder.name());
        match home.entry(name)?.map(|entry| entry.what) {
            None => {
                self.swept().sweep(&home);
                let his = Numbers {
                    uid: Some(user.uid),
                    gid: Some(user.gid),
                    mode: 0o700,
                };
                self.new_directory(&home, name, &his, Over::Rename)?;
            }
            Some(What::Directory) => {}
            Some(What::Link) => {
                return Err(EnactError::Walk(WalkError::Planted {
                    link: folder.to_string(),
                    why: "it is in a home".into(),
                }));
            }
            Some(What::File | What::Special) => {
                return Err(EnactError::Walk(WalkError::NotAFolder {
                    path: folder.to_string(),
                    there: None,
                }));
            }
        }
        self.file(&File {
            path,
            state: Presence::Present,
            content: Some(Content::Text(text)),
            attributes: Attributes {
                mode: Some(KEYS_MODE),
                owner: Some(user.uid.to_string()),
                group: Some(user.gid.to_string()),
            },
            validate: None,
            sensitive: false,
            create_only: false,
        })
    }
}
