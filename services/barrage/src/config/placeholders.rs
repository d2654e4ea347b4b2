//! Placeholders in base URLs. An orchestrator gives a process its address in environment variables,
//! and one configuration file can serve all processes.

/// Placeholders, each with the environment variable of its value.
const KNOWN: [(&str, &str); 5] = [
    ("pod_name", "POD_NAME"),
    ("pod_ip", "POD_IP"),
    ("pod_ip_dashed", "POD_IP"),
    ("node_ip", "NODE_IP"),
    ("node_name", "NODE_NAME"),
];

/// Returns a URL with its placeholders replaced. The error names a placeholder that is unknown, or
/// whose variable is not set.
pub(crate) fn fill(url: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| format!("{url} has `{{` without `}}`"))?;
        let Some((_, source)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            return Err(format!("{url} has the unknown placeholder {{{name}}}; expected one of {}", names()));
        };
        let value = variable(source)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| format!("{url} needs the environment variable {source}"))?;
        filled.push_str(before);
        filled.push_str(&written(name, &value));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Returns a URL with an address in place of each placeholder, to check its form without an environment.
pub(super) fn sample(url: &str) -> Result<String, String> {
    fill(url, |_| Some("192.0.2.1".to_owned()))
}

/// Writes a value as a URL's host has it: an IPv6 address in brackets, or with dashes as one label
/// of a DNS name.
fn written(name: &str, value: &str) -> String {
    if name.ends_with("_dashed") {
        return value.replace(['.', ':'], "-");
    }
    if name.ends_with("_ip") && value.contains(':') {
        return format!("[{value}]");
    }
    value.to_owned()
}

fn names() -> String {
    KNOWN.map(|(name, _)| format!("{{{name}}}")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        let value = match name {
            "POD_NAME" => "gateway-7d9f-x2x4z",
            "POD_IP" => "fd00::1:7",
            "NODE_IP" => "203.0.113.9",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn placeholders_become_the_values_of_the_environment() {
        for (url, expected) in [
            ("https://live.example", "https://live.example"),
            ("http://{node_ip}:14000", "http://203.0.113.9:14000"),
            ("https://{pod_name}.gw.live.example", "https://gateway-7d9f-x2x4z.gw.live.example"),
            ("http://{pod_ip}:8080", "http://[fd00::1:7]:8080"),
            ("https://{pod_ip_dashed}.gw.live.example:8443", "https://fd00--1-7.gw.live.example:8443"),
        ] {
            assert_eq!(fill(url, variable).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn unknown_placeholders_and_missing_variables_are_refused_by_name() {
        assert!(fill("http://{node_name}:80", variable).unwrap_err().contains("NODE_NAME"));
        assert!(fill("http://{pod}:80", variable).unwrap_err().contains("{pod_ip_dashed}"));
        assert!(sample("http://{pod_ip:80").is_err());
        assert_eq!(sample("http://{node_name}:80").as_deref(), Ok("http://192.0.2.1:80"));
    }
}
