//! Logins by the word of an issuer outside.

use goim_core::UserId;
use goim_proto::limits::{EXTERNAL_TOKEN_BYTES_MAX, NAME_BYTES_MAX};
use goim_proto::{Error, ErrorCode, LoginExternal};

use super::accounts::{check_device_name, check_name};
use super::errors::later;
use super::{Answered, Service, failed, refuse};
use crate::clock::unix_ms;
use crate::external::{NotTaken, Subject};
use crate::store::ExternalIdentity;

impl Service {
    /// Makes a device of whom a token of the issuer's speaks for, and the account if it is his first.
    pub(super) async fn login_external(&self, arguments: LoginExternal) -> Answered {
        let LoginExternal { token, device_name } = arguments;
        let Some(issuer) = &self.issuer else {
            return refuse(
                ErrorCode::NotConfigured,
                "this server takes the word of no issuer; log in by name",
            );
        };
        check_device_name(&device_name)?;
        if token.len() > EXTERNAL_TOKEN_BYTES_MAX {
            return refuse(ErrorCode::TooLarge, "an issuer's token has at most 8 KiB here");
        }
        let subject = issuer.identify(&token).await.map_err(not_taken)?;
        let user = self.user_of(&subject).await?;
        self.open_device(user, &device_name).await
    }

    async fn user_of(&self, subject: &Subject) -> Result<UserId, Error> {
        let identity = ExternalIdentity { issuer: &subject.issuer, subject: &subject.subject };
        if let Some(user) = self.store.external_user(identity).await.map_err(failed)? {
            return Ok(user);
        }
        let nickname = subject.name.as_deref().and_then(nickname).unwrap_or_default();
        let made = self.store.create_external_user(identity, &new_name(), nickname, unix_ms()).await;
        match made.map_err(failed)? {
            Some(user) => Ok(user),
            // Chance alone has taken it.
            None => refuse(ErrorCode::Unavailable, "try again"),
        }
    }
}

/// A name that nobody can have taken in advance, and that tells nothing of the issuer's subject: names are
/// for everybody to see, and a hash of a staff number is soon guessed.
fn new_name() -> String {
    format!("user-{:020x}", rand::random::<u128>() >> 48)
}

/// As much of what the issuer calls somebody as a nickname can have.
fn nickname(name: &str) -> Option<&str> {
    let name = name.trim();
    let name = name[..name.floor_char_boundary(NAME_BYTES_MAX)].trim_end();
    check_name(name).is_ok().then_some(name)
}

fn not_taken(failure: NotTaken) -> Error {
    let bad = |message: &str| Error::new(ErrorCode::BadToken, message);
    match failure {
        NotTaken::Bad => bad("this is not a token of the issuer's for this server"),
        NotTaken::Expired => bad("the issuer's token has expired; get a new one from the issuer"),
        NotTaken::TooEarly => bad("the issuer's token is not valid yet"),
        NotTaken::Unreachable { retry_after } => {
            let message = "the token's key is not known, and the issuer does not answer; try again";
            later(ErrorCode::Unavailable, message, retry_after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nickname_is_what_fits_of_a_name() {
        assert_eq!(nickname(" Ada Lovelace "), Some("Ada Lovelace"));
        assert_eq!(nickname(&"é".repeat(40)).unwrap(), "é".repeat(32));
        assert_eq!(nickname(&format!("{} x", "a".repeat(63))).unwrap(), "a".repeat(63));
        for none in ["", "  ", "a\nb", "\0"] {
            assert_eq!(nickname(none), None, "{none:?}");
        }
    }

    #[test]
    fn names_of_new_accounts_are_names_and_their_own() {
        let (one, other) = (new_name(), new_name());
        assert_ne!(one, other);
        assert!(check_name(&one).is_ok() && one.len() == 25, "{one}");
    }
}
