//! Pages over a real socket, with a loop whose machine answers what it is told.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use host::Clocks;
use host::view::{Metric, Overview, PaymentPage, PaymentView, Query, Reply};
use scheme::Timestamp;
use serde_json::Value;

use super::*;
use crate::client;
use crate::driven::{Action, Answer, Driven, Event, Question};
use crate::event_loop::{EventLoop, Parts, Reactor};
use crate::testing::{PATIENCE, eventually, temp_dir};

/// A payment, as the machine knows it.
pub(super) fn payment(rrn: String) -> PaymentView {
    PaymentView {
        rrn,
        status: "posted",
        kind: "purchase",
        amount: "12.50".into(),
        currency: "KPW".into(),
        response_code: "00".into(),
        text: None,
        approval_code: Some("000001".into()),
        stan: "000042".into(),
        station: Some("pyongyang".into()),
        terminal: "PYO00001".into(),
        retailer: "PYO-SHOP-000001".into(),
        acquirer: "100001".into(),
        issuer: Some("100002".into()),
        card: Some("94080200****0015".into()),
        business_date: "2026-11-22".into(),
        cycle: 1,
        stand_in: false,
        synthetic: false,
        returned: "0.00".into(),
        reversal_acknowledged: false,
        at: Timestamp::from_s(1_795_305_600),
        id: "00".into(),
    }
}

/// Answers everything but a payment named `late`.
struct Machine {
    overviews: u64,
}

impl Machine {
    fn reply(&mut self, query: Query) -> Option<Reply> {
        Some(match query {
            Query::Overview => {
                self.overviews += 1;
                Reply::Overview(Overview { records: self.overviews, ..Overview::default() })
            }
            Query::Payments(filter) if filter.rrn.as_deref() == Some("late") => return None,
            Query::Payments(filter) => {
                let incomplete = filter.rrn.as_deref() == Some("cut");
                let payments = vec![payment(filter.rrn.unwrap_or_default())];
                Reply::Payments(PaymentPage { payments, next: None, incomplete })
            }
            Query::Metrics => Reply::Metrics(vec![Metric {
                name: "bongsu_x",
                help: "X.",
                counter: true,
                labels: "a=\"b\"".into(),
                value: 5,
            }]),
            Query::Accounts | Query::Change(_) => Reply::NotHere,
        })
    }
}

impl Driven for Machine {
    fn handle(&mut self, _clocks: Clocks, event: Event<'_>, out: &mut Vec<Action>) {
        match event {
            Event::Asked { ticket, question } => {
                let answer = match question {
                    Question::Host(query) => {
                        self.reply(query).map(|reply| Answer::Host(Box::new(reply)))
                    }
                    Question::Ready => Some(Answer::Ready(false)),
                    Question::Book | Question::Shops => Some(Answer::NotHere),
                };
                out.extend(answer.map(|answer| Action::Reply { ticket, answer }));
            }
            Event::Stop => out.push(Action::Stopped),
            _ => {}
        }
    }
    fn next_timeout(&self) -> Option<u64> {
        None
    }
    fn is_ready(&mut self, _clocks: Clocks, _out: &mut Vec<Action>) -> bool {
        true
    }
}

struct Rig {
    socket: PathBuf,
    server: Server,
    signals: UnixStream,
    thread: std::thread::JoinHandle<Result<(), RunError>>,
}

/// Pages whose questions wait as long as a busy machine takes.
fn start() -> Rig {
    start_with(PATIENCE)
}

fn start_with(wait: Duration) -> Rig {
    let reactor = Reactor::new().unwrap();
    let log = Arc::new(Log::quiet());
    let desk = reactor.desk().waiting(wait);
    let pages = Pages::new(RoleName::Hub, "0.1.0", desk, reactor.counts(), None);
    let socket = temp_dir("http").join("hub.sock");
    let server = Server::start(pages, None, &socket, Arc::clone(&log)).unwrap();
    let (reader, signals) = UnixStream::pair().unwrap();
    let thread = std::thread::spawn(move || {
        let parts = Parts {
            driven: Machine { overviews: 0 },
            doors: Vec::new(),
            committer: None,
            handshakes: None,
            calls_are_secure: false,
            per_address: usize::MAX,
            accepts_per_s: u32::MAX,
            poison: crate::poison::Graveyard::at("/nonexistent".into()),
            signals: reader,
            log,
            on_ready: Box::new(|| ()),
        };
        EventLoop::new(reactor, parts).unwrap().run()
    });
    Rig { socket, server, signals, thread }
}

impl Rig {
    fn json(&self, path: &str) -> (u16, Value) {
        let (status, body) = client::get(&self.socket, path).unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn stop(mut self) {
        self.signals.write_all(b"x").unwrap();
        self.thread.join().unwrap().unwrap();
        self.server.stop();
        let error = client::get(&self.socket, "/healthz").unwrap_err();
        assert_eq!(error.kind, crate::RunErrorKind::NotRunning);
    }
}

#[test]
fn pages_say_what_the_machine_says() {
    let rig = start();
    assert_eq!(client::get(&rig.socket, "/healthz").unwrap(), (200, b"ok\n".to_vec()));
    let (status, body) = rig.json("/readyz");
    assert_eq!((status, &body["error"]["kind"]), (503, &Value::from("not_ready")));
    let (status, body) = rig.json("/api/v1/payments?rrn=632600000001");
    assert_eq!(status, 200);
    let keys: Vec<_> = body["payments"][0].as_object().unwrap().keys().cloned().collect();
    // interfaces, "JSON shapes": `bongsu ledger payment`, in its order, ours in between.
    let expected = [
        "rrn",
        "status",
        "kind",
        "amount",
        "currency",
        "response_code",
        "approval_code",
        "stan",
        "station",
        "terminal",
        "acquirer",
        "issuer",
        "business_date",
        "stand_in",
        "synthetic",
        "returned",
        "reversal_acknowledged",
        "at",
    ];
    let found: Vec<_> = keys.iter().filter(|key| expected.contains(&key.as_str())).collect();
    assert_eq!(found, expected.iter().collect::<Vec<_>>());
    assert_eq!(body["payments"][0]["rrn"], "632600000001");
    assert_eq!(body["payments"][0]["text"], Value::Null);
    // 2026-11-22T00:00:00Z is 1,795,305,600 (GNU date).
    assert_eq!(body["payments"][0]["at"], "2026-11-22T00:00:00.000Z");
    let (_, text) = client::get(&rig.socket, "/metrics").unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("# TYPE bongsu_x counter\nbongsu_x{a=\"b\"} 5\n"), "{text}");
    for (path, status, kind) in [
        ("/api/v1/accounts", 404, "not_here"),
        ("/book", 404, "not_here"),
        ("/nothing", 404, "not_here"),
        ("/api/v1/payments?stan=x", 400, "query"),
        ("/api/v1/payments?rrn=%zz%", 200, ""),
    ] {
        let (found, body) = rig.json(path);
        assert_eq!(found, status, "{path}");
        if status != 200 {
            assert_eq!(body["error"]["kind"], kind, "{path}");
            assert!(body["error"]["do"].is_string() && body["error"]["where"].is_string());
        }
    }
    rig.stop();
}

/// The index names what there is: no line of it leads nowhere.
#[test]
fn the_index_names_the_routes_that_are_here() {
    let rig = start();
    let (status, text) = client::get(&rig.socket, "/api").unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(status, 200);
    assert!(text.starts_with("bongsu 0.1.0, hub\n"), "{text}");
    let paths: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    let paths: Vec<_> = paths.into_iter().filter(|path| path.starts_with('/')).collect();
    assert!(paths.contains(&"/api/v1/payments") && !paths.contains(&"/book"), "{text}");
    for path in ["/", "/payments", "/openapi.json", "/api/v1/payments/{id}"] {
        assert!(paths.contains(&path), "{path} is not in {text}");
    }
    for path in paths {
        // This machine keeps no accounts and no story; a hub does.
        let found = client::get(&rig.socket, &path.replace("{id}", "0")).unwrap().0;
        let kept_elsewhere = ["/api/v1/accounts", "/api/v1/payments/{id}"].contains(&path);
        assert!(found != 404 || kept_elsewhere, "{path}");
    }
    // What tools read names every route of every role, and no other.
    let (_, document) = rig.json("/openapi.json");
    let named: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    let mut routes: Vec<&str> = super::routes::ROUTES.iter().map(|(path, ..)| *path).collect();
    let mut sorted = named.clone();
    sorted.sort();
    routes.sort_unstable();
    assert_eq!(sorted, routes);
    rig.stop();
}

/// A list that history could not be asked for says so, to programs and to people.
#[test]
fn an_incomplete_list_says_so() {
    let rig = start();
    let (_, whole) = rig.json("/api/v1/payments?rrn=here");
    assert_eq!((&whole["complete"], &whole["payments"][0]["rrn"]), (&true.into(), &"here".into()));
    let (status, cut) = rig.json("/api/v1/payments?rrn=cut");
    assert_eq!((status, &cut["complete"]), (200, &false.into()));
    let page = |path: &str| {
        let (status, text) = client::get(&rig.socket, path).unwrap();
        assert_eq!(status, 200, "{path}");
        String::from_utf8(text).unwrap()
    };
    assert!(page("/payments?rrn=cut").contains("history could not be read"));
    assert!(!page("/payments?rrn=here").contains("history could not be read"));
    rig.stop();
}

/// A station has no business day: it says so, instead of one without a date.
#[test]
fn only_a_hub_has_a_business_day() {
    let rig = start();
    let (_, body) = rig.json("/api/v1/overview");
    assert_eq!((&body["business_date"], &body["day"]), (&Value::Null, &Value::Null));
    rig.stop();
    let day = host::view::DayView { date: "2026-11-22".into(), ..Default::default() };
    let hub = Overview { business_date: "2026-11-22".into(), day, ..Overview::default() };
    let shown = serde_json::to_value(crate::json::OverviewJson::from(&hub)).unwrap();
    assert_eq!(
        (&shown["business_date"], &shown["day"]["date"]),
        (&shown["day"]["date"], &Value::from("2026-11-22"))
    );
}

#[test]
fn totals_are_asked_for_at_most_every_250_ms() {
    let rig = start();
    let began = Instant::now();
    let first = rig.json("/api/v1/overview").1["records"].clone();
    for _ in 0..20 {
        let again = rig.json("/api/v1/overview").1["records"].clone();
        assert!(again == first || began.elapsed() >= Duration::from_millis(250));
    }
    std::thread::sleep(Duration::from_millis(260));
    assert_ne!(rig.json("/api/v1/overview").1["records"], first);
    rig.stop();
}

/// Many at once ask what is never answered.
fn ask_in_vain(rig: &Rig, count: usize) -> Vec<UnixStream> {
    let ask = |_| {
        let mut stream = UnixStream::connect(&rig.socket).unwrap();
        let text = "GET /api/v1/payments?rrn=late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    (0..count).map(ask).collect()
}

/// What kind of 503 came.
fn refused(stream: &mut UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    // Its first byte may have been taken to see whether there is one.
    assert!(text.trim_start_matches('H').starts_with("TTP/1.1 503 "), "{text}");
    let body: Value = serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    body["error"]["kind"].as_str().unwrap().to_owned()
}

fn has_answer(stream: &mut UnixStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let answered = stream.read(&mut [0]).is_ok();
    stream.set_nonblocking(false).unwrap();
    answered
}

#[test]
fn a_full_desk_refuses_at_once() {
    let rig = start_with(2 * PATIENCE);
    let mut asked = ask_in_vain(&rig, 100);
    // The desk is full, and the loop has taken as many as it may, or some of them, if it was late;
    // everybody else is told.
    let wait = 2 * crate::limits::QUESTIONS_MAX;
    eventually("all that do not fit are refused", || {
        asked.retain_mut(|stream| {
            let answered = has_answer(stream);
            if answered {
                assert_eq!(refused(stream), "overload");
            }
            !answered
        });
        asked.len() <= wait
    });
    assert!(asked.len() >= crate::limits::QUESTIONS_MAX, "{} wait", asked.len());
    // Those who go leave room.
    drop(asked);
    eventually("an answer", || client::get(&rig.socket, "/healthz").unwrap().0 == 200);
    rig.stop();
}

#[test]
fn a_question_without_an_answer_ends_and_leaves_room() {
    let rig = start_with(Duration::from_millis(50));
    for _ in 0..3 {
        for mut stream in ask_in_vain(&rig, 2 * crate::limits::QUESTIONS_MAX) {
            assert!(["late", "overload"].contains(&refused(&mut stream).as_str()));
        }
    }
    let mut alone = ask_in_vain(&rig, 1);
    eventually("an answer", || client::get(&rig.socket, "/healthz").unwrap().0 == 200);
    assert_eq!(refused(&mut alone[0]), "late");
    rig.stop();
}

/// One exchange with headers of our own: status, headers, body.
fn raw(rig: &Rig, request: &str) -> (String, String) {
    let mut stream = UnixStream::connect(&rig.socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

fn as_person(rig: &Rig, method: &str, path: &str) -> (String, String) {
    let headers = "Host: x\r\nAccept: text/html,*/*\r\nConnection: close\r\n\r\n";
    raw(rig, &format!("{method} {path} HTTP/1.1\r\n{headers}"))
}

#[test]
fn people_get_pages_and_every_answer_is_closed_to_strangers() {
    let rig = start();
    for (path, status, what) in [
        ("/", "200", "<h1>"),
        ("/payments", "200", "PYO00001"),
        ("/payments?rrn=632600000009&stan=&from=", "200", "632600000009"),
        ("/payments?stan=x", "400", "does not fit"),
        ("/payments/00", "404", "no payment of this id"),
        ("/nothing", "404", "There is nothing here"),
        ("/style.css", "200", "--paper"),
        ("/icon.svg", "200", "<svg"),
        ("/openapi.json", "200", "\"3.1.0\""),
    ] {
        let (head, body) = as_person(&rig, "GET", path);
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{path}: {head}");
        assert!(body.contains(what), "{path}: {body}");
        assert!(head.contains("content-security-policy: default-src 'none'"), "{path}: {head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
        assert!(head.contains("cache-control: "), "{path}: {head}");
        let (only, nothing) = as_person(&rig, "HEAD", path);
        assert!(only.starts_with(&format!("http/1.1 {status}")), "{path}: {only}");
        assert_eq!(nothing, "", "{path}");
    }
    let (head, body) = as_person(&rig, "POST", "/payments");
    assert!(head.starts_with("http/1.1 405") && body.contains("use GET"), "{head} {body}");
    // A script gets JSON, whatever it accepts.
    let (_, body) = as_person(&rig, "GET", "/api/v1/payments?stan=x");
    assert!(body.starts_with("{\"error\""), "{body}");
    rig.stop();
}

#[test]
fn openapi_names_the_routes_that_are_here() {
    let rig = start();
    let (_, document) = rig.json("/openapi.json");
    for (path, _) in document["paths"].as_object().unwrap() {
        let (status, _) = client::get(&rig.socket, &path.replace("{id}", "00")).unwrap();
        // This machine keeps no accounts and no journal; a role that has neither says 404 as JSON.
        let absent = ["/api/v1/accounts", "/api/v1/payments/{id}", "/book"];
        let absent = absent.contains(&path.as_str());
        assert!(status != 404 || absent, "{path}");
    }
    rig.stop();
}
