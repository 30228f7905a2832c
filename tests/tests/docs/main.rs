//! Documents and embedded files agree with the code and the sources that they come from.

mod book;
mod docs;
mod go_adapter;
mod quickstart;
mod stock;
mod typescript;
