//! Accounts: people, their devices and sessions, and bots.

use std::net::IpAddr;
use std::sync::Arc;

use goim_core::{DeviceId, UserId};
use goim_proto::limits::NAME_BYTES_MAX;
use goim_proto::{Authenticate, BotToken, Credentials, Error, ErrorCode, Reply, Session, SessionInfo, User};

use super::passwords::{PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN, PasswordError};
use super::tokens::{Claim, Presented, TokenError};
use super::{Answered, Service, Tokens, failed, failed_or_too_many, refuse, send_away};
use crate::access::{Connection, Opened};
use crate::clock::unix_ms;
use crate::store::{BotOwner, DeviceRow};

/// What a device is called that has no name.
const DEVICE_NAME: &str = "device";
/// The instance of a bot that names none.
const INSTANCE_NAME: &str = "default";

impl Service {
    /// Makes a user and his first device.
    pub(super) async fn register(&self, arguments: Credentials) -> Answered {
        let Credentials { name, password, device_name } = arguments;
        check_name(&name)?;
        check_device_name(&device_name)?;
        check_password(&password)?;
        let hash = self.passwords.hash(password).await.map_err(password_error)?;
        let made = self.store.create_user(&name, Some(&hash), None, unix_ms()).await.map_err(failed)?;
        match made {
            Some(user) => self.open_device(user.user, &device_name).await,
            None => refuse(ErrorCode::NameTaken, "the name is taken; choose another"),
        }
    }

    /// Checks a password and makes a device.
    pub(super) async fn login(&self, address: IpAddr, arguments: Credentials) -> Answered {
        let Credentials { name, password, device_name } = arguments;
        check_device_name(&device_name)?;
        let wrong = || refuse(ErrorCode::BadCredentials, "no user has this name and password");
        if check_name(&name).is_err() || password.len() > PASSWORD_BYTES_MAX {
            return wrong();
        }
        let guess = self.logins.guess(self.clock.now(), address, &name)?;
        let user = self.store.user_by_name(&name).await.map_err(failed)?;
        let hash = user.as_ref().and_then(|user| user.password_hash.clone());
        let matches = self.passwords.verify(password, hash.clone()).await.map_err(password_error)?;
        let (Some(user), Some(hash), true) = (user, hash, matches) else {
            guess.was_wrong();
            return wrong();
        };
        let device_name = named(&device_name);
        let device = self.store.login_device(user.user, &hash, device_name, unix_ms()).await;
        match device.map_err(failed)? {
            Some(device) => self.tokens_for(device).await,
            // It was changed meanwhile.
            None => wrong(),
        }
    }

    pub(super) async fn open_device(&self, user: UserId, name: &str) -> Answered {
        let device = self.store.create_device(user, named(name), unix_ms()).await.map_err(failed)?;
        self.tokens_for(device).await
    }

    /// New tokens for a device.
    async fn tokens_for(&self, device: DeviceId) -> Answered {
        let Some(row) = self.live_device(device).await? else {
            return refuse(ErrorCode::BadToken, "the device was revoked; log in again");
        };
        let now_ms = unix_ms();
        let refresh = Tokens::refresh();
        let expires_ms = now_ms + 1_000 * self.config.refresh_token_ttl_s;
        self.store.put_refresh_token(&refresh.hash, device, expires_ms).await.map_err(failed)?;
        let access_expires_ms = now_ms + 1_000 * self.config.access_token_ttl_s;
        let claim = Claim { user: row.user, device, expires_ms: access_expires_ms };
        Ok(Reply::Session(Session {
            info: SessionInfo { user: row.user, device, inbox: row.inbox },
            access_token: self.tokens.access(claim),
            access_expires_ms,
            refresh_token: refresh.text,
        }))
    }

    async fn live_device(&self, device: DeviceId) -> Result<Option<DeviceRow>, Error> {
        let row = self.store.device(device).await.map_err(failed)?;
        Ok(row.filter(|row| !row.revoked))
    }

    /// Takes a refresh token and gives the next one; the one taken is worth nothing from then on.
    pub(super) async fn refresh(&self, token: &str) -> Answered {
        let Ok(Presented::Refresh(hash)) = self.tokens.present(token, unix_ms()) else {
            return refuse(ErrorCode::BadToken, "this is not a refresh token");
        };
        match self.store.take_refresh_token(&hash, unix_ms()).await.map_err(failed)? {
            Some(row) => self.tokens_for(row.device).await,
            None => refuse(
                ErrorCode::BadToken,
                "the refresh token was used, revoked or has expired; log in again",
            ),
        }
    }

    /// Revokes the calling device: its tokens are worth nothing, its sessions end.
    pub(super) async fn logout(&self, session: &SessionInfo) -> Answered {
        self.revoke_device(session, session.device).await
    }

    /// Opens or renews the session of a connection.
    pub(crate) async fn authenticate(
        &self,
        connection: &Arc<Connection>,
        arguments: &Authenticate,
    ) -> Result<SessionInfo, Error> {
        let (session, expires_ms) = self.session_for(arguments).await?;
        match connection.authenticate(&session, expires_ms) {
            Opened::New => {
                self.hub.enter(session.user, connection);
                self.device_moved(&session);
                if connection.epoch() != self.epoch() {
                    // Its user's connections were sent away before this one was among them.
                    send_away(connection);
                }
                self.metrics.sessions_total.add(1);
            }
            Opened::Renewed => {}
            Opened::OtherDevice => {
                return refuse(
                    ErrorCode::Forbidden,
                    "the connection speaks for another device; open a new one",
                );
            }
        }
        Ok(session)
    }

    /// Whom a token speaks for, and until when, in milliseconds since the Unix epoch.
    pub(super) async fn session_for(&self, arguments: &Authenticate) -> Result<(SessionInfo, u64), Error> {
        let presented =
            self.tokens.present(&arguments.token, unix_ms()).map_err(|failure| match failure {
                TokenError::Expired => {
                    Error::new(ErrorCode::BadToken, "the access token has expired; refresh it")
                }
                TokenError::Malformed => {
                    Error::new(ErrorCode::BadToken, "this is not a token of this server")
                }
            })?;
        match presented {
            Presented::Access(claim) => Ok((self.access_session(claim).await?, claim.expires_ms)),
            Presented::Bot(hash) => Ok((self.bot_session(hash, &arguments.instance).await?, u64::MAX)),
            Presented::Refresh(_) => {
                refuse(ErrorCode::BadToken, "a refresh token opens no session; refresh it first")
            }
        }
    }

    async fn access_session(&self, claim: Claim) -> Result<SessionInfo, Error> {
        match self.live_device(claim.device).await? {
            Some(row) if row.user == claim.user => {
                Ok(SessionInfo { user: row.user, device: row.device, inbox: row.inbox })
            }
            Some(_) | None => refuse(ErrorCode::BadToken, "the device was revoked; log in again"),
        }
    }

    async fn bot_session(&self, hash: [u8; 32], instance: &str) -> Result<SessionInfo, Error> {
        check_device_name(instance)?;
        if instance.trim() != instance {
            // HTTP takes them off, and it would be another instance.
            return refuse(ErrorCode::BadName, "an instance's name does not begin or end with a space");
        }
        let instance = if instance.is_empty() { INSTANCE_NAME } else { instance };
        match self.store.bot_device(&hash, instance, unix_ms()).await.map_err(failed)? {
            Some(row) if !row.revoked => {
                Ok(SessionInfo { user: row.user, device: row.device, inbox: row.inbox })
            }
            Some(_) => refuse(ErrorCode::BadToken, "this instance was logged out; name another one"),
            None => refuse(ErrorCode::BadToken, "the bot's token is unknown or revoked"),
        }
    }

    /// Makes a bot of the caller's.
    pub(super) async fn create_bot(&self, session: &SessionInfo, name: &str) -> Answered {
        check_name(name)?;
        let caller = self.store.user(session.user).await.map_err(failed)?;
        if caller.is_none_or(|caller| caller.owner.is_some()) {
            return refuse(ErrorCode::Forbidden, "only people make bots");
        }
        let owner = BotOwner { user: session.user, bots_max: self.limits.bots_max };
        let made = self.store.create_user(name, None, Some(owner), unix_ms()).await;
        let refused = failed_or_too_many("you have made as many bots as this server allows");
        let Some(bot) = made.map_err(refused)? else {
            return refuse(ErrorCode::NameTaken, "the name is taken; choose another");
        };
        let token = Tokens::bot();
        self.store.put_bot_token(&token.hash, bot.user).await.map_err(failed)?;
        Ok(Reply::BotToken(BotToken { user: bot.user, token: token.text }))
    }

    /// Revokes a bot's tokens and ends its sessions.
    pub(super) async fn revoke_bot(&self, session: &SessionInfo, bot: UserId) -> Answered {
        let row = self.store.user(bot).await.map_err(failed)?;
        if row.is_none_or(|row| row.owner != Some(session.user)) {
            return refuse(ErrorCode::NotFound, "you have no such bot");
        }
        self.store.revoke_bot(bot).await.map_err(failed)?;
        self.end_sessions(bot, |_| true);
        Ok(Reply::Done)
    }

    /// Finds a user by his name.
    pub(super) async fn find_user(&self, name: &str) -> Answered {
        if check_name(name).is_err() {
            return refuse(ErrorCode::NotFound, "no user has this name");
        }
        match self.store.user_by_name(name).await.map_err(failed)? {
            Some(row) => Ok(Reply::User(User { user: row.user, name: row.name })),
            None => refuse(ErrorCode::NotFound, "no user has this name"),
        }
    }
}

/// A user's or a group's name.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let printable = name.trim() == name && !name.chars().any(char::is_control);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !printable {
        let message = "a name has 1 to 64 bytes, no control characters, and no space at its ends";
        return refuse(ErrorCode::BadName, message);
    }
    Ok(())
}

/// A password that shall be kept.
pub(super) fn check_password(password: &str) -> Result<(), Error> {
    if !(PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&password.len()) {
        return refuse(ErrorCode::WeakPassword, "a password has 8 to 128 bytes");
    }
    Ok(())
}

/// What a device is called that may have no name.
fn named(device_name: &str) -> &str {
    if device_name.is_empty() { DEVICE_NAME } else { device_name }
}

pub(super) fn check_device_name(name: &str) -> Result<(), Error> {
    if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return refuse(ErrorCode::BadName, "a device's name has at most 64 bytes and no control characters");
    }
    Ok(())
}

pub(super) fn password_error(failure: PasswordError) -> Error {
    match failure {
        PasswordError::Busy => {
            let error = Error::new(ErrorCode::RateLimited, "too many are logging in; try again shortly");
            Error { retry_after_ms: Some(1_000), ..error }
        }
        PasswordError::Failed => Error::new(ErrorCode::Internal, "the password could not be checked"),
    }
}
