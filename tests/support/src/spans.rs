//! Spans as a subscriber of `tracing` sees them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// A span that was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Name of the span.
    pub name: &'static str,
    /// Level of the span.
    pub level: Level,
    /// Fields that the span may have.
    pub may_have: Vec<&'static str>,
    /// Fields that the span has, as text.
    pub fields: BTreeMap<String, String>,
    /// Index of the span among all spans.
    pub place: usize,
    /// Index of the parent.
    pub parent: Option<usize>,
    /// Indexes of the spans that this one follows from.
    pub follows: Vec<usize>,
    /// Whether the span is entered and not left yet.
    pub entered: bool,
    /// Whether the span has ended.
    pub closed: bool,
}

impl Seen {
    /// Value of a field; empty if it is not set.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Value of a numeric field.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.field(name).parse().ok()
    }
}

/// Layer that keeps the spans of taskcell.
#[derive(Debug, Default, Clone)]
pub struct Spans(Arc<Mutex<Vec<Seen>>>);

/// Index of a registry span among the spans seen.
struct Place(usize);

impl Spans {
    /// A subscriber that keeps spans here.
    #[must_use]
    pub fn subscriber(&self) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static {
        Registry::default().with(self.clone())
    }

    /// All spans so far, in the order in which they began.
    #[must_use]
    pub fn all(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    /// Spans with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<Seen> {
        self.all().into_iter().filter(|span| span.name == name).collect()
    }

    /// Children of a span.
    #[must_use]
    pub fn under(&self, parent: &Seen) -> Vec<Seen> {
        self.all().into_iter().filter(|span| span.parent == Some(parent.place)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<S: Subscriber + for<'a> LookupSpan<'a>>(
        &self,
        id: &Id,
        context: &Context<'_, S>,
        change: impl FnOnce(&mut Seen),
    ) {
        if let Some(place) = place(id, context)
            && let Some(seen) = self.lock().get_mut(place)
        {
            change(seen);
        }
    }
}

fn place<S: Subscriber + for<'a> LookupSpan<'a>>(id: &Id, context: &Context<'_, S>) -> Option<usize> {
    context.span(id)?.extensions().get::<Place>().map(|place| place.0)
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        if !metadata.target().starts_with("taskcell") {
            return;
        }
        let Some(span) = context.span(id) else { return };
        // Other layers may put spans in between.
        let mut above = span.scope().skip(1);
        let parent = above.find_map(|above| above.extensions().get::<Place>().map(|place| place.0));
        let mut all = self.lock();
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let place = all.len();
        all.push(Seen {
            name: metadata.name(),
            level: *metadata.level(),
            may_have: metadata.fields().iter().map(|field| field.name()).collect(),
            fields: fields.0,
            place,
            parent,
            follows: Vec::new(),
            entered: false,
            closed: false,
        });
        span.extensions_mut().insert(Place(place));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.change(id, &context, |seen| seen.fields.extend(fields.0));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        let follows = place(follows, &context);
        self.change(id, &context, |seen| seen.follows.extend(follows));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.change(id, &context, |seen| seen.entered = true);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.change(id, &context, |seen| seen.entered = false);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.change(&id, &context, |seen| seen.closed = true);
    }
}

#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}
