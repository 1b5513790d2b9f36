//! How many requests planned reads take, and how many of them one after the other, where nothing
//! but requests takes time.

use std::time::Duration;

use foldback_log_tier::TableId;
use foldback_log_tier::remote::{BucketUrl, RemoteLog, RemoteOptions};

use super::*;
use crate::test_bucket::{TestBucket, TestRow, commit};

const MIB: u64 = 1 << 20;
/// What each request waits for its answer.
const LATENCY: Duration = Duration::from_millis(50);

/// What reading took.
#[derive(Debug)]
struct Cost {
    gets: u64,
    gets_max: u64,
    /// How many requests were waited for one after the other.
    rounds: u128,
}

/// Rows of which each is a row group of a mebibyte that does not compress.
fn rows(seq: u64, keys: std::ops::Range<u32>) -> Vec<TestRow> {
    let row = |key: u32| {
        let mut state = u64::from(key) + 1 + seq * 1_000_003;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        let value = Some(std::iter::repeat_with(next).take(1_050_000).collect());
        TestRow { table: TableId(1), key: key.to_be_bytes().to_vec(), commit: commit(seq), value }
    };
    keys.map(row).collect()
}

fn all_groups(file: &HistoryEntry) -> Vec<u32> {
    (0..=file.tables[0].row_group_last).collect()
}

/// Reads what merges want as they do, key by key, as fast as it comes.
fn read(bucket: &TestBucket, merges: &[Vec<RowGroupsOf>]) -> Cost {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let url: BucketUrl = bucket.url().parse().expect("it is one");
        let latency = LATENCY.as_millis().to_string();
        let store_options = [("link_latency_ms".to_owned(), latency)].into();
        let options = RemoteOptions { store_options, ..RemoteOptions::default() };
        let remote = RemoteLog::connect(&url, &options).await.expect("it is there");
        let history = Arc::new(HistoryReader::new(remote.clone(), bucket.database()));
        let reads = history.plan_reads(merges, Arc::default());
        let began = tokio::time::Instant::now();
        for sources in merges {
            let mut wanted = Vec::new();
            for (file, groups) in sources {
                let number = reads.numbers[&file.name];
                // A merge begins with the first of each source.
                let of = |(at, index): (usize, &u32)| ((at > 0).then_some(at), number, *index);
                wanted.extend(groups.iter().enumerate().map(of));
            }
            wanted.sort_unstable();
            for (_, number, index) in wanted {
                let group = reads.fetching.group(number, index).await.expect("it is sound");
                assert!(!group.bytes.is_empty());
            }
        }
        let rounds = began.elapsed().as_millis() / LATENCY.as_millis();
        let traffic = remote.traffic();
        let files = u64::try_from(reads.numbers.len()).expect("few");
        let gets_max = files + traffic.bytes_read / (8 * MIB);
        Cost { gets: traffic.gets, gets_max, rounds }
    })
}

#[test]
fn files_that_are_small_take_one_request_each_and_all_at_once() {
    let bucket = TestBucket::shared("small-files");
    let files: Vec<_> =
        (1..=12).map(|seq| bucket.put_delta((seq, seq), &rows(seq, 0..2))).collect();
    let merge = files.iter().map(|file| (Arc::new(file.clone()), all_groups(file))).collect();
    let merges = [merge];
    assert_eq!(bucket_requests(&merges), 12);
    assert_eq!(opened_by_tail(&merges), []);
    let cost = read(&bucket, &merges);
    assert!(cost.gets == 12 && cost.gets <= cost.gets_max && cost.rounds == 1, "{cost:?}");
}

/// What the manifest says of where row groups lie is so.
fn check_parts(bucket: &TestBucket, file: &Arc<HistoryEntry>) {
    let (history, of) = (Arc::clone(bucket.reading().history), Arc::clone(file));
    let tail = bucket.reading().network.run(async move { history.tail(&of).await });
    let groups = tail.expect("it is sound").row_groups().to_vec();
    let mut next = 0;
    for part in file.tables[0].parts() {
        assert_eq!(part.row_groups.start, next);
        next = part.row_groups.end;
        let indexes: Vec<_> = part.row_groups.collect();
        let of_part: Vec<_> =
            groups.iter().filter(|group| indexes.contains(&group.index)).collect();
        let (first, last) = (of_part[0], of_part[of_part.len() - 1]);
        let bytes = of_part.iter().map(|group| group.bytes).sum();
        assert_eq!(file.extent(&indexes), Some((first.offset..last.range().end, bytes)));
        assert!(*part.key_min == first.key_min && last.key_max <= *part.key_max);
    }
    assert_eq!(next, file.tables[0].row_group_last + 1);
}

#[test]
fn a_large_file_is_read_far_ahead_by_few_requests() {
    let bucket = TestBucket::shared("large-file");
    let file = Arc::new(bucket.put_delta((1, 1), &rows(1, 0..60)));
    check_parts(&bucket, &file);
    let merges = [vec![(Arc::clone(&file), all_groups(&file))]];
    let cost = read(&bucket, &merges);
    assert_eq!(cost.gets, bucket_requests(&merges), "{cost:?}");
    assert!(cost.gets <= cost.gets_max && cost.gets >= 7, "{cost:?}");
    // Its tail, and then some runs at once.
    assert!(cost.rounds <= 4, "{cost:?}");
}

#[test]
fn a_merge_finds_what_it_reads_there_when_the_one_before_ends() {
    // Twelve pieces of base and a delta over all of them, which each piece reads a part of.
    let bucket = TestBucket::shared("pieces");
    let delta = Arc::new(bucket.put_delta((20, 20), &rows(20, 0..24)));
    let piece = |at: u32| {
        let seq = u64::from(at) + 1;
        let base = bucket.put_delta((seq, seq), &rows(seq, 2 * at..2 * at + 2));
        let groups = all_groups(&base);
        // A row group of the delta that lies on the border is read by both.
        let of_delta = (2 * at).saturating_sub(1)..2 * at + 2;
        vec![(Arc::new(base), groups), (Arc::clone(&delta), of_delta.collect())]
    };
    let merges: Vec<_> = (0..12).map(piece).collect();
    let cost = read(&bucket, &merges);
    assert!(cost.gets <= cost.gets_max, "{cost:?}");
    // 48 MiB, of which 32 are read ahead; one after the other it were 12 rounds and more.
    assert!(cost.rounds <= 5, "{cost:?}");
}
