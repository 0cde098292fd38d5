//! The functions of the interface `lifecycle`: what people do with tokens over their lives, each one call made of several
//! steps of the API.

pub mod ensure;
pub mod expiring;
pub mod find;
pub mod issue;
pub mod overlap;
pub mod switch;

mod clock;
