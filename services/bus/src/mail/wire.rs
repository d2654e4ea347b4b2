//! Bytes of envelopes and announcements between processes. Numbers are big-endian.

use bytes::{Buf, BufMut, Bytes};

use super::{ATTACHMENTS_MAX, Attachments, MAIL_BYTES_MAX, MailEnvelope, MailGroup, SnapshotPart, UserHash};

/// First byte of each message: a later form has another one, and is skipped by this version.
const FORM: u8 = 1;
/// Bytes of a group beside its users and its frame.
pub(super) const GROUP_BYTES: usize = 8;

/// Encodes an envelope; `None` when it is larger than [`MAIL_BYTES_MAX`].
pub(crate) fn write_envelope(envelope: &MailEnvelope) -> Option<Bytes> {
    let mut bytes = Vec::with_capacity(32 + envelope.groups.iter().map(MailGroup::bytes).sum::<usize>());
    bytes.put_u8(FORM);
    bytes.put_u16(envelope.lane);
    bytes.put_u64(envelope.source);
    bytes.put_u64(envelope.number);
    for group in &envelope.groups {
        write_users(&mut bytes, &group.users)?;
        bytes.put_u32(u32::try_from(group.frame.len()).ok()?);
        bytes.put_slice(&group.frame);
    }
    (bytes.len() <= MAIL_BYTES_MAX).then(|| bytes.into())
}

/// Decodes an envelope; `None` for bytes that are none.
pub(crate) fn read_envelope(mut bytes: Bytes) -> Option<MailEnvelope> {
    if bytes.len() > MAIL_BYTES_MAX || bytes.try_get_u8().ok()? != FORM {
        return None;
    }
    let lane = bytes.try_get_u16().ok()?;
    let (source, number) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
    let mut groups = Vec::new();
    while bytes.has_remaining() {
        let users = read_users(&mut bytes, usize::MAX)?;
        let length = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
        if length > bytes.len() {
            return None;
        }
        groups.push(MailGroup { users, frame: bytes.split_to(length) });
    }
    Some(MailEnvelope { lane, source, number, groups })
}

/// Encodes an announcement; `None` when a bound is exceeded.
pub(crate) fn write_attachments(attachments: &Attachments) -> Option<Bytes> {
    if attachments.attached.len().max(attachments.detached.len()) > ATTACHMENTS_MAX {
        return None;
    }
    let SnapshotPart { part, parts } = attachments.snapshot.unwrap_or(SnapshotPart { part: 0, parts: 0 });
    let mut bytes = Vec::new();
    bytes.put_u8(FORM);
    bytes.put_u16(part);
    bytes.put_u16(parts);
    bytes.put_u16(u16::try_from(attachments.gateway.len()).ok()?);
    bytes.put_slice(attachments.gateway.as_bytes());
    write_users(&mut bytes, &attachments.attached)?;
    write_users(&mut bytes, &attachments.detached)?;
    Some(bytes.into())
}

/// Decodes an announcement; `None` for bytes that are none.
pub(crate) fn read_attachments(mut bytes: Bytes) -> Option<Attachments> {
    if bytes.len() > MAIL_BYTES_MAX * 2 || bytes.try_get_u8().ok()? != FORM {
        return None;
    }
    let (part, parts) = (bytes.try_get_u16().ok()?, bytes.try_get_u16().ok()?);
    let snapshot = (parts > 0).then_some(SnapshotPart { part, parts });
    if snapshot.is_some_and(|snapshot| snapshot.part >= snapshot.parts) {
        return None;
    }
    let length = usize::from(bytes.try_get_u16().ok()?);
    if length > bytes.len() {
        return None;
    }
    let gateway = String::from_utf8(bytes.split_to(length).to_vec()).ok()?;
    let attached = read_users(&mut bytes, ATTACHMENTS_MAX)?;
    let detached = read_users(&mut bytes, ATTACHMENTS_MAX)?;
    bytes.is_empty().then_some(Attachments { gateway, snapshot, attached, detached })
}

fn write_users(bytes: &mut Vec<u8>, users: &[UserHash]) -> Option<()> {
    bytes.put_u32(u32::try_from(users.len()).ok()?);
    users.iter().for_each(|user| bytes.put_slice(user.as_bytes()));
    Some(())
}

fn read_users(bytes: &mut Bytes, users_max: usize) -> Option<Vec<UserHash>> {
    let count = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
    if count > users_max || count.checked_mul(size_of::<UserHash>())? > bytes.len() {
        return None;
    }
    let mut users = Vec::with_capacity(count);
    for _ in 0..count {
        let mut hash = [0; 16];
        bytes.try_copy_to_slice(&mut hash).ok()?;
        users.push(UserHash::from_bytes(hash));
    }
    Some(users)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn users(max: usize) -> impl Strategy<Value = Vec<UserHash>> {
        prop::collection::vec(any::<[u8; 16]>().prop_map(UserHash::from_bytes), 0..max)
    }

    proptest! {
        #[test]
        fn envelope_is_read_as_it_was_written(
            (lane, source, number) in any::<(u16, u64, u64)>(),
            groups in prop::collection::vec((users(5), prop::collection::vec(any::<u8>(), 0..50)), 0..5),
        ) {
            let groups = groups.into_iter().map(|(users, frame)| MailGroup { users, frame: frame.into() });
            let envelope = MailEnvelope { lane, source, number, groups: groups.collect() };
            let bytes = write_envelope(&envelope).unwrap();
            prop_assert_eq!(read_envelope(bytes.clone()), Some(envelope));
            // What was cut off is no envelope, or one with whole groups.
            let cut = bytes.slice(..bytes.len() / 2);
            if let Some(read) = read_envelope(cut.clone()) {
                prop_assert_eq!(write_envelope(&read).unwrap(), cut);
            }
        }

        #[test]
        fn announcement_is_read_as_it_was_written(
            gateway in "[a-z0-9.*>-]{0,40}",
            parts in 0_u16..3,
            (attached, detached) in (users(9), users(9)),
        ) {
            let snapshot = (parts > 0).then(|| SnapshotPart { part: parts - 1, parts });
            let attachments = Attachments { gateway, snapshot, attached, detached };
            let bytes = write_attachments(&attachments).unwrap();
            prop_assert_eq!(read_attachments(bytes), Some(attachments));
        }

        #[test]
        fn any_bytes_are_read_or_skipped(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = FORM;
            }
            drop((read_envelope(bytes.clone().into()), read_attachments(bytes.into())));
        }
    }

    #[test]
    fn bounds_hold_on_both_sides() {
        let frame = Bytes::from(vec![0; MAIL_BYTES_MAX]);
        let groups = vec![MailGroup { users: Vec::new(), frame }];
        assert_eq!(write_envelope(&MailEnvelope { lane: 0, source: 1, number: 1, groups }), None);
        let attached = vec![UserHash::from_bytes([0; 16]); ATTACHMENTS_MAX + 1];
        let many = Attachments { gateway: "g".into(), snapshot: None, attached, detached: Vec::new() };
        assert_eq!(write_attachments(&many), None);
        // A count that promises more users than the bytes have allocates nothing.
        let mut promise = vec![FORM];
        promise.extend([0; 18]);
        promise.extend(u32::MAX.to_be_bytes());
        assert_eq!(read_envelope(promise.into()), None);
    }
}
