//! Loops that run as long as the gateway: reports, mail, notices, evictions, measurements, drains.

mod deliver_mail;
mod deliver_notices;
pub(crate) mod drain;
mod evict;
mod measure_load;
mod online_counts;
mod rank_rooms;
mod release_joins;
mod report_load;

pub(crate) use deliver_mail::deliver_mail;
pub(crate) use deliver_notices::deliver_notices;
pub(crate) use evict::evict;
pub(crate) use measure_load::measure_load;
pub(crate) use online_counts::exchange_counts;
pub(crate) use rank_rooms::rank_rooms;
pub(crate) use release_joins::release_joins;
pub(crate) use report_load::report_load;
