//! An office's store damaged on disk: cut short, bits turned over, files gone.

use crate::{
    clerk::{self, Book, Clerk},
    town::{self, Serving, Town, seeded},
};
use rand::{RngExt, rngs::StdRng};
use std::{
    fs::{self, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use taizhang_node::{
    desk::Desk,
    ledger::{Ledger, LedgerDesk, system_clock},
};
use taizhang_proto::{
    RecordId,
    pb::Empty,
    register::{Value, number, registers},
};

/// Rounds on a small register, all of it still in the journal.
const SMALL: usize = 40;
/// Rounds on a register whose older part only the district still has.
const LARGE: usize = 10;

/// What is done to one file.
#[derive(Debug, Clone, Copy)]
pub enum Harm {
    Cut,
    Flip,
    Zero,
    Delete,
}

/// All files below a directory, by name.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Damages one random file of a store, preferring the large one. Says what it did.
pub fn harm(store: &Path, rng: &mut StdRng) -> String {
    let all = files(store);
    let large = all.iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let path = if rng.random_bool(0.6) { large } else { &all[rng.random_range(0..all.len())] };
    let harm = [Harm::Cut, Harm::Flip, Harm::Flip, Harm::Zero, Harm::Delete][rng.random_range(0..5)];
    let length = fs::metadata(path).unwrap().len();
    let name = path.strip_prefix(store).unwrap().display().to_string();
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let at = if length == 0 { 0 } else { rng.random_range(0..length) };
    match harm {
        Harm::Cut => file.set_len(at).unwrap(),
        Harm::Flip => {
            for _ in 0..rng.random_range(1..20) {
                let at = if length == 0 { 0 } else { rng.random_range(0..length) };
                let mut byte = [0];
                file.seek(SeekFrom::Start(at)).unwrap();
                let _ = file.read(&mut byte).unwrap();
                file.seek(SeekFrom::Start(at)).unwrap();
                file.write_all(&[byte[0] ^ (1 << rng.random_range(0..8))]).unwrap();
            }
        }
        Harm::Zero => {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&vec![0; (length - at).min(rng.random_range(1..70_000)) as usize]).unwrap();
        }
        Harm::Delete => fs::remove_file(path).unwrap(),
    }
    format!("{harm:?} {name} ({length} bytes)")
}

#[test]
fn an_office_whose_store_is_damaged_fifty_times_comes_back_with_every_saved_change() {
    let (seed, mut rng) = seeded("damaged store");
    town::runtime().block_on(async {
        let mut town = Town::found(1, "nightly").await;
        let data = town.offices[0].data.clone();
        let book = Arc::new(Book::default());
        let mut clerk = Clerk::new(&data, &book, seed);
        let mut rebuilt = 0;
        let mut waiting = 0;
        town.offices[0].up().await;
        for round in 0..SMALL + LARGE {
            if round == SMALL {
                town.offices[0].stop().await;
                outgrow_the_journal(&data, &book);
                town.offices[0].up().await;
                sync(&town.offices[0]).await;
                enter(&mut clerk, 1).await; // begins a new segment; the next session lets go of the first
                sync(&town.offices[0]).await;
                let first = data.join("journal/000000000001-000000000001.log");
                assert!(!first.exists(), "the journal still holds what the district has");
                book.synced();
            }
            enter(&mut clerk, rng.random_range(0..8)).await;
            if rng.random_bool(0.5) {
                sync(&town.offices[0]).await;
                book.synced();
            }
            enter(&mut clerk, rng.random_range(0..8)).await;
            let pending: u64 = town::fact(&data, "pending").await.unwrap().parse().unwrap();
            waiting += u64::from(pending > 0);
            if rng.random_bool(0.5) {
                town.offices[0].stop().await;
            } else {
                town.offices[0].kill();
            }
            let before = aside(&data);
            let did = harm(&data.join("store"), &mut rng);
            town.offices[0].up().await;

            let context = format!("after round {round}, {did}, the office");
            book.compare_unsynced(&clerk::at_office(&data).await, &context);
            if aside(&data) > before {
                rebuilt += 1;
                let incident = town::fact(&data, "last_incident").await.unwrap();
                assert!(incident.contains("the store was set aside as"), "{context}: {incident}");
                assert_ne!(town::fact(&data, "incidents").await.unwrap(), "0");
            }
            sync(&town.offices[0]).await;
            for (key, want) in [("equal", "true"), ("pending", "0"), ("refused", "0")] {
                assert_eq!(town::fact(&data, key).await.unwrap(), want, "{key} {context}");
            }
            book.synced();
            book.compare(&clerk::at_office(&data).await, &context);
        }
        assert!(rebuilt > 0);
        let residents = town.adds_up().await;
        assert_eq!(residents, book.residents() as i64);
        book.nobody_in(&town.errors());
        let incidents = town.offices[0].incidents();
        assert!(!incidents.iter().any(|incident| incident.contains("restored")), "{incidents:?}");
        town.offices[0].stop().await;
        town.district.stop().await;
        book.compare(&clerk::at_hub(&town.district.data), "the district");
        println!(
            "store damaged {} times, {waiting} with changes the district had not: set aside {rebuilt} times, {} \
             incidents, {} saves answered, {residents} residents, none lost",
            SMALL + LARGE,
            incidents.len(),
            book.acknowledged(),
        );
    });
}

/// What the journal still holds of what the older store lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Journal {
    All,
    AllAndNothingNew,
    TheEnd,
}

#[test]
fn an_office_whose_store_went_back_in_time_catches_up_by_itself() {
    town::runtime().block_on(went_back_in_time(Journal::All));
}

#[test]
fn an_office_whose_store_went_back_in_time_catches_up_even_with_nothing_to_say() {
    town::runtime().block_on(went_back_in_time(Journal::AllAndNothingNew));
}

#[test]
fn an_office_whose_store_is_older_than_its_journal_catches_up_by_itself() {
    town::runtime().block_on(went_back_in_time(Journal::TheEnd));
}

async fn went_back_in_time(journal: Journal) {
    let mut town = Town::found(1, "nightly").await;
    let data = town.offices[0].data.clone();
    let book = Arc::new(Book::default());
    let mut clerk = Clerk::new(&data, &book, 1);
    town.offices[0].up().await;
    enter(&mut clerk, 20).await;
    sync(&town.offices[0]).await;
    town.offices[0].stop().await;
    let copy = |from: &Path, to: &Path| {
        let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
    };
    let (store, old) = (data.join("store"), town.dir.path().join("old-store"));
    copy(&store, &old);
    if journal == Journal::TheEnd {
        outgrow_the_journal(&data, &book);
    }
    town.offices[0].up().await;
    for _ in 0..2 {
        enter(&mut clerk, 20).await;
        sync(&town.offices[0]).await;
        sync(&town.offices[0]).await; // tells the district that the verdicts are on disk
    }
    assert_eq!(data.join("journal/000000000001-000000000001.log").exists(), journal != Journal::TheEnd);
    book.synced();
    if journal != Journal::AllAndNothingNew {
        enter(&mut clerk, 20).await;
    }
    town.offices[0].kill();
    fs::remove_dir_all(&store).unwrap();
    copy(&old, &store);
    town.offices[0].up().await;
    book.compare_unsynced(&clerk::at_office(&data).await, "the office before the session");
    sync(&town.offices[0]).await;
    for (key, want) in [("equal", "true"), ("pending", "0"), ("refused", "0"), ("incidents", "1")] {
        assert_eq!(town::fact(&data, key).await.unwrap(), want, "{key}");
    }
    let incident = town::fact(&data, "last_incident").await.unwrap();
    assert!(incident.contains("the store is older"), "the log went on, and yet: {incident}");
    book.compare(&clerk::at_office(&data).await, "the office");
    let residents = town.adds_up().await;
    assert_eq!(residents, book.residents() as i64);
    println!(
        "store replaced by an older one, journal {journal:?}: {incident}; {} saves answered, {residents} residents, none lost",
        book.acknowledged()
    );
}

async fn enter(clerk: &mut Clerk, times: usize) {
    let enough = clerk.book.acknowledged() + times as u64;
    while clerk.book.acknowledged() < enough {
        let refused = clerk.enter().await;
        assert!(refused.is_none(), "{refused:?}");
    }
}

async fn sync(office: &Serving) {
    let report = town::office(&office.data).await.unwrap().sync_now(Empty {}).await.unwrap().into_inner();
    assert!(report.ok && report.equal, "{report:?}");
}

/// Stores that were set aside.
fn aside(data: &Path) -> usize {
    let names = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("store.damaged-2")).count()
}

/// Enters residents with long remarks until the first segment of the journal is full.
fn outgrow_the_journal(data: &Path, book: &Book) {
    let ledger = Ledger::open(data, town::OFFICES[0].parse().unwrap(), system_clock()).unwrap();
    let desk = LedgerDesk::new(&ledger);
    let def = registers().get(number::RESIDENT).unwrap();
    for _ in 0..6 {
        let mut groups = Vec::new();
        let mut sent: Vec<(RecordId, clerk::Fields)> = Vec::new();
        for _ in 0..500 {
            let mut fields = book.resident();
            fields.insert("remark".into(), "长".repeat(490));
            let id = desk.new_id();
            let draft = fields.iter().fold(taizhang_node::desk::Draft::new(id, def.number), |draft, (name, text)| {
                let field = def.field_named(name).unwrap();
                draft.with(field.tag, Value::parse(field, text).unwrap().0)
            });
            groups.push(vec![draft]);
            sent.push((id, fields));
        }
        for (answer, (id, fields)) in desk.save(groups, "clerk").into_iter().zip(sent) {
            answer.unwrap();
            book.sending(&id.to_string(), &fields);
            book.saved(&id.to_string(), fields);
        }
    }
}
