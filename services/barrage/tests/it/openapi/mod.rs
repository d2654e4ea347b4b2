//! The OpenAPI document describes exactly the routes that exist, and the answers that they give.

mod answers;
mod requests;
mod routes;
mod validator;
