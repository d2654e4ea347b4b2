//! Settings of a bucket.

use std::path::PathBuf;

barrage_part::part! {
    /// Media in a bucket of a server that speaks S3, instead of files.
    @[derive(Eq)]
    pub struct S3Config {
        /// Base URL of the server, such as `https://s3.eu-central-1.amazonaws.com`.
        endpoint: String = String::new();
        /// Region that requests are signed for. Servers other than Amazon's mostly take any.
        region: String = "us-east-1".into();
        /// Bucket that exists already.
        bucket: String = String::new();
        /// Id of the key that requests are signed with.
        access_key_id: String = String::new();
        /// File with the secret of the access key.
        secret_file: PathBuf = PathBuf::new();
        /// Whether the bucket is a part of the host name, as with Amazon; otherwise it is the first part of the path.
        bucket_in_host: bool = false;
        /// Time in seconds for one request, and without an answer for one read. A request that fails is tried again,
        /// for three times this time.
        request_secs: u64 = 20, between(1, 600);
    }
}
