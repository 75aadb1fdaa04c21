//! Files: avatars and attachments, which go over HTTP.

mod address;
mod answer;
mod door;
mod download;
mod options;
mod source;
#[cfg(test)]
mod tests;

use std::ops::RangeBounds;
use std::sync::Arc;

use goim_core::ConversationId;
use goim_proto::{Content, FileContent, ImageContent};

pub(crate) use self::door::{Door, HttpClient, http_client};
pub use self::download::Download;
pub(crate) use self::options::FileOptions;
pub use self::source::FileSource;
use crate::shared::Shared;
use crate::{Client, FileError};

/// What a file is at the server, once it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[non_exhaustive]
pub struct StoredFile {
    /// SHA-256 of its content, in hexadecimal. It names the file from now on: as the avatar of a profile or a
    /// group, as the key of a picture or a file in a message.
    pub hash: String,
    /// What its first bytes say that it is (RFC 6838).
    pub media_type: String,
    /// How many bytes it has.
    pub bytes: u64,
}

impl StoredFile {
    /// A message that shows this attachment: a picture if it is one, otherwise a file. The name has up to 256
    /// bytes, or none. For more than a name convert it into an [`ImageContent`] or a [`FileContent`], and
    /// fill in the rest.
    #[must_use]
    pub fn into_content(self, name: impl Into<String>) -> Content {
        let name = name.into();
        if self.media_type.starts_with("image/") {
            Content::Image(ImageContent { name, ..self.into() })
        } else {
            Content::File(FileContent { name, ..self.into() })
        }
    }
}

impl From<StoredFile> for ImageContent {
    fn from(StoredFile { hash, media_type, bytes }: StoredFile) -> Self {
        Self { key: hash, media_type, size: bytes, ..Self::default() }
    }
}

impl From<StoredFile> for FileContent {
    fn from(StoredFile { hash, media_type, bytes }: StoredFile) -> Self {
        Self { key: hash, media_type, size: bytes, ..Self::default() }
    }
}

impl Client {
    /// Uploads a picture (PNG, JPEG, GIF or WebP) for a profile or a group to show: name its hash in
    /// [`Client::update_profile`] or [`Client::update_group`]. One that none shows is kept for a day.
    ///
    /// # Errors
    ///
    /// [`FileError`], for one if it is no picture, or too large.
    pub async fn upload_avatar(&self, file: impl Into<FileSource> + Send) -> Result<StoredFile, FileError> {
        self.upload(AVATARS, file.into()).await
    }

    /// Uploads a file to a conversation, for its members to fetch, without ever having all of it in memory.
    /// Nobody is told: send [what it is](StoredFile::into_content) behind it. If this is dropped before its end,
    /// nothing is kept.
    ///
    /// ```no_run
    /// # use goim_client::{Client, ConversationId, FileSource};
    /// # async fn show(client: Client, group: ConversationId) -> Result<(), Box<dyn std::error::Error>> {
    /// let file = FileSource::open("tea.png").await?;
    /// let stored = client.upload_attachment(group, file).await?;
    /// client.send(group, stored.into_content("tea.png")).await?.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`FileError`], for one if it is too large, or this user may not write there.
    pub async fn upload_attachment(
        &self,
        conversation: ConversationId,
        file: impl Into<FileSource> + Send,
    ) -> Result<StoredFile, FileError> {
        self.upload(&attachments(conversation), file.into()).await
    }

    /// Fetches an avatar, or of it a range of bytes: `..` for all of it.
    ///
    /// # Errors
    ///
    /// [`FileError`], for one if there is none.
    pub async fn download_avatar(
        &self,
        hash: &str,
        range: impl RangeBounds<u64> + Send,
    ) -> Result<Download, FileError> {
        self.download(AVATARS, hash, range).await
    }

    /// Fetches an attachment of a conversation, or of it a range of bytes: `..` for all of it. What names it
    /// is the key in the message.
    ///
    /// ```no_run
    /// # use goim_client::{Client, Content, Message};
    /// # async fn save(client: Client, message: Message) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Content::Image(image) = message.content() {
    ///     let mut picture = client.download_attachment(message.conversation, &image.key, ..).await?.into_reader();
    ///     let mut file = tokio::fs::File::create(&image.key).await?;
    ///     tokio::io::copy_buf(&mut picture, &mut file).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`FileError`], for one if it was removed, or this user is not a member.
    pub async fn download_attachment(
        &self,
        conversation: ConversationId,
        hash: &str,
        range: impl RangeBounds<u64> + Send,
    ) -> Result<Download, FileError> {
        self.download(&attachments(conversation), hash, range).await
    }

    /// Takes an attachment out of its conversation again: one that this user brought, or any if he owns or
    /// manages the group. The message stays, unless it is [recalled](Client::recall).
    ///
    /// # Errors
    ///
    /// [`FileError`], for one if there is none that he may take.
    pub async fn remove_attachment(&self, conversation: ConversationId, hash: &str) -> Result<(), FileError> {
        let path = path_of(&attachments(conversation), hash)?;
        self.door()?.remove(&path, self.shared.access_token().await?).await
    }

    async fn upload(&self, path: &str, file: FileSource) -> Result<StoredFile, FileError> {
        self.door()?.upload(path, self.shared.access_token().await?, file).await
    }

    async fn download(
        &self,
        path: &str,
        hash: &str,
        range: impl RangeBounds<u64> + Send,
    ) -> Result<Download, FileError> {
        let path = path_of(path, hash)?;
        let range = download::Wanted::new(&range)?;
        self.door()?.download(&path, self.shared.access_token().await?, hash, range).await
    }

    fn door(&self) -> Result<&Arc<Door>, FileError> {
        self.door.as_ref().ok_or(FileError::NoAddress)
    }
}

impl Shared {
    /// The session's token. One that is over is waited for until the session has a new one, as calls wait
    /// for a connection. Without a session there is none, and the server says what that means.
    async fn access_token(&self) -> Result<Option<String>, FileError> {
        let mut asked = false;
        loop {
            let progress = self.progress.notified();
            {
                let state = self.state();
                if state.closed || state.ended {
                    return Err(FileError::Closed);
                }
                let Some(tokens) = &state.tokens else { return Ok(None) };
                let now_ms = self.server_ms(&state);
                let over = tokens.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms + MARGIN_MS);
                if !over || tokens.refresh.is_none() {
                    return Ok(Some(tokens.access.clone()));
                }
            }
            // Once: a session that moves on looks itself, and says so each time.
            if !std::mem::replace(&mut asked, true) {
                self.wake.notify_one();
            }
            progress.await;
        }
    }
}

/// A token that is over so soon may be when it arrives.
const MARGIN_MS: u64 = 5_000;

const AVATARS: &str = "/v1/avatars";

fn attachments(conversation: ConversationId) -> String {
    format!("/v1/conversations/{conversation}/attachments")
}

/// Where a file is. What names it may come from somebody else's message, and must not lead elsewhere.
fn path_of(files: &str, hash: &str) -> Result<String, FileError> {
    match hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        true => Ok(format!("{files}/{hash}")),
        false => Err(FileError::BadHash(hash.to_owned())),
    }
}
