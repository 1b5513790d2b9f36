//! An upload in parts through a faulty store: each of its requests is a call that can fail.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::StoreCall;
use super::gate::CallGate;
use crate::Timestamp;

/// Parts and the end of the upload count as puts, its abortion as a deletion.
#[derive(Debug)]
pub(super) struct FaultyUpload {
    pub(super) inner: Box<dyn MultipartUpload>,
    pub(super) gate: Arc<CallGate>,
    pub(super) at: Path,
    /// When it began, by the clock that a test has set.
    pub(super) begun: Option<Timestamp>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, body: PutPayload) -> UploadPart {
        let part = self.inner.put_part(body);
        let (gate, at) = (self.gate.clone(), self.at.clone());
        Box::pin(async move { gate.pass(StoreCall::Put, at.as_ref(), part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let Self { inner, gate, at, begun } = self;
        let work = async {
            let put = inner.complete().await?;
            gate.record(at, *begun);
            Ok(put)
        };
        gate.pass(StoreCall::Put, at.as_ref(), work).await
    }

    async fn abort(&mut self) -> Result<()> {
        let Self { inner, gate, at, .. } = self;
        gate.pass(StoreCall::Delete, at.as_ref(), inner.abort()).await
    }
}
