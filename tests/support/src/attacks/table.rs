//! The table of attacks.

use super::made;
use super::{Attack, By, Ends};

use By::{Absurd, Answer, Beginning, Imports, Load, Made, Raw, Request, Work};
use Ends::{Code, Good, Kind, Various};

const fn row(name: &'static str, by: By, ends: Ends) -> Attack {
    Attack { name, by, ends }
}

/// All attacks. Every program under `tests/guests/hostile/src/behaviors` and `tests/guests/hostile/raw` needs a row, or
/// the tests do not compile.
#[rustfmt::skip]
pub const ATTACKS: &[Attack] = &[
    // Computing and waiting.
    row("good",                    Answer,    Good),
    row("loop",                    Answer,    Kind("cpu_time")),
    row("loop-host",               Answer,    Kind("cpu_time")),
    row("alternate",               Answer,    Kind("cpu_time")),
    row("recurse",                 Answer,    Kind("stack")),
    row("sleep",                   Answer,    Kind("wall_time")),
    row("wait",                    Answer,    Kind("wall_time")),
    // Memory, tables, resources, output.
    row("grow",                    Answer,    Kind("memory")),
    row("grow-refused",            Answer,    Good),
    row("drip",                    Answer,    Kind("memory")),
    row("table-drip",              Raw,       Kind("table")),
    row("table-at-once",           Raw,       Kind("table")),
    row("table-refused",           Raw,       Good),
    row("leak",                    Answer,    Kind("handles")),
    row("flood-lines",             Answer,    Kind("cpu_time")),
    row("flood-text",              Answer,    Kind("cpu_time")),
    // Ends.
    row("trap",                    Answer,    Kind("trap")),
    row("print-then-trap",         Answer,    Kind("trap")),
    row("panic",                   Answer,    Kind("trap")),
    row("exit",                    Answer,    Kind("trap")),
    // Answers that are too large.
    row("big",                     Answer,    Kind("answer_size")),
    row("big-error",               Answer,    Kind("answer_size")),
    row("big-host-call",           Answer,    Good),
    row("many",                    Answer,    Kind("answer_size")),
    row("list-of-billions",        Raw,       Kind("trap")),
    row("list-over-the-end",       Raw,       Kind("trap")),
    row("list-long",               Raw,       Kind("invalid_answer")),
    row("text-of-gigabytes",       Raw,       Kind("trap")),
    row("text-of-nulls",           Raw,       Kind("answer_size")),
    // Answers that make no sense.
    row("bad-meta",                Answer,    Kind("invalid_answer")),
    row("bad-json",                Answer,    Kind("invalid_answer")),
    row("two-json",                Answer,    Kind("invalid_answer")),
    row("newline-json",            Answer,    Good),
    row("deep-json",               Answer,    Kind("json_depth")),
    row("deepest-json",            Answer,    Kind("json_depth")),
    row("surrogate",               Answer,    Kind("invalid_answer")),
    row("nan",                     Answer,    Kind("invalid_answer")),
    row("infinite",                Answer,    Kind("invalid_answer")),
    row("negative",                Answer,    Good),
    row("beyond-integers",         Answer,    Good),
    row("control",                 Answer,    Good),
    row("refuse",                  Answer,    Code(-7)),
    row("bad-error",               Answer,    Kind("invalid_answer")),
    row("newline-error",           Answer,    Code(-7)),
    row("lowest-code",             Answer,    Code(i32::MIN)),
    row("context",                 Answer,    Good),
    row("answer-far",              Raw,       Kind("trap")),
    row("answer-misaligned",       Raw,       Kind("trap")),
    row("answer-case",             Raw,       Kind("trap")),
    row("text-no-utf8",            Raw,       Kind("trap")),
    // Every field of every kind.
    row("absurd-sampling",          Absurd("sampling"), Various),
    row("absurd-augmented-sampling",Absurd("augmented-sampling"), Various),
    row("absurd-elicitation",       Absurd("elicitation"), Various),
    row("absurd-augmented-elicitation",Absurd("augmented-elicitation"), Various),
    row("absurd-roots",             Absurd("roots"), Various),
    row("absurd-get-task",          Absurd("get-task"), Various),
    row("absurd-get-task-result",   Absurd("get-task-result"), Various),
    row("absurd-list-tasks",        Absurd("list-tasks"), Various),
    row("absurd-cancel-task",       Absurd("cancel-task"), Various),
    // The allocator, which says where the host writes.
    row("realloc-far",             Raw,       Kind("trap")),
    row("realloc-last",            Raw,       Kind("trap")),
    row("realloc-over-the-end",    Raw,       Kind("trap")),
    row("realloc-misaligned",      Raw,       Kind("trap")),
    row("realloc-overlapping",     Raw,       Good),
    row("realloc-over-the-answer", Raw,       Good),
    row("realloc-unreachable",     Raw,       Kind("trap")),
    row("realloc-loop",            Raw,       Kind("cpu_time")),
    row("realloc-slow",            Raw,       Kind("cpu_time")),
    row("realloc-grow",            Raw,       Kind("memory")),
    row("realloc-page-each",       Raw,       Kind("memory")),
    // Imports.
    row("imports",                 Imports,   Various),
    row("garbage",                 Answer,    Good),
    row("progress",                Answer,    Good),
    row("finish",                  Answer,    Code(-32602)),
    // Tasks.
    row("create-then-wait",        Beginning, Kind("wall_time")),
    row("create-thousands",        Beginning, Kind("tasks")),
    row("create-for-ever",         Request,   Good),
    row("done-at-once",            Beginning, Good),
    row("spawn-thousands",         Beginning, Kind("tasks")),
    row("spawn-large",             Beginning, Kind("spawn_size")),
    row("spawn-then-fail",         Beginning, Code(-7)),
    row("spawn-then-trap",         Beginning, Kind("trap")),
    row("spawn-then-bad-meta",     Beginning, Kind("invalid_answer")),
    row("spawn-twice",             Beginning, Code(-32602)),
    row("spawn-unknown",           Beginning, Code(-32602)),
    row("more-work",               Work,      Kind("spawn")),
    row("spawn-itself",            Work,      Kind("spawn")),
    row("end-twice",               Work,      Good),
    row("progress-after-end",      Work,      Good),
    row("progress-for-ever",       Work,      Kind("cpu_time")),
    row("update-for-ever",         Work,      Kind("cpu_time")),
    row("asks-input",              Work,      Good),
    row("waits-for-input",         Work,      Kind("wall_time")),
    row("wait-own",                Work,      Kind("wall_time")),
    row("named-another",           Work,      Kind("invalid_answer")),
    row("custom",                  Work,      Good),
    row("custom-list",             Work,      Kind("invalid_answer")),
    // Components.
    row("start-loop",              Load,      Kind("cpu_time")),
    row("start-recurse",           Load,      Kind("stack")),
    row("start-grow",              Load,      Kind("memory")),
    row("start-trap",              Load,      Kind("invalid_component")),
    row("memories-of-a-module",    Made(made::memories_of_a_module),    Kind("invalid_component")),
    row("memories-of-modules",     Made(made::memories_of_modules),     Kind("memories")),
    row("memories-of-instances",   Made(made::memories_of_instances),   Kind("core_instances")),
    row("functions",               Made(made::functions),               Kind("compile_time")),
];
