//! What is asked over HTTP, one GET after another, and what is posted; with TLS, and secrets from where they are kept.
//!
//! Invariant: what was not answered with 200, whole and in time, is no answer; and a secret goes to the server that it is for.

mod failure;
mod hook;
mod path;
pub mod prometheus;
mod secrets;

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::time::Instant;

use crate::row::{Place, Row};
use failure::in_words;
pub use hook::{Hook, Post, Unsent};
pub use path::JsonPath;
use secrets::Secret;

/// No answer is as large, and nothing that a server sends may fill the memory.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// Nor is what a server says of what it was sent.
#[cfg(feature = "otlp")]
const LONGEST_WORD: usize = 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(10);
/// As much of what a server says is told.
const LONGEST_SAID: usize = 300;

/// Of bytes of our own.
type Body = Full<Cursor<Vec<u8>>>;
type Connected = Client<HttpsConnector<HttpConnector>, Body>;

/// Where something is asked, and with what.
#[derive(Clone, Debug)]
pub struct Web {
    url: Uri,
    headers: Vec<(String, Secret)>,
    ca: Option<PathBuf>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub body: Vec<u8>,
    headers: HeaderMap,
}

impl Web {
    /// The keys `url`, `headers`, `token_env`, `token_file` and `ca` of a row.
    pub fn read(row: &mut dyn Row, example: &str) -> Option<Self> {
        let written = format!("url = \"{example}\"");
        if !row.has("url") {
            row.missing("url", &written);
        }
        let text = row.text("url", &written);
        let ca = row.text("ca", "ca = \"/etc/ssl/shop-ca.pem\"");
        let headers = secrets::read(row);
        let text = text?;
        let parsed: Option<Uri> = text.trim().parse().ok();
        let has_scheme = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
        let url = parsed.filter(|uri| has_scheme(uri) && uri.host().is_some());
        let help = format!("write for example `{written}`");
        let Some(url) = url else {
            let message = "this is no URL that begins with http:// or https://".to_owned();
            row.refuse(Place::Value("url"), "bad-url", message, help);
            return None;
        };
        if url
            .authority()
            .is_some_and(|who| who.as_str().contains('@'))
        {
            row.refuse(
                Place::Value("url"),
                "bad-url",
                "a password does not belong into this file".to_owned(),
                "leave it out of the URL, and name where it is: `headers = { Authorization = { env = \"SHOP_AUTHORIZATION\" } }`"
                    .to_owned(),
            );
            return None;
        }
        Some(Self {
            url,
            headers,
            ca: ca.map(PathBuf::from),
        })
    }

    /// One without anything secret, for tests.
    #[cfg(test)]
    pub fn at(url: &str) -> Self {
        Self {
            url: url.parse().unwrap(),
            headers: Vec::new(),
            ca: None,
        }
    }

    #[must_use]
    pub const fn url(&self) -> &Uri {
        &self.url
    }

    /// A path below the URL, with a query.
    #[must_use]
    pub fn below(&self, path: &str, query: &[(&str, &str)]) -> String {
        let base = self.url.to_string();
        let mut url = format!("{}{path}", base.trim_end_matches('/'));
        for (at, (name, value)) in query.iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&encoded(value));
        }
        url
    }

    /// Where a link of an answer leads, seen from where that came from.
    ///
    /// # Errors
    /// A link that leads to another server, which is told no secrets of this one; or to nowhere.
    pub fn follow(&self, from: &Uri, link: &str) -> Result<Uri, String> {
        let scheme = from.scheme_str().unwrap_or("http");
        let authority = from.authority().map(http::uri::Authority::as_str);
        let authority = authority.unwrap_or_default();
        let whole = if link.contains("://") {
            link.to_owned()
        } else if link.starts_with('/') {
            format!("{scheme}://{authority}{link}")
        } else if link.starts_with('?') {
            format!("{scheme}://{authority}{}{link}", from.path())
        } else {
            let folder = from
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{link}")
        };
        let to: Uri = whole
            .parse()
            .map_err(|_| format!("the link to its next page, `{link}`, is no URL"))?;
        let is_same = to.scheme() == from.scheme() && to.authority() == from.authority();
        if !is_same {
            return Err(format!(
                "the link to its next page, `{link}`, leads to another server, which is not asked"
            ));
        }
        Ok(to)
    }

    /// Asks for one document.
    ///
    /// # Errors
    /// Why there is none, with the way out.
    pub async fn get(&self, url: &Uri, deadline: Instant) -> Result<Answer, String> {
        let got = tokio::time::timeout_at(deadline, self.got(url));
        match got.await {
            Ok(answer) => answer,
            Err(_) => Err(format!(
                "{url} did not answer in time: see whether it can be reached from here, or raise `timeout`"
            )),
        }
    }

    async fn got(&self, url: &Uri) -> Result<Answer, String> {
        let mut request = Request::get(url.clone())
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::USER_AGENT, "phasegate");
        for (name, secret) in &self.headers {
            let value = secret.value().await?;
            let value = http::HeaderValue::try_from(value)
                .map_err(|_| format!("{secret} holds what no header can"))?;
            request = request.header(name, value);
        }
        let asked = |error: &(dyn std::error::Error + 'static)| {
            format!("{url} cannot be asked: {}", in_words(error))
        };
        let request = request
            .body(Body::default())
            .map_err(|error| asked(&error))?;
        let response = client(self.ca.as_deref())?
            .request(request)
            .await
            .map_err(|error| asked(&error))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await;
        let body: Vec<u8> = body.map_err(|error| asked(&*error))?.to_bytes().into();
        if parts.status != StatusCode::OK {
            return Err(failure::refused(url, parts.status, &parts.headers, &body));
        }
        Ok(Answer {
            body,
            headers: parts.headers,
        })
    }
}

/// Sends a request as it is, to wherever it goes.
///
/// # Errors
/// Why there is no answer. It names no more of the URL than its host.
#[cfg(feature = "otlp")]
pub async fn send(
    request: Request<Vec<u8>>,
    ca: Option<&Path>,
    deadline: Instant,
) -> Result<http::Response<Vec<u8>>, String> {
    let host = request.uri().host().unwrap_or_default().to_owned();
    let sent = async {
        let asked = |error: &(dyn std::error::Error + 'static)| {
            format!("{host} cannot be asked: {}", in_words(error))
        };
        let request = request.map(|body| Body::new(Cursor::new(body)));
        let response = client(ca)?.request(request).await;
        let (parts, body) = response.map_err(|error| asked(&error))?.into_parts();
        let body = Limited::new(body, LONGEST_WORD).collect().await;
        let body: Vec<u8> = body.map_err(|error| asked(&*error))?.to_bytes().into();
        Ok(http::Response::from_parts(parts, body))
    };
    let late = || format!("{host} did not answer in time");
    let sent = tokio::time::timeout_at(deadline, sent).await;
    sent.unwrap_or_else(|_| Err(late()))
}

/// Made anew each time: authorities change, and a command asks seldom.
fn client(ca: Option<&Path>) -> Result<Connected, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?;
    let config = match ca {
        Some(path) => {
            let unread = |why: String| format!("`ca`, {}: {why}", path.display());
            let mut roots = RootCertStore::empty();
            let read =
                CertificateDer::pem_file_iter(path).map_err(|error| unread(error.to_string()))?;
            for certificate in read {
                let certificate = certificate.map_err(|error| unread(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| unread(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unread("there is no certificate in it".to_owned()));
            }
            builder.with_root_certificates(roots)
        }
        None => builder
            .with_platform_verifier()
            .map_err(|error| format!("the authorities of this machine: {error}"))?,
    };
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    connector.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config.with_no_client_auth())
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

impl Answer {
    /// Where the next page is, by the header `Link`.
    ///
    /// # Errors
    /// One that cannot be read: nobody knows whether it leads on.
    pub fn next(&self) -> Result<Option<String>, String> {
        let links = self.headers.get_all(http::header::LINK).into_iter();
        let texts: Result<Vec<&str>, _> = links
            .map(|link| std::str::from_utf8(link.as_bytes()))
            .collect();
        let texts = texts.map_err(|error| format!("its header `Link` cannot be read: {error}"))?;
        let mut links = texts.into_iter().flat_map(|text| unquoted(text, ','));
        Ok(links.find_map(|link| {
            let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            let mut parameters = unquoted(parameters, ';').into_iter();
            let is_next = parameters.any(|one| {
                let Some((name, relation)) = one.split_once('=') else {
                    return false;
                };
                let relation = relation.trim().trim_matches(['"', '\'']);
                name.trim().eq_ignore_ascii_case("rel")
                    && relation
                        .split_whitespace()
                        .any(|word| word.eq_ignore_ascii_case("next"))
            });
            is_next.then(|| target.to_owned())
        }))
    }
}

/// The pieces of a header between these signs, where none stands in quotes or in `<…>` (RFC 8288).
fn unquoted(text: &str, between: char) -> Vec<&str> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    let (mut within, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match within {
            Some('"') if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(end) if c == end => within = None,
            Some(_) => {}
            None if c == '"' => within = Some('"'),
            None if c == '<' => within = Some('>'),
            None if c == between => {
                pieces.extend(text.get(from..at));
                from = at + c.len_utf8();
            }
            None => {}
        }
    }
    pieces.extend(text.get(from..));
    pieces
}

/// A value as it stands in a URL's query.
fn encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_on_at_the_same_server() {
        let from: Uri = "https://nomad:4646/v1/things?x=1".parse().unwrap();
        let follow = |link: &str| Web::at("https://nomad:4646/").follow(&from, link);
        for (link, to) in [
            (
                "https://nomad:4646/v1/things?page=2",
                "https://nomad:4646/v1/things?page=2",
            ),
            ("/v1/other", "https://nomad:4646/v1/other"),
            ("?page=2", "https://nomad:4646/v1/things?page=2"),
            ("more", "https://nomad:4646/v1/more"),
        ] {
            assert_eq!(follow(link).unwrap(), to, "{link}");
        }
        for link in [
            "https://other:4646/v1",
            "http://nomad:4646/v1",
            "https://nomad/v1",
        ] {
            assert!(
                follow(link).unwrap_err().contains("another server"),
                "{link}"
            );
        }
    }

    #[test]
    fn the_header_that_names_the_next_page() {
        let next = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::LINK, value.parse().unwrap());
            let body = Vec::new();
            Answer { body, headers }.next().unwrap()
        };
        assert_eq!(
            next("<?p=1>; rel=\"prev\", <?p=3>; rel=\"next\"").as_deref(),
            Some("?p=3")
        );
        assert_eq!(
            next("<?p=3>; title=\"x\"; rel=next").as_deref(),
            Some("?p=3")
        );
        for odd in [
            "<?p=3>; REL=next",
            "<?p=3>; title=\"a, b; rel=prev\"; rel=\"next\"",
            "<?p=3>; title=\"a \\\" b\"; rel=\"last NEXT\"",
            "<?p=1,2>; rel=prev,<?p=3> ; rel = next",
            "<?p=3>; rel='next'",
        ] {
            assert_eq!(next(odd).as_deref(), Some("?p=3"), "{odd}");
        }
        assert_eq!(next("<?p=1>; rel=\"prev\""), None);
        assert_eq!(next("nonsense"), None);
    }

    #[test]
    fn queries_are_encoded() {
        let url = Web::at("http://p:9090/").below("/api/v1/query", &[("query", "up{job=\"a b\"}")]);
        assert_eq!(
            url,
            "http://p:9090/api/v1/query?query=up%7Bjob%3D%22a%20b%22%7D"
        );
    }
}
