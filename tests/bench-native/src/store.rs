//! What the service keeps: one number for each customer of each tenant, and how it changes.
//!
//! Far less than the gateway keeps (no lots, no expiry, no history, no replay of a repeated request): the comparison is
//! with the least that one could get away with.

use crate::memory_store::MemoryStore;
use crate::redis_store::RedisStore;

/// Whose points: tenant and customer, which hold no NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(String);

impl Owner {
    pub fn new(tenant: &str, customer: &str) -> Self {
        Self(format!("{tenant}\0{customer}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What became of a redemption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// Done.
    Done,
    /// There are fewer.
    TooFew,
    /// There is no account.
    Unknown,
}

/// Where it is kept.
pub enum Store {
    Memory(MemoryStore),
    Redis(RedisStore),
}

impl Store {
    pub async fn balance(&self, owner: &Owner) -> anyhow::Result<Option<u64>> {
        match self {
            Self::Memory(store) => Ok(store.balance(owner)),
            Self::Redis(store) => store.balance(owner).await,
        }
    }

    pub async fn add(&self, owner: Owner, points: u32) -> anyhow::Result<()> {
        match self {
            Self::Memory(store) => {
                store.add(owner, points);
                Ok(())
            }
            Self::Redis(store) => store.add(&owner, points).await,
        }
    }

    pub async fn redeem(&self, owner: &Owner, points: u32) -> anyhow::Result<Redeemed> {
        match self {
            Self::Memory(store) => Ok(store.redeem(owner, points)),
            Self::Redis(store) => store.redeem(owner, points).await,
        }
    }
}
