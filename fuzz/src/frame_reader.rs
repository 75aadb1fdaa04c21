//! How a byte stream is cut into frames.

use bytes::{Bytes, BytesMut};
use goim_core_models::Input;
use goim_proto::FrameReader;
use goim_proto::frame::{FrameError, PREFIX_BYTES, frame_with};
use goim_proto::limits::FRAME_BYTES_MAX;

/// Cuts a stream that arrives in pieces: bytes as they are, or frames as they are written.
///
/// # Panics
///
/// If the frames are not those of the stream as a whole.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let sizes: Vec<_> = (0..input.below(8)).map(|_| 1 + input.below(64)).collect();
    match input.below(8) {
        0..=3 => cut(input.rest(), &sizes),
        4..=6 => written(&mut input, &sizes),
        _ => too_large(input.below(4)),
    }
}

/// What a stream comes to: its frames, and how it ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Frames {
    frames: Vec<Bytes>,
    error: Option<FrameError>,
    rest: usize,
}

/// All at once, by the book.
fn by_the_book(mut stream: &[u8]) -> Frames {
    let mut found = Frames::default();
    while let Some((prefix, rest)) = stream.split_first_chunk::<PREFIX_BYTES>() {
        let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap();
        if length == 0 || length > FRAME_BYTES_MAX {
            found.error = Some(if length == 0 { FrameError::Empty } else { FrameError::TooLarge(length) });
            break;
        }
        let Some((frame, rest)) = rest.split_at_checked(length) else { break };
        found.frames.push(Bytes::copy_from_slice(frame));
        stream = rest;
    }
    found.rest = stream.len();
    found
}

/// In pieces of these sizes, over and over; all at once without a size.
fn in_pieces(mut stream: &[u8], sizes: &[usize]) -> Frames {
    let (mut reader, mut found) = (FrameReader::default(), Frames::default());
    let whole = [stream.len()];
    for size in (if sizes.is_empty() { &whole } else { sizes }).iter().cycle() {
        let (piece, rest) = stream.split_at((*size).min(stream.len()));
        stream = rest;
        reader.buffer().extend_from_slice(piece);
        while found.error.is_none() {
            match reader.next_frame() {
                Ok(Some(frame)) => found.frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(reader.next_frame(), Err(error), "it stays unreadable");
                    found.error = Some(error);
                }
            }
        }
        if stream.is_empty() {
            break;
        }
    }
    found.rest = reader.buffer().len();
    assert_eq!(reader.is_empty(), found.rest == 0);
    found
}

fn cut(stream: &[u8], sizes: &[usize]) {
    let expected = by_the_book(stream);
    assert_eq!(in_pieces(stream, sizes), expected);
}

fn written(input: &mut Input<'_>, sizes: &[usize]) {
    let mut stream = BytesMut::new();
    let mut frames = Vec::new();
    while !input.is_empty() {
        let length = 1 + input.below(300);
        let frame = Bytes::from(vec![0xc0 | u8::try_from(input.below(4)).unwrap(); length]);
        frame_with(&mut stream, |buffer| buffer.extend_from_slice(&frame)).expect("it is short");
        frames.push(frame);
    }
    assert_eq!(in_pieces(&stream, sizes), Frames { frames, error: None, rest: 0 });
}

/// The longest frame is written and read, a longer one leaves the buffer as it was.
fn too_large(over: usize) {
    let (length, mut stream) = (FRAME_BYTES_MAX - 1 + over, BytesMut::from(&b"before"[..]));
    let written = frame_with(&mut stream, |buffer| buffer.resize(buffer.len() + length, 1));
    if over < 2 {
        assert_eq!(written, Ok(()));
        let found = by_the_book(&stream[6..]);
        assert_eq!((found.frames.len(), found.frames[0].len(), found.rest), (1, length, 0));
        cut(&stream[6..], &[1 << 16]);
    } else {
        assert_eq!(written, Err(FrameError::TooLarge(length)));
        assert_eq!(&stream[..], b"before");
    }
}
