//! Certificates end and are renewed, authorities are replaced, and nobody has to go anywhere for it.

use crate::{DISTRICT, FIRST, town, unit};
use rcgen::{CertificateParams, KeyPair};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use taizhang_hub::{
    config::{Config, HubTier},
    hub::Hub,
};
use taizhang_node::{
    identity::{Identity, ders},
    ledger::system_clock,
    upstream::schedule::Mode,
};
use taizhang_proto::{
    pb::{self, enrolment_client::EnrolmentClient},
    register::number,
};
use taizhang_tests::{
    books::enter,
    town::{OfficePlan, Plan, Town, TownOffice},
};
use tokio::sync::watch;
use tonic::Code;

const DAY: u64 = 86_400_000;

/// A town whose clock can be moved on, by days.
async fn moving(offices: usize) -> (tempfile::TempDir, Town, Arc<AtomicU64>) {
    let days = Arc::new(AtomicU64::new(0));
    let (system, own) = (system_clock(), days.clone());
    let plan = Plan {
        mode: Mode::Nightly,
        clock: Arc::new(move || system() + own.load(Ordering::Relaxed) * DAY),
        ..Plan::default()
    };
    let (dir, mut town) = town(&[DISTRICT], plan).await;
    let below = town.tree.below(unit(DISTRICT)).map(|one| one.code);
    let plans = below.filter(|code| code.number() % 1_000 != 0).take(offices).map(OfficePlan::nightly).collect();
    town.open_offices(plans, |_| {}).await.unwrap();
    (dir, town, days)
}

/// An office's papers, as the next process will find them.
fn on_disk(office: &TownOffice) -> Identity {
    Identity::load(&office.dir).unwrap()
}

fn now(town: &Town) -> u64 {
    town.city.hub.core.now()
}

/// The hour passes at both hubs, and the district calls the city.
async fn hour(town: &Town) {
    for hub in [&town.city, &town.districts[0]] {
        hub.hub.renew_papers();
    }
    town.districts[0].hub.keeper.as_ref().unwrap().sync_now().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_offices_go_on_for_ten_years_without_a_hand() {
    let (_dir, town, days) = moving(50).await;
    let district = &town.districts[0];
    let away = &town.offices[7];
    let mut entered = 0;
    for day in [0, 400, 600, 700, 731, 800, 1_500, 3_700] {
        days.store(day, Ordering::Relaxed);
        hour(&town).await;
        for office in &town.offices {
            if office.unit == away.unit && (401..800).contains(&day) {
                continue;
            }
            let report = office.sync().await.unwrap_or_else(|error| panic!("day {day}, {}: {error}", office.unit));
            assert!(report.ok && report.equal, "day {day}: {report:?}");
            assert!(on_disk(office).ends() > now(&town), "day {day}: the certificate is good");
            let known = district.child(&office.identity.name.id).unwrap();
            assert_eq!(known.ends, on_disk(office).ends(), "day {day}: `nodes` says so, too");
        }
        let name = format!("市民{day}");
        enter(
            town.offices[3].ledger(),
            number::RESIDENT,
            &[("name", &name), ("id_no", &taizhang_tests::books::id_no(90, entered))],
        );
        entered += 1;
        town.offices[3].sync().await.unwrap();
        hour(&town).await;
        assert_eq!(town.city.figure(town.city.unit, "K00").unwrap(), entered as i64, "day {day}");
    }
    assert_eq!(district.hub.authority.newest().number, 2, "the district's authority was replaced in time");
    assert_eq!(town.city.hub.authority.newest().number, 2);
    let up = Identity::load(&district.dir).unwrap();
    let row = town.city.child(&up.name.id).unwrap();
    assert!(up.ends() > now(&town) && row.ends == up.ends());
    assert_eq!(row.certificate, up.certificate_pem(), "its neighbours get the new one");
    // The former one has ended and nobody goes by it any more.
    hour(&town).await;
    assert_eq!(district.hub.authority.generations().len(), 1);
    for office in &town.offices {
        office.sync().await.unwrap();
        assert_eq!(ders(&on_disk(office).authorities_pem()).len(), 1);
        office.sync().await.unwrap();
    }
    on_disk(away).connect().await.unwrap();
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_authority_is_replaced_by_hand_with_an_overlap() {
    let (_dir, town, _) = moving(3).await;
    let hub = &town.districts[0].hub;
    hub.authority.rotate(hub.core.now()).unwrap();
    hub.renew_papers(); // as the command does
    // A child that goes by the old one alone is let in, told, and goes by both.
    for office in &town.offices[..2] {
        office.sync().await.unwrap();
        assert_eq!(ders(&on_disk(office).authorities_pem()).len(), 2);
        // It is noted when the new one is shown: the answer could have been lost.
        assert_eq!(town.districts[0].child(&office.identity.name.id).unwrap().generation, 1);
        assert!(office.sync().await.unwrap().equal);
        assert_eq!(town.districts[0].child(&office.identity.name.id).unwrap().generation, 2);
    }
    hub.authority.drop_former(1).unwrap();
    hub.renew_papers();
    for office in &town.offices[..2] {
        assert!(office.sync().await.unwrap().equal);
        assert_eq!(ders(&on_disk(office).authorities_pem()).len(), 1);
    }
    let left = town.offices[2].sync().await.unwrap_err().to_string();
    assert!(left.contains("重新登记"), "{left}");
    town.stop().await;
}

/// Copies the files of a directory without directories in it.
fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_office_still_calls_a_hub_that_a_backup_put_before_its_change_of_authority() {
    let (dir, mut town, days) = moving(1).await;
    let backup = dir.path().join("backup");
    copy_files(&town.districts[0].dir.join("authority"), &backup);
    let hub = &town.districts[0].hub;
    hub.authority.rotate(hub.core.now()).unwrap();
    hub.renew_papers();
    let mut office = town.offices.remove(0);
    office.sync().await.unwrap();
    days.store(600, Ordering::Relaxed);
    office.sync().await.unwrap();
    let former = office.dir.join("identity").join("certificate-former.pem");
    assert!(former.exists(), "its certificate is one of the new authority, and the one before is kept");

    let restored = dir.path().join("restored");
    let config = Config::new(unit(DISTRICT), HubTier::District, "127.0.0.1:0".parse().unwrap());
    taizhang_hub::cli::create(&restored, &config, None).unwrap();
    fs::remove_dir_all(restored.join("authority")).unwrap();
    copy_files(&backup, &restored.join("authority"));
    let schedule = config.schedule().unwrap();
    let old = Hub::open(&restored, config, schedule, hub.core.clock.clone()).unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = old.serve(stopped).await.unwrap();
    let place = office.dir.join("identity").join("hub.toml");
    let calls = fs::read_to_string(&place).unwrap();
    fs::write(&place, calls.replace(&town.districts[0].address.to_string(), &running.address.to_string())).unwrap();
    let reloaded = |mut office: TownOffice| {
        office.identity = on_disk(&office);
        assert!(office.identity.address.contains(&running.address.to_string()));
        office.reopened(|_| Ok(()))
    };
    // No other certificate of its opens that hub.
    let aside = office.dir.join("aside.pem");
    fs::rename(&former, &aside).unwrap();
    office = reloaded(office).await.unwrap();
    assert!(office.sync().await.is_err(), "a hub that never heard of an authority takes its certificate");
    fs::rename(&aside, &former).unwrap();
    office = reloaded(office).await.unwrap();
    office.sync().await.unwrap();
    town.offices.push(office);
    let _ = stop.send(true);
    running.stopped().await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_who_is_known_and_serves_gets_new_papers_and_only_for_its_own_key() {
    let (_dir, town, days) = moving(2).await;
    let (office, retired) = (&town.offices[0], &town.offices[1]);
    let hub = &town.districts[0].hub;
    let csr = |key: &KeyPair| CertificateParams::default().serialize_request(key).unwrap().pem().unwrap();
    let own = KeyPair::from_pem(office.identity.key_pem()).unwrap();
    let renew = async |identity: &Identity, csr: String| {
        let mut client = EnrolmentClient::new(identity.connect().await.unwrap());
        client.renew(pb::RenewRequest { csr }).await.map(|answer| answer.into_inner().certificate)
    };
    assert_eq!(renew(&office.identity, csr(&own)).await.unwrap(), "", "it is not due");
    days.store(600, Ordering::Relaxed);
    let stolen = renew(&office.identity, csr(&KeyPair::generate().unwrap())).await.unwrap_err();
    assert_eq!(stolen.code(), Code::PermissionDenied);
    assert!(renew(&office.identity, "x".into()).await.is_err());
    days.store(1_000, Ordering::Relaxed);
    let id = retired.identity.name.id.clone();
    hub.writer
        .write(taizhang_hub::writer::Job::Retire { id, undo: false, decided: taizhang_hub::writer::Decided::default() })
        .await
        .unwrap();
    let refused = retired.sync().await.unwrap_err().to_string();
    assert!(refused.contains("停用"), "{refused}");
    assert!(office.sync().await.unwrap().equal, "the other one goes on");
    assert!(on_disk(office).ends() > now(&town));
    let nobody =
        taizhang_tests::hostile::line::nobody(&town.districts[0].gate().token(unit(FIRST), false).await.unwrap()).await;
    let nobody = EnrolmentClient::new(nobody).renew(pb::RenewRequest { csr: csr(&own) }).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    town.stop().await;
}
