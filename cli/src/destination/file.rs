//! A file that holds the pair and nothing else.
//!
//! It is written beside its place, synced and renamed, so that nothing leaves an empty or half a file behind. A file that is replaced
//! keeps its owner and its mode. A symbolic link is never followed, and a pair of another token is never replaced.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use cloudflare_access_host::{Destination, DestinationError, DestinationFuture, ExposeSecret, Pair, SecretString};
use tempfile::{Builder, NamedTempFile};

use crate::destination::contents::Contents;
use crate::destination::format::Form;

/// A file that a pair is written to.
#[derive(Debug)]
pub struct SecretFile {
    pub path: PathBuf,
    /// Whether a file that is there is replaced. One that holds the pair of another token never is.
    pub replace: bool,
    pub form: Form,
}

impl Destination for SecretFile {
    fn name(&self) -> String {
        format!("file {}", self.path.display())
    }

    fn check<'a>(&'a self, client_id: Option<&'a str>) -> DestinationFuture<'a> {
        Box::pin(async move { self.try_place(client_id) })
    }

    fn deliver<'a>(&'a self, pair: &'a Pair) -> DestinationFuture<'a> {
        Box::pin(async move { self.write(pair) })
    }
}

impl SecretFile {
    fn try_place(&self, client_id: Option<&str>) -> Result<(), DestinationError> {
        let there = self.there()?;
        if there.is_some() {
            if !self.replace {
                return Err(self.exists());
            }
            self.refuse_to_lose(client_id)?;
        }
        self.beside(there.as_ref()).map(drop)
    }

    fn write(&self, pair: &Pair) -> Result<(), DestinationError> {
        let text = self.form.text(pair)?;
        let there = self.there()?;
        if there.is_some() {
            // An earlier delivery of the same pair may have been stopped after it was made.
            if self.holds(&text) {
                return Ok(());
            }
            if !self.replace {
                return Err(self.exists());
            }
            self.refuse_to_lose(Some(&pair.client_id))?;
        }
        let mut file = self.beside(there.as_ref())?;
        let written = file.write_all(text.expose_secret().as_bytes()).and_then(|()| file.as_file().sync_all());
        let renamed = written.and_then(|()| {
            let renamed = if self.replace { file.persist(&self.path) } else { file.persist_noclobber(&self.path) };
            renamed.map_err(io::Error::from)
        });
        renamed.map_err(|error| self.wrong(format_args!("cannot be written: {error}")))?;
        // The file is kept whatever becomes of this; not every file system can do it.
        sync_folder(&self.path).unwrap_or_default();
        Ok(())
    }

    /// What is at the place: nothing, or a regular file.
    fn there(&self) -> Result<Option<Metadata>, DestinationError> {
        let metadata = match self.path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.wrong(format_args!("cannot be reached: {error}"))),
        };
        // A link to nowhere is something, too.
        if metadata.is_symlink() {
            return Err(self.wrong("is a symbolic link").with_advice("Give the name of the file that it leads to."));
        }
        if !metadata.is_file() {
            return Err(self.wrong("exists and is no regular file").with_advice("Give the name of a file."));
        }
        Ok(Some(metadata))
    }

    fn holds(&self, text: &SecretString) -> bool {
        fs::read(&self.path).is_ok_and(|bytes| bytes == text.expose_secret().as_bytes())
    }

    /// Refuses to replace the pair of another token, or any pair where the token is still to be made, and other values.
    fn refuse_to_lose(&self, client_id: Option<&str>) -> Result<(), DestinationError> {
        let bytes = fs::read(&self.path).map_err(|error| self.wrong(format_args!("cannot be read: {error}")))?;
        let contents = Contents::of(&String::from_utf8_lossy(&bytes), &self.form.names);
        let move_away = "Give the name of another file, or move this one away.";
        if let Some(other) = contents.client_id.filter(|held| Some(held.as_str()) != client_id) {
            let is_of = format_args!("holds the pair of another token, whose client id is {other:?}");
            return Err(self.wrong(is_of).with_advice(move_away));
        }
        if !contents.others.is_empty() {
            let holds = format_args!("holds other values, too: {}", contents.others.join(", "));
            return Err(self.wrong(holds).with_advice(move_away));
        }
        Ok(())
    }

    /// An empty file in the same folder, which only its owner can read, or who can read the one that it is to replace; on Windows, who
    /// may read the folder. Removed if it is dropped.
    fn beside(&self, there: Option<&Metadata>) -> Result<NamedTempFile, DestinationError> {
        let file = Builder::new()
            .prefix(".access-tokens-")
            .tempfile_in(folder(&self.path))
            .map_err(|error| self.wrong(format_args!("cannot be made: {error}")))?;
        if let Some(there) = there {
            let kept =
                keep_owner(file.as_file(), there).and_then(|()| file.as_file().set_permissions(there.permissions()));
            kept.map_err(|error| {
                self.wrong(format_args!("cannot be replaced: its owner and mode cannot be kept: {error}"))
                    .with_advice("Run the command as the owner of the file, or move the file away.")
            })?;
        }
        Ok(file)
    }

    fn exists(&self) -> DestinationError {
        self.wrong("exists").with_advice("Give the name of a new file, or move this one away; or give --replace.")
    }

    fn wrong(&self, what: impl std::fmt::Display) -> DestinationError {
        DestinationError::new(format!("the secret file {} {what}", self.path.display()))
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn keep_owner(file: &File, there: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let made = file.metadata()?;
    if (made.uid(), made.gid()) == (there.uid(), there.gid()) {
        return Ok(());
    }
    fchown(file, Some(there.uid()), Some(there.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Makes the name of a new file survive a loss of power.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::format::Format;
    use crate::destination::names::Names;

    fn pair(secret: &str) -> Pair {
        Pair::new("1.access", secret.into())
    }

    #[tokio::test]
    async fn a_second_delivery_leaves_the_file_as_the_first_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let form = Form { format: Format::Env, names: Names::of_scripts() };
        for replace in [false, true] {
            let path = folder.path().join(replace.to_string());
            let file = SecretFile { path: path.clone(), replace, form: form.clone() };
            for _ in 0..2 {
                file.deliver(&pair("a")).await.unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), form.text(&pair("a")).unwrap().expose_secret());
            }
            // Another secret of the same token takes its place only where that was asked for.
            assert_eq!(file.deliver(&pair("b")).await.is_ok(), replace);
            let kept = form.text(&pair(if replace { "b" } else { "a" })).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), kept.expose_secret());
            assert_eq!(file.check(Some("1.access")).await.is_ok(), replace);
            assert!(file.check(Some("2.access")).await.is_err() && file.check(None).await.is_err());
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left beside the files");
    }
}
