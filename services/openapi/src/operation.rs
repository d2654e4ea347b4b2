//! One operation: a method of a path, with the types of its request and of its answers.

use barrage_protocol::Code;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes the schema of one type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Method of an operation, as HTTP names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Reads and changes nothing.
    Get,
    /// Changes something, or sends something.
    Post,
    /// Sets something to the value of the body.
    Put,
    /// Changes a part of something.
    Patch,
    /// Removes something that the path names.
    Delete,
    /// Reads header fields alone.
    Head,
}

impl Method {
    /// Every method that the API uses.
    pub const ALL: [Method; 6] =
        [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete, Method::Head];

    /// Returns the name in an HTTP request, in capital letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Head => "HEAD",
        }
    }
}

/// Part of the system that answers an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// Every process, whichever roles it has.
    Process,
    /// A process with the role entry.
    Entry,
    /// A process with the role gateway.
    Gateway,
    /// A process with the role uplink.
    Uplink,
    /// A process with the role media, on listeners of its own.
    Media,
}

impl Server {
    /// Returns the name of the role, which is the tag of the operation in the document.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Server::Process => "process",
            Server::Entry => "entry",
            Server::Gateway => "gateway",
            Server::Uplink => "uplink",
            Server::Media => "media",
        }
    }
}

/// Listener of an operation, and the token that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Public listener, without a token.
    Open,
    /// Public listener, with a token or, where `token.anonymous` is on, without one.
    Viewer,
    /// Public listener, with a token for the room.
    Sender,
    /// Admin listener, without a token: health and metrics.
    Monitor,
    /// Admin listener, with a token of the role admin.
    Admin,
    /// Both listeners, without a token.
    Both,
}

impl Access {
    /// Whether the public listener answers the operation.
    #[must_use]
    pub const fn is_public(self) -> bool {
        matches!(self, Access::Open | Access::Viewer | Access::Sender | Access::Both)
    }

    /// Whether the admin listener answers the operation.
    #[must_use]
    pub const fn is_admin(self) -> bool {
        matches!(self, Access::Monitor | Access::Admin | Access::Both)
    }
}

/// Body of a request or an answer.
#[derive(Debug, Clone, Copy)]
pub enum Body {
    /// JSON of a type.
    Json(SchemaOf),
    /// Bytes or text of this media type, which the document does not describe further.
    Media(&'static str),
    /// An answer without a body.
    Empty,
}

/// Answer of one status.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) meaning: &'static str,
    pub(crate) body: Body,
}

/// A method of a path, with the types of its request and of its answers.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Name of the operation, unique in the document; `barrage room close` is `room_close`.
    pub id: &'static str,
    /// Method of the request.
    pub method: Method,
    /// Path of the request, with parameters in braces.
    pub path: &'static str,
    /// What the operation does, in one sentence.
    pub summary: &'static str,
    /// Part of the system that answers.
    pub server: Server,
    /// Listener, and the token that is needed.
    pub access: Access,
    pub(crate) query: Option<SchemaOf>,
    pub(crate) body: Option<Body>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) codes: Vec<Code>,
}

impl Operation {
    /// Makes an operation that every process answers on its public listener without a token.
    #[must_use]
    pub const fn new(id: &'static str, method: Method, path: &'static str, summary: &'static str) -> Self {
        Operation {
            id,
            method,
            path,
            summary,
            server: Server::Process,
            access: Access::Open,
            query: None,
            body: None,
            answers: Vec::new(),
            codes: Vec::new(),
        }
    }

    /// Makes an operation of the admin API that a role answers.
    #[must_use]
    pub const fn admin(
        server: Server,
        id: &'static str,
        method: Method,
        path: &'static str,
        summary: &'static str,
    ) -> Self {
        Operation::new(id, method, path, summary).by(server, Access::Admin)
    }

    /// Names the role that answers, the listener and the token.
    #[must_use]
    pub const fn by(mut self, server: Server, access: Access) -> Self {
        self.server = server;
        self.access = access;
        self
    }

    /// Adds the fields of a type as parameters of the query.
    #[must_use]
    pub fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(T::json_schema);
        self
    }

    /// Adds a JSON body of a type.
    #[must_use]
    pub fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Body::Json(SchemaGenerator::subschema_for::<T>));
        self
    }

    /// Adds a body of a media type.
    #[must_use]
    pub fn body_of(mut self, media_type: &'static str) -> Self {
        self.body = Some(Body::Media(media_type));
        self
    }

    /// Adds a JSON answer of a type.
    #[must_use]
    pub fn answers<T: JsonSchema>(self, status: u16, meaning: &'static str) -> Self {
        self.answer(status, meaning, Body::Json(SchemaGenerator::subschema_for::<T>))
    }

    /// Adds an answer with a body of another kind.
    #[must_use]
    pub fn answer(mut self, status: u16, meaning: &'static str, body: Body) -> Self {
        self.answers.push(Answer { status, meaning, body });
        self
    }

    /// Adds the codes of refusals that this operation has besides those of every operation of its
    /// listener.
    #[must_use]
    pub fn refuses(mut self, codes: &[Code]) -> Self {
        self.codes.extend_from_slice(codes);
        self
    }

    /// Returns the names of the parameters in the path, in their order.
    #[must_use]
    pub fn path_parameters(&self) -> Vec<&'static str> {
        let parts = self.path.split('/');
        parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
    }

    /// Returns the codes of all refusals, by status.
    pub(crate) fn all_codes(&self) -> Vec<Code> {
        let mut codes =
            vec![Code::BadRequest, Code::Timeout, Code::Internal, Code::Overloaded, Code::Unavailable];
        if self.body.is_some() {
            codes.extend([Code::TooLarge, Code::InvalidUtf8, Code::UnsupportedMedia]);
        }
        if self.access.is_public() {
            codes.extend([Code::RateLimited, Code::Forbidden]);
        }
        match self.access {
            Access::Viewer | Access::Sender => {
                codes.extend([Code::Unauthorized, Code::TokenExpired, Code::WrongRoom]);
            }
            Access::Admin => codes.extend([
                Code::Unauthorized,
                Code::TokenExpired,
                Code::WrongRoom,
                Code::Forbidden,
                Code::RateLimited,
            ]),
            Access::Open | Access::Monitor | Access::Both => {}
        }
        codes.extend(&self.codes);
        codes.sort_by_key(|code| (code.status(), code.close()));
        codes.dedup();
        codes
    }
}
