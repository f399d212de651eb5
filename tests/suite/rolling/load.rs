//! Customers of the shop: a steady load in which each answer is checked against what was written.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Answer, Client};
use crate::support::wait::{GENEROUS, eventually};

/// How many customers there are, and how long each thinks between two requests: 80 requests a second or so.
const CUSTOMERS: usize = 5;
const THINKING: Duration = Duration::from_millis(60);

/// How many lines the longest requests ask for. There is one every quarter of a second.
const LONGEST: usize = 24;

/// The users that the shop was opened with are called `Customer Number 1`, `Customer Number 2` and so on.
const FROM_BEFORE: usize = 2000;

const NAMES: [&str; 6] = [
    "Ada Lovelace",
    "Jean Luc Picard",
    "Åsa Öberg",
    "Plato",
    "Miles O'Brien",
    "Grace Brewster Murray Hopper",
];

/// The load, until it is ended.
pub struct Load {
    shared: Arc<Shared>,
    customers: Vec<(JoinHandle<()>, Sender<()>)>,
}

struct Shared {
    proxy: String,
    /// How many lines of a report the customers read again and again.
    lines: usize,
    record: Mutex<Record>,
    /// Requests that the test itself has begun.
    extra: Mutex<Vec<JoinHandle<()>>>,
}

/// What the customers have seen, phase by phase.
#[derive(Default)]
pub struct Record {
    pub phases: Vec<Phase>,
    /// Everything that went wrong, in words.
    pub complaints: Vec<String>,
    pub reports: Vec<Report>,
}

/// What the requests that began in one phase have seen.
#[derive(Default)]
pub struct Phase {
    pub name: String,
    took: Vec<Duration>,
    failed: usize,
    wrong: usize,
    /// Errors that the application was told to answer with.
    pub faults: usize,
    /// How many answers were each version's.
    pub versions: BTreeMap<String, usize>,
}

/// A request of several seconds that has ended well: on the instance that began it.
pub struct Report {
    pub version: String,
    /// The numbers of the phases in which it began and ended.
    pub began: usize,
    pub ended: usize,
}

enum Complaint {
    Failed(String),
    Wrong(String),
    /// An error that the application was told to answer with.
    Fault,
}

impl Load {
    /// Begins it. `seconds` is how long the long requests take that are always in flight.
    pub fn begin(proxy: &str, seconds: usize, phase: &str) -> Self {
        let shared = Arc::new(Shared {
            proxy: proxy.to_owned(),
            lines: seconds * 4,
            record: Mutex::default(),
            extra: Mutex::default(),
        });
        shared.enter(phase);
        let begin = |work: fn(&Shared, usize, &Receiver<()>), number| {
            let (end, ended) = channel();
            let shared = Arc::clone(&shared);
            (
                std::thread::spawn(move || work(&shared, number, &ended)),
                end,
            )
        };
        let mut customers: Vec<_> = (0..CUSTOMERS).map(|n| begin(Shared::shop, n)).collect();
        customers.extend((0..2).map(|n| begin(Shared::read_reports, n)));
        Self { shared, customers }
    }

    /// From now on, requests count as begun in this phase.
    pub fn enter(&self, phase: &str) {
        self.shared.enter(phase);
    }

    /// Waits until so many requests that began in this phase are answered.
    #[track_caller]
    pub fn answers(&self, count: usize) {
        eventually(GENEROUS, || {
            let record = self.shared.record();
            let phase = record.phases.last().expect("there is a first phase");
            (phase.took.len() >= count).then_some(())
        });
    }

    /// Which versions have answered in this phase.
    pub fn versions(&self) -> Vec<String> {
        let record = self.shared.record();
        let phase = record.phases.last().expect("there is a first phase");
        phase.versions.keys().cloned().collect()
    }

    /// Waits until each of these versions has answered in this phase.
    #[track_caller]
    pub fn answered_by(&self, versions: &[&str]) {
        eventually(GENEROUS, || (self.versions() == versions).then_some(()));
    }

    /// Begins long requests until one is in the hands of this version, which gets a quarter of them at least.
    #[track_caller]
    pub fn begin_report_on(&self, version: &str) {
        for _ in 0..40 {
            let (tell, told) = channel();
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::spawn(move || {
                let mut client = Client::new(&shared.proxy);
                shared.report(&mut client, LONGEST, &mut |version| {
                    // Whoever waited has learnt it from the first line.
                    let _ = tell.send(version.to_owned());
                });
            });
            let extra = &self.shared.extra;
            extra
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(thread);
            if told.recv().is_ok_and(|began| began == version) {
                return;
            }
        }
        panic!("none of many long requests came to {version}");
    }

    /// Lets everybody finish what they have begun. Nobody must have had anything to complain about.
    #[track_caller]
    pub fn end(self) -> Record {
        let record = self.end_with_faults();
        let faults: usize = record.phases.iter().map(|phase| phase.faults).sum();
        assert_eq!(faults, 0, "{}", record.table());
        record
    }

    /// Likewise, except for the errors that the application was told to answer with.
    #[track_caller]
    pub fn end_with_faults(self) -> Record {
        for (customer, end) in self.customers {
            drop(end);
            customer.join().expect("a customer does not panic");
        }
        let extra = std::mem::take(
            &mut *self
                .shared
                .extra
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for report in extra {
            report.join().expect("a reader does not panic");
        }
        let record = std::mem::take(&mut *self.shared.record());
        let complaints = &record.complaints;
        assert!(
            complaints.is_empty(),
            "{} complaints, of which the first are\n{}\n{}",
            complaints.len(),
            complaints[..complaints.len().min(10)].join("\n"),
            record.table()
        );
        record
    }
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: &str) {
        self.record().phases.push(Phase {
            name: phase.to_owned(),
            ..Phase::default()
        });
    }

    fn now(&self) -> usize {
        self.record().phases.len() - 1
    }

    /// Adds users, changes their names, and looks at them and at those from before.
    fn shop(&self, number: usize, ended: &Receiver<()>) {
        let mut client = Client::new(&self.proxy);
        let mut known: Vec<(u64, String)> = Vec::new();
        for turn in number.. {
            let name = format!("{} {turn}", NAMES[turn % NAMES.len()]);
            match turn % 4 {
                0 => {
                    let body = json!({ "name": name }).to_string();
                    if let Some(id) = self.ask(&mut client, ("POST", "/users", &body), &name) {
                        known.push((id, name));
                    }
                }
                1 if !known.is_empty() => {
                    let at = turn * 7 % known.len();
                    let path = format!("/users/{}", known[at].0);
                    let body = json!({ "name": name }).to_string();
                    if self
                        .ask(&mut client, ("PUT", &path, &body), &name)
                        .is_some()
                    {
                        known[at].1 = name;
                    }
                }
                2 if !known.is_empty() => {
                    let (id, name) = &known[turn * 5 % known.len()];
                    self.ask(&mut client, ("GET", &format!("/users/{id}"), ""), name);
                }
                _ => {
                    let id = 1 + turn * 31 % FROM_BEFORE;
                    let name = format!("Customer Number {id}");
                    self.ask(&mut client, ("GET", &format!("/users/{id}"), ""), &name);
                }
            }
            // The time between two requests, or the end if it comes first.
            if ended.recv_timeout(THINKING) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// One request, whose answer has to show a user of this name. The user.
    fn ask(&self, client: &mut Client, request: (&str, &str, &str), name: &str) -> Option<u64> {
        let phase = self.now();
        let (method, path, body) = request;
        let begun = Instant::now();
        let answered = client.request(method, path, body, &mut |_| {});
        let took = begun.elapsed();
        let checked = answered
            .map_err(|error| Complaint::Failed(error.to_string()))
            .and_then(|answer| checked(&answer, name));
        let mut record = self.record();
        record.phases[phase].took.push(took);
        match checked {
            Ok((user, version)) => {
                *record.phases[phase].versions.entry(version).or_default() += 1;
                Some(user)
            }
            Err(complaint) => {
                record.complain(phase, &format!("{method} {path}"), complaint);
                None
            }
        }
    }

    fn read_reports(&self, _: usize, ended: &Receiver<()>) {
        let mut client = Client::new(&self.proxy);
        while ended.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            self.report(&mut client, self.lines, &mut |_| {});
        }
    }

    /// One long request; `began` is called with the version that begins to answer it.
    fn report(&self, client: &mut Client, lines: usize, began: &mut dyn FnMut(&str)) {
        let phase = self.now();
        let path = format!("/report?lines={lines}");
        let mut is_first = true;
        let answered = client.request("GET", &path, "", &mut |part| {
            let line = serde_json::from_str::<Value>(part).unwrap_or_default();
            if std::mem::take(&mut is_first) {
                began(line["version"].as_str().unwrap_or_default());
            }
        });
        let checked = answered
            .map_err(|error| Complaint::Failed(error.to_string()))
            .and_then(|answer| checked_report(&answer, lines));
        let ended = self.now();
        let mut record = self.record();
        match checked {
            Ok(version) => record.reports.push(Report {
                version,
                began: phase,
                ended,
            }),
            Err(complaint) => record.complain(phase, &path, complaint),
        }
    }
}

/// The user that an answer shows and the version that gave it, if it is whole and right.
fn checked(answer: &Answer, name: &str) -> Result<(u64, String), Complaint> {
    let Answer { status, body } = answer;
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let (Some(id), Some(version), 200 | 201) =
        (value["id"].as_u64(), value["version"].as_str(), status)
    else {
        return Err(failed(answer));
    };
    let is_right = shows(&value, name);
    if !is_right {
        return Err(Complaint::Wrong(format!("{body} instead of {name}")));
    }
    Ok((id, version.to_owned()))
}

/// An answer that is none: one that the application was told to give, or another.
fn failed(Answer { status, body }: &Answer) -> Complaint {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    match (status, value["fault"].as_bool()) {
        (500, Some(true)) => Complaint::Fault,
        _ => Complaint::Failed(format!("{status} {body}")),
    }
}

/// Whether this is a user of this name. Newer versions show its parts as well.
fn shows(value: &Value, name: &str) -> bool {
    let part = |key: &str| value.get(key).map(|part| part.as_str().unwrap_or_default());
    let parts = match (part("first_name"), part("last_name")) {
        (None, None) => name.to_owned(),
        (first, last) => format!("{} {}", first.unwrap_or_default(), last.unwrap_or_default())
            .trim_end()
            .to_owned(),
    };
    value["name"] == name && parts == name
}

/// The version that made a report, if it is whole, right, and all of one instance.
fn checked_report(answer: &Answer, lines: usize) -> Result<String, Complaint> {
    let Answer { status, body } = answer;
    let shown: Vec<Value> = body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_default())
        .collect();
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else {
        return Err(Complaint::Failed(format!("{status} {body}")));
    };
    if *status != 200 || last["finished"] != true || shown.len() != lines + 1 {
        return Err(failed(answer));
    }
    if shown
        .iter()
        .any(|line| line["instance"] != first["instance"])
    {
        return Err(Complaint::Failed(format!("several instances: {body}")));
    }
    let names = (1..=lines).map(|id| format!("Customer Number {id}"));
    if !shown
        .iter()
        .zip(names)
        .all(|(line, name)| shows(line, &name))
    {
        return Err(Complaint::Wrong(body.clone()));
    }
    Ok(first["version"].as_str().unwrap_or_default().to_owned())
}

impl Record {
    fn complain(&mut self, phase: usize, request: &str, complaint: Complaint) {
        let phase = &mut self.phases[phase];
        let what = match complaint {
            Complaint::Failed(what) => {
                phase.failed += 1;
                format!("failed: {what}")
            }
            Complaint::Wrong(what) => {
                phase.wrong += 1;
                format!("wrong: {what}")
            }
            Complaint::Fault => {
                phase.faults += 1;
                return;
            }
        };
        let complaint = format!("{} in {}: {what}", request, phase.name);
        self.complaints.push(complaint);
    }

    /// What the requests of each phase have seen.
    pub fn table(&self) -> String {
        let mut table = format!(
            "{:32}{:>9}{:>8}{:>7}{:>8}{:>9}{:>9}  {}\n",
            "PHASE", "REQUESTS", "FAILED", "WRONG", "FAULTS", "P50", "P99", "ANSWERED BY"
        );
        for phase in &self.phases {
            let mut took = phase.took.clone();
            took.sort_unstable();
            let versions: Vec<String> = phase
                .versions
                .iter()
                .map(|(version, count)| format!("{version} × {count}"))
                .collect();
            table.push_str(&format!(
                "{:32}{:>9}{:>8}{:>7}{:>8}{:>9}{:>9}  {}\n",
                phase.name,
                took.len(),
                phase.failed,
                phase.wrong,
                phase.faults,
                milliseconds(&took, 50),
                milliseconds(&took, 99),
                versions.join(", ")
            ));
        }
        table.push_str(&format!(
            "{} long requests, each ended by the instance that began it\n",
            self.reports.len()
        ));
        table
    }

    /// Shows the table, also where tests are not asked what they print.
    pub fn print(&self, title: &str) {
        // Nothing hangs on whether anybody reads it.
        let _ = writeln!(std::io::stderr().lock(), "\n{title}\n{}", self.table());
    }
}

/// The value that so many percent of these do not exceed.
fn milliseconds(sorted: &[Duration], percent: usize) -> String {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).map_or_else(String::new, |took| {
        format!("{:.1} ms", took.as_secs_f64() * 1000.0)
    })
}
