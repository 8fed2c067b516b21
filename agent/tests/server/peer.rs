//! A server that follows a script, over real TLS: what the agent makes of it is the test.

use crate::slots_script::Slots;
use cfg_catalog::digest::Digest;
use cfg_wire::agents_server::{Agents, AgentsServer};
use cfg_wire::enrolment_server::{Enrolment, EnrolmentServer};
use cfg_wire::operators_server::OperatorsServer;
use cfg_wire::{
    AssignmentReply, AssignmentRequest, Certificate, Chunk, EnrollOperatorRequest, EnrollRequest,
    FetchRequest, GiveSlotReply, GiveSlotRequest, HealthReply, HealthRequest, KeepSlotReply,
    KeepSlotRequest, News, RenewRequest, ReportReply, ReportRequest, SettleReply, SettleRequest,
    TakeSlotReply, TakeSlotRequest, WatchRequest,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::codegen::http;
use tonic::{Request, Response, Status};

/// What the peer says, and what it has heard.
pub struct Script {
    pub assignment: Mutex<Result<AssignmentReply, Status>>,
    pub blobs: Mutex<HashMap<String, Vec<u8>>>,
    pub reports: Mutex<Vec<Vec<u8>>>,
    pub settled: Mutex<Vec<(u64, u64)>>,
    pub slots: Slots,
    pub refuses_reports: Mutex<Option<Status>>,
    pub news: watch::Sender<News>,
    /// What watchers are told instead of news; lines that stand break at the next ones.
    pub refuses_watch: Arc<Mutex<Option<Status>>>,
    /// The good token.
    pub token: String,
    /// The keys (DER) of requests for certificates, in order.
    pub keys: Mutex<Vec<Vec<u8>>>,
    /// How many enrolments are answered with UNAVAILABLE after they were counted.
    pub lost_answers: Mutex<u32>,
    /// How long certificates last, and since when.
    pub life: Mutex<(Duration, Duration)>,
    /// Facts that watchers said.
    pub facts: Mutex<Vec<Vec<u8>>>,
    /// How far the clock that certificates are made by is ahead.
    pub ahead: Mutex<Duration>,
    /// Puts another name in certificates.
    pub misnames: Mutex<Option<String>>,
    /// What desks are told instead of a new certificate.
    pub refuses_renewal: Mutex<Option<Status>>,
}

/// What the peer does in a handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// It sends its CA with its certificate.
    Whole,
    /// It keeps the CA to itself.
    WithoutCa,
    /// It sends its CA beside a certificate that another CA has issued.
    OfAnother,
    /// Its certificate is for another name.
    OtherName,
    /// Its certificate has run out.
    Past,
    /// Its certificate is not valid yet.
    Future,
}

pub struct Peer {
    pub script: Arc<Script>,
    pub ca_sha256: Digest,
    pub agents: String,
    pub enrolment: String,
    _tasks: Vec<Stop>,
}

/// Ends a task with the test.
struct Stop(tokio::task::JoinHandle<()>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Clone)]
pub struct Service {
    pub script: Arc<Script>,
    ca: Arc<CertifiedIssuer<'static, KeyPair>>,
}

pub fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl Peer {
    pub async fn start() -> Self {
        Self::with(Chain::Whole).await
    }

    pub async fn with(chain: Chain) -> Self {
        let ca = Arc::new(authority());
        let script = Arc::new(Script {
            assignment: Mutex::new(Err(Status::failed_precondition("nothing is published yet"))),
            blobs: Mutex::default(),
            reports: Mutex::default(),
            settled: Mutex::default(),
            slots: Slots::default(),
            refuses_reports: Mutex::default(),
            news: watch::Sender::new(News::default()),
            refuses_watch: Arc::default(),
            token: "good".into(),
            keys: Mutex::default(),
            lost_answers: Mutex::new(0),
            life: Mutex::new((Duration::from_secs(3600), Duration::ZERO)),
            facts: Mutex::default(),
            ahead: Mutex::default(),
            misnames: Mutex::default(),
            refuses_renewal: Mutex::default(),
        });
        let service = Service {
            script: script.clone(),
            ca: ca.clone(),
        };
        let enrolment = serve(tls(&ca, chain, None), EnrolmentServer::new(service.clone()));
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        let agents = AgentsServer::new(service.clone());
        let operators = OperatorsServer::new(service);
        let members = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
            let (mut agents, mut operators) = (agents.clone(), operators.clone());
            async move {
                match request.uri().path().starts_with("/cfg.v1.Operators/") {
                    true => tower::Service::call(&mut operators, request).await,
                    false => tower::Service::call(&mut agents, request).await,
                }
            }
        });
        let agents = serve(tls(&ca, chain, Some(roots)), members);
        let ((enrolment, first), (agents, second)) = (enrolment.await, agents.await);
        Self {
            script,
            ca_sha256: Digest::of(ca.der()),
            agents,
            enrolment,
            _tasks: vec![first, second],
        }
    }
}

fn tls(
    ca: &CertifiedIssuer<'static, KeyPair>,
    chain: Chain,
    clients: Option<rustls::RootCertStore>,
) -> tokio_rustls::TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = KeyPair::generate().unwrap();
    let name = match chain {
        Chain::OtherName => "192.0.2.1",
        _ => "127.0.0.1",
    };
    let mut params = CertificateParams::new(vec![name.into()]).unwrap();
    match chain {
        Chain::Past => params.not_after = rcgen::date_time_ymd(2020, 2, 1),
        Chain::Future => params.not_before = rcgen::date_time_ymd(2098, 1, 1),
        _ => {}
    }
    let other = authority();
    let own = match chain {
        Chain::OfAnother => params.signed_by(&key, &other),
        _ => params.signed_by(&key, ca),
    };
    let mut certificates = vec![own.unwrap().der().clone()];
    if chain != Chain::WithoutCa {
        certificates.push(ca.der().clone());
    }
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(roots) => builder.with_client_cert_verifier(
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .unwrap(),
        ),
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = builder.with_single_cert(certificates, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

async fn serve<S>(tls: tokio_rustls::TlsAcceptor, service: S) -> (String, Stop)
where
    S: tower::Service<
            http::Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
        > + Clone
        + Send
        + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        // Dropped with the task, and so end its connections.
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (tls, service) = (tls.clone(), service.clone());
            connections.spawn(async move {
                let Ok(stream) = tls.accept(stream).await else {
                    return;
                };
                let service = tower::ServiceBuilder::new()
                    .map_request(|request: http::Request<_>| request.map(tonic::body::Body::new))
                    .service(service);
                let _ = auto::Builder::new(TokioExecutor::new())
                    .http2_only()
                    .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                    .await;
            });
        }
    });
    (url, Stop(task))
}

impl Service {
    pub fn certificate(&self, csr: &[u8], uri: String) -> Result<Certificate, Status> {
        let der = rustls::pki_types::CertificateSigningRequestDer::from(csr.to_vec());
        let mut request = rcgen::CertificateSigningRequestParams::from_der(&der)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let key = rcgen::PublicKeyData::der_bytes(&request.public_key).to_vec();
        self.script.keys.lock().unwrap().push(key);
        let uri = self.script.misnames.lock().unwrap().clone().unwrap_or(uri);
        request.params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        let (life, age) = *self.script.life.lock().unwrap();
        let from = SystemTime::now() + *self.script.ahead.lock().unwrap() - age;
        request.params.not_before = from.into();
        request.params.not_after = (from + life).into();
        let certificate = request.signed_by(&self.ca).unwrap();
        Ok(Certificate {
            certificate: certificate.pem(),
            ca: self.ca.pem(),
            fleet: "fleet".into(),
            role: "web".into(),
            id: 1,
        })
    }

    fn allow(&self, token: &str) -> Result<(), Status> {
        if token == self.script.token {
            Ok(())
        } else {
            Err(Status::unauthenticated("the token is unknown"))
        }
    }

    fn lose_answer(&self) -> Result<(), Status> {
        let mut lost = self.script.lost_answers.lock().unwrap();
        if *lost == 0 {
            return Ok(());
        }
        *lost -= 1;
        Err(Status::unavailable("the answer was lost"))
    }
}

#[tonic::async_trait]
impl Enrolment for Service {
    async fn enroll(
        &self,
        request: Request<EnrollRequest>,
    ) -> Result<Response<Certificate>, Status> {
        let request = request.into_inner();
        self.allow(&request.token)?;
        let uri = format!("cfg://fleet/node/{}/1", request.name);
        let certificate = self.certificate(&request.csr, uri)?;
        self.lose_answer()?;
        Ok(Response::new(certificate))
    }

    async fn enroll_operator(
        &self,
        request: Request<EnrollOperatorRequest>,
    ) -> Result<Response<Certificate>, Status> {
        let request = request.into_inner();
        self.allow(&request.token)?;
        let uri = format!("cfg://fleet/operator/{}", request.name);
        Ok(Response::new(self.certificate(&request.csr, uri)?))
    }
}

#[tonic::async_trait]
impl Agents for Service {
    type WatchStream = BoxStream<'static, Result<News, Status>>;
    type FetchStream = BoxStream<'static, Result<Chunk, Status>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let facts = request.into_inner().facts;
        self.script.facts.lock().unwrap().push(facts);
        let news = tokio_stream::wrappers::WatchStream::new(self.script.news.subscribe());
        let refused = self.script.refuses_watch.clone();
        let said = move |news| refused.lock().unwrap().clone().map_or(Ok(news), Err);
        Ok(Response::new(news.map(said).boxed()))
    }

    async fn assignment(
        &self,
        _: Request<AssignmentRequest>,
    ) -> Result<Response<AssignmentReply>, Status> {
        self.script
            .assignment
            .lock()
            .unwrap()
            .clone()
            .map(Response::new)
    }

    async fn fetch(
        &self,
        request: Request<FetchRequest>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        let blobs = self.script.blobs.lock().unwrap();
        let blob = blobs
            .get(&request.into_inner().digest)
            .ok_or_else(|| Status::not_found("not yours to read"))?;
        let chunks: Vec<_> = blob
            .chunks(7)
            .map(|data| {
                Ok(Chunk {
                    data: data.to_vec(),
                })
            })
            .collect();
        Ok(Response::new(futures::stream::iter(chunks).boxed()))
    }

    async fn report(
        &self,
        request: Request<ReportRequest>,
    ) -> Result<Response<ReportReply>, Status> {
        if let Some(status) = self.script.refuses_reports.lock().unwrap().clone() {
            return Err(status);
        }
        let document = request.into_inner().document;
        self.script.reports.lock().unwrap().push(document);
        Ok(Response::new(ReportReply {}))
    }

    async fn settle(
        &self,
        request: Request<SettleRequest>,
    ) -> Result<Response<SettleReply>, Status> {
        let SettleRequest { sequence, view } = request.into_inner();
        let mut settled = self.script.settled.lock().unwrap();
        settled.push((sequence, view));
        Ok(Response::new(SettleReply {}))
    }

    async fn take_slot(
        &self,
        request: Request<TakeSlotRequest>,
    ) -> Result<Response<TakeSlotReply>, Status> {
        self.script.slots.take(request.into_inner())
    }

    async fn keep_slot(
        &self,
        request: Request<KeepSlotRequest>,
    ) -> Result<Response<KeepSlotReply>, Status> {
        self.script.slots.keep(request.into_inner())
    }

    async fn give_slot(
        &self,
        request: Request<GiveSlotRequest>,
    ) -> Result<Response<GiveSlotReply>, Status> {
        self.script.slots.give(request.into_inner())
    }

    async fn health(
        &self,
        request: Request<HealthRequest>,
    ) -> Result<Response<HealthReply>, Status> {
        self.script.slots.health(request.into_inner())
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Certificate>, Status> {
        let uri = "cfg://fleet/node/vm-1/1".to_string();
        Ok(Response::new(
            self.certificate(&request.into_inner().csr, uri)?,
        ))
    }
}

/// A certificate's DER, for tests that look into one.
pub fn der(pem: &str) -> CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}
