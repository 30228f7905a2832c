//! Compiling: off the runtime's threads, for it takes from milliseconds to seconds, and not for ever.
//!
//! Nothing can interrupt the compiler. Who has waited for as long as [`Limits::compile_time`] says gives up; the
//! thread goes on, and what it compiles is in the cache for the next who asks. It comes to its end, for the work is
//! bounded by the component's size, and few such threads run at once.

use std::path::Path;
use std::time::Instant;

use wasmtime::component::Component;

use super::file_stamp::FileStamp;
use super::proposals::needed;
use super::{Engine, Limits, file};
use crate::error::{LoadFault, Part, milliseconds};
use crate::telemetry;

/// Errors of the compiler for a component with too many parts: the text before and after the number. wasmtime has no
/// error type for them.
#[rustfmt::skip]
const SHAPES: &[(&str, &str, Part)] = &[
    ("transitively contains ",              " core module instances", Part::CoreInstances),
    ("transitively contains ",              " Wasm linear memories",  Part::Memories),
    ("defined memories count of ",          " exceeds",               Part::Memories),
    ("transitively contains ",              " tables",                Part::Tables),
    ("defined tables count of ",            " exceeds",               Part::Tables),
    ("memory has a minimum byte size of ",  " which exceeds",         Part::Memory),
    ("has a minimum element size of ",      " which exceeds",         Part::TableElements),
];

/// A compiled component.
pub(crate) struct Known {
    pub(crate) component: Component,
    pub(crate) digest: String,
    /// Bytes of what it was compiled from.
    pub(crate) size: usize,
}

/// Compiles a component, or finds it compiled in the cache.
///
/// # Errors
/// [`LoadFault::Invalid`], [`LoadFault::LeftOut`], [`LoadFault::Shape`] and [`LoadFault::CompileTime`].
pub(crate) async fn compile(engine: &Engine, name: &str, bytes: Vec<u8>) -> Result<Known, LoadFault> {
    let limit = engine.limits().compile_time;
    let size = bytes.len();
    let start = Instant::now();
    let invalid = |reason: &str| LoadFault::Invalid(format!("is not a valid component: {reason}"));
    match tokio::time::timeout(limit, compiled(engine, bytes)).await {
        Ok(Ok(Ok((component, digest, cached)))) => {
            telemetry::component_loaded(cached, start.elapsed());
            if !cached {
                let milliseconds = milliseconds(start.elapsed());
                tracing::info!(handler = name, bytes = size, milliseconds, "a component was compiled");
            }
            Ok(Known { component, digest, size })
        }
        Ok(Ok(Err(error))) => {
            let reason = format!("{error:#}");
            let known = shape(&reason, engine.limits()).or_else(|| needed(&reason));
            Err(known.unwrap_or_else(|| invalid(&reason)))
        }
        Ok(Err(Panicked)) => Err(invalid("compiling it failed inside the compiler")),
        Err(_) => Err(LoadFault::CompileTime { limit }),
    }
}

/// A component that is in the cache, by its file alone, which is as it was when it was last read.
pub(crate) async fn known(engine: &Engine, path: &Path) -> Option<Known> {
    engine.cache()?;
    let (engine, path) = (engine.clone(), path.to_owned());
    let start = Instant::now();
    let known = tokio::task::spawn_blocking(move || {
        let cache = engine.cache()?;
        let file = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let stamp = FileStamp::of(&file).filter(|stamp| stamp.size() <= engine.limits().component_size)?;
        let digest = cache.seen(&stamp)?;
        let component = cache.load(engine.wasmtime(), &digest)?;
        Some(Known { component, digest, size: stamp.size() })
    });
    let known = known.await.ok()??;
    telemetry::component_loaded(true, start.elapsed());
    Some(known)
}

/// Keeps which component a file is, for [`known`].
pub(crate) async fn remember(engine: &Engine, stamp: FileStamp, digest: &str) {
    let (engine, digest) = (engine.clone(), digest.to_owned());
    let kept = tokio::task::spawn_blocking(move || engine.cache().map(|cache| cache.remember(stamp, &digest)));
    // Nothing hangs on it.
    let _ = kept.await;
}

/// The thread that compiled is gone, and left no result.
struct Panicked;

/// A component with its digest, and whether it was found in the cache.
type Compiled = (Component, String, bool);

async fn compiled(engine: &Engine, bytes: Vec<u8>) -> Result<wasmtime::Result<Compiled>, Panicked> {
    let looking = engine.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let digest = file::digest(&bytes);
        let found = looking.cache().and_then(|cache| cache.load(looking.wasmtime(), &digest));
        (found, digest, bytes)
    });
    let (found, digest, bytes) = looked.await.map_err(|_| Panicked)?;
    if let Some(component) = found {
        return Ok(Ok((component, digest, true)));
    }
    let place = engine.compiling().acquire_owned().await.map_err(|_| Panicked)?;
    let engine = engine.clone();
    let (send, result) = tokio::sync::oneshot::channel();
    // Not a thread of the runtime, which would wait for it when it is dropped.
    let thread = std::thread::Builder::new().name("taskcell-compile".to_owned()).spawn(move || {
        let component = Component::from_binary(engine.wasmtime(), &bytes);
        if let (Ok(component), Some(cache)) = (&component, engine.cache()) {
            cache.store(component, &digest);
        }
        drop(place);
        // Nobody takes it any more, when it took too long.
        let _ = send.send(component.map(|component| (component, digest, false)));
    });
    if let Err(error) = thread {
        return Ok(Err(error.into()));
    }
    result.await.map_err(|_| Panicked)
}

/// The limit for what a component is made of that the compiler's words are about, if they are.
fn shape(reason: &str, limits: &Limits) -> Option<LoadFault> {
    let found = |(before, after, part): &(&str, &str, Part)| {
        let (number, _) = reason.split_once(before)?.1.split_once(after)?;
        Some((*part, number.parse().ok()?))
    };
    let (part, current) = SHAPES.iter().find_map(found)?;
    let limit = match part {
        Part::CoreInstances => u64::from(limits.core_instances),
        Part::Memories => u64::from(limits.memories),
        Part::Tables => u64::from(limits.tables),
        Part::Memory => limits.memory as u64,
        Part::TableElements => limits.table_elements as u64,
    };
    Some(LoadFault::Shape { part, current, limit })
}
