//! For operators: is it alive, does it serve, what does it count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::service::Service;

/// What the answers are made of.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    pub(crate) service: Arc<Service>,
    /// Whether new clients should be sent here.
    pub(crate) ready: Arc<AtomicBool>,
}

/// Routes: `/healthz` (the process runs), `/readyz` (it takes clients), `/metrics` (Prometheus).
pub(crate) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn readyz(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    health.service.measure();
    (kind, health.service.metrics.render())
}
