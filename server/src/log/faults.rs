//! The log on a store that loses answers: what was acknowledged is there, once; what failed may be.

use super::Log;
use crate::refusal::Refusal;
use crate::state::State;
use crate::state::event::{Event, Purpose};
use crate::store::Store;
use cfg_catalog::digest::Digest;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::*;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// In turn: does nothing and fails; does it and fails; does it and, asked again by a client
/// that tries again, says that it was there before; works.
#[derive(Debug, Clone)]
struct Flaky {
    inner: Arc<InMemory>,
    turn: Arc<AtomicU32>,
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("flaky")
    }
}

impl Flaky {
    fn new(inner: &Arc<InMemory>, turn: u32) -> Arc<Self> {
        Arc::new(Self {
            inner: inner.clone(),
            turn: Arc::new(turn.into()),
        })
    }

    fn lost() -> Error {
        Error::Generic {
            store: "flaky",
            source: "the answer was lost".into(),
        }
    }
}

#[tonic::async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let put = || {
            self.inner
                .put_opts(location, payload.clone(), options.clone())
        };
        // Three turns of six work.
        match self.turn.fetch_add(1, Ordering::Relaxed) % 6 {
            0 => Err(Self::lost()),
            1 => put().await.and(Err(Self::lost())),
            2 => match put().await {
                Ok(_) => put().await,
                lost => lost,
            },
            _ => put().await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// One attempt of a caller, which must not be there twice.
fn attempt(
    hash: Digest,
) -> impl FnMut(&State) -> std::result::Result<(Vec<Event>, ()), Refusal> + Send + 'static {
    let event = Event::TokenCreated {
        hash,
        purpose: Purpose::Operator,
        uses: 1,
        expires: u64::MAX / 2,
    };
    move |_: &State| Ok((vec![event.clone()], ()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once() {
    let inner = Arc::new(InMemory::new());
    let mut writers = Vec::new();
    for turn in [0, 3] {
        let store = Store::of(Flaky::new(&inner, turn));
        writers.push(Log::open(store).await.expect("opens"));
    }
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..200u32 {
        let log = writers[at as usize % writers.len()].clone();
        tasks.spawn(async move {
            for failed in 0u32.. {
                let hash = Digest::of(format!("{at} {failed}").as_bytes());
                match log.commit("test", attempt(hash)).await {
                    Ok(()) => {
                        // The state that this server shows from now on has it.
                        assert!(log.state().tokens.contains_key(&hash));
                        return (hash, failed);
                    }
                    Err(refusal) => assert!(matches!(refusal, Refusal::Store(_)), "{refusal}"),
                }
            }
            unreachable!("it goes on until it is acknowledged")
        });
    }
    let done = tasks.join_all().await;
    assert!(
        done.iter().any(|(_, failed)| *failed > 0),
        "the store was not flaky"
    );
    let again = Log::open(Store::of(inner)).await.expect("opens");
    let state = again.state();
    for (hash, _) in &done {
        assert!(state.tokens.contains_key(hash), "acknowledged, and lost");
    }
    assert_eq!(
        state.events,
        state.tokens.len() as u64,
        "something is there twice"
    );
}
