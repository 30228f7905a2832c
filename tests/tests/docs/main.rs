//! Documents and embedded files agree with the code and the sources that they come from.

mod book;
mod code_blocks;
mod commands;
mod docs;
mod files;
mod go_adapter;
mod layers;
mod links;
mod prose;
mod quickstart;
mod repository;
mod snippets;
mod stable_words;
mod stock;
mod typescript;
