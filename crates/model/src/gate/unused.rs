//! Whether statements that name what a contract takes away were sent of late, as far as the server has counted them.
//!
//! Invariant: what was counted speaks against a contract, and that nothing was counted clears it of nothing: everything else is
//! asked all the same.

/// How long no such statement may have been sent, and what looks at the server's counters have shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    pub required_ms: i64,
    pub watched: Watched,
}

/// What looks at the server's counters have shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Nothing that could be relied on.
    Unseen { why: String },
    Looked {
        /// For how long looks follow one another without a gap.
        for_ms: i64,
        /// Why that is no longer; `None` if the first look of all began it.
        began: Option<String>,
        /// The statements that were sent meanwhile, those of late first.
        sent: Vec<Sent>,
    },
}

/// A statement that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Without its values.
    pub text: String,
    /// Who has sent it, where the server tells.
    pub roles: String,
    /// How long ago a look showed that it was sent.
    pub ago_ms: i64,
}

/// Why it is not known to be unused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InUse {
    /// It was used of late: by this statement, and by so many others.
    Sent { sent: Sent, others: usize },
    /// Nobody was seen to use it, and nobody has looked for long enough.
    NotLongEnough { for_ms: i64, began: Option<String> },
    /// It cannot be told.
    Unseen { why: String },
}

impl Unused {
    /// Whether nothing speaks against it.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.found().is_none()
    }

    /// What speaks against it, if anything.
    pub(super) fn found(&self) -> Option<InUse> {
        let required_ms = self.required_ms;
        match &self.watched {
            Watched::Unseen { why } => Some(InUse::Unseen { why: why.clone() }),
            Watched::Looked {
                for_ms,
                began,
                sent,
            } => {
                let mut lately = sent.iter().filter(|sent| sent.ago_ms < required_ms);
                match lately.next() {
                    Some(sent) => Some(InUse::Sent {
                        sent: sent.clone(),
                        others: lately.count(),
                    }),
                    None => (*for_ms < required_ms).then(|| InUse::NotLongEnough {
                        for_ms: *for_ms,
                        began: began.clone(),
                    }),
                }
            }
        }
    }
}
