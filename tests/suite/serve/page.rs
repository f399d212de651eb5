//! The page: what is seen, as text that nothing of others can change.

use super::client::Server;
use crate::support::shop::{APPEND_ONLY, NAME, Shop};

scenario!(
    fn the_page_shows_what_there_is_and_inserts_nothing(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        let manifest = APPEND_ONLY.replace(
            "Move users.full_name to users.name",
            "<script>alert('x')</script> & \\u202Emore",
        );
        shop.name_declaration(&manifest);
        shop.run(&["expand"], 0);
        shop.fleet_text(
            "{\"service\":\"web\",\"instance\":\"<img src=x>\",\"version\":\"1.0.0\"}\n\
             {\"service\":\"web\",\"instance\":\"b\",\"version\":\"<b>new</b>\",\"state\":\"draining\"}\n",
        );
        let server = Server::start(&shop.project, &["--refresh", "200ms"]);
        let html = server.eventually("/", "live instances");
        for text in [
            NAME,
            "&lt;script&gt;alert('x')&lt;/script&gt; &amp; \\u{202e}more",
            "&lt;b&gt;new&lt;/b&gt;",
            "expanded",
            "What may start now",
            " → expanded",
        ] {
            assert!(html.contains(text), "no {text} in\n{html}");
        }
        for markup in [
            "<script>alert",
            "<img",
            "<b>",
            " style=",
            " onclick",
            "javascript:",
        ] {
            assert!(!html.contains(markup), "{markup} in\n{html}");
        }
        let page = server.get("/");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        // Nothing is asked for elsewhere.
        for part in html.split("=\"").skip(1) {
            assert!(
                !part.starts_with("http") && !part.starts_with("//"),
                "{part}"
            );
        }
        for (asset, kind) in [("page.css", "text/css"), ("page.js", "text/javascript")] {
            let answer = server.get(&format!("/assets/{asset}"));
            let told = answer.header("content-type").expect("a kind");
            assert!(told.starts_with(kind), "{told}");
        }
        shop.fleet(&[("web", "a", "1.0.0")]);
        server.eventually("/?to=web%3D1.1.0", "roll web 1.0.0 → 1.1.0");
        let none = server.get("/?to=web%3D1.2.0").body;
        assert!(none.contains("There is no plan."), "{none}");
        let filtered = server.get("/?migration=7").body;
        assert!(
            filtered.contains("Nothing of the last events."),
            "{filtered}"
        );
        // Neither form ends what the other asked for, and what is not shown here has an address.
        let both = server.get("/?migration=7&to=web%3D1.1.0").body;
        for text in [
            "<input type=\"hidden\" name=\"to\" value=\"web=1.1.0\">",
            "<input type=\"hidden\" name=\"migration\" value=\"7\">",
            "href=\"/v1/log?migration=7\"",
            "href=\"/?to=web%3D1%2E1%2E0\"",
            "href=\"/?migration=7\"",
            "roll web 1.0.0 → 1.1.0",
        ] {
            assert!(both.contains(text), "no {text} in\n{both}");
        }
        let why = html.split("href=\"/v1/gate/deploy?").nth(1);
        let why = why.and_then(|rest| rest.split('"').next());
        let why = why.expect("a stretch that may not start has its answer");
        let answer = server.get(&format!("/v1/gate/deploy?{why}"));
        assert_eq!(answer.status, 200, "{why}: {}", answer.body);
        assert_ne!(answer.json()["verdict"], "go", "{why}");
        let wrong = server.get("/?to=%3Cscript%3E");
        assert_eq!(wrong.status, 400);
        assert_eq!(wrong.header("content-type"), Some("application/json"));
        server.stop();
    }
);
