//! Repeatable chance: SplitMix64, and a hash for choices that must not depend on how many were made before.

/// A row of numbers from a seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One number from several: the same for the same, whatever happened before.
#[must_use]
pub fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(STEP, |hash, part| {
        scramble(hash.wrapping_add(STEP) ^ scramble(*part))
    })
}

impl Random {
    /// The same seed gives the same row.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        scramble(self.0)
    }

    /// From 0 to `most`, not included; 0 when that is 0.
    pub fn below(&mut self, most: u64) -> u64 {
        self.next_number() % most.max(1)
    }

    /// From `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// True so many times in a thousand.
    pub fn per_mille(&mut self, often: u64) -> bool {
        self.below(1000) < often
    }

    /// One of them.
    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        let place = self.below(of.len() as u64);
        of[usize::try_from(place).unwrap_or(0)]
    }

    /// A pause of this length on average, exponentially distributed, bounded at eight times that.
    pub fn pause(&mut self, mean: u64) -> u64 {
        // Whole numbers alone, so that every machine draws the same: -ln(u) by halvings, then a straight line between.
        let drawn = self.next_number() | 1;
        let halvings = u64::from(drawn.leading_zeros());
        let rest = (drawn << halvings) >> 32 & 0x7fff_ffff;
        let in_256ths = (halvings * 256 + 256).saturating_sub(rest >> 23) * 177 / 256;
        (mean * in_256ths / 256).min(mean * 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_about_as_long_as_wanted() {
        let mut random = Random::new(7);
        let sum: u64 = (0..100_000).map(|_| random.pause(1000)).sum();
        assert!((90_000_000..=110_000_000).contains(&sum), "{sum}");
    }

    #[test]
    fn a_choice_depends_on_its_parts_and_on_nothing_else() {
        assert_eq!(mix(&[1, 2, 3]), mix(&[1, 2, 3]));
        assert_ne!(mix(&[1, 2, 3]), mix(&[1, 3, 2]));
        assert_ne!(mix(&[0]), mix(&[0, 0]));
    }
}
