//! How much of what a store has answered its readers still hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::{GetResult, GetResultPayload, Result};

use crate::fs::to_length;

/// Counts bytes of answers from when they come until their last reader lets go of them.
#[derive(Debug, Default)]
pub(super) struct HeldBytes {
    now: AtomicU64,
    most: AtomicU64,
}

/// Bytes that are counted for as long as they live.
struct CountedBytes {
    bytes: Bytes,
    held: Arc<HeldBytes>,
}

impl HeldBytes {
    /// The most that was held at once since this was asked last.
    pub(super) fn take_most(&self) -> u64 {
        self.most.swap(self.now.load(Ordering::SeqCst), Ordering::SeqCst)
    }

    /// Counts the whole of an answer as it is handed out.
    pub(super) async fn count(self: &Arc<Self>, mut answer: GetResult) -> Result<GetResult> {
        let placeholder = GetResultPayload::Stream(futures::stream::empty().boxed());
        let payload = std::mem::replace(&mut answer.payload, placeholder);
        let parts: Vec<Bytes> = match payload {
            GetResultPayload::Stream(parts) => parts.try_collect().await?,
            payload @ GetResultPayload::File(..) => {
                answer.payload = payload;
                return Ok(answer);
            }
        };
        let held = Arc::clone(self);
        let parts = parts.into_iter().map(move |bytes| Ok(CountedBytes::begin(bytes, &held)));
        answer.payload = GetResultPayload::Stream(futures::stream::iter(parts).boxed());
        Ok(answer)
    }
}

impl CountedBytes {
    fn begin(bytes: Bytes, held: &Arc<HeldBytes>) -> Bytes {
        let length = to_length(bytes.len());
        let now = held.now.fetch_add(length, Ordering::SeqCst) + length;
        held.most.fetch_max(now, Ordering::SeqCst);
        Bytes::from_owner(Self { bytes, held: Arc::clone(held) })
    }
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for CountedBytes {
    fn drop(&mut self) {
        self.held.now.fetch_sub(to_length(self.bytes.len()), Ordering::SeqCst);
    }
}
