//! Positioned danmaku (mode 7): the site's JSON array, read and written.
//!
//! The array is `[x, y, opacity, seconds, text, turn z, turn y, end x, end y, move ms, delay ms, ...]`.
//! A whole number is a position in pixels of the site's old player, a decimal up to 1 is a fraction of
//! the picture. Outline, font and path come after these, and are not kept.

use std::ops::RangeInclusive;

use barrage_protocol::placement::{Placement, PlacementEnd};
use serde_json::Value;

use crate::skipped::Skip;

/// Width and height in pixels of the player to which positions in pixels refer.
const PLAYER_PX: [f64; 2] = [672.0, 438.0];
/// Units of a position: 1/10,000 of the picture.
const UNITS: f64 = 10_000.0;
/// Longest array in characters, besides its text.
const FRAME_CHARS_MAX: usize = 512;

/// Returns the longest array for texts of `text_chars_max`: JSON may write one character as `\u0000`.
pub(crate) fn chars_max(text_chars_max: usize) -> usize {
    6 * text_chars_max + FRAME_CHARS_MAX
}

/// Returns the height of a text in 1/10,000 of the picture's height.
pub(crate) fn height_of(size_px: u32) -> u32 {
    let units = f64::from(size_px) * UNITS / PLAYER_PX[1];
    (units.round() as u32).clamp(*Placement::HEIGHT.start(), *Placement::HEIGHT.end())
}

/// Returns the height in the site's pixels, at least 1.
pub(crate) fn size_px_of(height: u32) -> u32 {
    ((f64::from(height) * PLAYER_PX[1] / UNITS).round() as u32).max(1)
}

/// Reads an array. Numbers beyond the protocol's ranges become the nearest one in range.
pub(crate) fn read(json: &str) -> Result<(Placement, String), Skip> {
    let fields: Vec<Value> = serde_json::from_str(json).map_err(|_| Skip::Positioned)?;
    let field = |at: usize| fields.get(at).unwrap_or(&Value::Null);
    let Some(text) = field(4).as_str() else { return Err(Skip::Positioned) };
    let [x, y] = position(field(0), field(1))?.ok_or(Skip::Positioned)?;
    let secs = number(field(3))?.ok_or(Skip::Positioned)?;
    let duration_ms = clamped_ms(secs * 1_000.0, &Placement::DURATION_MS);
    let end = match position(field(7), field(8))? {
        Some([x, y]) => {
            let time_ms = 0..=*Placement::DURATION_MS.end();
            let ms = |at| Ok(number(field(at))?.map(|ms| clamped_ms(ms, &time_ms)));
            let delay_ms = ms(10)?.unwrap_or(0);
            let move_ms = ms(9)?.unwrap_or_else(|| duration_ms.saturating_sub(delay_ms));
            Some(PlacementEnd { x, y, move_ms: Some(move_ms), delay_ms })
        }
        None => None,
    };
    let turn = |at| Ok(number(field(at))?.map_or(0, |degrees| (degrees.round() % 360.0) as i32));
    let place = Placement {
        x,
        y,
        duration_ms,
        end,
        height: None,
        opacity: opacity(field(2))?,
        rotate_z: turn(5)?,
        rotate_y: turn(6)?,
    };
    Ok((place, text.to_owned()))
}

/// Writes the array of a text.
pub(crate) fn write(place: &Placement, text: &str) -> String {
    let [from, to] = place.opacity.unwrap_or([100, 100]).map(|percent| f64::from(percent) / 100.0);
    let secs = f64::from(place.duration_ms) / 1_000.0;
    let text = Value::from(text);
    let (x, y) = (written(place.x, PLAYER_PX[0]), written(place.y, PLAYER_PX[1]));
    let (turn_z, turn_y) = (place.rotate_z, place.rotate_y);
    let mut array = format!(r#"[{x},{y},"{from}-{to}",{secs},{text},{turn_z},{turn_y}"#);
    if let Some(PlacementEnd { x, y, move_ms, delay_ms }) = place.end {
        let move_ms = move_ms.unwrap_or_else(|| place.duration_ms.saturating_sub(delay_ms));
        let (x, y) = (written(x, PLAYER_PX[0]), written(y, PLAYER_PX[1]));
        array.push_str(&format!(",{x},{y},{move_ms},{delay_ms}"));
    }
    array.push(']');
    array
}

/// Writes a position as a fraction. Readers take a decimal above 1 for pixels, so that one is in pixels.
fn written(units: i32, side_px: f64) -> String {
    let fraction = f64::from(units) / UNITS;
    if fraction > 1.0 { format!("{:.4}", fraction * side_px) } else { format!("{fraction:.4}") }
}

/// Reads two positions; `None` when one of them is absent.
fn position(x: &Value, y: &Value) -> Result<Option<[i32; 2]>, Skip> {
    let read = |value: &Value, side_px: f64| -> Result<Option<i32>, Skip> {
        let Some(given) = number(value)? else { return Ok(None) };
        let literal = value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned());
        let is_fraction = given <= 1.0 && literal.parse::<i64>().is_err();
        let units = if is_fraction { given * UNITS } else { given * UNITS / side_px };
        let (min, max) = (*Placement::POSITION.start(), *Placement::POSITION.end());
        Ok(Some(units.round().clamp(min.into(), max.into()) as i32))
    };
    Ok(read(x, PLAYER_PX[0])?.zip(read(y, PLAYER_PX[1])?).map(Into::into))
}

/// Reads the opacity, `from-to` or one number out of 0 to 1; `None` when the text is opaque.
fn opacity(value: &Value) -> Result<Option<[u32; 2]>, Skip> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (from, to) = text.split_once('-').unwrap_or((&text, &text));
    let percent = |part: &str| match part.trim() {
        "" | "null" => Ok(100),
        part => {
            let share: f64 = part.parse().map_err(|_| Skip::Positioned)?;
            Ok((share * 100.0).round().clamp(0.0, 100.0) as u32)
        }
    };
    let opacity = [percent(from)?, percent(to)?];
    Ok((opacity != [100, 100]).then_some(opacity))
}

/// Reads a number, which may be a text; `None` when it is absent or blank.
fn number(value: &Value) -> Result<Option<f64>, Skip> {
    let read = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_f64(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    read.filter(|value: &f64| value.is_finite()).map(Some).ok_or(Skip::Positioned)
}

fn clamped_ms(ms: f64, range: &RangeInclusive<u32>) -> u32 {
    ms.round().clamp((*range.start()).into(), (*range.end()).into()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_fractions_give_the_same_place() {
        let (place, text) = read(r#"["336","219","1-0","4.5","here","90","0"]"#).unwrap();
        assert_eq!(text, "here");
        let wanted =
            Placement { opacity: Some([100, 0]), rotate_z: 90, ..Placement::at(5_000, 5_000, 4_500) };
        assert_eq!(place, wanted);
        assert_eq!(read(r#"[0.5,0.5,"1-0",4.5,"here",90,0]"#).unwrap().0, wanted);
        assert_eq!(read(r#"[1,1,"1-1",2,"x",0,0]"#).unwrap().0.x, 15, "one pixel, not the whole width");
        assert_eq!(read(r#"["1.0","0.25","1",2,"x"]"#).unwrap().0, Placement::at(10_000, 2_500, 2_000));
    }

    #[test]
    fn movement_lasts_for_the_rest_of_the_time_by_default() {
        let (place, _) = read(r#"[0.1,0.2,"1-1",4,"x",0,0,0.5,0.6]"#).unwrap();
        let end = PlacementEnd { x: 5_000, y: 6_000, move_ms: Some(4_000), delay_ms: 0 };
        assert_eq!(place.end, Some(end));
        let json =
            r#"["0.1","0.2","1-1","4","x","0","0","0.5","0.6","500","250","true","SimHei","1","M0,0L1,1"]"#;
        let end = PlacementEnd { move_ms: Some(500), delay_ms: 250, ..end };
        assert_eq!(read(json).unwrap().0.end, Some(end));
    }

    #[test]
    fn numbers_out_of_range_become_the_nearest_one() {
        let (place, _) = read(r#"[-99999,1e9,"7-0.5",1e99,"x",725,-361]"#).unwrap();
        let wanted = Placement {
            opacity: Some([100, 50]),
            rotate_z: 5,
            rotate_y: -1,
            ..Placement::at(-10_000, 20_000, 20_000)
        };
        assert_eq!(place, wanted);
        assert_eq!(place.check(), Ok(()));
    }

    #[test]
    fn what_is_no_array_of_a_placed_text_is_skipped() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        for bad in [
            "[]",
            "{}",
            "[1]",
            "x",
            "",
            &deep,
            r#"["10","20","#,
            r#"["nan","1","1-1","2","x"]"#,
            r#"[1,2,"1-1",2,7]"#,
            r#"[1,2,"a-b",2,"x"]"#,
            r#"[1,2,"1-1",[],"x"]"#,
            r#"[1,true,"1-1",2,"x"]"#,
        ] {
            assert_eq!(read(bad).map(drop), Err(Skip::Positioned), "{bad:.40}");
        }
    }
}
