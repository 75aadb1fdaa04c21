//! Who people are, and how they are found.

use goim_core::UserId;
use goim_proto::limits::{AVATAR_BYTES_MAX, BIO_BYTES_MAX, NAME_BYTES_MAX, PAGE_LIMIT_MAX};
use goim_proto::{
    Error, ErrorCode, FoundPage, Gender, Profile, ProfileList, ProfileUpdate, Reply, SearchUsers, SessionInfo,
};

use super::accounts::check_name;
use super::{Answered, Service, failed, refuse};
use crate::store::{SearchKey, UpdatedProfile, folded};

impl Service {
    /// Reads profiles, which everybody with an account may.
    pub(super) async fn profiles(&self, users: &[UserId]) -> Answered {
        if users.len() > PAGE_LIMIT_MAX as usize {
            return refuse(
                ErrorCode::TooLarge,
                "at most 100 profiles in one call; ask for the others in another",
            );
        }
        let profiles = self.store.profiles(users).await.map_err(failed)?;
        Ok(Reply::Profiles(ProfileList { profiles }))
    }

    /// Changes the caller's own profile, of which friends who are here are told.
    pub(super) async fn update_profile(&self, session: &SessionInfo, update: ProfileUpdate) -> Answered {
        check_profile(&update)?;
        // Before: what is of an epoch that ends meanwhile is not told in the next.
        let epoch = self.epoch();
        match self.store.update_profile(session.user, &update).await.map_err(failed)? {
            Some(UpdatedProfile { profile, changed }) => {
                if changed {
                    self.profile_news.note(epoch, &profile);
                }
                Ok(Reply::Profiles(ProfileList { profiles: vec![profile] }))
            }
            None => refuse(ErrorCode::NotFound, "there is no such user any more"),
        }
    }

    /// Finds people whose name or nickname begins like this.
    pub(super) async fn search_users(&self, arguments: SearchUsers) -> Answered {
        let SearchUsers { prefix, after, limit } = arguments;
        if prefix.is_empty() || prefix.len() > NAME_BYTES_MAX || prefix.chars().any(char::is_control) {
            let message = "give the first 1 to 64 bytes of a name, without control characters";
            return refuse(ErrorCode::BadArgument, message);
        }
        let Some(after) = place(&after) else {
            return refuse(
                ErrorCode::BadArgument,
                "begin with an empty `after`, then give the `next` of a page",
            );
        };
        let limit = page_limit(limit);
        let prefix = folded(&prefix);
        let found = self.store.search_users(&prefix, &after, limit).await.map_err(failed)?;
        let whole = found.len() < limit as usize;
        let next = match found.last() {
            Some((key, profile)) if !whole => format!("{}:{key}", profile.user),
            _ => String::new(),
        };
        let users = found.into_iter().filter(|found| is_first(&prefix, found)).map(|(_, profile)| profile);
        Ok(Reply::Found(FoundPage { users: users.collect(), next }))
    }
}

/// Whether this is the place where the search tells of the user: who is found by his name is not
/// found again by his nickname.
fn is_first(prefix: &str, (key, profile): &(String, Profile)) -> bool {
    let name = folded(&profile.name);
    *key == name || !name.starts_with(prefix)
}

/// The place that a page's `next` names.
fn place(next: &str) -> Option<SearchKey> {
    if next.is_empty() {
        return Some(SearchKey::default());
    }
    let (user, key) = next.split_once(':')?;
    let harmless = key.len() <= NAME_BYTES_MAX && !key.chars().any(char::is_control);
    harmless.then_some(())?;
    Some((key.to_owned(), UserId::new(user.parse().ok()?)))
}

/// How many items a page of people has when so many were asked for.
pub(super) fn page_limit(asked: u32) -> u32 {
    if asked == 0 { PAGE_LIMIT_MAX } else { asked.min(PAGE_LIMIT_MAX) }
}

fn check_profile(update: &ProfileUpdate) -> Result<(), Error> {
    let ProfileUpdate { nickname, avatar, gender, bio } = update;
    if let Some(nickname) = nickname
        && !nickname.is_empty()
    {
        check_name(nickname)?;
    }
    if let Some(avatar) = avatar {
        check_avatar(avatar)?;
    }
    if let Some(Gender::Unknown(code)) = gender
        && *code != 0
    {
        return refuse(ErrorCode::BadArgument, "this server knows no such gender; give 0 to say nothing");
    }
    if let Some(bio) = bio {
        check_lines(bio, BIO_BYTES_MAX)?;
    }
    Ok(())
}

/// A reference to a picture.
pub(super) fn check_avatar(avatar: &str) -> Result<(), Error> {
    if avatar.len() > AVATAR_BYTES_MAX || avatar.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse(ErrorCode::BadArgument, "an avatar is named as its upload was, in at most 128 bytes");
    }
    Ok(())
}

/// A short text that may have line breaks.
pub(super) fn check_lines(text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() > bytes_max {
        return Err(Error::new(ErrorCode::TooLarge, format!("such a text has at most {bytes_max} bytes")));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return refuse(ErrorCode::BadArgument, "such a text has no control characters but line breaks");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        assert_eq!(place(""), Some((String::new(), UserId::new(0))));
        assert_eq!(place("7:anna:b"), Some(("anna:b".into(), UserId::new(7))));
        let long = format!("7:{}", "x".repeat(65));
        for bad in ["7", ":", "x:anna", "-1:anna", "7:an\0na", &long] {
            assert_eq!(place(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn who_is_found_by_his_name_is_not_found_again() {
        let anna = Profile { name: "Anna".into(), nickname: "annabel".into(), ..Profile::default() };
        assert!(is_first("an", &("anna".into(), anna.clone())));
        assert!(!is_first("an", &("annabel".into(), anna.clone())));
        assert!(is_first("annab", &("annabel".into(), anna)));
    }
}
