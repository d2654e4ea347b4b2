//! What happens in a run, and its end.

use barrage_bus::{BusError, Log};

use super::super::kind::{Broken, Scenario};
use super::{Answer, ROOMS, Weather, World};
use crate::must;
use crate::rng::Rng;
use crate::site::{End, now, poll};
use crate::trace::Trace;

#[derive(Debug, Clone, Copy)]
enum Happens {
    Post,
    Retry,
    Package,
    Conflict,
    Commit,
    GiveUp,
    Tick,
    Time,
    StepClock,
    Archive,
    Restart,
}

impl Scenario for World {
    fn event(&mut self, rng: &mut Rng, trace: &mut Trace) -> Result<(), Broken> {
        if self.is_dead {
            return Ok(());
        }
        let kills = self.weather == Weather::Kills;
        let happens = rng.weighted(&[
            (20, Happens::Post),
            (if kills { 15 } else { 5 }, Happens::Retry),
            (4, Happens::Package),
            (if kills { 3 } else { 0 }, Happens::Conflict),
            (20, Happens::Commit),
            (3, Happens::GiveUp),
            (4, Happens::Tick),
            (6, Happens::Time),
            (if kills { 2 } else { 0 }, Happens::StepClock),
            (4, Happens::Archive),
            (if kills { 3 } else { 6 }, Happens::Restart),
        ]);
        match happens {
            Happens::Post => {
                let room = rng.below(ROOMS.len());
                let post = self.add_post(room, rng);
                trace.note(format_args!("{:?}", self.posts[post]));
                self.call(vec![post], |post| post as u64);
            }
            Happens::Package => {
                let room = rng.below(ROOMS.len());
                let mut posts: Vec<_> = (0..rng.between(2, 4)).map(|_| self.add_post(room, rng)).collect();
                // A package may hold a post that was posted before.
                let old = (0..posts[0]).rfind(|old| self.posts[*old].room == room);
                posts.extend(old.filter(|_| rng.percent(50)));
                trace.note(format_args!("a package of {posts:?}"));
                self.call(posts, |post| post as u64);
            }
            Happens::Retry if !self.posts.is_empty() => {
                // Mostly one that is not answered.
                let open: Vec<_> =
                    (0..self.posts.len()).filter(|it| self.posts[*it].answered.is_none()).collect();
                let post = if open.is_empty() || rng.percent(30) {
                    rng.below(self.posts.len())
                } else {
                    open[rng.below(open.len())]
                };
                trace.note(format_args!("again post {post}"));
                self.call(vec![post], |post| post as u64);
            }
            Happens::Conflict if !self.posts.is_empty() => {
                let post = rng.below(self.posts.len());
                if self.posts[post].answered.is_some() && self.mutation.is_none() {
                    self.conflict(post, trace)?;
                }
            }
            Happens::Commit => self.commit(rng, 20, trace)?,
            Happens::GiveUp if !self.calls.is_empty() => {
                let call = rng.below(self.calls.len());
                let posts = self.calls.swap_remove(call).posts;
                trace.note(format_args!("the sender of {posts:?} gives up"));
            }
            Happens::Tick => self.site.tick(),
            Happens::Time => self.site.clock.advance(rng.between(1, 1_500)),
            Happens::StepClock => {
                let hours = rng.between(0, 48).cast_signed() - 24;
                trace.note(format_args!("the wall clock steps by {hours} h"));
                self.site.clock.step(hours * 3_600_000);
            }
            Happens::Archive => {
                match now(self.site.bus().read_all(0, self.archived, 50)) {
                    Ok(read) => self.archived = read.last().map_or(self.archived, |stored| stored.at),
                    Err(error) => {
                        must!(self.has_rot, "the log cannot be read: {error}");
                    }
                }
                trace.note(format_args!("archived up to {}", self.archived));
            }
            Happens::Restart => {
                let end = self.end(rng);
                self.restart(end, rng, trace)?;
            }
            Happens::Retry | Happens::Conflict | Happens::GiveUp => {}
        }
        Ok(())
    }

    fn settle(&mut self, trace: &mut Trace) -> Result<(), Broken> {
        if self.is_dead {
            return Ok(());
        }
        let mut rng = Rng::new(0);
        self.commit(&mut rng, 0, trace)?;
        let open: Vec<_> = (0..self.posts.len()).filter(|it| self.posts[*it].answered.is_none()).collect();
        for post in open {
            self.call(vec![post], |post| post as u64);
        }
        self.commit(&mut rng, 0, trace)?;
        let are_answered = self.posts.iter().all(|post| post.answered.is_some());
        // A damaged log refuses posts.
        must!(are_answered || self.has_rot, "a post is not answered");
        self.check_log()?;
        // What the log says is also what it says after a kill.
        self.restart(End::Kill, &mut rng, trace)?;
        self.check_log()
    }
}

impl World {
    /// Posts another text under an id that is taken.
    fn conflict(&mut self, post: usize, trace: &mut Trace) -> Result<(), Broken> {
        let draft = self.draft(post, u64::MAX);
        let bus = std::sync::Arc::clone(self.site.bus());
        let mut answer: Answer = Box::pin(async move { bus.publish(vec![draft]).await });
        drop(poll(&mut answer));
        let mut rng = Rng::new(0);
        self.commit(&mut rng, 0, trace)?;
        let answer = poll(&mut answer);
        must!(
            matches!(answer, Some(Err(BusError::Conflict))),
            "another text under the id of post {post} is answered with {answer:?}"
        );
        Ok(())
    }
}
