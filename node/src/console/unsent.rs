//! Forms that are half filled, kept by the program while somebody types: a reload, a browser that is closed and a power cut lose nothing.
//! Invariant: a draft is its user's alone, is gone once it is saved, and is bounded in number and size.

use super::{Hall, Shown, trouble};
use crate::{
    caller::Refusal,
    disk::{self, DiskError, Secrecy},
    web::{login::Posted, users::FOLDER},
};
use axum::{extract::State, http::StatusCode, response::IntoResponse};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Largest form, bytes.
const LARGEST: usize = 64 << 10;
/// Most of an office; the oldest give way.
const MOST: usize = 200;

/// The half-filled forms of an office.
pub(super) struct Unsent(PathBuf);

/// What was typed, by field.
pub(super) type Typed = BTreeMap<String, String>;

impl Unsent {
    pub(super) fn of(data: &Path) -> Result<Self, DiskError> {
        let folder = data.join(FOLDER).join("drafts");
        disk::create_dir(&folder)?;
        Ok(Self(folder))
    }

    /// The file of a form of somebody: a digest, as a name is personal and no file name.
    fn file(&self, user: &str, form: &str) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        hasher.update(user.as_bytes()).update(&[0]).update(form.as_bytes());
        self.0.join(format!("{}.json", &hasher.finalize().to_hex()[..32]))
    }

    /// What somebody has typed into a form.
    pub(super) fn get(&self, user: &str, form: &str) -> Option<Typed> {
        let bytes = disk::read_bounded(&self.file(user, form), LARGEST as u64 * 2).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn put(&self, user: &str, form: &str, typed: &Typed) -> Result<(), Refusal> {
        let json = serde_json::to_vec(typed).map_err(Refusal::failed)?;
        if json.len() > LARGEST {
            return Err(Refusal::wrong("草稿太长 (too long a draft)"));
        }
        let file = self.file(user, form);
        if !file.exists() {
            self.make_room()?;
        }
        disk::write_file(&file, &json, Secrecy::OwnerOnly).map_err(Refusal::failed)
    }

    fn make_room(&self) -> Result<(), Refusal> {
        let mut files = disk::files_named(&self.0, "json").map_err(Refusal::failed)?;
        if files.len() < MOST {
            return Ok(());
        }
        files.sort_by_cached_key(|file| file.metadata().and_then(|of| of.modified()).ok());
        disk::remove(&files[0]).map_err(Refusal::failed)
    }

    /// Forgets a form's draft: it is saved, or not wanted.
    pub(super) fn forget(&self, user: &str, form: &str) {
        if let Err(error) = disk::remove(&self.file(user, form)) {
            tracing::warn!(%error, "a draft that is saved stays on disk");
        }
    }
}

/// Keeps what has been typed so far.
pub(super) async fn keep(State(hall): State<Hall>, posted: Posted) -> Shown {
    let form = posted.get("form").to_owned();
    let kept = |name: &str| !["csrf", "form", "password"].contains(&name);
    let typed: Typed = posted
        .fields()
        .filter(|(name, _)| kept(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let user = posted.visit.user.name.clone();
    tokio::task::block_in_place(|| hall.unsent.put(&user, &form, &typed)).map_err(|why| trouble(&posted.visit, why))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_its_user_s_and_the_oldest_gives_way() {
        let dir = tempfile::tempdir().unwrap();
        let unsent = Unsent::of(dir.path()).unwrap();
        let typed = Typed::from([("name".to_owned(), "董珍".to_owned())]);
        unsent.put("王芳", "new/Resident", &typed).unwrap();
        assert_eq!(unsent.get("王芳", "new/Resident"), Some(typed.clone()));
        assert_eq!(unsent.get("李强", "new/Resident"), None);
        let long = Typed::from([("name".to_owned(), "长".repeat(LARGEST))]);
        assert!(unsent.put("王芳", "new/Resident", &long).is_err());
        for number in 0..MOST + 5 {
            unsent.put("李强", &number.to_string(), &typed).unwrap();
        }
        assert_eq!(disk::files_named(&unsent.0, "json").unwrap().len(), MOST);
        unsent.forget("李强", &(MOST + 4).to_string());
        assert_eq!(unsent.get("李强", &(MOST + 4).to_string()), None);
    }
}
