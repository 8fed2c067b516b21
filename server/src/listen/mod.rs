//! The two ports: accepts connections, speaks TLS and HTTP on them, hands requests on.

mod front;
mod guests;
pub mod tls;
mod visit;

use crate::pki::peer::Peer;
use crate::server::Server;
use crate::told::{Told, network};
use front::Front;
use guests::{Guests, Ticket};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tls::{Door, Tls};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};
use visit::Visit;

/// A handshake takes two round trips; whoever takes longer than this has other plans.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A peer that went away without a word is found by a ping that it does not answer.
const PING: Duration = Duration::from_secs(30);
/// Requests at a time on one connection: of an agent, which watches, fetches and reports, or of a desk.
const MEMBERS_AT_ONCE: u32 = 8;
/// Of a guest, who enrols or downloads.
const GUESTS_AT_ONCE: u32 = 1;
/// What is read ahead of a guest, and what is written ahead for it, in bytes.
const GUESTS_BUFFER: u32 = 64 * 1024;
/// How long the accept loop rests after an error such as "too many open files".
const REST: Duration = Duration::from_millis(200);

/// Who calls, as the services see it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Where from.
    pub address: SocketAddr,
    /// Who; none at the guests' door.
    pub peer: Option<Arc<Peer>>,
    /// Where the log is told of it.
    pub told: Told,
}

impl Caller {
    /// Warns of it in the log.
    pub fn warn(&self, what: fmt::Arguments<'_>) {
        self.told
            .warn(&self.counted_as(), format_args!("{self} {what}"));
    }

    /// Says in the log what it does.
    pub fn note(&self, what: fmt::Arguments<'_>) {
        self.told
            .info(&self.counted_as(), format_args!("{self} {what}"));
    }

    /// Says in the log that it was refused this.
    pub fn refused(&self, what: fmt::Arguments<'_>) {
        self.told
            .warn(&self.counted_as(), format_args!("refused {self}: {what}"));
    }

    fn counted_as(&self) -> String {
        match &self.peer {
            Some(peer) => peer.identity.who.to_string(),
            None => network(self.address.ip()).to_string(),
        }
    }
}

/// As it stands in the log: `node vm-1 at 10.0.0.1:40000`, or the address alone.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.peer {
            Some(peer) => write!(f, "{} at {}", peer.identity.who, self.address),
            None => write!(f, "{}", self.address),
        }
    }
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
        let mut caller = Caller {
            address,
            peer: None,
            told: self.server.told.clone(),
        };
        let Some(stream) = self.handshake(stream, &caller).await else {
            return;
        };
        match self.door {
            Door::Members => {
                // A member is no stranger any more.
                drop(ticket);
                let certificates = stream.get_ref().1.peer_certificates();
                let certificate = certificates.and_then(|chain| chain.first());
                match certificate.map(|der| Peer::of(der)) {
                    Some(Ok(peer)) => {
                        caller.peer = Some(Arc::new(peer));
                        self.members(stream, caller).await;
                    }
                    _ => caller.refused(format_args!("its certificate names nobody of this fleet")),
                }
            }
            Door::Guests => {
                self.guests(stream, caller).await;
                drop(ticket);
            }
        }
    }

    async fn handshake(&self, stream: TcpStream, caller: &Caller) -> Option<TlsStream<TcpStream>> {
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
                    Some(words) => caller.refused(format_args!("{words} ({error})")),
                    None => debug!("{caller} went away in the handshake: {error}"),
                }
                None
            }
            Err(_) => {
                caller.refused(format_args!("no TLS handshake within {HANDSHAKE:?}"));
                None
            }
        }
    }

    async fn members(&self, stream: TlsStream<TcpStream>, caller: Caller) {
        let held = match self.server.connections.add(&caller.counted_as()) {
            Ok(held) => held,
            Err(refusal) => return caller.refused(format_args!("{refusal}")),
        };
        let mut http = auto::Builder::new(TokioExecutor::new()).http2_only();
        limits(&mut http);
        http.http2()
            .max_concurrent_streams(MEMBERS_AT_ONCE)
            .max_send_buf_size(128 * 1024);
        let front = Front::of_members(&self.server, caller.clone());
        let service = TowerToHyperService::new(front);
        if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
            debug!("{caller}: {error}");
        }
        drop(held);
    }

    async fn guests(&self, stream: TlsStream<TcpStream>, caller: Caller) {
        let mut http = auto::Builder::new(TokioExecutor::new());
        limits(&mut http);
        // What a stranger can make the server hold is these, times the places at the door.
        http.http2()
            .max_concurrent_streams(GUESTS_AT_ONCE)
            .initial_connection_window_size(GUESTS_BUFFER)
            .initial_stream_window_size(GUESTS_BUFFER)
            .max_send_buf_size(GUESTS_BUFFER as usize);
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HANDSHAKE)
            .max_buf_size(GUESTS_BUFFER as usize);
        let visit = Visit::begin();
        let front = Front::of_guests(&self.server, caller.clone(), visit.clone());
        let service = TowerToHyperService::new(front);
        tokio::select! {
            served = http.serve_connection(TokioIo::new(stream), service) => {
                if let Err(error) = served {
                    debug!("{caller}: {error}");
                }
            }
            () = visit.over() => {
                caller.refused(format_args!("it held its place without asking anything"));
            }
        }
    }
}

/// What one connection may cost.
fn limits(http: &mut auto::Builder<TokioExecutor>) {
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_header_list_size(16 * 1024);
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
