//! An office and a hub on a disk that is full, and a hub without files to open.

use crate::{
    clerk::{self, Book, Clerk},
    town::{self, Kind, Serving, Town, tz},
};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

/// A small disk of its own, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, mebibytes: u32) -> Result<Self, String> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        match mounted {
            Ok(done) if done.status.success() => Ok(Self(at.to_owned())),
            Ok(failed) => Err(String::from_utf8_lossy(&failed.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// One, or none where this process may not mount; says so.
    fn there(at: &Path, mebibytes: u32) -> Option<Self> {
        let mounted = Self::mount(at, mebibytes);
        if let Err(why) = &mounted {
            let must = cfg!(target_os = "linux") && is_root() && std::env::var_os("CI").is_some();
            assert!(!must, "root in CI, and yet no small disk can be mounted: {why}");
            println!("SKIPPED: full disk: no small disk can be mounted here: {why}");
        }
        mounted.ok()
    }

    /// Fills it to the last byte with a file.
    fn fill(&self) {
        let mut ballast = fs::File::options().create(true).append(true).open(self.0.join("ballast")).unwrap();
        for size in [64 * 1024, 4096, 1] {
            while ballast.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Whether this process may mount.
fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n")
}

#[test]
fn an_office_on_a_full_disk_says_so_loses_nothing_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::there(&dir.path().join("disk"), 12) else { return };
    town::runtime().block_on(async {
        let data = disk.0.join("office");
        tz(Kind::Node, &data, &["init", "--unit", town::OFFICES[0]]).exits(0);
        let mut office = Serving::node(&data, dir.path(), &["serve"]);
        office.up().await;
        let book = Arc::new(Book::default());
        let mut clerk = Clerk::new(&data, &book, 1);
        let mut refusals = 0;
        for round in 0..3 {
            let enough = book.acknowledged() + 50;
            town::until("the clerk gets answers", async || {
                // A store that met the full disk is opened again; until then the refusal still says why.
                let refused = clerk.enter().await;
                assert!(refused.as_ref().is_none_or(|refused| refused.message().contains("磁盘已满")), "{refused:?}");
                (book.acknowledged() >= enough).then_some(())
            })
            .await;
            let refused = town::until("a save is refused", async || {
                // Again and again: the store gives room back while it tidies up.
                disk.fill();
                clerk.enter().await
            })
            .await;
            println!("{}", refused.message());
            assert!(refused.message().contains("磁盘已满"), "{refused:?}");
            assert!(refused.message().contains("make room"), "{refused:?}");
            for _ in 0..20 {
                refusals += u64::from(clerk.enter().await.is_some());
            }
            // Longer than the store takes to flush by itself, so that it meets the full disk too.
            tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
            refusals += u64::from(clerk.enter().await.is_some());
            if round == 1 {
                office.kill();
                let full = office.tz(&["--json", "status"]);
                assert!(full.code == 0 || full.err.contains("磁盘已满"), "{full:?}");
            }
            disk.make_room();
            if round == 1 {
                office.up().await;
            }
        }
        let enough = book.acknowledged() + 10;
        town::until("work goes on", async || {
            let refused = clerk.enter().await;
            assert!(refused.is_none(), "with room on the disk: {refused:?}");
            (book.acknowledged() >= enough).then_some(())
        })
        .await;
        book.compare(&clerk::at_office(&data).await, "the office");
        office.tz(&["verify"]).exits(0);
        office.stop().await;
        office.up().await;
        book.compare(&clerk::at_office(&data).await, "the office after a restart");
        book.nobody_in(&office.errors());
        office.stop().await;
        println!(
            "full disk: 3 times, {refusals} refusals, {} saves answered, {} residents, none lost; incidents {:?}",
            book.acknowledged(),
            book.residents(),
            office.incidents()
        );
    });
}

/// What is wrong with the district's store, in its own words.
fn fault(town: &Town) -> String {
    town.district.status()["fault"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_hub_on_a_full_disk_says_so_and_goes_on_by_itself_when_there_is_room() {
    town::runtime().block_on(async {
        let mut town = Town::found(1, "live").await;
        town.district.stop().await;
        let store = town.district.data.join("store");
        let aside = town.dir.path().join("aside");
        fs::rename(&store, &aside).unwrap();
        let Some(disk) = SmallDisk::there(&store, 192) else { return };
        taizhang_tests::sim::copy_dir(&aside, &store).unwrap();
        town.district.up().await;
        town.offices[0].up().await;
        let book = Arc::new(Book::default());
        let mut clerk = Clerk::new(&town.offices[0].data, &book, 1);
        for round in 0..2 {
            let enough = book.acknowledged() + 5;
            town::until("the clerk gets answers", async || {
                clerk.enter().await;
                (book.acknowledged() >= enough).then_some(())
            })
            .await;
            town.quiet(0).await;
            let why = town::until("the hub says what is wrong", async || {
                disk.fill();
                clerk.enter().await;
                Some(fault(&town)).filter(|why| !why.is_empty())
            })
            .await;
            println!("round {round}: {why}");
            let says_what_helps = why.contains("make room") || why.contains("free space");
            assert!(why.contains("磁盘") && says_what_helps, "names the cause and the remedy: {why}");
            for _ in 0..10 {
                clerk.enter().await;
            }
            disk.make_room();
            town::until("the hub has opened its store anew", async || fault(&town).is_empty().then_some(())).await;
            town.quiet(0).await;
            assert_eq!(town.adds_up().await, book.residents() as i64);
        }
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
        town.offices[0].stop().await;
        town.district.stop().await;
        town.city.stop().await;
    });
}

/// Lets a running process have so many files at most, as `ulimit -n` would have before it started.
fn limit_files(serving: &Serving, most: Option<u64>) -> Option<u64> {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = Pid::from_raw(i32::try_from(serving.pid()).unwrap());
    let now = rustix::process::getrlimit(Resource::Nofile);
    let before = prlimit(pid, Resource::Nofile, Rlimit { current: most, maximum: now.maximum }).unwrap();
    before.current
}

#[test]
fn a_hub_without_a_file_left_to_open_goes_on_by_itself_when_there_are_some() {
    town::runtime().block_on(async {
        let mut town = Town::found(2, "live").await;
        town.offices[0].up().await;
        let book = Arc::new(Book::default());
        let mut clerk = Clerk::new(&town.offices[0].data, &book, 1);
        let enter = async |clerk: &mut Clerk, more: u64| {
            let enough = book.acknowledged() + more;
            town::until("the clerk gets answers", async || {
                clerk.enter().await;
                (book.acknowledged() >= enough).then_some(())
            })
            .await;
        };
        enter(&mut clerk, 5).await;
        town.quiet(0).await;
        let before = limit_files(&town.district, Some(8));
        // Whoever calls now gets no answer; who is in goes on.
        town.offices[1].up().await;
        enter(&mut clerk, 20).await;
        let waits = town::until("the second office says that it gets no answer", async || {
            town::fact(&town.offices[1].data, "last_error").await.filter(|error| !error.is_empty())
        })
        .await;
        println!("without files: {waits}");
        limit_files(&town.district, before);
        for office in 0..2 {
            town.quiet(office).await;
        }
        assert_eq!(town.adds_up().await, book.residents() as i64);
        assert!(!town.errors().contains("panicked"), "{}", town.errors());
        for office in &mut town.offices {
            office.stop().await;
        }
        town.district.stop().await;
        town.city.stop().await;
    });
}
