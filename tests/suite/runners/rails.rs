//! A project of Rails, as Debian packages it: tried by `sh tests/runners.sh`.

use super::projects::{ADD, CREATE, DROP, Tool, url_by_hand, write_url};
use crate::support::backend::Db;
use crate::support::project::Project;

pub const RAILS: Tool = Tool {
    kind: "rails",
    revisions: ["20260101000001", "20260101000002", "20260101000003"],
    history: "SELECT version FROM schema_migrations ORDER BY version",
    write: rails,
    first: &["bin/rails", "db:migrate:up", "VERSION=20260101000001"],
    all: &["bin/rails", "db:migrate"],
};

/// An application with nothing but its models.
fn rails(project: &Project, db: &Db) {
    write_url(project, db, false);
    let (scheme, adapter) = match db.backend.name {
        "sqlite" => ("sqlite:", "sqlite3"),
        "mysql" => ("mysql:", "mysql2"),
        _ => ("postgres:", "postgresql"),
    };
    let url = url_by_hand(project).replacen(scheme, &format!("{adapter}:"), 1);
    project.file("url-by-hand", &url);
    let database = format!("development:\n  adapter: {adapter}\n");
    for (file, text) in [
        ("bin/rails", RAILS_PROGRAM),
        ("config/application.rb", RAILS_APPLICATION),
        (
            "config/environment.rb",
            "require_relative \"application\"\nRails.application.initialize!\n",
        ),
        (
            "Rakefile",
            "require_relative \"config/application\"\nRails.application.load_tasks\n",
        ),
        ("config/database.yml", &database),
    ] {
        project.file(file, text);
    }
    let program = project.path().join("bin/rails");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(program, mode).expect("it was written");
    for (number, sql) in [(1, CREATE), (2, ADD), (3, DROP)] {
        project.file(
            format!("db/migrate/2026010100000{number}_step{number}.rb"),
            &format!(
                "class Step{number} < ActiveRecord::Migration[6.1]\n  def up\n    execute \"{sql}\"\n  end\n\n  def down\n  end\nend\n"
            ),
        );
    }
}

const RAILS_PROGRAM: &str = r#"#!/usr/bin/env ruby
APP_PATH = File.expand_path("../config/application", __dir__)
require "rails/commands"
"#;

const RAILS_APPLICATION: &str = r#"require "rails"
require "active_record/railtie"
module Shop
  class Application < Rails::Application
    config.load_defaults 6.1
    config.eager_load = false
    config.active_record.dump_schema_after_migration = false
  end
end
"#;
