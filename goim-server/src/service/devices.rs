//! What a person does to his account besides opening sessions: the password and the devices.

use goim_core::DeviceId;
use goim_proto::{ChangePassword, DevicePage, ErrorCode, ListDevices, Reply, SessionInfo};

use super::accounts::{check_password, password_error};
use super::passwords::PASSWORD_BYTES_MAX;
use super::profiles::page_limit;
use super::{Answered, Service, failed, refuse};

impl Service {
    /// Replaces the caller's password; all of his devices but the calling one are out.
    pub(super) async fn change_password(&self, session: &SessionInfo, arguments: ChangePassword) -> Answered {
        let ChangePassword { password, new_password } = arguments;
        let wrong = || refuse(ErrorCode::BadCredentials, "this is not your password");
        check_password(&new_password)?;
        let user = self.store.user(session.user).await.map_err(failed)?;
        // (Nor has somebody who is gone.)
        let Some(old) = user.and_then(|user| user.password_hash) else {
            let message =
                "you have no password: bots log in by their token, and accounts of an issuer by its";
            return refuse(ErrorCode::Forbidden, message);
        };
        if password.len() > PASSWORD_BYTES_MAX {
            return wrong();
        }
        let guess = self.logins.guess_own(self.clock.now(), session.user)?;
        let matches = self.passwords.verify(password, Some(old.clone())).await.map_err(password_error)?;
        if !matches {
            guess.was_wrong();
            return wrong();
        }
        let new = self.passwords.hash(new_password).await.map_err(password_error)?;
        let (user, device) = (session.user, session.device);
        if !self.store.change_password(user, device, &old, &new).await.map_err(failed)? {
            return wrong();
        }
        self.end_sessions(user, |other| other != device);
        Ok(Reply::Done)
    }

    /// Lists the caller's devices.
    pub(super) async fn list_devices(&self, session: &SessionInfo, arguments: ListDevices) -> Answered {
        let limit = page_limit(arguments.limit);
        let devices = self.store.devices(session.user, arguments.after, limit).await.map_err(failed)?;
        let more = devices.len() >= limit as usize;
        Ok(Reply::Devices(DevicePage { devices, more }))
    }

    /// Revokes one of the caller's devices: its tokens are worth nothing, its sessions end.
    pub(super) async fn revoke_device(&self, session: &SessionInfo, device: DeviceId) -> Answered {
        let row = self.store.device(device).await.map_err(failed)?;
        if row.is_none_or(|row| row.user != session.user) {
            return refuse(ErrorCode::NotFound, "you have no such device");
        }
        self.store.revoke_device(device).await.map_err(failed)?;
        self.end_sessions(session.user, |one| one == device);
        Ok(Reply::Done)
    }
}
