//! What is left behind when a connection ends.

use std::sync::Arc;

use super::Connection;
use crate::service::Service;

/// Takes a connection out of the hub however its task ends.
#[derive(Debug)]
pub(crate) struct Leave {
    service: Arc<Service>,
    connection: Arc<Connection>,
}

impl Leave {
    pub(crate) fn new(service: &Arc<Service>, connection: &Arc<Connection>) -> Self {
        Self { service: Arc::clone(service), connection: Arc::clone(connection) }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.service.hub.leave(&self.connection);
        if let Some(session) = self.connection.session() {
            self.service.device_moved(session);
        }
    }
}
