//! Whoever calls without a certificate.

use crate::{FIRST, still_sound, town, unit};
use taizhang_proto::pb::{EnrolRequest, TotalsRequest, enrolment_client::EnrolmentClient, totals_client::TotalsClient};
use taizhang_tests::hostile::{Wire, line};
use tonic::Code;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn somebody_without_a_certificate_may_only_try_a_token() {
    let (_dir, mut town, _) = town().await;
    let token = town.districts[0].gate().token(unit(FIRST), false).await.unwrap();
    let stranger = line::nobody(&token).await;
    let status = match Wire::open(stranger.clone()).await {
        Ok(session) => session.end().await,
        Err(status) => status,
    };
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    let asked = TotalsClient::new(stranger.clone()).query(TotalsRequest::default()).await;
    assert_eq!(asked.unwrap_err().code(), Code::Unauthenticated);
    for (token, csr) in
        [("", ""), ("no token", "no request"), ("AAAAAAAAAAAAAAAAAAAAAA", "-----BEGIN"), ("\u{0}", "\u{0}")]
    {
        let request = EnrolRequest { token: token.into(), csr: csr.into() };
        let status = EnrolmentClient::new(stranger.clone()).enrol(request).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    }
    still_sound(&mut town).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lines_that_say_nothing_or_no_tls_do_not_keep_the_others_out() {
    let (_dir, mut town, _) = town().await;
    let hub = town.districts[0].address;
    let mut held = Vec::new();
    for bytes in
        [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[0x16, 3, 1, 0xff, 0xff], &[0; 300], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        for _ in 0..8 {
            held.push(line::saying(hub, bytes).await);
        }
    }
    still_sound(&mut town).await;
    drop(held);
    town.stop().await;
}
