//! Values of given sizes that zstd shrinks a given number of times.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Random, Result, Zipfian};

/// How skewed the sizes are of which small ones come most.
const SIZE_SKEW: f64 = 0.99;

/// How many bytes something has, or how many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sizes {
    /// All as many.
    Fixed(u64),
    /// From the first to the second, all as often.
    Uniform(u64, u64),
    /// From the first to the second, the smaller the oftener: a Zipfian of skew 0.99.
    Zipfian(u64, u64),
}

impl Sizes {
    /// The least.
    #[must_use]
    pub fn min(self) -> u64 {
        match self {
            Self::Fixed(size) | Self::Uniform(size, _) | Self::Zipfian(size, _) => size,
        }
    }

    /// The greatest.
    #[must_use]
    pub fn max(self) -> u64 {
        match self {
            Self::Fixed(size) | Self::Uniform(_, size) | Self::Zipfian(_, size) => size,
        }
    }
}

/// `200`, `100-400` or `zipfian:1-1000`.
impl FromStr for Sizes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || {
            Error::Input(format!(
                "{text:?} is no size: give a number, as 200, a range, as 100-400, or a range of \
                 which small ones come most, as zipfian:1-1000"
            ))
        };
        let (is_zipfian, sizes) = match text.strip_prefix("zipfian:") {
            Some(sizes) => (true, sizes),
            None => (false, text),
        };
        let (min, max) = sizes.split_once('-').unwrap_or((sizes, sizes));
        let number = |text: &str| text.parse::<u64>().map_err(|_| refused());
        let (min, max) = (number(min)?, number(max)?);
        match (is_zipfian, min.cmp(&max)) {
            (_, std::cmp::Ordering::Greater) => Err(refused()),
            (false, std::cmp::Ordering::Equal) => Ok(Self::Fixed(min)),
            (false, std::cmp::Ordering::Less) => Ok(Self::Uniform(min, max)),
            (true, _) => Ok(Self::Zipfian(min, max)),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Uniform(min, max) => write!(f, "{min}-{max}"),
            Self::Zipfian(min, max) => write!(f, "zipfian:{min}-{max}"),
        }
    }
}

/// Draws sizes.
#[derive(Clone, Debug)]
pub(crate) struct SizeDraw {
    sizes: Sizes,
    zipfian: Option<Zipfian>,
}

impl SizeDraw {
    pub(crate) fn new(sizes: Sizes) -> Self {
        let zipfian = match sizes {
            Sizes::Zipfian(min, max) => Some(Zipfian::new(max - min + 1, SIZE_SKEW)),
            Sizes::Fixed(_) | Sizes::Uniform(..) => None,
        };
        Self { sizes, zipfian }
    }

    pub(crate) fn draw(&self, random: &mut Random) -> u64 {
        match (&self.zipfian, self.sizes) {
            (Some(zipfian), sizes) => sizes.min() + zipfian.draw(random),
            (None, Sizes::Fixed(size)) => size,
            (None, sizes) => sizes.min() + random.below(sizes.max() - sizes.min() + 1),
        }
    }
}

/// Values, each determined by its number, so that an oracle need only remember numbers.
#[derive(Clone, Debug)]
pub struct Values {
    seed: u64,
    sizes: SizeDraw,
    compressibility: f64,
}

impl Values {
    /// Values that zstd shrinks about `compressibility` times, determined by `seed`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if the compressibility is below 1, or no number.
    pub fn new(seed: u64, sizes: Sizes, compressibility: f64) -> Result<Self> {
        if !(compressibility.is_finite() && compressibility >= 1.0) {
            return Err(Error::Input(format!(
                "a compressibility of {compressibility} is not possible: it says how many times \
                 zstd shrinks a value, 1 or more"
            )));
        }
        Ok(Self { seed, sizes: SizeDraw::new(sizes), compressibility })
    }

    /// The value of that number: a random part, and repeats of it that a compressor finds.
    #[must_use]
    pub fn value(&self, number: u64) -> Vec<u8> {
        let mut random = Random::new(self.seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let size = usize::try_from(self.sizes.draw(&mut random)).expect("it fits memory");
        let unlike = random_part(size, self.compressibility);
        let mut value = Vec::with_capacity(size + 8);
        while value.len() < unlike {
            value.extend_from_slice(&random.next_u64().to_le_bytes());
        }
        value.truncate(unlike);
        while value.len() < size {
            let more = unlike.min(size - value.len());
            value.extend_from_within(..more);
        }
        value
    }
}

/// How many of `size` bytes are random.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a value has fewer than 2^52 bytes, and at least none"
)]
fn random_part(size: usize, compressibility: f64) -> usize {
    ((size as f64 / compressibility).round() as usize).clamp(size.min(1), size)
}

#[cfg(test)]
mod tests;
