//! `ALTER TABLE`: one action at a time on SQLite.

use sqlite3_parser::ast::{AlterTableBody, ColumnConstraint, ColumnDefinition, TableConstraint};

use super::super::facts::{Facts, Name, NewColumn};
use super::super::lexeme::{self, Token};
use super::super::{ObjectKind, Verb, nulls};
use super::{is_null, lexer, unquoted};

pub(super) fn table(sql: &str, tokens: &[Token], table: &Name, body: &AlterTableBody<'_>) -> Facts {
    let column = |verb, name: String| table.member(ObjectKind::Column, verb, name);
    let facts = match body {
        AlterTableBody::RenameTo(new) => {
            let object = table.object(ObjectKind::Table, Verb::Rename);
            Facts::destructive(format!("renames the table `{}`", table.name))
                .object(object.renamed_to(Some(unquoted(new))))
        }
        AlterTableBody::AddColumn(definition) => {
            let new = new_column(sql, tokens, definition);
            let mut facts = if new.generated && lexeme::reads_json(sql, tokens) {
                Facts::destructive(format!(
                    "adds `{}`, whose expression may fail for rows that old versions write",
                    new.name
                ))
            } else {
                Facts::new(new.effect())
            };
            if new.is_left_null() {
                facts.left_null.push(table.column(&new.name));
            }
            facts.object(column(Verb::Create, new.name))
        }
        AlterTableBody::DropColumnNotNull(name) => {
            // Nothing is NULL until a version that knows of it writes NULL.
            Facts::additive().object(column(Verb::Alter, unquoted(name)))
        }
        AlterTableBody::SetColumnNotNull(name, _) => {
            let name = unquoted(name);
            Facts::destructive(format!(
                "makes `{name}` NOT NULL: old versions may still write NULL"
            ))
            .object(column(Verb::Alter, name))
        }
        AlterTableBody::RenameColumn { old, new } => {
            let old = unquoted(old);
            Facts::destructive(format!("renames the column `{old}`"))
                .object(column(Verb::Rename, old).renamed_to(Some(unquoted(new))))
        }
        AlterTableBody::DropColumn(name) => {
            let name = unquoted(name);
            Facts::destructive(format!("drops the column `{name}`"))
                .object(column(Verb::Drop, name))
        }
        AlterTableBody::AddConstraint(constraint) => {
            let what = match constraint.constraint {
                TableConstraint::PrimaryKey { .. } => "PRIMARY KEY",
                TableConstraint::Unique { .. } => "UNIQUE constraint",
                TableConstraint::Check { .. } => "CHECK constraint",
                TableConstraint::ForeignKey { .. } => "foreign key",
            };
            let why = format!("adds a {what} that rows of old versions may not satisfy");
            let name = constraint.name.as_ref().map(unquoted);
            let mut facts = Facts::destructive(why);
            facts
                .objects
                .extend(name.map(|name| table.member(ObjectKind::Constraint, Verb::Create, name)));
            facts
        }
        AlterTableBody::DropConstraint(name) => {
            let name = unquoted(name);
            Facts::destructive(format!(
                "drops the constraint `{name}`, on which old versions may rely"
            ))
            .object(table.member(ObjectKind::Constraint, Verb::Drop, name))
        }
    };
    facts.about(table.subject(ObjectKind::Table))
}

fn new_column(sql: &str, tokens: &[Token], definition: &ColumnDefinition<'_>) -> NewColumn {
    let mut column = NewColumn {
        name: unquoted(&definition.col_name),
        ..NewColumn::default()
    };
    for constraint in definition.constraints {
        match &constraint.constraint {
            ColumnConstraint::PrimaryKey { .. } => column.primary_key = true,
            ColumnConstraint::NotNull { nullable, .. } => column.not_null |= !nullable,
            ColumnConstraint::Unique(_) => column.unique = true,
            ColumnConstraint::Default(value) => column.has_default = !is_null(value),
            ColumnConstraint::Generated { .. } => column.generated = true,
            ColumnConstraint::ForeignKey { .. } => column.references = true,
            ColumnConstraint::Check(_)
            | ColumnConstraint::Defer(_)
            | ColumnConstraint::Collate { .. } => {}
        }
    }
    column.not_null &= !nulls::never_computed(sql, tokens);
    column.check = lexeme::check(sql, tokens, column.has_default, |word| {
        lexer::unquote(word).eq_ignore_ascii_case(&column.name)
    });
    column
}
