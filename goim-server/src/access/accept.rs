//! The door: who may come in at all.

use std::sync::Arc;

use goim_core::Duration;
use quinn::{Endpoint, Incoming};

use super::bucket::{AddressBuckets, Allowance};
use super::session;
use crate::service::Service;
use crate::telemetry::Open;

/// Seconds of its rate that an address may use at once.
const BURST_S: u32 = 8;
/// Handshakes under way beyond which an address has to prove that it is there (RFC 9000, 8.1.2).
const UNPROVEN_MAX: usize = 512;

/// Takes connections until the endpoint is closed.
pub(crate) async fn accept(service: Arc<Service>, endpoint: Endpoint) {
    let rate_per_s = service.limits.handshakes_per_s;
    let allowance = Allowance { rate_per_s: rate_per_s.into(), burst: rate_per_s.saturating_mul(BURST_S) };
    let addresses = AddressBuckets::new(allowance);
    while let Some(incoming) = endpoint.accept().await {
        admit(&service, &endpoint, &addresses, incoming);
    }
}

fn admit(service: &Arc<Service>, endpoint: &Endpoint, addresses: &AddressBuckets, incoming: Incoming) {
    let open = usize::try_from(service.metrics.connections_open.value()).unwrap_or(usize::MAX);
    let under_way = endpoint.open_connections().saturating_sub(open);
    if under_way > UNPROVEN_MAX && !incoming.remote_address_validated() && incoming.may_retry() {
        // Fails only if it may not be retried.
        let _ = incoming.retry();
        return;
    }
    let now = service.clock.now();
    let allowed: Result<(), Duration> = addresses.take(now, incoming.remote_address().ip());
    if open >= service.limits.connections_max || allowed.is_err() {
        service.metrics.handshakes_refused_total.add(1);
        incoming.refuse();
        return;
    }
    let open = Open::connection(&service.metrics);
    tokio::spawn(session::serve(Arc::clone(service), incoming, open));
}
