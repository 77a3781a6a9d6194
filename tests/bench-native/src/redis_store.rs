//! Points in Redis, a key for each customer: one multiplexed connection, and a script where two steps must be one.

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use redis::{AsyncTypedCommands as _, Script};

use crate::store::{Owner, Redeemed};

/// Takes points only where there are as many. -1: no account, 0: too few, 1: done.
const REDEEM: &str = "local held = redis.call('GET', KEYS[1])
if not held then return -1 end
if tonumber(held) < tonumber(ARGV[1]) then return 0 end
redis.call('DECRBY', KEYS[1], ARGV[1])
return 1";

/// A connection that all requests share; commands of many requests travel together.
pub struct RedisStore {
    connection: MultiplexedConnection,
    redeem: Script,
}

impl RedisStore {
    /// Connects to `redis://IP:PORT`.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let client = redis::Client::open(url).with_context(|| format!("read {url}"))?;
        let connection = client.get_multiplexed_async_connection().await;
        Ok(Self {
            connection: connection.with_context(|| format!("connect to {url}"))?,
            redeem: Script::new(REDEEM),
        })
    }

    pub async fn balance(&self, owner: &Owner) -> anyhow::Result<Option<u64>> {
        let held = self.connection.clone().get(owner.as_str()).await?;
        held.map(|text| text.parse().context("a balance in Redis"))
            .transpose()
    }

    pub async fn add(&self, owner: &Owner, points: u32) -> anyhow::Result<()> {
        let mut connection = self.connection.clone();
        connection.incr(owner.as_str(), points).await?;
        Ok(())
    }

    pub async fn redeem(&self, owner: &Owner, points: u32) -> anyhow::Result<Redeemed> {
        let mut connection = self.connection.clone();
        let mut call = self.redeem.key(owner.as_str());
        let outcome: i64 = call.arg(points).invoke_async(&mut connection).await?;
        Ok(match outcome {
            1 => Redeemed::Done,
            0 => Redeemed::TooFew,
            _ => Redeemed::Unknown,
        })
    }
}
