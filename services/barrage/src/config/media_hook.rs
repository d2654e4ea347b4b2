//! The check of `media.hook`: its service can be asked, and can read what it is asked about.

use barrage_media::MediaKinds;

use super::{Config, Problem};

/// Returns what is missing for the service that decides about media.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut found = Vec::new();
    if config.media.hook == MediaKinds::None {
        return found;
    }
    if config.moderation.hook.is_none() {
        let text = "media.hook: there is no service that decides about media; set its URL in moderation.hook.url, or \
                    media.hook = \"none\"";
        found.push(Problem::new("media.hook", text));
    }
    if config.media.base_url.is_none() {
        let text = "media.hook: the service needs absolute addresses of media; set media.base_url to the URL of this \
                    process, such as https://media-1.example, or media.hook = \"none\"";
        found.push(Problem::new("media.hook", text));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hook_about_media_needs_a_service_and_a_base_url() {
        let lines = |config: &Config| problems(config).iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut config = Config::default();
        assert_eq!(lines(&config), Vec::<String>::new());
        config.media.hook = MediaKinds::Pictures;
        let found = lines(&config);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("set its URL in moderation.hook.url"), "{found:?}");
        assert!(found[1].contains("set media.base_url"), "{found:?}");
        config.moderation.hook = Some(Default::default());
        config.media.base_url = Some("https://media.example".into());
        assert_eq!(lines(&config), Vec::<String>::new());
    }
}
