//! The page around plots and tables, complete in one file.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Returns a whole HTML page that loads nothing. `style` is CSS of this page alone, after the
/// common style of texts, tables and plots.
#[must_use]
pub fn page(title: &str, style: &'static str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body { main { (body) } script { (PreEscaped(SCRIPT)) } }
        }
    };
    page.into_string()
}
