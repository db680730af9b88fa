//! The office's console: what a clerk does in a day, on pages. The third face of the office's calls, beside gRPC and the command line.
//! Invariant: a page says who asks, translates and draws; no rule, query or figure is of its own.

mod account;
mod card;
mod entry;
mod figures;
mod find;
mod import;
mod ledger;
mod link;
mod live;
mod months;
mod notice;
mod registers;
mod station;
mod today;
mod unsent;

use crate::{
    caller::{Caller, Refusal, Role},
    config::Config,
    disk::{self, DiskError, Secrecy},
    office::Office,
    parts::Parts,
    web::{
        self, assets,
        login::{self, Kit, Visit},
        shell::{self, Entry, Frame, Trouble},
        users::{FOLDER, Users},
    },
};
use axum::{
    Router,
    extract::FromRef,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use maud::Markup;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::Path, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, block_in_place},
};

/// The menu, in its order.
const MENU: [Entry; 8] = [
    Entry { href: "/", says: "menu-today" },
    Entry { href: "/people", says: "menu-people" },
    Entry { href: "/registers", says: "menu-registers" },
    Entry { href: "/import", says: "menu-import" },
    Entry { href: "/cases", says: "menu-cases" },
    Entry { href: "/station", says: "menu-station" },
    Entry { href: "/months", says: "menu-months" },
    Entry { href: "/sync", says: "menu-sync" },
];

/// Why a console does not open.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Nobody outside this computer is served without TLS.
    #[error(
        "控制台网址 {0} 不在本机，而网页未加密；请用 127.0.0.1 (the console listens on loopback only: pages are not encrypted)"
    )]
    NotLoopback(SocketAddr),
    /// The address is taken, say by another office of this computer.
    #[error("不能在 {0} 打开控制台，请在 node.toml 中另设 console (can't listen there: set `console`)：{1}")]
    Listen(SocketAddr, std::io::Error),
}

/// An open console.
pub(crate) struct Console {
    office: Arc<Office>,
    kit: Arc<Kit>,
    figures: figures::Figures,
    imports: import::Imports,
    unsent: unsent::Unsent,
    live: live::Live,
}

/// What every handler is given.
#[derive(Clone)]
pub(crate) struct Hall(Arc<Console>);

impl FromRef<Hall> for Arc<Kit> {
    fn from_ref(hall: &Hall) -> Self {
        hall.0.kit.clone()
    }
}

impl std::ops::Deref for Hall {
    type Target = Console;

    fn deref(&self) -> &Console {
        &self.0
    }
}

/// Where a running console is found by the commands of its owner.
#[derive(Debug, Serialize, Deserialize)]
pub struct ConsoleFile {
    /// Its address.
    pub address: SocketAddr,
    /// The path of the set-up link.
    setup: String,
}

impl ConsoleFile {
    /// What a running process left; none when there is no such file.
    pub fn read(data: &Path) -> Option<Self> {
        let bytes = disk::read_bounded(&data.join(FOLDER).join("address.json"), 4_096).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn write(&self, data: &Path) -> Result<(), DiskError> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        disk::write_file(&data.join(FOLDER).join("address.json"), &json, Secrecy::OwnerOnly)
    }

    /// The whole address, for a browser: the set-up link's while there is no user.
    ///
    /// # Errors
    /// When the list of users can't be read.
    pub fn url(&self, users: &Users) -> Result<String, Refusal> {
        let path = if users.list()?.is_empty() { &self.setup } else { "/" };
        Ok(format!("http://{}{path}", self.address))
    }
}

type Shown = Result<Response, Trouble>;

impl Console {
    /// Somebody who is logged in, as a caller of the office.
    fn caller(&self, visit: &Visit) -> Result<Caller, Refusal> {
        Caller::new(&visit.user.name, visit.user.role, self.office.ledger.unit())
    }

    /// The same of somebody who may enter and change.
    fn clerk(&self, visit: &Visit) -> Result<Caller, Refusal> {
        if visit.user.role == Role::Reader {
            return Err(Refusal::NotTheirs(
                "您的账号只能查看，不能登记或更改 (your account may look, and not change)".into(),
            ));
        }
        self.caller(visit)
    }

    /// The same of the head of the office.
    fn head(&self, visit: &Visit) -> Result<Caller, Refusal> {
        if visit.user.role != Role::Head {
            return Err(Refusal::NotTheirs("须由负责人办理 (this is for the head of the office)".into()));
        }
        self.caller(visit)
    }

    /// A page in its frame; what goes wrong in drawing it is a page with the remedy.
    fn page(
        &self,
        visit: &Visit,
        (here, title): (&str, &str),
        draw: impl FnOnce() -> Result<Markup, Refusal>,
    ) -> Shown {
        let body = now(visit, draw)?;
        Ok(self.framed(visit, here, title, &body))
    }

    /// Has the next page of somebody say something once.
    fn tell(&self, visit: &Visit, text: String) {
        self.kit.sessions.tell(&visit.session, text);
    }

    fn framed(&self, visit: &Visit, here: &str, title: &str, body: &Markup) -> Response {
        let frame = Frame {
            words: visit.words,
            unit: &self.kit.unit,
            menu: &MENU,
            here,
            line: Some(link::line(&self.office, visit.words)),
            user: Some((&visit.user.name, &visit.session.csrf)),
            told: if visit.by_itself { Vec::new() } else { self.kit.sessions.told(&visit.session) },
        };
        Html(shell::page(&frame, title, body).into_string()).into_response()
    }
}

/// What is worked out here and now for somebody; why not, as a page.
fn now<T>(visit: &Visit, work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Trouble> {
    block_in_place(work).map_err(|why| trouble(visit, why))
}

fn trouble(visit: &Visit, why: Refusal) -> Trouble {
    Trouble::new(visit.words, why)
}

fn pages(hall: Hall) -> Router {
    Router::new()
        .route("/assets/{version}/{name}", get(assets::serve))
        .route("/login", get(login::ask).post(login::log_in))
        .route("/setup", get(login::ask_setup).post(login::set_up))
        .route("/logout", post(login::log_out))
        .route("/lang", post(login::switch))
        .route("/notice", get(notice::show))
        .route("/", get(today::show))
        .route("/events", get(live::events))
        .route("/check", post(entry::check))
        .route("/draft", post(unsent::keep))
        .route("/people", get(find::people))
        .route("/find", post(find::find))
        .route("/find/{word}", get(find::found))
        .route("/card/{record}", get(card::show))
        .route("/record/{record}", get(card::record))
        .route("/history/{record}", get(card::story))
        .route("/new/{register}", get(entry::blank).post(entry::save_new))
        .route("/edit/{record}", get(entry::filled).post(entry::save))
        .route("/registers", get(registers::all))
        .route("/register/{name}", get(registers::list))
        .route("/register/{name}/filter", post(registers::filter))
        .route("/register/{name}/print", get(registers::print))
        .route("/register/{name}/file", post(registers::file))
        .route("/register/{name}/template", get(registers::template))
        .route("/import", get(import::choose).post(import::upload).layer(import::bound()))
        .route("/import/{job}", get(import::look))
        .route("/import/{job}/go", post(import::go))
        .route("/import/{job}/reasons", get(import::reasons))
        .route("/cases", get(ledger::show))
        .route("/cases/print", get(ledger::print))
        .route("/station", get(station::show))
        .route("/months", get(months::show))
        .route("/months/{month}", get(months::figures))
        .route("/months/{month}/close", post(months::close))
        .route("/sync", get(link::show))
        .route("/sync/now", post(link::sync_now))
        .route("/refused", get(link::refused))
        .route("/refused/{number}/send", post(link::resend))
        .route("/refused/{number}/drop", post(link::let_go))
        .route("/account", get(account::show).post(account::password))
        .route("/account/users", post(account::add))
        .route("/account/users/remove", post(account::remove))
        .fallback(nowhere)
        .with_state(hall)
}

async fn nowhere(headers: axum::http::HeaderMap) -> Response {
    let why = Refusal::unknown("没有这个网页 (there is no such page)");
    Trouble::new(shell::words_of(&headers), why).into_response()
}

/// Opens the console of an office, until `stop` turns true. Returns where it is found.
///
/// # Errors
/// When the address can't be had, or the list of users can't be read.
pub async fn open(
    office: &Arc<Office>,
    config: &Config,
    parts: &Arc<Parts>,
    stop: watch::Receiver<bool>,
) -> Result<(ConsoleFile, JoinHandle<()>), ConsoleError> {
    let asked = config.console;
    if !asked.ip().is_loopback() {
        return Err(ConsoleError::NotLoopback(asked));
    }
    let listener = match TcpListener::bind(asked).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            // Another office of this computer has it: this one's pages are elsewhere, and it says where.
            tracing::warn!(address = %asked, "the console's address is taken: another port is used");
            TcpListener::bind(SocketAddr::new(asked.ip(), 0)).await
        }
        bound => bound,
    }
    .map_err(|error| ConsoleError::Listen(asked, error))?;
    let address = listener.local_addr().map_err(|error| ConsoleError::Listen(asked, error))?;
    let data = office.ledger.data_dir().to_owned();
    let unit = office.ledger.unit();
    let named = (unit.number(), office.ledger.units().name(unit));
    let kit = Arc::new(Kit::new(Users::of(&data)?, named, Role::Head));
    let file = ConsoleFile { address, setup: kit.setup_path() };
    file.write(&data)?;
    let hall = Hall(Arc::new(Console {
        office: office.clone(),
        kit,
        figures: figures::Figures::default(),
        imports: import::Imports::default(),
        unsent: unsent::Unsent::of(&data)?,
        live: live::Live::default(),
    }));
    drop(parts.run("figures", stop.clone(), live::watch(hall.clone(), stop.clone())));
    let pages = web::serve::around(pages(hall));
    let serving = web::serve::serve(listener, pages, stop.clone());
    let task = parts.run("console", stop, async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the console failed");
        }
    });
    Ok((file, task))
}

/// The record that a path names.
fn id_of(written: &str) -> Result<taizhang_proto::RecordId, Refusal> {
    written.parse().map_err(|_| Refusal::unknown("没有此记录 (no such record)"))
}
