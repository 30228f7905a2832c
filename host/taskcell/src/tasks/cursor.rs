//! Cursors: signed positions in the list of tasks. [server/utilities/pagination]
//!
//! A cursor consists of the position and a signature over the position and the principal. A changed cursor, a cursor of
//! another principal's list and an invented one are all refused alike, so a requestor learns nothing by trying. The
//! secret belongs to the store: every host that shares the store accepts the cursor.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Hexadecimal digits of the position in a cursor.
const PLACE: usize = 16;
/// Hexadecimal digits of the signature that a cursor carries: half of the bytes, which nobody can guess.
const TAG: usize = 32;

/// Makes a secret, for a new store: 244 random bits.
pub(super) fn secret() -> [u8; 32] {
    let (first, second) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let mut secret = [0; 32];
    for (place, byte) in secret.iter_mut().zip(first.as_bytes().iter().chain(second.as_bytes())) {
        *place = *byte;
    }
    secret
}

/// Returns the cursor of `place` in the list of `principal`.
pub(super) fn write(secret: &[u8; 32], principal: &str, place: u64) -> Option<String> {
    let tag = sign(secret, principal, place)?.finalize().into_bytes();
    let tag = u128::from_be_bytes(*tag.first_chunk()?);
    Some(format!("{place:0PLACE$x}{tag:0TAG$x}"))
}

/// Returns the position that `cursor` names, or none when [`write`] did not make the cursor for `principal`.
pub(super) fn read(secret: &[u8; 32], principal: &str, cursor: &str) -> Option<u64> {
    // Only the spelling that was given out is accepted, so capitals and signs are refused.
    if cursor.len() != PLACE + TAG || !cursor.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let (place, tag) = cursor.split_at_checked(PLACE)?;
    let (place, tag) = (u64::from_str_radix(place, 16).ok()?, u128::from_str_radix(tag, 16).ok()?);
    sign(secret, principal, place)?.verify_truncated_left(&tag.to_be_bytes()).ok().map(|()| place)
}

fn sign(secret: &[u8; 32], principal: &str, place: u64) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(&place.to_be_bytes());
    mac.update(principal.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    #[test]
    fn a_cursor_is_read_back() {
        for place in [0, 1, u64::MAX] {
            let cursor = write(&SECRET, "me", place).unwrap();
            assert_eq!(read(&SECRET, "me", &cursor), Some(place));
        }
    }

    #[test]
    fn a_cursor_that_was_not_given_is_refused() {
        let cursor = write(&SECRET, "me", 5).unwrap();
        assert_eq!(read(&SECRET, "you", &cursor), None);
        assert_eq!(read(&[8; 32], "me", &cursor), None);
        for index in 0..cursor.len() {
            for other in ['0', '1', 'f', 'F', 'x', 'ä'] {
                let changed: String =
                    cursor.chars().enumerate().map(|(at, char)| if at == index { other } else { char }).collect();
                assert!(changed == cursor || read(&SECRET, "me", &changed).is_none(), "{changed}");
            }
        }
        for text in ["", "0", &cursor[1..], &format!("{cursor}0"), &cursor.to_uppercase()] {
            assert!(text == cursor || read(&SECRET, "me", text).is_none(), "{text}");
        }
    }
}
