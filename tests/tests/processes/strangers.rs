//! Lines that say nothing: however many a stranger opens, offices and operators get their answers.

use crate::town::{self, Town};
use std::net::TcpStream;
use taizhang_proto::pb::Empty;

/// More than a process may usually have open.
const LINES: usize = 1_100;

#[test]
fn idle_lines_without_a_certificate_keep_nobody_out() {
    // This process needs as many files as it opens lines.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    town::runtime().block_on(async {
        let mut town = Town::found(1, "live").await;
        let address = town.district.status()["address"].as_str().unwrap().replace("https://", "");
        let lines: Vec<TcpStream> = (0..LINES).map(|_| TcpStream::connect(&address).unwrap()).collect();
        town.offices[0].up().await;
        town::until("the office is heard", async || {
            let data = &town.offices[0].data;
            (town::fact(data, "connected").await? == "true").then_some(())
        })
        .await;
        let facts = town::admin(&town.district.data).await.unwrap().status(Empty {}).await.unwrap().into_inner().facts;
        let refused = facts.iter().find(|fact| fact.key == "lines_refused").unwrap();
        assert_ne!(refused.value, "0", "and it is told that somebody was turned away");
        drop(lines);
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
        town.district.stop().await;
    });
}
