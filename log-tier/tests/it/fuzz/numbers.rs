//! The numbers by which inputs are made and changed: the same for the same seed (splitmix64).

/// Draws numbers.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Numbers of their own for one purpose, which no draw of another one changes.
    pub(crate) fn of(seed: u64, purpose: u64, round: u64) -> Self {
        let mut own = Self(seed);
        for part in [purpose, round] {
            own.0 = own.draw() ^ part;
        }
        own
    }

    pub(crate) const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than `end`, or zero if `end` is zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("64 bits suffice");
        usize::try_from(self.draw() % end).expect("it is less than a length")
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let [byte, ..] = self.draw().to_le_bytes();
        byte
    }

    /// `length` bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// One of `choices`.
    pub(crate) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}
