//! Files out of a console. Invariant: a browser saves them and shows none of them; their names are as people read them.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use std::fmt::Write;

/// What kind of file it is, by its ending.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some("csv") => "text/csv; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A file to be saved under this name.
pub fn saved(name: &str, content: Vec<u8>) -> Response {
    let mut encoded = String::new();
    for byte in name.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        _ = if plain { write!(encoded, "{}", byte as char) } else { write!(encoded, "%{byte:02X}") };
    }
    let named = format!("attachment; filename*=UTF-8''{encoded}");
    ([(header::CONTENT_TYPE, kind(name).to_owned()), (header::CONTENT_DISPOSITION, named)], content).into_response()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_breaks_out_of_no_header() {
        let response = saved("台账\"\r\nSet-Cookie: x.xlsx", Vec::new());
        let named = response.headers()[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert_eq!(named, "attachment; filename*=UTF-8''%E5%8F%B0%E8%B4%A6%22%0D%0ASet-Cookie%3A%20x.xlsx");
    }
}
