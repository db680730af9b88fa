//! Whoever calls without a certificate.

use crate::{FIRST, still_sound, town, unit};
use taizhang_proto::pb::{EnrolRequest, TotalsRequest, enrolment_client::EnrolmentClient, totals_client::TotalsClient};
use taizhang_tests::hostile::{Wire, line};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn health_is_one_word_for_everybody_and_reflection_is_for_children() {
    let (_dir, mut town, child) = town().await;
    let token = town.districts[0].gate().token(unit(FIRST), false).await.unwrap();
    let stranger = line::nobody(&token).await;
    let asked = HealthCheckRequest { service: String::new() };
    let answer = HealthClient::new(stranger.clone()).check(asked).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);

    let list = || {
        let all = MessageRequest::ListServices(String::new());
        tokio_stream::once(ServerReflectionRequest { host: String::new(), message_request: Some(all) })
    };
    let refused = ServerReflectionClient::new(stranger).server_reflection_info(list()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
    let known = child.connect().await.unwrap();
    let mut answers = ServerReflectionClient::new(known).server_reflection_info(list()).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(services)) = answer.message_response else { panic!("{answer:?}") };
    assert!(services.service.iter().any(|service| service.name.ends_with(".Sync")), "{services:?}");
    still_sound(&mut town).await;
    town.stop().await;
}
