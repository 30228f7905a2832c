pub mod guests;
pub mod provision;
