//! Loopback ports that stay ours, also between a kill and a restart.
//!
//! A port of the kernel's ephemeral range may be taken by any outgoing connection as soon as its listener is down, and
//! two test processes may be handed the same one. So ports come from below that range, and each is held by a lock
//! on a file for as long as its [`Port`] lives.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::{Error, Result};

/// Below Linux's default ephemeral range, which starts at 32768.
const FIRST: u16 = 17_000;
const LAST: u16 = 31_999;

/// A reserved port of 127.0.0.1.
#[derive(Debug)]
pub struct Port {
    number: u16,
    // Held, never read: dropping it releases the reservation.
    _lock: Option<File>,
}

impl Port {
    /// Reserves a port that nobody listens on.
    ///
    /// # Errors
    /// [`Error::NoPort`] when the whole range is taken, [`Error::File`] when the reservation cannot be written.
    pub fn free() -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let dir = lock_dir();
        std::fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
        let span = LAST - FIRST + 1;
        // Processes start at different places, so that they seldom meet.
        let start =
            u16::try_from(std::process::id().wrapping_mul(97) % u32::from(span)).unwrap_or(0);
        for _ in 0..span {
            let step = NEXT.fetch_add(1, Ordering::Relaxed) % span;
            let number = FIRST + (start + step) % span;
            let path = dir.join(number.to_string());
            let lock = File::create(&path).map_err(Error::file("create", &path))?;
            if lock.try_lock().is_ok() && is_free(number) {
                return Ok(Self {
                    number,
                    _lock: Some(lock),
                });
            }
        }
        Err(Error::NoPort {
            first: FIRST,
            last: LAST,
        })
    }

    /// Takes a port that somebody chose.
    ///
    /// # Errors
    /// [`Error::PortInUse`] when another program listens on it.
    pub fn fixed(number: u16) -> Result<Self> {
        if is_free(number) {
            Ok(Self {
                number,
                _lock: None,
            })
        } else {
            Err(Error::PortInUse { port: number })
        }
    }

    /// The port's number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The loopback address with this port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

fn is_free(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
}

fn lock_dir() -> PathBuf {
    std::env::temp_dir().join("reward-points-ports")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_and_are_below_the_ephemeral_range() {
        let ports: Vec<Port> = (0..20)
            .map(|_| Port::free().expect("a free port"))
            .collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
        assert!(numbers.iter().all(|number| (FIRST..=LAST).contains(number)));
    }

    #[test]
    fn a_port_that_is_listened_on_is_refused_by_name() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let number = listener.local_addr().expect("address").port();
        let refused = Port::fixed(number).expect_err("in use");
        assert!(
            refused.to_string().contains(&number.to_string()),
            "{refused}"
        );
    }
}
