//! compose.yaml, read by the real parser of docker compose: its configuration files are valid, and its
//! services work together as processes of this machine.

mod checks;
mod cluster;
mod model;
mod site;
