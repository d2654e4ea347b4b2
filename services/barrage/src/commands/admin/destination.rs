//! The process that a call goes to: the one of the admin URL where it has the role, else one that
//! the fleet's report names.

use anyhow::bail;
use barrage_openapi::Server;
use serde_json::Value;

use crate::admin_error::AdminError;
use crate::commands::admin_api::AdminApi;

/// Returns a client of a process that answers operations of `server`; of the named gateway, where
/// one is named.
pub(crate) async fn find(
    first: &AdminApi,
    server: Server,
    gateway: Option<&str>,
) -> anyhow::Result<AdminApi> {
    if server == Server::Process {
        return Ok(first.clone());
    }
    let fleet = match first.get("/v1/admin/fleet").await {
        Ok(fleet) => fleet,
        // A token for one room does not read the fleet's report, but may suffice for the call.
        Err(AdminError::Refused(_)) if gateway.is_none() => return Ok(first.clone()),
        Err(error) => return Err(error.into()),
    };
    let has_role = has_role(&fleet, server.label());
    match gateway {
        None if has_role => Ok(first.clone()),
        None if server == Server::Gateway => {
            bail!("name a gateway: {}", names(&fleet).join(", "))
        }
        None => Ok(first.at(url(&fleet, server.label(), None)?)),
        Some(id) if has_role && is_own(first, id).await? => Ok(first.clone()),
        Some(id) => Ok(first.at(url(&fleet, server.label(), Some(id))?)),
    }
}

/// Whether the process that sent the report has a role.
fn has_role(fleet: &Value, role: &str) -> bool {
    fleet["process_roles"].as_array().is_some_and(|roles| roles.iter().any(|has| has == role))
}

/// Whether a gateway's id is that of the first process.
async fn is_own(first: &AdminApi, id: &str) -> Result<bool, AdminError> {
    Ok(first.get("/v1/admin/drain").await?["gateway"] == id)
}

/// Returns the admin URL of an instance of a role: the named one, or the first with a URL.
fn url<'a>(fleet: &'a Value, role: &str, id: Option<&str>) -> anyhow::Result<&'a str> {
    let instances = fleet["instances"].as_array().into_iter().flatten();
    let of_role: Vec<_> = instances.filter(|instance| instance["role"] == role).collect();
    let is_wanted = |instance: &&&Value| id.is_none_or(|id| instance["id"] == id);
    let wanted: Vec<_> = of_role.iter().filter(is_wanted).collect();
    if let (Some(id), true) = (id, wanted.is_empty()) {
        bail!("no {role} {id} reports; there are: {}", names(fleet).join(", "));
    }
    match wanted.iter().find_map(|instance| instance["admin_url"].as_str()) {
        Some(url) => Ok(url),
        None => bail!("no {role} reports the URL of its admin API; name one with --admin"),
    }
}

fn names(fleet: &Value) -> Vec<&str> {
    let instances = fleet["instances"].as_array().into_iter().flatten();
    instances.filter(|instance| instance["role"] == "gateway").filter_map(|it| it["id"].as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn instance_is_found_by_role_and_id() {
        let fleet = json!({ "process_roles": ["uplink"], "instances": [
            { "role": "gateway", "id": "g1", "admin_url": "http://a" },
            { "role": "gateway", "id": "g2", "admin_url": "http://b" },
            { "role": "entry", "id": "e1" },
        ]});
        assert!(has_role(&fleet, "uplink") && !has_role(&fleet, "gateway"));
        assert_eq!(url(&fleet, "gateway", Some("g2")).unwrap(), "http://b");
        let unknown = url(&fleet, "gateway", Some("g3")).unwrap_err().to_string();
        assert!(unknown.contains("g1, g2"), "{unknown}");
        assert!(url(&fleet, "entry", None).unwrap_err().to_string().contains("--admin"));
    }
}
