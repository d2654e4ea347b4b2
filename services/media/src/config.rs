//! Settings of the role media.

use std::net::SocketAddr;
use std::path::PathBuf;

use barrage_blob::S3Config;
use barrage_token::AddressKeys;

use crate::denied::Denied;
use crate::kinds::MediaKinds;
use crate::scan::ClamdConfig;

barrage_part::part! {
    /// Media: uploads and downloads of pictures, clips, voice notes and files, in `barrage media` or in `barrage up`,
    /// with listeners of their own. Off while it has no address.
    pub struct MediaConfig {
        /// Addresses of the listeners, such as `0.0.0.0:8082`, with the certificate of `http.tls_cert_file` if there is
        /// one. Never those of a gateway: an upload must not slow the chat.
        listen: Vec<SocketAddr> = Vec::new();
        /// URL by which clients reach this process, such as `https://media-1.example`. It must name this process and no
        /// other, because an unfinished upload is on its disk. Without it, addresses are relative to the request.
        base_url: Option<String> = None;
        /// Folder of unfinished uploads. Without it, `media/spool` in the data directory.
        spool_dir: Option<PathBuf> = None;
        /// Folder of media. Without it, `media/blobs` in the data directory. Not used with `media.s3`.
        blob_dir: Option<PathBuf> = None;
        /// Media in a bucket instead of files.
        s3: Option<S3Config> = None;
        /// File with the secret that signs addresses of media, 32 bytes at least, the same for every process. Without it,
        /// `media.key` in the data directory, which `barrage up` makes.
        key_file: Option<PathBuf> = None;
        /// Files with earlier secrets, whose addresses are valid until they end. Remove one after two hours.
        retired_key_files: Vec<PathBuf> = Vec::new();
        /// Shortest life of an address in seconds. Addresses end at a full hour, so that caches can keep what they name.
        address_secs: u64 = 3_600, between(60, 86_400);
        /// Whether guests may upload; otherwise people need an account or a token of the platform.
        guests: bool = false;
        /// Largest upload in bytes.
        upload_bytes_max: u64 = 100 << 20, between(1_024, 1 << 40);
        /// Time in seconds after which an unfinished upload is removed, counted from its creation.
        upload_secs: u64 = 86_400, between(60, 604_800);
        /// Bytes of unfinished and unchecked uploads of this process, by their stated lengths. At the bound, a creation is
        /// refused with 503.
        spool_bytes_max: u64 = 10 << 30, between(1_048_576, 1 << 50);
        /// Uploads that this process knows, finished ones of the last day too. At the bound, a creation is refused with 503.
        uploads_max: usize = 20_000, between(1, 1_000_000);
        /// Unfinished uploads and parts of one user on this process.
        user_open_max: usize = 32, between(1, 10_000);
        /// Uploads of one user that receive bytes at the same time.
        user_uploads_max: usize = 3, between(1, 1_000);
        /// Parts of joined uploads of one user that receive bytes at the same time.
        user_parts_max: usize = 8, between(1, 1_000);
        /// MiB that one user may upload in 24 hours, by stated lengths.
        user_mib_per_day: u32 = 1_024, between(1, 100_000_000);
        /// MiB that one address (an IPv6 /64) may upload in 24 hours, by stated lengths.
        address_mib_per_day: u32 = 5_120, between(1, 100_000_000);
        /// Slowest rate of a client in bytes a second over each `rate_secs`; a slower one is cut and may resume.
        rate_bytes_per_s_min: u64 = 8_192, between(1, 1_000_000_000);
        /// Window of the slowest rate in seconds.
        rate_secs: u64 = 30, between(1, 600);
        /// Time in seconds after which a private medium that no message shows is removed, counted from its upload or its
        /// last reference. References are good for half of it, twelve hours at most: the rest is for messages on their way
        /// into the tables. Needs the tables: in `barrage up`, and in `barrage media` with `[postgres]`.
        unused_secs: u64 = 86_400, between(2, 315_360_000);
        /// Time in seconds of one walk over all media, which looks for unused ones.
        walk_secs: u64 = 7_200, between(1, 604_800);
        /// Media that wait for a moderator before their sender may send them: `none`, `pictures` (and clips), or
        /// `all`. The sender sees `checking` meanwhile. What nobody decides about ends with the upload.
        review: MediaKinds = MediaKinds::None;
        /// Media that the service of `moderation.hook.url` decides about before their sender may send them: `none`,
        /// `pictures` (and clips), or `all`. The service reads them at `base_url`. The sender sees `checking` meanwhile.
        hook: MediaKinds = MediaKinds::None;
        /// Longest wait for an answer of that service about a medium, in milliseconds. Without it,
        /// `moderation.hook.deadline_ms`.
        hook_deadline_ms: Option<u64> = None, between(1, 240_000);
        /// The check of what was uploaded.
        check: CheckConfig = CheckConfig::default();
    }
}

barrage_part::part! {
    /// The check of an upload: it decodes pictures in a process of its own, which is limited.
    pub struct CheckConfig {
        /// Checks at the same time. Each may take a processor and `memory_mib_max`.
        at_once: usize = 2, between(1, 64);
        /// Memory of one check in MiB. A picture that needs more is refused.
        memory_mib_max: u64 = 512, between(64, 16_384);
        /// Time on a processor of one check in seconds.
        cpu_secs_max: u64 = 10, between(1, 600);
        /// Time of one check in seconds, by the clock.
        secs_max: u64 = 30, between(1, 3_600);
        /// Largest picture in megapixels.
        megapixels_max: u32 = 50, between(1, 1_000);
        /// Largest number of frames of an animation.
        frames_max: usize = 300, between(1, 10_000);
        /// File with SHA-256 digests, one in a line, that are refused and no longer delivered. Read again when it changes.
        denied_file: Option<PathBuf> = None;
        /// Scanner for malware that reads every upload before it is decoded or kept.
        clamd: Option<ClamdConfig> = None;
    }
}

impl MediaConfig {
    /// Whether the role has an address, and so runs in `barrage up`.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.listen.is_empty()
    }

    /// Returns the mistakes that a range of a number does not show: files that cannot be read, and no URLs.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let is_url = |url: &str| {
            ["http://", "https://"]
                .iter()
                .any(|scheme| url.strip_prefix(scheme).is_some_and(|host| !host.is_empty()))
        };
        if let Some(url) = self.base_url.as_deref().filter(|url| !is_url(url)) {
            found.push((
                "media.base_url".into(),
                format!("{url:?} is no URL that begins with http:// or https://"),
            ));
        }
        if let Some(s3) = &self.s3 {
            if !is_url(&s3.endpoint) {
                let text = format!("{:?} is no URL that begins with http:// or https://", s3.endpoint);
                found.push(("media.s3.endpoint".into(), text));
            }
            if s3.bucket.is_empty() {
                found.push(("media.s3.bucket".into(), "a bucket has a name".into()));
            }
            if let Err(error) = std::fs::read(&s3.secret_file) {
                found.push(("media.s3.secret_file".into(), format!("{}: {error}", s3.secret_file.display())));
            }
        }
        if let Some(signing) = &self.key_file {
            let retired = self.retired_key_files.iter().map(PathBuf::as_path);
            let read = AddressKeys::load(signing, retired, self.address_secs);
            found.extend(read.err().map(|error| ("media.key_file".to_owned(), error.to_string())));
        }
        if let Some(Err(error)) = self.check.clamd.as_ref().map(ClamdConfig::place) {
            found.push(("media.check.clamd.address".into(), error));
        }
        let denied = Denied::open(self.check.denied_file.clone());
        found.extend(denied.err().map(|error| ("media.check.denied_file".to_owned(), error.to_string())));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_of_files_and_urls_are_reported_together() {
        let config = MediaConfig {
            base_url: Some("media.example".into()),
            s3: Some(S3Config { secret_file: "/nowhere/secret".into(), ..S3Config::default() }),
            key_file: Some("/nowhere/key".into()),
            check: CheckConfig {
                denied_file: Some("/nowhere/denied".into()),
                clamd: Some(ClamdConfig { address: "clamd.example".into(), ..ClamdConfig::default() }),
                ..CheckConfig::default()
            },
            ..MediaConfig::default()
        };
        let keys: Vec<_> = config.problems().into_iter().map(|(key, _)| key).collect();
        let expected = [
            "base_url",
            "s3.endpoint",
            "s3.bucket",
            "s3.secret_file",
            "key_file",
            "check.clamd.address",
            "check.denied_file",
        ];
        assert_eq!(keys, expected.map(|key| format!("media.{key}")));
        assert_eq!(MediaConfig::default().problems(), []);
    }
}
