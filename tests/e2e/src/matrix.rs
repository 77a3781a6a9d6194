//! The combinations of gateway and engine that the product must behave the same on.
//!
//! The macros make one test of each combination, so that a failure names it and each can be run alone.

use std::fmt;

use testbed::{EngineKind, GatewayKind};

/// A gateway in front of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Combination {
    /// What runs the filter.
    pub gateway: GatewayKind,
    /// What holds the accounts.
    pub engine: EngineKind,
}

impl Combination {
    /// Envoy in front of the embedded engine.
    pub const ENVOY_EMBEDDED: Self = Self::of(GatewayKind::Envoy, EngineKind::Embedded);
    /// Envoy in front of etcd.
    pub const ENVOY_ETCD: Self = Self::of(GatewayKind::Envoy, EngineKind::Etcd);
    /// `host-sim serve` in front of the embedded engine.
    pub const HOST_SIM_EMBEDDED: Self = Self::of(GatewayKind::HostSim, EngineKind::Embedded);
    /// `host-sim serve` in front of etcd.
    pub const HOST_SIM_ETCD: Self = Self::of(GatewayKind::HostSim, EngineKind::Etcd);

    const fn of(gateway: GatewayKind, engine: EngineKind) -> Self {
        Self { gateway, engine }
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.gateway.name(), self.engine.name())
    }
}

/// `everywhere!(name)`: the function `name(Combination)` of this file as one test for each combination.
#[macro_export]
macro_rules! everywhere {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn envoy_embedded() {
                super::$name($crate::Combination::ENVOY_EMBEDDED);
            }
            #[test]
            fn envoy_etcd() {
                super::$name($crate::Combination::ENVOY_ETCD);
            }
            #[test]
            fn host_sim_embedded() {
                super::$name($crate::Combination::HOST_SIM_EMBEDDED);
            }
            #[test]
            fn host_sim_etcd() {
                super::$name($crate::Combination::HOST_SIM_ETCD);
            }
        }
    )+};
}

/// `on_every_gateway!(name)`: as [`everywhere!`], on the embedded engine alone: for what no engine has a part in.
#[macro_export]
macro_rules! on_every_gateway {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn envoy_embedded() {
                super::$name($crate::Combination::ENVOY_EMBEDDED);
            }
            #[test]
            fn host_sim_embedded() {
                super::$name($crate::Combination::HOST_SIM_EMBEDDED);
            }
        }
    )+};
}

/// `on_every_engine!(name)`: as [`everywhere!`], behind Envoy alone: for what no other gateway adds to.
#[macro_export]
macro_rules! on_every_engine {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn envoy_embedded() {
                super::$name($crate::Combination::ENVOY_EMBEDDED);
            }
            #[test]
            fn envoy_etcd() {
                super::$name($crate::Combination::ENVOY_ETCD);
            }
        }
    )+};
}
