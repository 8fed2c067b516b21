//! `GET /cfg`: the agent's program, for machines that have nothing yet. They check its SHA-256.

use crate::listen::Caller;
use crate::server::Server;
use bytes::Bytes;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tonic::body::Body as Outgoing;
use tonic::codegen::http;

/// What one download holds in memory is a few of these.
const CHUNK: usize = 16 * 1024;

/// The program, from the disk as it is read.
pub async fn agent(server: &Server, caller: &Caller) -> http::Response<Outgoing> {
    let path = &server.agent;
    let opened = async {
        let file = File::open(path).await?;
        let size = file.metadata().await?.len();
        std::io::Result::Ok((file, size))
    };
    match opened.await {
        Ok((file, size)) => {
            caller.note(format_args!("downloads the agent"));
            let mut response = http::Response::new(Outgoing::new(Chunks::of(file)));
            let headers = response.headers_mut();
            headers.insert(http::header::CONTENT_LENGTH, size.into());
            let kind = http::HeaderValue::from_static("application/octet-stream");
            headers.insert(http::header::CONTENT_TYPE, kind);
            response
        }
        Err(error) => {
            let path = path.display();
            caller.warn(format_args!("wants the agent, but {path}: {error}"));
            let mut response = http::Response::new(Outgoing::empty());
            *response.status_mut() = http::StatusCode::NOT_FOUND;
            response
        }
    }
}

/// A file as the body of an answer. What is not fetched is not read.
struct Chunks(mpsc::Receiver<std::io::Result<Bytes>>);

impl Chunks {
    fn of(mut file: File) -> Self {
        let (send, receive) = mpsc::channel(2);
        tokio::spawn(async move {
            loop {
                let mut chunk = Vec::with_capacity(CHUNK);
                let read = (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).await;
                let last = !matches!(read, Ok(1..));
                let chunk = read.map(|_| Bytes::from(chunk));
                let wanted = !matches!(&chunk, Ok(chunk) if chunk.is_empty())
                    && send.send(chunk).await.is_ok();
                if last || !wanted {
                    return;
                }
            }
        });
        Self(receive)
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0
            .poll_recv(context)
            .map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}
