//! What stands around every page: who may ask, and what a browser may do with the answer.
//! Invariant: a page of another site can neither read a console nor act in it, whatever it makes the browser of somebody who is logged in
//! do: names that are not the console's own, forms from elsewhere, frames and foreign scripts are all refused.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Whether a `Host` is this computer: a name that somebody else points at it is not.
fn is_loopback(host: &str) -> bool {
    let name = host.strip_prefix('[').map_or_else(
        || host.rsplit_once(':').map_or(host, |(name, _)| name),
        |rest| rest.split(']').next().unwrap_or_default(),
    );
    ["127.0.0.1", "localhost", "::1"].contains(&name)
}

/// Whether an act comes from a page of the console itself. A browser that does not say is an old one: the form's own secret is asked too.
fn is_own(headers: &HeaderMap, host: &str) -> bool {
    let said = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match (said("origin"), said("sec-fetch-site")) {
        (Some(origin), _) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        (None, Some(site)) => site == "same-origin" || site == "none",
        (None, None) => true,
    }
}

/// Lets a request through, and says what may be done with the answer.
pub async fn around(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    if !is_loopback(&host) {
        let words = "此网址不是本台账的地址，请用启动时显示的地址打开 (open the address that `serve` printed)";
        return (StatusCode::MISDIRECTED_REQUEST, words).into_response();
    }
    let acts = ![Method::GET, Method::HEAD].contains(request.method());
    if acts && !is_own(request.headers(), &host) {
        let words = "请求来自别的网页，已拒绝；请从台账页面上操作 (the request came from another site)";
        return (StatusCode::FORBIDDEN, words).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_computer_s_own_names_are_taken() {
        for host in ["127.0.0.1:7100", "localhost", "[::1]:7100"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1.evil.example:7100", "[::2]:7100"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_form_of_another_site_is_none_of_ours() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            is_own(&headers, "127.0.0.1:7100")
        };
        assert!(with("origin", "http://127.0.0.1:7100") && with("sec-fetch-site", "same-origin"));
        assert!(!with("origin", "http://127.0.0.1:7101"), "another program of this computer");
        assert!(!with("origin", "null") && !with("sec-fetch-site", "cross-site"));
        assert!(is_own(&HeaderMap::new(), "127.0.0.1:7100"));
    }
}
