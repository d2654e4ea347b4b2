//! Kept inputs: one input in each line of `fuzz/corpus/TARGET.txt`, escaped as in a byte string of Rust.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Line of a comment; an input that begins so is escaped.
const COMMENT: char = '#';

/// Returns the folder of the kept inputs, in the repository.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Reads the kept inputs of a target. A target without a file has none.
pub fn read(target: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let path = folder().join(format!("{target}.txt"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    parse(&text).with_context(|| path.display().to_string())
}

/// Parses the lines of a file.
pub fn parse(text: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with(COMMENT));
    lines.map(|(at, line)| unescape(line).with_context(|| format!("line {}", at + 1))).collect()
}

/// Writes one input as a line, without the line's end.
#[must_use]
pub fn escape(input: &[u8]) -> String {
    let line = input.escape_ascii().to_string();
    match line.strip_prefix(COMMENT) {
        Some(rest) => format!("\\x23{rest}"),
        None => line,
    }
}

/// Reads a line of [`escape`]. Characters that need no escape may stand as they are.
pub fn unescape(line: &str) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            out.push(first);
            continue;
        }
        let (&kind, after) = rest.split_first().context("a backslash at the end")?;
        rest = after;
        out.push(match kind {
            b't' => b'\t',
            b'r' => b'\r',
            b'n' => b'\n',
            b'\\' | b'\'' | b'"' => kind,
            b'x' => {
                let (digits, after) = rest.split_at_checked(2).context("\\x without two digits")?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits)?, 16)?
            }
            other => bail!("unknown escape \\{}", char::from(other)),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_returns_from_its_line() {
        let all: Vec<u8> = (0..=255).collect();
        for input in [&all[..], b"", b"#", b"a\\\"'\n", b"\xff"] {
            let line = escape(input);
            assert!(line.is_ascii() && !line.contains('\n') && !line.starts_with(COMMENT));
            assert_eq!(unescape(&line).unwrap(), input);
        }
        assert_eq!(parse("# why\n\nab\\x00\n").unwrap(), [b"".to_vec(), b"ab\0".to_vec()]);
        for bad in ["\\", "\\x", "\\x1", "\\xzz", "\\q"] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
    }
}
