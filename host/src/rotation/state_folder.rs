//! The folder that keeps what a rotation is about to do, and its secret until it is delivered.
//!
//! There is one JSON file for each token, which only its owner can read. It is written beside its place, synced and renamed, and the
//! folder is synced, so that a loss of power leaves the file as it was or as it is meant to be. Whoever works on a token holds the lock
//! of the file `<name>.lock`, which the system releases when the process ends. The writes are few and small, and synchronous.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::client::scope::Scope;
use crate::rotation::record::{LastRotation, Record, Subject, Unfinished, VERSION};
use crate::secret::{ExposeSecret, SecretString};

/// A folder that keeps unfinished changes. Several processes may use it at once; those of one token exclude each other.
#[derive(Clone)]
pub struct StateFolder {
    path: PathBuf,
    hook: Option<Hook>,
}

/// What a test is told at each of the [`POINTS`]; it may end the process there.
pub type Hook = Arc<dyn Fn(&str) + Send + Sync>;

/// The points of a rotation at which a process may end, for tests that end it at each of them.
#[doc(hidden)]
pub const POINTS: [&str; 33] = [
    "look",
    "check",
    "intent",
    "intent-written",
    "intent-synced",
    "intent-renamed",
    "intent-kept",
    "change",
    "answer",
    "journal",
    "journal-written",
    "journal-synced",
    "journal-renamed",
    "journal-kept",
    "prove",
    "proof",
    "proof-written",
    "proof-synced",
    "proof-renamed",
    "proof-kept",
    "deliver",
    "delivery",
    "delivery-written",
    "delivery-synced",
    "delivery-renamed",
    "delivery-kept",
    "end-overlap",
    "name",
    "finish",
    "finish-written",
    "finish-synced",
    "finish-renamed",
    "finish-kept",
];

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The system refuses something.
    #[error("the state folder's {} cannot be {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was to be done with it, such as `written`.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// Others can read the folder.
    #[error("other users can reach the state folder {}; make it yours alone with chmod 700, or name another folder", .0.display())]
    NotPrivate(PathBuf),
    /// Another process works on the token.
    #[error("another process is at work on this token: it holds the lock of {}; wait until it has ended", .0.display())]
    Busy(PathBuf),
    /// A file is not one of this version, or damaged.
    #[error("{} is not a file of this version of the state folder ({reason}); move it away if you know what it is", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl StateError {
    fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }
}

impl StateFolder {
    /// Opens the folder, or makes it with access for its owner only. It must be on a disk that outlives the process.
    ///
    /// # Errors
    ///
    /// [`StateError`] where it cannot be made, or others can reach it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StateError> {
        let path = path.into();
        make_private(&path)?;
        Ok(Self { path, hook: None })
    }

    /// Calls `hook` at each of the [`POINTS`].
    #[doc(hidden)]
    #[must_use]
    pub fn with_hook(self, hook: Hook) -> Self {
        Self { hook: Some(hook), ..self }
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns every unfinished change and its token, the oldest first.
    ///
    /// # Errors
    ///
    /// [`StateError`] where the folder or a file in it cannot be read.
    pub fn unfinished(&self) -> Result<Vec<(Subject, Unfinished)>, StateError> {
        let cannot_be_read = || StateError::io(&self.path, "read");
        let mut found = Vec::new();
        for file in fs::read_dir(&self.path).map_err(cannot_be_read())? {
            let path = file.map_err(cannot_be_read())?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            if let Some(Record { subject, unfinished: Some(unfinished), .. }) = read(&path)? {
                found.push((subject, unfinished));
            }
        }
        found.sort_by(|(_, one), (_, other)| one.begun_at.cmp(&other.begun_at));
        Ok(found)
    }

    /// Returns the unfinished change of a token.
    ///
    /// # Errors
    ///
    /// [`StateError`] where the file of the token cannot be read.
    pub fn unfinished_of(&self, subject: &Subject) -> Result<Option<Unfinished>, StateError> {
        Ok(read(&self.file(subject))?.and_then(|record| record.unfinished))
    }

    /// Returns the last rotation of a token that was finished with this folder.
    ///
    /// # Errors
    ///
    /// [`StateError`] where the file of the token cannot be read.
    pub fn last_rotation(&self, scope: &Scope, token_id: &str) -> Result<Option<LastRotation>, StateError> {
        let subject = Subject::Token { scope: scope.clone(), id: token_id.to_owned() };
        let record = read(&self.file(&subject))?;
        Ok(record.and_then(|record| record.last))
    }

    /// Forgets an unfinished change, **with its secret, where that is in the journal**. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// [`StateError`]; the change is kept.
    pub fn abandon(&self, subject: &Subject) -> Result<bool, StateError> {
        let mut entry = self.lock(subject)?;
        let was_there = entry.record.unfinished.take().is_some();
        if was_there {
            entry.save(Phase::Finish)?;
        }
        Ok(was_there)
    }

    /// Takes the lock of a token and reads its file.
    pub(super) fn lock(&self, subject: &Subject) -> Result<Entry, StateError> {
        let path = self.file(subject);
        let lock_path = path.with_extension("lock");
        let lock = private_file().create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(StateError::io(&lock_path, "opened"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::Busy(lock_path)),
            Err(TryLockError::Error(error)) => return Err(StateError::io(&lock_path, "locked")(error)),
        }
        let record = match read(&path)? {
            Some(record) if record.subject != *subject => {
                return Err(StateError::Unreadable { path, reason: "it is about another token".to_owned() });
            }
            Some(record) => record,
            None => Record { version: VERSION, subject: subject.clone(), last: None, unfinished: None },
        };
        Ok(Entry { _lock: lock, path, record, hook: self.hook.clone() })
    }

    fn file(&self, subject: &Subject) -> PathBuf {
        self.path.join(subject.file_stem() + ".json")
    }
}

impl fmt::Debug for StateFolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("StateFolder").field(&self.path).finish()
    }
}

/// The moment of a change that its file is written at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    Intent,
    Journal,
    Proof,
    Delivery,
    Finish,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Journal => "journal",
            Self::Proof => "proof",
            Self::Delivery => "delivery",
            Self::Finish => "finish",
        }
    }
}

/// The file of a token, and its lock as long as this lives.
pub(super) struct Entry {
    _lock: File,
    path: PathBuf,
    pub record: Record,
    hook: Option<Hook>,
}

impl Entry {
    /// Writes the file as the record is now. A record with nothing to remember has no file.
    pub fn save(&self, phase: Phase) -> Result<(), StateError> {
        let name = phase.name();
        self.reached(name);
        if self.record.unfinished.is_none() && self.record.last.is_none() {
            match fs::remove_file(&self.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(StateError::io(&self.path, "removed")(error));
                }
                _ => {}
            }
        } else {
            self.write(name)?;
        }
        self.sync_folder()?;
        self.reached(&format!("{name}-kept"));
        Ok(())
    }

    fn write(&self, name: &str) -> Result<(), StateError> {
        let text: SecretString = serde_json::to_string(&self.record)
            .map_err(|error| StateError::io(&self.path, "written")(error.into()))?
            .into();
        // Whoever holds the lock is the only one that writes it, so one that is there was left by a process that was stopped.
        let beside = self.path.with_extension("new");
        let cannot_be_written = || StateError::io(&beside, "written");
        let mut file = private_file().create(true).truncate(true).open(&beside).map_err(cannot_be_written())?;
        file.write_all(text.expose_secret().as_bytes()).map_err(cannot_be_written())?;
        self.reached_in(name, "written");
        file.sync_all().map_err(cannot_be_written())?;
        self.reached_in(name, "synced");
        fs::rename(&beside, &self.path).map_err(cannot_be_written())?;
        self.reached_in(name, "renamed");
        Ok(())
    }

    /// Tells the hook of a test that the process is here.
    pub fn reached(&self, point: &str) {
        if let Some(hook) = &self.hook {
            hook(point);
        }
    }

    fn reached_in(&self, name: &str, moment: &str) {
        if self.hook.is_some() {
            self.reached(&format!("{name}-{moment}"));
        }
    }

    /// Makes the names of the files survive a loss of power. Some file systems have no such thing, and say so.
    #[cfg(unix)]
    fn sync_folder(&self) -> Result<(), StateError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
                Err(StateError::io(folder, "synced")(error))
            }
            _ => Ok(()),
        }
    }

    #[cfg(not(unix))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Unix")]
    fn sync_folder(&self) -> Result<(), StateError> {
        Ok(())
    }
}

/// Reads a file; none where there is none.
fn read(path: &Path) -> Result<Option<Record>, StateError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::io(path, "read")(error)),
    };
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(StateError::io(path, "read"))?;
    let text = SecretString::from(text);
    let unreadable = |reason: String| StateError::Unreadable { path: path.to_owned(), reason };
    // Without its place in the text, which could be in the middle of a secret.
    let not_json = |_| unreadable("it is damaged".to_owned());
    let versioned: Versioned = serde_json::from_str(text.expose_secret()).map_err(not_json)?;
    if versioned.version != VERSION {
        return Err(unreadable(format!("its version is {}", versioned.version)));
    }
    serde_json::from_str(text.expose_secret()).map(Some).map_err(not_json)
}

#[derive(serde::Deserialize)]
struct Versioned {
    version: u32,
}

/// Options for a file that only its owner can read.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn make_private(path: &Path) -> Result<(), StateError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StateError::io(path, "made"))?;
    let permissions = fs::metadata(path).map_err(StateError::io(path, "read"))?.permissions();
    let others = permissions.mode() & 0o077;
    if others == 0 { Ok(()) } else { Err(StateError::NotPrivate(path.to_owned())) }
}

#[cfg(not(unix))]
fn make_private(path: &Path) -> Result<(), StateError> {
    fs::create_dir_all(path).map_err(StateError::io(path, "made"))
}
