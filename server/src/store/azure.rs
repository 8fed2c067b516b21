//! A container of Azure Blob Storage. Credentials come from the environment, as object_store reads them:
//! an account key (or from `key_file`), a SAS (or from `sas_file`), a service principal, a workload identity; without
//! any of these, the machine's managed identity.

use super::{Store, StoreError};
use crate::config::StoreConfig;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::path::Path;
use object_store::{ClientOptions, RetryConfig};
use std::sync::Arc;
use std::time::Duration;

/// A caller waits for the store while it is tried again; longer than this it had rather hear of it.
const RETRY: Duration = Duration::from_secs(20);

pub(super) fn open(config: &StoreConfig, place: &str) -> Result<Store, StoreError> {
    let bad = |why: String| StoreError::Url {
        url: config.url.clone(),
        why,
    };
    let (container, prefix) = place.split_once('/').unwrap_or((place, ""));
    if container.is_empty() {
        return Err(bad("it names no container".into()));
    }
    if config.key_file.is_some() && config.sas_file.is_some() {
        return Err(bad("key_file and sas_file: one of them".into()));
    }
    let client = ClientOptions::new()
        .with_timeout(Duration::from_secs(60))
        .with_connect_timeout(Duration::from_secs(5));
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(container)
        .with_client_options(client)
        .with_retry(RetryConfig {
            max_retries: 5,
            retry_timeout: RETRY,
            ..RetryConfig::default()
        });
    if let Some(account) = &config.account {
        builder = builder.with_account(account);
    }
    builder = opened_by(builder, config)?;
    if let Some(endpoint) = &config.endpoint {
        let endpoint = endpoint.trim_end_matches('/');
        builder = builder
            .with_allow_http(endpoint.starts_with("http://"))
            .with_endpoint(endpoint.to_owned());
    }
    let objects = builder.build().map_err(|error| bad(error.to_string()))?;
    let prefix = Path::parse(prefix.trim_matches('/')).map_err(|error| bad(error.to_string()))?;
    Ok(Store {
        objects: Arc::new(objects),
        name: config.url.as_str().into(),
        prefix,
    })
}

/// With what opens it: as server.toml says, else as the environment has it.
fn opened_by(
    mut builder: MicrosoftAzureBuilder,
    config: &StoreConfig,
) -> Result<MicrosoftAzureBuilder, StoreError> {
    for (file, key, kind) in [
        (&config.key_file, AzureConfigKey::AccessKey, "access_key"),
        (&config.sas_file, AzureConfigKey::SasKey, "sas_token"),
    ] {
        let Some(file) = file else { continue };
        let secret = std::fs::read_to_string(file).map_err(|source| StoreError::Here {
            path: file.display().to_string(),
            source,
        })?;
        builder = builder
            .with_config(key, secret.trim())
            .with_config(AzureConfigKey::CredentialType, kind);
    }
    // On Kubernetes it ends with a slash, which would be there twice before the tenant.
    let authority = AzureConfigKey::AuthorityHost;
    if let Some(host) = builder.get_config_value(&authority) {
        builder = builder.with_config(authority, host.trim_end_matches('/'));
    }
    Ok(builder)
}
