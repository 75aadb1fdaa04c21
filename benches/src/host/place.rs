//! Where a run's store lives: made for the run, and removed with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{HostError, StoreKind};

/// An empty store, and a folder for what else a server keeps.
#[derive(Debug)]
pub(crate) struct Place {
    /// `sqlite:PATH` or `postgres://…`.
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
    /// The database and the schema in it that is this run's own.
    schema: Option<(String, String)>,
}

impl Place {
    pub(crate) async fn make(store: StoreKind) -> Result<Self, HostError> {
        let run = format!("goim_bench_{}_{}", std::process::id(), rand::random::<u32>());
        let folder = std::env::temp_dir().join(&run);
        std::fs::create_dir_all(&folder).map_err(HostError::Folder)?;
        let (url, schema) = match store {
            StoreKind::Sqlite => (format!("sqlite:{}", folder.join("goim.sqlite").display()), None),
            StoreKind::Postgres => {
                let base = postgres_url().ok_or(HostError::NoPostgres)?;
                execute(&base, format!("CREATE SCHEMA {run}")).await?;
                let separator = if base.contains('?') { '&' } else { '?' };
                (format!("{base}{separator}options[search_path]={run}"), Some((base, run)))
            }
        };
        Ok(Self { url, folder, schema })
    }

    /// Removes it with everything in it.
    pub(crate) async fn remove(self) -> Result<(), HostError> {
        // What is left in a temporary folder does no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
        if let Some((base, schema)) = &self.schema {
            execute(base, format!("DROP SCHEMA {schema} CASCADE")).await?;
        }
        Ok(())
    }
}

fn postgres_url() -> Option<String> {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        return Some(url);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres.sh");
    let output = Command::new(script).arg("url").output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

async fn execute(base: &str, sql: String) -> Result<(), HostError> {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(base).await?;
    // The name is made here, of letters, digits and underscores.
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await?;
    Ok(())
}
