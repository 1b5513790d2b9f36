//! The whole engine against a map of every key's events: random histories over several tables, a
//! clock that stands, goes back and leaps, reopenings and seals, and restores at random targets.
//!
//! The model knows nothing of logs, files or bases. It predicts every commit's seq and timestamp,
//! every window, what every target comes to, and the whole state of every restore.

mod reference;
mod runner;
mod steps;

use proptest::prelude::*;
use proptest::test_runner::Config as Settings;

use self::runner::Runner;
use self::steps::{Setup, Step};

/// Histories that a run without PROPTEST_CASES tries.
const CASES: u32 = 250;
/// Tries to make a failing history shorter.
const SHRINKS_MAX: u32 = 400;

fn settings() -> Settings {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let default = Settings::default();
    let cases = if asked { default.cases } else { CASES };
    Settings { cases, max_shrink_iters: SHRINKS_MAX, failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn every_history_restores_as_the_model_says(
        setup in Setup::any(),
        steps in prop::collection::vec(Step::any(), 20..60),
    ) {
        let mut runner = Runner::start(&setup);
        for step in &steps {
            runner.apply(step);
        }
        runner.finish();
    }
}
