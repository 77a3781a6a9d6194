//! A simulated world as a stage.

use super::core_host::METRICS;
use super::world::{At, World};
use crate::driver::{
    Ask, Behaviour, EngineState, KeySeen, Outcome, Place, Request, Result, Service, Stage, Trouble,
};

/// No request waits longer, in milliseconds; one that does hangs.
const PATIENCE_MS: i64 = 120_000;
/// What [`Stage::linger`] lets pass: a tick of every worker.
const LINGER_MS: i64 = 100;

impl Stage for World {
    fn now_ms(&self) -> i64 {
        World::now_ms(self)
    }

    fn tenant(&mut self, name: &str) -> String {
        name.to_owned()
    }

    fn begin(&mut self, place: Place, request: &Request) -> Result<Ask> {
        self.send(place, request)
    }

    fn finish(&mut self, ask: Ask) -> Result<Outcome> {
        let until_ms = World::now_ms(self) + PATIENCE_MS;
        loop {
            if let Some(outcome) = self.done.remove(&ask) {
                return Ok(outcome);
            }
            if World::now_ms(self) >= until_ms {
                return Err(Trouble(format!(
                    "no answer within {PATIENCE_MS} ms: the request hangs"
                )));
            }
            self.step()?;
        }
    }

    fn leave(&mut self, ask: Ask) -> Result<()> {
        let found = self.open.iter().find(|(_, open)| open.ask == ask);
        // It may be over already.
        let Some((&(at, stream), _)) = found else {
            return Ok(());
        };
        self.open.remove(&(at, stream));
        self.call(at, |guest| guest.left(stream))
    }

    fn pass(&mut self, ms: u64) -> Result<()> {
        let ms = i64::try_from(ms).map_err(Trouble::of)?;
        let until_ms = World::now_ms(self).saturating_add(ms);
        self.leap_to(until_ms)
    }

    fn linger(&mut self) -> Result<()> {
        let until_ms = World::now_ms(self) + LINGER_MS;
        self.advance_to(until_ms)
    }

    fn engine(&mut self, state: EngineState) -> Result<()> {
        self.engine_becomes(state);
        Ok(())
    }

    fn serve(&mut self, service: Service, behaviour: Behaviour) -> Result<()> {
        match service {
            Service::Upstream => self.upstream = Some(behaviour),
            Service::KeyServer => self.key_server = Some(behaviour),
        }
        Ok(())
    }

    fn seen(&mut self, service: Service) -> Result<Vec<Request>> {
        Ok(match service {
            Service::Upstream => self.seen_upstream.clone(),
            Service::KeyServer => self.seen_key_server.clone(),
        })
    }

    fn lose_worker(&mut self, place: Place) -> Result<()> {
        self.lose(At {
            gateway: place.gateway,
            worker: place.worker.unwrap_or(0),
        })
    }

    fn mark(&mut self, key: &[u8], present: bool) -> Result<()> {
        if present {
            self.engine.put(key, b"");
        } else {
            self.engine.remove(key);
        }
        self.tell_watches();
        Ok(())
    }

    fn keys(&mut self, prefix: &[u8]) -> Result<Vec<KeySeen>> {
        let keys = self.engine.keys_below(prefix);
        Ok(keys
            .into_iter()
            .map(|key| KeySeen {
                writes: self.engine.version(&key),
                key: key.to_vec(),
            })
            .collect())
    }

    fn metric(&mut self, gateway: usize, name: &str) -> Result<u64> {
        let gateway = &self.gateways[gateway];
        let shared = gateway.shared.metrics.value(&format!("{METRICS}{name}"));
        let of_guests = || gateway.workers.iter().find_map(|it| it.guest.gauge(name));
        Ok(shared.or_else(of_guests).unwrap_or(0))
    }

    fn is_well(&mut self) -> Result<()> {
        // A trap has been told where it happened.
        Ok(())
    }

    fn log(&mut self, gateway: usize) -> Result<Vec<String>> {
        Ok(self.gateways[gateway].log.clone())
    }
}
