//! Who is let in, and who is believed.
#![allow(clippy::unwrap_used)]

use super::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_stream::StreamExt;

/// Takes everything that is said to it, and answers with noise: a stranger on the port of a dead process.
async fn stranger(listener: TcpListener, bytes: Vec<u8>) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    heard
}

/// A connection that proves itself against what the other end of a listener does.
async fn asks(proof: &Proof, address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    proof.ask(&mut stream).await
}

#[tokio::test]
async fn a_stranger_learns_nothing_from_a_command_and_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let file = ControlFile::write(dir.path(), listener.local_addr().unwrap()).unwrap();
    let (heard, channel) = tokio::join!(stranger(listener, vec![7; 64]), file.connect());
    assert!(channel.is_none());
    assert_eq!(heard.len(), 8 + 32, "a greeting and a random number");
    assert!(!heard.windows(8).any(|part| file.secret.as_bytes().starts_with(part)));
}

#[tokio::test]
async fn the_owner_is_let_in_and_what_was_heard_opens_nothing_a_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let file = ControlFile::write(dir.path(), address).unwrap();
    let mut inside = incoming(listener, &file);
    // Through somebody who listens in.
    let between = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tapped = between.local_addr().unwrap();
    let tap = tokio::spawn(async move {
        let (mut near, _) = between.accept().await.unwrap();
        let mut far = TcpStream::connect(address).await.unwrap();
        let (mut up, mut down) = ([0; 8 + 32], [0; 64]);
        near.read_exact(&mut up).await.unwrap();
        far.write_all(&up).await.unwrap();
        far.read_exact(&mut down).await.unwrap();
        near.write_all(&down).await.unwrap();
        let mut last = [0; 32];
        near.read_exact(&mut last).await.unwrap();
        far.write_all(&last).await.unwrap();
        (up, down, last)
    });
    asks(&ControlFile::read(dir.path()).unwrap().proof(), tapped).await.unwrap();
    assert!(inside.next().await.unwrap().is_ok());
    let (up, down, last) = tap.await.unwrap();
    // The same words again, to the process and to a command.
    let mut again = TcpStream::connect(address).await.unwrap();
    again.write_all(&up).await.unwrap();
    again.read_exact(&mut [0; 64]).await.unwrap();
    again.write_all(&last).await.unwrap();
    assert_eq!(again.read(&mut [0; 1]).await.unwrap_or(0), 0, "sent away");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proof = file.proof();
    let (_, answered) = tokio::join!(stranger(listener, down.to_vec()), asks(&proof, address));
    assert!(answered.is_err());
}

#[tokio::test]
async fn a_copied_directory_is_not_answered_by_the_original() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let file = ControlFile::write(dir.path(), listener.local_addr().unwrap()).unwrap();
    let _inside = incoming(listener, &file);
    std::fs::copy(dir.path().join(FILE), copy.path().join(FILE)).unwrap();
    let copied = ControlFile::read(copy.path()).unwrap();
    assert!(asks(&copied.proof(), copied.address).await.is_err());
    assert!(asks(&ControlFile::read(dir.path()).unwrap().proof(), file.address).await.is_ok());
}
