//! A function of the application that says where the database is, anew for each login.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::DatabaseError;
use super::given::Database;
use crate::text::secret;

type Answer = Pin<Box<dyn Future<Output = Result<Database, String>>>>;

/// Whom to ask.
#[derive(Clone)]
pub(super) struct Asking(Arc<dyn Fn() -> Answer + Send + Sync>);

/// The same function.
impl PartialEq for Asking {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Asking {}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asking")
    }
}

impl Asking {
    pub(super) fn new<A, D, E>(ask: impl Fn() -> A + Send + Sync + 'static) -> Self
    where
        A: Future<Output = Result<D, E>> + 'static,
        D: Into<Database>,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Arc::new(move || {
            let asked = ask();
            Box::pin(async move {
                match asked.await {
                    Ok(database) => Ok(database.into()),
                    Err(error) => Err(error.into().to_string()),
                }
            })
        }))
    }

    /// What it says now.
    ///
    /// # Errors
    /// Where it says nothing, or panics.
    pub(super) async fn answer(&self) -> Result<Database, DatabaseError> {
        let ask = Arc::clone(&self.0);
        let runtime = tokio::runtime::Handle::current();
        // Invariant: whatever is done there, the thread that keeps the lease looks at its deadline in time. So it is done on
        // another.
        let asked = tokio::task::spawn_blocking(move || runtime.block_on(ask())).await;
        let no_answer = |why: &str| {
            DatabaseError::unreachable(format!(
                "what is asked where the database is, and how to log in, has not answered: {why}"
            ))
        };
        match asked {
            Ok(answer) => answer.map_err(|why| no_answer(&secret::masked(&why))),
            Err(_) => Err(no_answer("it has panicked")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(asking: &Asking) -> Result<Database, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let answer = runtime.block_on(asking.answer());
        answer.map_err(|error| error.to_string())
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn whatever_becomes_of_it_is_an_answer() {
        let asking = Asking::new(|| async {
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            Ok::<_, std::io::Error>("postgres://bob:a-token-of-now@h/d")
        });
        assert_eq!(
            format!("{:?}", answer(&asking).unwrap()),
            "Database(postgres://bob@h/d)"
        );
        let failing = Asking::new(|| async {
            Err::<String, _>(std::io::Error::other("password=secret-of-the-vault"))
        });
        let said = answer(&failing).unwrap_err();
        assert!(said.contains("password=***"), "{said}");
        let panicking = Asking::new(|| async {
            assert!(std::env::args().next().is_none(), "on purpose");
            Ok::<_, std::io::Error>(String::new())
        });
        let said = answer(&panicking).unwrap_err();
        assert!(said.contains("has panicked"), "{said}");
    }
}
