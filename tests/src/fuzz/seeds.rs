//! Seeds: inputs from honest sessions and from scripts drawn at random, small enough to lie in the repository
//! (`tests/fuzz/seeds`), and the inputs that once crashed a target.

#![allow(clippy::unwrap_used)]

use super::{
    down,
    ground::{self, DISTRICT, hub, office},
    import, input,
    input::Mode,
    token,
};
use crate::talk::{self, Said};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::path::PathBuf;
use taizhang_node::upstream::Replica;
use taizhang_proto::{
    pb::{self, up},
    range::{Asker, Items},
};

/// Scripts of each target that reads them.
const SCRIPTS: u64 = 6;
/// Bytes of a script.
const SCRIPT: usize = 600;

/// Where the seeds of a target lie.
pub fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
}

/// The seeds of a target that are in the repository, by name.
///
/// # Errors
/// When there are none, or they can't be read.
pub fn committed(target: &str) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder(target))? {
        let entry = entry?;
        seeds.push((entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path())?));
    }
    seeds.sort();
    Ok(seeds)
}

/// Makes the seeds of a target anew, with their names.
pub fn fresh(target: &str) -> Vec<(String, Vec<u8>)> {
    let named = |name: &str, data: Vec<u8>| (name.to_owned(), data);
    match target {
        "push" | "offer" => scripts(target).chain([named("honest", honest_push())]).collect(),
        "district" => scripts(target).chain([named("honest", honest_district())]).collect(),
        "greeting" => {
            let hellos = |first: u8, hello: pb::Hello| {
                let mut data = input::write(&[hello.clone(), pb::Hello { rebuild: true, ..hello }]);
                data[0] = first;
                data
            };
            let dir = ground::scratch();
            let hello = down::office(dir.path()).hello(false).unwrap();
            let of_hub = down::district().hello(true).unwrap();
            vec![named("office", hellos(0, hello)), named("hub", hellos(1, of_hub))]
        }
        "range" => vec![named("session", honest_range()), named("first", [&[128], &first_range()[1..]].concat())],
        "token" => tokens(),
        "import" => files(),
        "down" => vec![named("office", heard_by_office()), named("hub", heard_by_district())],
        _ => Vec::new(),
    }
}

fn scripts(target: &str) -> impl Iterator<Item = (String, Vec<u8>)> {
    let length = target.len() as u64;
    (0..SCRIPTS).map(move |number| {
        let mut random = StdRng::seed_from_u64(length * 1_000 + number);
        let mut data: Vec<u8> = (0..SCRIPT).map(|_| random.random()).collect();
        data[0] = Mode::Script.byte() + number as u8;
        (format!("script-{number}"), data)
    })
}

fn honest_push() -> Vec<u8> {
    let dir = ground::scratch();
    let mut said = Vec::new();
    talk::overheard(&ground::district(), &down::office(dir.path()), &ground::mallory(2), |one| {
        if let Said::Up(message) = one {
            said.push(input::unpacked(message.clone()));
        }
    });
    input::write(&said)
}

fn honest_district() -> Vec<u8> {
    let mut said = Vec::new();
    talk::overheard(&ground::city(), &*down::district(), &hub("mallory", DISTRICT), |one| {
        if let Said::Up(message) = one {
            said.push(input::unpacked(message.clone()));
        }
    });
    input::write(&said)
}

fn heard_by_office() -> Vec<u8> {
    let dir = ground::scratch();
    let mut heard = Vec::new();
    talk::overheard(&ground::district(), &down::office(dir.path()), &office("mallory", ground::COMMUNITY), |one| {
        if let Said::Down(message) = one {
            heard.push(down::unpacked(message.clone()));
        }
    });
    input::write(&heard)
}

fn heard_by_district() -> Vec<u8> {
    let mut heard = Vec::new();
    talk::overheard(&ground::city(), &*down::district(), &hub("mallory", DISTRICT), |one| {
        if let Said::Down(message) = one {
            heard.push(message.clone());
        }
    });
    let mut data = input::write(&heard);
    data[0] = 1;
    data
}

fn first_range() -> Vec<u8> {
    let mut items = Items::default();
    for form in ground::honest_forms().iter().step_by(2) {
        items.add(form.id, &[1]).unwrap();
    }
    Asker::open(items).unwrap().1
}

fn honest_range() -> Vec<u8> {
    let ids = ground::honest_forms().iter().take(2).map(|form| form.id.0.to_vec().into()).collect();
    let message = |it| pb::Up { it: Some(it) };
    input::write(&[
        message(up::It::Done(pb::PushDone {})),
        message(up::It::Range(pb::Range { message: first_range().into() })),
        message(up::It::Want(pb::Want { ids })),
        message(up::It::Want(pb::Want::default())),
        message(up::It::Heard(pb::Heard { revision: 9, equal: false })),
    ])
}

fn tokens() -> Vec<(String, Vec<u8>)> {
    let good = token::good_token();
    let request = token::honest_request();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![rcgen::SanType::URI("taizhang://node/210402001002/a".try_into().unwrap())];
    let certificate = params.self_signed(&key).unwrap();
    vec![
        ("text".into(), [&[0], good.to_text().as_bytes()].concat()),
        ("name".into(), [&[1], &b"taizhang://node/210402001002/0190-ab"[..]].concat()),
        ("certificate".into(), [&[2], &certificate.der()[..]].concat()),
        ("request".into(), [&[3, 0], &request.der()[..]].concat()),
        ("request-as-text".into(), [&[3, 2], request.pem().unwrap().as_bytes()].concat()),
        ("secret".into(), [&[3, 1], &b"BQUFBQUFBQUFBQUFBQUFBQ"[..]].concat()),
    ]
}

fn files() -> Vec<(String, Vec<u8>)> {
    let roster =
        |name: &str| std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/rosters").join(name)).unwrap();
    let csv = roster("laodong99.csv");
    let text = String::from_utf8_lossy(&csv).into_owned();
    let short: Vec<&str> = text.lines().take(6).collect();
    vec![
        ("laodong99.csv".into(), csv.clone()),
        ("short.txt".into(), short.join("\r\n").replace(',', "\t").into_bytes()),
        ("units.csv".into(), ground::UNITS.as_bytes().to_vec()),
        ("家庭.xls".into(), roster("零就业家庭台账.xls")),
        ("parts.xlsx".into(), import::small_workbook()),
    ]
}
