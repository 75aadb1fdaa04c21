//! The public numbers of groups: nine digits that do not show at a glance how many groups there are, or
//! which was made first. They are no secret: whoever reads this can undo them.
//!
//! A number is its conversation's id, scrambled: multiplied modulo 900,000,000 by a number that shares no
//! factor with it, which is undone by its inverse (modular inverse, as in RSA). So no number is ever
//! given twice, and none has to be kept.

use goim_core::ConversationId;
use goim_core::id::NUMBER_MAX;

/// Numbers of nine digits.
const COUNT: u64 = 900_000_000;
const FIRST: u64 = 100_000_000;
/// Neither even nor divisible by 3 or 5, the factors of [`COUNT`].
const SCRAMBLE: u64 = 654_188_429;
/// What [`SCRAMBLE`] times this leaves modulo [`COUNT`] is 1.
const UNSCRAMBLE: u64 = inverse(SCRAMBLE);

/// Euler's theorem: a^(φ(n) − 1) is the inverse of a modulo n; φ(900,000,000) is 240,000,000.
const fn inverse(number: u64) -> u64 {
    let (mut power, mut exponent, mut product) = (number, 240_000_000 - 1, 1);
    while exponent > 0 {
        if exponent % 2 == 1 {
            product = product * power % COUNT;
        }
        power = power * power % COUNT;
        exponent /= 2;
    }
    product
}

/// A group's public number. Ids beyond the first 900,000,000 have more digits.
pub(super) fn number_of(conversation: ConversationId) -> u64 {
    let id = conversation.as_u64();
    FIRST + id / COUNT * COUNT + id % COUNT * SCRAMBLE % COUNT
}

/// The conversation of a public number.
pub(super) fn conversation_of(number: u64) -> Option<ConversationId> {
    let place = number.checked_sub(FIRST)?;
    let id = (place / COUNT * COUNT).checked_add(place % COUNT * UNSCRAMBLE % COUNT)?;
    (id <= NUMBER_MAX).then_some(ConversationId::new(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_leads_back_to_its_conversation() {
        assert_eq!(SCRAMBLE * UNSCRAMBLE % COUNT, 1);
        let beyond = [COUNT - 1, COUNT, COUNT + 1, 7 * COUNT + 3, NUMBER_MAX / 2];
        for id in (1..5_000).chain(beyond) {
            let number = number_of(ConversationId::new(id));
            assert_eq!(conversation_of(number), Some(ConversationId::new(id)), "{number}");
            assert!(number >= FIRST);
        }
        assert!((1..1_000).all(|id| number_of(ConversationId::new(id)) < FIRST + COUNT));
        assert_eq!(conversation_of(FIRST - 1), None);
        assert_eq!(conversation_of(u64::MAX), None);
    }
}
