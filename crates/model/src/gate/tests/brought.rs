//! Which migrations that came along with the code contradict a version.

use super::world::World;

/// What is said of `asked` by whoever brings migrations up to this one.
fn expect(world: &mut World, brought: &str, asked: &str, expected: &str) {
    world.evidence.facts.brought = (!brought.is_empty()).then(|| brought.parse().unwrap());
    world.expect(asked, expected);
}

#[test]
fn a_version_needs_the_migrations_that_it_was_written_with() {
    let refused = "refuse, too_old web 1.3.0";
    let mut world = World::new(
        "0001_a new >=1.1.0 | 0002_b old <1.3.0 new >=1.2.0 sync both contract | 0003_c new >=1.4.0",
        "1.0.0",
    );
    world.walk("expand 0001_a; expand 0002_b");
    for (brought, asked, expected) in [
        ("0001_a", "admit 1.3.0", refused),
        // A bridge was written with it as well.
        ("0001_a", "admit 1.2.0", "refuse, too_old web 1.2.0"),
        ("0001_a", "admit 1.1.0", "go"),
        ("0001_a", "admit 1.0.0", "go"),
        // Nobody can tell which code that is.
        ("0001_a", "admit 1.2.0-rc.1", "go"),
        ("0002_b", "admit 1.3.0", "go"),
        ("0003_c", "admit 1.0.0", "go"),
        ("", "admit 1.3.0", "go"),
        // What is not applied is said of its own.
        ("0002_b", "admit 1.4.0", "refuse, expand_first web 1.4.0"),
        ("0001_a", "admit worker 1.3.0", "go"),
    ] {
        expect(&mut world, brought, asked, expected);
    }
    world.evidence.facts.brought = None;
    world.walk("roll 1.3.0; contract 0002_b");
    expect(&mut world, "0001_a", "admit 1.3.0", refused);
    expect(&mut world, "0002_b", "admit 1.3.0", "go");
}

#[test]
fn a_format_that_was_there_before_it_was_declared_says_nothing() {
    let mut world = World::new("0001_a | 0002_b no-expand new >=1.1.0 contract", "1.1.0");
    world.walk("expand 0001_a");
    expect(&mut world, "0001_a", "admit 1.1.0", "go");
}
