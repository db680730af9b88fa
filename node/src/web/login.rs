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
use std::sync::{Arc, Mutex, PoisonError};
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
    is_secure: bool,
    setup: Mutex<Option<String>>,
    /// A password is checked with 19 MiB of memory: one after another.
    checking: Semaphore,
}

impl Kit {
    /// The kit of the console of a unit: its code tells the cookies of several consoles on one computer apart.
    ///
    /// # Errors
    /// When the list of users can't be read.
    pub fn new(users: Users, (code, unit): (u64, String), head: Role, is_secure: bool) -> Result<Self, Refusal> {
        let setup = users.list()?.is_empty().then(secret);
        Ok(Self {
            users: Arc::new(users),
            sessions: Sessions::default(),
            unit,
            head,
            cookie: format!("taizhang_{code}"),
            is_secure,
            setup: Mutex::new(setup),
            checking: Semaphore::new(1),
        })
    }

    /// The path of the link by which the first user is set up; none when there is one.
    pub fn setup_path(&self) -> Option<String> {
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
        setup.as_ref().map(|secret| format!("/setup?key={secret}"))
    }

    fn is_setup(&self, key: &str) -> bool {
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
        setup.as_ref().is_some_and(|own| blake3::hash(own.as_bytes()) == blake3::hash(key.as_bytes()))
    }

    fn cookie_line(&self, name: &str, value: &str, seconds: u64) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
    }

    fn frame(&self, words: Words) -> Frame<'_> {
        Frame { words, unit: &self.unit, menu: &[], here: "", line: None, user: None, told: Vec::new() }
    }

    fn begin(&self, name: &str, to: &str) -> Response {
        let secret = self.sessions.begin(name);
        let cookie = self.cookie_line(&self.cookie, &secret, 12 * 3_600);
        ([(header::SET_COOKIE, cookie)], Redirect::to(to)).into_response()
    }
}

/// Somebody who is logged in and asks for a page.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Their language.
    pub words: Words,
    /// Who.
    pub user: User,
    /// Their session.
    pub session: Session,
    /// The page asks by itself: nobody has done anything.
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
        let by_itself = parts.headers.contains_key("x-by-itself");
        let session = shell::cookie(&parts.headers, &kit.cookie).and_then(|own| kit.sessions.find(own, !by_itself));
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

fn credentials(words: Words, action: &str, way: &Way, (title, button): (&str, &str), said: Option<&str>) -> Markup {
    let is_new = action == "/setup";
    html! {
        form.sheet.narrow method="post" action=(action) {
            header { h1 { (title) } }
            div.body {
                @if let Some(said) = said { p.bad role="alert" { (said) } }
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

fn shown(kit: &Kit, words: Words, status: StatusCode, title: &str, body: &Markup) -> Response {
    (status, Html(shell::page(&kit.frame(words), title, body).into_string())).into_response()
}

fn login_page(kit: &Kit, words: Words, way: &Way, said: Option<&str>, status: StatusCode) -> Response {
    let title = words.say("log-in");
    let body = if kit.setup_path().is_some() {
        html! { section.sheet.narrow { header { h1 { (title) } } p.said { (words.say("setup-first")) } } }
    } else {
        credentials(words, "/login", way, (&title, &title), said)
    };
    shown(kit, words, status, &title, &body)
}

/// The page to log in.
pub async fn ask(State(kit): State<Arc<Kit>>, Query(way): Query<Way>, headers: HeaderMap) -> Response {
    login_page(&kit, shell::words_of(&headers), &way, None, StatusCode::OK)
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
    let words = shell::words_of(&headers);
    let name = given.name.trim().to_owned();
    let Ok(_turn) = kit.checking.acquire().await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    if let Some(left) = kit.sessions.must_wait(&name) {
        let said = words.count("log-in-wait", left.as_secs().div_ceil(60));
        return login_page(&kit, words, &given.way, Some(&said), StatusCode::TOO_MANY_REQUESTS);
    }
    let users = kit.users.clone();
    let password = given.password;
    let asked = name.clone();
    match spawn_blocking(move || users.check(&asked, &password)).await {
        Ok(Ok(Some(user))) => {
            kit.sessions.right(&name);
            tracing::info!(role = user.role.code(), "somebody logged in");
            kit.begin(&user.name, given.way.path())
        }
        Ok(Ok(None)) => {
            kit.sessions.wrong(&name);
            tracing::warn!("a wrong name or password at the console");
            let said = words.say("log-in-wrong");
            login_page(&kit, words, &given.way, Some(&said), StatusCode::FORBIDDEN)
        }
        Ok(Err(why)) => Trouble::new(words, why).into_response(),
        Err(why) => Trouble::new(words, Refusal::failed(why)).into_response(),
    }
}

fn setup_page(kit: &Kit, words: Words, way: &Way, said: Option<&str>, status: StatusCode) -> Response {
    let title = words.say("setup");
    if !kit.is_setup(&way.key) {
        let body = html! {
            section.sheet.narrow { header { h1 { (title) } } p.said { (words.say("setup-over")) " " a href="/login" { (words.say("log-in")) } } }
        };
        return shown(kit, words, StatusCode::GONE, &title, &body);
    }
    let body = credentials(words, "/setup", way, (&title, &words.say("setup-do")), said);
    shown(kit, words, status, &title, &body)
}

/// The page behind the set-up link.
pub async fn ask_setup(State(kit): State<Arc<Kit>>, Query(way): Query<Way>, headers: HeaderMap) -> Response {
    setup_page(&kit, shell::words_of(&headers), &way, None, StatusCode::OK)
}

/// Sets the first user up.
pub async fn set_up(State(kit): State<Arc<Kit>>, headers: HeaderMap, Form(given): Form<Given>) -> Response {
    let words = shell::words_of(&headers);
    if !kit.is_setup(&given.way.key) {
        return setup_page(&kit, words, &given.way, None, StatusCode::GONE);
    }
    if given.password != given.again {
        let said = words.say("password-differs");
        return setup_page(&kit, words, &given.way, Some(&said), StatusCode::UNPROCESSABLE_ENTITY);
    }
    let (users, head, name) = (kit.users.clone(), kit.head, given.name.trim().to_owned());
    let added = spawn_blocking(move || users.add_first(&name, head, &given.password)).await;
    match added.map_err(Refusal::failed).and_then(|added| added) {
        Ok(()) => {
            *kit.setup.lock().unwrap_or_else(PoisonError::into_inner) = None;
            kit.begin(given.name.trim(), "/")
        }
        Err(why) => {
            let said = words.either(&why.to_string());
            setup_page(&kit, words, &given.way, Some(&said), shell::status_of(&why))
        }
    }
}

/// Ends the session.
pub async fn log_out(State(kit): State<Arc<Kit>>, posted: Posted) -> Response {
    kit.sessions.end(&posted.visit.session);
    ([(header::SET_COOKIE, kit.cookie_line(&kit.cookie, "", 0))], Redirect::to("/login")).into_response()
}

/// Switches the language, and leads back.
pub async fn switch(State(kit): State<Arc<Kit>>, headers: HeaderMap, Form(way): Form<Way>) -> Response {
    let lang = if way.to == "en" { "en" } else { "zh" };
    let from = headers.get(header::REFERER).and_then(|from| from.to_str().ok());
    // Only the path: a referrer of elsewhere leads nowhere.
    let path = from.and_then(|from| from.split_once("://")).and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    let back = Way { to: path.unwrap_or("/").to_owned(), key: String::new() };
    let cookie = kit.cookie_line(LANG_COOKIE, lang, 365 * 86_400);
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
