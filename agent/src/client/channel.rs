//! A connection to the server that makes itself again when it breaks, and what its failures mean.

use crate::address::ServerUrl;
use crate::untimely;
use hyper_util::rt::TokioIo;
use rustls::CertificateError::{BadSignature, UnknownIssuer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A dead peer is noticed within these two together, also by a stream that waits for news.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The most bytes that one message of the server may hold.
pub const MESSAGE_LIMIT: usize = 32 << 20;

/// The most bytes that one message to the server may hold.
pub const SEND_LIMIT: usize = 32 << 20;

/// Said where a server's certificate is of another CA than the one that is gone by.
const OTHER_CA: &str = "its certificate authority is not the one of the enrolment; correct the server's address, or where \
                        the server was founded anew, enrol again with a new token";

/// What became of a call.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The server could not be reached, or had to break off, or is in trouble: the same call may go through later.
    #[error("the server at {url} {}: {why}", .lack.words())]
    Away {
        /// Who was called.
        url: String,
        /// The whole reason.
        why: String,
        /// How far the call came.
        lack: Lack,
    },
    /// The server knows this caller and refuses it, or does not know it.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// The server answered that this cannot be.
    #[error("the server says: {message}")]
    Said {
        /// gRPC's code.
        code: Code,
        /// Its words.
        message: String,
    },
}

/// How far a call came that may go through later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Nothing was heard of the server.
    Unreached,
    /// Who answered shows no certificate that counts here.
    Unbelieved,
    /// It is the server's own word, as where its store fails.
    Answered,
}

impl Lack {
    fn words(self) -> &'static str {
        match self {
            Lack::Unreached => "cannot be reached",
            Lack::Unbelieved => "is not believed",
            Lack::Answered => "answers that it cannot",
        }
    }

    fn of(status: &Status) -> Self {
        let own = matches!(status.code(), Code::Unavailable | Code::Internal);
        if causes(status).any(|cause| untimely::certificate(cause).is_some()) {
            Lack::Unbelieved
        // What happens on the way has a cause here.
        } else if own && causes(status).next().is_none() {
            Lack::Answered
        } else {
            Lack::Unreached
        }
    }
}

impl CallError {
    /// What a status of a call to this server means.
    pub fn of(url: &ServerUrl, status: &Status) -> Self {
        match status.code() {
            Code::Unavailable
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Unknown
            | Code::Internal
            | Code::Aborted => CallError::Away {
                url: url.to_string(),
                why: chain(status),
                lack: Lack::of(status),
            },
            Code::PermissionDenied | Code::Unauthenticated => {
                CallError::Refused(status.message().into())
            }
            code => CallError::Said {
                code,
                message: status.message().into(),
            },
        }
    }
}

/// A status' words and those of all that caused it, each once.
fn chain(status: &Status) -> String {
    let mut words = Vec::new();
    add(&mut words, status.message());
    for error in causes(status) {
        match untimely::told(error) {
            // What it is wrapped in says the same in rustls' words.
            Some(told) => words = vec![told],
            None => add(&mut words, &error.to_string()),
        }
        if let Some(UnknownIssuer | BadSignature) = untimely::certificate(error) {
            words.push(OTHER_CA.into());
        }
    }
    if words.is_empty() {
        words.push(format!("{:?}", status.code()));
    }
    words.join(": ")
}

/// All that caused a status, the last one first.
fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Error::source(status), |&cause| cause.source())
}

/// Adds what was not said yet, and nothing that says nothing.
fn add(words: &mut Vec<String>, word: &str) {
    let said = words.iter().any(|said| said.contains(word));
    if !said && !word.is_empty() && word != "transport error" {
        words.push(word.into());
    }
}

/// A call that is given up after a while.
///
/// # Errors
/// The call's own status, or DEADLINE_EXCEEDED.
pub async fn within<T>(
    patience: Duration,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    match tokio::time::timeout(patience, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Status::deadline_exceeded(format!(
            "no answer within {} s",
            patience.as_secs()
        ))),
    }
}

/// The address at which the server was last reached; shared by all who ask.
pub type Peer = Arc<Mutex<Option<SocketAddr>>>;

/// A channel to a server. Nothing is dialled before the first call.
pub fn open(url: &ServerUrl, tls: ClientConfig, peer: Peer) -> Channel {
    let dial = {
        let (url, tls) = (url.clone(), TlsConnector::from(Arc::new(tls)));
        tower::service_fn(move |_: Uri| {
            let (url, tls, peer) = (url.clone(), tls.clone(), peer.clone());
            async move { connect(&url, tls, &peer).await.map(TokioIo::new) }
        })
    };
    endpoint(url).connect_with_connector_lazy(dial)
}

fn endpoint(url: &ServerUrl) -> Endpoint {
    let uri: Uri = url
        .to_string()
        .parse()
        .expect("a ServerUrl prints as a URI");
    Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
}

async fn connect(
    url: &ServerUrl,
    tls: TlsConnector,
    peer: &Peer,
) -> Result<TlsStream<TcpStream>, std::io::Error> {
    let name = ServerName::try_from(url.host().to_string()).map_err(std::io::Error::other)?;
    let addresses = url.resolve().await.map_err(std::io::Error::other)?;
    let mut last = std::io::Error::other("no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let stream = tls.connect(name, stream).await?;
                *peer.lock().unwrap_or_else(|broken| broken.into_inner()) = Some(address);
                return Ok(stream);
            }
            Err(error) => last = std::io::Error::new(error.kind(), format!("{address}: {error}")),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_status_means() {
        let url: ServerUrl = "https://h".parse().unwrap();
        let of = |code| CallError::of(&url, &Status::new(code, "why"));
        let says = CallError::of(&url, &Status::unavailable("the store: the disk is full"));
        assert_eq!(
            says.to_string(),
            "the server at https://h:7443 answers that it cannot: the store: the disk is full"
        );
        let late = CallError::of(&url, &Status::deadline_exceeded("no answer within 1 s"));
        assert!(late.to_string().contains("cannot be reached"), "{late}");
        assert!(matches!(of(Code::Unknown), CallError::Away { .. }));
        assert!(matches!(of(Code::PermissionDenied), CallError::Refused(_)));
        assert!(matches!(of(Code::Unauthenticated), CallError::Refused(_)));
        assert!(matches!(of(Code::NotFound), CallError::Said { .. }));
        assert!(matches!(
            of(Code::FailedPrecondition),
            CallError::Said { .. }
        ));
    }

    #[tokio::test]
    async fn nobody_there_is_away_with_the_reason() {
        let url: ServerUrl = "https://127.0.0.1:1".parse().unwrap();
        let tls = super::super::tls::pinned(cfg_catalog::digest::Digest::of(b"")).unwrap();
        let mut client =
            cfg_wire::enrolment_client::EnrolmentClient::new(open(&url, tls, Peer::default()));
        let status = client
            .enroll(cfg_wire::EnrollRequest::default())
            .await
            .unwrap_err();
        let error = CallError::of(&url, &status).to_string();
        assert_eq!(error.matches("127.0.0.1:1:").count(), 1, "{error}");
        assert!(
            error.contains("refused") && error.contains("127.0.0.1:1"),
            "{error}"
        );
    }
}
