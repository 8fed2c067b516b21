//! Making a checked catalog the fleet's release: what the server lacks is uploaded, then the whole is switched at once.

use super::Desk;
use crate::error::Error;
use anyhow::Context as _;
use cfg_catalog::digest::Digest;
use cfg_catalog::release::Envelope;
use cfg_catalog::release::publish::Release;
use cfg_wire::{
    FleetReply, FleetRequest, MissingReply, MissingRequest, NodeLayers, PublishReply,
    PublishRequest, UploadRequest,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much of a file goes in one message.
const CHUNK: usize = 256 << 10;

/// How long an upload may take: this, and more for what is large, by the slowest line that is worth waiting for
/// (bytes a second).
const PATIENCE: Duration = Duration::from_secs(60);
const SLOWEST: u64 = 50_000;

/// How many digests are asked for in one message.
const ASKED: usize = 10_000;

/// What a publish may take the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// The release that was current when it began.
    WhatWasSeen,
    /// Whatever is current when it ends.
    Whatever,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is the fleet's release now.
    New {
        /// Its sequence.
        sequence: u64,
        /// Files that the server did not have.
        uploaded: usize,
    },
    /// It was already.
    Current {
        /// Its sequence.
        sequence: u64,
    },
}

/// Publishes, as a release whose number is above this one.
///
/// # Errors
/// Where the server is away or refuses; the release that was current then stays.
pub async fn publish(
    desk: &Desk,
    release: &Release,
    overwrite: Overwrite,
    above: u64,
) -> Result<Published, Error> {
    let seen: FleetReply = desk.ask("/cfg.v1.Operators/Fleet", FleetRequest {}).await?;
    let same = seen.release == Digest::of(&release.manifest).to_string();
    if same && seen.sequence > above {
        return Ok(Published::Current {
            sequence: seen.sequence,
        });
    }
    let contents: BTreeMap<&Digest, &Vec<u8>> =
        release.parts.iter().chain(&release.blobs).collect();
    let missing = missing(desk, contents.keys().copied()).await?;
    let mut uploaded = 0;
    for digest in &missing {
        let content = contents
            .get(digest)
            .with_context(|| format!("the server lacks {digest}, which nobody offered"))?;
        upload(desk, digest, content).await?;
        uploaded += 1;
    }
    let request = PublishRequest {
        manifest: release.manifest.clone(),
        layers: layers(release),
        expected: seen.release,
        force: overwrite == Overwrite::Whatever,
        above,
    };
    let reply: PublishReply = desk.ask("/cfg.v1.Operators/Publish", request).await?;
    let envelope: Envelope =
        serde_json::from_slice(&reply.envelope).context("the server's envelope")?;
    if envelope.sequence <= above {
        let why = format!(
            "it is published as release {}, and not above {above}: the server is of a version that cannot; upgrade it",
            envelope.sequence
        );
        return Err(Error::Failed(anyhow::Error::msg(why)));
    }
    Ok(Published::New {
        sequence: envelope.sequence,
        uploaded,
    })
}

async fn missing(
    desk: &Desk,
    offered: impl Iterator<Item = &Digest>,
) -> Result<Vec<Digest>, Error> {
    let digests: Vec<String> = offered.map(Digest::to_string).collect();
    let mut missing = Vec::new();
    for some in digests.chunks(ASKED) {
        let request = MissingRequest {
            digests: some.to_vec(),
        };
        let reply: MissingReply = desk.ask("/cfg.v1.Operators/Missing", request).await?;
        for digest in reply.digests {
            missing.push(digest.parse().context("the server's answer")?);
        }
    }
    Ok(missing)
}

async fn upload(desk: &Desk, digest: &Digest, content: &[u8]) -> Result<(), Error> {
    let mut chunks: Vec<UploadRequest> = content
        .chunks(CHUNK)
        .map(|chunk| UploadRequest {
            digest: String::new(),
            data: chunk.to_vec(),
        })
        .collect();
    if chunks.is_empty() {
        chunks.push(UploadRequest::default());
    }
    chunks[0].digest = digest.to_string();
    let mut calls = desk.calls();
    let patience = PATIENCE + Duration::from_secs(content.len() as u64 / SLOWEST);
    desk.answer_within(patience, calls.upload(tokio_stream::iter(chunks)))
        .await?;
    Ok(())
}

fn layers(release: &Release) -> Vec<NodeLayers> {
    release
        .leaves
        .iter()
        .map(|(role, leaves)| NodeLayers {
            role: role.clone(),
            leaves: leaves.clone().into_iter().collect(),
        })
        .collect()
}
