//! Fails with an error of its own.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    Err(RpcError { data: Some("{\"why\": [1.50]}".to_owned()), ..error("I would rather not") })
}
