//! The calls of a machine to its server, over mutual TLS.

use super::channel::{self, CallError, Lack, Peer};
use super::identity::{Identity, Stated};
use super::tls::{self, TlsError};
use super::unary;
use crate::address::ServerUrl;
use cfg_catalog::digest::Digest;
use cfg_catalog::release::FORMAT;
use cfg_catalog::release::part::Blob;
use cfg_wire::agents_client::AgentsClient;
use cfg_wire::{
    AssignmentReply, AssignmentRequest, Certificate, FetchRequest, GiveSlotReply, GiveSlotRequest,
    HealthReply, HealthRequest, KeepSlotReply, KeepSlotRequest, Message, News, RenewRequest,
    ReportReply, ReportRequest, SettleReply, SettleRequest, TakeSlotReply, TakeSlotRequest,
    WatchRequest,
};
use std::time::{Duration, SystemTime};
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};

/// How long an answer, or the next piece of one, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a slot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To disrupt a machine that does its work; the leader's, or another's.
    Full {
        /// Whether the role's leader command succeeds here.
        leads: bool,
    },
    /// To mend one that is not healthy.
    Mending,
}

/// The server as this machine's identity may call it.
#[derive(Clone, Debug)]
pub struct Server {
    url: ServerUrl,
    channel: Channel,
    agents: AgentsClient<Channel>,
    from: SystemTime,
    until: SystemTime,
}

impl Server {
    /// Nothing is dialled before the first call; a broken connection is made again by the next.
    ///
    /// # Errors
    /// Where the identity is unusable.
    pub fn open(url: &ServerUrl, identity: &Identity, peer: Peer) -> Result<Self, TlsError> {
        let channel = channel::open(url, tls::mutual(identity)?, peer);
        let Stated { from, until, .. } = identity.stated()?;
        Ok(Self {
            url: url.clone(),
            from,
            until,
            agents: AgentsClient::new(channel.clone())
                .max_decoding_message_size(channel::MESSAGE_LIMIT)
                .max_encoding_message_size(channel::SEND_LIMIT),
            channel,
        })
    }

    fn answer<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, CallError> {
        answer
            .map(Response::into_inner)
            .map_err(|status| self.meaning(&status))
    }

    /// The answer to one question; see [`unary`].
    async fn ask<A: Message + Default>(
        &self,
        patience: Duration,
        path: &'static str,
        question: impl Message,
    ) -> Result<A, CallError> {
        self.may_call()?;
        let answer = unary::call(self.channel.clone(), patience, path, question).await;
        answer.map_err(|status| self.meaning(&status))
    }

    /// The calls that are answered by a stream.
    fn agents(&self) -> Result<AgentsClient<Channel>, CallError> {
        self.may_call()?;
        Ok(self.agents.clone())
    }

    /// Not where the certificate has run out: the server would end the handshake without a word.
    fn may_call(&self) -> Result<(), CallError> {
        let now = SystemTime::now();
        if now < self.until {
            return Ok(());
        }
        Err(CallError::Refused(format!(
            "the certificate of this machine ran out on {}, and its clock says {}; \
             enrol it again with a new token, or set the clock",
            at(self.until),
            at(now)
        )))
    }

    /// All that this machine needs to know now.
    ///
    /// # Errors
    /// Where the server cannot be reached, refuses, or has nothing.
    pub async fn assignment(&self) -> Result<AssignmentReply, CallError> {
        let request = AssignmentRequest { format: FORMAT };
        self.ask(PATIENCE, "/cfg.v1.Agents/Assignment", request)
            .await
    }

    /// One blob, whole and checked.
    ///
    /// # Errors
    /// As above, and where the bytes are not those of the digest.
    pub async fn blob(&self, blob: &Blob) -> Result<Vec<u8>, CallError> {
        let request = FetchRequest {
            digest: blob.digest.to_string(),
        };
        let mut agents = self.agents()?;
        let mut stream = self.answer(channel::within(PATIENCE, agents.fetch(request)).await)?;
        let size = usize::try_from(blob.size).unwrap_or(usize::MAX);
        let mut content = Vec::with_capacity(size.min(64 << 20));
        loop {
            let piece = channel::within(PATIENCE, stream.message())
                .await
                .map_err(|status| self.meaning(&status))?;
            let Some(piece) = piece else { break };
            if piece.data.len() > size - content.len() {
                return Err(self.not_the(blob));
            }
            content.extend_from_slice(&piece.data);
        }
        if content.len() != size || Digest::of(&content) != blob.digest {
            return Err(self.not_the(blob));
        }
        Ok(content)
    }

    fn not_the(&self, blob: &Blob) -> CallError {
        CallError::Away {
            url: self.url.to_string(),
            why: format!(
                "what it sent for {} is not of that content: damaged on the way, or forged",
                blob.digest
            ),
            lack: Lack::Unbelieved,
        }
    }

    /// Hands in a report.
    ///
    /// # Errors
    /// As above.
    pub async fn report(&self, document: Vec<u8>) -> Result<(), CallError> {
        let request = ReportRequest { document };
        let ReportReply {} = self.ask(PATIENCE, "/cfg.v1.Agents/Report", request).await?;
        Ok(())
    }

    /// Says what this machine has made of itself.
    ///
    /// # Errors
    /// As above.
    pub async fn settle(&self, News { sequence, view, .. }: News) -> Result<(), CallError> {
        let request = SettleRequest { sequence, view };
        let SettleReply {} = self.ask(PATIENCE, "/cfg.v1.Agents/Settle", request).await?;
        Ok(())
    }

    /// Asks for a slot, for a run of what was current at these news.
    ///
    /// # Errors
    /// As above.
    pub async fn take_slot(&self, news: News, wanted: Wanted) -> Result<TakeSlotReply, CallError> {
        let News { sequence, view, .. } = news;
        let request = TakeSlotRequest {
            sequence,
            view,
            leads: matches!(wanted, Wanted::Full { leads: true }),
            mending: wanted == Wanted::Mending,
        };
        self.ask(PATIENCE, "/cfg.v1.Agents/TakeSlot", request).await
    }

    /// Has a slot last longer.
    ///
    /// # Errors
    /// As above, and where it is lost.
    pub async fn keep_slot(&self, fence: u64, patience: Duration) -> Result<(), CallError> {
        let request = KeepSlotRequest { fence };
        let KeepSlotReply {} = self
            .ask(patience, "/cfg.v1.Agents/KeepSlot", request)
            .await?;
        Ok(())
    }

    /// Gives a slot back.
    ///
    /// # Errors
    /// As above.
    pub async fn give_slot(&self, fence: u64, healthy: bool) -> Result<(), CallError> {
        let request = GiveSlotRequest { fence, healthy };
        let GiveSlotReply {} = self
            .ask(PATIENCE, "/cfg.v1.Agents/GiveSlot", request)
            .await?;
        Ok(())
    }

    /// Says whether this machine is healthy, to whom asked by this number.
    ///
    /// # Errors
    /// As above.
    pub async fn health(&self, probe: u64, healthy: bool) -> Result<(), CallError> {
        let request = HealthRequest { probe, healthy };
        let HealthReply {} = self.ask(PATIENCE, "/cfg.v1.Agents/Health", request).await?;
        Ok(())
    }

    /// A new certificate for the same node.
    ///
    /// # Errors
    /// As above.
    pub async fn renew(&self, csr: Vec<u8>) -> Result<Certificate, CallError> {
        self.ask(PATIENCE, "/cfg.v1.Agents/Renew", RenewRequest { csr })
            .await
    }

    /// Says these facts (JSON), and hears the news from then on.
    ///
    /// # Errors
    /// As above.
    pub async fn watch(&self, facts: Vec<u8>) -> Result<Streaming<News>, CallError> {
        let mut agents = self.agents()?;
        self.answer(channel::within(PATIENCE, agents.watch(WatchRequest { facts })).await)
    }

    /// What a status of this server means. One with the right time takes a certificate that is not yet valid by this
    /// machine's clock, so that it is told only where it is not taken.
    pub fn meaning(&self, status: &Status) -> CallError {
        let now = SystemTime::now();
        match CallError::of(&self.url, status) {
            CallError::Away { url, why, lack } if now < self.from => CallError::Away {
                url,
                lack,
                why: format!(
                    "{why}; the certificate of this machine begins at {}, and its clock says {}: set the clock, or wait until then",
                    at(self.from),
                    at(now)
                ),
            },
            error => error,
        }
    }
}

fn at(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    format!("{time:.0}")
}
