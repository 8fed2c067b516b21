//! The two ports: accepts connections, speaks TLS and HTTP on them, hands requests on.

mod front;
mod guests;
pub mod tls;

use crate::pki::peer::Peer;
use crate::server::Server;
use guests::{Guests, Ticket};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tls::{Door, Tls};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

/// A handshake takes two round trips; whoever takes longer than this has other plans.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// No guest stays longer: enough for the agent's download on a slow line.
const VISIT: Duration = Duration::from_secs(15 * 60);
/// A peer that went away without a word is found by a ping that it does not answer.
const PING: Duration = Duration::from_secs(30);
/// How long the accept loop rests after an error such as "too many open files".
const REST: Duration = Duration::from_millis(200);

/// Who calls, as the services see it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Where from.
    pub address: SocketAddr,
    /// Who; none at the guests' door.
    pub peer: Option<Arc<Peer>>,
}

/// One port.
pub struct Port {
    /// The socket.
    pub listener: TcpListener,
    /// Which of the two.
    pub door: Door,
    /// TLS for it.
    pub tls: Arc<Tls>,
    /// What is behind it.
    pub server: Arc<Server>,
}

impl Port {
    /// Serves for ever. Dropping the future ends all its connections.
    pub async fn serve(self) {
        let port = Arc::new(self);
        let guests = Guests::default();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = port.listener.accept() => match accepted {
                    Ok((stream, address)) => match guests.admit(address.ip()) {
                        Some(ticket) => {
                            connections.spawn(port.clone().welcome(stream, address, ticket));
                        }
                        None => debug!("turned {address} away: too many at the door"),
                    },
                    Err(error) => {
                        warn!("no connection can be accepted: {error}");
                        tokio::time::sleep(REST).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn welcome(self: Arc<Self>, stream: TcpStream, address: SocketAddr, ticket: Ticket) {
        let Some(stream) = self.handshake(stream, address).await else {
            return;
        };
        match self.door {
            Door::Members => {
                // A member is no stranger any more.
                drop(ticket);
                let certificates = stream.get_ref().1.peer_certificates();
                let certificate = certificates.and_then(|chain| chain.first());
                match certificate.map(|der| Peer::of(der)) {
                    Some(Ok(peer)) => self.members(stream, address, peer).await,
                    _ => warn!("refused {address}: its certificate names nobody of this fleet"),
                }
            }
            Door::Guests => {
                let visit = tokio::time::timeout(VISIT, self.guests(stream, address));
                if visit.await.is_err() {
                    warn!("refused {address}: it stayed longer than {VISIT:?}");
                }
                drop(ticket);
            }
        }
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> Option<TlsStream<TcpStream>> {
        // Without this a small answer waits for the peer's delayed acknowledgement.
        let ready = stream.set_nodelay(true);
        if let Ok(own) = ready.and_then(|()| stream.local_addr()) {
            self.tls.reached_at(own.ip());
        }
        let acceptor = TlsAcceptor::from(self.tls.config(self.door));
        match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                match reason(&error) {
                    Some(words) => warn!("refused {address}: {words} ({error})"),
                    None => debug!("{address} went away in the handshake: {error}"),
                }
                None
            }
            Err(_) => {
                warn!("refused {address}: no TLS handshake within {HANDSHAKE:?}");
                None
            }
        }
    }

    async fn members(&self, stream: TlsStream<TcpStream>, address: SocketAddr, peer: Peer) {
        let who = peer.identity.who.to_string();
        let held = match self.server.connections.add(&who) {
            Ok(held) => held,
            Err(refusal) => return warn!("refused {who} at {address}: {refusal}"),
        };
        let caller = Caller {
            address,
            peer: Some(Arc::new(peer)),
        };
        let mut http = auto::Builder::new(TokioExecutor::new()).http2_only();
        limits(&mut http);
        let service = TowerToHyperService::new(front::Members::new(&self.server, caller));
        let served = http.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = served.await {
            debug!("{address}: {error}");
        }
        drop(held);
    }

    async fn guests(&self, stream: TlsStream<TcpStream>, address: SocketAddr) {
        let caller = Caller {
            address,
            peer: None,
        };
        let mut http = auto::Builder::new(TokioExecutor::new());
        limits(&mut http);
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HANDSHAKE);
        let service = TowerToHyperService::new(front::Guests::new(&self.server, caller));
        let served = http.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = served.await {
            debug!("{address}: {error}");
        }
    }
}

/// What one connection may cost.
fn limits(http: &mut auto::Builder<TokioExecutor>) {
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(32)
        .max_header_list_size(16 * 1024)
        .max_send_buf_size(128 * 1024);
}

/// What an operator should know of a failed handshake; none for a peer that merely went away.
fn reason(error: &std::io::Error) -> Option<&'static str> {
    let tls = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    match tls {
        rustls::Error::NoCertificatesPresented => Some("it has no certificate"),
        rustls::Error::InvalidCertificate(rustls::CertificateError::ExpiredContext { .. })
        | rustls::Error::InvalidCertificate(rustls::CertificateError::Expired) => {
            Some("its certificate has expired")
        }
        rustls::Error::InvalidCertificate(_) => Some("its certificate is not of this fleet's CA"),
        // An agent that pins another CA hangs up on us.
        rustls::Error::AlertReceived(_) => Some("it does not accept this server's certificate"),
        _ => Some("it does not speak TLS 1.3 as agents do"),
    }
}
