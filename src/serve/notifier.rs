//! Posts notices: beside everything else, each to one who is told by a queue of its own.
//!
//! Invariant: nothing waits for it. What cannot be queued, or does not arrive after some attempts, is counted and left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::notices::{Notice, Terms, Told, going_on, posted, refused};
use super::watch::Glance;
use crate::project::{NotifyConfig, Occasion};
use crate::web::{Post, Unsent};

/// Notices that wait to be posted to one place. Later ones are left.
const WAITING: usize = 64;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// What is waited between attempts. After the last the notice is left.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_mins(1),
    Duration::from_mins(5),
];
/// How often the same version is told of that is not let in.
const QUIET: Duration = Duration::from_hours(1);
/// As many versions are kept in mind.
const MOST_REFUSED: usize = 1000;

/// What became of notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Sent,
    GivenUp,
    Dropped,
}

impl Fate {
    pub(super) const ALL: [Self; 3] = [Self::Sent, Self::GivenUp, Self::Dropped];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::GivenUp => "given_up",
            Self::Dropped => "dropped",
        }
    }
}

/// How many notices came to what.
#[derive(Debug, Default)]
pub(super) struct Counted([AtomicU64; 3]);

impl Counted {
    fn add(&self, fate: Fate) {
        for (known, counter) in Fate::ALL.iter().zip(&self.0) {
            if *known == fate {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Each with its number.
    pub(super) fn all(&self) -> impl Iterator<Item = (Fate, u64)> {
        let counters = self.0.iter().map(|counter| counter.load(Ordering::Relaxed));
        Fate::ALL.into_iter().zip(counters)
    }
}

/// Who says what is to be told beside what is seen.
#[derive(Clone, Debug)]
pub(super) struct Notifier {
    refusals: mpsc::Sender<Notice>,
    /// Those who want to be told of refusals.
    told_of_refusals: Arc<[String]>,
    counted: Arc<BTreeMap<String, Counted>>,
}

/// A notice that waits, and where the log ended when it was told.
struct Waiting {
    notice: Notice,
    log_head: Option<String>,
}

impl Notifier {
    /// Starts telling, on a thread of its own, which ends when nobody looks any more.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub(super) fn start(
        told: Vec<NotifyConfig>,
        seen: watch::Receiver<Glance>,
    ) -> std::io::Result<Self> {
        let (refusals, heard) = mpsc::channel(WAITING);
        let names = told
            .iter()
            .map(|one| (one.name.clone(), Counted::default()));
        let counted: Arc<BTreeMap<String, Counted>> = Arc::new(names.collect());
        let wants = |one: &&NotifyConfig| one.on.contains(&Occasion::Refused);
        let told_of_refusals = told.iter().filter(wants).map(|one| one.name.clone());
        let notifier = Self {
            refusals,
            told_of_refusals: told_of_refusals.collect(),
            counted: Arc::clone(&counted),
        };
        if told.is_empty() {
            return Ok(notifier);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("notifier".to_owned())
            .spawn(move || runtime.block_on(tell(told, seen, heard, &counted)))?;
        Ok(notifier)
    }

    /// A version was not let in.
    pub(super) fn refused(&self, who: &str, why: &str) {
        // Whoever has as many waiting is told enough.
        if self.refusals.try_send(refused(who, why)).is_err() {
            for name in self.told_of_refusals.iter() {
                count(&self.counted, name, Fate::Dropped);
            }
        }
    }

    pub(super) fn counted(&self) -> impl Iterator<Item = (&str, Fate, u64)> {
        let each = self.counted.iter();
        each.flat_map(|(name, counted)| {
            let name = name.as_str();
            counted.all().map(move |(fate, count)| (name, fate, count))
        })
    }
}

/// One who is told.
struct Reader {
    config: Arc<NotifyConfig>,
    told: Told,
    queue: mpsc::Sender<Waiting>,
}

async fn tell(
    told: Vec<NotifyConfig>,
    mut seen: watch::Receiver<Glance>,
    mut heard: mpsc::Receiver<Notice>,
    counted: &Arc<BTreeMap<String, Counted>>,
) {
    let mut readers = Vec::new();
    for config in told {
        let (queue, waiting) = mpsc::channel(WAITING);
        let config = Arc::new(config);
        tokio::spawn(post(Arc::clone(&config), waiting, Arc::clone(counted)));
        readers.push(Reader {
            config,
            told: Told::default(),
            queue,
        });
    }
    let mut refused_at: BTreeMap<String, Instant> = BTreeMap::new();
    loop {
        tokio::select! {
            changed = seen.changed() => {
                if changed.is_err() {
                    return;
                }
                let glance = seen.borrow_and_update().clone();
                // What is not seen now is what it was.
                let (Some(seen), None) = (glance.seen, glance.trouble) else {
                    continue;
                };
                for reader in &mut readers {
                    let terms = Terms {
                        held_for: reader.config.held_for,
                        fence_for: reader.config.fence_for,
                    };
                    let going_on = going_on(&seen, terms);
                    let news = reader.told.news(going_on, &seen.events, &reader.config.on);
                    for notice in news {
                        reader.take(notice, seen.log_head.as_deref(), counted);
                    }
                }
            }
            Some(notice) = heard.recv() => {
                refused_at.retain(|_, at| at.elapsed() < QUIET);
                if refused_at.contains_key(&notice.key) {
                    continue;
                }
                let is_kept_in_mind = refused_at.len() < MOST_REFUSED;
                if is_kept_in_mind {
                    refused_at.insert(notice.key.clone(), Instant::now());
                }
                let glance = seen.borrow().clone();
                let log_head = glance.seen.and_then(|seen| seen.log_head.clone());
                let wanting = readers.iter().filter(|reader| reader.wants(&notice));
                for reader in wanting {
                    if is_kept_in_mind {
                        reader.take(notice.clone(), log_head.as_deref(), counted);
                    } else {
                        count(counted, &reader.config.name, Fate::Dropped);
                    }
                }
            }
        }
    }
}

impl Reader {
    fn wants(&self, notice: &Notice) -> bool {
        self.config.on.contains(&notice.occasion)
    }

    fn take(&self, notice: Notice, log_head: Option<&str>, counted: &BTreeMap<String, Counted>) {
        let waiting = Waiting {
            notice,
            log_head: log_head.map(str::to_owned),
        };
        if self.queue.try_send(waiting).is_err() {
            count(counted, &self.config.name, Fate::Dropped);
        }
    }
}

fn count(counted: &BTreeMap<String, Counted>, name: &str, fate: Fate) {
    if let Some(counted) = counted.get(name) {
        counted.add(fate);
    }
}

/// What a header can hold of a key, and when it was told: what ends and begins again is told again.
fn id(key: &str, begun: i64) -> String {
    let plain = key.chars().take(200);
    let plain = plain.map(|c| if c.is_ascii_graphic() { c } else { '_' });
    format!("{}/{begun}", plain.collect::<String>())
}

/// Posts one after the other.
async fn post(
    config: Arc<NotifyConfig>,
    mut waiting: mpsc::Receiver<Waiting>,
    counted: Arc<BTreeMap<String, Counted>>,
) {
    while let Some(next) = waiting.recv().await {
        let fate = attempted(&config, &next).await;
        count(&counted, &config.name, fate);
    }
}

async fn attempted(config: &NotifyConfig, Waiting { notice, log_head }: &Waiting) -> Fate {
    let json = posted(notice, config.shape, log_head.as_deref());
    let begun = jiff::Timestamp::now().as_second();
    let mut pauses = PAUSES.iter();
    loop {
        let post = Post {
            id: id(&notice.key, begun),
            at: jiff::Timestamp::now().as_second(),
            json: json.clone(),
        };
        let deadline = Instant::now() + ATTEMPT;
        let unsent = match config.hook.post(&post, deadline).await {
            Ok(()) => return Fate::Sent,
            Err(unsent) => unsent,
        };
        let pause = match &unsent {
            Unsent::Perhaps(_) => pauses.next(),
            Unsent::Never(_) => None,
        };
        let name = &config.name;
        let Some(pause) = pause else {
            tracing::warn!(
                "[notify.{name}] was not told of `{}`: {unsent}",
                notice.title
            );
            return Fate::GivenUp;
        };
        tracing::info!(
            "[notify.{name}] is told again in {} s: {unsent}",
            pause.as_secs()
        );
        sleep(*pause).await;
    }
}
