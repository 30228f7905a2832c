//! The interfaces of `wasi:keyvalue`, over the store that the handler was granted.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::WasiView;

use super::{Excess, KeyValue, KeyValueError};
use crate::grants::CellState;
use crate::grants::generated::wasi::keyvalue::{atomics, batch, store};
use crate::telemetry::{Import, Usage, import, limit_hit};
use store::{Error, KeyResponse};

/// Keys in one answer to `list-keys`.
const PAGE: usize = 256;
/// Bytes of values in one answer to `get-many`: the same key may be asked for many times.
const MANY: usize = 4 << 20;

/// Lines in the log for what one cell is refused.
const MAX_LOGGED: u32 = 10;

/// A bucket that a guest has opened.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "generated code names it again, as public")]
pub struct Bucket(Arc<str>);

/// Result of a host function: a trap, or the value for the guest.
type Given<T> = wasmtime::Result<Result<T, Error>>;

/// A bucket of a store.
struct Place {
    store: Arc<dyn KeyValue>,
    bucket: Arc<str>,
}

impl CellState {
    fn keyvalue(&self) -> wasmtime::Result<Arc<dyn KeyValue>> {
        self.context
            .handler
            .grants
            .keyvalue
            .clone()
            .ok_or_else(|| wasmtime::format_err!("no keys and values are granted"))
    }

    fn bucket(&mut self, bucket: &Resource<Bucket>) -> wasmtime::Result<Place> {
        let store = self.keyvalue()?;
        let Bucket(bucket) = WasiView::ctx(self).table.get(bucket)?;
        Ok(Place { store, bucket: Arc::clone(bucket) })
    }

    /// Reports an outcome to the guest and to the log.
    fn told<T>(&mut self, outcome: Result<T, KeyValueError>) -> Given<T> {
        let error = match outcome {
            Ok(done) => return Ok(Ok(done)),
            Err(error) => error,
        };
        // A guest that tries again and again must not flood the log.
        let logs = self.context.refusals < MAX_LOGGED;
        self.context.refusals = self.context.refusals.saturating_add(1);
        let handler = &*self.context.handler.name;
        Ok(Err(match error {
            KeyValueError::Quota(excess) => {
                let Excess { current, limit, .. } = excess;
                if logs {
                    let usage = Usage { current: Some(current), limit };
                    limit_hit::log("keyvalue", usage, Some(handler), &excess, "a change of keys and values is refused");
                } else {
                    limit_hit::count("keyvalue");
                }
                Error::Other(excess.to_string())
            }
            KeyValueError::NoNumber => Error::Other(error.to_string()),
            KeyValueError::Store(why) => {
                if logs {
                    tracing::error!(handler, error.r#type = "keyvalue", error = why, "keys and values cannot be used");
                }
                Error::Other("the store failed; the log of the host says how".to_owned())
            }
        }))
    }
}

impl Place {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        // No such key can be there, and none so long need go any further.
        match self.store.quota().key(key) {
            Ok(()) => self.store.get(&self.bucket, key).await,
            Err(_) => Ok(None),
        }
    }

    async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        let quota = self.store.quota();
        quota.key(key)?;
        quota.value(&value)?;
        self.store.set(&self.bucket, key, value).await
    }

    async fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        self.store.delete(&self.bucket, key).await.map(drop)
    }

    async fn list(&self, cursor: Option<u64>) -> Result<KeyResponse, KeyValueError> {
        let listed = self.store.list_keys(&self.bucket, cursor.unwrap_or(0), PAGE).await?;
        let more = listed.len() == PAGE;
        let cursor = listed.last().filter(|_| more).map(|last| last.place);
        Ok(KeyResponse { keys: listed.into_iter().map(|listed| listed.key).collect(), cursor })
    }

    async fn increment(&self, key: &str, delta: u64) -> Result<u64, KeyValueError> {
        self.store.quota().key(key)?;
        self.store.increment(&self.bucket, key, delta).await
    }

    async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<(String, Vec<u8>)>>, KeyValueError> {
        self.store.quota().batch(keys.len())?;
        let (mut found, mut size) = (Vec::new(), 0_usize);
        for key in keys {
            let value = self.get(&key).await?;
            size = size.saturating_add(key.len() + value.as_ref().map_or(0, Vec::len));
            if size > MANY {
                let what = "bytes in one answer of get-many";
                return Err(Excess { what, current: size as u64, limit: MANY as u64 }.into());
            }
            found.push(value.map(|value| (key, value)));
        }
        Ok(found)
    }

    async fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), KeyValueError> {
        self.store.quota().batch(pairs.len())?;
        for (key, value) in pairs {
            self.set(&key, value).await?;
        }
        Ok(())
    }

    async fn delete_many(&self, keys: Vec<String>) -> Result<(), KeyValueError> {
        self.store.quota().batch(keys.len())?;
        for key in keys {
            self.delete(&key).await?;
        }
        Ok(())
    }
}

impl store::Host for &mut CellState {
    async fn open(&mut self, identifier: String) -> Given<Resource<Bucket>> {
        import(Import("wasi:keyvalue/store", "open"), async {
            if let Err(excess) = self.keyvalue()?.quota().bucket(&identifier) {
                return self.told(Err(excess.into()));
            }
            Ok(Ok(WasiView::ctx(*self).table.push(Bucket(identifier.into()))?))
        })
        .await
    }
}

impl store::HostBucket for &mut CellState {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Given<Option<Vec<u8>>> {
        import(Import("wasi:keyvalue/store", "get"), async {
            let outcome = self.bucket(&bucket)?.get(&key).await;
            self.told(outcome)
        })
        .await
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Given<()> {
        import(Import("wasi:keyvalue/store", "set"), async {
            let outcome = self.bucket(&bucket)?.set(&key, value).await;
            self.told(outcome)
        })
        .await
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Given<()> {
        import(Import("wasi:keyvalue/store", "delete"), async {
            let outcome = self.bucket(&bucket)?.delete(&key).await;
            self.told(outcome)
        })
        .await
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Given<bool> {
        import(Import("wasi:keyvalue/store", "exists"), async {
            let place = self.bucket(&bucket)?;
            let outcome = place.store.exists(&place.bucket, &key).await;
            self.told(outcome)
        })
        .await
    }

    async fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> Given<KeyResponse> {
        import(Import("wasi:keyvalue/store", "list-keys"), async {
            let outcome = self.bucket(&bucket)?.list(cursor).await;
            self.told(outcome)
        })
        .await
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        WasiView::ctx(*self).table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for &mut CellState {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Given<u64> {
        import(Import("wasi:keyvalue/atomics", "increment"), async {
            let outcome = self.bucket(&bucket)?.increment(&key, delta).await;
            self.told(outcome)
        })
        .await
    }
}

impl batch::Host for &mut CellState {
    async fn get_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Given<Vec<Option<(String, Vec<u8>)>>> {
        import(Import("wasi:keyvalue/batch", "get-many"), async {
            let outcome = self.bucket(&bucket)?.get_many(keys).await;
            self.told(outcome)
        })
        .await
    }

    async fn set_many(&mut self, bucket: Resource<Bucket>, pairs: Vec<(String, Vec<u8>)>) -> Given<()> {
        import(Import("wasi:keyvalue/batch", "set-many"), async {
            let outcome = self.bucket(&bucket)?.set_many(pairs).await;
            self.told(outcome)
        })
        .await
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Given<()> {
        import(Import("wasi:keyvalue/batch", "delete-many"), async {
            let outcome = self.bucket(&bucket)?.delete_many(keys).await;
            self.told(outcome)
        })
        .await
    }
}
