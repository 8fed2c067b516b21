//! TLS of the two ports, with a certificate that renews itself.

use crate::clock;
use crate::pki::PkiError;
use crate::pki::ca::Ca;
use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::{info, warn};

/// How long the server's own certificate lasts. Agents pin the CA, so they see none of its changes.
pub const LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Which of the two ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Mutual TLS: nobody gets as far as a byte of HTTP without a certificate of the fleet's CA.
    Members,
    /// Enrolment and the agent's download: the caller has no certificate yet.
    Guests,
}

/// What both ports need to speak TLS now.
pub struct Tls {
    ca: Arc<Ca>,
    life: Duration,
    names: Mutex<BTreeSet<String>>,
    current: ArcSwap<Current>,
}

struct Current {
    made: u64,
    members: Arc<ServerConfig>,
    guests: Arc<ServerConfig>,
}

impl Tls {
    /// With a first certificate for these names.
    ///
    /// # Errors
    /// Where a name is none, or TLS cannot be set up.
    pub fn new(ca: Arc<Ca>, names: Vec<String>, life: Duration) -> Result<Self, PkiError> {
        let names = names.into_iter().collect();
        let current = ArcSwap::from_pointee(Current::make(&ca, &names, life)?);
        Ok(Self {
            ca,
            life,
            names: Mutex::new(names),
            current,
        })
    }

    /// The configuration for the next connection.
    pub fn config(&self, door: Door) -> Arc<ServerConfig> {
        let current = self.current.load();
        match door {
            Door::Members => current.members.clone(),
            Door::Guests => current.guests.clone(),
        }
    }

    /// A connection came in at this address of ours: from now on the certificate names it too, so that
    /// agents may be told any address that this machine has.
    pub fn reached_at(&self, address: IpAddr) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.insert(address.to_canonical().to_string()) {
            self.replace(&names);
        }
    }

    /// Renews whenever two thirds of the certificate's life are over, or the clock was set back to before it.
    pub async fn keep_fresh(&self) {
        let hour = Duration::from_secs(3600);
        loop {
            tokio::time::sleep((self.life / 12).min(hour)).await;
            if is_due(self.current.load().made, self.life, clock::now()) {
                let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
                self.replace(&names);
            }
        }
    }

    fn replace(&self, names: &BTreeSet<String>) {
        match Current::make(&self.ca, names, self.life) {
            Ok(current) => {
                self.current.store(Arc::new(current));
                info!("the server's certificate is new; it names {names:?}");
            }
            // The old one still serves; it is tried again.
            Err(error) => warn!("the server's certificate was not renewed: {error}"),
        }
    }
}

fn is_due(made: u64, life: Duration, now: u64) -> bool {
    // One that a clock in the future has made is not valid yet for anybody else.
    now < made || (now - made) * 3 >= life.as_secs() * 2
}

impl Current {
    fn make(ca: &Ca, names: &BTreeSet<String>, life: Duration) -> Result<Self, PkiError> {
        let names: Vec<String> = names.iter().cloned().collect();
        let own = ca.own(&names, life)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(ca.certificate().clone())?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?;
        let begin = || {
            ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13])
        };
        let mut members = begin()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(own.chain.clone(), own.key.clone_key())?;
        members.alpn_protocols = vec![b"h2".to_vec()];
        let mut guests = begin()?
            .with_no_client_auth()
            .with_single_cert(own.chain, own.key)?;
        guests.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        for config in [&mut members, &mut guests] {
            // A resumed session would skip the look at the peer's certificate, and costs memory.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self {
            made: clock::now(),
            members: Arc::new(members),
            guests: Arc::new(guests),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn renews_itself() {
        let data = tempfile::tempdir().unwrap();
        let ca = Arc::new(Ca::create(data.path(), "f", LIFE).unwrap());
        let tls = Tls::new(ca, vec!["localhost".into()], Duration::from_secs(3)).unwrap();
        let before = tls.config(Door::Members);
        let renewal = tokio::time::timeout(Duration::from_millis(3500), tls.keep_fresh());
        assert!(renewal.await.is_err(), "it never ends");
        assert!(!Arc::ptr_eq(&before, &tls.config(Door::Members)));
    }

    #[test]
    fn due() {
        let life = Duration::from_secs(300);
        for (now, due) in [(999, true), (1000, false), (1199, false), (1200, true)] {
            assert_eq!(is_due(1000, life, now), due, "{now}");
        }
    }

    #[test]
    fn learns_its_addresses_once() {
        let data = tempfile::tempdir().unwrap();
        let ca = Arc::new(Ca::create(data.path(), "f", LIFE).unwrap());
        let tls = Tls::new(ca, vec!["localhost".into()], LIFE).unwrap();
        let before = tls.config(Door::Guests);
        tls.reached_at([10, 0, 0, 1].into());
        let after = tls.config(Door::Guests);
        assert!(!Arc::ptr_eq(&before, &after));
        tls.reached_at("::ffff:10.0.0.1".parse().unwrap());
        assert!(Arc::ptr_eq(&after, &tls.config(Door::Guests)));
    }
}
