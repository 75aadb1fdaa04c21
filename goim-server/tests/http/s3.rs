//! A server that speaks S3, in this process, over a real socket.

use std::path::PathBuf;

use goim_server::Uploads;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

const BUCKET: &str = "chat";
const PREFIX: &str = "a/b";
const KEY: &str = "key";
const SECRET: &str = "secret";

/// A bucket of such a server, which ends with this.
pub(crate) struct Bucket {
    folder: tempfile::TempDir,
    endpoint: String,
    server: AbortHandle,
}

impl Bucket {
    pub(crate) async fn serve() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(async move {
                    let _ = connection.await;
                });
            }
        });
        Self { folder, endpoint, server: server.abort_handle() }
    }

    /// Has uploads kept here.
    pub(crate) fn set(&self, uploads: &mut Uploads) {
        uploads.place = Some(format!("s3://{BUCKET}/{PREFIX}"));
        uploads.s3_endpoint = Some(self.endpoint.clone());
        uploads.s3_access_key_id = Some(KEY.into());
        uploads.s3_secret_access_key = Some(SECRET.into());
    }

    /// The folder where the server has the objects.
    pub(crate) fn objects(&self) -> PathBuf {
        self.folder.path().join(BUCKET).join(PREFIX)
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.server.abort();
    }
}
