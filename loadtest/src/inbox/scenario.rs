//! A scenario of letters, as in its YAML file.

use serde::{Deserialize, Serialize};

use crate::scenario::ScenarioError;
use crate::scenario::threshold::Threshold;

/// Names and texts of the built-in scenarios of letters.
pub const SHIPPED: [(&str, &str); 5] = [
    ("letters", include_str!("../../scenarios/letters.yaml")),
    ("fan-group", include_str!("../../scenarios/fan-group.yaml")),
    ("away", include_str!("../../scenarios/away.yaml")),
    ("album", include_str!("../../scenarios/album.yaml")),
    ("live", include_str!("../../scenarios/live.yaml")),
];

/// Keys of which a scenario has one.
const KINDS: [&str; 5] = ["letters:", "fan_group:", "away:", "album:", "live:"];

/// Returns the text of a built-in scenario of letters; `None` for an unknown name.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}

/// A scenario of letters. It has one of `letters`, `fan_group`, `away`, `album` and `live`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboxScenario {
    /// Name of the scenario, which reports show.
    pub name: String,
    /// Purpose of the scenario, in one sentence.
    #[serde(default)]
    pub about: String,
    /// Room whose connections the devices use. Default `demo`, which every server has.
    #[serde(default = "room")]
    pub room: String,
    /// People who write to each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letters: Option<LettersLoad>,
    /// Members who write to one group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_group: Option<FanGroupLoad>,
    /// Devices that come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<AwayLoad>,
    /// People who upload and read pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<AlbumLoad>,
    /// Followers of a host who goes live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveLoad>,
    /// Time after the last letter in which letters may still arrive at attached devices. Default 3, 1 to 60.
    #[serde(default = "settle_secs")]
    pub settle_secs: f64,
    /// Greatest 99th percentile of the load tester's own delay, in milliseconds. Above it the run is invalid.
    /// Default 100.
    #[serde(default = "tester_lag_p99_ms_max")]
    pub tester_lag_p99_ms_max: f64,
    /// Conditions on figures; if one does not hold, the exit code is 1.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
}

/// People who write to each other at an even pace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LettersLoad {
    /// Number of people, each with one attached device. 2 to 100,000.
    pub users: u32,
    /// Letters a second, over all people.
    pub per_s: f64,
    /// Duration of the load in seconds.
    pub secs: f64,
}

/// A group whose members write at an even pace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FanGroupLoad {
    /// Number of members. 2 to 10,000.
    pub members: u32,
    /// Number of members with an attached device; these write.
    pub online: u32,
    /// Items a second, over all members.
    pub per_s: f64,
    /// Duration of the load in seconds.
    pub secs: f64,
}

/// A device that was away for a month, and devices that come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwayLoad {
    /// Conversations of the user who was away. 1 to 300.
    pub conversations: u32,
    /// Items of all these conversations together.
    pub items: u32,
    /// Devices that come back at once, each of another user.
    pub devices: u32,
    /// Time within which they come back, in seconds.
    pub within_secs: f64,
}

/// People who upload pictures at an even pace; each picture is read by others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlbumLoad {
    /// Number of people who upload. 1 to 10,000.
    pub users: u32,
    /// Pictures a second, over all people.
    pub per_s: f64,
    /// Sides of a picture in pixels. Its file has three bytes a pixel.
    pub side_px: u32,
    /// Times that each picture is read, in the form of a message.
    pub reads: u32,
    /// Duration of the load in seconds.
    pub secs: f64,
}

/// Followers of a host who goes live, each with a browser that takes notifications.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveLoad {
    /// Number of followers. 1 to 1,000,000.
    pub followers: u32,
    /// Share of told followers who join the room at once; the server's `push.live.opening_share`.
    pub opening_share: f64,
    /// Joins a second that the server's pace plans: what gateways admit, times `push.live.admit_share`, or
    /// the most notifications a second, times the opening share.
    pub planned_joins_per_s: f64,
    /// Longest time from the request to the last notification, in seconds.
    pub secs: f64,
}

/// The kind of a scenario's load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Load {
    /// People who write to each other.
    Letters(LettersLoad),
    /// Members who write to one group.
    FanGroup(FanGroupLoad),
    /// Devices that come back.
    Away(AwayLoad),
    /// People who upload and read pictures.
    Album(AlbumLoad),
    /// Followers of a host who goes live.
    Live(LiveLoad),
}

/// Sizes of the command line, in place of the scenario's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sizes {
    /// People who write to each other.
    pub users: Option<u32>,
    /// Members of the group.
    pub members: Option<u32>,
    /// Members with an attached device.
    pub online: Option<u32>,
    /// Devices that come back at once.
    pub devices: Option<u32>,
    /// Items of the user who was away.
    pub items: Option<u32>,
    /// Letters or items a second.
    pub rate: Option<f64>,
    /// Duration of the load in seconds.
    pub secs: Option<f64>,
}

fn room() -> String {
    "demo".into()
}

fn settle_secs() -> f64 {
    3.0
}

fn tester_lag_p99_ms_max() -> f64 {
    100.0
}

impl InboxScenario {
    /// Whether a text means to be a scenario of letters, valid or not.
    #[must_use]
    pub fn is_one(yaml: &str) -> bool {
        yaml.lines().any(|line| KINDS.iter().any(|kind| line.starts_with(kind)))
    }

    /// Parses and checks a text.
    pub fn parse(yaml: &str) -> Result<InboxScenario, ScenarioError> {
        let scenario = serde_saphyr::from_str::<InboxScenario>(yaml)
            .map_err(|error| ScenarioError::Form(error.to_string()))?;
        scenario.check().map(|()| scenario)
    }

    /// Returns the load of the scenario.
    ///
    /// # Panics
    ///
    /// When the scenario was not checked.
    #[must_use]
    pub fn load(&self) -> Load {
        let letters = self.letters.map(Load::Letters);
        let load = letters.or(self.fan_group.map(Load::FanGroup)).or(self.away.map(Load::Away));
        let load = load.or(self.album.map(Load::Album)).or(self.live.map(Load::Live));
        load.expect("a checked scenario has one load")
    }

    /// Changes sizes. Fails when the scenario has no such size.
    pub fn resize(&mut self, sizes: &Sizes) -> Result<(), ScenarioError> {
        let mut left = *sizes;
        if let Some(letters) = &mut self.letters {
            letters.users = left.users.take().unwrap_or(letters.users);
            letters.per_s = left.rate.take().unwrap_or(letters.per_s);
            letters.secs = left.secs.take().unwrap_or(letters.secs);
        }
        if let Some(group) = &mut self.fan_group {
            group.members = left.members.take().unwrap_or(group.members);
            group.online = left.online.take().unwrap_or(group.online);
            group.per_s = left.rate.take().unwrap_or(group.per_s);
            group.secs = left.secs.take().unwrap_or(group.secs);
        }
        if let Some(away) = &mut self.away {
            away.devices = left.devices.take().unwrap_or(away.devices);
            away.items = left.items.take().unwrap_or(away.items);
        }
        if let Some(album) = &mut self.album {
            album.users = left.users.take().unwrap_or(album.users);
            album.per_s = left.rate.take().unwrap_or(album.per_s);
            album.secs = left.secs.take().unwrap_or(album.secs);
        }
        if let Some(live) = &mut self.live {
            live.followers = left.users.take().unwrap_or(live.followers);
            live.secs = left.secs.take().unwrap_or(live.secs);
        }
        if left != Sizes::default() {
            let text = format!("{} has no such size: {left:?}", self.name);
            return Err(ScenarioError::Values(vec![text]));
        }
        self.check()
    }

    /// Checks all values, and returns every mistake.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let mut wrong = Vec::new();
        let mut range = |key: &str, value: f64, min: f64, max: f64| {
            if !(min..=max).contains(&value) {
                wrong.push(format!("{key} = {value}: must be {min} to {max}"));
            }
        };
        let loads = [
            self.letters.is_some(),
            self.fan_group.is_some(),
            self.away.is_some(),
            self.album.is_some(),
            self.live.is_some(),
        ];
        range(
            "letters, fan_group, away, album, live (number of them)",
            loads.into_iter().map(f64::from).sum(),
            1.0,
            1.0,
        );
        range("settle_secs", self.settle_secs, 1.0, 60.0);
        range("tester_lag_p99_ms_max", self.tester_lag_p99_ms_max, 1.0, 60_000.0);
        if let Some(load) = &self.letters {
            range("letters.users", load.users.into(), 2.0, 100_000.0);
            range("letters.per_s", load.per_s, 0.1, 100_000.0);
            range("letters.secs", load.secs, 1.0, 3_600.0);
        }
        if let Some(load) = &self.fan_group {
            range("fan_group.members", load.members.into(), 2.0, 10_000.0);
            range("fan_group.online", load.online.into(), 1.0, load.members.into());
            range("fan_group.per_s", load.per_s, 0.1, 1_000.0);
            range("fan_group.secs", load.secs, 1.0, 600.0);
        }
        if let Some(load) = &self.away {
            range("away.conversations", load.conversations.into(), 1.0, 300.0);
            range("away.items", load.items.into(), load.conversations.into(), 1e6);
            range("away.devices", load.devices.into(), 0.0, 100_000.0);
            range("away.within_secs", load.within_secs, 0.1, 3_600.0);
        }
        if let Some(load) = &self.album {
            range("album.users", load.users.into(), 1.0, 10_000.0);
            range("album.per_s", load.per_s, 0.1, 1_000.0);
            range("album.side_px", load.side_px.into(), 16.0, 4_000.0);
            range("album.reads", load.reads.into(), 0.0, 1_000.0);
            range("album.secs", load.secs, 1.0, 3_600.0);
        }
        if let Some(load) = &self.live {
            range("live.followers", load.followers.into(), 1.0, 1e6);
            range("live.opening_share", load.opening_share, 0.0, 1.0);
            range("live.planned_joins_per_s", load.planned_joins_per_s, 0.1, 1e6);
            range("live.secs", load.secs, 1.0, 3_600.0);
        }
        if barrage_protocol::RoomId::parse(&self.room).is_err() {
            wrong.push(format!("room = {}: must be short and of A-Z a-z 0-9 _ -", self.room));
        }
        if wrong.is_empty() { Ok(()) } else { Err(ScenarioError::Values(wrong)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_valid_and_named_as_its_file() {
        for (name, text) in SHIPPED {
            let scenario = InboxScenario::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(scenario.name, name);
            assert!(InboxScenario::is_one(text) && !scenario.thresholds.is_empty(), "{name}");
        }
        for (name, text) in crate::scenario::shipped::SHIPPED {
            assert!(!InboxScenario::is_one(text), "{name}");
        }
    }

    #[test]
    fn mistakes_are_reported_by_key() {
        let error = |text: &str| InboxScenario::parse(text).unwrap_err().to_string();
        let both = "name: a\nletters: {users: 1, per_s: 1, secs: 1}\naway: {conversations: 1, items: 0, devices: 1, \
                    within_secs: 1}\n";
        for part in ["number of them", "letters.users = 1", "away.items = 0"] {
            assert!(error(both).contains(part), "{part}: {}", error(both));
        }
        assert!(error("name: a\nletters: {user: 3, per_s: 1, secs: 1}\n").contains("user"));
    }

    #[test]
    fn sizes_change_the_load_that_has_them() {
        let mut scenario = InboxScenario::parse(SHIPPED[1].1).unwrap();
        scenario.resize(&Sizes { members: Some(50), online: Some(10), ..Sizes::default() }).unwrap();
        let Load::FanGroup(load) = scenario.load() else { panic!("no group") };
        assert_eq!((load.members, load.online, load.per_s), (50, 10, 20.0));
        let refused = scenario.resize(&Sizes { devices: Some(1), ..Sizes::default() }).unwrap_err();
        assert!(refused.to_string().contains("devices: Some(1)"), "{refused}");
    }
}
