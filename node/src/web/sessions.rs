//! Who is logged in, and how often somebody may try.
//! Invariant: what a browser holds is a random secret of which only a digest is kept here; a session that nobody uses ends, and so does
//! every session of a user who is gone. Wrong passwords make whoever tries them wait, and nobody else.

use rand::RngExt;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A session nobody uses for so long has ended.
const IDLE: Duration = Duration::from_secs(2 * 3_600);
/// No session lasts longer.
const LONGEST: Duration = Duration::from_secs(12 * 3_600);
/// Most sessions at a time; the one longest unused gives way.
const MOST: usize = 500;
/// So many wrong passwords of one name in a row make it wait.
const TRIES: u32 = 5;
/// For so long.
const WAIT: Duration = Duration::from_secs(5 * 60);
/// Names whose tries are remembered.
const MOST_NAMES: usize = 2_000;
/// Searches that one session can go back to.
const MOST_KEPT: usize = 50;

/// A secret nobody can guess.
pub fn secret() -> String {
    let bytes: [u8; 32] = rand::rng().random();
    crate::show::hex(&bytes)
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Session {
    /// The user's name.
    pub name: String,
    /// What every form of theirs carries.
    pub csrf: String,
    digest: [u8; 32],
}

struct Held {
    session: Session,
    began: Instant,
    used: Instant,
    /// What was searched for, by a random word that stands in the address in its place.
    kept: Vec<(String, String)>,
    /// What the next page says once.
    told: Vec<String>,
}

#[derive(Default)]
struct Inner {
    sessions: HashMap<[u8; 32], Held>,
    tries: HashMap<String, (u32, Instant)>,
}

/// All sessions of a console.
#[derive(Default)]
pub struct Sessions(Mutex<Inner>);

fn digest(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

impl Sessions {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one. Returns the secret for the browser.
    pub fn begin(&self, name: &str) -> String {
        let (secret, now) = (secret(), Instant::now());
        let session = Session { name: name.to_owned(), csrf: self::secret(), digest: digest(&secret) };
        let mut inner = self.inner();
        if inner.sessions.len() >= MOST
            && let Some(oldest) = inner.sessions.iter().min_by_key(|(_, held)| held.used).map(|(key, _)| *key)
        {
            inner.sessions.remove(&oldest);
        }
        inner
            .sessions
            .insert(session.digest, Held { session, began: now, used: now, kept: Vec::new(), told: Vec::new() });
        secret
    }

    /// The session of a browser's secret. `acts`: somebody did something, not a page that asks by itself.
    pub fn find(&self, secret: &str, acts: bool) -> Option<Session> {
        let (key, now, mut inner) = (digest(secret), Instant::now(), self.inner());
        let held = inner.sessions.get_mut(&key)?;
        if now.duration_since(held.used) > IDLE || now.duration_since(held.began) > LONGEST {
            inner.sessions.remove(&key);
            return None;
        }
        if acts {
            held.used = now;
        }
        Some(held.session.clone())
    }

    /// Ends one.
    pub fn end(&self, session: &Session) {
        self.inner().sessions.remove(&session.digest);
    }

    /// Ends all of a user.
    pub fn end_all(&self, name: &str) {
        self.inner().sessions.retain(|_, held| held.session.name != name);
    }

    /// Keeps what is personal under a word that may stand in an address.
    pub fn keep(&self, session: &Session, text: &str) -> String {
        let mut inner = self.inner();
        let Some(held) = inner.sessions.get_mut(&session.digest) else { return String::new() };
        if let Some((word, _)) = held.kept.iter().find(|(_, kept)| kept == text) {
            return word.clone();
        }
        let word = secret()[..12].to_owned();
        if held.kept.len() >= MOST_KEPT {
            held.kept.remove(0);
        }
        held.kept.push((word.clone(), text.to_owned()));
        word
    }

    /// What was kept under a word.
    pub fn kept(&self, session: &Session, word: &str) -> Option<String> {
        let inner = self.inner();
        let kept = &inner.sessions.get(&session.digest)?.kept;
        kept.iter().find(|(own, _)| own == word).map(|(_, text)| text.clone())
    }

    /// Has the next page say something, once.
    pub fn tell(&self, session: &Session, text: String) {
        if let Some(held) = self.inner().sessions.get_mut(&session.digest)
            && held.told.len() < MOST_KEPT
        {
            held.told.push(text);
        }
    }

    /// What this page has to say.
    pub fn told(&self, session: &Session) -> Vec<String> {
        self.inner().sessions.get_mut(&session.digest).map(|held| std::mem::take(&mut held.told)).unwrap_or_default()
    }

    /// How long whoever gives this name has to wait; none when a try is free.
    pub fn must_wait(&self, name: &str) -> Option<Duration> {
        let inner = self.inner();
        let (tries, last) = inner.tries.get(name)?;
        let left = WAIT.checked_sub(last.elapsed())?;
        (*tries >= TRIES).then_some(left)
    }

    /// A password that was wrong.
    pub fn wrong(&self, name: &str) {
        let mut inner = self.inner();
        let now = Instant::now();
        if inner.tries.len() >= MOST_NAMES {
            inner.tries.retain(|_, (_, last)| last.elapsed() < WAIT);
        }
        if inner.tries.len() >= MOST_NAMES {
            return; // so many names in five minutes are no clerks; each is checked slowly all the same
        }
        let tries = inner.tries.entry(name.to_owned()).or_insert((0, now));
        *tries = if tries.1.elapsed() > WAIT { (1, now) } else { (tries.0 + 1, now) };
    }

    /// A password that was right.
    pub fn right(&self, name: &str) {
        self.inner().tries.remove(name);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_try_waits_and_keeps_nobody_else_out() {
        let sessions = Sessions::default();
        for _ in 0..5 {
            assert!(sessions.must_wait("王芳").is_none());
            sessions.wrong("王芳");
        }
        assert!(sessions.must_wait("王芳").is_some());
        assert!(sessions.must_wait("李强").is_none());
        sessions.right("王芳");
        assert!(sessions.must_wait("王芳").is_none());
    }

    #[test]
    fn a_session_is_its_secret_s_and_ends() {
        let sessions = Sessions::default();
        let secret = sessions.begin("王芳");
        let session = sessions.find(&secret, true).unwrap();
        assert_eq!(session.name, "王芳");
        assert!(sessions.find(&session.csrf, true).is_none());
        let word = sessions.keep(&session, "210490196502060023");
        assert_eq!(sessions.kept(&session, &word).as_deref(), Some("210490196502060023"));
        assert!(!word.contains("2104901965"));
        let other = sessions.find(&sessions.begin("李强"), true).unwrap();
        assert!(sessions.kept(&other, &word).is_none(), "somebody else's search");
        sessions.end_all("王芳");
        assert!(sessions.find(&secret, true).is_none());
    }
}
