//! The rules of reward points: accounts, lots, redeeming, expiry, history. Pure.
