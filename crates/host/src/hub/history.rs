//! What history answers: to the machine, and to those who look for payments that are not in memory
//! any more.

use std::collections::BTreeMap;

use scheme::{ParticipantId, Rrn, Stan, Timestamp};
use switch::history::{HistoryKey, Indexed};
use switch::hub::{Input, Kept};

use super::HubRole;
use super::query::payment_view;
use crate::event::{Action, Level};
use crate::history::Ask;
use crate::limits::{ASKED_MAX, UNREAD_EVERY_MS};
use crate::look_up::{fits, limit, look_up};
use crate::pipeline::Pipeline;
use crate::view::{PaymentFilter, PaymentPage, Reply};

/// Numbers of questions from here on are of lists; the machine's count from 0.
const LISTS: u64 = 1 << 63;

/// Lists that wait.
#[derive(Debug, Default)]
pub(super) struct Lists {
    waiting: BTreeMap<u64, (u64, PaymentFilter)>,
    next: u64,
    /// Questions, the machine's too, that were not answered since it was said last, and when.
    unread: u64,
    unread_said: Option<Timestamp>,
}

impl HubRole {
    /// A segment can be read back.
    pub(crate) fn indexed(&mut self, indexed: Indexed, pipeline: &mut Pipeline) {
        self.drive(Input::Indexed(indexed), pipeline);
    }

    /// History has answered.
    pub(crate) fn found(
        &mut self,
        number: u64,
        found: Result<Vec<Kept>, String>,
        pipeline: &mut Pipeline,
    ) {
        self.say_unread(found.as_ref().err(), pipeline);
        if number < LISTS {
            let found = found.ok();
            return self.drive(Input::FoundInHistory { number, found }, pipeline);
        }
        if let Some((ticket, filter)) = self.lists.waiting.remove(&number) {
            let incomplete = found.is_err();
            let page = self.page_with(&filter, &found.unwrap_or_default());
            let reply = Box::new(Reply::Payments(PaymentPage { incomplete, ..page }));
            pipeline.act(Action::Reply { ticket, reply });
        }
    }

    /// Says that a question was not answered, and how many since it was said last: not of each,
    /// there may be hundreds a second.
    fn say_unread(&mut self, why: Option<&String>, pipeline: &mut Pipeline) {
        let Some(why) = why else { return };
        self.lists.unread = self.lists.unread.saturating_add(1);
        if self.lists.unread_said.is_none_or(|said| said.plus_ms(UNREAD_EVERY_MS) <= self.now) {
            let count = std::mem::take(&mut self.lists.unread);
            let values = vec![("why", why.clone()), ("count", count.to_string())];
            pipeline.log(Level::Error, "history_unreadable", values);
            self.lists.unread_said = Some(self.now);
        }
    }

    /// Payments that fit: those in memory, or, where a key names some, those of history too. The
    /// answer leaves when it is whole.
    pub(crate) fn list(&mut self, ticket: u64, filter: &PaymentFilter, pipeline: &mut Pipeline) {
        let keys = self.keys_of(filter);
        if keys.is_empty() || self.lists.waiting.len() >= ASKED_MAX {
            // Of so many that wait, one more is not answered out of history.
            let incomplete = !keys.is_empty();
            let page = PaymentPage { incomplete, ..self.page_with(filter, &[]) };
            let reply = Box::new(Reply::Payments(page));
            return pipeline.act(Action::Reply { ticket, reply });
        }
        let number = LISTS | self.lists.next;
        self.lists.next = self.lists.next.wrapping_add(1);
        self.lists.waiting.insert(number, (ticket, filter.clone()));
        pipeline.act(Action::Find(Ask { number, keys, since: Timestamp::default() }));
    }

    /// By what history is asked for a list; nothing where it has nothing, or a walk through memory
    /// is meant.
    fn keys_of(&self, filter: &PaymentFilter) -> Vec<HistoryKey> {
        let state = self.hub.state();
        if state.payments().covered() == 0 {
            return Vec::new();
        }
        if let Some(id) = filter.id {
            let here = state.payments().get(id).is_some();
            return if here { Vec::new() } else { vec![HistoryKey::Id(id)] };
        }
        let acquirers = state.directory().participants.keys().copied();
        let of_all = |key: &dyn Fn(ParticipantId) -> HistoryKey| acquirers.map(key).collect();
        if let Some(rrn) = &filter.rrn {
            // One that is longer than the field is nobody's.
            let Ok(rrn) = Rrn::new(rrn.trim().as_bytes()) else { return Vec::new() };
            return of_all(&|of| HistoryKey::Rrn(of, rrn));
        }
        match (filter.terminal, filter.stan.and_then(Stan::new)) {
            (Some(terminal), Some(stan)) => of_all(&|of| HistoryKey::Stan(of, terminal, stan)),
            _ => Vec::new(),
        }
    }

    /// A page of what is in memory and what was found beside it.
    fn page_with(&self, filter: &PaymentFilter, found: &[Kept]) -> PaymentPage {
        let state = self.hub.state();
        let here = look_up(state, filter);
        let mut next = here.next;
        let mut page: Vec<_> = here
            .payments
            .into_iter()
            .map(|payment| ((payment.at, payment.id), self.payment_view(payment)))
            .collect();
        let is_new = |kept: &&Kept| state.payments().get(kept.payment.id).is_none();
        for kept in found.iter().filter(is_new).filter(|kept| fits(&kept.payment, filter)) {
            let payment = &kept.payment;
            let done = kept.preauth.and_then(|preauth| preauth.completion);
            let posted = done.map_or(payment.seen.amount, |done| done.amount);
            let view = payment_view(payment, state, posted, self.is_synthetic(payment));
            page.push(((payment.at, payment.id), view));
        }
        page.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
        if page.len() > limit(filter) {
            page.truncate(limit(filter));
            next = page.last().map(|(key, _)| *key);
        }
        let payments = page.into_iter().map(|(_, view)| view).collect();
        PaymentPage { payments, next, incomplete: false }
    }
}
