//! Pages of a running nation in a real browser: screenshots into `target/screenshots`, and checks
//! that what the API says stands on the page.
//!
//! The browser is Chromium, headless, with a profile of its own for every page. Without one, and
//! without apt to bring it, all of this is skipped and says why.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::nation::Nation;
use crate::shell;

/// What is checked, by name.
pub(crate) const CHECKS: &[&str] =
    &["overview", "overview-phone", "overview-dark", "station", "payments", "story"];

/// A page on a machine that has other things to do.
const PAGE_WITHIN: Duration = Duration::from_secs(180);
/// How long a station may take to tell the hub of its first payment, on a busy machine.
const TOLD_WITHIN: Duration = Duration::from_secs(90);
/// A picture smaller than this, bytes, shows an empty page.
const PICTURE_MIN: u64 = 8 * 1024;

const HUB: u16 = 8080;
const FIRST_STATION: u16 = 8081;

/// The browser, installed if it must be.
pub(crate) fn prepare() -> Result<(), String> {
    shell::ensure(&["chromium"], &["chromium", "fonts-dejavu-core"])
}

/// Takes the pictures and checks the pages: each check with `None`, or what is wrong.
pub(crate) fn run(
    binary: &Path,
    nation: &Nation,
    directory: &Path,
    pictures: &Path,
) -> Vec<(&'static str, Option<String>)> {
    let checks = match Facts::gather(binary, nation, directory) {
        Ok(facts) => facts,
        Err(why) => return CHECKS.iter().map(|check| (*check, Some(why.clone()))).collect(),
    };
    let found = fs::create_dir_all(pictures).map_err(|why| why.to_string());
    CHECKS
        .iter()
        .map(|check| {
            let result = found.clone().and_then(|()| checks.check(check, nation, pictures));
            (*check, result.err())
        })
        .collect()
}

/// Name and fires of each station.
type Stations = Vec<(String, String)>;

/// What the API says of the nation, to be found again on its pages.
struct Facts {
    binary: PathBuf,
    directory: PathBuf,
    rrn: String,
    payment: String,
    approval: String,
    records: Vec<String>,
}

impl Facts {
    fn gather(binary: &Path, nation: &Nation, directory: &Path) -> Result<Self, String> {
        let paid = pay(binary, nation, directory)?;
        let rrn = value(&paid, "rrn").ok_or_else(|| format!("no payment: {paid}"))?;
        let list = get(&nation.http(HUB), &format!("/api/v1/payments?rrn={rrn}"))?;
        let payment = value(&list, "id").ok_or_else(|| format!("no payment {rrn}: {list}"))?;
        let story = get(&nation.http(HUB), &format!("/api/v1/payments/{payment}"))?;
        let records = story.split("\"record\":").skip(1);
        let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect();
        let approval = value(&paid, "approval_code").ok_or_else(|| format!("declined: {paid}"))?;
        let records: Vec<String> = records.map(digits).collect();
        wait_for_a_fire(nation)?;
        let (binary, directory) = (binary.to_owned(), directory.to_owned());
        Ok(Self { binary, directory, rrn, payment, approval, records })
    }

    fn check(&self, name: &str, nation: &Nation, pictures: &Path) -> Result<(), String> {
        let hub = nation.http(HUB);
        let (address, path, size) = match name {
            "overview-phone" => (hub, "/".to_owned(), "412,2400"),
            "station" => (nation.http(FIRST_STATION), "/".to_owned(), "1280,1000"),
            "payments" => (hub, format!("/payments?rrn={}", self.rrn), "1280,700"),
            "story" => (hub, format!("/payments/{}", self.payment), "1280,1000"),
            _ => (hub, "/".to_owned(), "1280,1800"),
        };
        let page = Page {
            url: format!("http://{address}{path}"),
            size,
            dark: name == "overview-dark",
            scratch: pictures.join(format!("profile-{name}")),
        };
        page.picture(&pictures.join(format!("{name}.png")))?;
        let until = Instant::now() + TOLD_WITHIN;
        loop {
            let mut wanted = Vec::new();
            if name.starts_with("overview") {
                // Synthetic payments push older ones off this page.
                let paid = pay(&self.binary, nation, &self.directory)?;
                wanted.extend(value(&paid, "rrn"));
            }
            let before = stations(&address)?;
            let document = page.document()?;
            let after = stations(&address)?;
            wanted.extend(self.wanted(name, &after));
            let missing = wanted.into_iter().find(|w| !document.contains(w));
            let Some(missing) = missing else { return Ok(()) };
            // Fires change as synthetic payments come and go; a page is of one moment.
            if before == after || Instant::now() >= until {
                return Err(format!("{} does not say `{missing}`", page.url));
            }
        }
    }

    /// What must stand on a page while the stations are so.
    fn wanted(&self, name: &str, stations: &Stations) -> Vec<String> {
        let first = stations.iter().find(|(name, _)| name == "pyongyang");
        let fires = |fires: &str| format!("class=\"beacons lit-{fires}\"");
        match name {
            "station" => {
                let own = first.map(|(_, number)| fires(number));
                own.into_iter().chain(["<h1>Pyongyang</h1>".to_owned()]).collect()
            }
            "payments" => vec![self.rrn.clone(), self.payment.clone(), "12.50".to_owned()],
            "story" => {
                let records = self.records.iter().map(|number| format!("<b>{number}</b>"));
                let said = ["Approved and posted", &self.rrn, &self.approval, "position:100002"];
                records.chain(said.map(str::to_owned)).collect()
            }
            _ => {
                let stations = stations.iter().map(|(name, number)| {
                    let (first, rest) = name.split_at(1);
                    let heading = format!("<h3>{}{rest}</h3>", first.to_uppercase());
                    format!("{heading}<svg {}", fires(number))
                });
                stations.chain(["Harbour Bank".to_owned()]).collect()
            }
        }
    }
}

/// A payment; what `bongsu pay` says of it.
fn pay(binary: &Path, nation: &Nation, directory: &Path) -> Result<String, String> {
    let paid = Command::new(binary)
        .args(["pay", "--to", &nation.terminals(), "--pan", "9408020000000015"])
        .args(["--amount", "12.50", "--format", "json", "--dir"])
        .arg(directory)
        .output()
        .map_err(|why| why.to_string())?;
    Ok(String::from_utf8_lossy(&paid.stdout).into_owned())
}

/// Waits until the station that took a payment has told the hub of it.
fn wait_for_a_fire(nation: &Nation) -> Result<(), String> {
    let until = Instant::now() + TOLD_WITHIN;
    loop {
        let stations = stations(&nation.http(HUB))?;
        if stations.iter().any(|(name, fires)| name == "pyongyang" && fires == "1") {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(format!("pyongyang took a payment and shows no fire: {stations:?}"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn stations(address: &str) -> Result<Stations, String> {
    let list = get(address, "/api/v1/stations")?;
    let stations =
        list.split("{\"name\":\"").filter(|part| part.contains("\"fires\":")).filter_map(|part| {
            let (name, rest) = part.split_once('"')?;
            let fires = rest.split_once("\"fires\":")?.1.get(..1)?;
            Some((name.to_owned(), fires.to_owned()))
        });
    Ok(stations.collect())
}

/// A page in the browser.
struct Page {
    url: String,
    size: &'static str,
    dark: bool,
    scratch: PathBuf,
}

impl Page {
    fn picture(&self, file: &Path) -> Result<(), String> {
        let _ = fs::remove_file(file);
        self.browse(&[&format!("--screenshot={}", file.display())])?;
        let bytes = fs::metadata(file).map_err(|why| format!("no screenshot: {why}"))?.len();
        if bytes < PICTURE_MIN { Err(format!("an empty picture: {bytes} bytes")) } else { Ok(()) }
    }

    fn document(&self) -> Result<String, String> {
        self.browse(&["--dump-dom"])
    }

    fn browse(&self, what: &[&str]) -> Result<String, String> {
        let profile = format!("--user-data-dir={}", self.scratch.display());
        let size = format!("--window-size={}", self.size);
        // 0 is dark, 1 light (Chromium's own setting).
        let scheme = if self.dark { 0 } else { 1 };
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        let flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"];
        let quiet = [
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
            "--hide-scrollbars",
        ];
        let mut child = Command::new("chromium")
            .args(flags)
            .args(quiet)
            .args([&profile, &size, &scheme])
            .args(what)
            .arg(&self.url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| format!("chromium: {why}"))?;
        let mut stdout = child.stdout.take().ok_or("no output")?;
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            stdout.read_to_end(&mut text).map(|_| text)
        });
        let ended = shell::wait(&mut child, PAGE_WITHIN)?;
        if ended.is_none() {
            drop(child.kill());
            drop(child.wait());
        }
        let _ = fs::remove_dir_all(&self.scratch);
        let text = reader.join().map_err(|_| "the reader died")?.map_err(|why| why.to_string())?;
        match ended {
            Some(status) if status.success() => Ok(String::from_utf8_lossy(&text).into_owned()),
            Some(status) => Err(format!("chromium: {status}")),
            None => Err(format!("chromium: no page within {PAGE_WITHIN:?}")),
        }
    }
}

/// The text value of a key, the first there is.
fn value(json: &str, key: &str) -> Option<String> {
    let after = json.split_once(&format!("\"{key}\":"))?.1.trim_start();
    let text = after.strip_prefix('"')?;
    text.split_once('"').map(|(value, _)| value.to_owned())
}

/// The body of one answer.
fn get(address: &str, path: &str) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TOLD_WITHIN))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let until = Instant::now() + TOLD_WITHIN;
    loop {
        let text = ask().map_err(|why| format!("{address}{path}: {why}"))?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or("no answer")?;
        if head.starts_with("HTTP/1.1 200") {
            return Ok(body.to_owned());
        }
        // 503: a busy machine may be late with its answer.
        if !head.starts_with("HTTP/1.1 503") || Instant::now() >= until {
            return Err(text.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_keys() {
        let json = "{\"rrn\": \"6326PY000001\",\"approval_code\":null,\"id\":\"ab\"}";
        assert_eq!(value(json, "rrn").as_deref(), Some("6326PY000001"));
        assert_eq!(value(json, "approval_code"), None);
        assert_eq!(value(json, "id").as_deref(), Some("ab"));
        assert_eq!(value(json, "none"), None);
    }
}
