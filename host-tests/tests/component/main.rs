//! The component in stock wasmtime, in this process: what it does, what it sends, and what no fault, no answer and no argument can make it do.

mod artifact;
mod authority;
mod bad_bytes;
mod credentials;
mod deadlines;
mod documents;
mod endurance;
mod errors;
mod fuel;
mod fuzz;
mod input_attack;
mod issue;
mod lifecycle;
mod matrix;
mod memory;
mod model;
mod operations;

mod samples;
mod secrets;
