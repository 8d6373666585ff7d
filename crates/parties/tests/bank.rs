//! A bank alone against hand-made messages.

mod rig;

use parties::Event;
use parties::bank::{BankFaults, EntryKind, Oddity};
use rig::{Rig, build, elements, mti, network_answer, purchase, reversal, with};

const OPENING: i64 = 10_000_000;

#[test]
fn r_link_a_bank_signs_on_with_its_id_on_each_connection() {
    let host = parties::BankHost::new(rig::config(|_| {}));
    let mut rig = Rig::new(rig::Party::Bank(Box::new(host)));
    rig.advance(1);
    assert_eq!(rig.dials.len(), 2);
    let sign_ons = rig.taken();
    assert_eq!(sign_ons.len(), 2);
    for message in &sign_ons {
        assert_eq!(message.mti(), mti(800));
        assert_eq!(elements(message), [7, 11, 32, 70]);
        assert_eq!(message.text(32), Some("100002"));
        assert_eq!(message.text(70), Some("001"));
    }
    assert_ne!(sign_ons[0].text(11), sign_ons[1].text(11));
    assert_eq!(rig.host().signed_on(), 2);
}

#[test]
fn r_link_a_refused_or_unanswered_sign_on_closes_and_backs_off() {
    let config = rig::config(|c| c.connections = 1);
    let host = parties::BankHost::new(config);
    let mut rig = Rig::new(rig::Party::Bank(Box::new(host)));
    rig.peer_answers = false;
    rig.advance(9_999);
    assert_eq!((rig.closed.len(), rig.host().signed_on()), (0, 0));
    rig.advance(2);
    assert_eq!(rig.closed.len(), 1, "no answer for 10 s");
    rig.advance(300);
    let (_, conn, sign_on) = rig.sent.last().unwrap().clone();
    rig.receive_on(conn, &network_answer(&sign_on, "58"));
    assert_eq!(rig.closed.len(), 2, "refused");
    // While nobody is there: 0.4, 0.8, 1.6, 3.2, 5, 5 s, and never faster.
    rig.peer_is_up = false;
    rig.dials.clear();
    rig.advance(20_000);
    let gaps = rig.dials.windows(2).map(|w| w[1].ms_since(w[0]));
    assert_eq!(gaps.collect::<Vec<_>>(), [800, 1600, 3200, 5000, 5000]);
    rig.peer_is_up = true;
    rig.peer_answers = true;
    rig.advance(5_000);
    assert_eq!(rig.host().signed_on(), 1);
}

#[test]
fn r_time_an_echo_follows_30_s_of_silence_and_two_misses_are_down() {
    let mut rig = Rig::bank(|c| c.connections = 1);
    rig.advance(20_000);
    assert_eq!(rig.code(&purchase(1, 1)), "00");
    rig.advance(29_900);
    assert_eq!(rig.taken().len(), 0, "the purchase broke the silence");
    rig.advance(200);
    let echoes = rig.taken();
    assert_eq!(echoes.len(), 1);
    assert_eq!(echoes[0].text(70), Some("301"));
    rig.peer_answers = false;
    rig.advance(30_000 + 10_100);
    assert_eq!(rig.taken().len(), 2, "an echo, and again after 10 s");
    assert_eq!((rig.closed.len(), rig.host().signed_on()), (0, 1));
    rig.peer_answers = true;
    rig.advance(10_100);
    assert_eq!(rig.closed.len(), 1);
    assert_eq!(rig.host().signed_on(), 1, "dialled again");
}

#[test]
fn r_link_echo_is_answered_and_answers_never_are() {
    let mut rig = Rig::bank(|_| {});
    let echo = build(800, &[(7, "0921100000"), (11, "000009"), (70, "301")]);
    let answers = rig.ask(&echo);
    assert_eq!(answers, [network_answer(&echo, "00")]);
    for number in [110, 210, 230, 410, 430, 810] {
        let mut answer = purchase(5, 1);
        answer.set_mti(mti(number));
        let mut answer = with(answer, &[(39, "00"), (70, "301")]);
        assert_eq!(rig.ask(&answer), [], "{number}");
        answer.remove(11);
        assert_eq!(rig.ask(&answer), [], "{number}");
    }
    assert_eq!(rig.balance(1), OPENING);
}

#[test]
fn r_fields_an_answer_echoes_what_the_rule_book_says_and_nothing_else() {
    let mut rig = Rig::bank(|_| {});
    let request = with(purchase(1, 1), &[(18, "5411"), (25, "00"), (48, "x")]);
    let answers = rig.ask(&request);
    let answer = &answers[0];
    assert_eq!(answer.mti(), mti(210));
    let echoed = [2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49];
    let mut expected = echoed.to_vec();
    expected.extend([38, 39]);
    expected.sort_unstable();
    assert_eq!(elements(answer), expected);
    for de in echoed {
        assert_eq!(answer.get(de), request.get(de), "DE{de}");
    }
    assert_eq!(answer.text(39), Some("00"));
    assert_eq!(answer.text(38), Some("000001"));
    let acknowledged = rig.ask(&reversal(&request, 2));
    assert_eq!(acknowledged[0].mti(), mti(430));
    expected.retain(|de| *de != 38);
    assert_eq!(elements(&acknowledged[0]), expected);
    let mut older = reversal(&request, 2);
    older.set_mti(mti(400));
    assert_eq!(rig.ask(&older)[0].mti(), mti(410));
    let declined = rig.ask(&purchase(3, 98));
    assert!(!declined[0].has(38));
}

#[test]
fn r_fields_a_request_without_a_mandatory_field_is_answered_30() {
    let mut rig = Rig::bank(|_| {});
    for de in [2, 3, 4, 7, 41] {
        let mut request = purchase(1, 1);
        request.remove(de);
        assert_eq!(rig.code(&request), "30", "without DE{de}");
    }
    assert_eq!(rig.journal.len(), 0);
    let mut by_track = purchase(1, 1);
    let track = format!("{}=311220100000", by_track.text(2).unwrap());
    by_track.remove(2);
    assert_eq!(rig.code(&with(by_track, &[(35, &track)])), "00");
    assert_eq!(rig.balance(1), OPENING - 1250);
    let mut vague = reversal(&purchase(1, 1), 9);
    vague.remove(90);
    assert_eq!(rig.code(&vague), "30");
    assert_eq!(rig.balance(1), OPENING - 1250);
}

#[test]
fn r_fields_bytes_that_are_no_message_are_answered_30_or_end_the_connection() {
    let mut rig = Rig::bank(|c| c.connections = 1);
    let conn = rig.first_line();
    let mut payload = Vec::new();
    rig::dialect().encode(&purchase(1, 1), &mut payload).unwrap();
    payload.push(b'x');
    let mut bytes = Vec::new();
    wire::frame::write_frame(wire::frame::Framing::Be2, &payload, &mut bytes).unwrap();
    let bytes = &bytes[..];
    rig.event(Event::Received { conn, bytes });
    let answers = rig.taken();
    assert_eq!(answers[0].text(39), Some("30"));
    assert_eq!(answers[0].text(11), Some("000001"));
    let bytes = &[0, 4, b'n', b'o', b'n', b'e'][..];
    rig.event(Event::Received { conn, bytes });
    assert_eq!(rig.closed, [conn]);
    assert_eq!(rig.balance(1), OPENING);
    // Its end is told as well; that is no failed dial and lengthens no wait.
    rig.event(Event::Closed { conn });
    rig.advance(250);
    assert_eq!((rig.dials.len(), rig.lines.len()), (2, 1));
    assert_eq!(rig.closed, [conn]);
}

#[test]
fn interfaces_the_example_accounts_decline_as_written() {
    let mut rig = Rig::bank(|_| {});
    let all = format!("{OPENING:012}");
    let over = format!("{:012}", OPENING + 1);
    let cap = "000500000001";
    let mut foreign = purchase(8, 1);
    foreign.set(2, b"9408010000000016");
    let mut luhn = purchase(9, 1);
    luhn.set(2, b"9408020000000016");
    let mut long = purchase(10, 1);
    long.set(2, b"94080200000000107");
    let cases = [
        (purchase(1, 98), "51"),
        (purchase(2, 99), "62"),
        (purchase(3, 100), "41"),
        (with(purchase(4, 1), &[(14, "3111")]), "54"),
        (with(purchase(5, 1), &[(4, &over)]), "51"),
        (with(purchase(6, 1), &[(4, "000000000000")]), "13"),
        (with(purchase(7, 1), &[(49, "840")]), "12"),
        (foreign, "14"),
        (luhn, "14"),
        (long, "14"),
        (with(purchase(11, 1), &[(3, "400000")]), "12"),
    ];
    for (request, code) in &cases {
        assert_eq!(rig.code(request), *code, "{request:?}");
    }
    let mut unknown = purchase(12, 1);
    unknown.set(2, parties::bank::pan(rig::iin(), 101).unwrap().digits());
    assert_eq!(rig.code(&unknown), "14");
    let moved = rig.host().book().accounts().flat_map(|(_, a)| &a.entries);
    assert_eq!(moved.count(), 0);
    assert_eq!(rig.code(&with(purchase(13, 1), &[(4, &all)])), "00");
    assert_eq!(rig.balance(1), 0);
    assert_eq!(rig.code(&with(purchase(14, 97), &[(4, cap)])), "00");
    let mut no_expiry = purchase(15, 2);
    no_expiry.remove(14);
    assert_eq!(rig.code(&no_expiry), "00");
}

#[test]
fn r_fields_refund_credits_and_balance_is_told_in_de54() {
    let mut rig = Rig::bank(|_| {});
    assert_eq!(rig.code(&with(purchase(1, 3), &[(3, "200000")])), "00");
    assert_eq!(rig.balance(3), OPENING + 1250);
    let mut enquiry = with(purchase(2, 3), &[(3, "311000")]);
    enquiry.remove(4);
    let before = rig.journal.len();
    let answers = rig.ask(&enquiry);
    assert_eq!(answers[0].text(39), Some("00"));
    assert_eq!(answers[0].text(54), Some("1002408C000010001250"));
    // A repeat asks again.
    assert_eq!(rig.code(&purchase(3, 3)), "00");
    let answers = rig.ask(&enquiry);
    assert_eq!(answers[0].text(54), Some("1002408C000010000000"));
    assert_eq!(rig.journal.len(), before + 1);
    assert_eq!(rig.code(&with(purchase(4, 99), &[(3, "310000")])), "62");
    assert_eq!(rig.journal.len(), before + 1, "nor is a refused enquiry kept");
}

#[test]
fn r_match_a_repeat_gets_the_first_answer_and_moves_nothing() {
    let mut rig = Rig::bank(|_| {});
    let mut answers = rig.ask(&purchase(1, 1));
    let first = answers.remove(0);
    assert_eq!(rig.code(&purchase(2, 1)), "00");
    let mut repeat = purchase(1, 1);
    repeat.set_mti(mti(201));
    for again in [purchase(1, 1), repeat.clone()] {
        assert_eq!(rig.ask(&again), std::slice::from_ref(&first));
    }
    assert_eq!(rig.balance(1), OPENING - 2 * 1250);
    // An account that was empty stays declined for that request, even when it is filled since.
    assert_eq!(rig.code(&purchase(3, 98)), "51");
    assert_eq!(rig.code(&with(purchase(4, 98), &[(3, "200000")])), "00");
    assert_eq!(rig.code(&purchase(3, 98)), "51");
    assert_eq!(rig.code(&purchase(5, 98)), "00");
    // The same key with other content.
    for (de, value) in [(4, "000000001251"), (41, "PYO00002"), (3, "200000")] {
        assert_eq!(rig.code(&with(purchase(1, 1), &[(de, value)])), "94");
    }
    assert_eq!(rig.code(&with(purchase(1, 1), &[(7, "0921100001")])), "00");
    assert_eq!(rig.balance(1), OPENING - 3 * 1250);
    // A repeat whose original never came is a first request.
    repeat.set(11, b"000077");
    assert_eq!(rig.code(&repeat), "00");
    assert_eq!(rig.code(&repeat), "00");
    assert_eq!(rig.balance(1), OPENING - 4 * 1250);
}

#[test]
fn r_reversal_returns_the_money_once_and_is_always_acknowledged() {
    let mut rig = Rig::bank(|_| {});
    let request = purchase(1, 1);
    assert_eq!(rig.code(&request), "00");
    let mut repeat = reversal(&request, 2);
    assert_eq!(rig.code(&repeat), "00");
    assert_eq!(rig.balance(1), OPENING);
    repeat.set_mti(mti(421));
    assert_eq!(rig.ask(&repeat)[0].mti(), mti(430));
    assert_eq!(rig.code(&reversal(&request, 3)), "00");
    assert_eq!(rig.balance(1), OPENING);
    assert_eq!(rig.code(&request), "94", "its repeat is not approved again");
    assert_eq!(rig.balance(1), OPENING);
    let kinds: Vec<_> = rig.host().book().account(1).unwrap().entries.iter().collect();
    assert_eq!(kinds.len(), 2);
    assert_eq!((kinds[0].kind, kinds[0].effect), (EntryKind::Purchase, -1250));
    assert_eq!((kinds[1].kind, kinds[1].effect), (EntryKind::Reversal, 1250));
    assert_eq!(kinds[0].rrn.as_str(), "R00000000001");
    assert_eq!(kinds[0].stan.get(), 1);
    // A refund's reversal takes back; a declined request has nothing to return.
    let refund = with(purchase(4, 98), &[(3, "200000")]);
    assert_eq!(rig.code(&refund), "00");
    assert_eq!(rig.code(&purchase(5, 98)), "00");
    assert_eq!(rig.code(&reversal(&refund, 6)), "00");
    assert_eq!(rig.balance(98), -1250);
    let declined = purchase(7, 98);
    assert_eq!(rig.code(&declined), "51");
    assert_eq!(rig.code(&reversal(&declined, 8)), "00");
    assert_eq!(rig.balance(98), -1250);
}

#[test]
fn r_reversal_de95_returns_the_rest_and_another_amount_returns_nothing() {
    let mut rig = Rig::bank(|_| {});
    let request = purchase(1, 1);
    assert_eq!(rig.code(&request), "00");
    let other = with(reversal(&request, 2), &[(4, "000000001000")]);
    assert_eq!(rig.code(&other), "00");
    assert_eq!(rig.balance(1), OPENING - 1250);
    let actual = |amount: u32| format!("{amount:012}{:012}{:09}{:09}", 0, 0, 0);
    let too_much = with(reversal(&request, 3), &[(95, &actual(1251))]);
    assert_eq!(rig.code(&too_much), "30");
    assert_eq!(rig.balance(1), OPENING - 1250);
    let partial = with(reversal(&request, 4), &[(95, &actual(1000))]);
    assert_eq!(rig.code(&partial), "00");
    assert_eq!(rig.balance(1), OPENING - 1000);
    assert_eq!(rig.code(&partial), "00");
    assert_eq!(rig.code(&reversal(&request, 5)), "00");
    assert_eq!(rig.balance(1), OPENING - 1000, "one reversal per payment");
    assert_eq!(rig.code(&request), "00", "still an approval");
    assert_eq!(rig.host().counts().oddities[&Oddity::OtherAmount], 1);
}

#[test]
fn r_reversal_zero_parts_of_de90_match_anything() {
    let mut rig = Rig::bank(|_| {});
    let (first, second) = (purchase(1, 1), with(purchase(1, 1), &[(7, "0921100500")]));
    assert_eq!(rig.code(&first), "00");
    rig.advance(5);
    assert_eq!(rig.code(&second), "00");
    let zeros = format!("0000{}{}{:022}", "000001", "0000000000", 0);
    let newest = with(reversal(&second, 2), &[(90, &zeros)]);
    assert_eq!(rig.code(&newest), "00");
    assert_eq!(rig.balance(1), OPENING - 1250);
    assert_eq!(rig.code(&second), "94", "the newest was meant");
    assert_eq!(rig.code(&first), "00");
    let nothing = with(reversal(&first, 3), &[(90, &"0".repeat(42))]);
    assert_eq!(rig.code(&nothing), "30");
    // Unknown, and vague: whatever comes under this trace number later is refused.
    let vague = format!("0000{}{}{:022}", "000050", "0000000000", 0);
    assert_eq!(rig.code(&with(reversal(&first, 4), &[(90, &vague)])), "00");
    assert_eq!(rig.code(&purchase(50, 1)), "94");
    assert_eq!(rig.code(&purchase(51, 1)), "00");
}

#[test]
fn r_tomb_an_original_after_its_reversal_is_refused_even_after_a_crash() {
    let mut rig = Rig::bank(|c| c.times.echo_after_ms = 86_400_000);
    let request = purchase(1, 1);
    let reverse = reversal(&request, 2);
    assert_eq!(rig.code(&reverse), "00");
    assert_eq!(rig.code(&reverse), "00");
    assert_eq!(rig.journal.len(), 1, "one tombstone");
    assert_eq!(rig.code(&request), "94");
    let mut rig = rig.crashed();
    rig.advance(7 * 86_400_000);
    assert_eq!(rig.code(&request), "94");
    assert_eq!(rig.balance(1), OPENING);
    assert_eq!(rig.code(&purchase(3, 1)), "00");
    // Another DE7 under the same DE11 is another request.
    assert_eq!(rig.code(&with(request, &[(7, "0921110000")])), "00");
}

#[test]
fn r_tomb_tombstones_and_requests_are_forgotten_after_ten_days() {
    let mut rig = Rig::bank(|c| c.times.echo_after_ms = 86_400_000);
    assert_eq!(rig.code(&reversal(&purchase(1, 1), 2)), "00");
    assert_eq!(rig.code(&purchase(3, 1)), "00");
    rig.advance(10 * 86_400_000 + 60_000);
    assert_eq!(rig.code(&purchase(4, 1)), "00");
    assert_eq!(rig.code(&purchase(1, 1)), "00");
    assert_eq!(rig.code(&purchase(3, 1)), "00");
    assert_eq!(rig.balance(1), OPENING - 4 * 1250);
    let live = rig.host().book().state_hash();
    assert_eq!(rig.crashed().host().book().state_hash(), live);
}

#[test]
fn r_crash_no_answer_leaves_before_its_record_is_durable() {
    let mut rig = Rig::bank(|_| {});
    rig.disk_works = false;
    assert_eq!(rig.ask(&purchase(1, 1)), []);
    // What is decided while the first batch flies waits for its own, and so does a repeat.
    assert_eq!(rig.ask(&purchase(2, 1)), []);
    assert_eq!(rig.ask(&purchase(1, 1)), []);
    rig.commit();
    let answers = rig.taken();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].text(11), Some("000001"));
    assert_eq!(rig.journal.len(), 1);
    rig.commit();
    let traces: Vec<_> = rig.taken();
    let traces: Vec<_> = traces.iter().map(|m| m.text(11).unwrap()).collect();
    assert_eq!(traces, ["000002", "000001"]);
    assert!(rig.host().is_durable());
    // A balance tells what is not durable yet, so it waits as well.
    assert_eq!(rig.ask(&purchase(3, 1)), []);
    assert_eq!(rig.ask(&with(purchase(4, 1), &[(3, "310000")])), []);
    rig.commit();
    assert_eq!(rig.taken().len(), 2);
}

#[test]
fn r_crash_what_was_not_durable_never_was() {
    let mut rig = Rig::bank(|_| {});
    assert_eq!(rig.code(&purchase(1, 1)), "00");
    rig.disk_works = false;
    assert_eq!(rig.ask(&purchase(2, 1)), []);
    assert_eq!(rig.ask(&reversal(&purchase(1, 1), 9)), []);
    let mut rig = rig.crashed();
    assert_eq!(rig.balance(1), OPENING - 1250);
    assert_eq!(rig.code(&reversal(&purchase(1, 1), 9)), "00");
    assert_eq!(rig.balance(1), OPENING);
    assert_eq!(rig.code(&reversal(&purchase(2, 1), 10)), "00");
    assert_eq!(rig.code(&purchase(2, 1)), "94");
    assert_eq!(rig.balance(1), OPENING);
}

#[test]
fn r_crash_after_a_disk_error_a_bank_says_nothing_more() {
    let mut rig = Rig::bank(|_| {});
    rig.disk_works = false;
    let conn = rig.first_line();
    assert_eq!(rig.ask(&purchase(1, 1)), []);
    rig.event(Event::DiskFailed);
    assert!(rig.host().is_halted());
    assert_eq!(rig.closed.len(), 2);
    rig.event(Event::Committed);
    rig.receive_on(conn, &purchase(2, 1));
    rig.advance(100_000);
    assert_eq!((rig.taken().len(), rig.lines.len()), (0, 0));
}

#[test]
fn r_link_an_answer_may_leave_by_another_connection() {
    let mut rig = Rig::bank(|_| {});
    rig.disk_works = false;
    let conn = rig.first_line();
    assert_eq!(rig.ask(&purchase(1, 1)), []);
    rig.lines.remove(&conn);
    rig.peer_is_up = false;
    rig.event(Event::Closed { conn });
    rig.commit();
    let other = rig.first_line();
    assert_eq!((rig.sent.len(), rig.sent[0].1), (1, other));
}

#[test]
fn refill_fills_the_shops_cards_in_the_banks_own_book_only() {
    let mut rig = Rig::bank(|_| {});
    // 99,000.00 leaves 1,000.00, which is not below it.
    let much = with(purchase(1, 21), &[(4, "000009900000")]);
    assert_eq!(rig.code(&much), "00");
    assert_eq!(rig.balance(21), 100_000);
    assert_eq!(rig.code(&with(purchase(2, 21), &[(4, "000000000001")])), "00");
    assert_eq!(rig.balance(21), OPENING);
    let entries = &rig.host().book().account(21).unwrap().entries;
    let last = entries.back().unwrap();
    assert_eq!((last.kind, last.effect), (EntryKind::Refill, 9_900_001));
    assert!(last.rrn.is_blank());
    // The tester's accounts and the probe's card are not filled.
    for account in [20, 96] {
        let much = with(purchase(account, account), &[(4, "000009999900")]);
        assert_eq!(rig.code(&much), "00");
        assert_eq!(rig.balance(account), 100);
    }
}

#[test]
fn faults_touch_answers_and_never_the_book() {
    let faulty = |faults: BankFaults| Rig::bank(|c| c.faults = faults);
    let mut rig = faulty(BankFaults { drop_every: 3, ..BankFaults::default() });
    let answers: Vec<usize> = (1..=6).map(|n| rig.ask(&purchase(n, 1)).len()).collect();
    assert_eq!(answers, [1, 1, 0, 1, 1, 0]);
    assert_eq!(rig.balance(1), OPENING - 6 * 1250);

    let mut rig = faulty(BankFaults { twice_every: 2, ..BankFaults::default() });
    let answers: Vec<usize> = (1..=4).map(|n| rig.ask(&purchase(n, 1)).len()).collect();
    assert_eq!(answers, [1, 2, 1, 2]);
    assert_eq!(rig.balance(1), OPENING - 4 * 1250);

    let mut rig = faulty(BankFaults {
        late_every: 2,
        late_ms: 16_000,
        delay_min_ms: 10,
        delay_max_ms: 20,
        ..BankFaults::default()
    });
    for n in 1..=40 {
        assert_eq!(rig.ask(&purchase(n, 1)), []);
    }
    rig.advance(9);
    assert_eq!(rig.taken().len(), 0);
    rig.advance(11);
    assert_eq!(rig.taken().len(), 20);
    rig.advance(15_989);
    assert_eq!(rig.taken().len(), 0);
    rig.advance(11);
    assert_eq!(rig.taken().len(), 20);

    rig.host_mut().set_faults(BankFaults { silent: true, ..BankFaults::default() });
    assert_eq!(rig.ask(&purchase(50, 1)), []);
    assert_eq!(rig.ask(&reversal(&purchase(50, 1), 51)), []);
    let echo = build(800, &[(7, "0921100000"), (11, "000009"), (70, "301")]);
    assert_eq!(rig.ask(&echo).len(), 1, "its link is well");
    assert_eq!(rig.balance(1), OPENING - 40 * 1250);
}

#[test]
fn faults_decline_at_the_rate_given_and_replay_as_decided() {
    let mut rig = Rig::bank(|c| c.faults.decline_per_mille = 250);
    let codes: Vec<String> = (1..=400).map(|n| rig.code(&purchase(n, 1))).collect();
    let declined = codes.iter().filter(|code| *code == "05").count();
    assert!((60..140).contains(&declined), "{declined} of 400");
    assert_eq!(rig.balance(1), OPENING - (400 - declined as i64) * 1250);
    let again: Vec<String> = (1..=400).map(|n| rig.code(&purchase(n, 1))).collect();
    assert_eq!(again, codes);
    let hash = rig.host().book().state_hash();
    let mut rig = rig.crashed();
    assert_eq!(rig.host().book().state_hash(), hash);
    let again: Vec<String> = (1..=400).map(|n| rig.code(&purchase(n, 1))).collect();
    assert_eq!(again, codes);
}

#[test]
fn r_secrets_debug_and_journal_show_no_card() {
    let mut rig = Rig::bank(|c| c.faults.delay_min_ms = 50);
    let request = with(purchase(1, 77), &[(35, "9408020000000775=31122010000")]);
    assert_eq!(rig.ask(&request), []);
    let shown = format!("{:?}", rig.host());
    let mut secrets = vec![request.text(2).unwrap().to_owned()];
    let bytes = request.get(2).unwrap().to_vec();
    secrets.push(format!("{bytes:?}").replace(['[', ']'], ""));
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret}");
    }
    for (_, _, payload) in &rig.journal {
        let digits = &request.get(2).unwrap()[..15];
        assert!(!payload.windows(digits.len()).any(|w| w == digits));
    }
}
