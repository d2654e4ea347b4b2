//! People who write to each other, each with an attached device.

use barrage_token::Role;
use hyper::Method;

use super::board::To;
use super::device::Crowd;
use super::report::Measured;
use super::run::{self, Course};
use super::scenario::LettersLoad;
use super::sender::{self, Draft};
use super::site::Site;
use crate::error::LoadtestError;

/// People to whom one writes: fewer than the 20 new conversations that a user may begin in an hour.
const FRIENDS: u32 = 10;

pub(super) async fn run(
    site: Site,
    load: LettersLoad,
    course: &mut Course,
) -> Result<Measured, LoadtestError> {
    let crowd = Crowd::new(site, load.users);
    run::for_all(course, "people", 0..load.users, |user| let_write(&crowd.site, user)).await?;
    run::attach_all(&crowd, load.users, course).await?;
    let draft = |number: u32| {
        let from = number % load.users;
        let step = 1 + (number / load.users) % FRIENDS.min(load.users - 1);
        let to = (from + step) % load.users;
        Draft { from, path: format!("/v1/users/{}/messages", crowd.site.user(to)), to: To::One(to) }
    };
    let interrupted = std::rc::Rc::clone(&course.interrupted);
    let pace = (load.per_s, load.secs);
    let sent = sender::send(&crowd, pace, draft, &mut course.progress, &|| interrupted.get()).await?;
    run::conclude(&crowd, &sent, load.users, None, course).await
}

/// Lets strangers write to a user without an answer.
pub(super) async fn let_write(site: &Site, user: u32) -> Result<(), LoadtestError> {
    let (token, everyone) = (site.token(user, Role::Viewer)?, r#"{"policy":"everyone"}"#);
    site.done(user, Method::PUT, "/v1/inbox/preferences", &token, everyone).await.map(drop)
}
