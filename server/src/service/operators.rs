//! For operators.

use super::caller;
use crate::clock;
use crate::listen::Caller;
use crate::pki::request;
use crate::refusal::Refusal;
use crate::release::publish::{self, Submitted};
use crate::release::{blob_path, parse_digest};
use crate::server::Server;
use crate::state::State;
use crate::state::event::Purpose;
use crate::state::identity::Who;
use crate::state::publish::{Candidate, Over};
use crate::state::token::{self, Secret, Wanted};
use bytes::BytesMut;
use cfg_catalog::digest::Digest;
use cfg_wire as wire;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status, Streaming};
use tracing::{info, warn};

/// The largest file of a catalog.
const LARGEST: usize = 64 * 1024 * 1024;
/// The most digests in one question.
const MOST_DIGESTS: usize = 10_000;
/// How long an upload may pause.
const IDLE: Duration = Duration::from_secs(30);
/// Questions to the store at a time.
const AT_ONCE: usize = 32;

/// The service.
#[derive(Clone)]
pub struct Operators {
    server: Arc<Server>,
}

impl Operators {
    /// Of this server.
    pub fn new(server: Arc<Server>) -> Self {
        Self { server }
    }

    /// Who calls, as it stands in the log: `operator alice`.
    async fn operator(&self, caller: &Caller) -> Result<String, Refusal> {
        let peer = caller.peer()?;
        let look = |state: &State| {
            let name = state.operator_of(&peer.identity, &peer.key)?;
            Ok(format!("operator {name}"))
        };
        self.server.log.look(look).await
    }

    /// A new certificate for the key that the operator enrolled with: only a token brings another key.
    async fn renew_certificate(
        &self,
        caller: &Caller,
        csr: &[u8],
    ) -> Result<wire::Certificate, Refusal> {
        self.operator(caller).await?;
        let peer = caller.peer()?;
        let (Who::Operator { name } | Who::Node { name, .. }) = &peer.identity.who;
        let key = request::check(csr, name)?;
        if key.digest() != peer.key {
            let why = "its key is not the one that this operator enrolled with";
            return Err(Refusal::Request(why.to_owned()));
        }
        self.server.certificate(&key, peer.identity.who.clone())
    }

    async fn lacks(&self, digests: &[String]) -> Result<Vec<String>, Refusal> {
        if digests.len() > MOST_DIGESTS {
            return Err(Refusal::TooMany("digests"));
        }
        let store = &self.server.store;
        let asked = digests.iter().cloned().map(|text| async move {
            let path = blob_path(&parse_digest(&text)?);
            let there = store.size(&path).await?.is_some();
            Ok::<_, Refusal>((!there).then_some(text))
        });
        let answers: Vec<Option<String>> = futures::stream::iter(asked)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(answers.into_iter().flatten().collect())
    }

    async fn store_blob(&self, mut chunks: Streaming<wire::UploadRequest>) -> Result<(), Refusal> {
        let turn = self.server.uploads.acquire().await;
        let _turn = turn.map_err(|_| Refusal::Stopping)?;
        let broken = |status: Status| Refusal::Invalid(format!("the upload broke off: {status}"));
        let mut digest: Option<Digest> = None;
        let mut bytes = BytesMut::new();
        loop {
            // Whoever stops sending gives the turn back.
            let chunk = tokio::time::timeout(IDLE, chunks.message()).await;
            let stopped = |_| Refusal::Invalid(format!("the upload said nothing for {IDLE:?}"));
            let Some(chunk) = chunk.map_err(stopped)?.map_err(broken)? else {
                break;
            };
            if digest.is_none() {
                digest = Some(parse_digest(&chunk.digest)?);
            }
            if bytes.len() + chunk.data.len() > LARGEST {
                return Err(Refusal::Invalid("a blob may have 64 MiB".into()));
            }
            bytes.extend_from_slice(&chunk.data);
        }
        let digest = digest.ok_or_else(|| Refusal::Invalid("the upload is empty".into()))?;
        let bytes = bytes.freeze();
        if Digest::of(&bytes) != digest {
            return Err(Refusal::Invalid(format!(
                "what was uploaded is not {digest}"
            )));
        }
        Ok(self.server.store.write(&blob_path(&digest), bytes).await?)
    }

    async fn make_current(
        &self,
        by: &str,
        request: wire::PublishRequest,
    ) -> Result<Vec<u8>, Refusal> {
        let over = match (request.force, request.expected.as_str()) {
            (true, _) => Over::Anything,
            (false, "") => Over::Seen(None),
            (false, expected) => Over::Seen(Some(parse_digest(expected)?)),
        };
        let above = request.above;
        let submitted = Submitted {
            manifest: request.manifest.into(),
            layers: request
                .layers
                .into_iter()
                .map(|layers| (layers.role, layers.leaves.into_iter().collect()))
                .collect(),
        };
        let (loaded, candidate) = publish::check(&self.server.store, submitted, over).await?;
        let candidate = Candidate { above, ..candidate };
        publish::store(&self.server.store, &loaded).await?;
        let release = candidate.release;
        self.server.releases.put(release, loaded).await;
        let decide = move |state: &State| state.publish(&candidate);
        let envelope = self.server.log.commit(by, decide).await?;
        let sequence = self.server.log.state().sequence();
        info!("{by} published release {sequence}: {release}");
        Ok(envelope.into_bytes())
    }

    async fn make_token(
        &self,
        by: &str,
        request: &wire::CreateTokenRequest,
    ) -> Result<wire::CreateTokenReply, Refusal> {
        let purpose = match request.role.as_str() {
            "" => Purpose::Operator,
            role => Purpose::Role(role.to_owned()),
        };
        let wanted = Wanted {
            purpose,
            uses: request.uses,
            ttl_s: request.ttl_seconds,
        };
        let (secret, unknown) = self.server.log.create_token(by, wanted).await?;
        if let Some(warning) = unknown {
            warn!("{warning}");
        }
        let id = token::id(&secret.hash());
        info!("{by} made token {id}");
        Ok(wire::CreateTokenReply {
            token: secret.text().to_owned(),
            id,
        })
    }

    async fn all_nodes(&self) -> Result<wire::FleetReply, Refusal> {
        let state = self.server.log.level().await?;
        let reports = self.server.reports.all(&state).await?;
        let node = |(name, node): (&String, &crate::state::Node)| {
            let report = reports.get(name);
            wire::Node {
                name: name.clone(),
                role: node.role.clone(),
                id: node.id,
                address: node.about.address.clone(),
                revoked: node.revoked.is_some(),
                member: state.is_member(name),
                connected: self.server.watching.has(name),
                slot: match state.slots.get(name) {
                    Some(slot) if slot.failed => "failed".to_owned(),
                    Some(slot) if slot.is_held(self.server.leases.age(slot)) => "held".to_owned(),
                    _ => String::new(),
                },
                gone: state.gone.contains(name),
                why: report.map(|report| report.why.clone()).unwrap_or_default(),
                last_report: report.map_or(0, |report| report.received_ms / 1000),
                result: report
                    .map(|report| report.result.clone())
                    .unwrap_or_default(),
                release: report
                    .map(|report| report.release.clone())
                    .unwrap_or_default(),
            }
        };
        let release = state.release.as_ref();
        Ok(wire::FleetReply {
            nodes: state.nodes.iter().map(node).collect(),
            sequence: state.sequence(),
            release: release
                .map(|current| current.release.to_string())
                .unwrap_or_default(),
        })
    }
}

/// Looks the operator up, does the work, and logs a refusal.
macro_rules! serve {
    ($self:ident, $request:ident, $what:literal, |$by:ident| $work:expr) => {{
        let caller = caller(&$request)?;
        let served = async {
            let $by = $self.operator(&caller).await?;
            $work
        };
        caller.answer($what, served.await)
    }};
}

#[tonic::async_trait]
impl wire::operators_server::Operators for Operators {
    async fn missing(
        &self,
        request: Request<wire::MissingRequest>,
    ) -> Result<Response<wire::MissingReply>, Status> {
        serve!(self, request, "which blobs are missing", |_by| {
            let digests = self.lacks(&request.get_ref().digests).await?;
            Ok(wire::MissingReply { digests })
        })
    }

    async fn upload(
        &self,
        request: Request<Streaming<wire::UploadRequest>>,
    ) -> Result<Response<wire::UploadReply>, Status> {
        serve!(self, request, "an upload", |_by| {
            self.store_blob(request.into_inner()).await?;
            Ok(wire::UploadReply {})
        })
    }

    async fn publish(
        &self,
        request: Request<wire::PublishRequest>,
    ) -> Result<Response<wire::PublishReply>, Status> {
        serve!(self, request, "a publish", |by| {
            let envelope = self.make_current(&by, request.into_inner()).await?;
            Ok(wire::PublishReply { envelope })
        })
    }

    async fn create_token(
        &self,
        request: Request<wire::CreateTokenRequest>,
    ) -> Result<Response<wire::CreateTokenReply>, Status> {
        serve!(self, request, "a new token", |by| {
            self.make_token(&by, request.get_ref()).await
        })
    }

    async fn list_tokens(
        &self,
        request: Request<wire::ListTokensRequest>,
    ) -> Result<Response<wire::ListTokensReply>, Status> {
        serve!(self, request, "the list of tokens", |_by| {
            let state = self.server.log.level().await?;
            let tokens = state.tokens.iter().map(|(hash, token)| wire::Token {
                id: token::id(hash),
                role: match &token.purpose {
                    Purpose::Role(role) | Purpose::Successor { role, .. } => role.clone(),
                    Purpose::Operator => String::new(),
                },
                replaces: match &token.purpose {
                    Purpose::Successor { of, .. } => of.clone(),
                    _ => String::new(),
                },
                uses_left: token.uses_left,
                expires: token.expires,
                revoked: token.revoked,
            });
            Ok(wire::ListTokensReply {
                tokens: tokens.collect(),
            })
        })
    }

    async fn revoke_token(
        &self,
        request: Request<wire::RevokeTokenRequest>,
    ) -> Result<Response<wire::RevokeTokenReply>, Status> {
        serve!(self, request, "revoking a token", |by| {
            let id = request.into_inner().id;
            info!("{by} revokes token {}", id.escape_default());
            let decide = move |state: &State| Ok((state.revoke_token(&id)?, ()));
            self.server.log.commit(by, decide).await?;
            Ok(wire::RevokeTokenReply {})
        })
    }

    async fn fleet(
        &self,
        request: Request<wire::FleetRequest>,
    ) -> Result<Response<wire::FleetReply>, Status> {
        serve!(self, request, "the fleet", |_by| self.all_nodes().await)
    }

    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::Certificate>, Status> {
        let caller = caller(&request)?;
        let csr = &request.get_ref().csr;
        caller.renewed(self.renew_certificate(&caller, csr).await)
    }

    async fn revoke_node(
        &self,
        request: Request<wire::RevokeNodeRequest>,
    ) -> Result<Response<wire::RevokeNodeReply>, Status> {
        serve!(self, request, "revoking a node", |by| {
            let name = request.into_inner().name;
            info!("{by} revokes node {}", name.escape_default());
            let decide = move |state: &State| Ok((state.revoke_node(&name)?, ()));
            self.server.log.commit(by, decide).await?;
            Ok(wire::RevokeNodeReply {})
        })
    }

    async fn replace_node(
        &self,
        request: Request<wire::ReplaceNodeRequest>,
    ) -> Result<Response<wire::CreateTokenReply>, Status> {
        serve!(self, request, "replacing a node", |by| {
            let wire::ReplaceNodeRequest { name, ttl_seconds } = request.into_inner();
            info!("{by} replaces node {}", name.escape_default());
            let secret = Secret::new()?;
            let hash = secret.hash();
            let decide = move |state: &State| {
                let events = state.replace_node(&name, hash, ttl_seconds, clock::now())?;
                Ok((events, ()))
            };
            self.server.log.commit(by, decide).await?;
            Ok(wire::CreateTokenReply {
                token: secret.text().to_owned(),
                id: token::id(&hash),
            })
        })
    }
}

impl crate::log::Log {
    /// Makes a token; with it a warning where its role is not known to be one.
    ///
    /// # Errors
    /// Where the wish makes no sense, or the store does not answer.
    pub async fn create_token(
        &self,
        by: &str,
        wanted: Wanted,
    ) -> Result<(Secret, Option<String>), Refusal> {
        let secret = Secret::new()?;
        let hash = secret.hash();
        let warning = match &wanted.purpose {
            Purpose::Role(role) if self.state().release.is_none() => Some(format!(
                "nothing is published yet: whether there is a role {} is not known",
                role.escape_default()
            )),
            _ => None,
        };
        let decide =
            move |state: &State| Ok((state.create_token(hash, &wanted, clock::now())?, ()));
        self.commit(by, decide).await?;
        Ok((secret, warning))
    }
}
