//! `bongsu up`: the whole nation on this machine, as child processes of one supervisor.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use host::config::Profile;
use host::{Config, Level};

use crate::channels;
use crate::error::RunError;
use crate::layout::{Layout, make_dir};
use crate::limits::PREDECESSOR_WAIT;
use crate::lock::Lock;
use crate::logging::Log;
use crate::options::RunOptions;
use crate::ports;
use crate::role::RoleName;
use crate::roles::bank_config;
use crate::running::Running;
use crate::signals::stop_signals;
use crate::supervisor::{ChildSpec, Ready, Supervisor};

/// Where a nation lives when nobody says where, as the command line has it.
const DIR_DEFAULT: &str = "bongsu-data";

/// Runs hub, stations, simulated banks and shops until it is told to stop; prints `ready` and every
/// address on stdout when all of them do their work. Call it from the main thread: children die
/// with the thread that starts them.
pub fn up(options: &RunOptions) -> Result<(), RunError> {
    let layout = options.layout();
    let signals = stop_signals()?;
    let program =
        std::env::current_exe().map_err(|error| RunError::system("find this program", error))?;
    let (config, _lock) = begin(options, &layout)?;
    let log = Arc::new(Log::new("supervisor", None));
    if config.profile == Profile::Demo {
        let what =
            "self-made keys and plain terminals, on this machine alone; never for real money";
        log.say(Level::Warn, "profile_demo", &[("what", what.into())]);
    }
    if let Some(what) = left_out(&config, options) {
        log.say(Level::Warn, "nobody_simulated", &[("what", what.into())]);
    }
    Running::clear(&layout)?;
    let specs = children(&config, options, &layout, &program)?;
    let roles = roles(&config, traffic(&config, options));
    let on_death = |name: &str, pid: u32| {
        if let Some(role) = roles.iter().find(|role| role.to_string() == name) {
            // The next start of the role writes its entry anew.
            let _ = Running::remove(&layout, role, pid);
        }
    };
    let mut supervisor = Supervisor::new(specs, signals, Arc::clone(&log), on_death)?;
    supervisor.run(|ready| print_ready(ready, attempt(&config, ready, &options.dir).as_deref()))?;
    log.say(Level::Info, "stopped", &[]);
    Ok(())
}

/// Looks at everything that could be wrong with what was asked, and only then takes the directory.
fn begin(options: &RunOptions, layout: &Layout) -> Result<(Config, Lock), RunError> {
    let (config, to_keep) = options.decide()?;
    config.participants.iter().try_for_each(|bank| bank_config(&config, bank).map(|_| ()))?;
    // Of a nation that runs here already its lock says more than its ports.
    let take = || Lock::take(&layout.lock(), "up", PREDECESSOR_WAIT);
    let known = layout.lock().exists().then(take).transpose()?;
    let roles = roles(&config, traffic(&config, options));
    let doors = roles.iter().filter_map(|role| ports::of(&config, role)).flatten();
    ports::all_free(&doors.collect::<Vec<_>>(), PREDECESSOR_WAIT)?;
    let dir = layout.dir();
    make_dir(dir).map_err(|error| RunError::file("make the directory", dir, &error))?;
    let lock = known.map_or_else(take, Ok)?;
    options.keep(to_keep.as_deref())?;
    channels::prepare(layout, &config)?;
    Ok((config, lock))
}

/// What of a nation does not run here outside `demo`.
fn left_out(config: &Config, options: &RunOptions) -> Option<&'static str> {
    match (config.profile, options.traffic) {
        (Profile::Demo, _) => None,
        (Profile::Production, None) => {
            Some("profile production: no banks and no shops are simulated; real ones connect")
        }
        (Profile::Production, Some(_)) => Some(
            "profile production: no banks and no shops are simulated, --traffic does nothing; \
             real ones connect",
        ),
    }
}

/// A first payment to try: a card of the second bank at the first station.
fn attempt(config: &Config, ready: &Ready<'_>, dir: &Path) -> Option<String> {
    // Elsewhere nobody has such a card, and terminals speak TLS.
    if config.profile != Profile::Demo {
        return None;
    }
    let station = RoleName::Station(config.stations.first()?.name.clone()).to_string();
    let (_, addresses) = ready.iter().find(|(name, _)| *name == station)?;
    let to = addresses.get("terminals")?;
    let bank = config.participants.get(1).or_else(|| config.participants.first())?;
    let card = parties::bank::pan(*bank.iins.first()?, 1)?;
    // A card of this nation's own simulation: nobody's secret.
    let card = std::str::from_utf8(card.digits()).ok()?;
    let amount = config.currency.format(1250);
    let mut line = format!("try: bongsu pay --to {to} --pan {card} --amount {amount}");
    let default = Path::new(DIR_DEFAULT);
    if dir != default && dir.strip_prefix(".") != Ok(default) {
        line.push_str(" --dir ");
        line.push_str(&quoted(&dir.display().to_string()));
    }
    Some(line)
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn print_ready(ready: &Ready<'_>, attempt: Option<&str>) {
    let mut text = String::from("ready\n");
    for (name, addresses) in ready {
        if addresses.is_empty() {
            continue;
        }
        // Writing to a string can't fail.
        let _ = write!(text, "  {name}");
        for (what, address) in addresses.iter() {
            let scheme = if what == "http" { "http://" } else { "" };
            let _ = write!(text, "  {what} {scheme}{address}");
        }
        text.push('\n');
    }
    if let Some(attempt) = attempt {
        text.push_str(attempt);
        text.push('\n');
    }
    let mut stdout = std::io::stdout().lock();
    // Nobody may read it; the nation runs all the same.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn traffic(config: &Config, options: &RunOptions) -> u32 {
    options.traffic.unwrap_or(config.simulation.payments_per_s)
}

/// Every process, hub first. Without traffic there are no shops; outside `demo` nobody is
/// simulated.
fn roles(config: &Config, traffic: u32) -> Vec<RoleName> {
    let stations = config.stations.iter().map(|station| RoleName::Station(station.name.clone()));
    let simulated = config.profile == Profile::Demo;
    let banks = config.participants.iter().filter(|_| simulated);
    let banks = banks.map(|participant| RoleName::Bank(participant.id));
    let shops = (traffic > 0 && simulated).then_some(RoleName::Shops);
    std::iter::once(RoleName::Hub).chain(stations).chain(banks).chain(shops).collect()
}

fn children(
    config: &Config,
    options: &RunOptions,
    layout: &Layout,
    program: &Path,
) -> Result<Vec<ChildSpec>, RunError> {
    let traffic = traffic(config, options);
    let mut specs = Vec::new();
    for role in roles(config, traffic) {
        layout.make(&role)?;
        let mut arguments = role.arguments();
        let dir = layout.dir().display().to_string();
        arguments.extend(["--dir".to_owned(), dir]);
        arguments.extend(["--port-base".to_owned(), options.port_base.to_string()]);
        // Who dials starts after whom he dials, and stops before.
        let (start_stage, stop_stage) = match &role {
            RoleName::Shops => {
                arguments.extend(["--traffic".to_owned(), traffic.to_string()]);
                (2, 0)
            }
            RoleName::Station(_) => (1, 1),
            RoleName::Bank(_) => (1, 2),
            RoleName::Hub => {
                let http = options.http.iter();
                arguments.extend(http.flat_map(|at| ["--http".to_owned(), at.to_string()]));
                (0, 3)
            }
        };
        specs.push(ChildSpec {
            name: role.to_string(),
            program: program.to_owned(),
            arguments,
            log: layout.log(&role),
            stop_stage,
            start_stage,
        });
    }
    Ok(specs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_hub_stations_banks_shops_and_stops_in_reverse() {
        let config = Config::example();
        let options = RunOptions {
            dir: crate::testing::temp_dir("up"),
            config: None,
            port_base: 7,
            http: Some(([127, 0, 0, 1], 9).into()),
            traffic: None,
            version: "0".to_owned(),
        };
        let specs = children(&config, &options, &options.layout(), Path::new("/x")).unwrap();
        let stages: Vec<_> = specs.iter().map(|spec| spec.stop_stage).collect();
        assert_eq!(stages, [3, 1, 1, 1, 1, 2, 2, 2, 2, 0]);
        let hub = specs[0].arguments.join(" ");
        assert!(hub.starts_with("hub --dir ") && hub.ends_with("--port-base 7 --http 127.0.0.1:9"));
        assert!(specs[9].arguments.join(" ").ends_with("--port-base 7 --traffic 20"));
        assert_eq!(roles(&config, 0).len(), 9);
    }

    #[test]
    fn a_first_payment_names_station_card_and_directory() {
        let config = Config::example();
        let addresses = [("terminals".to_owned(), "127.0.0.1:8583".to_owned())].into();
        let ready = vec![("station-pyongyang", &addresses)];
        let line = |dir: &str| attempt(&config, &ready, Path::new(dir)).unwrap();
        // The second bank's first card (interfaces, "The example nation"; its Luhn digit is 5).
        let short = "try: bongsu pay --to 127.0.0.1:8583 --pan 9408020000000015 --amount 12.50";
        assert_eq!(line("bongsu-data"), short);
        assert_eq!(line("./bongsu-data"), short);
        assert_eq!(line("/tmp/n"), format!("{short} --dir /tmp/n"));
        assert_eq!(line("/tmp/it's"), format!(r"{short} --dir '/tmp/it'\''s'"));
        assert_eq!(attempt(&config, &Vec::new(), Path::new("x")), None);
        let real = Config { profile: Profile::Production, ..config.clone() };
        assert_eq!(attempt(&real, &ready, Path::new("x")), None);
    }

    #[test]
    fn what_production_leaves_out_is_told() {
        let demo = Config::example();
        let real = Config { profile: Profile::Production, ..demo.clone() };
        let mut options = RunOptions {
            dir: "/nowhere".into(),
            config: None,
            port_base: 0,
            http: None,
            traffic: None,
            version: "0".to_owned(),
        };
        assert!(left_out(&real, &options).is_some_and(|what| !what.contains("--traffic")));
        options.traffic = Some(5);
        assert_eq!(left_out(&demo, &options), None);
        assert!(left_out(&real, &options).is_some_and(|what| what.contains("--traffic")));
    }
}
