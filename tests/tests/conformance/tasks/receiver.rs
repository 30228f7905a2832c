//! The rules themselves, over every store: whoever changes a task, a handler, the host or the operator, does it here.

use taskcell::protocol::types::{CreateMessageResult, RpcError, Task, TaskMetadata, TaskOutput, TaskStatus};
use taskcell::tasks::{
    Actor, Claim, CreateOptions, ExpectedResult, Full, Job, Lease, NewTask, Outcome, Room, SqliteStore, StoreError,
    StoreOutcome, TaskError, TaskLimits, TaskOrigin, TaskRecord, Tasks, Transition,
};

use super::*;

/// What may be done to a task.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Update(TaskStatus),
    Complete,
    Fail,
    Cancel,
}

use TaskStatus::{Cancelled, Completed, Failed, InputRequired, Working};
use Verb::{Cancel, Complete, Fail, Update};

const STATUSES: [TaskStatus; 5] = [Working, InputRequired, Completed, Failed, Cancelled];
const VERBS: [Verb; 8] = [
    Update(Working),
    Update(InputRequired),
    Update(Completed),
    Update(Failed),
    Update(Cancelled),
    Complete,
    Fail,
    Cancel,
];

/// Runs a test over each store.
async fn each_store(test: impl AsyncFn(Arc<dyn TaskStore>)) {
    test(Arc::new(MemoryStore::new())).await;
    let folder = tempfile::tempdir().unwrap();
    test(Arc::new(SqliteStore::open(&folder.path().join("tasks.db")).await.unwrap())).await;
}

fn tasks(store: &Arc<dyn TaskStore>) -> Tasks {
    Tasks::new(Arc::clone(store), "a", TaskLimits::default(), Box::new(|_| {}))
}

async fn made(tasks: &Tasks) -> Task {
    tasks.create(CreateOptions::new(TaskMetadata { ttl: None }, Arc::default())).await.unwrap()
}

fn said() -> TaskOutput {
    let message = r#"{"role":"assistant","content":{"type":"text","text":"hi"},"model":"m"}"#;
    TaskOutput::Sampling(serde_json::from_str::<CreateMessageResult>(message).unwrap())
}

fn failure() -> RpcError {
    RpcError { code: -7, message: "it failed".to_owned(), data: None }
}

impl Verb {
    async fn on(self, tasks: &Tasks, id: &str) -> Result<Task, TaskError> {
        match self {
            Self::Update(status) => tasks.update(id, status, None, Actor::default()).await,
            Self::Complete => tasks.finish(id, &Ok(said()), Actor::default()).await,
            Self::Fail => tasks.finish(id, &Err(failure()), Actor::default()).await,
            Self::Cancel => tasks.cancel(id).await,
        }
    }

    /// The status that it leads to, from one that is not final.
    fn leads_to(self) -> Option<TaskStatus> {
        match self {
            Self::Update(status) => (!status.is_final()).then_some(status),
            Self::Complete => Some(Completed),
            Self::Fail => Some(Failed),
            Self::Cancel => Some(Cancelled),
        }
    }
}

/// A task in this status.
async fn in_status(tasks: &Tasks, status: TaskStatus) -> Task {
    let task = made(tasks).await;
    let verb = VERBS.into_iter().find(|verb| verb.leads_to() == Some(status)).unwrap();
    verb.on(tasks, &task.task_id).await.unwrap()
}

/// Every verb on every status: it leads where it may, or changes nothing and is an invalid parameter.
#[tokio::test]
async fn the_state_machine() {
    each_store(async |store| {
        let tasks = tasks(&store);
        for status in STATUSES {
            for verb in VERBS {
                let before = in_status(&tasks, status).await;
                assert_eq!(before.status, status);
                let done = verb.on(&tasks, &before.task_id).await;
                let after = tasks.get(&before.task_id).await.unwrap();
                match verb.leads_to().filter(|_| !status.is_final()) {
                    Some(leads_to) => {
                        assert_eq!((done.unwrap(), after.status), (after.clone(), leads_to), "{verb:?} on {status:?}");
                    }
                    None => {
                        assert_eq!(RpcError::from(done.unwrap_err()).code, -32602, "{verb:?} on {status:?}");
                        assert_eq!(after, before, "{verb:?} on {status:?}");
                    }
                }
            }
        }
    })
    .await;
}

/// Of many that end a task at once, one does, and its outcome is the one that stays.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_ends_a_task() {
    each_store(async |store| {
        let tasks = Arc::new(tasks(&store));
        for _ in 0..20 {
            let id = made(&tasks).await.task_id;
            let mut ends = tokio::task::JoinSet::new();
            for verb in [Complete, Fail, Cancel, Complete, Fail, Cancel] {
                let (tasks, id) = (Arc::clone(&tasks), id.clone());
                ends.spawn(async move { verb.on(&tasks, &id).await.ok() });
            }
            let ended: Vec<_> = ends.join_all().await.into_iter().flatten().collect();
            assert_eq!(ended.len(), 1, "{ended:?}");
            assert_eq!(tasks.get(&id).await.unwrap(), ended[0]);
            let outcome = tasks.wait(&id).await.unwrap();
            let expected = match ended[0].status {
                Completed => Ok(said()),
                Failed => Err(-7),
                _ => Err(-32603),
            };
            assert_eq!(outcome.map_err(|error| error.code), expected);
        }
    })
    .await;
}

/// An output that the request could not have had is refused, and the task is as it was.
#[tokio::test]
async fn a_result_is_one_of_its_request() {
    each_store(async |store| {
        let tasks = tasks(&store);
        for (expects, fits) in [
            (ExpectedResult::Sampling, true),
            (ExpectedResult::Page, false),
            (ExpectedResult::Form("{}".to_owned()), false),
        ] {
            let origin = TaskOrigin { expects: expects.clone(), ..TaskOrigin::default() };
            let options = CreateOptions::new(TaskMetadata { ttl: None }, Arc::new(origin));
            let id = tasks.create(options).await.unwrap().task_id;
            let done = tasks.finish(&id, &Ok(said()), Actor::default()).await;
            assert_eq!(done.is_ok(), fits, "{expects:?}");
            let status = if fits { Completed } else { Working };
            assert_eq!(tasks.get(&id).await.unwrap().status, status, "{expects:?}");
        }
    })
    .await;
}

/// A store that can do nothing.
struct Failing;

type Given<T> = Result<T, StoreError>;

fn failed<T>() -> Given<T> {
    Err(StoreError("the disk at /var/lib/secret is gone".to_owned()))
}

#[async_trait::async_trait]
impl TaskStore for Failing {
    async fn secret(&self) -> Given<[u8; 32]> {
        failed()
    }

    async fn create(&self, _: NewTask, _: Room) -> Given<Result<u64, Full>> {
        failed()
    }

    async fn confirm(&self, _: &[String], _: &str) -> Given<()> {
        failed()
    }

    async fn get(&self, _: PrincipalFilter<'_>, _: &str) -> Given<Option<TaskRecord>> {
        failed()
    }

    async fn outcome(&self, _: PrincipalFilter<'_>, _: &str) -> Given<Option<Outcome>> {
        failed()
    }

    async fn transition(&self, _: Transition) -> Given<StoreOutcome> {
        failed()
    }

    async fn list(&self, _: PrincipalFilter<'_>, _: Option<u64>, _: usize) -> Given<Vec<TaskRecord>> {
        failed()
    }

    async fn changed(&self, _: &str, _: u64) -> Given<()> {
        failed()
    }

    async fn remove(&self, _: PrincipalFilter<'_>, _: &str) -> Given<bool> {
        failed()
    }

    async fn remove_expired(&self, _: Timestamp) -> Given<Vec<TaskRecord>> {
        failed()
    }

    async fn renew(&self, _: &str, _: Duration) -> Given<bool> {
        failed()
    }

    async fn enqueue(
        &self,
        _: PrincipalFilter<'_>,
        _: &str,
        _: &Job,
        _: &str,
        _: u64,
    ) -> Given<Result<Option<Lease>, Full>> {
        failed()
    }

    async fn claim(&self, _: &str, _: &str, _: usize) -> Given<Vec<Claim>> {
        failed()
    }

    async fn release(&self, _: &Lease) -> Given<()> {
        failed()
    }

    async fn resign(&self, _: &str) -> Given<()> {
        failed()
    }
}

/// A store that fails is an internal error of every task operation, and its words stay here.
#[tokio::test]
async fn a_failing_store_is_an_internal_error() {
    each(async |handlers| {
        let mut server = Conversation::new(handlers, with(|options| options.store = Arc::new(Failing)));
        let task = json!({ "taskId": "any" });
        let table = [
            (SAMPLING, as_task(prompt("hello"))),
            (ELICITATION, as_task(form("hello"))),
            ("tasks/get", task.clone()),
            ("tasks/result", task.clone()),
            ("tasks/cancel", task),
            ("tasks/list", json!({})),
        ];
        for (method, params) in table {
            let answer = server.ask(method, &params).await.unwrap();
            refused(&answer, -32603, Some("task_store"));
            assert!(!answer.to_string().contains("secret"), "{answer}");
        }
    })
    .await;
}
