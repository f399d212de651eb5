//! The keys of `[rollout]` in `migrate.toml`: drivers, and what is asked while a step holds.

use super::fleet::{CA, DRIVER, ENV, HEADERS, TIMEOUT, TOKEN_ENV, TOKEN_FILE};
use super::{Key, Section, Shape};

pub(super) const ROLLOUT: Section = Section::of(&[
    Key::new(
        "timeout",
        Shape::Duration,
        "\"30m\"",
        "How long each step may wait: to be allowed, and for the fleet to show it",
    )
    .usually("\"30m\""),
    Key::table(
        "driver",
        Shape::Table(&DRIVER),
        "What replaces the instances of a service",
    ),
    Key::new(
        "bake",
        Shape::Duration,
        "\"5m\"",
        "How long each step of a service has to hold before the next",
    )
    .usually("\"0s\""),
    Key::new(
        "every",
        Shape::Duration,
        "\"15s\"",
        "How often the checks are asked while a step holds",
    )
    .usually("\"15s\""),
    Key::new(
        "on_failure",
        Shape::Choice(&["stop", "roll-back"]),
        "\"roll-back\"",
        "What becomes of a rollout that a check has stopped",
    )
    .usually("\"stop\""),
    Key::table(
        "check",
        Shape::Tables(&CHECK),
        "What is asked while a step holds, and before the next",
    ),
]);

const MAX: Key = Key::new(
    "max",
    Shape::Number,
    "0.01",
    "The figure that is just not too much",
);
const NAME: Key = Key::new(
    "name",
    Shape::Text,
    "\"errors\"",
    "What the check is called",
);

const CHECK: Section = Section {
    keys: &[
        Key::new(
            "service",
            Shape::Text,
            "\"web\"",
            "The service whose steps it is for; left out it is for all",
        ),
        Key::new("min", Shape::Number, "100", "The figure that is just not too little"),
        Key::new(
            "max_increase",
            Shape::Number,
            "1.5",
            "At most so many times the figure before the step; wants `max` beside it",
        ),
    ],
    kinds: &[
        (
            "command",
            &[
                Key::new(
                    "run",
                    Shape::Texts,
                    "[\"./smoke-test.sh\"]",
                    "A program, with its arguments, that ends with 0 where all is well; with limits it prints the figure",
                )
                .needed(),
                NAME,
                MAX,
                TIMEOUT.usually("\"1m\""),
                ENV,
            ],
        ),
        (
            "http",
            &[
                Key::new(
                    "url",
                    Shape::Text,
                    "\"http://web.example.com/healthz\"",
                    "What answers with 200 where all is well",
                )
                .needed(),
                NAME,
                MAX,
                Key::new(
                    "value",
                    Shape::Text,
                    "\"$.errors.rate\"",
                    "A JSONPath to the figure in the answer",
                ),
                CA,
                HEADERS,
                TOKEN_ENV,
                TOKEN_FILE,
                TIMEOUT,
            ],
        ),
        (
            "prometheus",
            &[
                Key::new("url", Shape::Text, "\"http://prometheus:9090\"", "The server").needed(),
                Key::new(
                    "query",
                    Shape::Text,
                    "\"sum(rate(http_errors_total[1m])) or vector(0)\"",
                    "A query that gives one number",
                )
                .needed(),
                NAME,
                MAX,
                CA,
                HEADERS,
                TOKEN_ENV,
                TOKEN_FILE,
                TIMEOUT,
            ],
        ),
    ],
};
