//! Tests of the picture: what it looks like, and that no history can break it.

use proptest::prelude::*;

use super::*;

const HOUR_MICROS: i64 = 3_600_000_000;
/// 2024-05-01T00:00:00Z.
const START_MICROS: i64 = 1_714_521_600_000_000;

fn commit(seq: u64, hour: i64, events: u64) -> TimelineCommit {
    let timestamp = Timestamp(START_MICROS + hour * HOUR_MICROS);
    TimelineCommit { commit: Commit { seq: Seq(seq), timestamp }, events }
}

fn mark(seq: u64, label: &str) -> TimelineMark {
    let hours = i64::try_from(seq).expect("small");
    let instant = Timestamp(START_MICROS + hours * HOUR_MICROS);
    TimelineMark { seq: Seq(seq), instant, label: label.to_owned() }
}

fn style(width: usize, axis: TimelineAxis) -> TimelineStyle {
    TimelineStyle { width, colour: false, axis }
}

#[test]
fn a_history_by_seq_is_a_picture() {
    let commits: Vec<TimelineCommit> =
        (1..=40).map(|seq| commit(seq, 2 * i64::try_from(seq).expect("small"), seq % 10)).collect();
    let marks = [
        mark(1, "the first commit"),
        mark(20, "in the middle"),
        mark(20, "again"),
        mark(40, "last"),
    ];
    let timeline = Timeline {
        table: "main",
        commits: &commits,
        seals: &[Seq(10), Seq(25), Seq(40)],
        bases: &[Seq(1)],
        marks: &marks,
    };
    let expected = "\
main: 40 commits, 180 events
a column is 1 commit, the tallest has 9 events
               ▄█        ▄█        ▄█        ▄█
            ▁▅███     ▁▅███     ▁▅███     ▁▅███
          ▂▆█████   ▂▆█████   ▂▆█████   ▂▆█████
events  ▃▇███████ ▃▇███████ ▃▇███████ ▃▇███████
        ────────────────────────────────────────
        #1                                   #40
seals            │              │              │
bases   ◆
at      a                  b                   d
                           c
  a   #1  2024-05-01T01:00:00.000000Z  the firs…
  b  #20  2024-05-01T20:00:00.000000Z  in the m…
  c  #20  2024-05-01T20:00:00.000000Z  again
  d  #40  2024-05-02T16:00:00.000000Z  last
";
    assert_eq!(draw_timeline(&timeline, style(48, TimelineAxis::Seq)), expected);
}

#[test]
fn a_history_by_time_shows_its_pauses() {
    let commits = [commit(1, 0, 8), commit(2, 1, 0), commit(3, 99, 16), commit(4, 100, 0)];
    let timeline =
        Timeline { table: "t", commits: &commits, seals: &[], bases: &[], marks: &[mark(0, "x")] };
    let expected = "\
t: 4 commits, 24 events
a column is 1h23m, the tallest has 16 events
                                                                               █
                                                                               █
        █                                                                      █
events  █                                                                      █
        ────────────────────────────────────────────────────────────────────────
        2024-05-01T00:00:00Z                                2024-05-05T04:00:00Z
at      a
  a  #0  2024-05-01T00:00:00.000000Z  x
";
    assert_eq!(draw_timeline(&timeline, style(80, TimelineAxis::Time)), expected);
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let commits = [commit(1, 0, 8), commit(2, 1, 1)];
    let timeline = Timeline {
        table: "t",
        commits: &commits,
        seals: &[Seq(2)],
        bases: &[Seq(1)],
        marks: &[mark(1, "x")],
    };
    let plain = draw_timeline(&timeline, style(60, TimelineAxis::Seq));
    let coloured =
        draw_timeline(&timeline, TimelineStyle { colour: true, ..style(60, TimelineAxis::Seq) });
    assert!(!plain.contains('\x1b'));
    assert!(coloured.contains("\x1b[32ma\x1b[0m"));
    let mut stripped = coloured;
    for code in ["\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[2m", "\x1b[0m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn an_empty_history_says_so() {
    let timeline = Timeline { table: "t", commits: &[], seals: &[], bases: &[], marks: &[] };
    assert_eq!(draw_timeline(&timeline, style(80, TimelineAxis::Time)), "t: no commits yet\n");
}

proptest! {
    #[test]
    fn no_history_breaks_it(
        steps in prop::collection::vec((1..1_000_u64, 0..i64::MAX / 64, 0..u64::MAX / 64), 1..40),
        flags in prop::collection::vec(any::<u64>(), 0..60),
        width in 0..400_usize,
        by_time in any::<bool>(),
    ) {
        let (mut seq, mut micros) = (0, i64::MIN / 2);
        let commits: Vec<TimelineCommit> = steps
            .iter()
            .map(|(seq_step, time_step, events)| {
                seq += seq_step;
                micros += time_step;
                let (seq, timestamp) = (Seq(seq), Timestamp(micros));
                TimelineCommit { commit: Commit { seq, timestamp }, events: *events }
            })
            .collect();
        let flags: Vec<Seq> = flags.into_iter().map(Seq).collect();
        let marks: Vec<TimelineMark> = flags
            .iter()
            .map(|seq| TimelineMark { seq: *seq, instant: Timestamp(0), label: "l".repeat(90) })
            .collect();
        let timeline =
            Timeline { table: "t", commits: &commits, seals: &flags, bases: &flags, marks: &marks };
        let axis = if by_time { TimelineAxis::Time } else { TimelineAxis::Seq };
        let drawn = draw_timeline(&timeline, style(width, axis));
        let width = width.clamp(WIDTH_MIN, WIDTH_MAX);
        prop_assert!(drawn.lines().all(|line| line.chars().count() <= width), "{}", drawn);
        prop_assert!(drawn.lines().all(|line| line.trim_end() == line), "{}", drawn);
        prop_assert!(drawn.contains('█'), "{}", drawn);
    }
}
