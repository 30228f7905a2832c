//! Where the random numbers of a cell come from, through `wasi:random`.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime_wasi::{Deterministic, WasiCtxBuilder};

/// Bytes until fixed numbers begin again. It is a prime, so that draws of one size repeat themselves only after as
/// many draws.
const CYCLE: usize = 65_521;

/// Where the random numbers of a cell come from. The default is the system.
#[derive(Clone, Default)]
pub struct Random(Option<Arc<Fixed>>);

/// Source of the same numbers for every cell.
struct Fixed {
    seed: u64,
    secure: Vec<u8>,
    insecure: Vec<u8>,
    insecure_seed: u128,
}

impl Random {
    /// Numbers from a seed, the same in every cell, which repeat after 65,521 bytes. They can be guessed: they serve
    /// runs that must be repeatable, not a handler that makes keys.
    #[must_use]
    pub fn fixed(seed: u64) -> Self {
        let insecure_seed = blocks(seed, "insecure-seed").flatten().take(16);
        Self(Some(Arc::new(Fixed {
            seed,
            secure: blocks(seed, "random").flatten().take(CYCLE).collect(),
            insecure: blocks(seed, "insecure").flatten().take(CYCLE).collect(),
            insecure_seed: insecure_seed.fold(0, |number, byte| (number << 8) | u128::from(byte)),
        })))
    }

    pub(crate) fn set(&self, context: &mut WasiCtxBuilder) {
        if let Some(fixed) = &self.0 {
            context
                .secure_random(Deterministic::new(fixed.secure.clone()))
                .insecure_random(Deterministic::new(fixed.insecure.clone()))
                .insecure_random_seed(fixed.insecure_seed);
        }
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(fixed) => write!(f, "fixed by {}", fixed.seed),
            None => f.write_str("real"),
        }
    }
}

/// Bytes without end: the digests of the seed, the name and a count.
fn blocks(seed: u64, name: &str) -> impl Iterator<Item = [u8; 32]> {
    (0_u64..).map(move |count| {
        let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(count.to_le_bytes());
        digest.chain_update(name).finalize().into()
    })
}
