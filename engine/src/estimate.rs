//! What a plan costs before it is run: requests, bytes, time and money.
//!
//! The plan counts requests and bytes exactly; a [`Costs`] table turns them into time and money. So
//! a wrong table makes a wrong price, and never a wrong plan.

use std::fmt;

use crate::{Error, RestorePlan, Result};

/// What a bucket charges for reads, and how fast it answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// The day whose prices these are, as `2025-01-31`; it is shown beside every price.
    pub as_of: String,
    /// What the prices are in, as `USD`.
    pub currency: String,
    /// Price of a thousand reads of an object or a part of one.
    pub gets_per_thousand: f64,
    /// Price of 10⁹ bytes that leave the bucket: zero where the reader is beside it.
    pub transfer_per_gb: f64,
    /// From asking for an object to its first byte, in milliseconds.
    pub request_millis: f64,
    /// How fast history is read, decoded and loaded, in MiB of the bucket's bytes a second.
    pub mib_per_sec: f64,
}

impl Costs {
    /// Amazon S3, storage class Standard, region us-east-1, read from outside of AWS: the list
    /// prices of <https://aws.amazon.com/s3/pricing/> on the day it names. Within the region
    /// `transfer_per_gb` is 0.
    #[must_use]
    pub fn s3_standard() -> Self {
        Self {
            as_of: "2025-01-01".to_owned(),
            currency: "USD".to_owned(),
            gets_per_thousand: 0.000_4,
            transfer_per_gb: 0.09,
            request_millis: 30.0,
            mib_per_sec: 60.0,
        }
    }

    /// A directory on a disk of this machine, which charges nothing.
    #[must_use]
    pub fn local() -> Self {
        let free = Self { gets_per_thousand: 0.0, transfer_per_gb: 0.0, ..Self::s3_standard() };
        Self { request_millis: 1.0, mib_per_sec: 100.0, ..free }
    }

    /// What holds, unless somebody says otherwise, for the bucket at `url`.
    #[must_use]
    pub fn of_bucket(url: &str) -> Self {
        match url.starts_with("s3:") {
            true => Self::s3_standard(),
            false => Self::local(),
        }
    }

    /// Refuses a table that can't be one; repairs none.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with the number, what it is and what it may be.
    pub fn check(&self) -> Result<()> {
        let prices = [
            ("gets_per_thousand", self.gets_per_thousand),
            ("transfer_per_gb", self.transfer_per_gb),
            ("request_millis", self.request_millis),
        ];
        for (name, number) in prices {
            if !(0.0..=1e6).contains(&number) {
                return Err(refused(name, number, "from 0 to 1,000,000"));
            }
        }
        match self.mib_per_sec > 0.0 && self.mib_per_sec <= 1e6 {
            true => Ok(()),
            false => Err(refused("mib_per_sec", self.mib_per_sec, "over 0, up to 1,000,000")),
        }
    }
}

fn refused(name: &str, number: f64, allowed: &str) -> Error {
    Error::Invalid(format!("cost {name} is {number}, it may be {allowed}"))
}

/// What a plan is expected to cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Requests to the bucket.
    pub requests: u64,
    /// Bytes from the bucket.
    pub bucket_bytes: u64,
    /// Bytes of local segments, which cost time only.
    pub segment_bytes: u64,
    /// Time, in microseconds.
    pub micros: u64,
    /// Money, in thousand millionths of the currency.
    pub money_nanos: u64,
}

impl Estimate {
    /// The money as people write it: `0.09 USD`, with at least two digits that count.
    #[must_use]
    pub fn money(&self, costs: &Costs) -> Money {
        Money { nanos: self.money_nanos, currency: costs.currency.clone() }
    }
}

/// A sum of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// Thousand millionths of the currency.
    pub nanos: u64,
    /// The currency.
    pub currency: String,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.nanos / 1_000_000_000, self.nanos % 1_000_000_000);
        let digits = format!("{part:09}");
        // Cents, and of less than a cent the first two digits that count.
        let leading = digits.bytes().take_while(|digit| *digit == b'0').count();
        let shown = if whole == 0 && part > 0 { (leading + 2).clamp(2, 9) } else { 2 };
        write!(f, "{whole}.{} {}", &digits[..shown], self.currency)
    }
}

impl RestorePlan {
    /// What running the plan is expected to cost. Of its requests two are waited for, those for the
    /// first files and the first rows; the others are made ahead of what is decoded.
    #[must_use]
    pub fn estimate(&self, costs: &Costs) -> Estimate {
        let (requests, bucket_bytes) = (self.bucket_requests(), self.bucket_bytes());
        let segment_bytes = self.segment_bytes();
        let waits = if self.files().next().is_some() { 2.0 * costs.request_millis } else { 0.0 };
        let per_byte = 1e6 / (costs.mib_per_sec * 1_048_576.0);
        let micros = waits * 1e3 + to_f64(bucket_bytes + segment_bytes) * per_byte;
        let money = to_f64(requests) * costs.gets_per_thousand * 1e6
            + to_f64(bucket_bytes) * costs.transfer_per_gb;
        let (micros, money_nanos) = (to_u64(micros), to_u64(money));
        Estimate { requests, bucket_bytes, segment_bytes, micros, money_nanos }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate has no 53 bits that count")]
fn to_f64(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast keeps within the bounds, and no cost is below zero"
)]
fn to_u64(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests;
