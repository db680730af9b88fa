//! Logins: the set-up link, name and password, the way out, and what every handler is given of who asks.
//! Invariant: no handler of a page that shows records is reached without a session of a user who is still listed; no act without the
//! secret of that session's forms.

use super::{
    Words,
    sessions::{Session, Sessions, secret},
    shell::{self, Frame, LANG_COOKIE, Trouble},
    users::{User, Users},
};
use crate::caller::{Refusal, Role};
use axum::{
    Form,
    extract::{FromRef, FromRequest, FromRequestParts, Query, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;
use tokio::{sync::Semaphore, task::spawn_blocking};

/// The kit of one console.
pub struct Kit {
    /// Who may log in.
    pub users: Arc<Users>,
    /// Who is.
    pub sessions: Sessions,
    /// Whose console it is, as people read it.
    pub unit: String,
    /// The first user's role, which may add others.
    pub head: Role,
    cookie: String,
    /// The secret of the set-up link, which is good while there is no user.
    setup: String,
    /// A password is checked with 19 MiB of memory: one after another.
    checking: Semaphore,
}

impl Kit {
    /// The kit of the console of a unit: its code tells the cookies of several consoles on one computer apart.
    pub fn new(users: Users, (code, unit): (u64, String), head: Role) -> Self {
        Self {
            users: Arc::new(users),
            sessions: Sessions::default(),
            unit,
            head,
            cookie: format!("taizhang_{code}"),
            setup: secret(),
            checking: Semaphore::new(1),
        }
    }

    /// The path of the link by which the first user is set up. It leads nowhere once there is one.
    pub fn setup_path(&self) -> String {
        format!("/setup?key={}", self.setup)
    }

    /// Whether somebody may be set up, as whoever has this key.
    fn is_setup(&self, key: &str) -> Result<bool, Refusal> {
        Ok(blake3::hash(self.setup.as_bytes()) == blake3::hash(key.as_bytes()) && self.users.list()?.is_empty())
    }

    /// Whoever has this name and password; passwords are checked one after another, and who tries wrong ones waits.
    ///
    /// # Errors
    /// When it is not theirs, or they have to wait.
    pub async fn check(&self, name: &str, password: String) -> Result<User, Refusal> {
        let _turn = self.checking.acquire().await.map_err(Refusal::unavailable)?;
        if let Some(left) = self.sessions.must_wait(name) {
            let minutes = left.as_secs().div_ceil(60);
            let said = format!(
                "密码错误次数过多，请{minutes}分钟后再试 (too many wrong passwords: try again in {minutes} minutes)"
            );
            return Err(Refusal::Later(said, left.as_millis().try_into().unwrap_or(u64::MAX)));
        }
        let (users, asked) = (self.users.clone(), name.to_owned());
        let found = spawn_blocking(move || users.check(&asked, &password)).await.map_err(Refusal::failed)??;
        if let Some(user) = found {
            self.sessions.right(name);
            return Ok(user);
        }
        self.sessions.wrong(name);
        Err(Refusal::NotTheirs("用户名或密码不对 (a wrong name or password)".into()))
    }

    fn frame(&self, words: Words) -> Frame<'_> {
        Frame { words, unit: &self.unit, menu: &[], here: "", line: None, user: None, told: Vec::new() }
    }

    fn begin(&self, name: &str, to: &str) -> Response {
        let secret = self.sessions.begin(name);
        let cookie = cookie_line(&self.cookie, &secret, 12 * 3_600);
        ([(header::SET_COOKIE, cookie)], Redirect::to(to)).into_response()
    }
}

fn cookie_line(name: &str, value: &str, seconds: u64) -> String {
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}")
}

/// Somebody who is logged in and asks for a page.
#[derive(Clone)]
pub struct Visit {
    /// Their language.
    pub words: Words,
    /// Who.
    pub user: User,
    /// Their session.
    pub session: Session,
    /// The page's script asks, and shows nothing that is said once.
    pub by_itself: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit
where
    Arc<Kit>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let kit = Arc::<Kit>::from_ref(state);
        let words = shell::words_of(&parts.headers);
        // `typed`: the script asks because somebody types.
        let asks = parts.headers.get("x-by-itself");
        let (by_itself, acts) = (asks.is_some(), asks.is_none_or(|how| how.as_bytes() == b"typed"));
        let session = shell::cookie(&parts.headers, &kit.cookie).and_then(|own| kit.sessions.find(own, acts));
        let Some(session) = session else { return Err(must_log_in(parts, by_itself)) };
        let listed = kit.users.list().map_err(|why| Trouble::new(words, why).into_response())?;
        let Some(user) = listed.into_iter().find(|user| user.name == session.name) else {
            kit.sessions.end_all(&session.name);
            return Err(must_log_in(parts, by_itself));
        };
        Ok(Self { words, user, session, by_itself })
    }
}

/// Where somebody who is not logged in is led: to the login, and from there to where they wanted to go.
fn must_log_in(parts: &Parts, by_itself: bool) -> Response {
    if by_itself {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let path = parts.uri.path();
    if parts.method == Method::GET && path != "/" {
        return Redirect::to(&format!("/login?to={path}")).into_response();
    }
    Redirect::to("/login").into_response()
}

/// A form that somebody who is logged in has sent.
pub struct Posted {
    /// Who.
    pub visit: Visit,
    fields: Vec<(String, String)>,
}

impl Posted {
    /// What was written into a field; empty where it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str())
    }

    /// The fields in which something else was written than what stood there when the page was made: `was.name` beside `name`.
    pub fn changed(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_value = |name: &str| name != "csrf" && !name.starts_with("was.");
        let fields = self.fields().filter(move |(name, _)| is_value(name));
        fields
            .map(|(name, value)| (name, value.trim()))
            .filter(|(name, value)| self.get(&format!("was.{name}")) != *value)
    }

    /// All that was written, in the order of the form.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Posted
where
    Arc<Kit>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, state).await?;
        let form = Form::<Vec<(String, String)>>::from_request(Request::from_parts(parts, body), state).await;
        let Form(fields) = form.map_err(|why| {
            let why = format!("表单无法读取，请重新填写 (the form can't be read): {why}");
            Trouble::new(visit.words, Refusal::wrong(why)).into_response()
        })?;
        let posted = Self { visit, fields };
        visits_own_form(&posted.visit, posted.get("csrf")).map_err(IntoResponse::into_response)?;
        Ok(posted)
    }
}

/// That a form is one of this session's.
///
/// # Errors
/// With the page that says so.
pub fn visits_own_form(visit: &Visit, csrf: &str) -> Result<(), Trouble> {
    if csrf == visit.session.csrf {
        return Ok(());
    }
    let why = "此页面已过期，请重新打开后再试 (this page is out of date: open it again)";
    Err(Trouble::new(visit.words, Refusal::NotTheirs(why.into())))
}

/// Where the login leads.
#[derive(Debug, Default, Deserialize)]
pub struct Way {
    #[serde(default)]
    to: String,
    #[serde(default)]
    key: String,
}

impl Way {
    /// A path of this console, or its first page.
    fn path(&self) -> &str {
        let is_own = self.to.starts_with('/') && !self.to.starts_with("//") && !self.to.contains('\\');
        // What is no sign of an address is no address, and stands in no header.
        let is_own = is_own && self.to.bytes().all(|byte| byte.is_ascii_graphic());
        if is_own { &self.to } else { "/" }
    }
}

fn credentials(words: Words, action: &str, way: &Way, (title, button): (&str, &str), why: Option<&Refusal>) -> Markup {
    let is_new = action == "/setup";
    html! {
        form.sheet.narrow method="post" action=(action) {
            header { h1 { (title) } }
            div.body {
                @if let Some(why) = why { p.bad role="alert" { (words.either(&why.to_string())) } }
                @if is_new { p { (words.say("setup-why")) } }
                input type="hidden" name="to" value=(way.to);
                input type="hidden" name="key" value=(way.key);
                div.field {
                    label for="name" { (words.say("user-name")) }
                    input #name name="name" autocomplete="username" autofocus required maxlength="60";
                }
                div.field {
                    label for="password" { (words.say("password")) }
                    input #password type="password" name="password" required maxlength="200"
                        autocomplete=(if is_new { "new-password" } else { "current-password" });
                    @if is_new { div.hint { (words.count("password-rule", super::users::SHORTEST)) } }
                }
                @if is_new {
                    div.field {
                        label for="again" { (words.say("password-again")) }
                        input #again type="password" name="again" required maxlength="200" autocomplete="new-password";
                    }
                }
                div.acts { button.btn.go type="submit" { (button) } }
            }
        }
    }
}

fn shown(kit: &Kit, words: Words, why: Option<&Refusal>, title: &str, body: &Markup) -> Response {
    let status = why.map_or(StatusCode::OK, shell::status_of);
    (status, Html(shell::page(&kit.frame(words), title, body).into_string())).into_response()
}

fn login_page(kit: &Kit, words: Words, way: &Way, why: Option<&Refusal>) -> Response {
    let title = words.say("log-in");
    let body = match kit.users.list() {
        Err(why) => return Trouble::new(words, why).into_response(),
        Ok(users) if users.is_empty() => {
            html! { section.sheet.narrow { header { h1 { (title) } } p.said { (words.say("setup-first")) } } }
        }
        Ok(_) => credentials(words, "/login", way, (&title, &title), why),
    };
    shown(kit, words, why, &title, &body)
}

/// The page to log in.
pub async fn ask(State(kit): State<Arc<Kit>>, Query(way): Query<Way>, headers: HeaderMap) -> Response {
    login_page(&kit, shell::words_of(&headers), &way, None)
}

/// A name and a password.
#[derive(Deserialize)]
pub struct Given {
    name: String,
    password: String,
    #[serde(default)]
    again: String,
    #[serde(flatten)]
    way: Way,
}

/// Checks a name and a password.
pub async fn log_in(State(kit): State<Arc<Kit>>, headers: HeaderMap, Form(given): Form<Given>) -> Response {
    match kit.check(given.name.trim(), given.password).await {
        Ok(user) => {
            tracing::info!(role = user.role.code(), "somebody logged in");
            kit.begin(&user.name, given.way.path())
        }
        Err(why) => {
            tracing::warn!("a login at the console was refused");
            login_page(&kit, shell::words_of(&headers), &given.way, Some(&why))
        }
    }
}

fn setup_page(kit: &Kit, words: Words, way: &Way, why: Option<&Refusal>) -> Response {
    let title = words.say("setup");
    let body = match kit.is_setup(&way.key) {
        Err(why) => return Trouble::new(words, why).into_response(),
        Ok(true) => credentials(words, "/setup", way, (&title, &words.say("setup-do")), why),
        Ok(false) => html! {
            section.sheet.narrow { header { h1 { (title) } } p.said { (words.say("setup-over")) " " a href="/login" { (words.say("log-in")) } } }
        },
    };
    shown(kit, words, why, &title, &body)
}

/// The page behind the set-up link.
pub async fn ask_setup(State(kit): State<Arc<Kit>>, Query(way): Query<Way>, headers: HeaderMap) -> Response {
    setup_page(&kit, shell::words_of(&headers), &way, None)
}

/// Sets the first user up.
pub async fn set_up(State(kit): State<Arc<Kit>>, headers: HeaderMap, Form(given): Form<Given>) -> Response {
    let added = match kit.is_setup(&given.way.key) {
        Ok(true) if given.password == given.again => {
            let (users, head, name) = (kit.users.clone(), kit.head, given.name.clone());
            let added = spawn_blocking(move || users.add_first(&name, head, &given.password)).await;
            added.map_err(Refusal::failed).and_then(|added| added)
        }
        Ok(true) => Err(Refusal::wrong("两次输入的密码不同 (the two passwords differ)")),
        Ok(false) => Err(Refusal::NotTheirs("此链接已失效 (this link is used up)".into())),
        Err(why) => Err(why),
    };
    match added {
        Ok(()) => kit.begin(given.name.trim(), "/"),
        Err(why) => setup_page(&kit, shell::words_of(&headers), &given.way, Some(&why)),
    }
}

/// Ends the session.
pub async fn log_out(State(kit): State<Arc<Kit>>, posted: Posted) -> Response {
    kit.sessions.end(&posted.visit.session);
    ([(header::SET_COOKIE, cookie_line(&kit.cookie, "", 0))], Redirect::to("/login")).into_response()
}

/// Switches the language, and leads back.
pub async fn switch(headers: HeaderMap, Form(way): Form<Way>) -> Response {
    let lang = if way.to == "en" { "en" } else { "zh" };
    let from = headers.get(header::REFERER).and_then(|from| from.to_str().ok());
    // Only the path: a referrer of elsewhere leads nowhere.
    let path = from.and_then(|from| from.split_once("://")).and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    let back = Way { to: path.unwrap_or("/").to_owned(), key: String::new() };
    let cookie = cookie_line(LANG_COOKIE, lang, 365 * 86_400);
    ([(header::SET_COOKIE, cookie)], Redirect::to(back.path())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_nowhere_else() {
        let path = |to: &str| Way { to: to.into(), key: String::new() }.path().to_owned();
        assert_eq!(path("/sync"), "/sync");
        for to in
            ["", "//evil.example", "http://evil.example", "/\\evil.example", "sync", "/a\r\nSet-Cookie: b", "/台账"]
        {
            assert_eq!(path(to), "/", "{to}");
        }
    }
}
