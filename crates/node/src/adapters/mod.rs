//! The machines behind [`crate::driven::Driven`].

mod bank;
mod host;
mod party_clock;
mod shops;

pub(crate) use bank::BankDriven;
pub(crate) use host::HostDriven;
pub(crate) use shops::{ShopsDriven, Station};
