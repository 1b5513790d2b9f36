//! The workloads A to F of YCSB (Cooper and others, "Benchmarking cloud serving systems with
//! YCSB", SoCC 2010): what mix of operations, on which keys.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::values::SizeDraw;
use crate::{Error, Operation, Random, Result, Sizes, Values, Zipfian};

/// Keys are told apart by so many bytes.
pub const YCSB_KEY_BYTES_MIN: u64 = 16;
/// The skew that YCSB uses.
pub const YCSB_SKEW: f64 = 0.99;

/// What share of operations does what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum YcsbMix {
    /// Half reads, half updates.
    A,
    /// 95 % reads, 5 % updates.
    B,
    /// Reads alone.
    C,
    /// 95 % reads of what is new, 5 % inserts.
    D,
    /// 95 % short ranges, 5 % inserts.
    E,
    /// Half reads, half updates that read first.
    F,
}

/// Which keys are met how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum YcsbKeys {
    /// All as often, inserted ones too.
    Uniform,
    /// Some of the loaded ones much more often than others, scattered over all; the skew, below 1.
    Zipfian(f64),
    /// The newer the oftener; the skew, below 1.
    Latest(f64),
}

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct YcsbOptions {
    /// What share of operations does what.
    pub mix: YcsbMix,
    /// Which keys are met how often.
    pub keys: YcsbKeys,
    /// Keys that are loaded first.
    pub records: u64,
    /// Bytes of a key, [`YCSB_KEY_BYTES_MIN`] at least.
    pub key_bytes: Sizes,
    /// Bytes of a value.
    pub value_bytes: Sizes,
    /// How many times zstd shrinks values.
    pub compressibility: f64,
    /// Rows of a range.
    pub range_rows: Sizes,
    /// Determines everything.
    pub seed: u64,
}

impl YcsbMix {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::A, Self::B, Self::C, Self::D, Self::E, Self::F];

    /// The keys that YCSB has it meet.
    #[must_use]
    pub fn usual_keys(self) -> YcsbKeys {
        match self {
            Self::D => YcsbKeys::Latest(YCSB_SKEW),
            _ => YcsbKeys::Zipfian(YCSB_SKEW),
        }
    }

    /// How many of a hundred operations are the rarer kind; none of C's are.
    fn others_in_hundred(self) -> u64 {
        match self {
            Self::A | Self::F => 50,
            Self::B | Self::D | Self::E => 5,
            Self::C => 0,
        }
    }
}

impl FromStr for YcsbMix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|mix| mix.to_string().eq_ignore_ascii_case(text));
        known.ok_or_else(|| {
            Error::Input(format!("{text:?} is no workload of YCSB: they are A to F"))
        })
    }
}

impl fmt::Display for YcsbMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// `uniform`, `zipfian` or `latest`, the last two with a skew if it is not YCSB's: `zipfian:0.9`.
impl FromStr for YcsbKeys {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, skew) =
            text.split_once(':').map_or((text, None), |(name, skew)| (name, Some(skew)));
        let skew = match skew {
            None => Some(YCSB_SKEW),
            Some(skew) => skew.parse().ok().filter(|skew| (0.0..1.0).contains(skew)),
        };
        match (name, skew) {
            ("uniform", Some(_)) if text == name => Ok(Self::Uniform),
            ("zipfian", Some(skew)) => Ok(Self::Zipfian(skew)),
            ("latest", Some(skew)) => Ok(Self::Latest(skew)),
            _ => Err(Error::Input(format!(
                "{text:?} says of no keys how often they are met: give uniform, zipfian or latest, \
                 the last two with a skew from 0 to below 1 if it is not {YCSB_SKEW}: zipfian:0.9"
            ))),
        }
    }
}

impl fmt::Display for YcsbKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => write!(f, "uniform"),
            Self::Zipfian(skew) => write!(f, "zipfian:{skew}"),
            Self::Latest(skew) => write!(f, "latest:{skew}"),
        }
    }
}

impl YcsbOptions {
    /// The workload as YCSB has it, over `records` keys of 20 bytes with values of 200 bytes that
    /// zstd halves.
    #[must_use]
    pub fn usual(mix: YcsbMix, records: u64, seed: u64) -> Self {
        Self {
            mix,
            keys: mix.usual_keys(),
            records,
            key_bytes: Sizes::Fixed(20),
            value_bytes: Sizes::Fixed(200),
            compressibility: 2.0,
            range_rows: Sizes::Uniform(1, 100),
            seed,
        }
    }
}

/// The operations of one client out of several, without end. What it inserts no other client does,
/// and it meets loaded keys and its own inserts alone: every key that it asks for is there.
#[derive(Clone, Debug)]
pub struct Ycsb {
    options: YcsbOptions,
    random: Random,
    values: Values,
    key_sizes: SizeDraw,
    range_rows: SizeDraw,
    zipfian: Option<Zipfian>,
    client: u64,
    clients: u64,
    inserted: u64,
    written: u64,
}

impl Ycsb {
    /// Client number `client` of `clients`, counted from 0.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] for options that are not possible.
    pub fn new(options: YcsbOptions, client: u64, clients: u64) -> Result<Self> {
        assert!(client < clients, "clients are counted from 0");
        if options.records == 0 {
            return Err(Error::Input("a workload of YCSB needs records to begin with".to_owned()));
        }
        if options.key_bytes.min() < YCSB_KEY_BYTES_MIN {
            return Err(Error::Input(format!(
                "keys of {} bytes cannot be told apart: give {YCSB_KEY_BYTES_MIN} or more",
                options.key_bytes
            )));
        }
        let zipfian = match options.keys {
            YcsbKeys::Uniform => None,
            YcsbKeys::Zipfian(skew) | YcsbKeys::Latest(skew) if (0.0..1.0).contains(&skew) => {
                Some(Zipfian::new(options.records, skew))
            }
            YcsbKeys::Zipfian(skew) | YcsbKeys::Latest(skew) => {
                let say = format!("a skew of {skew} is not possible: it is 0 or more, and below 1");
                return Err(Error::Input(say));
            }
        };
        Ok(Self {
            random: Random::new(options.seed ^ Random::new(client).next_u64()),
            values: Values::new(options.seed, options.value_bytes, options.compressibility)?,
            key_sizes: SizeDraw::new(options.key_bytes),
            range_rows: SizeDraw::new(options.range_rows),
            zipfian,
            client,
            clients,
            inserted: 0,
            written: 0,
            options,
        })
    }

    /// The rows to begin with, in no order: the same for all clients.
    pub fn load(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
        (0..self.options.records).map(|number| (self.key(number), self.values.value(number)))
    }

    /// The next operation.
    pub fn operation(&mut self) -> Operation {
        let is_other = self.random.below(100) < self.options.mix.others_in_hundred();
        match (self.options.mix, is_other) {
            (YcsbMix::D | YcsbMix::E, true) => self.insert(),
            (YcsbMix::E, false) => {
                let first = self.draw();
                Operation::Range { first, rows: self.range_rows.draw(&mut self.random) }
            }
            (YcsbMix::F, true) => {
                Operation::ReadThenPut { key: self.draw(), value: self.next_value() }
            }
            (_, true) => Operation::Put { key: self.draw(), value: self.next_value() },
            (_, false) => Operation::Get { key: self.draw() },
        }
    }

    fn insert(&mut self) -> Operation {
        let key = self.key(self.number(self.options.records + self.inserted));
        self.inserted += 1;
        Operation::Put { key, value: self.next_value() }
    }

    fn next_value(&mut self) -> Vec<u8> {
        let number = self.options.records + self.written * self.clients + self.client;
        self.written += 1;
        self.values.value(number)
    }

    /// A key that is there.
    fn draw(&mut self) -> Vec<u8> {
        let count = self.options.records + self.inserted;
        let at = match (&self.zipfian, self.options.keys) {
            (None, _) => self.random.below(count),
            (Some(zipfian), YcsbKeys::Latest(_)) => count - 1 - zipfian.draw(&mut self.random),
            // The ranks are scattered over the keys, as names are in the world.
            (Some(zipfian), _) => {
                Random::new(zipfian.draw(&mut self.random)).below(self.options.records)
            }
        };
        self.key(self.number(at))
    }

    /// The number, among all clients, of the key that is this client's `at`-th: loaded ones come
    /// first, and are everybody's.
    fn number(&self, at: u64) -> u64 {
        match at.checked_sub(self.options.records) {
            None => at,
            Some(own) => self.options.records + own * self.clients + self.client,
        }
    }

    /// The key of that number: no two have the same, and neighbours do not lie together.
    fn key(&self, number: u64) -> Vec<u8> {
        // The first number of a source is a bijection of its seed.
        let mut key = format!("{:016x}", Random::new(number).next_u64()).into_bytes();
        let size = self.key_sizes.draw(&mut Random::new(!number));
        key.resize(usize::try_from(size).expect("it fits memory"), b'k');
        key
    }
}

#[cfg(test)]
mod tests;
