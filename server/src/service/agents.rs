//! For machines. Who asks is taken from the certificate, never from a message.

use super::{Parts, caller};
use crate::clock;
use crate::listen::Caller;
use crate::pki::request;
use crate::refusal::Refusal;
use crate::server::Server;
use crate::service::held::Hold;
use crate::service::{slots, unseen};
use crate::state::fleet::Revision;
use crate::state::identity::Who;
use crate::state::slot::Asked;
use crate::state::{Node, State};
use cfg_catalog::digest::Digest;
use cfg_catalog::fleet::Me;
use cfg_wire as wire;
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

/// A stream is not silent for longer: both ends know that the other is there.
const TICK: Duration = Duration::from_secs(15);
/// What goes into one message; gRPC would take up to four MiB.
const CHUNK: usize = 64 * 1024;

/// The service.
#[derive(Clone)]
pub struct Agents {
    server: Arc<Server>,
}

impl Agents {
    /// Of this server.
    pub fn new(server: Arc<Server>) -> Self {
        Self { server }
    }

    /// The machine that calls, as the state knows it now.
    async fn node(&self, caller: &Caller) -> Result<(String, Node), Refusal> {
        let peer = caller.peer()?;
        let look = |state: &State| {
            let (name, node) = state.node_of(&peer.identity)?;
            Ok((name.to_owned(), node.clone()))
        };
        self.server.log.look(look).await
    }

    async fn open_watch(&self, caller: &Caller, facts: &[u8]) -> Result<Watch, Refusal> {
        let (name, node) = self.node(caller).await?;
        let about = self.server.about(facts, caller)?;
        let hold = self.server.watching.add(&name)?;
        // Ten thousand agents come back at once after a restart, and nearly all say what is known.
        if !self.server.log.state().change(&name, &about)?.is_empty() {
            let by = format!("node {name}");
            let of = name.clone();
            let change = move |state: &State| Ok((state.change(&of, &about)?, ()));
            self.server.log.commit(by, change).await?;
        }
        unseen::back(&self.server, &name).await?;
        Ok(Watch {
            caller: caller.clone(),
            states: self.server.log.subscribe(),
            probe: self.server.probes.of(&node.role).number(),
            said: None,
            _hold: hold,
        })
    }

    async fn assign(&self, caller: &Caller, format: u32) -> Result<wire::AssignmentReply, Refusal> {
        let (name, node) = self.node(caller).await?;
        let state = self.server.log.state();
        let published = match &state.release {
            Some(published) => published.clone(),
            None => {
                let level = self.server.log.level().await?;
                level.release.clone().ok_or(Refusal::NothingPublished)?
            }
        };
        let release = self.server.releases.get(published.release).await?;
        if release.format > format {
            return Err(Refusal::TooOld {
                release: release.format,
                agent: format,
            });
        }
        let role = release.role(&node.role, published.sequence)?;
        let leaf = role.leaf(&name);
        let me = Me {
            name: name.clone(),
            id: node.id,
            admitted: state.is_member(&name),
            joining: state.is_joining(&name),
        };
        Ok(wire::AssignmentReply {
            manifest: release.manifest.to_vec(),
            envelope: published.envelope.into_bytes(),
            part: role.part.to_vec(),
            leaf: leaf.map(<[u8]>::to_vec).unwrap_or_default(),
            proof: json(&role.prove(&name))?,
            view: json(&state.view(&node, &role.reads))?,
            me: json(&me)?,
            role: node.role,
        })
    }

    async fn open_blob(
        &self,
        caller: &Caller,
        digest: &str,
    ) -> Result<Parts<wire::Chunk>, Refusal> {
        let (_, node) = self.node(caller).await?;
        let digest: Digest = digest.parse().map_err(|_| Refusal::NotYours)?;
        self.in_closed_set(&node, digest).await?;
        let path = crate::release::blob_path(&digest);
        let bytes = self.server.store.stream(&path).await?;
        let bytes = bytes.ok_or_else(|| Refusal::Internal(format!("blob {digest} is lost")))?;
        let (caller, states) = (caller.clone(), self.server.log.subscribe());
        let chunks = bytes.flat_map(|read| {
            let cut = match read {
                Ok(bytes) => cut(bytes).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(Refusal::from(error))],
            };
            futures::stream::iter(cut)
        });
        // A machine that is revoked meanwhile gets no more of it.
        let checked = chunks.map(move |chunk| {
            let state = states.borrow().clone();
            match still(&caller, &state).and(chunk) {
                Ok(data) => Ok(wire::Chunk {
                    data: data.to_vec(),
                }),
                Err(refusal) => Err(caller.refuse("a blob half-way", refusal)),
            }
        });
        Ok(checked.boxed())
    }

    /// That a blob belongs to the machine's role in the current release or in the one before.
    async fn in_closed_set(&self, node: &Node, digest: Digest) -> Result<(), Refusal> {
        let log = &self.server.log;
        if self.may_read(&log.state(), node, digest).await? {
            return Ok(());
        }
        match self.may_read(&*log.level().await?, node, digest).await? {
            true => Ok(()),
            false => Err(Refusal::NotYours),
        }
    }

    async fn may_read(&self, state: &State, node: &Node, digest: Digest) -> Result<bool, Refusal> {
        let Some(published) = &state.release else {
            return Ok(false);
        };
        for release in [Some(published.release), published.previous] {
            let Some(release) = release else { continue };
            let loaded = self.server.releases.get(release).await?;
            if let Some(role) = loaded.roles.get(&node.role)
                && role.may_read(&digest)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn settled(&self, caller: &Caller, settled: Revision) -> Result<(), Refusal> {
        let (name, _) = self.node(caller).await?;
        let by = format!("node {name}");
        // Most of ten thousand machines say so at every release, and of most nobody asks.
        let decide = move |state: &State| Ok((state.settle(&name, settled)?, ()));
        if matches!(decide(&self.server.log.state()), Ok((events, ())) if events.is_empty()) {
            return Ok(());
        }
        self.server.log.commit(by, decide).await
    }

    async fn renew_certificate(
        &self,
        caller: &Caller,
        csr: &[u8],
    ) -> Result<wire::Certificate, Refusal> {
        let (name, node) = self.node(caller).await?;
        let key = request::check(csr, &name)?;
        let who = Who::Node {
            name,
            generation: node.generation,
        };
        let certificate = self.server.certificate(&key, who)?;
        Ok(wire::Certificate {
            role: node.role,
            id: node.id,
            ..certificate
        })
    }
}

/// A stream of news to one machine.
struct Watch {
    caller: Caller,
    states: watch::Receiver<Arc<State>>,
    /// What machines of its role are asked.
    probe: watch::Receiver<u64>,
    said: Option<(Revision, u64)>,
    _hold: Hold,
}

impl Watch {
    /// The next word, and what is to come; the stream ends after a refusal.
    async fn next(mut self) -> (Result<wire::News, Status>, Option<Self>) {
        loop {
            let state = self.states.borrow_and_update().clone();
            let probe = *self.probe.borrow_and_update();
            match still(&self.caller, &state) {
                Err(refusal) => return (Err(self.caller.refuse("its stream ends", refusal)), None),
                Ok(news) if self.said != Some((news, probe)) => {
                    self.said = Some((news, probe));
                    let word = wire::News {
                        sequence: news.sequence,
                        view: news.view,
                        probe,
                    };
                    return (Ok(word), Some(self));
                }
                Ok(_) => {}
            }
            drop(state);
            // Its end comes without any news.
            let peer = self.caller.peer.as_ref();
            let left = peer.and_then(|peer| peer.lasts().ok()).unwrap_or_default();
            tokio::select! {
                changed = self.states.changed() => if changed.is_err() {
                    return (Err(Refusal::Stopping.into()), None);
                },
                // Its sender lives as long as the server.
                _ = self.probe.changed() => {}
                // Said again: a tick.
                () = tokio::time::sleep(TICK.min(left)) => self.said = None,
            }
        }
    }
}

/// What is news to the caller, while it may hear any.
fn still(caller: &Caller, state: &State) -> Result<Revision, Refusal> {
    let (_, node) = state.node_of(&caller.peer()?.identity)?;
    Ok(state.news(node))
}

fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(|error| Refusal::Internal(error.to_string()))
}

/// A block from the store, which may be large, in messages.
fn cut(mut bytes: bytes::Bytes) -> Vec<bytes::Bytes> {
    let mut chunks = Vec::with_capacity(bytes.len() / CHUNK + 1);
    while bytes.len() > CHUNK {
        chunks.push(bytes.split_to(CHUNK));
    }
    chunks.push(bytes);
    chunks
}

#[tonic::async_trait]
impl wire::agents_server::Agents for Agents {
    type WatchStream = Parts<wire::News>;
    type FetchStream = Parts<wire::Chunk>;

    async fn watch(
        &self,
        request: Request<wire::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let caller = caller(&request)?;
        let opened = self.open_watch(&caller, &request.get_ref().facts).await;
        let watch = opened.map_err(|refusal| caller.refuse("watching", refusal))?;
        let next = |watch: Option<Watch>| async { Some(watch?.next().await) };
        let stream = futures::stream::unfold(Some(watch), next);
        Ok(Response::new(stream.boxed()))
    }

    async fn assignment(
        &self,
        request: Request<wire::AssignmentRequest>,
    ) -> Result<Response<wire::AssignmentReply>, Status> {
        let caller = caller(&request)?;
        match self.assign(&caller, request.get_ref().format).await {
            Ok(reply) => Ok(Response::new(reply)),
            // Before the first release every machine asks in vain; that is no attack.
            Err(refusal @ Refusal::NothingPublished) => Err(refusal.into()),
            Err(refusal) => Err(caller.refuse("its role", refusal)),
        }
    }

    async fn fetch(
        &self,
        request: Request<wire::FetchRequest>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        let caller = caller(&request)?;
        let digest = &request.get_ref().digest;
        match self.open_blob(&caller, digest).await {
            Ok(stream) => Ok(Response::new(stream)),
            Err(refusal) => {
                let shown: String = digest.chars().take(64).collect();
                let what = format!("blob {}", shown.escape_default());
                Err(caller.refuse(&what, refusal))
            }
        }
    }

    async fn report(
        &self,
        request: Request<wire::ReportRequest>,
    ) -> Result<Response<wire::ReportReply>, Status> {
        let caller = caller(&request)?;
        let stored = async {
            let (name, node) = self.node(&caller).await?;
            let document = request.into_inner().document;
            let (reports, of) = (&self.server.reports, (name.as_str(), node.generation));
            let summary = reports.add(of, document, clock::now_ms()).await?;
            match summary.without_slot {
                Some(why) => slots::waived(&self.server, &caller, name, why).await,
                None => Ok(()),
            }
        };
        let stored = stored.await.map(|()| wire::ReportReply {});
        caller.answer("a report", stored)
    }

    async fn settle(
        &self,
        request: Request<wire::SettleRequest>,
    ) -> Result<Response<wire::SettleReply>, Status> {
        let caller = caller(&request)?;
        let wire::SettleRequest { sequence, view } = *request.get_ref();
        let settled = self.settled(&caller, Revision { sequence, view }).await;
        let settled = settled.map(|()| wire::SettleReply {});
        caller.answer("what it has made of itself", settled)
    }

    async fn take_slot(
        &self,
        request: Request<wire::TakeSlotRequest>,
    ) -> Result<Response<wire::TakeSlotReply>, Status> {
        let caller = caller(&request)?;
        let wire::TakeSlotRequest {
            sequence,
            view,
            leads,
            mending,
        } = *request.get_ref();
        let asked = Asked {
            of: Revision { sequence, view },
            leads,
            mending,
        };
        let taken = async {
            let node = self.node(&caller).await?;
            slots::take(&self.server, &caller, node, asked).await
        };
        caller.answer("a slot", taken.await)
    }

    async fn keep_slot(
        &self,
        request: Request<wire::KeepSlotRequest>,
    ) -> Result<Response<wire::KeepSlotReply>, Status> {
        let caller = caller(&request)?;
        let kept = async {
            let (name, _) = self.node(&caller).await?;
            slots::keep(&self.server, name, request.get_ref().fence).await
        };
        let kept = kept.await.map(|()| wire::KeepSlotReply {});
        caller.answer("to keep its slot", kept)
    }

    async fn give_slot(
        &self,
        request: Request<wire::GiveSlotRequest>,
    ) -> Result<Response<wire::GiveSlotReply>, Status> {
        let caller = caller(&request)?;
        let wire::GiveSlotRequest { fence, healthy } = *request.get_ref();
        let given = async {
            let (name, _) = self.node(&caller).await?;
            slots::give(&self.server, &caller, name, (fence, healthy)).await
        };
        let given = given.await.map(|()| wire::GiveSlotReply {});
        caller.answer("to give its slot back", given)
    }

    async fn health(
        &self,
        request: Request<wire::HealthRequest>,
    ) -> Result<Response<wire::HealthReply>, Status> {
        let caller = caller(&request)?;
        let wire::HealthRequest { probe, healthy } = *request.get_ref();
        let told = self.node(&caller).await.map(|(name, node)| {
            let role = self.server.probes.of(&node.role);
            role.answer(&name, probe, healthy);
            wire::HealthReply {}
        });
        caller.answer("its health", told)
    }

    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::Certificate>, Status> {
        let caller = caller(&request)?;
        let csr = &request.get_ref().csr;
        caller.renewed(self.renew_certificate(&caller, csr).await)
    }
}
