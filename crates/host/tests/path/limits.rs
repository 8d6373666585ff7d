//! What one peer may ask, and what is let go first (R-DE39, the 96 of admission).

use host::Config;
use host::config::Rates;
use host::limits::{MESSAGES_PER_TURN, OWED_PER_CONNECTION_MAX};
use wire::iso8583::Message;

use crate::world::{World, field};

/// A card of Harbour Bank, 100002.
const CARD: &str = "9408020000000015";

const PLENTY: Rates =
    Rates { status: 10_000, balances: 10_000, payments: 10_000, messages: 100_000 };

fn limited(change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        config.limits.connection = PLENTY;
        config.limits.bank = PLENTY;
        config.limits.terminal_per_s = 10_000;
        change(config);
    })
}

/// `count` purchases at once, each with its own trace number.
fn burst(world: &mut World, line: u64, first: u32, count: u32) {
    let framed: Vec<u8> = (first..first + count)
        .flat_map(|stan| {
            let purchase = world.purchase(&format!("{stan:06}"), CARD, &format!("{stan:012}"));
            world.framed(&purchase)
        })
        .collect();
    world.raw(line, &framed);
    world.settle();
}

fn answers(world: &mut World, line: u64) -> Vec<Message> {
    std::iter::from_fn(|| world.next(line)).collect()
}

fn codes(answers: &[Message]) -> Vec<&str> {
    answers.iter().map(|answer| field(answer, 39)).collect()
}

#[test]
fn a_connection_above_its_rate_is_told_when_to_come_again_and_others_are_served() {
    let mut world = limited(|config| config.limits.connection.payments = 5);
    let (greedy, modest) = (world.terminal(), world.terminal());
    burst(&mut world, greedy, 1, 8);
    let mut said = answers(&mut world, greedy);
    said.sort_by_key(|answer| field(answer, 11).to_owned());
    assert_eq!(codes(&said), ["00", "00", "00", "00", "00", "96", "96", "96"]);
    assert_eq!(field(&said[7], 44), "LIMIT PAYMENT RETRY 1");
    let purchase = world.purchase("000020", CARD, "000000000500");
    assert_eq!(field(&world.ask(modest, &purchase), 39), "00");
    // What has happened is never refused.
    let purchase = world.purchase("000001", CARD, "000000000001");
    for number in 0..20 {
        let reversal = world.reversal_of(&purchase, &format!("9{number:05}"));
        assert_eq!(field(&world.ask(greedy, &reversal), 39), "00");
    }
    // As it was told.
    world.pass(1000);
    burst(&mut world, greedy, 30, 5);
    assert_eq!(codes(&answers(&mut world, greedy)), ["00"; 5]);
    world.audit();
}

/// A purchase as [`World::purchase`], of another terminal of the same shop.
fn purchase_of(world: &World, terminal: &[u8], stan: &str) -> Message {
    let mut purchase = world.purchase(stan, CARD, &format!("000000{stan}"));
    purchase.set(41, terminal);
    purchase
}

#[test]
fn a_terminal_above_its_rate_is_told_so_on_every_connection_and_its_neighbours_are_served() {
    let mut world = limited(|config| config.limits.terminal_per_s = 3);
    let lines = [world.terminal(), world.terminal(), world.terminal()];
    let mut said = Vec::new();
    for (number, line) in lines.iter().cycle().take(6).enumerate() {
        let purchase = purchase_of(&world, b"PYO00001", &format!("00000{}", number + 1));
        let answer = world.ask(*line, &purchase);
        said.push((field(&answer, 39).to_owned(), field(&answer, 44).to_owned()));
    }
    let refused = ("96".to_owned(), "LIMIT TERMINAL RETRY 1".to_owned());
    assert!(said[..3].iter().all(|(code, _)| code == "00"), "{said:?}");
    assert!(said[3..].iter().all(|answer| *answer == refused), "{said:?}");
    // Enquiries are of the same rate: they too go to an issuer.
    let mut balance = purchase_of(&world, b"PYO00001", "000010");
    balance.set(3, b"310000");
    balance.set(4, b"000000000000");
    assert_eq!(field(&world.ask(lines[0], &balance), 44), "LIMIT TERMINAL RETRY 1");
    // What has happened is never refused, and an echo is nobody's payment.
    let purchase = purchase_of(&world, b"PYO00001", "000001");
    for number in 0..10 {
        let reversal = world.reversal_of(&purchase, &format!("90000{number}"));
        assert_eq!(field(&world.ask(lines[1], &reversal), 39), "00");
    }
    let echo = world.echo("000020");
    assert_eq!(field(&world.ask(lines[1], &echo), 39), "00");
    // On the very same connection.
    let neighbour = purchase_of(&world, b"PYO00002", "000030");
    assert_eq!(field(&world.ask(lines[0], &neighbour), 39), "00");
    world.pass(1000);
    let later = purchase_of(&world, b"PYO00001", "000040");
    assert_eq!(field(&world.ask(lines[2], &later), 39), "00", "as it was told");
    world.audit();
}

#[test]
fn network_messages_and_balances_have_rates_of_their_own() {
    let mut world = limited(|config| {
        config.limits.connection.status = 2;
        config.limits.connection.balances = 1;
    });
    let line = world.terminal();
    for stan in ["000001", "000002", "000003"] {
        let echo = world.echo(stan);
        world.send(line, &echo);
    }
    for stan in ["000004", "000005"] {
        let mut balance = world.purchase(stan, CARD, "000000000000");
        balance.set(3, b"310000");
        world.send(line, &balance);
    }
    world.settle();
    world.pass(100);
    let said = answers(&mut world, line);
    let told = |text: &str| said.iter().filter(|answer| field(answer, 44) == text).count();
    assert_eq!((told("LIMIT STATUS RETRY 1"), told("LIMIT BALANCE RETRY 1")), (1, 1), "{said:?}");
    let purchase = world.purchase("000006", CARD, "000000000500");
    assert_eq!(field(&world.ask(line, &purchase), 39), "00");
}

#[test]
fn who_says_too_much_is_heard_more_slowly_and_loses_nothing() {
    let mut world = limited(|config| config.limits.connection.messages = 10);
    let (flood, other) = (world.terminal(), world.terminal());
    let framed: Vec<u8> = (0..35u32)
        .flat_map(|stan| {
            let echo = world.echo(&format!("{stan:06}"));
            world.framed(&echo)
        })
        .collect();
    world.raw(flood, &framed);
    world.settle();
    assert_eq!(world.answered(flood), 10);
    assert_eq!(world.listening(flood), Some(false), "the shell was told not to read it");
    let echo = world.echo("000001");
    assert_eq!(field(&world.ask(other, &echo), 39), "00");
    assert_eq!(world.listening(other), None);
    world.pass(1000);
    assert!((19..=21).contains(&world.answered(flood)), "{}", world.answered(flood));
    world.pass(2000);
    assert_eq!(world.answered(flood), 35, "in the order and number that came");
    assert_eq!(world.listening(flood), Some(true));
    let said = answers(&mut world, flood);
    let stans: Vec<&str> = said.iter().map(|answer| field(answer, 11)).collect();
    assert!(stans.is_sorted(), "{stans:?}");
}

#[test]
fn reversals_without_room_wait_with_their_peer_and_are_all_acknowledged() {
    let mut world = limited(|config| config.limits.connection_in_flight = 1);
    let line = world.terminal();
    let purchase = world.purchase("000001", CARD, "000000000500");
    let count = OWED_PER_CONNECTION_MAX as u32 + 100;
    let framed: Vec<u8> = (0..count)
        .flat_map(|stan| {
            let reversal = world.reversal_of(&purchase, &format!("{:06}", 1000 + stan));
            world.framed(&reversal)
        })
        .collect();
    world.raw(line, &framed);
    world.settle();
    world.pass(200);
    let said = answers(&mut world, line);
    assert_eq!(said.len(), count as usize);
    assert!(codes(&said).iter().all(|code| *code == "00"));
    assert_eq!(world.listening(line), Some(true), "it was not read for a while, and is again");
}

#[test]
fn a_connection_with_a_thousand_messages_lets_another_have_its_turn() {
    let mut world = limited(|_| {});
    let (flood, other) = (world.terminal(), world.terminal());
    let framed: Vec<u8> = (0..1000u32)
        .flat_map(|stan| {
            let echo = world.echo(&format!("{stan:06}"));
            world.framed(&echo)
        })
        .collect();
    world.raw(flood, &framed);
    let echo = world.echo("000001");
    world.send(other, &echo);
    world.settle();
    assert_eq!(world.answered(other), 1, "behind one turn of the flood, not behind all of it");
    assert_eq!(world.answered(flood), MESSAGES_PER_TURN);
    assert_eq!(world.listening(flood), Some(false), "what it says meanwhile stays with it");
    world.pass(1000);
    assert_eq!(world.answered(flood), 1000, "nothing is lost");
    assert_eq!(world.listening(flood), Some(true));
}

#[test]
fn no_connection_holds_what_the_others_need() {
    // Full from 8 on: the flood has its 16, then 2, and a modest peer is served all the same.
    let mut world = limited(|config| config.limits.station_in_flight = 16);
    world.mute_banks(true);
    let (flood, other) = (world.terminal(), world.terminal());
    burst(&mut world, flood, 1, 20);
    let refused = answers(&mut world, flood);
    assert!(refused.iter().all(|answer| field(answer, 44) == "LIMIT WAITING RETRY 1"));
    assert_eq!(refused.len(), 20 - 12, "three quarters of what the station has, and no more");
    burst(&mut world, other, 31, 3);
    let said = answers(&mut world, other);
    assert_eq!(said.len(), 1, "two of three wait for their issuer: {said:?}");
}

#[test]
fn no_bank_takes_all_that_may_be_under_way() {
    let mut world = limited(|config| config.limits.bank_in_flight = 2);
    let (first, second) = (world.signed_on("100001"), world.signed_on("100001"));
    // Their issuer is asked and stays silent: nobody works this connection of it.
    world.mute_banks(true);
    let acquired = |world: &World, stan: &str| {
        let mut purchase = world.purchase(stan, CARD, "000000000500");
        purchase.set(4, format!("000000{stan}").as_bytes());
        purchase.set(41, b"HOST0001");
        purchase.set(42, b"HOST-SHOP-00001");
        purchase
    };
    for (line, stan) in
        [(first, "000001"), (second, "000002"), (first, "000003"), (second, "000004")]
    {
        let purchase = acquired(&world, stan);
        world.send(line, &purchase);
    }
    world.settle();
    for line in [first, second] {
        let said = answers(&mut world, line);
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!((field(&said[0], 39), field(&said[0], 44)), ("96", "LIMIT WAITING RETRY 1"));
    }
    let purchase = acquired(&world, "000001");
    let reversal = world.reversal_of(&purchase, "000009");
    world.send(first, &reversal);
    world.settle();
    let said = answers(&mut world, first);
    let acknowledged = |answer: &Message| answer.mti().number() == 430 && field(answer, 39) == "00";
    assert!(said.iter().any(acknowledged), "{said:?}");
}

#[test]
fn silent_connections_make_room_oldest_first() {
    let mut world = limited(|config| config.limits.strangers = 3);
    let talker = world.terminal();
    let echo = world.echo("000001");
    world.ask(talker, &echo);
    let silent: Vec<u64> = (0..5).map(|_| world.terminal()).collect();
    world.settle();
    let open: Vec<bool> = silent.iter().map(|line| world.is_open(*line)).collect();
    assert_eq!(open, [false, false, true, true, true]);
    assert!(world.is_open(talker), "who has said something stays");
    let at_banks: Vec<u64> = (0..5).map(|_| world.bank_line()).collect();
    world.settle();
    let open: Vec<bool> = at_banks.iter().map(|line| world.is_open(*line)).collect();
    assert_eq!(open, [false, false, true, true, true]);
    let overview = world.overview();
    assert!(overview.banks.iter().all(|bank| bank.state == "signed_on"), "{overview:?}");
}

#[test]
fn without_room_on_the_disk_enquiries_go_first_and_reversals_never() {
    let mut world = limited(|_| {});
    let line = world.terminal();
    let purchase = world.purchase("000001", CARD, "000000000500");
    assert_eq!(field(&world.ask(line, &purchase), 39), "00");
    world.no_room_ahead(true);
    let other = world.purchase("000002", CARD, "000000000600");
    // This one tells that there is no room.
    world.ask(line, &other);
    let mut balance = world.purchase("000003", CARD, "000000000000");
    balance.set(3, b"310000");
    let answer = world.ask(line, &balance);
    assert_eq!((field(&answer, 39), field(&answer, 44)), ("96", "OVERLOAD"));
    let third = world.purchase("000004", CARD, "000000000700");
    assert_eq!(field(&world.ask(line, &third), 39), "96");
    let overview = world.overview();
    let unavailable: u64 = overview.minutes.iter().map(|minute| minute.unavailable).sum();
    assert_eq!((overview.refused, unavailable), (2, 2), "a hub that refuses says so");
    let reversal = world.reversal_of(&purchase, "000005");
    assert_eq!(field(&world.ask(line, &reversal), 39), "00");
    world.no_room_ahead(false);
    world.pass(1000);
    let fourth = world.purchase("000006", CARD, "000000000800");
    assert_eq!(field(&world.ask(line, &fourth), 39), "00");
    let fifth = world.purchase("000007", CARD, "000000000900");
    assert_eq!(field(&world.ask(line, &fifth), 39), "00", "and all is as before");
    world.audit();
}

/// Purchases at once; how many of them are answered before any time passes.
fn at_once(world: &mut World, line: u64, first: u32, count: u32) -> usize {
    burst(world, line, first, count);
    world.answered(line)
}

/// History lacks 360 payments of at most 400, nine tenths: from here on 2,000 a second are taken,
/// ten in 5 ms. Until six tenths all that come are.
fn history_is_behind(world: &mut World, line: u64) {
    for first in (1..=360).step_by(30) {
        let taken = at_once(world, line, first, 30);
        assert!(taken == 30 || first > 240, "{taken} of those from {first} on");
        world.pass(100);
        assert_eq!(codes(&answers(world, line)), ["00"; 30]);
    }
}

/// On a bank's connection and on a trunk alike.
#[test]
fn r_de39_who_outruns_history_waits_and_is_refused_only_where_it_is_lost() {
    for by_trunk in [true, false] {
        let mut world = limited(|config| config.limits.new_payments = 400);
        let (terminal, bank) = (world.terminal(), world.signed_on("100001"));
        let (line, other) = if by_trunk { (terminal, bank) } else { (bank, terminal) };
        history_is_behind(&mut world, line);
        // What is beyond the share waits with its sender, and nobody is told anything.
        assert_eq!(at_once(&mut world, line, 400, 30), 10);
        assert!(by_trunk || world.listening(line) == Some(false));
        // Others have their own share, and what has happened is never slowed down.
        let purchase = world.purchase("000001", CARD, "000000000001");
        for number in 0..10 {
            let reversal = world.reversal_of(&purchase, &format!("90000{number}"));
            world.send(other, &reversal);
        }
        world.settle();
        assert_eq!(codes(&answers(&mut world, other)), ["00"; 10]);
        world.pass(10);
        assert!((15..30).contains(&world.answered(line)), "{}", world.answered(line));
        world.pass(100);
        assert_eq!(codes(&answers(&mut world, line)), ["00"; 30]);
        assert!(by_trunk || world.listening(line) == Some(true));
        // A history that takes nothing at all.
        burst(&mut world, line, 430, 30);
        world.pass(200);
        let said = answers(&mut world, line);
        let refused = said.iter().filter(|answer| field(answer, 44) == "LIMIT HISTORY RETRY 5");
        assert!(refused.count() > 15 && said.len() == 30, "{:?}", codes(&said));
        let reversal = world.reversal_of(&purchase, "900010");
        assert_eq!(field(&world.ask(line, &reversal), 39), "00");
        // It has caught up.
        world.indexed();
        assert_eq!(at_once(&mut world, line, 500, 30), 30);
        assert_eq!(codes(&answers(&mut world, line)), ["00"; 30]);
        world.audit();
    }
}
