//! Pictures that no other run has: PNG without compression, of the noise that a number makes. Pure.

/// Largest block of bytes without compression.
const BLOCK_BYTES: usize = 65_535;

/// Returns a picture in three bytes a pixel, as a file.
pub(super) fn png(side_px: u32, seed: u64) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let size = [side_px.to_be_bytes(), side_px.to_be_bytes()].concat();
    chunk(&mut file, b"IHDR", &[&size[..], &[8, 2, 0, 0, 0]].concat());
    chunk(&mut file, b"IDAT", &stored(&rows(side_px, seed)));
    chunk(&mut file, b"IEND", &[]);
    file
}

/// Rows of a picture, each behind the number of its filter.
fn rows(side_px: u32, seed: u64) -> Vec<u8> {
    let row_bytes = side_px as usize * 3 + 1;
    let (mut rows, mut state) = (vec![0; row_bytes * side_px as usize], seed | 1);
    for row in rows.chunks_mut(row_bytes) {
        for byte in &mut row[1..] {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state & 0xff) as u8;
        }
    }
    rows
}

/// Wraps bytes as zlib has them without compression.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks = bytes.chunks(BLOCK_BYTES).count();
    for (at, block) in (1..).zip(bytes.chunks(BLOCK_BYTES)) {
        let length = block.len() as u16;
        stream.push(u8::from(at == blocks));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], contents: &[u8]) {
    file.extend((contents.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(contents);
    let crc = crc(&file[start..]);
    file.extend(crc.to_be_bytes());
}

/// Returns the check sum of a chunk, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_sums_are_those_of_the_formats() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
        assert_eq!(stored(b"Wikipedia")[16..], 0x11e6_0398_u32.to_be_bytes());
        assert_ne!(png(16, 1), png(16, 3));
        assert!(png(200, 1).len() > 200 * 200 * 3);
    }
}
