//! Who may write to whom: the folder of a letter, or why it is refused.

use crate::event::Standing;
use crate::item::Refusal;
use crate::member::Member;
use barrage_protocol::inbox::{Folder, WritePolicy};

/// Letters that a stranger may send before the receiver answers or accepts.
pub const REQUEST_LETTERS_MAX: u64 = 3;

/// Returns the receiver's folder for a letter. `receiver` is the receiver's row, and `None` before the first
/// letter between the two; `sent` is the number of letters that the sender has sent before.
pub fn folder_of(
    policy: WritePolicy,
    standing: Standing,
    receiver: Option<&Member>,
    sent: u64,
) -> Result<Folder, Refusal> {
    match (receiver.map(|member| member.folder), standing, policy) {
        (Some(folder @ (Folder::Main | Folder::Archived)), _, _) => Ok(folder),
        (_, Standing::Trusted, _) | (None, _, WritePolicy::Everyone) => Ok(Folder::Main),
        (_, Standing::Stranger, WritePolicy::Known) => Err(Refusal::RequestsOnly),
        (Some(Folder::Request), _, _) if sent >= REQUEST_LETTERS_MAX => Err(Refusal::RequestsOnly),
        (Some(Folder::Request) | None, _, _) => Ok(Folder::Request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ConversationNumber, UserNumber};
    use crate::law::Counters;

    fn receiver(folder: Folder) -> Member {
        Member { folder, ..Member::new(UserNumber(1), ConversationNumber(1), Counters::default()) }
    }

    #[test]
    fn stranger_has_three_letters_until_the_receiver_answers() {
        let folder = |member: Option<&Member>, sent| {
            folder_of(WritePolicy::Requests, Standing::Stranger, member, sent)
        };
        assert_eq!(folder(None, 0), Ok(Folder::Request));
        let request = receiver(Folder::Request);
        assert_eq!(folder(Some(&request), 2), Ok(Folder::Request));
        assert_eq!(folder(Some(&request), 3), Err(Refusal::RequestsOnly));
        assert_eq!(folder(Some(&receiver(Folder::Main)), 1_000), Ok(Folder::Main));
        assert_eq!(folder(Some(&receiver(Folder::Archived)), 1_000), Ok(Folder::Archived));
    }

    #[test]
    fn rules_of_the_receiver_decide_about_strangers_alone() {
        for standing in [Standing::Stranger, Standing::Trusted] {
            assert_eq!(folder_of(WritePolicy::Everyone, standing, None, 0), Ok(Folder::Main));
        }
        assert_eq!(folder_of(WritePolicy::Known, Standing::Stranger, None, 0), Err(Refusal::RequestsOnly));
        assert_eq!(folder_of(WritePolicy::Known, Standing::Trusted, None, 0), Ok(Folder::Main));
        let known = receiver(Folder::Main);
        assert_eq!(folder_of(WritePolicy::Known, Standing::Stranger, Some(&known), 9), Ok(Folder::Main));
    }
}
