//! What a user wants to be notified of, and when.

use barrage_protocol::inbox::{NotificationSettings, QuietHours};

use crate::note::NoteKind;

const MINUTES_OF_DAY: u16 = 24 * 60;

/// Why settings are refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// A time of the day has another form.
    #[error("quiet.{0}: a time from 00:00 to 23:59, such as 22:30")]
    Time(&'static str),
    /// The tables of time zones do not have the name.
    #[error("quiet.zone: the name of a time zone, such as Europe/Berlin")]
    Zone,
}

/// Checks settings that a user gives.
pub fn check_settings(settings: &NotificationSettings) -> Result<(), SettingsError> {
    let Some(quiet) = &settings.quiet else { return Ok(()) };
    minute(&quiet.from).ok_or(SettingsError::Time("from"))?;
    minute(&quiet.to).ok_or(SettingsError::Time("to"))?;
    tzdb::tz_by_name(&quiet.zone).ok_or(SettingsError::Zone).map(drop)
}

/// Returns whether a user wants a notification of this kind at a Unix time in milliseconds. What comes in quiet hours is
/// not sent later: the badge of the next notification counts it.
#[must_use]
pub fn wants(settings: &NotificationSettings, kind: NoteKind, now_ms: u64) -> bool {
    let is_on = match kind {
        NoteKind::Letter => settings.letters,
        NoteKind::Mention => settings.mentions,
        NoteKind::Live => settings.live,
    };
    is_on
        && now_ms >= settings.muted_until_ms
        && !settings.quiet.as_ref().is_some_and(|it| is_quiet(it, now_ms))
}

/// Parses a time of the day, in minutes.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, max: u16| {
        let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_two.then(|| text.parse::<u16>().ok()).flatten().filter(|number| *number <= max)
    };
    Some(number(hour, 23)? * 60 + number(minute, 59)?)
}

/// Returns whether a moment is within the hours. Equal ends are no hours at all; settings that cannot be read are none.
fn is_quiet(quiet: &QuietHours, now_ms: u64) -> bool {
    let (Some(from), Some(to)) = (minute(&quiet.from), minute(&quiet.to)) else { return false };
    let Some(zone) = tzdb::tz_by_name(&quiet.zone) else { return false };
    let Ok(secs) = i64::try_from(now_ms / 1_000) else { return false };
    let Ok(local) = zone.find_local_time_type(secs) else { return false };
    let minutes = (secs + i64::from(local.ut_offset())).div_euclid(60).rem_euclid(MINUTES_OF_DAY.into());
    let now = u16::try_from(minutes).unwrap_or(0);
    if from <= to { (from..to).contains(&now) } else { now >= from || now < to }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-01 at 20:45 UTC, and 2026-12-01 at 20:45 UTC, in milliseconds.
    const SUMMER_MS: u64 = 1_782_938_700_000;
    const WINTER_MS: u64 = 1_796_157_900_000;

    fn quiet(from: &str, to: &str, zone: &str) -> NotificationSettings {
        let quiet = QuietHours { from: from.into(), to: to.into(), zone: zone.into() };
        NotificationSettings { quiet: Some(quiet), ..NotificationSettings::default() }
    }

    #[test]
    fn quiet_hours_follow_the_clock_of_the_zone() {
        let berlin = quiet("22:30", "07:00", "Europe/Berlin");
        let wants = |settings: &NotificationSettings, at_ms| wants(settings, NoteKind::Letter, at_ms);
        assert!(!wants(&berlin, SUMMER_MS), "22:45 in summer");
        assert!(wants(&berlin, WINTER_MS), "21:45 in winter");
        assert!(!wants(&berlin, WINTER_MS + 45 * 60_000), "22:30");
        assert!(!wants(&berlin, WINTER_MS + (9 * 60 + 14) * 60_000), "06:59");
        assert!(wants(&berlin, WINTER_MS + (9 * 60 + 15) * 60_000), "07:00");
        let by_day = quiet("04:45", "05:46", "Asia/Shanghai");
        assert!(!wants(&by_day, WINTER_MS), "04:45");
        assert!(!wants(&quiet("15:45", "15:46", "America/New_York"), WINTER_MS));
        assert!(wants(&quiet("20:45", "20:45", "UTC"), WINTER_MS), "equal ends");
    }

    #[test]
    fn kinds_and_mutes_are_obeyed() {
        let settings = NotificationSettings { letters: false, muted_until_ms: 10, ..Default::default() };
        let kinds = [NoteKind::Letter, NoteKind::Mention, NoteKind::Live];
        assert_eq!(kinds.map(|kind| wants(&settings, kind, 10)), [false, true, true]);
        assert_eq!(kinds.map(|kind| wants(&settings, kind, 9)), [false; 3]);
        let settings = NotificationSettings { mentions: false, live: false, ..Default::default() };
        assert_eq!(kinds.map(|kind| wants(&settings, kind, 0)), [true, false, false]);
    }

    #[test]
    fn times_and_zones_that_are_none_are_refused() {
        assert_eq!(check_settings(&NotificationSettings::default()), Ok(()));
        assert_eq!(check_settings(&quiet("00:00", "23:59", "Asia/Kolkata")), Ok(()));
        for bad in ["24:00", "7:00", "+7:00", "07:60", "0700", "", "07:00:00", "\u{661}7:00"] {
            assert_eq!(
                check_settings(&quiet(bad, "07:00", "UTC")),
                Err(SettingsError::Time("from")),
                "{bad}"
            );
            assert_eq!(check_settings(&quiet("07:00", bad, "UTC")), Err(SettingsError::Time("to")), "{bad}");
        }
        for bad in ["", "Mars/Base", "../etc/passwd", "Europe"] {
            assert_eq!(check_settings(&quiet("07:00", "08:00", bad)), Err(SettingsError::Zone), "{bad}");
        }
    }
}
