//! New inputs from kept ones. Pure: the same seed gives the same inputs.

/// Changes of one input at most.
const CHANGES_MAX: usize = 5;
/// Bytes that decoders treat specially more often than others.
const BYTES: &[u8] = b"\0\x01\x7f\x80\xff\r\n\t \"'\\/{}[]<>&;:,.=%#@-+09aZ";
/// Numbers at the edges of types.
const NUMBERS: [u64; 14] = [
    0,
    1,
    0x7d,
    0x7e,
    0x7f,
    0xff,
    0x100,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 53,
    i64::MAX.cast_unsigned(),
    u64::MAX,
];

/// Random numbers by `SplitMix64`, which needs no crate and repeats for a seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins a sequence of numbers; every seed has its own.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// Returns the next number of the sequence.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`, which must not be zero.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next_u64() % end.max(1) as u64).unwrap_or(0)
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}

/// Makes an input of at most `bytes_max` bytes from one of `kept`, with words of the format.
#[must_use]
pub fn mutate(kept: &[Vec<u8>], words: &[&str], bytes_max: usize, random: &mut Random) -> Vec<u8> {
    let mut input = random.one_of(kept).cloned().unwrap_or_default();
    for _ in 0..=random.below(CHANGES_MAX) {
        change(&mut input, kept, words, bytes_max, random);
    }
    input.truncate(bytes_max);
    input
}

fn change(input: &mut Vec<u8>, kept: &[Vec<u8>], words: &[&str], bytes_max: usize, random: &mut Random) {
    let at = random.below(input.len() + 1);
    let to = at + random.below((input.len() - at).min(64) + 1);
    match random.below(10) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = *random.one_of(BYTES).unwrap_or(&0);
            }
        }
        2 => input.insert(at, *random.one_of(BYTES).unwrap_or(&0)),
        3 => drop(input.drain(at..to)),
        4 => {
            let times = random.below(8);
            let part = input[at..to].repeat(times);
            if input.len() + part.len() <= bytes_max {
                drop(input.splice(to..to, part));
            }
        }
        5 | 6 => {
            let word = random.one_of(words).map_or("", |word| *word);
            drop(input.splice(at..at, word.bytes()));
        }
        7 => {
            let other = random.one_of(kept).map_or(&[][..], Vec::as_slice);
            let from = random.below(other.len() + 1);
            drop(input.splice(at.., other[from..].iter().copied()));
        }
        8 => {
            let number = *random.one_of(&NUMBERS).unwrap_or(&0);
            drop(input.splice(at..to, number.to_string().into_bytes()));
        }
        _ => {
            let number = random.one_of(&NUMBERS).unwrap_or(&0).to_be_bytes();
            let width = 1 << random.below(4);
            for (byte, new) in input[at..].iter_mut().zip(&number[8 - width..]) {
                *byte = *new;
            }
        }
    }
}

/// Returns large inputs that show costs that grow faster than their input: each kept input and each word,
/// repeated to `bytes_max` bytes, alone and behind the begin of a kept input.
pub fn large<'a>(
    kept: &'a [Vec<u8>],
    words: &'a [&str],
    bytes_max: usize,
) -> impl Iterator<Item = Vec<u8>> + 'a {
    let parts = kept.iter().map(Vec::as_slice).chain(words.iter().map(|word| word.as_bytes()));
    let heads = [&[][..], kept.first().map_or(&[], |first| &first[..first.len() / 2])];
    let parts = parts.filter(|part| !part.is_empty());
    parts.flat_map(move |part| {
        heads.map(|head| {
            let mut input = head.to_vec();
            input.extend(part.iter().copied().cycle().take(bytes_max.saturating_sub(head.len())));
            input
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_repeats_its_inputs_and_their_size_is_bounded() {
        let kept = [b"{\"type\":\"ping\"}".to_vec(), vec![7; 300]];
        let inputs = |seed| {
            let mut random = Random::new(seed);
            (0..500).map(|_| mutate(&kept, &["join"], 320, &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        assert!(inputs(3).iter().all(|input| input.len() <= 320));
        assert!(inputs(4).iter().filter(|input| !kept.contains(input)).count() > 400);
        assert!(large(&kept, &["x"], 1_000).all(|input| input.len() == 1_000));
        assert_eq!(large(&kept, &["x"], 1_000).count(), 6);
    }
}
