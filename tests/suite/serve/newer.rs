//! A server whose files are older than the version that it is asked about says so.

use super::admission::review;
use super::client::Server;
use crate::support::backend::Db;
use crate::support::shop::Shop;

#[test]
fn a_version_after_all_that_the_files_name_is_remarked_on() {
    const AFTER: &str = "this server's files name no release of web after 1.2.0: if 1.3.0 brings migrations, it was answered without them";
    let shop = Shop::backfilled(Db::on("sqlite"));
    shop.run(&["contract"], 0);
    let config = std::fs::read_to_string(shop.project.path().join("migrate.toml")).expect("files");
    for (releases, version, is_said) in [
        ("", "1.3.0", false),
        ("releases = [\"1.0.0\", \"1.2.0\"]\n", "1.3.0", true),
        ("releases = [\"1.0.0\", \"1.2.0\"]\n", "1.2.0", false),
        // A migration tells of it.
        ("releases = [\"1.0.0\", \"1.1.0\"]\n", "1.2.0", false),
    ] {
        let section = "[services.web]\n";
        let with = config.replace(section, &format!("{section}{releases}"));
        shop.project.file("migrate.toml", &with);
        let server = Server::start(&shop.project, &["--admission"]);
        let answer = server.get(&format!("/v1/gate/deploy?web={version}")).json();
        assert_eq!(answer["verdict"], "go", "{answer}");
        let notes = answer["notes"].to_string();
        assert_eq!(notes.contains(AFTER), is_said, "{releases}: {notes}");
        let hook = format!(r#"{{"metadata":{{"service":"web","version":"{version}"}}}}"#);
        let hooked = server.post("/v1/flagger/confirm", &hook);
        assert_eq!(hooked.status, 200);
        assert_eq!(hooked.body.contains(AFTER), is_said, "{}", hooked.body);
        for dry in [true, false] {
            let mut asked = review("Deployment", version, version);
            asked["request"]["dryRun"] = dry.into();
            let answer = server.post("/admission/v1", &asked.to_string()).json();
            let response = &answer["response"];
            assert_eq!(response["allowed"], true, "{answer}");
            let warned = response["warnings"].to_string();
            assert_eq!(warned.contains(AFTER), is_said, "{releases}: {warned}");
        }
        server.stop();
        // Who asks from a checkout asks with its own files.
        let told = shop.json(&["gate", "deploy", &format!("web={version}")], 0);
        assert!(!told["notes"].to_string().contains(AFTER), "{told}");
    }
}
