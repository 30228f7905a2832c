//! Prints some lines, a flood of as many as the request says, and the cause; then traps.

use crate::prelude::*;
use crate::wasi::cli0_2_3::stdout::get_stdout;

pub(crate) fn behave(cell: &Cell<'_>) -> Answer {
    let flood = cell.argument.parse().unwrap_or(5_000);
    let stdout = get_stdout();
    let print = |text: &[u8]| _ = stdout.blocking_write_and_flush(text);
    print(b"first words\n");
    for _ in 0..flood {
        print(b"one of very many lines that say nothing\n");
    }
    print(b"cause: \x1b[31mboom\n\n\xff\nlast words of hunter22");
    trap()
}
