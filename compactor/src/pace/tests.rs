//! Who rests when, and who leaves off.

use std::sync::atomic::AtomicI64;
use std::sync::{LazyLock, OnceLock};

use super::*;

static MICROS: AtomicI64 = AtomicI64::new(0);
static START: LazyLock<Instant> = LazyLock::new(real_now);

#[expect(clippy::disallowed_methods, reason = "a test needs one point of steady time")]
fn real_now() -> Instant {
    Instant::now()
}

/// Each look at the time finds it three milliseconds later.
fn stepping() -> Instant {
    let micros = MICROS.fetch_add(3_000, Ordering::SeqCst);
    *START + Duration::from_micros(micros.unsigned_abs())
}

#[test]
fn a_job_rests_only_while_others_write_and_leaves_off_at_once() {
    static PACE: OnceLock<Pace> = OnceLock::new();
    let pace = PACE.get_or_init(|| Pace::new(stepping));
    let began = real_now();
    let mut stride = pace.stride();
    (0..20 * ROWS_PER_LOOK).for_each(|_| stride.step().expect("nobody stops it"));
    let alone = real_now().duration_since(began);
    let began = real_now();
    for _ in 0..20 * ROWS_PER_LOOK {
        pace.note_foreground();
        stride.step().expect("nobody stops it");
    }
    let beside = real_now().duration_since(began);
    // Twenty looks at three milliseconds each are four slices at least, each rested for.
    assert!(beside >= alone + SLICE * 3, "{beside:?} beside writers, {alone:?} alone");
    pace.stop();
    let steps = (0..ROWS_PER_LOOK).map(|_| stride.step());
    assert!(steps.last().is_some_and(|last| matches!(last, Err(Error::Interrupted))));
    let began = real_now();
    pace.rest(Duration::from_secs(600));
    assert!(real_now().duration_since(began) < Duration::from_secs(60));
}
