//! Says what is to be done, for a person or another tool to do.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Called, Driver, DriverFailure, Kind, Shift, Shifted};

pub(super) const KIND: Kind = Kind {
    kind: "manual",
    read: |_| Some(Arc::new(Manual)),
};

#[derive(Debug)]
pub(super) struct Manual;

#[async_trait]
impl Driver for Manual {
    fn steps(&self) -> &[u8] {
        &[100]
    }

    async fn shift(
        &self,
        _shift: &Shift<'_>,
        _called: &Called<'_>,
    ) -> Result<Shifted, DriverFailure> {
        Ok(Shifted::Done)
    }

    fn instruction(&self, shift: &Shift<'_>) -> Option<String> {
        let Shift {
            service, from, to, ..
        } = shift;
        let from: Vec<String> = from.iter().map(ToString::to_string).collect();
        Some(if from.is_empty() {
            format!("start {service} {to} now, with whatever starts it")
        } else {
            format!(
                "replace {service} {} by {to} now, with whatever rolls it out",
                from.join(" and ")
            )
        })
    }
}
