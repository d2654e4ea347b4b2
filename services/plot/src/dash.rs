//! Dashes of a line, in SVG and in the key of a caption.

/// Dashes of a line. Colours alone do not distinguish many lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dash {
    /// A line without gaps.
    #[default]
    Solid,
    /// A line of long dashes.
    Dashed,
    /// A line of dots only.
    Dotted,
    /// A long dash and a dot in turn.
    DashDot,
}

impl Dash {
    /// SVG's `stroke-dasharray`; empty for a solid line.
    pub(crate) fn array(self) -> &'static str {
        match self {
            Dash::Solid => "",
            Dash::Dashed => "7 3",
            Dash::Dotted => "2 3",
            Dash::DashDot => "9 3 2 3",
        }
    }

    /// CSS background of the key in a caption.
    pub(crate) fn swatch(self, color: &str) -> String {
        let stops = match self {
            Dash::Solid => return color.to_owned(),
            Dash::Dashed => "0 7px, transparent 7px 10px",
            Dash::Dotted => "0 2px, transparent 2px 5px",
            Dash::DashDot => {
                return format!(
                    "repeating-linear-gradient(90deg, {color} 0 9px, transparent 9px 12px, \
                     {color} 12px 14px, transparent 14px 17px)"
                );
            }
        };
        format!("repeating-linear-gradient(90deg, {color} {stops})")
    }
}
