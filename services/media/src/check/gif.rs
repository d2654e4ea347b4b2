//! An animation in GIF, without anything but its frames.

use std::borrow::Cow;
use std::io::Cursor;

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use gif::{DecodeOptions, Encoder, MemoryLimit, Repeat};

use super::job::Bounds;

/// Returns an animation with the same frames, and without comments, texts, other extensions and what follows its end.
/// `None` for a picture with one frame, of which the other forms are enough.
pub(super) fn rewrite(bytes: &[u8], bounds: Bounds) -> Result<Option<Vec<u8>>, Refusal> {
    check(bytes, bounds)?;
    let mut options = DecodeOptions::new();
    options.skip_frame_decoding(true);
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
    let palette = decoder.global_palette().unwrap_or_default().to_vec();
    let mut encoder = Encoder::new(Vec::new(), decoder.width(), decoder.height(), &palette)
        .map_err(|error| unwritable(&error))?;
    let mut frames = 0;
    while let Some(frame) = decoder.read_next_frame().map_err(|error| unreadable(&error))? {
        if frames == 0 {
            encoder.set_repeat(Repeat::Infinite).map_err(|error| unwritable(&error))?;
        }
        let mut frame = frame.clone();
        frame.buffer = Cow::Owned(frame.buffer.into_owned());
        encoder.write_lzw_pre_encoded_frame(&frame).map_err(|error| unwritable(&error))?;
        frames += 1;
    }
    let written = encoder.into_inner().map_err(|error| unwritable(&error))?;
    Ok((frames > 1).then_some(written))
}

/// Decodes every frame, within the bounds.
fn check(bytes: &[u8], bounds: Bounds) -> Result<(), Refusal> {
    let mut options = DecodeOptions::new();
    let memory = std::num::NonZeroU64::new(bounds.memory_bytes_max / 4);
    options.set_memory_limit(memory.map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
    let pixels = u64::from(decoder.width()) * u64::from(decoder.height());
    if pixels > bounds.pixels_max {
        return Err(Refusal::new(Code::TooLarge, "the animation has more pixels than are shown here"));
    }
    let mut frames = 0;
    while decoder.read_next_frame().map_err(|error| unreadable(&error))?.is_some() {
        frames += 1;
        if frames > bounds.frames_max {
            let message = format!("an animation may have {} frames; make it shorter", bounds.frames_max);
            return Err(Refusal::new(Code::TooLarge, message));
        }
    }
    Ok(())
}

fn unreadable(error: &gif::DecodingError) -> Refusal {
    Refusal::new(Code::UnsupportedMedia, format!("the animation cannot be read: {error}"))
}

fn unwritable(error: &gif::EncodingError) -> Refusal {
    Refusal::new(Code::UnsupportedMedia, format!("the animation cannot be written: {error}"))
}
