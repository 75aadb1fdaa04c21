//! Calls about people: profiles, search, the own account's password and devices.

use goim_core::{DeviceId, UserId};
use goim_proto::{
    Call, ChangePassword, DeviceArgument, DevicePage, FoundPage, ListDevices, Presence, PresenceList,
    Profile, ProfileList, ProfileUpdate, Reply, SearchUsers, SetPresence, UserList,
};

use crate::{CallError, Client};

impl Client {
    /// Says that the user is away from this device, or back. It counts for as long as the device stays
    /// connected.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn set_away(&self, away: bool) -> Result<(), CallError> {
        self.call(Call::SetPresence(SetPresence { away })).await.map(drop)
    }

    /// Whether up to 100 users are there, in their order; a state of 0 for those who were never seen, or
    /// do not let this user know. Nobody is told of changes: ask again.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if there are too many.
    pub async fn presences(&self, users: &[UserId]) -> Result<Vec<Presence>, CallError> {
        let call = Call::Presences(UserList { users: users.to_vec() });
        let list: PresenceList = expect!(self.call(call).await, Presences)?;
        Ok(list.presences)
    }

    /// The profiles of those of up to 100 users that exist, by ascending id.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, CallError> {
        let list: ProfileList =
            expect!(self.call(Call::Profiles(UserList { users: users.to_vec() })).await, Profiles)?;
        Ok(list.profiles)
    }

    /// Changes what is given of this user's profile; returns it as it is then.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if something is too long.
    pub async fn update_profile(&self, update: ProfileUpdate) -> Result<Profile, CallError> {
        let list: ProfileList = expect!(self.call(Call::UpdateProfile(update)).await, Profiles)?;
        list.profiles.into_iter().next().ok_or(CallError::UnexpectedReply)
    }

    /// A page of users whose name or nickname begins like this; `after` is empty, or the `next` of the
    /// page before.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn search_users(&self, prefix: &str, after: &str, limit: u32) -> Result<FoundPage, CallError> {
        let call = SearchUsers { prefix: prefix.to_owned(), after: after.to_owned(), limit };
        expect!(self.call(Call::SearchUsers(call)).await, Found)
    }

    /// Changes this user's password. All of his other devices have to log in again.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if the password is wrong or the new one too short.
    pub async fn change_password(&self, password: &str, new_password: &str) -> Result<(), CallError> {
        let call = ChangePassword { password: password.to_owned(), new_password: new_password.to_owned() };
        self.call(Call::ChangePassword(call)).await.map(drop)
    }

    /// A page of this user's devices with ids greater than `after`.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn devices(&self, after: DeviceId, limit: u32) -> Result<DevicePage, CallError> {
        expect!(self.call(Call::ListDevices(ListDevices { after, limit })).await, Devices)
    }

    /// Ends the sessions of one of this user's devices for good.
    ///
    /// # Errors
    ///
    /// [`CallError`], for one if it is not this user's.
    pub async fn revoke_device(&self, device: DeviceId) -> Result<(), CallError> {
        self.call(Call::RevokeDevice(DeviceArgument { device })).await.map(drop)
    }
}
