//! A picture, decoded and written anew in the sizes that clients show.

use std::io::Cursor;

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use fast_image_resize::images::Image;
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use image::{DynamicImage, GenericImageView, ImageDecoder, ImageFormat, ImageReader, Limits};
use webp::{Encoder, WebPConfig};

use super::form::Picture;
use super::gif;
use super::job::Bounds;
use super::kind::Format;

/// Longest sides of the forms in pixels, the largest first: a full screen, a message, a list.
const SIDES: [u32; 3] = [1_280, 480, 96];
/// Quality of WebP: half the bytes of a JPEG that looks the same.
const QUALITY: f32 = 78.0;
/// Effort of WebP, of 6: 4 saves 3 % of the bytes for twice the time.
const EFFORT: i32 = 2;

/// A picture and the bytes of its forms, the smallest first.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) picture: Picture,
    pub(super) forms: Vec<(String, &'static str, Vec<u8>)>,
}

/// Decodes a picture, turns it upright, and writes its forms.
pub(super) fn render(bytes: &[u8], format: Format, bounds: Bounds) -> Result<Rendered, Refusal> {
    let animation = if format == Format::Gif { gif::rewrite(bytes, bounds)? } else { None };
    let image = decode(bytes, format, bounds)?;
    let mut rendered = shrink(image)?;
    rendered.picture.is_animated = animation.is_some();
    if let Some(animation) = animation {
        rendered.forms.push((super::form::ORIGINAL.to_owned(), "image/gif", animation));
    }
    Ok(rendered)
}

/// A picture in the order of its pixels, and how it is turned upright.
struct Decoded {
    image: DynamicImage,
    orientation: image::metadata::Orientation,
}

fn decode(bytes: &[u8], format: Format, bounds: Bounds) -> Result<Decoded, Refusal> {
    let format = match format {
        Format::Gif => ImageFormat::Gif,
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Webp => ImageFormat::WebP,
    };
    let mut decoder =
        ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > bounds.pixels_max {
        let message = format!(
            "the picture has {width} x {height} pixels; {} megapixels are shown here",
            bounds.pixels_max / 1_000_000
        );
        return Err(Refusal::new(Code::TooLarge, message));
    }
    let mut limits = Limits::no_limits();
    // The other half is for what is made of the pixels.
    limits.max_alloc = Some(bounds.memory_bytes_max / 2);
    decoder.set_limits(limits).map_err(unreadable)?;
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    Ok(Decoded { image, orientation })
}

fn unreadable(error: image::ImageError) -> Refusal {
    match error {
        image::ImageError::Limits(_) => Refusal::new(
            Code::TooLarge,
            "the picture needs more memory than is given to one; make it smaller",
        ),
        error => Refusal::new(Code::UnsupportedMedia, format!("the picture cannot be read: {error}")),
    }
}

/// Makes the forms, each of the one before: the largest reads all pixels, the others few.
fn shrink(decoded: Decoded) -> Result<Rendered, Refusal> {
    let Decoded { image, orientation } = decoded;
    let has_alpha = image.color().has_alpha();
    let (width, height) = image.dimensions();
    let longest = width.max(height);
    let mut image = resize(flat(image, has_alpha), SIDES[0])?;
    // Turned when small: a quarter turn copies every pixel.
    image.apply_orientation(orientation);
    let is_turned = image.width() != image.height() && (image.width() > image.height()) != (width > height);
    let (width, height) = if is_turned { (height, width) } else { (width, height) };
    let mut forms = Vec::new();
    for (at, side) in SIDES.into_iter().enumerate() {
        // A form that is not smaller than the next one is left out.
        let is_needed = SIDES.get(at + 1).is_none_or(|smaller| longest > *smaller);
        if at > 0 {
            image = resize(image, side)?;
        }
        if is_needed {
            forms.push((side.to_string(), "image/webp", encode(&image)?));
        }
    }
    forms.reverse();
    let small = image.to_rgba8();
    let (w, h) = (small.width() as usize, small.height() as usize);
    let thumbhash = thumbhash::rgba_to_thumb_hash(w, h, small.as_raw());
    Ok(Rendered { picture: Picture { width, height, is_animated: false, thumbhash }, forms })
}

/// Returns the picture with 8 bits a channel, and with alpha only if it had some.
fn flat(image: DynamicImage, has_alpha: bool) -> DynamicImage {
    match (image, has_alpha) {
        (image @ (DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_)), _) => image,
        (image, true) => DynamicImage::ImageRgba8(image.into_rgba8()),
        (image, false) => DynamicImage::ImageRgb8(image.into_rgb8()),
    }
}

/// Returns the picture with its longest side at most `side`.
fn resize(image: DynamicImage, side: u32) -> Result<DynamicImage, Refusal> {
    let (width, height) = image.dimensions();
    let longest = width.max(height);
    if longest <= side {
        return Ok(image);
    }
    let scaled = |length: u32| {
        let length = u64::from(length) * u64::from(side) / u64::from(longest);
        u32::try_from(length).unwrap_or(side).max(1)
    };
    let (to_width, to_height) = (scaled(width), scaled(height));
    let failed = || Refusal::new(Code::UnsupportedMedia, "the picture cannot be made smaller");
    let (pixel, bytes) = match image {
        DynamicImage::ImageRgba8(image) => (PixelType::U8x4, image.into_raw()),
        image => (PixelType::U8x3, image.into_rgb8().into_raw()),
    };
    let from = Image::from_vec_u8(width, height, bytes, pixel).map_err(|_| failed())?;
    let mut to = Image::new(to_width, to_height, pixel);
    Resizer::new().resize(&from, &mut to, &ResizeOptions::new()).map_err(|_| failed())?;
    drop(from);
    let bytes = to.into_vec();
    let image = match pixel {
        PixelType::U8x4 => {
            image::RgbaImage::from_raw(to_width, to_height, bytes).map(DynamicImage::ImageRgba8)
        }
        _ => image::RgbImage::from_raw(to_width, to_height, bytes).map(DynamicImage::ImageRgb8),
    };
    image.ok_or_else(failed)
}

fn encode(image: &DynamicImage) -> Result<Vec<u8>, Refusal> {
    let failed =
        |why: &str| Refusal::new(Code::UnsupportedMedia, format!("the picture cannot be written: {why}"));
    let mut config = WebPConfig::new().map_err(|()| failed("the encoder has no settings"))?;
    config.quality = QUALITY;
    config.method = EFFORT;
    let (width, height) = image.dimensions();
    let encoder = match image {
        DynamicImage::ImageRgba8(image) => Encoder::from_rgba(image.as_raw(), width, height),
        DynamicImage::ImageRgb8(image) => Encoder::from_rgb(image.as_raw(), width, height),
        _ => return Err(failed("its colours are not flat")),
    };
    let encoded = encoder.encode_advanced(&config).map_err(|error| failed(&format!("{error:?}")))?;
    Ok(encoded.to_vec())
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
