//! Tests of the image and of compose.yaml, with the real programs and without a container engine.

mod compose;
mod image;
