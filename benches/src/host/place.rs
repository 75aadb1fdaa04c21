//! Where a run's store lives: made for the run, and removed with it.

use std::path::Path;
use std::process::Command;

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::{HostError, StoreKind, until_interrupted};

/// An empty store, and a folder for what else a server keeps.
#[derive(Debug)]
pub(crate) struct Place {
    /// `sqlite:PATH` or `postgres://…`.
    pub(crate) url: String,
    folder: TempDir,
    /// The database and the schema in it that is this run's own.
    schema: Option<(String, String)>,
}

impl Place {
    /// Does some work in a place made for it, which is removed however that ends.
    pub(crate) async fn with<T, E: From<HostError>>(
        store: StoreKind,
        work: impl AsyncFnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let place = Self::make(store).await?;
        let done = work(&place).await;
        let removed = place.remove().await;
        // What failed first is why the other did.
        let done = done?;
        removed?;
        Ok(done)
    }

    async fn make(store: StoreKind) -> Result<Self, HostError> {
        let folder = tempfile::Builder::new().prefix("goim_bench_").tempdir();
        let folder = folder.map_err(|source| HostError::Folder { path: std::env::temp_dir(), source })?;
        let (url, schema) = match store {
            StoreKind::Sqlite => (format!("sqlite:{}", folder.path().join("goim.sqlite").display()), None),
            StoreKind::Postgres => {
                let base = postgres_url()?;
                let schema = format!("goim_bench_{}_{}", std::process::id(), rand::random::<u32>());
                let connect = async { Ok::<_, HostError>(PgConnection::connect(&base).await?) };
                execute(&mut until_interrupted(connect).await?, format!("CREATE SCHEMA {schema}")).await?;
                let separator = if base.contains('?') { '&' } else { '?' };
                (format!("{base}{separator}options[search_path]={schema}"), Some((base, schema)))
            }
        };
        Ok(Self { url, folder, schema })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn remove(self) -> Result<(), HostError> {
        if let Some((base, schema)) = &self.schema {
            let mut connection = PgConnection::connect(base).await?;
            execute(&mut connection, format!("DROP SCHEMA {schema} CASCADE")).await?;
        }
        let path = self.folder.path().to_owned();
        self.folder.close().map_err(|source| HostError::Folder { path, source })
    }
}

fn postgres_url() -> Result<String, HostError> {
    let url = if let Ok(url) = std::env::var("DATABASE_URL") {
        url
    } else {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres.sh");
        let output = Command::new(script).arg("url").output().ok();
        let output = output.filter(|output| output.status.success()).ok_or(HostError::NoPostgres)?;
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    // Not the rest of it, which may hold a password.
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    is_postgres.then_some(url).ok_or(HostError::OtherDatabase)
}

async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), HostError> {
    // The name is made here, of letters, digits and underscores.
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}
