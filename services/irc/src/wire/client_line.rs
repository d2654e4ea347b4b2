//! A line of a client: command and parameters.

use std::fmt;

/// Longest tags of a line with the `@` and the space behind them, as IRCv3 bounds a server's tags.
const TAG_BYTES_MAX: usize = 8_191;
/// Longest line without its tags. IRC has 512; a text of 200 Chinese characters has 600 bytes, and a token
/// may have more.
const REST_BYTES_MAX: usize = 4_096;
/// Longest line, without its end.
pub(crate) const LINE_BYTES_MAX: usize = TAG_BYTES_MAX + REST_BYTES_MAX;
/// Maximum number of parameters, as RFC 2812 has it; the last one takes the rest.
const PARAMS_MAX: usize = 15;

/// A parsed line. Client tags are read and ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientLine {
    /// Command in capital letters, such as `PRIVMSG`.
    pub(crate) command: String,
    /// Parameters without the colon of the last one. None of them has a line end or a NUL.
    pub(crate) params: Vec<String>,
}

/// Why a line cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineError {
    /// The line is longer than a client may send.
    TooLong,
    /// The line is no UTF-8.
    NotUtf8,
    /// The line has a NUL, or a carriage return inside.
    Control,
    /// The line has no command.
    Empty,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LineError::TooLong => "Input line was too long",
            LineError::NotUtf8 => "Your message was not UTF-8",
            LineError::Control => "Your message has a NUL or a carriage return",
            LineError::Empty => "No command",
        })
    }
}

impl ClientLine {
    /// Parses a line without its end. A space too much between two words is no error.
    pub(crate) fn parse(line: &[u8]) -> Result<ClientLine, LineError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(LineError::TooLong);
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err(LineError::Control);
        }
        let line = std::str::from_utf8(line).map_err(|_| LineError::NotUtf8)?;
        let mut rest = line.trim_start_matches(' ');
        if rest.starts_with('@') {
            let (tags, after) = word(rest);
            if tags.len() >= TAG_BYTES_MAX {
                return Err(LineError::TooLong);
            }
            rest = after;
        }
        if rest.len() > REST_BYTES_MAX {
            return Err(LineError::TooLong);
        }
        if rest.starts_with(':') {
            // A client's prefix says nothing: the connection is the sender.
            rest = word(rest).1;
        }
        let (command, mut rest) = word(rest);
        if command.is_empty() {
            return Err(LineError::Empty);
        }
        let mut params = Vec::new();
        while !rest.is_empty() {
            if let Some(last) = rest.strip_prefix(':') {
                params.push(last.to_owned());
                break;
            }
            if params.len() + 1 == PARAMS_MAX {
                params.push(rest.to_owned());
                break;
            }
            let (param, after) = word(rest);
            params.push(param.to_owned());
            rest = after;
        }
        Ok(ClientLine { command: command.to_ascii_uppercase(), params })
    }

    /// Returns a parameter; empty when the line has fewer.
    pub(crate) fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }
}

/// Parses a line for the fuzz targets; returns the command and the parameters.
#[doc(hidden)]
#[must_use]
pub fn parse_client_line(line: &[u8]) -> Option<(String, Vec<String>)> {
    ClientLine::parse(line).ok().map(|line| (line.command, line.params))
}

/// Splits the first word off, and the spaces behind it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(line: &str) -> (String, Vec<String>) {
        let line = ClientLine::parse(line.as_bytes()).unwrap();
        (line.command, line.params)
    }

    #[test]
    fn lines_of_real_clients_are_read() {
        let privmsg = ("PRIVMSG".to_owned(), vec!["#demo".to_owned(), "hi: you".to_owned()]);
        assert_eq!(parsed("PRIVMSG #demo :hi: you\r\n"), privmsg);
        assert_eq!(parsed("@client-nonce=a;x=y  :me!me@x  privmsg   #demo   :hi: you"), privmsg);
        assert_eq!(parsed("PING"), ("PING".into(), vec![]));
        assert_eq!(parsed("USER a 0 * :"), ("USER".into(), ["a", "0", "*", ""].map(str::to_owned).to_vec()));
    }

    #[test]
    fn hostile_lines_are_errors() {
        let error = |line: &[u8]| ClientLine::parse(line).unwrap_err();
        assert_eq!(error(&[b'x'; LINE_BYTES_MAX + 1]), LineError::TooLong);
        assert_eq!(error(&[b'x'; REST_BYTES_MAX + 1]), LineError::TooLong);
        let tags = format!("@{} PING", "x".repeat(TAG_BYTES_MAX));
        assert_eq!(error(tags.as_bytes()), LineError::TooLong);
        assert_eq!(error(b"PRIVMSG #a :b\0c"), LineError::Control);
        assert_eq!(error(b"PRIVMSG #a :b\rQUIT"), LineError::Control);
        assert_eq!(error(b"PRIVMSG #a :b\nQUIT"), LineError::Control);
        assert_eq!(error(b"PRIVMSG #a :\xff"), LineError::NotUtf8);
        for empty in [&b""[..], b"   ", b"@a", b"@a ", b":a", b":a "] {
            assert_eq!(error(empty), LineError::Empty, "{empty:?}");
        }
    }

    #[test]
    fn last_of_too_many_parameters_takes_the_rest() {
        let line = format!("X {}", (0..40).map(|n| n.to_string()).collect::<Vec<_>>().join(" "));
        let (_, params) = parsed(&line);
        assert_eq!(params.len(), PARAMS_MAX);
        assert!(params[PARAMS_MAX - 1].starts_with("14 15") && params[PARAMS_MAX - 1].ends_with("39"));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_without_a_line_end_in_any_part(line in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(line) = ClientLine::parse(&line) {
                prop_assert!(!line.command.is_empty() && line.params.len() <= PARAMS_MAX);
                for part in line.params.iter().chain([&line.command]) {
                    prop_assert!(!part.contains(['\r', '\n', '\0']));
                }
            }
        }

        #[test]
        fn parts_of_a_line_return_as_they_were(
            command in "[A-Z]{1,8}",
            middle in proptest::collection::vec("[^ :\r\n\0][^ \r\n\0]{0,20}", 0..10),
            last in "[^\r\n\0]{0,80}",
        ) {
            let middle_text: String = middle.iter().map(|param| format!(" {param}")).collect();
            let line = ClientLine::parse(format!("{command}{middle_text} :{last}\r\n").as_bytes()).unwrap();
            prop_assert_eq!(&line.command, &command);
            prop_assert_eq!(&line.params[..middle.len()], &middle[..]);
            prop_assert_eq!(line.params.last(), Some(&last));
        }
    }
}
