//! What agents, operators and the server say to one another: `proto/cfg.proto`, generated.
#![allow(
    missing_docs,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated from a commented proto file"
)]

tonic::include_proto!("cfg.v1");

pub use prost::Message;
