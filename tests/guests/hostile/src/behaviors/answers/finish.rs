//! Gives a result for somebody else's task, whose id is in the request.

use crate::prelude::*;

pub(crate) fn behave(cell: &Cell<'_>) -> Answer {
    tasks::complete(cell.argument, &TaskOutput::Sampling(said("another's result")))?;
    Ok(said("good"))
}
