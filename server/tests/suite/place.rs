//! Where a server of a test keeps what it has: on every kind of store alike.

use crate::azurite::{ACCOUNT, Azurite, KEY, NEVER, PERMISSIONS, container_sas};
use cfg_server::config::{Config, StoreConfig};
use std::path::Path;
use tempfile::TempDir;

/// Which kind of store.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Directory,
    Azurite,
    AzuriteBySas,
}

/// One store, empty at first, and a data folder for one server.
pub struct Place {
    folder: TempDir,
    store: StoreConfig,
}

impl Place {
    pub fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = match kind {
            Kind::Directory => StoreConfig {
                url: format!("file://{}", folder.path().join("store").display()),
                ..StoreConfig::default()
            },
            Kind::Azurite => azure(&Azurite::get().new_container(), folder.path()),
            Kind::AzuriteBySas => azure_by_sas(&Azurite::get().new_container(), folder.path()),
        };
        Self { folder, store }
    }

    /// The configuration of a server here, on free ports.
    pub fn config(&self) -> Config {
        let any = "127.0.0.1:0".parse().expect("an address");
        Config {
            data: self.folder.path().join("data"),
            listen: any,
            enrol_listen: any,
            agent_binary: Some(self.folder.path().join("cfg")),
            store: self.store.clone(),
            // All machines of a test call from one address.
            addresses: vec!["10.0.0.0/8".parse().expect("a network")],
            ..Config::default()
        }
    }

    pub fn store(&self) -> &StoreConfig {
        &self.store
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A container of the Azurite of this process.
pub fn azure(container: &str, folder: &Path) -> StoreConfig {
    let key_file = folder.join("azure.key");
    std::fs::write(&key_file, format!("{KEY}\n")).expect("a file");
    StoreConfig {
        url: format!("azure://{container}"),
        account: Some(ACCOUNT.to_owned()),
        key_file: Some(key_file),
        sas_file: None,
        endpoint: Some(Azurite::get().endpoint()),
    }
}

/// The same, opened by a shared access signature with just what the README asks for.
fn azure_by_sas(container: &str, folder: &Path) -> StoreConfig {
    let sas_file = folder.join("azure.sas");
    let sas = container_sas(container, PERMISSIONS, NEVER);
    std::fs::write(&sas_file, format!("{sas}\n")).expect("a file");
    StoreConfig {
        key_file: None,
        sas_file: Some(sas_file),
        ..azure(container, folder)
    }
}

/// Runs one test on every kind of store.
#[macro_export]
macro_rules! on_every_store {
    ($(async fn $name:ident($place:ident) $body:block)*) => {
        $(mod $name {
            use super::*;

            async fn test($place: $crate::place::Place) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn directory() {
                test($crate::place::Place::new($crate::place::Kind::Directory)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn azurite() {
                test($crate::place::Place::new($crate::place::Kind::Azurite)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn azurite_by_sas() {
                test($crate::place::Place::new($crate::place::Kind::AzuriteBySas)).await;
            }
        })*
    };
}
