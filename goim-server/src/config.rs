//! What an operator can set. Only this module reads the environment and configuration files.

mod external_login;
mod uploads;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use external_login::{ExternalLogin, SignatureAlgorithm};
pub(crate) use external_login::{KeysAt, Trusted};
pub(crate) use uploads::Place;
pub use uploads::Uploads;

/// What every environment variable that sets a field begins with.
pub const ENVIRONMENT_PREFIX: &str = "GOIM_";

/// A server's settings. Every default is one that a newcomer can live with.
///
/// Read from a TOML file whose keys are the fields' names, then from the environment
/// (`GOIM_QUIC_LISTEN`, and `GOIM_LIMITS__REQUESTS_PER_S` for what is nested), the latter winning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where clients connect (UDP). Port 0 takes a free one.
    pub quic_listen: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` are served (TCP); absent: nowhere.
    pub http_listen: Option<SocketAddr>,
    /// Where the HTTP API is served, and the page that describes it at `/v1/` (TCP, without TLS: put a proxy
    /// before it that has a certificate); absent: nowhere.
    pub api_listen: Option<SocketAddr>,
    /// `sqlite:PATH` or `postgres://…`; absent: `goim.sqlite` in `data_dir`.
    pub store: Option<String>,
    /// Where the certificate, the token key and the embedded store are kept.
    pub data_dir: PathBuf,
    /// The names that a certificate made here is valid for.
    pub tls_names: Vec<String>,
    /// A PEM file with a certificate chain and its key to use instead of one made here.
    pub tls_pem: Option<PathBuf>,
    /// How often heads are compared with the store, in milliseconds; 0: never. Absent: every
    /// second where other processes can write the store (Postgres), every five where none can (SQLite).
    pub catch_up_interval_ms: Option<u64>,
    /// How many lanes commit at once; the store may allow fewer. 0: one for each core, and at least two
    /// (of use are four on Postgres, one on SQLite).
    pub lanes: usize,
    /// Start even though the store is set not to flush what it commits (tests of speed only).
    pub unsafe_store_allowed: bool,
    /// How long a stopping server waits for what is under way, in milliseconds.
    pub shutdown_deadline_ms: u64,
    /// How long an access token holds, in seconds.
    pub access_token_ttl_s: u64,
    /// How long an unused refresh token holds, in seconds.
    pub refresh_token_ttl_s: u64,
    /// How often the devices of open sessions are checked for revocation, in milliseconds.
    pub revocation_interval_ms: u64,
    /// Names of the accounts that may take numbers of sequences, for the services behind them: all of
    /// them share all sequences. Make an account before it is named here, or somebody else may.
    pub sequence_users: Vec<String>,
    /// Whose word is taken for who somebody is.
    pub external_login: ExternalLogin,
    /// Where uploads are kept, and how much of them.
    pub uploads: Uploads,
    /// What one client, and all of them together, may take.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            quic_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4433)),
            http_listen: None,
            api_listen: None,
            store: None,
            data_dir: PathBuf::from("goim-data"),
            tls_names: vec!["localhost".into(), "127.0.0.1".into(), "::1".into()],
            tls_pem: None,
            catch_up_interval_ms: None,
            lanes: 0,
            unsafe_store_allowed: false,
            shutdown_deadline_ms: 5_000,
            access_token_ttl_s: 3_600,
            refresh_token_ttl_s: 30 * 24 * 3_600,
            revocation_interval_ms: 2_500,
            sequence_users: Vec::new(),
            external_login: ExternalLogin::default(),
            uploads: Uploads::default(),
            limits: Limits::default(),
        }
    }
}

/// Bounds on what clients take; each has a reason beside its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open connections. At about 40 KiB for an idle one, 50,000 take 2 GiB.
    pub connections_max: usize,
    /// New connections a second from one address, after a burst of eight times as many: a
    /// household or an office behind one address reconnects at once after an outage.
    pub handshakes_per_s: u32,
    /// Open connections to the HTTP API, which hold 272 KiB each at most; while an event stream begins, about
    /// 130 bytes for each of its user's conversations.
    pub http_connections_max: usize,
    /// The same from one address. A proxy is one address.
    pub http_connections_per_address_max: usize,
    /// Password checks, registrations and refreshes a second from one address, after a burst of
    /// sixteen times as many. Argon2id takes about 20 ms of a core each.
    pub logins_per_s: u32,
    /// Wrong passwords a minute for one account from one address (of IPv6: from one /64), after a
    /// burst of as many, and ten times as many from wherever they come; the same from its own
    /// sessions. Passwords that are right, or were not checked, cost nothing. At 10 whoever guesses
    /// from one address has 5 million a year. Whoever has ten addresses or more has 53 million, and
    /// can keep the account's owner from logging in while he goes on.
    pub wrong_passwords_per_min: u32,
    /// Password hashes computed at once; each takes 19 MiB.
    pub password_hashes_max: usize,
    /// Calls other than sends a second of one connection, after a burst of twice as many.
    pub requests_per_s: u32,
    /// Sends a second of one connection, after a burst of twice as many; 0: as fast as the store
    /// takes them, which back-pressure sees to.
    pub sends_per_s: u32,
    /// Tokens of `requests_per_s` that a repeated send costs which was not marked as one: the
    /// store finds out the hard way.
    pub unmarked_duplicate_cost: u32,
    /// Calls of one connection that wait for the store at once; the stream is not read beyond.
    pub calls_in_flight_max: usize,
    /// Bytes of sends of one connection that wait to be committed; the stream is not read beyond.
    /// At 20 ms a commit that is 12 MiB a second.
    pub send_bytes_in_flight_max: usize,
    /// The same for all connections of the node.
    pub node_send_bytes_in_flight_max: usize,
    /// Bytes of committed entries kept in memory for local readers.
    pub msg_box_bytes_max: usize,
    /// Members of a group.
    pub group_members_max: usize,
    /// Conversations that one user is a member of, whoever let him in; his inbox is one. It is looked at
    /// before he is let in: those who do that at the same moment may pass it by as many as they are.
    pub conversations_per_user_max: usize,
    /// Friends of one user, and likewise users whom he blocks.
    pub friends_max: u64,
    /// Bots that one person ever makes: each is an account that needed no password to be hashed.
    pub bots_max: u64,
    /// Requests of one user to be friends that are not answered, of the last 30 days, and likewise
    /// applications to groups.
    pub open_requests_max: u64,
    /// For how long a message is edited by who sent it, in milliseconds; 0 for not at all.
    pub edit_age_max_ms: u64,
    /// For how long a message is recalled by who sent it, in milliseconds; 0 for not at all.
    pub recall_age_max_ms: u64,
    /// Members of a group that tells who has read a message; each costs a look at his read marker.
    pub receipt_members_max: u32,
    /// Sequences, whoever makes them; 100 bytes each, or so.
    pub sequences_max: u64,
    /// Calls for numbers of sequences a second of one account, after a burst of twice as many. Those of
    /// one dense sequence wait for each other's flush.
    pub allocations_per_s: u32,
    /// Searches for messages a second of one account, after a burst of twice as many: one for each
    /// letter that is typed, and some.
    pub searches_per_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 50_000,
            handshakes_per_s: 1_000,
            http_connections_max: 1_024,
            http_connections_per_address_max: 256,
            logins_per_s: 16,
            wrong_passwords_per_min: 10,
            password_hashes_max: 2,
            requests_per_s: 20_000,
            sends_per_s: 0,
            unmarked_duplicate_cost: 20,
            calls_in_flight_max: 32,
            send_bytes_in_flight_max: 256 << 10,
            node_send_bytes_in_flight_max: 64 << 20,
            msg_box_bytes_max: 128 << 20,
            group_members_max: 10_000,
            conversations_per_user_max: 10_000,
            friends_max: 5_000,
            bots_max: 100,
            open_requests_max: 500,
            edit_age_max_ms: 15 * 60 * 1_000,
            recall_age_max_ms: 2 * 60 * 1_000,
            receipt_members_max: 200,
            sequences_max: 10_000,
            allocations_per_s: 1_000,
            searches_per_s: 20,
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not TOML: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where it stops being TOML.
        source: Box<toml::de::Error>,
    },
    /// A field is unknown or has a value of another kind, in the file or in the environment.
    #[error("bad setting: {0}")]
    Field(Box<toml::de::Error>),
    /// A field's value is of the right kind and still cannot be.
    #[error("bad setting `{field}`: {reason}")]
    Value {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Config {
    /// Reads the file, if one is named, then this process' environment.
    ///
    /// # Errors
    /// If the file cannot be read, or if a setting is unknown or impossible.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::load_from(file, variables)
    }

    /// Reads the file, if one is named, then the given variables.
    ///
    /// # Errors
    /// If the file cannot be read, or if a setting is unknown or impossible.
    pub fn load_from(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut table = file.map_or_else(|| Ok(toml::Table::new()), read_table)?;
        for (name, text) in variables {
            if let Some(field) = name.strip_prefix(ENVIRONMENT_PREFIX)
                && !field.is_empty()
                && field != "LOG"
            {
                overlay(&mut table, field, &text);
            }
        }
        let config: Self = table.try_into().map_err(|error| ConfigError::Field(Box::new(error)))?;
        config.checked()
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn checked(self) -> Result<Self, ConfigError> {
        let limits = &self.limits;
        let positive = [
            ("limits.connections_max", limits.connections_max),
            ("limits.http_connections_max", limits.http_connections_max),
            ("limits.http_connections_per_address_max", limits.http_connections_per_address_max),
            ("limits.password_hashes_max", limits.password_hashes_max),
            ("limits.calls_in_flight_max", limits.calls_in_flight_max),
            ("limits.send_bytes_in_flight_max", limits.send_bytes_in_flight_max),
            ("limits.node_send_bytes_in_flight_max", limits.node_send_bytes_in_flight_max),
            ("limits.msg_box_bytes_max", limits.msg_box_bytes_max),
        ];
        for (field, value) in positive {
            if value == 0 {
                let reason = "must be more than 0";
                return Err(ConfigError::Value { field, reason });
            }
        }
        if limits.wrong_passwords_per_min == 0 {
            let (field, reason) = ("limits.wrong_passwords_per_min", "must be more than 0");
            return Err(ConfigError::Value { field, reason });
        }
        if self.access_token_ttl_s == 0 || self.refresh_token_ttl_s == 0 {
            let (field, reason) = ("access_token_ttl_s, refresh_token_ttl_s", "must be more than 0");
            return Err(ConfigError::Value { field, reason });
        }
        if self.revocation_interval_ms == 0 || self.revocation_interval_ms > 5_000 {
            let (field, reason) =
                ("revocation_interval_ms", "must be 1 to 5000: a revoked device is out within 5 s");
            return Err(ConfigError::Value { field, reason });
        }
        self.external_login.check()?;
        self.uploads.check()?;
        Ok(self)
    }

    /// The store's address: the one set, or a file in `data_dir`.
    #[must_use]
    pub fn store_url(&self) -> String {
        self.store
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("goim.sqlite").display()))
    }
}

/// What the log shows, from `GOIM_LOG` or `RUST_LOG`.
#[must_use]
pub fn log_filter() -> Option<String> {
    std::env::var("GOIM_LOG").or_else(|_| std::env::var("RUST_LOG")).ok()
}

fn read_table(path: &Path) -> Result<toml::Table, ConfigError> {
    let path_buf = || path.to_path_buf();
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path_buf(), source })?;
    text.parse().map_err(|source| ConfigError::Syntax { path: path_buf(), source: Box::new(source) })
}

/// Sets `LIMITS__NAME` as `limits.name`, as the kind of value that the text looks like.
fn overlay(table: &mut toml::Table, field: &str, text: &str) {
    let field = field.to_lowercase();
    let (table, field) = match field.split_once("__") {
        None => (table, field.as_str()),
        Some((section, field)) => {
            let nested = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            match nested {
                toml::Value::Table(nested) => (nested, field),
                toml::Value::String(_)
                | toml::Value::Integer(_)
                | toml::Value::Float(_)
                | toml::Value::Boolean(_)
                | toml::Value::Datetime(_)
                | toml::Value::Array(_) => return,
            }
        }
    };
    table.insert(field.to_owned(), value_of(text));
}

/// A number, a truth value or an array as TOML writes them; any other text is a string.
fn value_of(text: &str) -> toml::Value {
    let parsed = format!("value = {text}").parse::<toml::Table>();
    match parsed.ok().and_then(|mut table| table.remove("value")) {
        Some(value @ (toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Array(_))) => value,
        _ => toml::Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load_from(None, owned)
    }

    #[test]
    fn nothing_set_is_the_default() {
        assert_eq!(from(&[("PATH", "/bin")]).unwrap(), Config::default());
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("goim.toml");
        std::fs::write(&file, "lanes = 2\nquic_listen = \"[::]:1\"\n[limits]\nrequests_per_s = 7\n").unwrap();
        let variables = [("GOIM_LANES", "3"), ("GOIM_LIMITS__SENDS_PER_S", "9"), ("GOIM_STORE", "sqlite:x")];
        let config = Config::load_from(
            Some(&file),
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
        .unwrap();
        assert_eq!(config.lanes, 3);
        assert_eq!(config.quic_listen.port(), 1);
        assert_eq!(config.limits.requests_per_s, 7);
        assert_eq!(config.limits.sends_per_s, 9);
        assert_eq!(config.store_url(), "sqlite:x");
    }

    #[test]
    fn a_misspelt_or_impossible_setting_is_refused() {
        assert!(matches!(from(&[("GOIM_LANE", "3")]), Err(ConfigError::Field(_))));
        assert!(matches!(from(&[("GOIM_LANES", "many")]), Err(ConfigError::Field(_))));
        assert!(matches!(
            from(&[("GOIM_REVOCATION_INTERVAL_MS", "60000")]),
            Err(ConfigError::Value { field: "revocation_interval_ms", .. })
        ));
    }
}
