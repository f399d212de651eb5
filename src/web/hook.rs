//! Where something is posted to: a URL that may be a secret itself, and what it is signed with.
//!
//! Invariant: no error names more of the URL than its host, because whoever knows the rest may post there.

use std::fmt;
use std::io::Cursor;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{Request, StatusCode, Uri};
use ring::hmac;
use tokio::time::Instant;

use super::failure::in_words;
use super::secrets::Secret;
use crate::row::{Place, Row};

/// What begins a secret as the tools of Standard Webhooks write it; what follows is base64.
const PREFIX: &str = "whsec_";

/// A place to post to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    url: Secret,
    signed_with: Option<Secret>,
    ca: Option<PathBuf>,
}

/// What is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The same at each attempt, so that whoever gets it twice can tell.
    pub id: String,
    /// When it is sent, in seconds since the epoch.
    pub at: i64,
    pub json: String,
}

/// Why something did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// It may arrive the next time.
    Perhaps(String),
    /// Nothing will change by itself.
    Never(String),
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Perhaps(why) | Self::Never(why) => f.write_str(why),
        }
    }
}

impl Hook {
    /// The keys `url`, `url_env`, `url_file`, `secret_env`, `secret_file` and `ca` of a row.
    pub fn read(row: &mut dyn Row) -> Option<Self> {
        const EXAMPLE: &str = "url_env = \"SLACK_URL\"";
        let before = "";
        let plain = row.text("url", "url = \"http://127.0.0.1:9000/phasegate\"");
        let env = row.text("url_env", EXAMPLE);
        let file = row.text("url_file", "url_file = \"/run/secrets/slack\"");
        let ca = row.text("ca", "ca = \"/etc/ssl/shop-ca.pem\"");
        let secret_env = row.text("secret_env", "secret_env = \"HOOK_SECRET\"");
        let secret_file = row.text("secret_file", "secret_file = \"/run/secrets/hook\"");
        let signed_with = match (secret_env, secret_file) {
            (Some(name), None) => Some(Secret::Env { name, before }),
            (None, Some(path)) => Some(Secret::File { path, before }),
            (None, None) => None,
            (Some(_), Some(_)) => {
                let message = "there are two secrets".to_owned();
                let help = "keep one of `secret_env` and `secret_file`".to_owned();
                row.refuse(Place::Key("secret_file"), "two-secrets", message, help);
                return None;
            }
        };
        let url = match (plain, env, file) {
            (Some(url), None, None) => {
                if let Err(why) = parsed(&url) {
                    let help = format!("write for example `{EXAMPLE}`");
                    row.refuse(Place::Value("url"), "bad-url", why, help);
                    return None;
                }
                Secret::Plain(url)
            }
            (None, Some(name), None) => Secret::Env { name, before },
            (None, None, Some(path)) => Secret::File { path, before },
            _ => {
                let message = "it has to have one URL".to_owned();
                let help = format!(
                    "write for example `{EXAMPLE}`; or `url_file`, or `url` where it is no secret"
                );
                row.refuse(Place::Row, "bad-hook", message, help);
                return None;
            }
        };
        Some(Self {
            url,
            signed_with,
            ca: ca.map(PathBuf::from),
        })
    }

    /// Posts it once.
    ///
    /// # Errors
    /// Why it did not arrive.
    pub async fn post(&self, post: &Post, deadline: Instant) -> Result<(), Unsent> {
        match tokio::time::timeout_at(deadline, self.posted(post)).await {
            Ok(posted) => posted,
            Err(_) => Err(Unsent::Perhaps("there was no answer in time".to_owned())),
        }
    }

    async fn posted(&self, post: &Post) -> Result<(), Unsent> {
        let url = self.url.value().await.map_err(Unsent::Perhaps)?;
        let url = parsed(&url).map_err(Unsent::Perhaps)?;
        let host = url.host().unwrap_or_default().to_owned();
        let mut request = Request::post(url)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::USER_AGENT, "phasegate")
            .header("webhook-id", &post.id)
            .header("webhook-timestamp", post.at);
        if let Some(secret) = &self.signed_with {
            let secret = secret.value().await.map_err(Unsent::Perhaps)?;
            request = request.header("webhook-signature", signature(&secret, post));
        }
        let body = super::Body::new(Cursor::new(post.json.clone().into_bytes()));
        let request = request.body(body);
        let request = request.map_err(|error| Unsent::Never(error.to_string()))?;
        let client = super::client(self.ca.as_deref()).map_err(Unsent::Perhaps)?;
        let answer = client.request(request).await;
        let answer =
            answer.map_err(|error| Unsent::Perhaps(format!("{host}: {}", in_words(&error))))?;
        judged(&host, answer.status())
    }
}

fn judged(host: &str, status: StatusCode) -> Result<(), Unsent> {
    if status.is_success() {
        return Ok(());
    }
    let why = format!("{host} answered {status}");
    let is_passing = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
    Err(if is_passing {
        Unsent::Perhaps(why)
    } else {
        Unsent::Never(why)
    })
}

fn parsed(url: &str) -> Result<Uri, String> {
    let parsed: Option<Uri> = url.trim().parse().ok();
    let is_whole = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    };
    parsed
        .filter(is_whole)
        .ok_or_else(|| "this is no URL that begins with http:// or https://".to_owned())
}

/// As Standard Webhooks wants it: over the id, the moment and the body.
fn signature(secret: &str, post: &Post) -> String {
    let decoded = secret.strip_prefix(PREFIX);
    let decoded = decoded.and_then(|text| BASE64_STANDARD.decode(text).ok());
    let bytes = decoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let Post { id, at, json } = post;
    let tag = hmac::sign(&key, format!("{id}.{at}.{json}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // The example of the specification's own libraries.
        let post = Post {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            at: 1_614_265_330,
            json: "{\"test\": 2432232314}".to_owned(),
        };
        let signed = signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &post);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_ne!(signature("another secret", &post), signed);
    }

    #[test]
    fn what_may_pass_by_itself_is_tried_again() {
        let judge = |status: u16| judged("hooks", StatusCode::from_u16(status).unwrap());
        for status in [200, 202, 204] {
            assert_eq!(judge(status), Ok(()));
        }
        for status in [408, 425, 429, 500, 503] {
            assert!(matches!(judge(status), Err(Unsent::Perhaps(_))), "{status}");
        }
        for status in [301, 400, 401, 403, 404, 410] {
            assert!(matches!(judge(status), Err(Unsent::Never(_))), "{status}");
        }
    }

    #[test]
    fn only_what_can_be_posted_to_is_a_url() {
        for url in [
            "https://hooks.slack.com/services/T/B/x",
            "http://127.0.0.1:1/ ",
        ] {
            assert!(parsed(url).is_ok(), "{url}");
        }
        for url in ["", "hooks.slack.com/x", "ftp://x/", "https://", "file:///x"] {
            assert!(parsed(url).is_err(), "{url}");
        }
    }
}
