//! Fails with JSON of several lines.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    Err(RpcError { data: Some("[\n1\n]".to_owned()), ..error("two\nlines") })
}
