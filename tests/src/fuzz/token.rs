//! The only door without a certificate: a token as an operator copies it, and a request for a certificate.

#![allow(clippy::unwrap_used)]

use super::ground::{self, COMMUNITY, NOW};
use std::sync::{Arc, OnceLock};
use taizhang_hub::{
    authority::{Authority, EnrolmentService},
    rows::TokenRow,
    writer::{Job, Writer},
};
use taizhang_node::identity::{CertName, Token, name_in, pem};
use taizhang_proto::pb::{self, enrolment_server::Enrolment};

/// The secret of the token that is good.
const SECRET: [u8; 16] = [5; 16];
/// The same as it is sent.
const SENT: &str = "BQUFBQUFBQUFBQUFBQUFBQ";

fn authority() -> Arc<Authority> {
    static AUTHORITY: OnceLock<Arc<Authority>> = OnceLock::new();
    let make = || {
        let dir = tempfile::tempdir().unwrap();
        Authority::init(dir.path(), ground::unit(ground::DISTRICT), NOW / 1_000).unwrap();
        Arc::new(Authority::load(dir.path(), ground::unit(ground::DISTRICT)).unwrap())
    };
    AUTHORITY.get_or_init(make).clone()
}

/// A token's text and bytes are read or refused; a request is answered or refused; whatever was said, the good token
/// still enrols one honest computer, unless it was used by who knew it.
pub fn token(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match first % 4 {
        0 => {
            if let Ok(token) = Token::from_text(&text) {
                assert_eq!(Token::from_text(&token.to_text()).ok().as_ref(), Some(&token), "a token comes back");
            }
        }
        1 => {
            if let Ok(name) = text.parse::<CertName>() {
                assert_eq!(name.to_string().parse::<CertName>().ok(), Some(name), "a name comes back");
            }
        }
        2 => drop(name_in(rest)),
        _ => enrol(rest),
    }
}

fn enrol(data: &[u8]) {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let (kind, rest) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let request = pb::EnrolRequest {
        token: if kind & 1 == 0 {
            SENT.to_owned()
        } else {
            String::from_utf8_lossy(&rest[..rest.len().min(80)]).into()
        },
        csr: if kind & 2 == 0 { pem("CERTIFICATE REQUEST", rest) } else { String::from_utf8_lossy(rest).into() },
    };
    let core = ground::district();
    let row = TokenRow { unit: COMMUNITY, expires: NOW / 1_000 + 3_600, ..TokenRow::default() };
    for answer in core.commit(vec![Job::Token(*blake3::hash(&SECRET).as_bytes(), row)]) {
        assert!(answer.is_ok());
    }
    let service = EnrolmentService::new(core.clone(), Writer::start(core).unwrap(), authority());
    // As the service runs: it reads the store on a thread that may block.
    let runtime = RUNTIME
        .get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime"));
    let ask = |request: pb::EnrolRequest| runtime.block_on(service.enrol(tonic::Request::new(request)));
    let answered = ask(request.clone());
    if let Ok(answer) = &answered {
        assert_eq!(answer.get_ref().unit, COMMUNITY, "the unit is the token's, whatever the request names");
        assert!(ask(request).is_ok(), "a lost answer can be asked for again");
    }
    let honest = pb::EnrolRequest { token: SENT.to_owned(), csr: honest_request().pem().unwrap() };
    let honest = ask(honest);
    assert!(honest.is_ok() != answered.is_ok(), "a token enrols one computer: {answered:?}, then {honest:?}");
}

/// A request of a new computer.
pub(super) fn honest_request() -> &'static rcgen::CertificateSigningRequest {
    static REQUEST: OnceLock<rcgen::CertificateSigningRequest> = OnceLock::new();
    REQUEST.get_or_init(|| {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::default().serialize_request(&key).unwrap()
    })
}

/// The token that is good, as an operator hands it over.
pub(super) fn good_token() -> Token {
    Token {
        address: "https://127.0.0.1:7443".into(),
        unit: COMMUNITY,
        hub_unit: ground::DISTRICT,
        secret: SECRET.to_vec(),
        authority: vec![0x30, 0x82, 1, 2],
        kind: 1,
    }
}
