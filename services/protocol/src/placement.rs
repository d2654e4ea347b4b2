//! Position and movement of a placed danmaku. Positions are fractions of the picture, so that they hold
//! on every screen.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::post::{Mode, Style};

/// Why the style of a placed danmaku is refused: field, and the range that it must be in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// The mode is `placed`, and the style has no `place`.
    #[error("style.place: the mode `placed` needs it")]
    Missing,
    /// The style has a `place`, and its mode is not `placed`.
    #[error("style.place: only for the mode `placed`")]
    Unused,
    /// A number of the place is out of range.
    #[error("style.place.{field}: must be {min} to {max}")]
    Range {
        /// Path of the field below `style.place`.
        field: &'static str,
        /// Smallest value that is accepted.
        min: i64,
        /// Largest value that is accepted.
        max: i64,
    },
}

/// Place of a danmaku of the mode `placed`: position, time, opacity and turn, and a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Left edge of the text in 1/10,000 of the picture's width, -10,000 to 20,000.
    #[schemars(range(min = -10_000, max = 20_000))]
    pub x: i32,
    /// Top edge of the text in 1/10,000 of the picture's height, -10,000 to 20,000.
    #[schemars(range(min = -10_000, max = 20_000))]
    pub y: i32,
    /// Milliseconds for which the text stays, 100 to 20,000.
    #[schemars(range(min = 100, max = 20_000))]
    pub duration_ms: u32,
    /// Movement of the text; absent: the text stays at its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<PlacementEnd>,
    /// Height of the text in 1/10,000 of the picture's height, 10 to 10,000; absent: the style's size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 10_000))]
    pub height: Option<u32>,
    /// Opacity in percent at the start and at the end, each 0 to 100; absent: 100 at both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opacity: Option<[u32; 2]>,
    /// Clockwise turn around the axis towards the viewer in degrees, -360 to 360; 0 when absent.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = -360, max = 360))]
    pub rotate_z: i32,
    /// Turn around the vertical axis in degrees, -360 to 360; 0 when absent.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = -360, max = 360))]
    pub rotate_y: i32,
}

/// End and time of the movement of a placed danmaku; the speed is constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlacementEnd {
    /// Left edge of the text after the movement, in the units of the start.
    #[schemars(range(min = -10_000, max = 20_000))]
    pub x: i32,
    /// Top edge of the text after the movement, in the units of the start.
    #[schemars(range(min = -10_000, max = 20_000))]
    pub y: i32,
    /// Milliseconds of the movement, 0 to 20,000; absent: the rest of the text's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 20_000))]
    pub move_ms: Option<u32>,
    /// Milliseconds from the appearance to the movement, 0 to 20,000; 0 when absent.
    #[serde(default, skip_serializing_if = "is_zero_ms")]
    #[schemars(range(min = 0, max = 20_000))]
    pub delay_ms: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &i32) -> bool {
    *value == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero_ms(value: &u32) -> bool {
    *value == 0
}

impl Placement {
    /// Positions that are accepted: one picture beyond each edge, so that a text may move in.
    pub const POSITION: RangeInclusive<i32> = -10_000..=20_000;
    /// Durations that are accepted, in milliseconds. A longer one would hide the picture.
    pub const DURATION_MS: RangeInclusive<u32> = 100..=20_000;
    /// Heights that are accepted: the whole picture at most.
    pub const HEIGHT: RangeInclusive<u32> = 10..=10_000;
    /// Opacities that are accepted, in percent.
    pub const OPACITY: RangeInclusive<u32> = 0..=100;
    /// Turns that are accepted, in degrees.
    pub const ROTATION: RangeInclusive<i32> = -360..=360;

    /// Makes a text that stands still, opaque and upright.
    #[must_use]
    pub const fn at(x: i32, y: i32, duration_ms: u32) -> Self {
        Placement { x, y, duration_ms, end: None, height: None, opacity: None, rotate_z: 0, rotate_y: 0 }
    }

    /// Checks every number against its range.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn check(&self) -> Result<(), PlacementError> {
        let Placement { x, y, duration_ms, end, height, opacity, rotate_z, rotate_y } = *self;
        in_range("x", x, &Self::POSITION)?;
        in_range("y", y, &Self::POSITION)?;
        in_range("duration_ms", duration_ms, &Self::DURATION_MS)?;
        if let Some(PlacementEnd { x, y, move_ms, delay_ms }) = end {
            let time_ms = 0..=*Self::DURATION_MS.end();
            in_range("end.x", x, &Self::POSITION)?;
            in_range("end.y", y, &Self::POSITION)?;
            in_range("end.move_ms", move_ms.unwrap_or(0), &time_ms)?;
            in_range("end.delay_ms", delay_ms, &time_ms)?;
        }
        in_range("height", height.unwrap_or(*Self::HEIGHT.start()), &Self::HEIGHT)?;
        let [from, to] = opacity.unwrap_or_default();
        in_range("opacity", from, &Self::OPACITY)?;
        in_range("opacity", to, &Self::OPACITY)?;
        in_range("rotate_z", rotate_z, &Self::ROTATION)?;
        in_range("rotate_y", rotate_y, &Self::ROTATION)
    }
}

impl Style {
    /// Checks that a placed danmaku has a place within its ranges, and any other one has none.
    ///
    /// # Errors
    /// The field that is missing, not used, or out of range.
    pub fn check_place(&self) -> Result<(), PlacementError> {
        match (self.mode, &self.place) {
            (Mode::Placed, Some(place)) => place.check(),
            (Mode::Placed, None) => Err(PlacementError::Missing),
            (Mode::Scroll | Mode::Reverse | Mode::Top | Mode::Bottom, Some(_)) => Err(PlacementError::Unused),
            (Mode::Scroll | Mode::Reverse | Mode::Top | Mode::Bottom, None) => Ok(()),
        }
    }
}

fn in_range<T>(field: &'static str, value: T, range: &RangeInclusive<T>) -> Result<(), PlacementError>
where
    T: PartialOrd + Copy + Into<i64>,
{
    if range.contains(&value) {
        return Ok(());
    }
    Err(PlacementError::Range { field, min: (*range.start()).into(), max: (*range.end()).into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(place: Placement) -> Style {
        Style { mode: Mode::Placed, place: Some(place), ..Style::default() }
    }

    #[test]
    fn place_belongs_to_the_mode_placed_alone() {
        let place = Placement::at(0, 0, 4_000);
        assert_eq!(placed(place).check_place(), Ok(()));
        assert_eq!(
            Style { place: Some(place), ..Style::default() }.check_place(),
            Err(PlacementError::Unused)
        );
        let without = Style { mode: Mode::Placed, ..Style::default() };
        assert_eq!(without.check_place(), Err(PlacementError::Missing));
        assert_eq!(Style::default().check_place(), Ok(()));
    }

    #[test]
    fn each_number_has_a_range() {
        let place = Placement::at(0, 0, 4_000);
        let end = PlacementEnd { x: 0, y: 0, move_ms: None, delay_ms: 0 };
        for (field, bad) in [
            ("x", Placement { x: 20_001, ..place }),
            ("y", Placement { y: -10_001, ..place }),
            ("duration_ms", Placement { duration_ms: 99, ..place }),
            ("duration_ms", Placement { duration_ms: u32::MAX, ..place }),
            ("end.x", Placement { end: Some(PlacementEnd { x: i32::MIN, ..end }), ..place }),
            ("end.y", Placement { end: Some(PlacementEnd { y: i32::MAX, ..end }), ..place }),
            ("end.move_ms", Placement { end: Some(PlacementEnd { move_ms: Some(20_001), ..end }), ..place }),
            ("end.delay_ms", Placement { end: Some(PlacementEnd { delay_ms: 20_001, ..end }), ..place }),
            ("height", Placement { height: Some(0), ..place }),
            ("opacity", Placement { opacity: Some([101, 0]), ..place }),
            ("opacity", Placement { opacity: Some([0, 101]), ..place }),
            ("rotate_z", Placement { rotate_z: 361, ..place }),
            ("rotate_y", Placement { rotate_y: -361, ..place }),
        ] {
            let error = placed(bad).check_place().unwrap_err();
            assert!(error.to_string().starts_with(&format!("style.place.{field}: must be ")), "{error}");
        }
    }

    #[test]
    fn fields_that_are_absent_have_defaults_and_unknown_ones_are_refused() {
        let text = r#"{"mode":"placed","place":{"x":100,"y":-5,"duration_ms":4500}}"#;
        let style: Style = serde_json::from_str(text).unwrap();
        assert_eq!(style, placed(Placement::at(100, -5, 4_500)));
        assert_eq!(
            serde_json::to_string(&style).unwrap(),
            r#"{"mode":"placed","color":16777215,"size":"normal","place":{"x":100,"y":-5,"duration_ms":4500}}"#
        );
        for bad in [
            r#"{"place":{"x":1,"y":1}}"#,
            r#"{"place":{"x":1,"y":1,"duration_ms":100,"font":"a"}}"#,
            r#"{"place":{"x":1.5,"y":1,"duration_ms":100}}"#,
        ] {
            assert!(serde_json::from_str::<Style>(bad).is_err(), "{bad}");
        }
    }
}
