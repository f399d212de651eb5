//! The keys of `[fleet]` in `migrate.toml`: sources, and beside them the drivers, which are reached in the same ways.

use super::{Key, Section, Shape};

pub(super) const FLEET: Section = Section::of(&[
    Key::new(
        "lease",
        Shape::Duration,
        "\"10m\"",
        "How long an instance counts as live after it was last heard of",
    )
    .usually("\"10m\""),
    Key::new(
        "renew",
        Shape::Duration,
        "\"10s\"",
        "How often an instance renews its lease; less than a third of `lease`",
    )
    .usually("\"10s\""),
    Key::new(
        "connection",
        Shape::Choice(&["kept", "short"]),
        "\"kept\"",
        "What an instance does with its connection between two renewals",
    )
    .usually("\"kept\""),
    Key::new(
        "coordinator_lease",
        Shape::Duration,
        "\"15s\"",
        "How long a coordinator that was killed keeps the next one waiting",
    )
    .usually("\"15s\""),
    Key::table(
        "sources",
        Shape::Tables(&SOURCE),
        "Where live instances are learnt from; leases count even if they are not listed",
    ),
    Key::new(
        "sessions",
        Shape::Choice(&["strict", "note", "off"]),
        "\"strict\"",
        "What becomes of database sessions that belong to no instance that is known",
    )
    .usually("\"strict\""),
    Key::table(
        "allow_session",
        Shape::Tables(&ALLOWED),
        "Sessions that are no instances: of a pooler, a console, a report",
    ),
]);

const ALLOWED: Section = Section::of(&[
    Key::new(
        "user",
        Shape::Text,
        "\"reporting\"",
        "The role; `*` stands for any text",
    ),
    Key::new(
        "application",
        Shape::Text,
        "\"report*\"",
        "The name of the session; `*` stands for any text",
    ),
    Key::new(
        "address",
        Shape::Text,
        "\"10.0.0.*\"",
        "Where it comes from; `*` stands for any text",
    ),
    Key::new(
        "database",
        Shape::Text,
        "\"other\"",
        "Another database of the same server in which it is (MySQL, MariaDB)",
    ),
    Key::new(
        "reason",
        Shape::Text,
        "\"reads at night; told by hand before a column goes\"",
        "What they do, and why they need no lease",
    )
    .needed(),
]);

const NAME: Key = Key::new(
    "name",
    Shape::Text,
    "\"production\"",
    "What the source is called in reports",
);
pub(super) const TIMEOUT: Key = Key::new(
    "timeout",
    Shape::Duration,
    "\"10s\"",
    "How long all of it may take",
)
.usually("\"10s\"");
const MAX_AGE: Key = Key::new(
    "max_age",
    Shape::Duration,
    "\"1m\"",
    "What it says about an instance must not be older",
);
const KUBECONFIG: Key = Key::new(
    "kubeconfig",
    Shape::Text,
    "\"~/.kube/config\"",
    "A file; left out it is KUBECONFIG, the service account of the pod, or ~/.kube/config",
);
const CONTEXT: Key = Key::new(
    "context",
    Shape::Text,
    "\"production\"",
    "A context of the kubeconfig; left out it is the current one",
);
const NAMESPACES: Key = Key::new(
    "namespaces",
    Shape::Texts,
    "[\"shop\"]",
    "Where the pods are; [\"*\"] for everywhere",
);
const LABELLED: Key = Key::new(
    "version",
    Shape::Text,
    "\"label:app.kubernetes.io/version\"",
    "\"label:KEY\", \"annotation:KEY\" or \"image\"; left out it is the label app.kubernetes.io/version, else the image's tag",
);
pub(super) const ENV: Key = Key::new(
    "env",
    Shape::Texts,
    "[\"DATABASE_URL\"]",
    "Names of environment variables that lead into the database and are handed on all the same",
);
pub(super) const TOKEN_ENV: Key = Key::new(
    "token_env",
    Shape::Text,
    "\"CONSUL_HTTP_TOKEN\"",
    "The environment variable with a bearer token",
);
pub(super) const TOKEN_FILE: Key = Key::new(
    "token_file",
    Shape::Text,
    "\"/run/secrets/token\"",
    "A file with a bearer token",
);
pub(super) const HEADERS: Key = Key::table(
    "headers",
    Shape::TableEach(&HEADER),
    "Headers of the request, and where their values are",
);
pub(super) const CA: Key = Key::new(
    "ca",
    Shape::Text,
    "\"/etc/ssl/shop-ca.pem\"",
    "A file of authorities, in PEM",
);

const HEADER: Section = Section::of(&[
    Key::new(
        "env",
        Shape::Text,
        "\"NOMAD_TOKEN\"",
        "The environment variable in which its value is",
    ),
    Key::new(
        "file",
        Shape::Text,
        "\"/run/secrets/nomad\"",
        "The file in which its value is",
    ),
    Key::new(
        "value",
        Shape::Text,
        "\"application/json\"",
        "Its value, where that is no secret",
    ),
]);

const PODS: Section = Section::of(&[
    Key::new(
        "selector",
        Shape::Text,
        "\"app.kubernetes.io/name=web\"",
        "A label selector as kubectl takes it; left out it is app.kubernetes.io/name=NAME",
    ),
    NAMESPACES,
    LABELLED,
    Key::new(
        "container",
        Shape::Text,
        "\"web\"",
        "Which container of the pod is the application",
    ),
    Key::new(
        "absent",
        Shape::Flag,
        "true",
        "Whether the service may be missing from the cluster altogether",
    )
    .usually("false"),
]);

const SOURCE: Section = Section {
    keys: &[],
    kinds: &[
        ("leases", &[]),
        (
            "command",
            &[
                Key::new(
                    "run",
                    Shape::Texts,
                    "[\"./list-instances\"]",
                    "A program, with its arguments, that prints one instance a line, as JSON",
                )
                .needed(),
                NAME,
                TIMEOUT,
                MAX_AGE,
                ENV,
            ],
        ),
        (
            "http",
            &[
                NAME,
                Key::new(
                    "url",
                    Shape::Text,
                    "\"http://127.0.0.1:8500/v1/health/service/web\"",
                    "Where it is asked",
                )
                .needed(),
                CA,
                HEADERS,
                TOKEN_ENV,
                TOKEN_FILE,
                TIMEOUT,
                MAX_AGE,
                Key::new(
                    "items",
                    Shape::Text,
                    "\"$[*]\"",
                    "A JSONPath to the instances",
                )
                .usually("\"$[*]\""),
                Key::new(
                    "service",
                    Shape::Text,
                    "\"web\"",
                    "The service of an instance: a JSONPath, or one for all",
                )
                .needed(),
                Key::new(
                    "instance",
                    Shape::Text,
                    "\"$.Service.ID\"",
                    "The name of an instance: a JSONPath, or one for all",
                )
                .needed(),
                Key::new(
                    "version",
                    Shape::Text,
                    "\"$.Service.Meta.version\"",
                    "The version of an instance: a JSONPath, or one for all",
                )
                .needed(),
                Key::new(
                    "image",
                    Shape::Text,
                    "\"$.image\"",
                    "A JSONPath to the image that it runs",
                ),
                Key::new(
                    "seen_at",
                    Shape::Text,
                    "\"$.seen_at\"",
                    "A JSONPath to when it was seen",
                ),
                Key::new(
                    "next",
                    Shape::Text,
                    "\"$.next\"",
                    "A JSONPath to the URL of the next page",
                ),
                Key::new(
                    "state",
                    Shape::Text,
                    "\"$.Checks[*].Status\"",
                    "A JSONPath to what says whether it lives",
                ),
                Key::new(
                    "serving",
                    Shape::Texts,
                    "[\"passing\"]",
                    "The words of `state` for serving",
                ),
                Key::new(
                    "starting",
                    Shape::Texts,
                    "[\"critical\"]",
                    "The words of `state` for starting",
                ),
                Key::new(
                    "draining",
                    Shape::Texts,
                    "[\"stopping\"]",
                    "The words of `state` for draining",
                ),
                Key::new(
                    "lost",
                    Shape::Texts,
                    "[\"unknown\"]",
                    "The words of `state` for what may still run",
                ),
                Key::new(
                    "gone",
                    Shape::Texts,
                    "[\"complete\"]",
                    "The words of `state` for what does not run any more",
                ),
                Key::new(
                    "others",
                    Shape::Choice(&["fail", "ignore"]),
                    "\"ignore\"",
                    "What becomes of services that are not named here",
                )
                .usually("\"fail\""),
                Key::new(
                    "empty",
                    Shape::Choice(&["failed", "nothing"]),
                    "\"nothing\"",
                    "What an answer without instances means",
                )
                .usually("\"failed\""),
            ],
        ),
        (
            "kubernetes",
            &[
                NAME,
                KUBECONFIG,
                CONTEXT,
                NAMESPACES,
                TIMEOUT,
                Key::new(
                    "templates",
                    Shape::Flag,
                    "true",
                    "Whether what makes pods is looked at too",
                )
                .usually("true"),
                LABELLED,
                Key::table("services", Shape::TableEach(&PODS), "Whose pods are meant"),
            ],
        ),
        (
            "prometheus",
            &[
                NAME,
                Key::new(
                    "url",
                    Shape::Text,
                    "\"http://prometheus:9090\"",
                    "Where it is asked",
                )
                .needed(),
                CA,
                HEADERS,
                TOKEN_ENV,
                TOKEN_FILE,
                Key::new(
                    "service",
                    Shape::Text,
                    "\"web\"",
                    "The service that the query is about",
                )
                .needed(),
                Key::new(
                    "query",
                    Shape::Text,
                    "'app_build_info{job=\"web\"}'",
                    "A query with one series for each instance",
                )
                .needed(),
                Key::new(
                    "up",
                    Shape::Text,
                    "'up{job=\"web\"}'",
                    "A query that tells which targets there are",
                ),
                Key::new(
                    "instance",
                    Shape::Text,
                    "\"instance\"",
                    "The label that names the instance",
                )
                .usually("\"instance\""),
                Key::new(
                    "version",
                    Shape::Text,
                    "\"version\"",
                    "The label that names the version",
                )
                .usually("\"version\""),
                TIMEOUT,
                MAX_AGE,
            ],
        ),
        (
            "sessions",
            &[Key::new(
                "pattern",
                Shape::Text,
                "\"{service}/{version}\"",
                "The form of a session's name; {instance} may be in it",
            )
            .usually("\"{service}/{version}\"")],
        ),
    ],
};

const FOLLOWED: Key = Key::new(
    "timeout",
    Shape::Duration,
    "\"10m\"",
    "How long one call may take",
)
.usually("\"10m\"");

pub(super) const DRIVER: Section = Section {
    keys: &[],
    kinds: &[
        ("manual", &[]),
        (
            "command",
            &[
                Key::new(
                    "run",
                    Shape::Texts,
                    "[\"./deploy.sh\", \"{service}\", \"{to}\", \"{step}\"]",
                    "A program with its arguments, called once for each of `steps`",
                )
                .needed(),
                FOLLOWED,
                Key::new(
                    "steps",
                    Shape::Counts(1, 100),
                    "[10, 50, 100]",
                    "How much of the service is to run the new version after each call, in percent",
                )
                .usually("[100]"),
                ENV,
            ],
        ),
        (
            "kubernetes",
            &[
                KUBECONFIG,
                CONTEXT,
                Key::new("namespace", Shape::Text, "\"shop\"", "Where the workload is"),
                Key::new(
                    "workload",
                    Shape::Text,
                    "\"deployment/{service}\"",
                    "deployment/NAME, statefulset/NAME, daemonset/NAME, or rollout/NAME of Argo Rollouts",
                )
                .usually("\"deployment/{service}\""),
                Key::new("container", Shape::Text, "\"web\"", "Which container's image is changed"),
                Key::new(
                    "image",
                    Shape::Text,
                    "\"registry.example.com/web:{to}\"",
                    "The image, with {to}; left out it is the one that is there, with the version as its tag",
                ),
                Key::new("label", Shape::Text, "\"app.kubernetes.io/version\"", "The label of the pods that names the version")
                    .usually("\"app.kubernetes.io/version\""),
                Key::new("force", Shape::Flag, "true", "Whether the fields are taken from whoever has set them before")
                    .usually("false"),
                Key::new("promote", Shape::Flag, "true", "Whether a rollout that pauses in its steps is told to go on")
                    .usually("false"),
                Key::new(
                    "steps",
                    Shape::Counts(1, 100),
                    "[10, 50, 100]",
                    "How much of the service is to run the new version after each step of a Deployment, in percent",
                )
                .usually("[100]"),
                FOLLOWED,
            ],
        ),
    ],
};
