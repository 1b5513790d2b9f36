//! Tests of progress bars: every form can be drawn, and counts.

use super::*;

#[test]
fn every_form_of_bar_counts() {
    for unit in [ProgressUnit::Bytes, ProgressUnit::Items] {
        for total in [None, Some(10)] {
            let progress = Progress::draw_on(ProgressDrawTarget::hidden(), "import", total, unit);
            progress.set(3);
            progress.advance(4);
            assert_eq!(progress.bar.position(), 7);
            assert_eq!(progress.bar.length(), total);
        }
    }
}
