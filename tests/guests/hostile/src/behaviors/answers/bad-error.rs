//! Fails with data that is no JSON.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    Err(RpcError { data: Some("no JSON".to_owned()), ..error("refused") })
}
