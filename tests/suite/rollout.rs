//! `migrate rollout`: a plan walked to its end, whatever stops it on the way.

mod crashing;
mod drivers;
mod giving_up;
mod not_coming;
mod orders;
mod stopping;
mod walking;
mod watched;

use crate::support::backend::Db;
use crate::support::shop::Shop;

/// What the driver calls: it keeps a list of its calls, fails while there is a file `broken`, and
/// changes the fleet as a real one would: beside the old instance first, and in its place at 100 %.
const DRIVER: &str = r#"
set -eu
echo "$1 $2 $3 $4" >>calls
if [ -e broken ]; then
    echo "the health check of $1 $3 failed" >&2
    exit 3
fi
new="{\"service\":\"$1\",\"instance\":\"new-$3\",\"version\":\"$3\"}"
if [ "$4" = 100 ]; then
    echo "$new" >fleet.jsonl
elif ! grep -qF "$new" fleet.jsonl; then
    echo "$new" >>fleet.jsonl
fi
"#;

const SERVICES: &str = "\
[services.web]
releases = [\"1.0.0\", \"1.1.0\", \"1.2.0\"]
";

const AT_ONCE: &str = "\
[rollout]
driver = { kind = \"command\", run = [\"sh\", \"roll.sh\", \"{service}\", \"{from}\", \"{to}\", \"{step}\"] }
timeout = \"30s\"
";

const IN_STEPS: &str = "\
[rollout]
driver = { kind = \"command\", run = [\"sh\", \"roll.sh\", \"{service}\", \"{from}\", \"{to}\", \"{step}\"], steps = [10, 50, 100] }
timeout = \"30s\"
";

const TO_1_2: &[&str] = &["rollout", "--to", "web=1.2.0"];

/// A shop at web 1.0.0 whose table was never touched, and this way of rolling it out.
fn shop(db: Db, rollout: &str) -> Shop {
    let lease = "coordinator_lease = \"100ms\"\n";
    let shop = Shop::with_fleet(db, &format!("{lease}{SERVICES}{rollout}"));
    shop.project.file("roll.sh", DRIVER);
    shop.fleet(&[("web", "old", "1.0.0")]);
    shop
}

/// What the driver was called with, call by call.
fn calls(shop: &Shop) -> Vec<String> {
    std::fs::read_to_string(shop.project.path().join("calls"))
        .unwrap_or_default()
        .lines()
        .map(ToOwned::to_owned)
        .collect()
}

fn has_old_column(shop: &Shop) -> bool {
    shop.db.try_execute("SELECT full_name FROM users").is_ok()
}

/// The state of each step of the last rollout.
fn states(shop: &Shop) -> Vec<String> {
    let status = shop.json(&["rollout", "status"], 0);
    let steps = status["rollout"]["steps"].as_array().expect("steps");
    let texts = steps
        .iter()
        .map(|step| step["state"].as_str().expect("a state").to_owned());
    texts.collect()
}
