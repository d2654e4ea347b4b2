use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::{Frame, RgbImage, Rgba, RgbaImage};

use super::*;

const BOUNDS: Bounds =
    Bounds { pixels_max: 2_000_000, frames_max: 5, memory_bytes_max: 64 << 20, cpu_secs_max: 10 };

fn written(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Red in the upper half, blue in the lower one.
fn halves(width: u32, height: u32) -> DynamicImage {
    let pixel = |_, y| if y < height / 2 { image::Rgb([250, 0, 0]) } else { image::Rgb([0, 0, 250]) };
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, pixel))
}

fn sizes(rendered: &Rendered) -> Vec<(String, u32, u32)> {
    let webp = rendered.forms.iter().filter(|(_, media_type, _)| *media_type == "image/webp");
    webp.map(|(name, _, bytes)| {
        let image = image::load_from_memory_with_format(bytes, ImageFormat::WebP).unwrap();
        (name.clone(), image.width(), image.height())
    })
    .collect()
}

#[test]
fn picture_has_the_forms_that_are_smaller_than_it() {
    let of = |width, height| {
        let png = written(&halves(width, height), ImageFormat::Png);
        let rendered = render(&png, Format::Png, BOUNDS).unwrap();
        assert_eq!((rendered.picture.width, rendered.picture.height), (width, height));
        sizes(&rendered)
    };
    let form = |name: &str, width, height| (name.to_owned(), width, height);
    assert_eq!(of(50, 40), [form("96", 50, 40)]);
    assert_eq!(of(200, 100), [form("96", 96, 48), form("480", 200, 100)]);
    assert_eq!(of(400, 1_300), [form("96", 29, 96), form("480", 147, 480), form("1280", 393, 1_280)]);
    assert_eq!(of(1_500, 1), [form("96", 96, 1), form("480", 480, 1), form("1280", 1_280, 1)]);
}

#[test]
fn jpeg_is_turned_upright_and_loses_its_exif() {
    let jpeg = written(&halves(600, 300), ImageFormat::Jpeg);
    let tiff = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0SECRET";
    let length = u16::try_from(tiff.len() + 2).unwrap().to_be_bytes();
    let turned = [&jpeg[..2], b"\xff\xe1", &length, tiff, &jpeg[2..]].concat();
    let rendered = render(&turned, Format::Jpeg, BOUNDS).unwrap();
    assert_eq!((rendered.picture.width, rendered.picture.height), (300, 600));
    let (_, _, largest) = rendered.forms.last().unwrap();
    let image = image::load_from_memory(largest).unwrap().to_rgb8();
    assert_eq!(image.dimensions(), (300, 600));
    // A quarter to the right: what was above is on the right.
    assert!(image.get_pixel(280, 300)[0] > 200 && image.get_pixel(20, 300)[2] > 200);
    for (_, _, bytes) in &rendered.forms {
        assert!(!bytes.windows(6).any(|window| window == b"SECRET"));
    }
    assert!(rendered.picture.thumbhash.len() > 15);
}

#[test]
fn transparent_picture_stays_transparent() {
    let image = RgbaImage::from_fn(200, 200, |x, _| Rgba([9, 200, 9, if x < 100 { 0 } else { 255 }]));
    let png = written(&DynamicImage::ImageRgba8(image), ImageFormat::Png);
    let rendered = render(&png, Format::Png, BOUNDS).unwrap();
    let small = image::load_from_memory(&rendered.forms[0].2).unwrap().to_rgba8();
    assert!(small.get_pixel(10, 48)[3] < 50 && small.get_pixel(86, 48)[3] > 200);
}

#[test]
fn bombs_and_broken_files_are_refused_without_being_read() {
    let png = written(&halves(1_500, 1_500), ImageFormat::Png);
    assert_eq!(render(&png, Format::Png, BOUNDS).unwrap_err().code, Code::TooLarge);
    let mut header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\x06\0\0\0".to_vec();
    let mut crc = crc_of(&header[12..29]);
    header.append(&mut crc);
    assert!(render(&header, Format::Png, BOUNDS).is_err());
    let jpeg = written(&halves(600, 300), ImageFormat::Jpeg);
    for bytes in [&jpeg[..20], b"", b"GIF89a", b"RIFF\xff\xff\xff\xffWEBPVP8 "] {
        for format in [Format::Gif, Format::Jpeg, Format::Png, Format::Webp] {
            assert!(render(bytes, format, BOUNDS).is_err(), "{format:?}");
        }
    }
    // A file that is cut in the middle is shown as far as it goes, or refused; it ends no process.
    drop(render(&jpeg[..jpeg.len() / 2], Format::Jpeg, BOUNDS));
}

/// Returns the check sum of a chunk of PNG, bit by bit.
fn crc_of(bytes: &[u8]) -> Vec<u8> {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 },
        )
    });
    (!crc).to_be_bytes().to_vec()
}

fn gif(frames: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for n in 0..frames {
        let image = RgbaImage::from_pixel(120, 60, Rgba([n * 40, 10, 10, 255]));
        encoder.encode_frame(Frame::new(image)).unwrap();
    }
    drop(encoder);
    bytes
}

#[test]
fn animation_keeps_its_frames_and_nothing_else() {
    let mut bytes = gif(3);
    let comment = b"\x21\xfe\x06SECRET\0";
    // Before the end, and after it.
    let end = bytes.len() - 1;
    bytes.splice(end..end, comment.iter().copied());
    bytes.extend(b"<script>");
    let rendered = render(&bytes, Format::Gif, BOUNDS).unwrap();
    assert!(rendered.picture.is_animated);
    let (name, media_type, animation) = rendered.forms.last().unwrap();
    assert_eq!((name.as_str(), *media_type), ("original", "image/gif"));
    let has = |text: &[u8]| animation.windows(text.len()).any(|window| window == text);
    assert!(!has(b"SECRET") && !has(b"script"));
    let mut decoder = ::gif::DecodeOptions::new().read_info(Cursor::new(animation)).unwrap();
    let mut frames = 0;
    while decoder.read_next_frame().unwrap().is_some() {
        frames += 1;
    }
    assert_eq!(frames, 3);
    assert_eq!(sizes(&rendered), [("96".to_owned(), 96, 48), ("480".to_owned(), 120, 60)]);
}

#[test]
fn gif_of_one_frame_is_a_still_and_one_of_too_many_is_refused() {
    let still = render(&gif(1), Format::Gif, BOUNDS).unwrap();
    assert!(
        !still.picture.is_animated
            && still.forms.iter().all(|(_, media_type, _)| *media_type == "image/webp")
    );
    let refused = render(&gif(6), Format::Gif, BOUNDS).unwrap_err();
    assert!(refused.message.contains("5 frames"), "{}", refused.message);
}

/// Red in the upper half, blue in the lower one, 120 x 80, in the four colours of print as Adobe writes them.
const CMYK: &[u8] = include_bytes!("testdata/cmyk.jpg");

/// Returns a JPEG with a colour profile in segments of 64 KiB, each with its place and their number.
fn with_profile(jpeg: &[u8], segments: &[(u8, u8)]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    for (place, number) in segments {
        let body = [b"ICC_PROFILE\0", &[*place, *number][..], &[0x5a; 65_000]].concat();
        bytes.extend(b"\xff\xe2");
        bytes.extend(u16::try_from(body.len() + 2).unwrap().to_be_bytes());
        bytes.extend(body);
    }
    bytes.extend(&jpeg[2..]);
    bytes
}

#[test]
fn picture_for_print_has_its_colours_on_screen() {
    let rendered = render(CMYK, Format::Jpeg, BOUNDS).unwrap();
    assert_eq!((rendered.picture.width, rendered.picture.height), (120, 80));
    let image = image::load_from_memory(&rendered.forms[1].2).unwrap().to_rgb8();
    let (upper, lower) = (image.get_pixel(60, 10), image.get_pixel(60, 70));
    assert!(upper[0] > 180 && upper[2] < 90, "{upper:?} is red");
    assert!(lower[2] > 100 && lower[0] < 90, "{lower:?} is blue");
    // Cut anywhere, it is shown as far as it goes, or refused.
    for end in (0..CMYK.len()).step_by(37) {
        drop(render(&CMYK[..end], Format::Jpeg, BOUNDS));
    }
}

#[test]
fn colour_profile_goes_however_large_or_broken_it_is() {
    let jpeg = written(&halves(200, 100), ImageFormat::Jpeg);
    let whole: Vec<_> = (1..=160).map(|place| (place, 160)).collect();
    let cases = [&whole[..], &[(0, 0)], &[(2, 1)], &[(1, 255), (1, 255)], &[(255, 255)]];
    for segments in cases {
        let bytes = with_profile(&jpeg, segments);
        let rendered = render(&bytes, Format::Jpeg, BOUNDS).unwrap();
        assert_eq!(sizes(&rendered), [("96".to_owned(), 96, 48), ("480".to_owned(), 200, 100)]);
        for (_, _, form) in &rendered.forms {
            assert!(form.len() < 10_000 && !form.windows(4).any(|window| window == b"ICCP"));
        }
    }
    // A compressed profile of a PNG that grows to 64 MiB is not read.
    let png = written(&halves(200, 100), ImageFormat::Png);
    let mut chunk = b"iCCPp\0\0".to_vec();
    chunk.extend(deflated_zeros());
    let mut bytes = png[..33].to_vec();
    bytes.extend(u32::try_from(chunk.len() - 4).unwrap().to_be_bytes());
    let crc = crc_of(&chunk);
    bytes.extend(chunk);
    bytes.extend(crc);
    bytes.extend(&png[33..]);
    let rendered = render(&bytes, Format::Png, BOUNDS).unwrap();
    assert!(rendered.forms.iter().all(|(_, _, form)| form.len() < 10_000));
}

/// Returns 64 MiB of zeros as zlib has them, made by the encoder of PNG: the data of a picture of one colour.
fn deflated_zeros() -> Vec<u8> {
    let black = image::GrayImage::new(8_192, 8_192);
    let png = written(&DynamicImage::ImageLuma8(black), ImageFormat::Png);
    let (mut at, mut data) = (8, Vec::new());
    while at + 12 <= png.len() {
        let length = usize::try_from(u32::from_be_bytes(png[at..at + 4].try_into().unwrap())).unwrap();
        if &png[at + 4..at + 8] == b"IDAT" {
            data.extend(&png[at + 8..at + 8 + length]);
        }
        at += 12 + length;
    }
    data
}
