//! `migrate plan`: on paper, from the fleet, and as a diagram.

use serde_json::{Value, json};

use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::{APPEND_ONLY, BACKFILL, CONTRACT, EXPAND, NAME, Shop};

/// A project that names no database at all.
fn on_paper(manifest: &str) -> Project {
    let project = Project::without_database(&["web"]);
    project.migration(
        NAME,
        &[
            ("migration.toml", manifest),
            ("expand.sql", EXPAND),
            ("backfill.sql", BACKFILL),
            ("contract.sql", CONTRACT),
        ],
    );
    project
}

/// The steps with nothing but what a script needs.
fn bare(plan: &Value) -> Value {
    let steps = plan["plan"].as_array().expect("a plan").iter();
    steps
        .map(|step| match step["action"].as_str() {
            Some("roll") => json!({
                "action": "roll", "service": step["service"], "from": step["from"], "to": step["to"]
            }),
            _ => json!({ "action": step["action"], "migration": step["migration"] }),
        })
        .collect()
}

fn through_1_1() -> Value {
    json!([
        { "action": "expand", "migration": NAME },
        { "action": "roll", "service": "web", "from": "1.0.0", "to": "1.1.0" },
        { "action": "backfill", "migration": NAME },
        { "action": "roll", "service": "web", "from": "1.1.0", "to": "1.2.0" },
        { "action": "contract", "migration": NAME },
    ])
}

#[test]
fn on_paper_needs_no_database() {
    let project = on_paper(APPEND_ONLY);
    let wanted = ["plan", "--from", "web=1.0.0", "--to", "web=1.2.0"];
    let wanted = [&wanted[..], &["--via", "web=1.1.0"]].concat();
    let with = |more: &[&'static str]| [&wanted, more].concat();
    let plan = project.migrate(&with(&["--output", "json"]));
    let plan = plan.expect_code(0).json();
    assert_eq!(bare(&plan), through_1_1());
    assert_eq!(plan["goal"], json!({ "web": "1.2.0" }));
    // Nor is one touched that is named and cannot be reached.
    let unreachable = ["--database-url", "postgres://nobody@127.0.0.1:1/nowhere"];
    let text = project.migrate(&with(&unreachable));
    insta::assert_snapshot!(text.expect_code(0).snapshot(), @r#"
    exit code 0
    --- stdout
    from web 1.0.0 to web 1.2.0: 5 steps, 2 rollouts

     STEP  ACTION                  LIVE MEANWHILE     DONE WHEN
     1     expand 0001_name        web 1.0.0
     2     roll web 1.0.0 → 1.1.0  web 1.0.0 + 1.1.0  only 1.1.0 is left
     3     backfill 0001_name      web 1.1.0          `remaining` is 0
     4     roll web 1.1.0 → 1.2.0  web 1.1.0 + 1.2.0  only 1.2.0 is left
     5     contract 0001_name      web 1.2.0
    --- stderr
    "#);
    let diagram = project.migrate(&with(&["--output", "mermaid"]));
    insta::assert_snapshot!(diagram.expect_code(0).snapshot(), @r#"
    exit code 0
    --- stdout
    flowchart TD
        s1["step 1: expand 0001_name<br>with web 1.0.0 live"]:::expand
        s2(["step 2: roll web 1.0.0 → 1.1.0"]):::roll
        s1 --> s2
        s3["step 3: backfill 0001_name<br>with web 1.1.0 live"]:::backfill
        s2 --> s3
        s4(["step 4: roll web 1.1.0 → 1.2.0"]):::roll
        s3 --> s4
        s5["step 5: contract 0001_name<br>with web 1.2.0 live"]:::contract
        s4 --> s5
        classDef roll fill:#e8f0fe,stroke:#4a6fa5,color:#1b2a41
        classDef contract stroke:#b3402a,stroke-width:2px
    --- stderr
    "#);
}

#[test]
fn where_there_is_no_plan_it_says_what_would_open_one() {
    let project = on_paper(APPEND_ONLY);
    let wanted = ["plan", "--from", "web=1.0.0", "--to", "web=1.2.0"];
    let none = project.migrate(&wanted);
    insta::assert_snapshot!(none.expect_code(11).snapshot(), @r#"
    exit code 11
    --- stdout
    refuse: no plan from web 1.0.0 to web 1.2.0
      web 1.2.0 cannot read rows that may exist in 0001_name (old fresh, new absent)
      web 1.2.0 leaves rows in 0001_name that web 1.0.0 cannot read (old absent, new fresh)
      web 1.0.0 writes only the old format: rows that it writes meanwhile would lack a fresh new one

    any of these would open a way for 0001_name:
      - a release of web in the range >=1.1.0, <1.2.0: name it under `releases` in migrate.toml, or with `--via web=1.1.0`
      - `sync = "both"`, if expand.sql makes every write of one format refresh the other (triggers, a view)
    --- stderr
    "#);
    let none = project.migrate(&[&wanted[..], &["--output", "json"]].concat());
    let none = none.expect_code(11).json();
    assert_eq!(none["plan"], Value::Null);
    assert!(
        none["blockers"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    assert_eq!(none["ways_out"][0]["kind"], "release");
    assert_eq!(
        none["ways_out"][0]["releases"],
        json!([{ "service": "web", "range": ">=1.1.0, <1.2.0" }])
    );
    let diagram = project.migrate(&[&wanted[..], &["--output", "mermaid"]].concat());
    let diagram = diagram.expect_code(11);
    assert!(diagram.stdout.starts_with("flowchart TD\n"), "{diagram:?}");
}

#[test]
fn releases_come_from_the_configuration_a_file_and_the_command_line() {
    let project = on_paper(APPEND_ONLY);
    let wanted = [
        "plan",
        "--from",
        "web=1.0.0",
        "--to",
        "web=1.2.0",
        "--output",
        "json",
    ];
    project.migrate(&wanted).expect_code(11);
    project.file(
        "releases.txt",
        "# what was tagged\nweb=0.9.0\nweb=1.1.0 # the bridge\n\nweb=v9\n",
    );
    let file = project.migrate(&[&wanted[..], &["--releases", "releases.txt"]].concat());
    assert_eq!(bare(&file.expect_code(0).json()), through_1_1());
    project.file(
        "migrate.toml",
        "[services.web]\nreleases = [\"1.0.0\", \"1.1.0\", \"1.2.0\", \"2.0.0\"]\naliases = { \"a1b2c3d\" = \"1.2.0\" }\n",
    );
    let configured = project.migrate(&wanted).expect_code(0).json();
    assert_eq!(bare(&configured), through_1_1());
    let aliased = [
        "plan",
        "--from",
        "web=v1",
        "--to",
        "web=a1b2c3d",
        "--output",
        "json",
    ];
    assert_eq!(
        bare(&project.migrate(&aliased).expect_code(0).json()),
        through_1_1()
    );

    project.file("releases.txt", "web=1.1.0\nweb 1.2.0\n");
    let broken = project.migrate(&[&wanted[..], &["--releases", "releases.txt"]].concat());
    let broken = broken.expect_code(1);
    assert!(broken.stderr.contains("line 2"), "{broken:?}");
    project
        .migrate(&[&wanted[..], &["--releases", "nowhere.txt"]].concat())
        .expect_code(1);
    for (arguments, code) in [
        (["--to", "wbe=1.2.0"], 2),
        (["--to", "web=latest"], 12),
        (["--to", "web"], 2),
        (["--to", "web=1.1.0"], 2),
    ] {
        let all = [&wanted[..], &arguments].concat();
        project.migrate(&all).expect_code(code);
    }
    let drawn = project.migrate(&["check", "--output", "mermaid"]);
    assert!(drawn.expect_code(2).stderr.contains("migrate plan"));
}

scenario!(
    fn a_plan_starts_from_what_is_live_and_recorded(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nreleases = [\"1.1.0\"]\n");
        shop.name_migration(APPEND_ONLY);
        let wanted = ["plan", "--to", "web=1.2.0", "--output", "json"];
        shop.fleet(&[("web", "a", "1.0.0")]);
        let plan = shop.changes_nothing(&wanted, 0).json();
        assert_eq!(bare(&plan), through_1_1());
        assert_eq!(plan["verdict"], "go");
        assert_eq!(plan["plan"][0]["refused"], json!([]));
        // What the gate refuses as things stand is no way yet, and every picture of the plan says so.
        shop.fleet(&[("web", "a", "1.2.0")]);
        let refused = shop.changes_nothing(&wanted, 11).json();
        assert_eq!(refused["verdict"], "refuse");
        assert_eq!(
            refused["plan"][0]["refused"][0]["kind"], "contradiction",
            "{refused}"
        );
        for (output, said) in [
            ("text", "step 1 will be refused as things stand"),
            ("mermaid", "<br>will be refused: "),
            ("markdown", "<br>will be refused: "),
        ] {
            let shown = ["plan", "--to", "web=1.2.0", "--output", output];
            let shown = shop.changes_nothing(&shown, 11).stdout;
            assert!(shown.contains(said), "{shown}");
        }
        shop.fleet(&[("web", "a", "1.0.0")]);
        shop.run(&["expand"], 0);
        shop.fleet(&[("web", "a", "1.0.0"), ("web", "b", "1.1.0")]);
        let plan = shop.changes_nothing(&wanted, 0).json();
        let rest = through_1_1().as_array().expect("steps")[1..].to_vec();
        assert_eq!(bare(&plan), Value::from(rest));
        assert_eq!(
            plan["plan"][0]["live"],
            json!({ "web": ["1.0.0", "1.1.0"] })
        );
        shop.fleet(&[("web", "a", "1.2.0")]);
        // Nobody vouches for what nobody sees.
        shop.fleet_text("");
        let unseen = shop.changes_nothing(&wanted, 12).json();
        assert_eq!(unseen["plan"], Value::Null);
        assert_eq!(unseen["blockers"][0]["kind"], "missing_instances");
        shop.fleet(&[("web", "a", "a1b2c3d")]);
        let unplaced = shop.changes_nothing(&wanted, 12).json();
        assert_eq!(unplaced["blockers"][0]["kind"], "unplaced_version");
        // On paper neither the fleet nor the ledger is asked.
        let paper = [&wanted[..], &["--from", "web=1.0.0"]].concat();
        let plan = shop.changes_nothing(&paper, 0).json();
        assert_eq!(bare(&plan), through_1_1());
        // Who is in the way is named with where it runs.
        shop.fleet(&[("web", "a", "1.0.0")]);
        shop.project.file(
            "migrate.toml",
            &std::fs::read_to_string(shop.project.path().join("migrate.toml"))
                .expect("it is there")
                .replace("releases = [\"1.1.0\"]\n", ""),
        );
        let none = shop.changes_nothing(&wanted, 11).json();
        let seen = none["blockers"].as_array().expect("blockers").iter();
        let seen: Vec<_> = seen.filter(|blocker| blocker["instances"] == 1).collect();
        assert!(!seen.is_empty(), "{none}");
    }
);

#[test]
fn a_long_run_of_expands_is_one_line() {
    let shop = Shop::new(Db::on("sqlite"));
    for number in 1..=12 {
        shop.project.migration(
            &format!("{number:04}_t{number}"),
            &[
                (
                    "migration.toml",
                    "description = \"a table\"\n[services.web]\nnew = \">=1.1.0\"\n",
                ),
                (
                    "expand.sql",
                    &format!("CREATE TABLE t{number} (id INTEGER PRIMARY KEY);\n"),
                ),
            ],
        );
    }
    let plan = shop.run(&["plan", "--to", "web=1.1.0"], 0).stdout;
    assert!(plan.contains("13 steps"), "{plan}");
    assert!(plan.contains("expand 0001_t1 to 0012_t12"), "{plan}");
    assert!(plan.contains(" 1-12 ") && plan.contains(" 13 "), "{plan}");
    assert!(!plan.contains("0005_t5"), "{plan}");
    let json = shop.json(&["plan", "--to", "web=1.1.0"], 0);
    assert_eq!(json["plan"].as_array().map(Vec::len), Some(13), "{json}");
    let gate = shop.run(&["gate", "deploy", "web=1.1.0"], 11).stdout;
    assert!(
        gate.contains(
            "the new formats of 12 migrations that are not expanded yet, 0001_t1 to 0012_t12"
        ),
        "{gate}"
    );
    assert_eq!(gate.matches("next: ").count(), 1, "{gate}");
    // The one command that is left leads out.
    shop.run(&["expand", "--up-to", "0012_t12"], 0);
    assert!(gate.contains("`migrate expand --up-to 0012_t12`"), "{gate}");
    shop.run(&["gate", "deploy", "web=1.1.0"], 0);
}
