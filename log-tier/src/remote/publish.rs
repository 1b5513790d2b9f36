//! Publishing: who may create the next manifest, and how a process learns that it may not.
//!
//! A manifest is created under its number, which must not exist. When the answer is lost the object
//! is read again: its bytes name their writer. And because old manifests are deleted, so that a
//! stalled process could create one of their numbers anew, every creation is followed by a listing:
//! a higher number means that this process lost long ago.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::{ConditionalPuts, RemoteLog};
use crate::manifest::{MANIFEST_BYTES_MAX, Manifest};
use crate::{Error, Result, WriterId, names};

/// How often a manifest is put when the store says that it failed, and that it is not there.
const PUBLISH_ATTEMPTS_MAX: u32 = 5;

/// How often the manifests are listed when the newest is gone by the time it is read.
const NEWEST_ATTEMPTS_MAX: u32 = 5;

/// What one attempt to create a manifest came to.
enum Creation {
    /// The object holds our bytes.
    Ours,
    /// The object holds another's bytes.
    Taken(Box<Manifest>),
    /// There is no object, and this is what the store said.
    Absent(object_store::Error),
}

impl RemoteLog {
    /// Asks whether the store refuses to create an object that exists.
    ///
    /// It sees a store that ignores the condition, not one that checks it without a lock.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if it does not; [`Error::Store`] if it does not answer, or may not
    /// be written.
    pub async fn probe(&self) -> Result<()> {
        if self.conditional_puts == ConditionalPuts::SingleWriterDeclared {
            return Ok(());
        }
        let name = names::probe(WriterId::random());
        let first = self.create(&name, Bytes::from_static(b"first")).await;
        let second = match first {
            // A retry inside the client can meet its own object; the store has then refused once.
            Ok(()) | Err(object_store::Error::AlreadyExists { .. }) => {
                self.create(&name, Bytes::from_static(b"second")).await
            }
            Err(source) => return Err(self.refused("create", &name)(source)),
        };
        // What the scratch object could still tell is known; one that stays does no harm.
        drop(self.store.delete(&ObjectPath::from(name.as_str())).await);
        match second {
            Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(source) => Err(self.refused("create", &name)(source)),
            Ok(()) => Err(Error::Unsupported(format!(
                "cannot publish to {}: this store answers a second create of the same object with \
                 success, so two processes could both publish and lose each other's history. Use a \
                 store with conditional writes (AWS S3, MinIO, Google Cloud Storage, Azure), or, \
                 if no other process will ever write to this bucket, declare that with \
                 single_writer = true",
                self.name
            ))),
        }
    }

    /// The manifest with the highest number, or `None` if the bucket has none.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Unsupported`] as [`Manifest::decode`] says,
    /// [`Error::Store`] if the store does not answer.
    pub async fn newest_manifest(&self) -> Result<Option<Manifest>> {
        let mut attempts = 0;
        loop {
            let Some(number) = self.list_manifests().await?.pop() else { return Ok(None) };
            if let Some(manifest) = self.manifest(number).await? {
                return Ok(Some(manifest));
            }
            // A newer one was published and this one deleted between the two requests.
            attempts += 1;
            if attempts == NEWEST_ATTEMPTS_MAX {
                return Err(Error::Missing { object: names::manifest(number) });
            }
        }
    }

    /// Manifest `number`, or `None` if it is not in the bucket.
    ///
    /// # Errors
    ///
    /// As [`Self::newest_manifest`].
    pub async fn manifest(&self, number: u64) -> Result<Option<Manifest>> {
        let name = names::manifest(number);
        let body = self.read_whole(&name, MANIFEST_BYTES_MAX).await?;
        body.map(|body| Manifest::decode(&name, &body)).transpose()
    }

    /// The numbers of all manifests in the bucket, ascending.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store does not answer.
    pub async fn list_manifests(&self) -> Result<Vec<u64>> {
        let objects = self.list(names::MANIFEST_PREFIX).await?;
        let mut numbers: Vec<_> =
            objects.iter().filter_map(|(name, _)| names::parse_manifest(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The highest number of a manifest after `known`, if there is one. It costs the same however
    /// many manifests there are before.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store does not answer.
    pub async fn newer_manifest(&self, known: u64) -> Result<Option<u64>> {
        let prefix = ObjectPath::from(names::MANIFEST_PREFIX);
        let offset = ObjectPath::from(names::manifest(known));
        let newer: Vec<_> = self
            .store
            .list_with_offset(Some(&prefix), &offset)
            .map_ok(|meta| names::parse_manifest(meta.location.as_ref()))
            .try_collect()
            .await
            .map_err(self.refused("list", names::MANIFEST_PREFIX))?;
        // A store that knows no offset lists all.
        Ok(newer.into_iter().flatten().max().filter(|newest| *newest > known))
    }

    /// Creates `manifest`, which must be the newest. Publishing the same bytes again is fine.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`] if another process has published this number or a higher one: this one
    /// must stop. Also if this process itself has published other bytes by this number, which
    /// happens when it gave up on an answer and went on: then what it believes is not what the
    /// bucket says. [`Error::Store`] if the store refuses or does not answer: the manifest may then
    /// be there or not, and only the same bytes may be published next. [`Error::Corrupt`] if the
    /// manifest breaks a rule of its format, or the bucket holds a damaged one.
    pub async fn publish(&self, manifest: &Manifest) -> Result<()> {
        let body = manifest.encode()?;
        let mut refusal = None;
        for _ in 0..PUBLISH_ATTEMPTS_MAX {
            match self.create_manifest(manifest, &body).await? {
                Creation::Ours => return self.check_newest(manifest).await,
                Creation::Taken(winner) => return Err(fenced(manifest, &winner)),
                Creation::Absent(source) => refusal = Some(source),
            }
        }
        let source = refusal.expect("there was at least one attempt, and it was refused");
        Err(self.refused("create", &names::manifest(manifest.number))(source))
    }

    /// Whether `ours`, which is in the bucket, has the highest number there.
    async fn check_newest(&self, ours: &Manifest) -> Result<()> {
        if self.newer_manifest(ours.number).await?.is_none() {
            return Ok(());
        }
        match self.newest_manifest().await? {
            Some(newest) if newest.number > ours.number => Err(fenced(ours, &newest)),
            _ => Ok(()),
        }
    }

    /// Tries once to create the object of `manifest`, and finds out what came of it.
    async fn create_manifest(&self, manifest: &Manifest, body: &Bytes) -> Result<Creation> {
        let name = names::manifest(manifest.number);
        let error = match self.create_declared(&name, body).await {
            Ok(()) => return Ok(Creation::Ours),
            Err(error) if is_definite(&error) => return Err(self.refused("create", &name)(error)),
            Err(error) => error,
        };
        let Some(found) = self.read_whole(&name, MANIFEST_BYTES_MAX).await? else {
            return Ok(Creation::Absent(error));
        };
        if found == *body {
            return Ok(Creation::Ours);
        }
        Ok(Creation::Taken(Box::new(Manifest::decode(&name, &found)?)))
    }

    /// Creates an object by the means that the operator has left: with one writer declared, the
    /// store need not know conditions, and a look is all the protection there is.
    pub(super) async fn create_declared(
        &self,
        name: &str,
        body: &Bytes,
    ) -> object_store::Result<()> {
        if self.conditional_puts == ConditionalPuts::Required {
            return self.create(name, body.clone()).await;
        }
        let path = ObjectPath::from(name);
        match self.store.head(&path).await {
            Ok(_) => Err(object_store::Error::AlreadyExists {
                path: name.to_owned(),
                source: "a look before the put found it".into(),
            }),
            Err(object_store::Error::NotFound { .. }) => {
                self.store.put(&path, PutPayload::from_bytes(body.clone())).await.map(drop)
            }
            Err(error) => Err(error),
        }
    }

    async fn create(&self, name: &str, body: Bytes) -> object_store::Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let payload = PutPayload::from_bytes(body);
        self.store.put_opts(&ObjectPath::from(name), payload, options).await.map(drop)
    }
}

/// Whether the store has said that it did nothing and will do nothing. Any other error may have
/// come after the object was made.
fn is_definite(error: &object_store::Error) -> bool {
    use object_store::Error as StoreError;
    matches!(
        error,
        StoreError::NotFound { .. }
            | StoreError::PermissionDenied { .. }
            | StoreError::Unauthenticated { .. }
            | StoreError::NotSupported { .. }
            | StoreError::NotImplemented { .. }
            | StoreError::InvalidPath { .. }
            | StoreError::UnknownConfigurationKey { .. }
    )
}

fn fenced(ours: &Manifest, winner: &Manifest) -> Error {
    Error::Fenced {
        number: winner.number,
        winner_epoch: winner.epoch,
        winner: winner.writer,
        epoch: ours.epoch,
    }
}
