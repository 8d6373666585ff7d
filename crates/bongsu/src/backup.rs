//! `bongsu backup` and `bongsu restore`: a nation's journals as they were at one moment.

use std::path::{Path, PathBuf};

use clap::Args;
use host::Config;
use host::offline::Offline;
use node::backup::{self, RoleCopy};
use node::disk::FileDisk;
use node::{Layout, RoleName};
use serde_json::{Value, json};

use crate::error::{Exit, Failure};
use crate::input;
use crate::limits::HEAD_WAIT;
use crate::nation::Place;
use crate::output::{self, Format, FormatArg, Progress};

/// What a backup says of itself.
const MANIFEST: &str = "backup.json";

/// Copy a nation's journals as they are at this moment, running or not
///
/// Hub, stations and simulated banks of this directory, with its configuration. The copy is read
/// back whole before it gets its name. Keys are not in it: together with journals they give card
/// numbers away, so --keys-to puts them elsewhere.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu backup --dir /var/lib/bongsu --to /backup/2026-11-22 --keys-to /safe/keys-2026-11-22")]
pub(crate) struct Backup {
    #[command(flatten)]
    place: Place,
    /// Directory to make; it must not be there, or be empty
    #[arg(long, value_name = "TARGET")]
    to: PathBuf,
    /// Another directory to make, for the key files
    #[arg(long, value_name = "KEYS")]
    keys_to: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArg,
}

/// Make a nation's directory from a backup
///
/// It goes on in a higher epoch, and at its start voids every payment that was in flight and owes
/// its issuer a reversal advice. What was acknowledged after the backup is not in it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bongsu restore --from /backup/2026-11-22 --dir /var/lib/bongsu --keys /safe/keys-2026-11-22")]
pub(crate) struct Restore {
    /// The backup
    #[arg(long, value_name = "TARGET")]
    from: PathBuf,
    /// Directory to make; it must not be there, or be empty
    #[arg(long, value_name = "NEW")]
    dir: PathBuf,
    /// The key files that were put elsewhere
    #[arg(long, value_name = "KEYS")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArg,
}

/// A directory that is made beside its place and gets its name when it is whole.
struct Staged {
    path: PathBuf,
    target: PathBuf,
}

impl Staged {
    fn new(target: &Path, argument: &'static str) -> Result<Self, Failure> {
        let place = target.display().to_string();
        match std::fs::read_dir(target) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(Failure::new("not_empty", "the directory is not empty")
                        .at(format!("{argument} {place}"))
                        .todo("name one that is not there yet, or is empty"));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::unreadable(place, &error)),
        }
        let mut path = target.as_os_str().to_owned();
        path.push(format!(".{}.tmp", std::process::id()));
        Ok(Self { path: PathBuf::from(path), target: target.to_owned() })
    }

    fn layout(&self) -> Layout {
        Layout::new(&self.path)
    }

    fn finish(self) -> Result<(), Failure> {
        let named = match std::fs::remove_dir(&self.target) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => std::fs::rename(&self.path, &self.target),
        };
        named.map_err(|error| {
            Failure::new("unwritable", format!("it can't get its name: {error}"))
                .at(self.target.display().to_string())
                .todo("name a directory below one that may be written")
        })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Under its own name it is gone from here; half of it helps nobody.
        drop(std::fs::remove_dir_all(&self.path));
    }
}

impl Backup {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let config = self.place.config()?;
        let staged = Staged::new(&self.to, "--to")?;
        let keys = self.keys_to.as_deref().map(|to| Staged::new(to, "--keys-to")).transpose()?;
        if self.keys_to.as_ref().is_some_and(|keys| keys.starts_with(&self.to)) {
            return Err(Failure::new("usage", "keys do not belong into the backup")
                .at("--keys-to")
                .todo("name a directory elsewhere, best on another medium"));
        }
        let (from, to) = (self.place.layout(), staged.layout());
        let copies = self.copy(&config, &from, &to)?;
        if !copies.iter().any(|copy| copy.role == RoleName::Hub) {
            return Err(no_hub(&from));
        }
        node::backup::copy_file(&from.config(), &to.config())?;
        holds(&config, &to)?;
        let manifest = json!({
            "nation": config.name,
            "version": env!("CARGO_PKG_VERSION"),
            "at": as_of(&copies),
            "roles": listed(&copies),
        });
        backup::write_file(&to.dir().join(MANIFEST), manifest.to_string().as_bytes())?;
        let mut key_files = 0;
        if let Some(keys) = keys {
            key_files = backup::copy_keys(&from.keys(), &keys.path)?;
            keys.finish()?;
        }
        staged.finish()?;
        match self.format.format {
            Format::Json => {
                let mut told = manifest;
                told["to"] = self.to.display().to_string().into();
                told["verified"] = true.into();
                told["key_files"] = key_files.into();
                output::json(&told)?;
            }
            Format::Text => output::text(&self.page(&copies, key_files))?,
        }
        Ok(Exit::Fine)
    }

    /// Every journal up to the same moment.
    fn copy(&self, config: &Config, from: &Layout, to: &Layout) -> Result<Vec<RoleCopy>, Failure> {
        let mut roles = Vec::new();
        for role in backup::roles(config) {
            // Who does not answer runs nevertheless, and what it writes must not pass for damage.
            let is_running = !matches!(self.place.ask(&role, "/healthz"), Ok(None));
            roles.push((role, is_running));
        }
        let is_any_running = roles.iter().any(|(_, is_running)| *is_running);
        let until = is_any_running.then(backup::now);
        if is_any_running {
            // Until everybody has published what was durable at that moment.
            std::thread::sleep(HEAD_WAIT);
        }
        let mut progress = Progress::new("journals copied");
        let mut copies = Vec::new();
        for (role, is_running) in roles {
            progress.at(copies.len() as u64);
            if let Some(copy) = backup::copy_journal(from, to, &role, is_running, until)? {
                backup::read_back(to, &copy)?;
                copies.push(copy);
            }
        }
        Ok(copies)
    }

    fn page(&self, copies: &[RoleCopy], key_files: u64) -> String {
        let mut page = format!(
            "{}: copied and read back, as of {}\n{}",
            self.to.display(),
            as_of(copies),
            table(copies)
        );
        page += &match &self.keys_to {
            Some(keys) => format!("\n{key_files} key files: {}", keys.display()),
            None => "\nwithout keys: nothing can be started from it without those of today".into(),
        };
        page
    }
}

impl Restore {
    pub(crate) fn format(&self) -> Format {
        self.format.format
    }

    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let from = Layout::new(&self.from);
        let manifest = self.manifest(&from)?;
        let name = from.config().display().to_string();
        let config = Config::parse(&input::text_file(&from.config())?, &name)
            .map_err(|errors| Failure::new("config", errors.to_string()).at(name))?;
        let staged = Staged::new(&self.dir, "--dir")?;
        let to = staged.layout();
        let copies = self.copy(&config, &manifest, &from, &to)?;
        backup::copy_file(&from.config(), &to.config())?;
        holds(&config, &to)?;
        if let Some(keys) = &self.keys {
            backup::copy_keys(keys, &to.keys())?;
        }
        let restored = backup::raise_epoch(&to, &config)?;
        staged.finish()?;
        match self.format.format {
            Format::Json => output::json(&json!({
                "dir": self.dir.display().to_string(),
                "at": manifest["at"],
                "epoch_before": restored.epoch_before,
                "epoch": restored.epoch,
                "in_flight": restored.in_flight,
                "owed": restored.owed,
                "keys": self.keys.is_some(),
                "roles": listed(&copies),
            }))?,
            Format::Text => output::text(&self.page(&manifest, &copies, &restored))?,
        }
        Ok(Exit::Fine)
    }

    fn manifest(&self, from: &Layout) -> Result<Value, Failure> {
        let path = from.dir().join(MANIFEST);
        let place = path.display().to_string();
        let none = |what: String| {
            Failure::new("no_backup", what)
                .at(place.clone())
                .todo("name a directory that `bongsu backup` has made")
        };
        if !path.exists() {
            return Err(none("there is no backup in this directory".to_owned()));
        }
        let text = input::text_file(&path)?;
        serde_json::from_str(&text).map_err(|error| none(format!("it can't be read: {error}")))
    }

    /// Every journal that the backup says it has, whole.
    fn copy(
        &self,
        config: &Config,
        manifest: &Value,
        from: &Layout,
        to: &Layout,
    ) -> Result<Vec<RoleCopy>, Failure> {
        let roles = backup::roles(config);
        let mut progress = Progress::new("journals copied");
        let mut copies = Vec::new();
        for entry in manifest["roles"].as_array().into_iter().flatten() {
            progress.at(copies.len() as u64);
            let name = entry["role"].as_str().unwrap_or_default();
            let role = roles.iter().find(|role| role.to_string() == name);
            let copy = match role {
                Some(role) => backup::copy_journal(from, to, role, false, None)?,
                None => None,
            };
            let whole = copy.filter(|copy| Some(copy.records) == entry["records"].as_u64());
            let copy = whole.ok_or_else(|| {
                Failure::no("damaged", format!("the journal of {name} is not the one copied"))
                    .at(self.from.display().to_string())
                    .todo("use another backup")
            })?;
            backup::read_back(to, &copy)?;
            copies.push(copy);
        }
        if copies.iter().any(|copy| copy.role == RoleName::Hub) {
            Ok(copies)
        } else {
            Err(no_hub(from))
        }
    }

    fn page(&self, manifest: &Value, copies: &[RoleCopy], restored: &host::Restored) -> String {
        let host::Restored { epoch_before, epoch, in_flight, owed } = restored;
        let at = manifest["at"].as_str().unwrap_or("-");
        let keys = match &self.keys {
            Some(_) => String::new(),
            None => format!("\nput the key files into {} first", self.dir.join("keys").display()),
        };
        format!(
            "{}: as of {at}, copied and read back\n{}\n\
             epoch {epoch_before} -> {epoch}: who still speaks in the old one is refused\n\
             {in_flight} payments in flight: the start voids them, and their issuers are owed \
             reversal advices\n\
             {owed} advices owed already: they are sent again, as 0421\n\
             what was acknowledged later is not in it: hold the banks' books against it\n\
             start it with `bongsu up --dir {}`{keys}",
            self.dir.display(),
            table(copies),
            self.dir.display(),
        )
    }
}

/// The whole ledger of a copy, recomputed.
fn holds(config: &Config, copy: &Layout) -> Result<(), Failure> {
    let path = copy.journal(&RoleName::Hub);
    let place = path.display().to_string();
    let disk = FileDisk::open(&path).map_err(|error| Failure::unreadable(&*place, &error))?;
    let mut progress = Progress::new("records verified");
    let read = Offline::read_steps(config, disk, false, &mut |step| {
        progress.at(step.number());
        Ok(())
    });
    let offline = read.map_err(|error| Failure::new("journal", error.to_string()).at(&*place))?;
    match offline.report().damage.first() {
        None => Ok(()),
        Some(damage) => Err(Failure::no("damaged", damage.what.clone())
            .at(place)
            .todo("see `bongsu ledger verify` on the original")),
    }
}

fn no_hub(layout: &Layout) -> Failure {
    Failure::new("no_ledger", "there is no hub's journal")
        .at(layout.journal(&RoleName::Hub).display().to_string())
        .todo("name the nation's directory")
}

/// When the newest of it was written.
fn as_of(copies: &[RoleCopy]) -> String {
    copies.iter().map(|copy| copy.at).max().unwrap_or_default().to_string()
}

fn listed(copies: &[RoleCopy]) -> Value {
    let one = |copy: &RoleCopy| {
        json!({
            "role": copy.role.to_string(),
            "records": copy.records,
            "frames": copy.frames,
            "at": copy.at.to_string(),
            "bytes": copy.bytes,
        })
    };
    copies.iter().map(one).collect()
}

fn table(copies: &[RoleCopy]) -> String {
    let head = ["role", "records", "frames", "last at", "bytes"].map(str::to_owned).to_vec();
    let row = |copy: &RoleCopy| {
        let RoleCopy { role, records, frames, at, bytes } = copy;
        vec![
            role.to_string(),
            records.to_string(),
            frames.to_string(),
            at.to_string(),
            bytes.to_string(),
        ]
    };
    let rows: Vec<_> = std::iter::once(head).chain(copies.iter().map(row)).collect();
    output::columns(&rows, &[1, 2, 4])
}
