use super::*;
use crate::steady_now;

fn rate(bytes_per_sec: u64, now: Instant) -> ByteRate {
    ByteRate::new(NonZeroU64::new(bytes_per_sec).expect("it is not zero"), now)
}

#[test]
fn no_second_reads_more_than_the_rate_and_what_was_kept() {
    let begin = steady_now();
    let mut rate = rate(1_000, begin);
    let (mut now, mut read) = (begin, 0_u64);
    // Whoever waits as told reads at the rate, in pieces of whatever size.
    for piece in [1, 10, 999, 1_000, 1_001, 5_000, 3, 17].into_iter().cycle().take(400) {
        now += rate.take(piece, now);
        read += piece;
        let allowed = (now - begin).as_secs_f64() * 1_000.0;
        assert!((f64::from(u32::try_from(read).expect("few")) - allowed).abs() < 1.0, "{read}");
    }
}

#[test]
fn a_pause_earns_one_second_and_no_more() {
    let begin = steady_now();
    let mut rate = rate(1_000, begin);
    let later = begin + Duration::from_secs(3_600);
    assert_eq!(rate.take(1_000, later), Duration::ZERO);
    assert_eq!(rate.take(500, later), Duration::from_millis(500));
}

#[test]
fn any_number_of_bytes_has_a_time() {
    let now = steady_now();
    assert_eq!(rate(1, now).take(0, now), Duration::ZERO);
    assert_eq!(rate(u64::MAX, now).take(u64::MAX, now), Duration::from_secs(1));
    assert_eq!(rate(3, now).take(1, now), Duration::from_nanos(333_333_333));
}
