//! Framing of the tunnel: a length of four bytes in big-endian order, then that many bytes of JSON.

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::attempt::Request;

#[derive(Serialize)]
struct Inner<'a> {
    method: &'a str,
    path: &'a str,
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Answer {
    status: u16,
    body: Box<RawValue>,
}

/// Writes the body of a tunnel with one request.
pub(super) fn encode(request: &Request) -> Vec<u8> {
    let parse = |json| serde_json::from_slice(json).expect("the request is JSON of this crate");
    let body: Option<&RawValue> = request.json.as_deref().map(parse);
    let inner = Inner { method: request.method.as_str(), path: &request.path, token: &request.token, body };
    let json = serde_json::to_vec(&inner).expect("requests are plain data");
    let length = u32::try_from(json.len()).expect("a post has less than 4 GiB");
    [&length.to_be_bytes()[..], &json].concat()
}

/// Reads the answer to one request: its status and its JSON. The error says what is wrong.
pub(super) fn decode(bytes: &[u8]) -> Result<(StatusCode, Vec<u8>), String> {
    let (length, json) = bytes.split_first_chunk::<4>().ok_or("its length is cut short")?;
    if u32::from_be_bytes(*length) as usize != json.len() {
        return Err("its length is not that of one answer".into());
    }
    let answer: Answer = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let status = StatusCode::from_u16(answer.status).map_err(|error| error.to_string())?;
    Ok((status, answer.body.get().as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_has_its_length_before_it() {
        let json = Some(r#"{"id":"a"}"#.into());
        let (method, path) = (reqwest::Method::POST, "/v1/rooms/r/messages".into());
        let request = Request { method, path, token: "t".into(), json };
        let json = r#"{"method":"POST","path":"/v1/rooms/r/messages","token":"t","body":{"id":"a"}}"#;
        let bytes = encode(&request);
        assert_eq!(bytes[..4], u32::try_from(json.len()).unwrap().to_be_bytes());
        assert_eq!(bytes[4..], *json.as_bytes());
    }

    #[test]
    fn answer_is_status_and_json_and_anything_else_is_an_error() {
        let framed =
            |json: &str| [&u32::try_from(json.len()).unwrap().to_be_bytes(), json.as_bytes()].concat();
        let (status, body) = decode(&framed(r#"{"status":429,"body":{"error":1}}"#)).unwrap();
        assert_eq!((status.as_u16(), &body[..]), (429, &br#"{"error":1}"#[..]));
        let mut longer = framed(r#"{"status":200,"body":{}}"#);
        longer.push(b' ');
        let portal = b"<!doctype html><title>Sign in</title>".to_vec();
        for wrong in [vec![], vec![0, 0], longer, portal, framed(r#"{"status":9,"body":{}}"#), framed("[]")] {
            assert!(decode(&wrong).is_err(), "{wrong:?}");
        }
    }
}
