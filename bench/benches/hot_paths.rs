//! The hot paths, timed: `cargo bench --bench hot_paths [-- NAME]`.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use foldback_bench::hot_paths::{HotPath, run_hot_work};

fn main() {
    let criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    let mut criterion = criterion.configure_from_args();
    for path in HotPath::ALL {
        let directory = tempfile::tempdir().expect("a temporary directory");
        path.prepare(directory.path()).expect("the engine works");
        let mut work = path.open(directory.path()).expect("the engine works");
        let about = run_hot_work(&mut work).expect("the engine works");
        let mut group = criterion.benchmark_group("hot_paths");
        group.throughput(Throughput::Elements(about));
        group.bench_function(path.name(), |bencher| {
            bencher.iter(|| run_hot_work(&mut work).expect("the engine works"));
        });
        group.finish();
    }
    criterion.final_summary();
}
