//! How a fleet begins: once, whole, and never over one that is there.

use crate::clock;
use crate::config::Config;
use crate::log::Log;
use crate::pki::ca::{self, Ca};
use crate::refusal::Refusal;
use crate::state::State;
use crate::state::event::{Event, Purpose};
use crate::state::name;
use crate::state::token::{Secret, Wanted};
use crate::store::Store;
use anyhow::{Context, bail};

/// How long an operator's token lasts: enough to walk to the desk.
pub const TOKEN_LIFE_S: u64 = 3600;

/// What a new fleet's operator needs.
pub struct Founded {
    /// The CA, to be pinned.
    pub ca: Ca,
    /// The first operator's token.
    pub token: Secret,
}

/// Founds a fleet. An attempt that was cut short is taken up where it stopped.
///
/// # Errors
/// Where there is a fleet already, or CA or log cannot be written.
pub async fn found(config: &Config, fleet: &str) -> anyhow::Result<Founded> {
    let fleet = name::fleet(fleet)?;
    let store = Store::open(&config.store).await.context("the store")?;
    let log = Log::open(store.clone()).await.context("the log")?;
    if let Some(known) = &log.state().fleet {
        let place = store.name();
        bail!(
            "the fleet {} is in {place} already, and is left as it is",
            known.name
        );
    }
    if Ca::is_founded(&config.data) {
        bail!(
            "there is no fleet in {}, and {} is the CA of one: restore the store, or correct [store] in server.toml; \
             for a new fleet, move {} away",
            store.name(),
            Ca::folder(&config.data).display(),
            Ca::folder(&config.data).display()
        );
    }
    let ca = match Ca::exists(&config.data) {
        true => Ca::load(&config.data),
        false => Ca::create(&config.data, &fleet, ca::LIFE),
    };
    let ca = ca.context("the CA")?;
    let token = Secret::new()?;
    log.commit("cfg-server init", begin(fleet, &ca, &token))
        .await?;
    Ca::founded(&config.data).context("the CA")?;
    Ok(Founded { ca, token })
}

/// The fleet and the first operator's token in one entry: never one without the other.
fn begin(
    fleet: String,
    ca: &Ca,
    secret: &Secret,
) -> impl FnMut(&State) -> Result<(Vec<Event>, ()), Refusal> + Send + 'static {
    let (ca, hash) = (ca.digest(), secret.hash());
    move |state: &State| {
        if state.fleet.is_some() {
            return Err(Refusal::Invalid("another init was faster".into()));
        }
        let mut events = vec![Event::Initialised {
            fleet: fleet.clone(),
            ca,
        }];
        events.extend(state.create_token(hash, &operator_token(), clock::now())?);
        Ok((events, ()))
    }
}

/// The token that lets one operator in.
pub fn operator_token() -> Wanted {
    Wanted {
        purpose: Purpose::Operator,
        uses: 1,
        ttl_s: TOKEN_LIFE_S,
    }
}
