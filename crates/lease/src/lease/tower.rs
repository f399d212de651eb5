//! A service under a lease: no work begins where it may not be done any more.
//!
//! ```
//! use axum::{Router, routing::get};
//! use phasegate_lease::Lease;
//! use phasegate_lease::tower::{LeaseLayer, Readiness};
//!
//! fn service(lease: &Lease) -> Router {
//!     Router::new()
//!         .route("/users", get(|| async { "…" }))
//!         // 503 with Retry-After once the lease is lost or draining.
//!         .layer(LeaseLayer::new(lease.clone()))
//!         // For whoever hands out the work: 200, or 503 and why.
//!         .route_service("/ready", Readiness::new(lease.clone()))
//! }
//! ```

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, Ready, ready};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::held::{Lease, LeaseState};

/// Answers 503 with `Retry-After` in place of a service whose lease is lost, draining or released.
///
/// What is being answered already goes on: who drains finishes it, and at a loss the process is about to end.
///
/// ```
/// use std::time::Duration;
/// use phasegate_lease::{Lease, tower::LeaseLayer};
///
/// /// Where the next instance takes over no sooner than that.
/// fn layer(lease: &Lease) -> LeaseLayer {
///     LeaseLayer::new(lease.clone()).retry_after(Duration::from_secs(5))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct LeaseLayer {
    lease: Lease,
    retry_after: HeaderValue,
}

impl LeaseLayer {
    /// A layer before services that use the database under this lease.
    pub fn new(lease: Lease) -> Self {
        Self {
            lease,
            retry_after: HeaderValue::from_static("1"),
        }
    }

    /// When a client is to ask again, one second by default: another instance is to answer it, so that is soon.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        // Whole seconds, and none that has begun is left out.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.retry_after = HeaderValue::from(seconds);
        self
    }
}

impl<S> Layer<S> for LeaseLayer {
    type Service = LeaseService<S>;

    fn layer(&self, inner: S) -> LeaseService<S> {
        LeaseService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind a [`LeaseLayer`].
///
/// ```
/// use phasegate_lease::tower::{LeaseLayer, LeaseService};
/// use tower::Layer as _;
///
/// fn behind<S>(layer: &LeaseLayer, inner: S) -> LeaseService<S> {
///     layer.layer(inner)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct LeaseService<S> {
    inner: S,
    layer: LeaseLayer,
}

impl<S, Q, B> Service<Request<Q>> for LeaseService<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<B>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        if self.layer.lease.state().is_ready() {
            return Either::Left(self.inner.call(request));
        }
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, self.layer.retry_after.clone());
        Either::Right(ready(Ok(response)))
    }
}

/// Answers whether the process takes new work: 200 while its lease is valid, and otherwise 503 with the state, and the reason
/// of a loss, as JSON.
///
/// ```
/// use axum::{Router, extract::State, routing::get};
/// use phasegate_lease::{Lease, tower::Readiness};
///
/// fn service(lease: &Lease) -> Router {
///     let readiness = Readiness::new(lease.clone());
///     // As a service, or in a handler of one's own.
///     Router::new()
///         .route_service("/ready", readiness.clone())
///         .route("/own", get(|State(readiness): State<Readiness>| async move { readiness.answer() }))
///         .with_state(readiness)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Readiness {
    lease: Lease,
}

impl Readiness {
    /// Of the process that holds this lease.
    pub const fn new(lease: Lease) -> Self {
        Self { lease }
    }

    /// The answer now, for a handler of one's own.
    #[must_use]
    pub fn answer(&self) -> Response<String> {
        let state = self.lease.state();
        let mut said = serde_json::json!({ "state": state.as_str() });
        if state == LeaseState::Lost
            && let Some(loss) = self.lease.loss()
            && let Some(fields) = said.as_object_mut()
        {
            fields.insert("reason".to_owned(), loss.to_string().into());
        }
        let mut response = Response::new(said.to_string());
        if !state.is_ready() {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl<Q> Service<Request<Q>> for Readiness {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Q>) -> Self::Future {
        ready(Ok(self.answer()))
    }
}

#[cfg(all(test, feature = "test"))]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::lease::Loss;
    use crate::lease::blocking::block_on;
    use crate::lease::test::Control;

    fn service(lease: &Lease) -> Router {
        let layer = LeaseLayer::new(lease.clone()).retry_after(Duration::from_millis(1500));
        Router::new()
            .route("/users", get(|| async { "Ada" }))
            .layer(layer)
            .route_service("/ready", Readiness::new(lease.clone()))
    }

    fn asked(service: &Router, path: &str) -> (u16, Option<String>, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = block_on(service.clone().oneshot(request)).unwrap();
        let after = response.headers().get(RETRY_AFTER);
        let after = after.map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = block_on(to_bytes(response.into_body(), 10_000)).unwrap();
        (status, after, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_service_answers_while_its_lease_is_valid_and_503_afterwards() {
        let control = Control::new();
        let lease = control.lease();
        let service = service(&lease);
        assert_eq!(asked(&service, "/users"), (200, None, "Ada".to_owned()));
        let ready = r#"{"state":"valid"}"#.to_owned();
        assert_eq!(asked(&service, "/ready"), (200, None, ready));

        block_on(lease.draining()).unwrap();
        let refused = (503, Some("2".to_owned()), String::new());
        assert_eq!(asked(&service, "/users"), refused);
        let draining = r#"{"state":"draining"}"#.to_owned();
        assert_eq!(asked(&service, "/ready"), (503, None, draining));

        control.lose_by(Loss::Panicked);
        assert_eq!(asked(&service, "/users"), refused);
        let (status, _, said) = asked(&service, "/ready");
        assert!(status == 503 && said.contains("has panicked"), "{said}");

        block_on(lease.release()).unwrap();
        assert_eq!(asked(&service, "/users"), refused);
        let released = r#"{"state":"released"}"#.to_owned();
        assert_eq!(asked(&service, "/ready"), (503, None, released));
    }
}
