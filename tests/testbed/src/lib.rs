//! Starts engines and gateways on free loopback ports and stops them.
