//! Numbers of which few come often and most seldom (Gray and others, "Quickly generating
//! billion-record synthetic databases", SIGMOD 1994, as in YCSB).

use crate::Random;

/// Draws ranks below `count`: rank `r` about in proportion to `1 / (r + 1) ^ theta`.
#[derive(Clone, Debug)]
pub struct Zipfian {
    count: u64,
    theta: f64,
    alpha: f64,
    eta: f64,
    zeta: f64,
}

impl Zipfian {
    /// Ranks below `count`, which is over zero, with a skew of `theta` between 0 and 1.
    #[must_use]
    pub fn new(count: u64, theta: f64) -> Self {
        assert!(count > 0, "there is no rank below zero");
        assert!((0.0..1.0).contains(&theta), "a skew is at least 0 and below 1");
        let zeta = zeta(count, theta);
        let eta =
            (1.0 - (2.0 / as_float(count)).powf(1.0 - theta)) / (1.0 - zeta_of_two(theta) / zeta);
        Self { count, theta, alpha: 1.0 / (1.0 - theta), eta, zeta }
    }

    /// The next rank.
    pub fn draw(&self, random: &mut Random) -> u64 {
        // The upper 53 bits are all that a float between 0 and 1 can tell apart.
        let uniform = as_float(random.next_u64() >> 11) / as_float(1 << 53);
        let scaled = uniform * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < zeta_of_two(self.theta) {
            return 1.min(self.count - 1);
        }
        let part = (self.eta * uniform - self.eta + 1.0).powf(self.alpha);
        whole(as_float(self.count) * part).min(self.count - 1)
    }
}

fn zeta(count: u64, theta: f64) -> f64 {
    (1..=count).map(|rank| 1.0 / as_float(rank).powf(theta)).sum()
}

fn zeta_of_two(theta: f64) -> f64 {
    1.0 + 0.5_f64.powf(theta)
}

#[expect(clippy::cast_precision_loss, reason = "ranks and counts are far below 2^53")]
fn as_float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a rank: not negative, and below 2^53"
)]
fn whole(number: f64) -> u64 {
    number as u64
}
