//! Models: loom runs each in every order of its steps. `cargo xtask model` runs them.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use loom::thread;

use super::*;

/// A wake-up that is kept until it is waited for, as of `tokio::sync::Notify`.
#[derive(Default)]
struct Permit(AtomicUsize);

impl Permit {
    fn wake(&self, stir: Stir) {
        if stir == Stir::Wake {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The hub's `measure`: it rests before it reads, and decides by what it read whether it goes on resting.
#[test]
fn a_hub_at_rest_misses_no_change() {
    loom::model(|| {
        let shared = Arc::new((RestFlag::awake(), AtomicU64::new(0), Permit::default()));
        // One change: fences make the orders of two too many for minutes.
        let changes: Vec<_> = (0..1)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (flag, figure, permit) = &*shared;
                    figure.fetch_add(1, Ordering::SeqCst);
                    permit.wake(flag.stir());
                })
            })
            .collect();
        let (flag, figure, permit) = &*shared;
        flag.set(true);
        let seen = figure.load(Ordering::SeqCst);
        let is_quiet = seen == 0;
        flag.set(is_quiet);
        for change in changes {
            change.join().unwrap();
        }
        let is_woken = permit.0.load(Ordering::SeqCst) > 0;
        assert!(is_woken || !is_quiet, "the hub rests, and nobody wakes it");
    });
}

/// Shards count what they delivered, and then end their part.
#[test]
fn the_last_shard_wakes_the_hub_which_then_sees_all_sums() {
    loom::model(|| {
        let shared = Arc::new((InFlight::none(), AtomicU64::new(0), AtomicUsize::new(0)));
        shared.0.start();
        shared.0.start();
        let shards: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (in_flight, delivered, wakes) = &*shared;
                    delivered.fetch_add(3, Ordering::Relaxed);
                    if in_flight.end() == Ended::All {
                        wakes.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        let (in_flight, delivered, wakes) = &*shared;
        if !in_flight.any() {
            assert_eq!(delivered.load(Ordering::Relaxed), 6, "a sum is settled before all have counted");
        }
        for shard in shards {
            shard.join().unwrap();
        }
        assert_eq!((in_flight.any(), wakes.load(Ordering::SeqCst)), (false, 1));
    });
}

#[test]
fn no_more_viewers_have_a_place_than_there_are() {
    loom::model(|| {
        let shared = Arc::new((PlaceCount::new(1), AtomicU64::new(0)));
        let viewers: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (places, inside) = &*shared;
                    let taken = places.take();
                    if taken == Taken::Free {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two viewers have one place");
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                    places.give_back();
                    taken
                })
            })
            .collect();
        let taken: Vec<_> = viewers.into_iter().map(|viewer| viewer.join().unwrap()).collect();
        assert!(taken.contains(&Taken::Free), "nobody got the place");
        assert_eq!(shared.0.taken(), 0);
    });
}

/// A viewer joins while the hub sends a batch.
#[test]
fn a_new_viewer_is_served_or_has_the_position() {
    loom::model(|| {
        let turn = Arc::new(Turn::new(1));
        let shard = {
            let turn = Arc::clone(&turn);
            thread::spawn(move || {
                turn.set_waves(0, 1);
                turn.position()
            })
        };
        turn.set_position(9);
        let is_served = turn.has_wave_on(0, 0);
        let hello = shard.join().unwrap();
        assert!(is_served || hello == 9, "the viewer gets no batch, and its hello is at {hello}");
    });
}
