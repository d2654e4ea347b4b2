//! Places danmaku in lanes, so that no two of them overlap. Pure: time is a parameter.
//!
//! Scrolling, top and bottom danmaku share the picture. One that finds no lane gets none: its caller
//! counts it.

/// Height of a row in pixels; a danmaku takes as many rows as its height needs.
const ROW_PX: u32 = 6;
/// Pixels between the tail of a scrolling danmaku and the head of the next one in its rows.
const GAP_PX: u64 = 24;

/// Movement of a danmaku that needs a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Movement {
    /// From the right edge to the left one, in [`Lanes::SCROLL_MS`].
    Scroll,
    /// Stands in the first free rows from the top.
    Top,
    /// Stands in the first free rows from the bottom.
    Bottom,
}

/// A danmaku that asks for a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) movement: Movement,
    /// Milliseconds at which it appears; not before those of earlier requests.
    pub(super) start_ms: u64,
    pub(super) stay_ms: u64,
    pub(super) width_px: u32,
    pub(super) height_px: u32,
}

/// A scrolling danmaku, the last one in a row.
#[derive(Debug, Clone, Copy)]
struct Scrolling {
    start_ms: u64,
    width_px: u64,
}

/// The occupants of a row that the next danmaku may meet.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    scrolling: Option<Scrolling>,
    fixed_until_ms: u64,
}

/// The rows of a picture.
#[derive(Debug)]
pub(super) struct Lanes {
    rows: Vec<Row>,
    width_px: u64,
}

impl Lanes {
    /// Milliseconds in which a scrolling danmaku crosses the picture, whatever its length.
    pub(super) const SCROLL_MS: u64 = 9_000;

    pub(super) fn new(width_px: u32, height_px: u32) -> Self {
        let rows = vec![Row::default(); (height_px / ROW_PX) as usize];
        Lanes { rows, width_px: width_px.into() }
    }

    /// Returns the top edge in pixels of the rows that the danmaku gets; `None` when no rows are free.
    pub(super) fn place(&mut self, request: &Request) -> Option<u32> {
        let height = request.height_px.div_ceil(ROW_PX).max(1) as usize;
        let last = self.rows.len().checked_sub(height)?;
        let is_free = |top: &usize| self.rows[*top..*top + height].iter().all(|row| self.takes(row, request));
        let top = match request.movement {
            Movement::Scroll | Movement::Top => (0..=last).find(is_free),
            Movement::Bottom => (0..=last).rev().find(is_free),
        }?;
        for row in &mut self.rows[top..top + height] {
            match request.movement {
                Movement::Scroll => {
                    let (start_ms, width_px) = (request.start_ms, request.width_px.into());
                    row.scrolling = Some(Scrolling { start_ms, width_px });
                }
                Movement::Top | Movement::Bottom => row.fixed_until_ms = request.start_ms + request.stay_ms,
            }
        }
        u32::try_from(top).ok().map(|top| top * ROW_PX)
    }

    /// Whether the danmaku meets neither occupant of the row.
    fn takes(&self, row: &Row, request: &Request) -> bool {
        if row.fixed_until_ms > request.start_ms {
            return false;
        }
        let Some(last) = row.scrolling else { return true };
        let age_ms = request.start_ms.saturating_sub(last.start_ms);
        let left_ms = Self::SCROLL_MS.saturating_sub(age_ms);
        if left_ms == 0 {
            return true;
        }
        match request.movement {
            Movement::Top | Movement::Bottom => false,
            Movement::Scroll => {
                let (of_last, of_new) = (self.path_px(last.width_px), self.path_px(request.width_px.into()));
                // The tail of the last one is inside the picture, and the new head does not reach it
                // before it has left.
                age_ms * of_last >= (last.width_px + GAP_PX) * Self::SCROLL_MS
                    && left_ms * of_new <= self.width_px * Self::SCROLL_MS
            }
        }
    }

    /// Pixels that a danmaku moves in all.
    fn path_px(&self, width_px: u64) -> u64 {
        self.width_px + width_px
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WIDTH_PX: u32 = 600;
    const HEIGHT_PX: u32 = 120;

    fn request() -> impl Strategy<Value = Request> {
        let movement =
            prop_oneof![4 => Just(Movement::Scroll), 1 => Just(Movement::Top), 1 => Just(Movement::Bottom)];
        (movement, 0..800_u64, 10..1_500_u32, 1..70_u32).prop_map(
            |(movement, start_ms, width_px, height_px)| Request {
                movement,
                start_ms,
                stay_ms: 4_000,
                width_px,
                height_px,
            },
        )
    }

    /// Left and right edge at a time; `None` when the danmaku is not on the picture.
    fn edges(request: &Request, at_ms: u64) -> Option<(f64, f64)> {
        let age = at_ms.checked_sub(request.start_ms)? as f64;
        let (width, picture) = (f64::from(request.width_px), f64::from(WIDTH_PX));
        match request.movement {
            Movement::Scroll => {
                let share = age / Lanes::SCROLL_MS as f64;
                let left = picture - share * (picture + width);
                (share < 1.0).then_some((left, left + width))
            }
            Movement::Top | Movement::Bottom => (age < request.stay_ms as f64).then_some((0.0, picture)),
        }
    }

    fn meet(a: (&Request, u32), b: (&Request, u32), at_ms: u64) -> bool {
        let rows_meet = a.1 < b.1 + b.0.height_px && b.1 < a.1 + a.0.height_px;
        let Some((a, b)) = edges(a.0, at_ms).zip(edges(b.0, at_ms)) else { return false };
        // What is right of the picture is not seen.
        let on_picture = a.0.max(b.0) < f64::from(WIDTH_PX);
        rows_meet && on_picture && a.0 + 1e-6 < b.1 && b.0 + 1e-6 < a.1
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_two_danmaku_overlap_at_any_time(requests in prop::collection::vec(request(), 1..60)) {
            let mut lanes = Lanes::new(WIDTH_PX, HEIGHT_PX);
            let (mut now, mut placed) = (0, Vec::new());
            for request in &requests {
                now += request.start_ms;
                let request = Request { start_ms: now, ..*request };
                if let Some(top) = lanes.place(&request) {
                    prop_assert!(top + request.height_px <= HEIGHT_PX);
                    placed.push((request, top));
                }
            }
            prop_assert!(!placed.is_empty());
            for (at, a) in placed.iter().enumerate() {
                for b in &placed[at + 1..] {
                    for at_ms in (b.0.start_ms..a.0.start_ms + 9_000).step_by(50) {
                        prop_assert!(!meet((&a.0, a.1), (&b.0, b.1), at_ms), "{a:?} and {b:?} at {at_ms}");
                    }
                }
            }
        }
    }

    #[test]
    fn full_picture_gives_no_lane_and_a_later_time_does() {
        let mut lanes = Lanes::new(WIDTH_PX, 48);
        let scroll = |start_ms| Request {
            movement: Movement::Scroll,
            start_ms,
            stay_ms: Lanes::SCROLL_MS,
            width_px: 300,
            height_px: 48,
        };
        assert_eq!(lanes.place(&scroll(0)), Some(0));
        assert_eq!(lanes.place(&scroll(100)), None);
        assert_eq!(lanes.place(&scroll(9_000)), Some(0));
        let tall = Request { height_px: 49, ..scroll(99_000) };
        assert_eq!(lanes.place(&tall), None, "a text that is higher than the picture");
    }

    #[test]
    fn top_and_bottom_begin_at_their_edges() {
        let mut lanes = Lanes::new(WIDTH_PX, 120);
        let fixed =
            |movement| Request { movement, start_ms: 0, stay_ms: 4_000, width_px: 100, height_px: 30 };
        assert_eq!(lanes.place(&fixed(Movement::Top)), Some(0));
        assert_eq!(lanes.place(&fixed(Movement::Bottom)), Some(90));
        assert_eq!(lanes.place(&fixed(Movement::Top)), Some(30));
        assert_eq!(lanes.place(&fixed(Movement::Bottom)), Some(60));
        assert_eq!(lanes.place(&fixed(Movement::Bottom)), None);
    }
}
