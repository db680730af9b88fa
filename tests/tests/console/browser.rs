//! A real browser for the tests of pages. Invariant: where there is none, a test says so and is skipped; under `CI=true` it fails instead.

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, key::Key};
use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Longest wait for what a page should show.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open browser; it ends with the test.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // With the browsers that it has started.
        if let Some(group) = i32::try_from(self.driver.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.driver.wait();
    }
}

fn find(names: &[&str]) -> Option<String> {
    let found = names.iter().find(|name| std::path::Path::new(name).exists());
    found.map(|name| (*name).to_owned())
}

impl Browser {
    /// Opens one; none where this computer has none.
    pub(crate) async fn open() -> Option<Self> {
        let chromium = find(&["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]);
        let driver = find(&["/usr/bin/chromedriver", "/usr/lib/chromium-browser/chromedriver"]);
        let (Some(chromium), Some(driver)) = (chromium, driver) else {
            assert!(std::env::var("CI").is_err(), "no browser: .ci/run installs chromium and chromium-driver");
            println!("SKIPPED: no browser here (Debian: apt-get install chromium chromium-driver)");
            return None;
        };
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .process_group(0)
            // A file's name is Chinese, and it reads it by the language of its surroundings.
            .env("LANG", "C.UTF-8")
            .env("LC_ALL", "C.UTF-8")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| {
                line.split("successfully on port ").nth(1).map(|rest| rest.trim_end_matches('.').to_owned())
            })
            .expect("the driver says its port");
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let data = format!("--user-data-dir={}", profile.path().display());
        let mut wanted = serde_json::Map::new();
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1366,768",
            data.as_str(),
        ];
        wanted.insert("goog:chromeOptions".into(), serde_json::json!({ "binary": chromium, "args": args }));
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let client = builder.capabilities(wanted).connect(&format!("http://127.0.0.1:{port}")).await.unwrap();
        Some(Self { client, driver, _profile: profile })
    }

    /// Goes to an address.
    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// An element, waited for.
    pub(crate) async fn see(&self, css: &str) -> Element {
        self.client
            .wait()
            .at_most(PATIENCE)
            .for_element(Locator::Css(css))
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// The text of the page.
    pub(crate) async fn text(&self) -> String {
        self.see("body").await.text().await.unwrap_or_default()
    }

    /// Waits until the page says something.
    pub(crate) async fn reads(&self, wanted: &str) {
        let began = Instant::now();
        loop {
            let text = match self.client.find(Locator::Css("body")).await {
                Ok(body) => body.text().await.unwrap_or_default(),
                Err(_) => String::new(), // between two pages
            };
            if text.contains(wanted) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "no {wanted:?} on {:?}:\n{text}", self.client.current_url().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page says something no more.
    pub(crate) async fn forgets(&self, unwanted: &str) {
        let began = Instant::now();
        while self.text().await.contains(unwanted) {
            assert!(began.elapsed() < PATIENCE, "still {unwanted:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Writes into a field, in place of what stands there.
    pub(crate) async fn write(&self, css: &str, text: &str) {
        let field = self.see(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks.
    pub(crate) async fn click(&self, css: &str) {
        self.see(css).await.click().await.unwrap();
    }

    /// Presses keys on the page.
    pub(crate) async fn keys(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// The path of the page.
    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// Waits for a path that begins so.
    pub(crate) async fn arrives(&self, at: &str) -> String {
        let began = Instant::now();
        loop {
            let path = self.path().await;
            if path.starts_with(at) {
                return path;
            }
            assert!(began.elapsed() < PATIENCE, "{path} and not {at}:\n{}", self.text().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Logs in.
    pub(crate) async fn log_in(&self, base: &str, name: &str, password: &str) {
        self.go(&format!("{base}/login")).await;
        self.write("#name", name).await;
        self.write("#password", password).await;
        self.click("button.go").await;
    }
}

/// The key that goes on in a form.
pub(crate) fn enter() -> String {
    String::from(char::from(Key::Enter))
}
