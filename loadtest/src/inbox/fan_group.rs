//! A group of thousands: some members are online, and write.

use barrage_protocol::inbox::GroupAnswer;
use barrage_token::Role;
use hyper::Method;

use super::board::To;
use super::device::Crowd;
use super::report::Measured;
use super::run::{self, Course};
use super::scenario::FanGroupLoad;
use super::sender::{self, Draft};
use super::site::Site;
use crate::error::LoadtestError;

pub(super) async fn run(
    site: Site,
    load: FanGroupLoad,
    course: &mut Course,
) -> Result<Measured, LoadtestError> {
    let group = make(&site, load.members, course).await?;
    let crowd = Crowd::new(site, load.online);
    run::attach_all(&crowd, load.online, course).await?;
    let path = format!("/v1/conversations/{group}/messages");
    let draft = |number: u32| Draft { from: number % load.online, path: path.clone(), to: To::Online };
    let interrupted = std::rc::Rc::clone(&course.interrupted);
    let pace = (load.per_s, load.secs);
    let sent = sender::send(&crowd, pace, draft, &mut course.progress, &|| interrupted.get()).await?;
    run::conclude(&crowd, &sent, load.online, Some(&group), course).await
}

/// Makes a group and lets all members join. Returns its conversation.
async fn make(site: &Site, members: u32, course: &mut Course) -> Result<String, LoadtestError> {
    let owner = site.token(0, Role::Viewer)?;
    let made = site.done(0, Method::POST, "/v1/groups", &owner, r#"{"title":"Fans"}"#).await?;
    let made: GroupAnswer = serde_json::from_slice(&made)
        .map_err(|error| LoadtestError::cannot_run("the answer of a new group", error))?;
    let path = format!("/v1/groups/{}/join", made.conversation);
    let join = async |user: u32| -> Result<(), LoadtestError> {
        let token = site.token(user, Role::Viewer)?;
        site.done(user, Method::POST, &path, &token, "").await.map(drop)
    };
    run::for_all(course, "members", 1..members, join).await?;
    Ok(made.conversation)
}
