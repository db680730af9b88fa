//! A hub that is frozen, a line that swallows everything, a peer that takes a call and says nothing: each ends in another
//! try, from office to district and from district to city.

use crate::{DISTRICT, FIRST, books, town, unit};
use std::{sync::Arc, time::Duration};
use taizhang_hub::upward::Upward;
use taizhang_node::{
    identity::{Identity, IdentityError},
    timeouts::Timeouts,
    upstream::{
        Replica,
        link::LinkError,
        schedule::{Keeper, Mode, Schedule},
    },
};
use taizhang_tests::{
    synth::City,
    town::{Line, OfficePlan, Plan, Weather, until},
};
use tokio::{net::TcpListener, sync::watch};

const LIVE: Schedule = Schedule { mode: Mode::Live, opens: 0, window: 0, catch_up: 0 };
const SHORT: Duration = Duration::from_millis(300);

/// Limits that a test need not wait long for. Those of the system's pings stay: what is owed is looked at by itself.
fn short() -> Timeouts {
    Timeouts { connect: SHORT, answer: SHORT * 4, ..Timeouts::default() }
}

fn over(identity: &Identity, line: &Line, timeouts: Timeouts) -> Identity {
    let mut over = identity.clone();
    over.address = format!("https://{}", line.address);
    over.timeouts = timeouts;
    over
}

/// A keeper over a line that freezes in the middle of a live session and thaws: it calls again meanwhile, says since when
/// it waits and what went wrong, and everything is said once the line is back.
async fn freezes_and_comes_back<R: Replica>(
    replica: Arc<R>,
    identity: Identity,
    line: &Line,
    say: impl FnOnce(),
    told: impl Fn() -> bool,
) {
    let keeper = Keeper::new(replica.clone(), identity, LIVE);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(keeper.clone().run(stopped));
    until("the session is open", || keeper.state().connected && keeper.state().report.ok).await.unwrap();
    until("nothing is owed", || keeper.state().waiting_since.is_none()).await.unwrap();
    line.set(Weather::Frozen);
    say();
    until("it says since when it waits", || keeper.state().waiting_since.is_some()).await.unwrap();
    let sync = keeper.sync_now().await;
    // By the line that says nothing, or by the session beside it that does not go on.
    let ends = matches!(sync, Err(LinkError::Identity(IdentityError::Silent { .. }) | LinkError::Stalled { .. }));
    assert!(ends, "{sync:?}");
    let before = line.calls();
    until("it calls again, and again", || line.calls() > before + 1).await.unwrap();
    let state = keeper.state();
    assert!(state.last_error.contains("没有答复") && state.failed_at > 0 && !state.connected, "{state:?}");
    line.set(Weather::Fair);
    until("everything is said", told).await.unwrap();
    until("it is in touch again", || keeper.state().connected && keeper.state().last_error.is_empty()).await.unwrap();
    let _ = stop.send(true);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_office_and_a_district_call_a_frozen_hub_again() {
    let (_dir, mut town) = town(&[DISTRICT], Plan { mode: Mode::Nightly, ..Plan::default() }).await;
    town.open_office(OfficePlan::nightly(unit(FIRST))).await.unwrap();
    let (office, district) = (&town.offices[0], &town.districts[0]);
    books::fill(office.ledger(), 1, 20);

    let line = Line::to(district.address).await.unwrap();
    let ledger = office.ledger().clone();
    let seeds = std::sync::atomic::AtomicU64::new(2);
    let person = || {
        let mut city = City::new(seeds.fetch_add(1, std::sync::atomic::Ordering::Relaxed), ledger.business_day());
        books::save(&ledger, city.person(office.unit, taizhang_node::desk::Desk::new_id(&office.desk())));
    };
    let said = || ledger.pending() == 0;
    freezes_and_comes_back(ledger.clone(), over(&office.identity, &line, short()), &line, person, said).await;
    assert!(office.sync().await.unwrap().equal);

    let line = Line::to(town.city.address).await.unwrap();
    let upward = Upward::new(district.hub.core.clone(), None);
    let figures = || taizhang_tests::town::has_figures_of(&town.city, district).unwrap_or(false);
    let another = || {
        person();
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(office.sync())).unwrap();
    };
    let identity = over(&Identity::load(&district.dir).unwrap(), &line, short());
    freezes_and_comes_back(upward, identity, &line, another, figures).await;
    town.stop().await;
}

/// The line freezes while nothing is owed: only the pings can tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_line_that_dies_while_nothing_is_said_is_found_dead() {
    let (_dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::nightly(unit(FIRST))).await.unwrap();
    let (office, line) = (&town.offices[0], Line::to(town.districts[0].address).await.unwrap());
    let timeouts = Timeouts { ping: SHORT, pong: SHORT * 2, connect: SHORT, ..Timeouts::default() };
    let keeper = Keeper::new(office.ledger().clone(), over(&office.identity, &line, timeouts), LIVE);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(keeper.clone().run(stopped));
    let idle = || keeper.state().connected && keeper.state().report.ok && keeper.state().waiting_since.is_none();
    until("the session is open and idle", idle).await.unwrap();
    line.set(Weather::Frozen);
    let before = line.calls();
    until("it calls again", || line.calls() > before + 1).await.unwrap();
    line.set(Weather::Fair);
    until("it is in touch again", idle).await.unwrap();
    let _ = stop.send(true);
    running.await.unwrap();
    town.stop().await;
}

/// Nothing is owed and the line is taken to hold: only a session of its own tells whether the hub answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_asks_for_a_session_hears_whether_the_hub_answers() {
    let (_dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::nightly(unit(FIRST))).await.unwrap();
    let (office, line) = (&town.offices[0], Line::to(town.districts[0].address).await.unwrap());
    let keeper = Keeper::new(office.ledger().clone(), over(&office.identity, &line, short()), LIVE);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(keeper.clone().run(stopped));
    let idle = || keeper.state().connected && keeper.state().report.ok && keeper.state().waiting_since.is_none();
    until("the session is open and idle", idle).await.unwrap();
    let calls = line.calls();
    assert!(keeper.sync_now().await.unwrap().equal);
    assert!(line.calls() > calls, "it called");
    until("the live session is open again", idle).await.unwrap();
    line.set(Weather::Frozen);
    let sync = keeper.sync_now().await;
    assert!(matches!(sync, Err(LinkError::Identity(IdentityError::Silent { .. }))), "{sync:?}");
    line.set(Weather::Fair);
    until("it is in touch again", idle).await.unwrap();
    let _ = stop.send(true);
    running.await.unwrap();
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn enrolling_at_somebody_who_says_nothing_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (_town_dir, town) = town(&[], Plan::default()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = town.city.gate().token(unit(DISTRICT), true).await.unwrap();
    let mut token = taizhang_node::identity::Token::from_text(&text).unwrap();
    token.address = format!("https://{}", silent.local_addr().unwrap());
    let enrolled = Identity::enrol_within(dir.path(), &token.to_text(), short()).await;
    assert!(matches!(enrolled, Err(IdentityError::Silent { .. })), "{enrolled:?}");
    town.stop().await;
}
