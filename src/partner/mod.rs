//! Who we know: partners, their clients and their people.
//!
//! Plain values with their rules of form. `store` keeps them as documents of a small registry and `gateway` brings
//! the two together; nothing here does I/O.

mod registry;

pub use registry::{Client, Kind, Mode, Partner, Role, User};
