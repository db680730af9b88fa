//! The one stylesheet and the one script, inside the program. Invariant: what is served under an address never changes, so a browser keeps
//! it; a new build has new addresses.

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::OnceLock;

const CSS: &str = include_str!("assets/taizhang.css");
const JS: &str = include_str!("assets/taizhang.js");

/// The digest that the addresses carry.
pub fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(CSS.as_bytes()).update(JS.as_bytes());
        hasher.finalize().to_hex()[..12].to_owned()
    })
}

/// The stylesheet's address.
pub fn css() -> String {
    format!("/assets/{}/taizhang.css", version())
}

/// The script's address.
pub fn js() -> String {
    format!("/assets/{}/taizhang.js", version())
}

/// Answers with one of them.
pub async fn serve(
    axum::extract::Path((asked, name)): axum::extract::Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let (text, kind) = match name.as_str() {
        "taizhang.css" => (CSS, "text/css; charset=utf-8"),
        "taizhang.js" => (JS, "text/javascript; charset=utf-8"),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let tag = format!("\"{}\"", version());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    // An older page of an older build gets today's file, and does not keep it.
    let keeps = if asked == version() { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keeps), (header::ETAG, tag.as_str())];
    (headers, Body::from(text)).into_response()
}
