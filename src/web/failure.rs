//! Why a server gave no answer, in words.

use std::error::Error;

use http::{HeaderMap, StatusCode, Uri};

use super::LONGEST_SAID;
use crate::text::secret;
use crate::text::shown::{shortened, with_causes};

/// An error with its causes, each once, and the way out where its words are known.
pub(super) fn in_words(error: &(dyn Error + 'static)) -> String {
    let words = with_causes(error);
    const WAYS: &[(&str, &str)] = &[
        (
            "UnknownIssuer",
            "; its certificate is signed by nobody whom we trust: name its authority with `ca = \"FILE\"`",
        ),
        // Of an authority that is called like ours and is another one: each cluster calls its own `kubernetes`.
        (
            "BadSignature",
            "; its certificate is signed by nobody whom we trust: name its authority with `ca = \"FILE\"`",
        ),
        (
            "not valid for name",
            "; its certificate is for another name: ask for it by one that it has",
        ),
        ("xpired", "; its certificate has expired: renew it"),
        (
            "onnection refused",
            "; see that the address is right and that the server is up",
        ),
    ];
    let way = WAYS.iter().find(|(known, _)| words.contains(known));
    let way = way.map_or("", |(_, way)| way);
    let words = secret::masked(&shortened(&words, LONGEST_SAID)).into_owned();
    format!("{words}{way}")
}

/// An answer that is none.
pub(super) fn refused(url: &Uri, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let said = String::from_utf8_lossy(body);
    let said = secret::masked(&shortened(said.trim(), LONGEST_SAID)).into_owned();
    let said = if said.is_empty() {
        status.canonical_reason().unwrap_or("no words").to_owned()
    } else {
        said
    };
    let way = match status.as_u16() {
        301..=308 => {
            let to = headers.get(http::header::LOCATION);
            let to = to.and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
            return format!("{url} leads to {to} ({status}): write that into `url` if it is right");
        }
        401 | 403 => {
            "; see that the token is right: `token_env`, `token_file` or `headers` say where it is"
        }
        404 => "; see that `url` is right",
        429 | 500..=599 => "; it is too busy, or not well: ask again in a while",
        _ => "",
    };
    format!("{url} answers {}: {said}{way}", status.as_u16())
}
