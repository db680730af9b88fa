//! An office of a scene with its console open.

use std::sync::Arc;
use taizhang_node::{config::Config, console, office::Office, parts::Parts, web::users::Users};
use tokio::sync::watch;

/// An open console; it ends with the test.
pub(crate) struct Console {
    /// How its addresses begin.
    pub(crate) base: String,
    /// The set-up link.
    pub(crate) link: String,
    _stop: watch::Sender<bool>,
}

/// The name and password that the tests use.
pub(crate) const HEAD: (&str, &str) = ("王芳", "correct horse");

impl Console {
    /// Opens the console of an office.
    pub(crate) async fn of(office: &Arc<Office>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let config = Config { console: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
        let users = Users::of(office.ledger.data_dir()).unwrap();
        let (file, _task) = console::open(office, &config, &Parts::new(), stopped).await.unwrap();
        Self { base: format!("http://{}", file.address), link: file.url(&users).unwrap(), _stop: stop }
    }

    /// Opens it with the first user set up.
    pub(crate) async fn with_head(office: &Arc<Office>) -> Self {
        let users = Users::of(office.ledger.data_dir()).unwrap();
        users.add_first(HEAD.0, taizhang_node::caller::Role::Head, HEAD.1).unwrap();
        Self::of(office).await
    }

    /// The address of a path.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}
