/// Kind of a whole frame; fragments have no kind here and are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// A message of UTF-8 text in one frame.
    Text,
    /// A message of any bytes in one frame.
    Binary,
    /// Last frame of a side; its payload is empty or a code and a reason.
    Close,
    /// Asks the other side for a pong with the same payload.
    Ping,
    /// A pong, which answers a ping and needs no answer.
    Pong,
}

impl Opcode {
    /// First byte of a whole frame without extensions.
    #[must_use]
    pub const fn first_byte(self) -> u8 {
        0x80 | match self {
            Opcode::Text => 0x1,
            Opcode::Binary => 0x2,
            Opcode::Close => 0x8,
            Opcode::Ping => 0x9,
            Opcode::Pong => 0xA,
        }
    }

    /// Reverses [`Opcode::first_byte`]; `None` for fragments, reserved bits and reserved opcodes.
    #[must_use]
    pub const fn of_first_byte(first: u8) -> Option<Self> {
        Some(match first {
            0x81 => Opcode::Text,
            0x82 => Opcode::Binary,
            0x88 => Opcode::Close,
            0x89 => Opcode::Ping,
            0x8A => Opcode::Pong,
            _ => return None,
        })
    }

    /// Whether the frame steers the connection. The payload of a control frame has at most
    /// 125 bytes.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}
