//! What a command tells to whom: never anything to somebody on the port of a process that is gone, nor to the process of
//! the directory that this one was copied from; and what it reads: regular files of a sensible size.

use crate::town::{self, Kind, Serving, tz};
use serde_json::Value as Json;
use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};
use taizhang_tests::sim::copy_dir;

/// A node and a hub, made and started; a roster and where they are.
async fn both(dir: &Path) -> [(Kind, Serving); 2] {
    let (node, hub) = (dir.join("node"), dir.join("hub"));
    tz(Kind::Node, &node, &["init", "--unit", town::OFFICES[0]]).exits(0);
    let listen = ["--listen", "127.0.0.1:0"];
    let made = ["init", "--unit", town::CITY, "--tier", "city"];
    tz(Kind::Hub, &hub, &[made.as_slice(), &listen].concat()).exits(0);
    let mut serving =
        [(Kind::Node, Serving::node(&node, dir, &["serve"])), (Kind::Hub, Serving::hub(&hub, dir, &["serve"]))];
    for (_, one) in &mut serving {
        one.up().await;
    }
    serving
}

fn control(data: &Path) -> Json {
    serde_json::from_slice(&fs::read(data.join("control.json")).unwrap()).unwrap()
}

/// Listens where a dead process did, and keeps what it hears.
fn stranger_at(address: &str) -> Arc<Mutex<Vec<u8>>> {
    let listener = TcpListener::bind(address).unwrap();
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let own = heard.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, own) = (stream.unwrap(), own.clone());
            std::thread::spawn(move || {
                // What a process would say, but for the knowledge of the secret.
                let _ = std::io::Write::write_all(&mut stream, &[7; 64]);
                let mut buffer = [0; 4_096];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    own.lock().unwrap().extend_from_slice(&buffer[..count]);
                }
            });
        }
    });
    heard
}

fn roster(dir: &Path) -> PathBuf {
    let path = dir.join("roster.csv");
    fs::write(&path, "姓名,身份证号,家庭住址\n赵秘密,210402197003010019,永安台街12号\n").unwrap();
    path
}

#[test]
fn a_stranger_on_the_port_of_a_killed_process_hears_nothing_and_the_command_opens_the_data_itself() {
    town::runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let roster = roster(dir.path());
        for (kind, mut serving) in both(dir.path()).await {
            serving.kill();
            let left = control(&serving.data);
            let heard = stranger_at(left["address"].as_str().unwrap());
            serving.status();
            if kind == Kind::Node {
                let answer = serving.tz(&["import", roster.to_str().unwrap()]);
                assert!(answer.code == 0 || answer.code == 3, "{answer:?}");
            }
            let heard = heard.lock().unwrap().clone();
            let secret = left["secret"].as_str().unwrap().as_bytes();
            assert!(!heard.is_empty() && heard.len() <= 2 * 40, "{} bytes", heard.len());
            assert!(!heard.windows(secret.len()).any(|part| part == secret));
            assert!(!serving.data.join("control.json").exists(), "what is dead is gone");
        }
    });
}

#[test]
fn a_copied_directory_is_not_answered_by_the_process_of_the_original() {
    town::runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        for (kind, mut serving) in both(dir.path()).await {
            let copy = dir.path().join("copy").join(serving.data.file_name().unwrap());
            copy_dir(&serving.data, &copy).unwrap();
            if kind == Kind::Node {
                let fields = ["kind=3", "opened_on=2008-03-20"];
                tz(kind, &copy, &[&["save", "facility"], fields.as_slice()].concat()).exits(0);
                assert_eq!(serving.status()["head"], 0, "nothing was entered at the original");
            }
            tz(kind, &copy, &["--json", "status"]).exits(0);
            assert!(serving.data.join("control.json").exists() && !copy.join("control.json").exists());
            serving.stop().await;
        }
    });
}

#[test]
fn a_command_to_a_frozen_process_ends_and_says_why() {
    town::runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        for (_, mut serving) in both(dir.path()).await {
            serving.freeze();
            serving.tz(&["status"]).exits(1).says(&["另一个进程正在使用此数据目录"]);
            serving.signal("CONT");
            serving.status();
            serving.stop().await;
        }
    });
}

#[test]
fn a_pipe_a_device_and_a_huge_file_are_told_and_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let (node, hub) = (dir.path().join("node"), dir.path().join("hub"));
    let (pipe, huge) = (dir.path().join("pipe"), dir.path().join("huge.csv"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::File::create(&huge).unwrap().set_len(1 << 34).unwrap();
    tz(Kind::Node, &node, &["init", "--unit", town::OFFICES[0]]).exits(0);
    tz(Kind::Hub, &hub, &["init", "--unit", town::CITY, "--tier", "city", "--listen", "127.0.0.1:0"]).exits(0);
    for (path, words) in [(pipe.as_path(), "普通文件"), (Path::new("/dev/zero"), "普通文件"), (&huge, "太大")]
    {
        let name = path.to_str().unwrap();
        let at = format!("@{name}");
        tz(Kind::Node, &node, &["import", name]).exits(1).says(&[words]);
        tz(Kind::Node, &node, &["enrol", &at]).exits(1).says(&[words]);
        tz(Kind::Hub, &hub, &["enrol", &at]).exits(1).says(&[words]);
        tz(Kind::Hub, &hub, &["units", name]).exits(1).says(&[words]);
        tz(Kind::Hub, &hub, &["plan", name]).exits(1).says(&[words]);
        let new = dir.path().join("new");
        let made = ["init", "--unit", town::CITY, "--tier", "city", "--units", name];
        tz(Kind::Hub, &new, &made).exits(1).says(&[words]);
    }
}

#[test]
fn what_is_written_for_the_owner_is_for_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    tz(Kind::Node, &node, &["init", "--unit", town::OFFICES[0]]).exits(0);
    let roster = dir.path().join("roster.csv");
    fs::write(&roster, "姓名,身份证号\n赵秘密,1\n").unwrap();
    tz(Kind::Node, &node, &["import", roster.to_str().unwrap()]).exits(3);
    for name in ["out.csv", "out.xlsx"] {
        let out = dir.path().join(name);
        fs::write(&out, "an older one").unwrap();
        fs::set_permissions(&out, fs::Permissions::from_mode(0o644)).unwrap();
        tz(Kind::Node, &node, &["export", "resident", out.to_str().unwrap()]).exits(0);
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let reasons = dir.path().join("roster-原因.csv");
    assert_eq!(fs::metadata(&reasons).unwrap().permissions().mode() & 0o777, 0o600);
}
