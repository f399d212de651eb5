//! Changelogs in XML.

use std::ops::Range;

use roxmltree::{Document, Node};

use super::changelog::{Changelog, Entry, Format, From, ROOT, Set};

/// The document, if it is a changelog.
fn parsed(text: &str) -> Result<Option<Document<'_>>, String> {
    match Document::parse(text) {
        Ok(document) if document.root_element().tag_name().name() == ROOT => Ok(Some(document)),
        Ok(_) => Ok(None),
        Err(why) => Err(why.to_string()),
    }
}

fn entry(node: Node<'_, '_>) -> Result<Option<Entry>, String> {
    let named = |name: &str| node.attribute(name).map(str::to_owned);
    let (path, needed) = match node.tag_name().name() {
        "changeSet" => {
            let (Some(id), Some(author)) = (named("id"), named("author")) else {
                return Err("a <changeSet> has no `id` or no `author`".to_owned());
            };
            return Ok(Some(Entry::Set(Set {
                id,
                author,
                logical: named("logicalFilePath"),
            })));
        }
        "include" => (named("file"), "file"),
        "includeAll" => (named("path"), "path"),
        _ => return Ok(None),
    };
    let path = path.ok_or_else(|| format!("an include has no `{needed}`"))?;
    let from = match node.attribute("relativeToChangelogFile") {
        Some("true") => From::Changelog,
        _ => From::SearchPath,
    };
    Ok(Some(Entry::Include { path, from }))
}

pub(super) fn read(text: &str) -> Result<Option<Changelog>, String> {
    let Some(document) = parsed(text)? else {
        return Ok(None);
    };
    let root = document.root_element();
    let mut entries = Vec::new();
    let mut properties = Vec::new();
    for node in root.children() {
        entries.extend(entry(node)?);
        if node.tag_name().name() == "property" {
            properties.extend(node.attribute("name").map(str::to_owned));
        }
    }
    Ok(Some(Changelog {
        format: Format::Xml,
        logical: root.attribute("logicalFilePath").map(str::to_owned),
        entries,
        properties,
    }))
}

/// What is not this changeset is blank.
pub(super) fn only(text: &str, wanted: usize) -> Result<String, String> {
    let document = parsed(text)?.ok_or("it is no changelog any more")?;
    let mut gone: Vec<Range<usize>> = Vec::new();
    let mut sets = 0;
    for node in document.root_element().children() {
        match node.tag_name().name() {
            "changeSet" => {
                if sets != wanted {
                    gone.push(node.range());
                }
                sets += 1;
            }
            "include" | "includeAll" => gone.push(node.range()),
            _ => {}
        }
    }
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for range in gone {
        kept.push_str(text.get(at..range.start).unwrap_or_default());
        let blank = text.get(range.clone()).unwrap_or_default().bytes();
        kept.extend(blank.map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        at = range.end;
    }
    kept.push_str(text.get(at..).unwrap_or_default());
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<?xml version=\"1.0\"?>\n<databaseChangeLog xmlns=\"http://www.liquibase.org/xml/ns/dbchangelog\">\n\
        <property name=\"t\" value=\"int\"/>\n<changeSet id=\"1\" author=\"a b\"><sql>A ö</sql></changeSet>\n\
        <include file=\"x.xml\" relativeToChangelogFile=\"true\"/>\n<includeAll path=\"db/more\"/>\n\
        <changeSet author=\"c\" id=\"2\" logicalFilePath=\"y.xml\">\n<sql>B</sql>\n</changeSet>\n</databaseChangeLog>\n";

    #[test]
    fn what_a_changelog_holds_is_read() {
        let log = read(TEXT).unwrap().unwrap();
        assert_eq!(log.names("db/a.xml"), ["db/a.xml::1::a b", "y.xml::2::c"]);
        assert_eq!(log.properties, ["t"]);
        let includes = log.entries.iter().filter_map(|entry| match entry {
            Entry::Include { path, from } => Some((path.as_str(), *from)),
            Entry::Set(_) => None,
        });
        let expected = [("x.xml", From::Changelog), ("db/more", From::SearchPath)];
        assert_eq!(Vec::from_iter(includes), expected);
        assert_eq!(read("<project>databaseChangeLog</project>"), Ok(None));
        assert!(read("<databaseChangeLog>").is_err());
        assert!(read("<databaseChangeLog><changeSet id=\"1\"/></databaseChangeLog>").is_err());
    }

    #[test]
    fn one_changeset_is_left_as_it_was_written() {
        let copy = only(TEXT, 0).unwrap();
        assert_eq!(copy.len(), TEXT.len());
        let log = read(&copy).unwrap().unwrap();
        assert_eq!(log.names("a.xml"), ["a.xml::1::a b"]);
        assert_eq!((log.entries.len(), log.properties.len()), (1, 1));
        assert!(copy.contains("<sql>A ö</sql>"));
    }
}
