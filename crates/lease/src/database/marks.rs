//! What tells a trigger from one of the same name that was made later, or that was disabled for a while.

/// The triggers of a database, each with a mark that it keeps as long as nobody touches it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriggerMarks {
    /// Which database this is: in a copy of it, made by a dump, everything has other marks.
    pub place: String,
    pub all: Vec<TriggerMark>,
    pub seen: MarksSeen,
    pub tell: MarksTell,
}

/// What a mark tells by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MarksTell {
    /// When its trigger was made: no copy of the database has the same.
    Which,
    /// Where its trigger stands among others, which a copy may say as well.
    #[default]
    Where,
}

/// Whether what is missing is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MarksSeen {
    All,
    /// The catalogue shows this role only what it has rights on.
    #[default]
    Part,
}

/// One trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerMark {
    pub table: String,
    pub name: String,
    /// Changes when the trigger is made anew, replaced, disabled or enabled, as far as the database keeps that.
    pub mark: String,
    /// Whether the statements of applications fire it.
    pub fires: bool,
}
