//! `bongsu pay` against a scripted station: approved, declined, garbage, silence, a lost line.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use crate::rig::{PATIENCE, Ran, eventually, run};
use serde_json::{Value, json};
use wire::iso8583::{Dialect, Message};

fn dialect() -> &'static Dialect {
    Dialect::builtin("iso87-ascii").unwrap()
}

fn receive(line: &mut TcpStream) -> Message {
    let mut length = [0; 2];
    line.read_exact(&mut length).unwrap();
    let mut payload = vec![0; usize::from(u16::from_be_bytes(length))];
    line.read_exact(&mut payload).unwrap();
    dialect().decode(&payload).unwrap()
}

fn send(line: &mut TcpStream, message: &Message) {
    let mut payload = Vec::new();
    dialect().encode(message, &mut payload).unwrap();
    line.write_all(&(payload.len() as u16).to_be_bytes()).unwrap();
    line.write_all(&payload).unwrap();
}

/// The answer, with these elements added.
fn answer(request: &Message, elements: &[(u8, &str)]) -> Message {
    let mut answer = request.clone();
    answer.set_mti(request.mti().answer().unwrap());
    answer.remove(14);
    for (de, value) in elements {
        answer.set(*de, value.as_bytes());
    }
    answer
}

/// One connection, one request, then whatever the script does with it.
struct Station {
    address: String,
    thread: JoinHandle<Message>,
}

/// Somebody's connection, or a failed test: a program that refuses its arguments never calls.
fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut called = None;
    eventually("somebody calls", || {
        called = listener.accept().ok();
        called.is_some()
    });
    let (line, _) = called.unwrap();
    line.set_nonblocking(false).unwrap();
    line
}

fn station(script: impl FnOnce(&Message, TcpStream) + Send + 'static) -> Station {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = thread::spawn(move || {
        let mut line = accept(&listener);
        line.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = receive(&mut line);
        script(&request, line);
        request
    });
    Station { address, thread }
}

fn pay(station: Station, more: &[&str]) -> (Ran, Message) {
    let usual = [
        "pay",
        "--to",
        &station.address,
        "--terminal",
        "PYO00001",
        "--pan",
        "9408020000000015",
        "--amount",
        "12.50",
    ];
    let ran = run(&[&usual, more].concat());
    (ran, station.thread.join().unwrap())
}

const APPROVED: [(u8, &str); 3] = [(37, "632609000012"), (38, "A1B2C3"), (39, "00")];

#[test]
fn approved() {
    let script = |request: &Message, mut line| send(&mut line, &answer(request, &APPROVED));
    let at = ["--stan", "12", "--at", "2026-11-23T01:30:05+09:00", "--acquirer", "100001"];
    let (ran, request) = pay(station(script), &[&at[..], &["--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let paid = ran.json();
    for (key, value) in [
        ("mti", json!("0210")),
        ("response_code", json!("00")),
        ("approved", json!(true)),
        ("rrn", json!("632609000012")),
        ("approval_code", json!("A1B2C3")),
        ("stan", json!("000012")),
        ("amount", json!("12.50")),
        ("currency", json!("KPW")),
    ] {
        assert_eq!(paid[key], value, "{key}");
    }
    assert!(paid["elapsed_ms"].as_u64().unwrap() < 5000);
    let sent: Vec<(u8, &str)> =
        request.fields().map(|(de, v)| (de, std::str::from_utf8(v).unwrap())).collect();
    // R-FIELDS: DE7 is UTC, DE12 and DE13 are the nation's time.
    let expected = [
        (2, "9408020000000015"),
        (3, "000000"),
        (4, "000000001250"),
        (7, "1122163005"),
        (11, "000012"),
        (12, "013005"),
        (13, "1123"),
        (14, "3112"),
        (32, "100001"),
        (41, "PYO00001"),
        (49, "408"),
    ];
    assert_eq!(sent, expected);

    let (ran, request) = pay(station(script), &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for words in ["PURCHASE APPROVED", "12.50 KPW", "94080200****0015", "632609000012", "A1B2C3"] {
        assert!(ran.text().contains(words), "{words}: {}", ran.text());
    }
    assert!(!ran.text().contains("9408020000000015"), "{}", ran.text());
    assert_ne!(request.text(11), Some("000000"));
}

#[test]
fn declined() {
    let script = |request: &Message, mut line| {
        send(&mut line, &answer(request, &[(39, "91"), (44, "CAP")]));
    };
    let (ran, _) = pay(station(script), &["--format", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let paid = ran.json();
    assert_eq!((&paid["approved"], &paid["text"]), (&json!(false), &json!("CAP")));
    assert_eq!((&paid["rrn"], &paid["approval_code"]), (&Value::Null, &Value::Null));

    let (ran, _) = pay(station(script), &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.text().contains("PURCHASE DECLINED"), "{}", ran.text());
    assert!(ran.text().contains("safe to try again"), "{}", ran.text());
}

#[test]
fn a_reversal_is_acknowledged_and_never_approved() {
    let script = |request: &Message, mut line| send(&mut line, &answer(request, &[(39, "00")]));
    let reversal = ["--kind", "reversal", "--original", "6326PY00005T"];
    let (ran, _) = pay(station(script), &reversal);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let text = ran.text();
    assert!(text.starts_with("REVERSAL ACKNOWLEDGED") && !text.contains("approved"), "{text}");
    assert!(text.contains("see bongsu ledger payment 6326PY00005T"), "{text}");
    let (ran, _) = pay(station(script), &[&reversal[..], &["--format", "json"]].concat());
    assert_eq!(ran.json()["acknowledged"], true);
    let (ran, _) = pay(station(script), &["--format", "json"]);
    assert!(ran.json().get("acknowledged").is_none(), "{}", ran.text());
}

/// R-ACCOUNTS: acknowledged is not posted.
#[test]
fn a_completion_is_acknowledged_or_declined() {
    let complete = ["--kind", "complete", "--original", "6326PY00005U"];
    let script = |request: &Message, mut line| send(&mut line, &answer(request, &[(39, "00")]));
    let (ran, _) = pay(station(script), &complete);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let text = ran.text();
    assert!(text.starts_with("COMPLETE ACKNOWLEDGED") && text.contains("12.50 KPW"), "{text}");
    assert!(text.contains("see bongsu ledger payment 6326PY00005U"), "{text}");
    let above = |request: &Message, mut line| {
        send(&mut line, &answer(request, &[(39, "13"), (44, "AMOUNT LIMIT")]));
    };
    let (ran, _) = pay(station(above), &[&complete[..], &["--format", "json"]].concat());
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!((&ran.json()["mti"], &ran.json()["acknowledged"]), (&json!("0230"), &json!(false)));
}

#[test]
fn an_original_is_named_where_one_belongs() {
    for (arguments, place) in [
        (&["--kind", "complete"][..], "--original"),
        (&["--kind", "reversal"], "--original"),
        (&["--kind", "cash", "--original", "632609000012"], "--original"),
        (&["--kind", "balance", "--original-stan", "11"], "--original"),
        (&["--kind", "refund", "--original-approval", "A1B2C3"], "--original-approval"),
        (&["--kind", "complete", "--original-approval", "A1B2C34"], "--original-approval"),
        (&["--kind", "refund", "--original", "632609000012", "--keep", "1"], "--keep"),
        (&["--kind", "reversal", "--original", "632609000012", "--keep", "12.50"], "--keep"),
        (&["--kind", "reversal", "--original", "632609000012", "--keep", "x"], "--keep"),
    ] {
        let card = ["--terminal", "PYO00001", "--pan", "9408020000000015", "--amount", "12.50"];
        // Nobody is called: port 1 would refuse, and that is another failure.
        let usual = [&["pay", "--to", "127.0.0.1:1", "--format", "json"][..], &card].concat();
        let ran = run(&[&usual, arguments].concat());
        assert_eq!(ran.code, 2, "{arguments:?}");
        let error = &ran.json()["error"];
        assert_eq!((&error["kind"], &error["where"]), (&json!("usage"), &json!(place)), "{error}");
    }
}

#[test]
fn the_reason_of_a_refusal_says_what_to_do() {
    for (code, text, words) in [
        ("94", "DUPLICATE", "another payment used this trace number; nothing moved"),
        ("91", "TRUNK DOWN", "not charged by the switch; the bank may show it until"),
        ("91", "ISSUER LATE", "not charged by the switch; the bank may show it until"),
    ] {
        let script = move |request: &Message, mut line| {
            send(&mut line, &answer(request, &[(39, code), (44, text)]));
        };
        let (ran, _) = pay(station(script), &[]);
        assert!(ran.code == 1 && ran.text().contains(words), "{}", ran.text());
        assert!(!ran.text().contains("no money has moved"), "{}", ran.text());
    }
}

#[test]
fn an_answer_without_a_response_code_approves_nothing() {
    let (ran, _) = pay(station(|request, mut line| send(&mut line, &answer(request, &[]))), &[]);
    assert_eq!(ran.code, 1, "{}", ran.text());
}

fn check_unknown(ran: &Ran, kind: &str) {
    assert_eq!(ran.code, 2, "{kind}: {}", ran.err);
    let error = &ran.json()["error"];
    assert_eq!(error["kind"], json!(kind), "{error}");
    assert_eq!(error["sent"], json!(true), "{error}");
    // What the repeat needs.
    let remedy = error["do"].as_str().unwrap();
    for part in ["--repeat", "--stan 000012", "--at 2026-11-22T16:30:05.000Z"] {
        assert!(remedy.contains(part), "{remedy}");
    }
    assert_eq!(error["stan"], json!("000012"));
}

/// However long the program waits.
fn until_it_hangs_up(line: &mut TcpStream) {
    assert_eq!(line.read(&mut [0]).unwrap(), 0);
}

#[test]
fn nobody_knows() {
    let at = ["--stan", "12", "--at", "2026-11-22T16:30:05Z", "--format", "json"];
    let quick = [&at[..], &["--timeout", "0.2"]].concat();
    let (ran, _) = pay(station(|_, mut line| until_it_hangs_up(&mut line)), &quick);
    check_unknown(&ran, "no_answer");
    let half = |_: &Message, mut line: TcpStream| {
        line.write_all(&[0, 200, b'0']).unwrap();
        until_it_hangs_up(&mut line);
    };
    let (ran, _) = pay(station(half), &quick);
    check_unknown(&ran, "no_answer");
    let (ran, _) = pay(station(|_, line| drop(line)), &at);
    check_unknown(&ran, "closed");
    let garbage = |_: &Message, mut line: TcpStream| line.write_all(b"\x00\x08nonsense").unwrap();
    let (ran, _) = pay(station(garbage), &at);
    check_unknown(&ran, "bad_answer");
    let nothing = |_: &Message, mut line: TcpStream| line.write_all(&[0, 0, 1]).unwrap();
    let (ran, _) = pay(station(nothing), &at);
    check_unknown(&ran, "bad_answer");
}

#[test]
fn only_the_own_answer_counts() {
    let script = |request: &Message, mut line: TcpStream| {
        let mut other = answer(request, &APPROVED);
        other.set(11, b"999999");
        send(&mut line, &other);
        let mut other = answer(request, &APPROVED);
        other.set(41, b"PYO00002");
        send(&mut line, &other);
        send(&mut line, request);
        send(&mut line, &answer(request, &[(39, "51")]));
    };
    let (ran, _) = pay(station(script), &["--stan", "12", "--format", "json"]);
    assert_eq!((ran.code, &ran.json()["response_code"]), (1, &json!("51")));
    assert_eq!(ran.err.matches("passed over").count(), 3, "{}", ran.err);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a row for each kind, and they belong side by side")]
fn every_kind_is_the_message_of_the_rules() {
    let approve = |request: &Message, mut line| send(&mut line, &answer(request, &[(39, "00")]));
    for (arguments, mti, fields) in [
        (&["--kind", "cash"][..], "0200", &[(3, Some("010000"))][..]),
        (
            &["--kind", "refund", "--original", "632609000012"],
            "0200",
            &[(3, Some("200000")), (37, Some("632609000012"))],
        ),
        (&["--kind", "preauth"], "0100", &[(3, Some("000000"))]),
        (
            &["--repeat", "--stan", "7", "--at", "2026-11-22T16:30:05Z"],
            "0201",
            &[(11, Some("000007")), (12, Some("013005"))],
        ),
        (
            &["--kind", "reversal", "--original", "632609000012"],
            "0420",
            &[(37, Some("632609000012")), (39, Some("17")), (90, None)],
        ),
        (
            &[
                "--kind",
                "reversal",
                "--original-stan",
                "11",
                "--original-at",
                "2026-11-22T16:29:00Z",
                "--acquirer",
                "100001",
            ],
            "0420",
            &[(37, None), (90, Some("020000001111221629000000010000100000000000"))],
        ),
        (
            &["--kind", "reversal", "--original-stan", "11", "--original-kind", "preauth"],
            "0420",
            &[(90, Some("010000001100000000000000000000000000000000"))],
        ),
        (
            &["--kind", "reversal", "--original-stan", "11", "--original-kind", "complete"],
            "0420",
            &[(90, Some("022000001100000000000000000000000000000000"))],
        ),
        (
            &["--kind", "reversal", "--original", "632609000012", "--keep", "4.00"],
            "0420",
            &[
                (4, Some("000000001250")),
                (39, Some("32")),
                (95, Some("000000000400000000000000C00000000C00000000")),
            ],
        ),
        (
            &["--kind", "complete", "--original", "632609000012"],
            "0220",
            &[(3, Some("000000")), (37, Some("632609000012")), (90, None)],
        ),
        (
            &[
                "--kind",
                "complete",
                "--original-stan",
                "11",
                "--repeat",
                "--stan",
                "7",
                "--at",
                "2026-11-22T16:30:05Z",
            ],
            "0221",
            &[(11, Some("000007")), (90, Some("010000001100000000000000000000000000000000"))],
        ),
        (
            &["--kind", "complete", "--original-approval", "A1B2C3"],
            "0220",
            &[(37, None), (38, Some("A1B2C3")), (90, None)],
        ),
        (
            &["--kind", "preauth", "--repeat", "--stan", "7", "--at", "2026-11-22T16:30:05Z"],
            "0101",
            &[(3, Some("000000"))],
        ),
    ] {
        let (ran, request) = pay(station(approve), arguments);
        assert_eq!(ran.code, 0, "{arguments:?} {}", ran.err);
        assert_eq!(request.mti().to_string(), mti, "{arguments:?}");
        for (de, value) in fields {
            assert_eq!(request.text(*de), *value, "{arguments:?} DE{de}");
        }
    }
}

#[test]
fn echo_and_balance_have_no_amount() {
    let with_balance = |request: &Message, mut line| {
        send(&mut line, &answer(request, &[(39, "00"), (54, "0002408C000000009950")]));
    };
    let server = station(with_balance);
    let ran = run(&[
        "pay",
        "--to",
        &server.address,
        "--kind",
        "balance",
        "--terminal",
        "PYO00001",
        "--pan",
        "9408020000000015",
        "--format",
        "json",
    ]);
    let request = server.thread.join().unwrap();
    assert_eq!((request.text(3), request.text(4)), (Some("310000"), Some("000000000000")));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.json()["balances"],
        json!([{ "account": "00", "type": "available", "currency": "KPW", "amount": "99.50" }])
    );
    assert_eq!(ran.json()["amount"], Value::Null);

    let server =
        station(|request: &Message, mut line| send(&mut line, &answer(request, &[(39, "00")])));
    let ran = run(&["pay", "--to", &server.address, "--kind", "echo", "--terminal", "PYO00001"]);
    let request = server.thread.join().unwrap();
    assert_eq!((request.mti().number(), request.text(70)), (800, Some("301")));
    assert!(ran.code == 0 && ran.text().contains("ECHO ANSWERED"), "{}", ran.text());
}

/// Terminals of `production` speak TLS: it is known before anything is sent.
#[test]
fn a_station_that_speaks_tls_is_not_called() {
    let dir = crate::nation::fresh("pay-production");
    std::fs::create_dir_all(dir.join("run")).unwrap();
    let example = include_str!("../../../../examples/four-stations/nation.toml");
    let text = example.replace("\"demo\"", "\"production\"");
    std::fs::write(dir.join("nation.toml"), text).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let role = json!({
        "role": "station-pyongyang", "pid": 1, "addresses": { "terminals": address },
        "socket": "x", "version": "0", "started_at": "2026-11-22T00:00:00Z",
    });
    let running = json!({ "version": "0", "roles": [role] });
    std::fs::write(dir.join("run/nation.json"), running.to_string()).unwrap();
    let pan = "9408020000000015";
    let dir_name = dir.to_str().unwrap();
    let ran = run(&["pay", "--dir", dir_name, "--pan", pan, "--amount", "1", "--format", "json"]);
    let error = ran.json()["error"].take();
    assert_eq!((ran.code, &error["kind"]), (2, &json!("tls_needed")), "{error}");
    assert_eq!((&error["sent"], &error["where"]), (&json!(false), &json!(address)));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody has called");
    std::fs::remove_dir_all(&dir).unwrap();
}
