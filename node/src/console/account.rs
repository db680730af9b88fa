//! One's own password; for the head of the office, who may log in; and the log of what was done.

use super::{Hall, Shown, now, trouble};
use crate::{
    caller::{Refusal, Role},
    show,
    web::{
        Words,
        login::{Posted, Visit},
        parts::sheet,
    },
};
use axum::{
    extract::State,
    response::{IntoResponse, Redirect},
};
use maud::{Markup, html};

/// The roles of an office's console, and what they are called.
const ROLES: [(Role, &str); 3] =
    [(Role::Clerk, "role-clerk"), (Role::Head, "role-head"), (Role::Reader, "role-reader")];
/// Lines of the log on the page.
const LINES: u32 = 30;

fn role_word(words: Words, role: Role) -> String {
    ROLES.iter().find(|(own, _)| *own == role).map(|(_, says)| words.say(says)).unwrap_or_default()
}

/// The page.
pub(super) async fn show(State(hall): State<Hall>, visit: Visit) -> Shown {
    let words = visit.words;
    hall.page(&visit, ("", &words.say("account")), || {
        let is_head = visit.user.role == Role::Head;
        let csrf = &visit.session.csrf;
        Ok(html! {
            div.head { h1 { (visit.user.name) " " span.dim.small { (role_word(words, visit.user.role)) } } }
            div.cols {
                div.stack {
                    @if is_head {
                        (sheet(&words.say("users"), &html! {}, &users(&hall, words, csrf)?))
                        (sheet(&words.say("audit-log"), &html! {}, &log(&hall, words)?))
                    }
                }
                div.stack {
                    (sheet(&words.say("password-new"), &html! {}, &html! {
                        form.body method="post" action="/account" {
                            input type="hidden" name="csrf" value=(csrf);
                            (secret_field(words, "old", "password-old", "current-password"))
                            (secret_field(words, "new", "password", "new-password"))
                            (secret_field(words, "again", "password-again", "new-password"))
                            div.acts { button.btn type="submit" { (words.say("save")) } }
                        }
                    }))
                }
            }
        })
    })
}

fn secret_field(words: Words, name: &str, says: &str, fills: &str) -> Markup {
    html! {
        div.field { label for=(name) { (words.say(says)) } input #(name) type="password" name=(name) required maxlength="200" autocomplete=(fills); }
    }
}

fn users(hall: &Hall, words: Words, csrf: &str) -> Result<Markup, Refusal> {
    let users = hall.kit.users.list()?;
    Ok(html! {
        table { tbody {
            @for user in &users {
                tr {
                    td { (user.name) }
                    td { (role_word(words, user.role)) }
                    td.r {
                        form.inline method="post" action="/account/users/remove" {
                            input type="hidden" name="csrf" value=(csrf);
                            input type="hidden" name="name" value=(user.name);
                            button.link type="submit" { (words.say("remove")) }
                        }
                    }
                }
            }
        } }
        form.body method="post" action="/account/users" {
            input type="hidden" name="csrf" value=(csrf);
            h3 { (words.say("user-new")) }
            div.field { label for="user" { (words.say("user-name")) } input #user name="user" required maxlength="60" autocomplete="off"; }
            div.field {
                label for="role" { (words.say("role")) }
                select #role name="role" { @for (role, says) in ROLES { option value=(role.code()) { (words.say(says)) } } }
            }
            (secret_field(words, "first", "password", "new-password"))
            div.acts { button.btn.go type="submit" { (words.say("add")) } }
        }
    })
}

fn log(hall: &Hall, words: Words) -> Result<Markup, Refusal> {
    let lines = hall.office.audit_log(LINES)?.entries;
    Ok(html! {
        table.fold {
            tbody {
                @for line in &lines {
                    tr { td.num { (show::time(line.at)) } td data-l=(words.say("by-whom")) { (line.by) } td { (words.lang.act(&line.what)) } td.dim { (words.lang.done_at(line)) } }
                }
            }
        }
    })
}

/// Gives somebody another password of their own.
pub(super) async fn password(State(hall): State<Hall>, posted: Posted) -> Shown {
    let visit = &posted.visit;
    let name = visit.user.name.clone();
    let known = hall.kit.check(&name, posted.get("old").to_owned()).await;
    known.map_err(|why| trouble(visit, why))?;
    now(visit, || {
        if posted.get("new") != posted.get("again") {
            return Err(Refusal::wrong("两次输入的新密码不同 (the two new passwords differ)"));
        }
        hall.kit.users.set_password(&name, posted.get("new"))
    })?;
    // Whoever knew the old one is out.
    hall.kit.sessions.end_all(&name);
    Ok(Redirect::to("/login").into_response())
}

/// Adds a user.
pub(super) async fn add(State(hall): State<Hall>, posted: Posted) -> Shown {
    let visit = &posted.visit;
    now(visit, || {
        let caller = hall.head(visit)?;
        let role = ROLES.iter().map(|(role, _)| *role).find(|role| role.code() == posted.get("role"));
        let role = role.ok_or_else(|| Refusal::wrong("没有这种角色 (no such role)"))?;
        hall.kit.users.add(posted.get("user"), role, posted.get("first"))?;
        hall.office.note(&caller, "user add", role.code().to_owned())
    })?;
    hall.tell(visit, visit.words.say("user-added"));
    Ok(Redirect::to("/account").into_response())
}

/// Removes a user.
pub(super) async fn remove(State(hall): State<Hall>, posted: Posted) -> Shown {
    let visit = &posted.visit;
    let name = posted.get("name").to_owned();
    now(visit, || {
        let caller = hall.head(visit)?;
        hall.kit.users.remove(&name, Role::Head)?;
        hall.office.note(&caller, "user remove", String::new())
    })?;
    hall.kit.sessions.end_all(&name);
    Ok(Redirect::to("/account").into_response())
}
