//! Live parts: a page is told that something has changed, and fetches itself anew. Invariant: what is told holds nothing of a record; a
//! page that is told nothing is as true after a reload.

use super::Hall;
use crate::{office::Office, web::login::Visit};
use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_stream::{StreamExt, wrappers::WatchStream};

/// How often it is looked whether something came from the hub or the day has turned; what is entered here is told at once.
const LOOKS: Duration = Duration::from_millis(500);

/// What pages are told: how often something has changed.
pub(super) struct Live(watch::Sender<u64>);

impl Default for Live {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

/// What an office is at a moment, as far as pages show it.
#[derive(PartialEq, Eq)]
struct Mark {
    head: u64,
    settled: u64,
    pulled: u64,
    count: u64,
    day: i32,
    tree: u64,
    plan: u64,
}

/// The state of the line, as the bar shows it.
#[derive(PartialEq, Eq)]
struct LineMark {
    connected: bool,
    failures: u32,
    last_sync: u64,
    waits: bool,
}

fn mark(office: &Office) -> (Mark, LineMark) {
    let state = office.ledger.state();
    let link = office.keeper.as_ref().map(|keeper| keeper.state()).unwrap_or_default();
    (
        Mark {
            head: state.head,
            settled: state.settled,
            pulled: state.pulled,
            count: state.count,
            day: office.ledger.business_day(),
            tree: state.tree_version,
            plan: state.plan_version,
        },
        LineMark {
            connected: link.connected,
            failures: link.failures,
            last_sync: state.last_sync,
            waits: link.waiting_since.is_some(),
        },
    )
}

/// Watches the office, and has the figures of Today worked out anew, until `stop` turns true.
pub(super) async fn watch(hall: Hall, mut stop: watch::Receiver<bool>) {
    let mut saved = hall.office.ledger.subscribe();
    let (mut figures, mut line) = mark(&hall.office);
    outdate(&hall);
    loop {
        tokio::select! {
            _ = saved.changed() => {}
            () = tokio::time::sleep(LOOKS) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let (figures_now, line_now) = mark(&hall.office);
        if figures_now != figures {
            figures = figures_now;
            outdate(&hall);
        }
        if line_now != line {
            line = line_now;
            hall.live.0.send_modify(|count| *count += 1);
        }
    }
}

fn outdate(hall: &Hall) {
    hall.live.0.send_modify(|count| *count += 1);
    if hall.figures.outdate() {
        let hall = hall.clone();
        drop(tokio::task::spawn_blocking(move || {
            let office: Arc<Office> = hall.office.clone();
            hall.figures.work(&office, || hall.live.0.send_modify(|count| *count += 1));
        }));
    }
}

/// Tells a page whenever something has changed.
pub(super) async fn events(State(hall): State<Hall>, _visit: Visit) -> Response {
    let told = WatchStream::from_changes(hall.live.0.subscribe());
    let told = told.map(|_| Ok::<_, Infallible>(Event::default().event("changed").data("")));
    Sse::new(told).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))).into_response()
}
