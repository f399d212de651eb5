//! What can be asked, as an OpenAPI description. A test asks all of it, and compares what comes with what is said here.

use serde_json::{Map, Value, json};

use crate::gate::Verdict;
use crate::model::Step;

/// A parameter: its name, whether it may come again, and what it says.
type Parameter = (&'static str, &'static str);

/// A path that answers with JSON.
struct Told {
    path: &'static str,
    method: &'static str,
    what: &'static str,
    parameters: &'static [Parameter],
    schema: &'static str,
}

const BY_STATUS: Parameter = (
    "as",
    "`status`: the verdict as the status too. 200 go, 409 hold (with Retry-After), 403 refuse, 503 unknown",
);

const TOLD: &[Told] = &[
    Told {
        path: "/v1/gate/deploy",
        method: "get",
        what: "May instances of these versions start now, beside those that run?",
        parameters: &[
            (
                "SERVICE",
                "The name of a service, with a version as its value: `web=1.2.0`; as many as there are services",
            ),
            (
                "to",
                "The same as a value, for a service whose name is a parameter: `to=as=1.2.0`",
            ),
            BY_STATUS,
        ],
        schema: "Decision",
    },
    Told {
        path: "/v1/gate/{step}/{migration}",
        method: "get",
        what: "May this step of this migration be taken now?",
        parameters: &[BY_STATUS],
        schema: "Decision",
    },
    Told {
        path: "/v1/status",
        method: "get",
        what: "Each migration's phase, what it waits for, and which versions may start now",
        parameters: &[],
        schema: "Status",
    },
    Told {
        path: "/v1/fleet",
        method: "get",
        what: "Which versions are live, who says so, and what they touch",
        parameters: &[],
        schema: "Fleet",
    },
    Told {
        path: "/v1/plan",
        method: "get",
        what: "The schema steps and rollouts that lead to these versions",
        parameters: &[
            (
                "to",
                "A version that a service is to end at: `web=1.2.0`; may come again",
            ),
            (
                "via",
                "A release that may be rolled out on the way; may come again",
            ),
        ],
        schema: "Plan",
    },
    Told {
        path: "/v1/rollouts",
        method: "get",
        what: "The last rollout: what is done, where it is, why it stopped",
        parameters: &[],
        schema: "Rollout",
    },
    Told {
        path: "/v1/log",
        method: "get",
        what: "What was done, by whom and when",
        parameters: &[
            ("since", "Since then: `24h`, or a moment"),
            ("after", "After the event of this number"),
            ("last", "So many, the last; 1000 otherwise"),
            ("migration", "Of this migration, by number or name"),
            ("actor", "By this one"),
        ],
        schema: "Log",
    },
    Told {
        path: "/v1/flagger/confirm",
        method: "post",
        what: "Flagger's confirm-rollout, pre-rollout, rollout and confirm-promotion webhooks: 200 go, and no other status below 400",
        parameters: &[],
        schema: "Decision",
    },
    Told {
        path: "/v1/flagger/rollback",
        method: "post",
        what: "Flagger's rollback webhook: 200, which starts a rollback, only where `version` is refused and `stable` may start",
        parameters: &[],
        schema: "Decision",
    },
];

/// The shape of an answer.
struct Shape {
    name: &'static str,
    /// The fields that are always there, each with its kind.
    always: &'static [(&'static str, &'static str)],
    sometimes: &'static [&'static str],
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "Decision",
        always: &[
            ("verdict", "Verdict"),
            ("action", "object"),
            ("blockers", "Blockers"),
            ("notes", "array"),
            ("sources", "array"),
            ("checked_at", "time"),
        ],
        sometimes: &["problems"],
    },
    Shape {
        name: "Status",
        always: &[
            ("ledger", "boolean"),
            ("coordinator", "text-or-null"),
            ("migrations", "array"),
            ("horizon", "array"),
            ("changed_files", "array"),
            ("sources", "array"),
            ("log_head", "text-or-null"),
            ("checked_at", "time"),
        ],
        sometimes: &["rollout", "ledger_database", "past_gate", "problems"],
    },
    Shape {
        name: "Fleet",
        always: &[
            ("fleet", "array"),
            ("sources", "array"),
            ("checked_at", "time"),
        ],
        sometimes: &["problems"],
    },
    Shape {
        name: "Plan",
        always: &[
            ("verdict", "Verdict"),
            ("plan", "array-or-null"),
            ("goal", "object"),
            ("start", "object"),
            ("blockers", "Blockers"),
        ],
        sometimes: &["rollouts", "shortest", "left", "ways_out", "problems"],
    },
    Shape {
        name: "Rollout",
        always: &[("rollout", "object-or-null")],
        sometimes: &["verdict", "at_work", "waits_for", "problems"],
    },
    Shape {
        name: "Log",
        always: &[("events", "array"), ("log_head", "text-or-null")],
        sometimes: &["problems"],
    },
    Shape {
        name: "Error",
        always: &[("error", "object")],
        sometimes: &[],
    },
];

fn kind(of: &str) -> Value {
    match of {
        "Verdict" | "Blockers" => json!({ "$ref": format!("#/components/schemas/{of}") }),
        "time" => json!({ "type": "string", "format": "date-time" }),
        "text-or-null" => json!({ "type": ["string", "null"] }),
        "array-or-null" => json!({ "type": ["array", "null"] }),
        "object-or-null" => json!({ "type": ["object", "null"] }),
        other => json!({ "type": other }),
    }
}

fn schemas() -> Value {
    let verdicts = [
        Verdict::Go,
        Verdict::Hold,
        Verdict::Refuse,
        Verdict::Unknown,
    ];
    let mut schemas = Map::new();
    schemas.insert(
        "Verdict".into(),
        json!({ "type": "string", "enum": verdicts.map(Verdict::name) }),
    );
    schemas.insert(
        "Blockers".into(),
        json!({ "type": "array", "items": {
            "type": "object",
            "required": ["kind", "verdict", "message", "help"],
            "properties": {
                "kind": { "type": "string" },
                "verdict": { "$ref": "#/components/schemas/Verdict" },
                "migration": { "type": ["string", "null"] },
                "service": { "type": ["string", "null"] },
                "version": { "type": ["string", "null"] },
                "instances": { "type": "integer" },
                "examples": { "type": "array", "items": { "type": "string" } },
                "source": { "type": ["string", "null"] },
                "seen_at": { "type": ["string", "null"], "format": "date-time" },
                "message": { "type": "string" },
                "help": { "type": "string" },
                "details": { "type": "object" },
            },
        } }),
    );
    for Shape {
        name,
        always,
        sometimes,
    } in SHAPES
    {
        let mut properties = Map::new();
        for (field, of) in *always {
            properties.insert((*field).into(), kind(of));
        }
        for field in *sometimes {
            properties.insert((*field).into(), json!({}));
        }
        let required: Vec<&str> = always.iter().map(|(field, _)| *field).collect();
        let shape = json!({ "type": "object", "required": required, "properties": properties });
        schemas.insert((*name).into(), shape);
    }
    schemas.into()
}

fn answer(what: &str, schema: &str) -> Value {
    let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
    json!({ "description": what, "content": { "application/json": { "schema": reference } } })
}

fn operation(told: &Told) -> Value {
    let parameters = told.parameters.iter();
    let mut parameters: Vec<Value> = parameters
        .map(|(name, what)| {
            json!({ "name": name, "in": "query", "description": what, "schema": { "type": "string" } })
        })
        .collect();
    if told.path.contains("{step}") {
        let steps = Step::ALL.map(Step::name);
        parameters.push(json!({ "name": "step", "in": "path", "required": true,
            "schema": { "type": "string", "enum": steps } }));
        parameters.push(json!({ "name": "migration", "in": "path", "required": true,
            "description": "Its number or name", "schema": { "type": "string" } }));
    }
    let mut responses = json!({
        "200": answer("The answer", told.schema),
        "400": answer("The question cannot be understood", "Error"),
        "401": answer("Neither a token nor a certificate was shown", "Error"),
        "500": answer("Something has to be mended first", "Error"),
        "503": answer("Nobody can know now: ask again", "Error"),
    });
    if let (Some(responses), "Decision") = (responses.as_object_mut(), told.schema) {
        responses.insert("403".into(), answer("Refuse", told.schema));
        responses.insert("409".into(), answer("Hold", told.schema));
    }
    let mut operation =
        json!({ "summary": told.what, "parameters": parameters, "responses": responses });
    if let (Some(operation), "post") = (operation.as_object_mut(), told.method) {
        let metadata = json!({ "type": "object", "properties": {
            "service": { "type": "string" },
            "version": { "type": "string" },
            "stable": { "type": "string" },
        } });
        let body = json!({ "type": "object", "properties": { "metadata": metadata } });
        operation.insert(
            "requestBody".into(),
            json!({ "required": true, "content": { "application/json": { "schema": body } } }),
        );
    }
    operation
}

/// The whole description.
pub(super) fn description() -> Value {
    let mut paths = Map::new();
    for told in TOLD {
        let operations = json!({ told.method: operation(told) });
        paths.insert(told.path.into(), operations);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Phasegate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What `migrate … --output json` answers, over HTTP.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{}, { "token": [] }],
    })
}
