//! What nobody should say: the session ends with a clear status, and the hub goes on.

use crate::{FIRST, ends, still_sound, town, unit};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::io::Write;
use taizhang_proto::{
    pb::{self, up},
    session::{MAX_BATCH_CHANGES, MAX_MESSAGE_BYTES},
};
use taizhang_tests::{
    books,
    hostile::{self, Wire, line},
};
use tonic::Code;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_build_that_does_not_fit_is_told_who_must_upgrade() {
    let (_dir, town, node) = town().await;
    for (version, who) in [(0, "upgrade the child"), (9, "upgrade the hub")] {
        let hello = pb::Hello { protocol_min: version, protocol_max: version, ..hostile::hello() };
        let status = Wire::greet(&node, hello).await.err().unwrap();
        println!("{version}..{version}: {}", status.message());
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().contains(who), "{}", status.message());
    }
    let newer = pb::Hello { protocol_max: 9, ..hostile::hello() };
    assert_eq!(Wire::greet(&node, newer).await.unwrap().1.protocol, taizhang_proto::session::PROTOCOL_MAX);
    town.stop().await;
}

fn push(raw_len: u32, changes: Vec<u8>) -> pb::Push {
    pb::Push { first: 1, last: 1, changes: changes.into(), raw_len, ..pb::Push::default() }
}

fn zstd(raw: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(raw, 3).unwrap()
}

/// A frame of a few KiB that unpacks to half a gibibyte.
fn bomb() -> Vec<u8> {
    let mut packer = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    let blank = vec![0; 1 << 20];
    for _ in 0..512 {
        packer.write_all(&blank).unwrap();
    }
    packer.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn garbage_ends_the_session_and_nothing_else() {
    let (_dir, mut town, node) = town().await;
    let mut random = StdRng::seed_from_u64(1);
    let noise: Vec<u8> = (0..5_000).map(|_| random.random()).collect();
    let (_, sound) = hostile::resident(1, unit(FIRST));
    let sound = hostile::push(1, &[sound]);
    let bomb = bomb();
    println!("a bomb of {} bytes", bomb.len());
    assert!(bomb.len() < 256 * 1024);
    let many = vec![hostile::resident(1, unit(FIRST)).1; MAX_BATCH_CHANGES + 1];

    let cases: Vec<(&str, pb::Push)> = vec![
        ("noise as zstd", push(5_000, noise.clone())),
        ("noise in zstd", push(5_000, zstd(&noise))),
        ("nothing", push(0, Vec::new())),
        ("says it is larger", pb::Push { raw_len: sound.raw_len + 1, ..sound.clone() }),
        ("says it is smaller", pb::Push { raw_len: sound.raw_len - 1, ..sound.clone() }),
        ("says it is huge", pb::Push { raw_len: u32::MAX, ..sound.clone() }),
        ("a bomb that says its size", push(1 << 30, bomb.clone())),
        ("a bomb that says the most allowed", push(MAX_MESSAGE_BYTES as u32, bomb)),
        ("blanks", push(1 << 20, zstd(&vec![0; 1 << 20]))),
        ("a number too many", pb::Push { last: 2, ..sound.clone() }),
        ("a number too few", pb::Push { last: 0, ..sound.clone() }),
        ("numbers that wrap", pb::Push { first: u64::MAX, last: u64::MAX, ..sound.clone() }),
        ("numbers that wrap around", pb::Push { first: 0, last: u64::MAX, ..sound.clone() }),
        ("number zero", pb::Push { first: 0, last: 0, ..sound.clone() }),
        ("a gap", pb::Push { first: 1_000, last: 1_000, ..sound.clone() }),
        ("too many changes", hostile::push(1, &many)),
        ("cells from a node", pb::Push { cells: sound.changes.clone(), changes: Vec::new().into(), ..sound.clone() }),
    ];
    for (what, push) in cases {
        let status = ends(&node, vec![up::It::Push(push)]).await;
        println!("{what}: {:?} {}", status.code(), status.message());
        assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status:?}");
        assert!(!status.message().is_empty());
    }
    let status = ends(&node, vec![up::It::Push(push(9, vec![0; MAX_MESSAGE_BYTES + 1_000]))]).await;
    println!("a message over the bound: {:?} {}", status.code(), status.message());
    assert!(matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted), "{status:?}");

    let status = ends(&node, vec![up::It::Hello(hostile::hello())]).await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    println!("a second greeting: {}", status.message());
    for message in [up::It::Push(sound.clone()), up::It::Done(pb::PushDone {}), up::It::Heard(pb::Heard::default())] {
        let session = Wire::open(node.connect().await.unwrap()).await.unwrap();
        session.say(message).await;
        let status = session.end().await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        println!("before the greeting: {}", status.message());
    }
    let session = Wire::open(node.connect().await.unwrap()).await.unwrap();
    session.say_nothing().await;
    assert_eq!(session.end().await.code(), Code::InvalidArgument);
    for (what, hello) in [
        ("incarnation", pb::Hello { incarnation: vec![1; 3].into(), ..hostile::hello() }),
        ("digest", pb::Hello { scope_digest: vec![1; 65].into(), ..hostile::hello() }),
        ("software", pb::Hello { software: "x".repeat(65), ..hostile::hello() }),
    ] {
        let status = Wire::greet(&node, hello).await.err().unwrap();
        assert_eq!(status.code(), Code::InvalidArgument, "{what}");
    }
    // Greetings whose numbers nobody has: answered, and harmless.
    for (settled, pulled) in [(u64::MAX, u64::MAX), (u64::MAX - 1, 5), (0, u64::MAX - 1)] {
        let hello =
            pb::Hello { settled, pulled, head: u64::MAX, tree_version: u64::MAX, clock: u64::MAX, ..hostile::hello() };
        let (mut session, _) = Wire::greet(&node, hello).await.unwrap();
        let _ = session.pull().await;
    }
    for bytes in [&noise[..], b"GET / HTTP/1.1\r\n\r\n"] {
        line::saying(town.districts[0].address, bytes).await;
    }

    still_sound(&mut town).await;
    assert_eq!(town.districts[0].child(&node.name.id).unwrap().acknowledged, 0);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scratched_changes_are_refused_or_kept_and_every_replica_stays_equal() {
    let (_dir, mut town, node) = town().await;
    let mut random = StdRng::seed_from_u64(2);
    let (mut session, _) = Wire::greet(&node, hostile::hello()).await.unwrap();
    let (mut first, mut refused) = (1, 0);
    for seed in 1..=6 {
        let (_, sound) = hostile::resident(seed, unit(FIRST));
        let sound = prost::Message::encode_to_vec(&sound);
        let mut list = pb::ChangeList::default();
        for _ in 0..300 {
            let mut scratched = sound.clone();
            for _ in 0..random.random_range(0..4) {
                let place = random.random_range(0..scratched.len());
                scratched[place] = random.random();
            }
            if random.random_bool(0.1) {
                scratched.truncate(random.random_range(0..scratched.len()));
            }
            list.changes.push(scratched.into());
        }
        let count = list.changes.len() as u64;
        let (raw_len, changes) = hostile::pack(&list);
        let push = pb::Push { first, last: first + count - 1, changes, raw_len, ..pb::Push::default() };
        session.say(up::It::Push(push)).await;
        let verdicts = loop {
            if let Some(pb::down::It::Verdicts(verdicts)) = session.hear().await.unwrap() {
                break verdicts;
            }
        };
        first += count;
        assert_eq!(verdicts.last, first - 1);
        refused += verdicts.outcomes.iter().filter(|outcome| outcome.kind() == pb::OutcomeKind::Refused).count();
    }
    drop(session);
    println!(
        "{} scratched changes: {refused} refused, {} records",
        first - 1,
        books::records_at(&town.districts[0].hub).len()
    );

    still_sound(&mut town).await;
    town.stop().await;
}
