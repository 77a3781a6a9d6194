//! Amounts of points: what one entry may move, and what an account may hold.
//!
//! Both are bounded by construction, and there is no arithmetic on them but the checked one here.

/// The points of one entry, or what is left of one lot: 1 to 2^31 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Points(u32);

impl Points {
    /// 2^31 - 1: the largest amount that clients with 32-bit signed integers can read.
    pub const MAX: Points = Points(0x7fff_ffff);

    /// An amount of 1 to 2^31 - 1; none outside.
    pub fn new(points: u64) -> Option<Points> {
        let points = u32::try_from(points).ok()?;
        (1..=Points::MAX.0)
            .contains(&points)
            .then_some(Points(points))
    }

    /// The amount as a number.
    pub fn get(self) -> u64 {
        u64::from(self.0)
    }

    /// What is left when `taken` is taken away; none when that is nothing or less.
    pub fn minus(self, taken: Points) -> Option<Points> {
        self.get().checked_sub(taken.get()).and_then(Points::new)
    }
}

/// The active points of an account: 0 to 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Balance(u64);

impl Balance {
    /// Nothing active.
    pub const ZERO: Balance = Balance(0);
    /// 2^53 - 1: the largest integer that every JSON reader keeps exact.
    pub const MAX: Balance = Balance(0x1f_ffff_ffff_ffff);

    /// A balance of 0 to 2^53 - 1; none outside.
    pub fn new(points: u64) -> Option<Balance> {
        (points <= Balance::MAX.0).then_some(Balance(points))
    }

    /// The balance as a number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The balance with `points` more; none when it would pass the maximum.
    pub fn plus(self, points: Points) -> Option<Balance> {
        self.0.checked_add(points.get()).and_then(Balance::new)
    }

    /// The balance with `points` less; none when it would be negative.
    pub fn minus(self, points: Points) -> Option<Balance> {
        self.0.checked_sub(points.get()).map(Balance)
    }
}
