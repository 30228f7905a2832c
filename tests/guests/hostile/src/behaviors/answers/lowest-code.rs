//! Fails with the least code there is.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    Err(RpcError { code: i32::MIN, ..error("the least there is") })
}
