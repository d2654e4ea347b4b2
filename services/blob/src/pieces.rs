//! Bytes of a blob in pieces of a bounded size.

use std::fs::File;
use std::io::Read;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::error::BlobError;

/// Maximum bytes of one piece that is read from a file. A server's answer comes in its own pieces.
pub const PIECE_BYTES: usize = 64 * 1024;

/// The bytes of a blob, read as they are asked for.
pub struct Pieces(Source);

enum Source {
    /// A file at its position, and the bytes that are still wanted.
    File {
        file: File,
        left: u64,
    },
    Stream(BoxStream<'static, object_store::Result<Bytes>>),
    Ended,
}

impl Pieces {
    pub(crate) const fn of_file(file: File, bytes: u64) -> Self {
        Pieces(Source::File { file, left: bytes })
    }

    pub(crate) const fn of_stream(stream: BoxStream<'static, object_store::Result<Bytes>>) -> Self {
        Pieces(Source::Stream(stream))
    }

    /// Reads the next piece; `None` after the last one, and after a failure.
    pub async fn next(&mut self) -> Option<Result<Bytes, BlobError>> {
        match std::mem::replace(&mut self.0, Source::Ended) {
            Source::Ended | Source::File { left: 0, .. } => None,
            Source::File { file, left } => {
                let read = tokio::task::spawn_blocking(move || read_piece(file, left)).await;
                let (file, piece) = match read {
                    Ok(Ok(read)) => read,
                    Ok(Err(error)) => return Some(Err(error.into())),
                    Err(error) => return Some(Err(std::io::Error::other(error).into())),
                };
                self.0 = Source::File { file, left: left - piece.len() as u64 };
                Some(Ok(piece))
            }
            Source::Stream(mut stream) => {
                let piece = stream.next().await?;
                self.0 = Source::Stream(stream);
                Some(piece.map_err(BlobError::from))
            }
        }
    }
}

fn read_piece(mut file: File, left: u64) -> std::io::Result<(File, Bytes)> {
    let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
    let mut piece = BytesMut::zeroed(wanted);
    file.read_exact(&mut piece)?;
    Ok((file, piece.freeze()))
}
