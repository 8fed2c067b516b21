//! The agent against a server that follows a script.

mod daemon;
mod desk;
mod enrolment;
mod peer;
mod role;
mod slots;
mod slots_script;
mod watching;
mod world;

use cfg_agent::client::channel::Peer as Reached;
use cfg_agent::client::enrol::{Terms, Who, enrol};
use cfg_agent::client::identity::Identity;
use cfg_agent::client::server::Server;
use peer::Peer;
use std::path::Path;

/// Enrols vm-1 with this peer.
async fn enrolled(peer: &Peer, folder: &Path) -> Identity {
    let terms = Terms {
        server: &peer.agents.parse().unwrap(),
        enrol: &peer.enrolment.parse().unwrap(),
        token: "good",
        ca: peer.ca_sha256,
        name: "vm-1",
    };
    let facts = Who::Node { facts: Vec::new() };
    enrol(folder, &terms, facts, Reached::default())
        .await
        .unwrap()
}

/// The peer as vm-1 may call it.
async fn server(peer: &Peer, folder: &Path) -> Server {
    let identity = enrolled(peer, folder).await;
    Server::open(&peer.agents.parse().unwrap(), &identity, Reached::default()).unwrap()
}
