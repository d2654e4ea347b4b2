//! Names of keys in Redis, one for each count.

use barrage_counters::{QuotaKey, Subject};
use barrage_flow::Rule;

/// Returns `barrage:{quota:<purpose>:<subject>}:<kind>`. The braces are Redis Cluster's hash tag. The
/// kind separates the counts of a rule that became one of another kind. A room is named before a user,
/// because a user id may contain a colon.
pub(crate) fn redis_key(key: &QuotaKey, rule: &Rule) -> String {
    let purpose = key.purpose;
    let kind = match rule {
        Rule::Rate(_) => "rate",
        Rule::Window(_) => "window",
    };
    match &key.subject {
        Subject::Platform => format!("barrage:{{quota:{purpose}:platform}}:{kind}"),
        Subject::Address(address) => format!("barrage:{{quota:{purpose}:address:{address}}}:{kind}"),
        Subject::User(user) => format!("barrage:{{quota:{purpose}:user:{user}}}:{kind}"),
        Subject::UserInRoom(user, room) => {
            format!("barrage:{{quota:{purpose}:member:{room}:{user}}}:{kind}")
        }
        Subject::TextInRoom(text, room) => format!("barrage:{{quota:{purpose}:text:{room}:{text:x}}}:{kind}"),
        Subject::Hashed(hash) => format!("barrage:{{quota:{purpose}:hash:{hash:x}}}:{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use barrage_flow::Rate;
    use barrage_protocol::{RoomId, UserId};

    use super::*;

    #[test]
    fn subjects_have_distinct_names() {
        let rule = Rule::Rate(Rate::per_sec(1, 1).unwrap());
        let user = UserId::parse("a:b@c").unwrap();
        let room = RoomId::parse("r1").unwrap();
        let of = |subject| redis_key(&QuotaKey { purpose: "post", subject }, &rule);
        assert_eq!(of(Subject::Platform), "barrage:{quota:post:platform}:rate");
        assert_eq!(of(Subject::User(user.clone())), "barrage:{quota:post:user:a:b@c}:rate");
        assert_eq!(of(Subject::TextInRoom(255, room.clone())), "barrage:{quota:post:text:r1:ff}:rate");
        assert_eq!(of(Subject::UserInRoom(user, room)), "barrage:{quota:post:member:r1:a:b@c}:rate");
        assert_eq!(of(Subject::Hashed(255)), "barrage:{quota:post:hash:ff}:rate");
        let address = Subject::address("2001:db8::7".parse().unwrap());
        assert_eq!(of(address), "barrage:{quota:post:address:2001:db8::}:rate");
    }
}
