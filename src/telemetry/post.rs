//! How a batch of spans gets to the collector: over the same client as every other question to another server.

use std::path::PathBuf;
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::time::Instant;

use super::told::Told;

/// Posts what the exporter has written.
#[derive(Debug)]
pub(super) struct Poster {
    pub ca: Option<PathBuf>,
    /// Of one request.
    pub timeout: Duration,
    pub told: Told,
}

#[async_trait::async_trait]
impl HttpClient for Poster {
    /// On the thread that sends, which is nobody else's: it has no runtime, so there is one for each batch.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, body.to_vec());
        let sent = runtime.block_on(async {
            let deadline = Instant::now() + self.timeout;
            crate::web::send(request, self.ca.as_deref(), deadline).await
        });
        match sent {
            Ok(answer) => {
                if !answer.status().is_success() {
                    self.told.because(format!("it answers {}", answer.status()));
                }
                Ok(answer.map(Bytes::from))
            }
            Err(why) => {
                self.told.because(why.clone());
                Err(why.into())
            }
        }
    }
}
