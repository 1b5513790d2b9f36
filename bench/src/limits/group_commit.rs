//! The least that a group commit is: threads hand a batch each to one that writes and syncs what
//! waits, and wakes them. What an engine for blocking callers adds to that is its own.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::{SyncGroup, noise, preallocated_file, rate};
use crate::{Error, Result};

/// How long the threads commit.
const RUN: Duration = Duration::from_millis(300);
/// Bytes of zeros that are written before; the file grows beyond them.
const PREALLOCATED_BYTES: u64 = 64 << 20;

/// A batch of a thread that waits until this is dropped.
struct Handed {
    thread: Thread,
    is_done: Arc<AtomicBool>,
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Batches a second that so many threads get onto the disk.
pub(super) fn group_commit_rate(path: &Path, group: SyncGroup) -> Result<f64> {
    let batch = noise(usize::try_from(group.batch_bytes()).expect("a batch fits memory"));
    let file = preallocated_file(path, PREALLOCATED_BYTES)?;
    let (hand_over, handed) = channel();
    let began = foldback::steady_now();
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_groups(file, path, &batch, handed));
        for _ in 0..group.writers {
            let hand_over = hand_over.clone();
            scope.spawn(move || commit_all(&hand_over, began));
        }
        drop(hand_over);
        writer.join().expect("the writer does not panic")
    });
    let rate = rate(written?, began);
    std::fs::remove_file(path).map_err(Error::io("remove", path))?;
    Ok(rate)
}

/// Has one batch after another written, each once the one before is on the disk.
fn commit_all(hand_over: &Sender<Handed>, began: Instant) {
    let is_done = Arc::new(AtomicBool::new(false));
    while began.elapsed() < RUN {
        let handed = Handed { thread: std::thread::current(), is_done: Arc::clone(&is_done) };
        // Nobody takes it if the disk has failed.
        let is_taken = hand_over.send(handed).is_ok();
        while !is_done.swap(false, Ordering::Acquire) {
            std::thread::park();
        }
        if !is_taken {
            return;
        }
    }
}

/// Writes and syncs what waits, until nobody is left who hands over; gives how many batches.
fn write_groups(
    mut file: File,
    path: &Path,
    batch: &[u8],
    handed: Receiver<Handed>,
) -> Result<u64> {
    let mut written = 0;
    while let Ok(first) = handed.recv() {
        let group: Vec<_> = std::iter::once(first).chain(handed.try_iter()).collect();
        file.write_all(&batch.repeat(group.len())).map_err(Error::io("write", path))?;
        file.sync_data().map_err(Error::io("sync", path))?;
        written += group.len() as u64;
    }
    Ok(written)
}
