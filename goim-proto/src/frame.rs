//! Frames: a big-endian length of 4 bytes, then one MessagePack array. A stream is a row of them, and
//! so is a datagram, which holds whole ones only.

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::FRAME_BYTES_MAX;
use crate::wire::{Encode, encode};

/// The bytes before a frame that hold its length.
pub const PREFIX_BYTES: usize = 4;

/// A frame that cannot be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes; at most {max} are allowed", max = FRAME_BYTES_MAX)]
    TooLarge(usize),
    /// A frame without a byte, which no array is.
    #[error("a frame of no bytes")]
    Empty,
}

/// Appends a value to a buffer as a frame.
///
/// # Errors
///
/// [`FrameError::TooLarge`]; the buffer is then as it was.
pub fn encode_frame<T: Encode + ?Sized>(value: &T, buffer: &mut BytesMut) -> Result<(), FrameError> {
    frame_with(buffer, |buffer| encode(value, buffer))
}

/// Appends a frame whose array `write` appends.
///
/// # Errors
///
/// [`FrameError::TooLarge`]; the buffer is then as it was.
pub fn frame_with(buffer: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) -> Result<(), FrameError> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; PREFIX_BYTES]);
    write(buffer);
    let length = buffer.len() - start - PREFIX_BYTES;
    let prefix = u32::try_from(length).ok().filter(|_| length <= FRAME_BYTES_MAX);
    let Some(prefix) = prefix else {
        buffer.truncate(start);
        return Err(FrameError::TooLarge(length));
    };
    buffer[start..start + PREFIX_BYTES].copy_from_slice(&prefix.to_be_bytes());
    Ok(())
}

/// Cuts a byte stream into frames.
///
/// Put what arrives into [`FrameReader::buffer`], then take frames until there is none. Frames
/// are slices of the buffer; they share its memory and are not copied.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: BytesMut,
}

impl FrameReader {
    /// Where to put bytes that arrived. It holds at most one incomplete frame between calls.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole frame without its length, or `None` until more bytes are there.
    ///
    /// # Errors
    ///
    /// [`FrameError`] for a length that no frame has. The stream cannot be read any further.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        match length {
            0 => return Err(FrameError::Empty),
            _ if length > FRAME_BYTES_MAX => return Err(FrameError::TooLarge(length)),
            _ if self.buffer.len() < PREFIX_BYTES + length => return Ok(None),
            _ => {}
        }
        self.buffer.advance(PREFIX_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Whether nothing of an incomplete frame is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}
