//! Idle connections, by host.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lockgate_filters::model::Str;
use tokio::time::Instant;

use super::connection::Connection;

/// Idle connections to one host.
const MAX_IDLE_PER_HOST: usize = 512;

/// How long a connection may be idle: below what providers' load balancers allow.
const MAX_IDLE: Duration = Duration::from_secs(50);

/// What connections are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tls: bool,
    pub(super) authority: Str,
}

/// Idle connections. The latest that came back goes out first, so that those that are not needed age.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<Key, Vec<(Instant, Connection)>>>,
}

impl Pool {
    pub(super) fn take(&self, key: &Key) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = idle.get_mut(key)?;
        let (since, connection) = connections.pop()?;
        if since.elapsed() > MAX_IDLE {
            // All below it are older still.
            connections.clear();
            return None;
        }
        Some(connection)
    }

    pub(super) fn give_back(&self, key: &Key, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = match idle.get_mut(key) {
            Some(connections) => connections,
            None => idle.entry(key.clone()).or_default(),
        };
        if connections.len() >= MAX_IDLE_PER_HOST {
            connections.remove(0);
        }
        connections.push((Instant::now(), connection));
    }
}
