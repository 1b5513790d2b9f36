//! Latencies are what a caller would have waited.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{EngineKind, EngineSettings, RowChange};

/// How long the first commit takes.
const STALL: Duration = Duration::from_millis(100);

/// Stalls once, and takes no time after that.
#[derive(Default)]
struct Stalling(AtomicBool);

impl Engine for Stalling {
    fn commit(&self, _: Vec<RowChange>) -> Result<()> {
        if !self.0.swap(true, Ordering::Relaxed) {
            steady_wait(STALL);
        }
        Ok(())
    }

    fn get(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(false)
    }

    fn scan(&self, _: &[u8], _: usize, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

fn written(rate: Option<u64>) -> Written {
    let run = CommitRun {
        engine: EngineKind::Foldback,
        directory: std::path::PathBuf::new(),
        settings: EngineSettings { durable: true, memtable_bytes: 0, bucket: Default::default() },
        writers: 1,
        batch_events: 1,
        under_way: 1,
        value_bytes: 10,
        compressibility: 1.0,
        rate,
        until: Until::Batches(100),
        seed: 1,
    };
    let inserts = run.inserts().expect("it is possible");
    write(&Stalling::default(), &run, &inserts).expect("it does not fail")
}

/// In an open loop a thousand are due each second: the hundred that came due while the first one
/// stalled have all waited, the later the less. A closed loop does not see that.
#[test]
fn who_waits_behind_a_stall_is_counted() {
    let open = written(Some(1_000));
    let figures = open.latencies.figures();
    assert_eq!((open.batches, figures.count), (vec![100], 100));
    assert!(figures.p50 >= 40_000_000, "{figures:?}");
    let closed = written(None).latencies.figures();
    assert!(closed.max >= 100_000_000 && closed.p50 < 40_000_000, "{closed:?}");
}
