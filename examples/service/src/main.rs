//! A web service with its own sqlx and axum, under a lease:
//!
//!     DATABASE_URL=postgres://… cargo run --package example-service
//!
//! It takes requests while its lease is valid, says so at `/ready`, and finishes what it has begun when it is told to stop.

use std::error::Error;
use std::process::ExitCode;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use phasegate_lease::tower::{LeaseLayer, Readiness};
use phasegate_lease::{Lease, LeaseBuilder};
use sqlx::PgPool;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let pool = PgPool::connect_lazy(&std::env::var("DATABASE_URL")?)?;
    // Refused means that this version must not start now.
    let lease = asked_for(&pool).acquire().await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    let mut stop = signal(SignalKind::terminate())?;
    let draining = lease.clone();
    axum::serve(listener, service(&lease, pool))
        .with_graceful_shutdown(async move {
            // It comes from whoever rolls out, or from the lease when it is lost.
            stop.recv().await;
            draining.draining().await.ok();
        })
        .await?;
    lease.release().await?;
    // That it stopped in good order because its lease was lost does not make it a success.
    Ok(lease.loss().map_or(0, |loss| loss.exit_code()).into())
}

/// The lease is in the database of the pool, and knows the migrations that this program was built with.
fn asked_for(pool: &PgPool) -> LeaseBuilder {
    Lease::builder(pool, "web", env!("CARGO_PKG_VERSION")).embedded(phasegate_lease::embedded!())
}

fn service(lease: &Lease, pool: PgPool) -> Router {
    Router::new()
        .route("/users", get(users))
        .with_state(pool)
        .layer(LeaseLayer::new(lease.clone()))
        .route_service("/ready", Readiness::new(lease.clone()))
}

async fn users(State(pool): State<PgPool>) -> Result<String, StatusCode> {
    let count: Result<i64, _> = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&pool)
        .await;
    match count {
        Ok(count) => Ok(format!("{count} users\n")),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use phasegate_lease::LeaseError;
    use phasegate_lease::test::Control;
    use tower::ServiceExt as _;

    use super::*;

    fn pool() -> PgPool {
        PgPool::connect_lazy("postgres://me@127.0.0.1:1/shop").expect("a URL")
    }

    #[tokio::test]
    async fn it_is_ready_while_its_lease_is_valid() {
        let control = Control::new();
        let lease = asked_for(&pool()).controlled_by(&control).acquire().await;
        let lease = lease.expect("admitted");
        let service = service(&lease, pool());
        let ready = || async {
            let request = Request::get("/ready")
                .body(Body::empty())
                .expect("a request");
            service
                .clone()
                .oneshot(request)
                .await
                .expect("an answer")
                .status()
        };
        assert_eq!(ready().await, StatusCode::OK);
        control.lose();
        assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_version_that_is_refused_does_not_start() {
        let control = Control::new();
        control.refuse();
        let refused = asked_for(&pool()).controlled_by(&control).acquire().await;
        assert!(matches!(refused, Err(LeaseError::Refused(_))));
    }
}
