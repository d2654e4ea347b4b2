//! A post on its way to the bus: check, limit, moderate, compose, commit. Nothing here knows HTTP.

mod attach;
mod check;
mod commit;
mod compose;
mod emotes;
mod gifts;
mod limit;
mod moderate;
mod package;
mod pipeline;
mod pulses;
mod recent;
mod reply;
mod request;
mod samples;
mod speak;
mod switch;
#[cfg(test)]
mod tests;

pub(crate) use moderate::{refusal as text_refusal, shown_name};
pub(crate) use pipeline::{PipelineParts, PostPipeline};
pub(crate) use samples::OfferedRate;
