//! Who may log in: names, roles and argon2id hashes, in one file that its owner alone reads.
//! Invariant: no password is kept, in the file or in memory longer than it is checked; a change of the file is whole or not at all; there
//! is always somebody who may add others, or the set-up link is open.

use crate::{
    caller::{Refusal, Role},
    disk::{self, DiskError, Secrecy},
};
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use taizhang_proto::limits;

/// The folder of what a console keeps, in the data directory.
pub const FOLDER: &str = "console";
const FILE: &str = "users.json";
const MAX_FILE: u64 = 1 << 20;
/// What the file's form is.
const VERSION: u32 = 1;
/// Fewest characters of a password, and most bytes.
pub const SHORTEST: usize = 8;
const LONGEST: usize = 200;
/// Most users of one console.
const MOST: usize = 200;

/// Somebody who may log in.
#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    /// The name, under which what they enter is kept.
    pub name: String,
    /// As what.
    pub role: Role,
    hash: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Listed {
    version: u32,
    users: Vec<User>,
}

/// The users of one console.
pub struct Users {
    file: PathBuf,
    changing: Mutex<()>,
}

fn hash(password: &str) -> Result<String, Refusal> {
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).map_err(Refusal::failed)?;
    let hashed = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hashed.map_err(Refusal::failed)?.to_string())
}

/// What is wrong with a password that somebody chose.
fn sound(password: &str) -> Result<(), Refusal> {
    if password.chars().count() < SHORTEST {
        return Err(Refusal::wrong(format!(
            "密码至少{SHORTEST}个字符 (a password has at least {SHORTEST} characters)"
        )));
    }
    if password.len() > LONGEST {
        return Err(Refusal::wrong("密码太长 (this password is too long)"));
    }
    Ok(())
}

impl Users {
    /// Those of a data directory.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn of(data: &Path) -> Result<Self, DiskError> {
        let folder = data.join(FOLDER);
        disk::create_dir(&folder)?;
        Ok(Self { file: folder.join(FILE), changing: Mutex::default() })
    }

    /// All of them, as the file has them now: a command may have changed it.
    ///
    /// # Errors
    /// When the file can't be read, or is of a newer build.
    pub fn list(&self) -> Result<Vec<User>, Refusal> {
        if !self.file.exists() {
            return Ok(Vec::new());
        }
        let bytes = disk::read_bounded(&self.file, MAX_FILE).map_err(Refusal::failed)?;
        let listed: Listed = serde_json::from_slice(&bytes).map_err(|error| self.unreadable(&error))?;
        if listed.version > VERSION {
            return Err(self.unreadable(&"a newer version"));
        }
        Ok(listed.users)
    }

    fn unreadable(&self, why: &dyn std::fmt::Display) -> Refusal {
        let file = self.file.display();
        Refusal::failed(format!("用户文件 {file} 无法读取，请从备份恢复 (the list of users can't be read): {why}"))
    }

    fn write(&self, users: Vec<User>) -> Result<(), Refusal> {
        let json = serde_json::to_vec_pretty(&Listed { version: VERSION, users }).map_err(Refusal::failed)?;
        disk::write_file(&self.file, &json, Secrecy::OwnerOnly).map_err(Refusal::failed)
    }

    /// Adds somebody.
    ///
    /// # Errors
    /// When the name or the password is not one, the name is taken, or the disk fails.
    pub fn add(&self, name: &str, role: Role, password: &str) -> Result<(), Refusal> {
        let name = limits::name(name)?;
        sound(password)?;
        let hash = hash(password)?;
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut users = self.list()?;
        if users.iter().any(|user| user.name == name) {
            return Err(Refusal::Exists("已有同名用户 (there is a user of this name)".into()));
        }
        if users.len() >= MOST {
            return Err(Refusal::refused(format!("用户已满{MOST}名 (no more users)")));
        }
        users.push(User { name: name.to_owned(), role, hash });
        self.write(users)
    }

    /// Adds the first one; whoever comes second with the same link is refused.
    ///
    /// # Errors
    /// When there is somebody already, or as [`Users::add`].
    pub fn add_first(&self, name: &str, role: Role, password: &str) -> Result<(), Refusal> {
        if !self.list()?.is_empty() {
            return Err(Refusal::refused("已有用户，初始设置链接已失效 (there are users: the set-up link is used up)"));
        }
        self.add(name, role, password)
    }

    /// Gives somebody another password.
    ///
    /// # Errors
    /// When there is no such user, the password is none, or the disk fails.
    pub fn set_password(&self, name: &str, password: &str) -> Result<(), Refusal> {
        sound(password)?;
        let hash = hash(password)?;
        self.change(name, |user| user.hash = hash)
    }

    fn change(&self, name: &str, how: impl FnOnce(&mut User)) -> Result<(), Refusal> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut users = self.list()?;
        let user = users.iter_mut().find(|user| user.name == name);
        how(user.ok_or_else(|| Refusal::unknown("没有这个用户 (no such user)"))?);
        self.write(users)
    }

    /// Removes somebody, but not the last one of a role that `keeps`.
    ///
    /// # Errors
    /// When there is no such user, nobody would be left who may add others, or the disk fails.
    pub fn remove(&self, name: &str, keeps: Role) -> Result<(), Refusal> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut users = self.list()?;
        let before = users.len();
        users.retain(|user| user.name != name);
        if users.len() == before {
            return Err(Refusal::unknown("没有这个用户 (no such user)"));
        }
        if !users.iter().any(|user| user.role == keeps) {
            return Err(Refusal::refused("至少要留一名能增加用户的人 (somebody has to be left who may add users)"));
        }
        self.write(users)
    }

    /// Whoever has this name and password. It takes as long for a name that there is not.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn check(&self, name: &str, password: &str) -> Result<Option<User>, Refusal> {
        let found = self.list()?.into_iter().find(|user| user.name == name.trim());
        let nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let hash = found.as_ref().map_or(nobody, |user| user.hash.as_str());
        let hash = PasswordHash::new(hash).map_err(|error| self.unreadable(&error))?;
        let short = if password.len() > LONGEST { "" } else { password };
        let fits = Argon2::default().verify_password(short.as_bytes(), &hash).is_ok();
        Ok(found.filter(|_| fits))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_password_are_found_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let users = Users::of(dir.path()).unwrap();
        users.add_first("王芳", Role::Head, "correct horse").unwrap();
        assert!(users.add_first("李强", Role::Head, "battery staple").is_err(), "the link is used up");
        assert!(users.add("王芳", Role::Clerk, "battery staple").is_err(), "the name is taken");
        assert!(users.add("李强", Role::Clerk, "short").is_err());
        users.add("李强", Role::Clerk, "battery staple").unwrap();
        assert_eq!(users.check("王芳", "correct horse").unwrap().unwrap().role, Role::Head);
        for (name, password) in [("王芳", "battery staple"), ("", ""), ("赵六", "correct horse")] {
            assert!(users.check(name, password).unwrap().is_none(), "{name}");
        }
        users.set_password("李强", "another one").unwrap();
        assert!(users.check("李强", "battery staple").unwrap().is_none());
        assert!(users.check("李强", "another one").unwrap().is_some());
        assert!(users.remove("王芳", Role::Head).is_err(), "nobody could add users");
        users.remove("李强", Role::Head).unwrap();
        let kept = std::fs::read_to_string(dir.path().join(FOLDER).join(FILE)).unwrap();
        assert!(kept.contains("argon2id") && !kept.contains("horse"), "{kept}");
    }
}
