//! Calls of one question and one answer, all by one piece of code: what is generated is some 20 KB for each of them.

use super::channel::{MESSAGE_LIMIT, SEND_LIMIT, within};
use bytes::{Buf as _, BufMut as _, Bytes};
use cfg_wire::Message;
use std::time::Duration;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Asks; `path` is that of a call of `cfg.proto`, whose messages these must be.
///
/// # Errors
/// What the other side says, or that it says nothing within this time, or that it cannot be reached.
pub async fn call<A: Message + Default>(
    channel: Channel,
    patience: Duration,
    path: &'static str,
    question: impl Message,
) -> Result<A, Status> {
    let answer = bytes(channel, patience, path, question.encode_to_vec()).await?;
    A::decode(answer).map_err(|error| Status::internal(error.to_string()))
}

async fn bytes(
    channel: Channel,
    patience: Duration,
    path: &'static str,
    question: Vec<u8>,
) -> Result<Bytes, Status> {
    let mut grpc = Grpc::new(channel)
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(SEND_LIMIT);
    let asked = async {
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::from_error(Box::new(error)))?;
        let path = PathAndQuery::from_static(path);
        grpc.unary(Request::new(question), path, Raw).await
    };
    Ok(within(patience, asked).await?.into_inner())
}

/// Messages as the bytes that they are.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Raw
    }

    fn decoder(&mut self) -> Self {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
