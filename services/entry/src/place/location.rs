//! Region and carrier of a client, and how they agree with the place of an instance. Pure.

use barrage_bus::Place;

/// Region and carrier of an address; each may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// Region of the address, as the file names it.
    pub region: Option<String>,
    /// Carrier of the address, as the file names it.
    pub carrier: Option<String>,
}

/// How far the place of an instance agrees with the location of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceMatch {
    /// The region of the client is unknown, so that no instance is nearer than another one.
    Unknown,
    /// Region and carrier of the client.
    Near,
    /// Region of the client, and a line to other carriers only.
    OtherCarrier,
    /// Another region, or an instance that names none.
    OtherRegion,
}

impl PlaceMatch {
    /// All values, in the order of their cost.
    pub(crate) const ALL: [PlaceMatch; 4] =
        [PlaceMatch::Unknown, PlaceMatch::Near, PlaceMatch::OtherCarrier, PlaceMatch::OtherRegion];

    /// Returns the value of the label `place`.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            PlaceMatch::Unknown => "unknown",
            PlaceMatch::Near => "near",
            PlaceMatch::OtherCarrier => "other_carrier",
            PlaceMatch::OtherRegion => "other_region",
        }
    }
}

impl Location {
    /// Compares the location with the place of an instance.
    pub(crate) fn compare(&self, place: &Place) -> PlaceMatch {
        match &self.region {
            None => PlaceMatch::Unknown,
            Some(region) if !place.region.as_ref().is_some_and(|own| covers(own, region)) => {
                PlaceMatch::OtherRegion
            }
            Some(_) if self.has_line(place) => PlaceMatch::Near,
            Some(_) => PlaceMatch::OtherCarrier,
        }
    }

    /// Whether the instance has a line to the carrier. An unknown carrier counts as one that it has.
    pub(crate) fn has_line(&self, place: &Place) -> bool {
        let carrier = self.carrier.as_ref().filter(|_| !place.carriers.is_empty());
        carrier.is_none_or(|carrier| place.carriers.contains(carrier))
    }
}

/// Whether a region is the one of the client or contains it: `CN` contains `CN-SH`.
fn covers(region: &str, client: &str) -> bool {
    client.strip_prefix(region).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(region: &str, carrier: &str) -> Location {
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Location { region: named(region), carrier: named(carrier) }
    }

    fn place(region: &str, carriers: &[&str]) -> Place {
        let region = (!region.is_empty()).then(|| region.to_owned());
        let carriers = carriers.iter().map(|&carrier| carrier.to_owned()).collect();
        Place { region, carriers, ..Place::default() }
    }

    #[test]
    fn region_counts_before_carrier_and_a_region_contains_its_parts() {
        let shanghai = location("CN-SH", "telecom");
        for (place, wanted) in [
            (place("CN-SH", &["telecom", "unicom"]), PlaceMatch::Near),
            (place("CN-SH", &[]), PlaceMatch::Near),
            (place("CN", &[]), PlaceMatch::Near),
            (place("CN-SH", &["unicom"]), PlaceMatch::OtherCarrier),
            (place("CN-S", &[]), PlaceMatch::OtherRegion),
            (place("CN-SH-1", &[]), PlaceMatch::OtherRegion),
            (place("DE", &["telecom"]), PlaceMatch::OtherRegion),
            (place("", &[]), PlaceMatch::OtherRegion),
        ] {
            assert_eq!(shanghai.compare(&place), wanted, "{place:?}");
        }
        assert_eq!(location("", "telecom").compare(&place("CN", &["unicom"])), PlaceMatch::Unknown);
        assert_eq!(location("CN", "").compare(&place("CN", &["unicom"])), PlaceMatch::Near);
    }
}
