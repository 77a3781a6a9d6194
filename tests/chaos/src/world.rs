//! What all clients share: where the gateways are, whose tokens there are, and the books of all accounts.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use http::HeaderValue;
use testbed::{DevKeys, TokenRequest};

use crate::GATEWAYS;
use crate::board::Board;
use crate::books::Book;
use crate::connection::Connection;

/// All of them use the same names for their customers: what one of them changed must not be seen by another.
const TENANTS: [&str; 3] = ["alphashop", "betashop", "gammashop"];
/// Accounts of each tenant that all of its clients change.
const SHARED: usize = 3;
/// Accounts of each client that it alone changes.
const PRIVATE: usize = 4;
/// The tokens outlast the longest run.
const TOKEN_SECONDS: u64 = 24 * 3600;

/// The world of the clients.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) board: Board,
    gateways: [SocketAddr; GATEWAYS],
    authorizations: Vec<HeaderValue>,
    /// The shared accounts of all tenants, then the private ones of all clients.
    pub(crate) books: Vec<Arc<Book>>,
    clients: usize,
}

impl World {
    pub(crate) fn new(
        gateways: [SocketAddr; GATEWAYS],
        keys: &DevKeys,
        clients: usize,
    ) -> anyhow::Result<Self> {
        let mut authorizations = Vec::new();
        let mut books = Vec::new();
        for (number, tenant) in TENANTS.iter().enumerate() {
            let token = keys.token(&TokenRequest {
                expires_in_seconds: TOKEN_SECONDS,
                ..TokenRequest::new(tenant)
            })?;
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            authorizations.push(value.context("a token")?);
            books.extend((0..SHARED).map(|at| Book::new(number, format!("shared-{at}"))));
        }
        for client in 0..clients {
            let tenant = Self::tenant_of(client);
            // Without the client's number: other tenants have customers of that name.
            let place = client / TENANTS.len();
            let private = |at| Book::new(tenant, format!("private-{place}-{at}"));
            books.extend((0..PRIVATE).map(private));
        }
        Ok(Self {
            board: Board::new(),
            gateways,
            authorizations,
            books: books.into_iter().map(Arc::new).collect(),
            clients,
        })
    }

    /// How many clients there are.
    pub(crate) fn clients(&self) -> usize {
        self.clients
    }

    /// A tenant's name.
    pub(crate) fn tenant(&self, number: usize) -> &'static str {
        TENANTS.get(number).copied().unwrap_or("none")
    }

    /// How many tenants there are.
    pub(crate) fn tenants(&self) -> usize {
        TENANTS.len()
    }

    pub(crate) fn tenant_of(client: usize) -> usize {
        client % TENANTS.len()
    }

    /// The accounts that it shares with others, and its own.
    pub(crate) fn books_of(&self, client: usize) -> (Vec<Arc<Book>>, Vec<Arc<Book>>) {
        let slice = |from: usize, count: usize| {
            let part = self.books.iter().skip(from).take(count);
            part.map(Arc::clone).collect()
        };
        let shared = slice(Self::tenant_of(client) * SHARED, SHARED);
        let private = TENANTS.len() * SHARED + client * PRIVATE;
        (shared, slice(private, PRIVATE))
    }

    /// A connection to each gateway on behalf of a tenant.
    pub(crate) fn connections(&self, tenant: usize) -> [Connection; GATEWAYS] {
        let authorization = self.authorizations.get(tenant);
        let authorization = authorization
            .cloned()
            .unwrap_or(HeaderValue::from_static(""));
        self.gateways
            .map(|gateway| Connection::new(gateway, authorization.clone()))
    }

    /// A header's value with which a tenant's accounts can be read and changed.
    pub(crate) fn authorization(&self, tenant: usize) -> &[u8] {
        let authorization = self.authorizations.get(tenant);
        authorization.map_or(&[], HeaderValue::as_bytes)
    }
}
