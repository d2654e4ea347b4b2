//! What compose.yaml promises without a start.

use std::collections::BTreeSet;
use std::process::Command;

use barrage_testkit::programs;

use super::model::Project;
use super::site::Site;
use crate::support::BINARY;

#[test]
fn services_run_without_rights_and_publish_to_this_machine_alone() {
    let Some(project) = Project::read() else { return };
    for (name, service) in project.barrages() {
        assert!(service.read_only, "{name} may write its root file system");
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        let public = service.port_of("--listen");
        if let Some(public) = public {
            let port = service.ports.iter().find(|port| port.target == public);
            let port = port.unwrap_or_else(|| panic!("{name} does not publish {public}"));
            assert_eq!(port.published, public.to_string(), "{name}: entry names the port to clients");
        }
        if service.arguments()[0] == "gateway" {
            assert_eq!(service.stop_grace_period.as_deref(), Some("2m10s"), "{name}: drain_secs_max is 120");
        }
    }
    for (name, service) in &project.services {
        for port in &service.ports {
            assert_eq!(port.host_ip.as_deref(), Some("127.0.0.1"), "{name} publishes {}", port.target);
        }
        let tag = service.image.split_once(':').map(|(_, tag)| tag);
        assert!(service.image == "barrage" || tag.is_some_and(|tag| tag != "latest"), "{}", service.image);
        for (variable, value) in &service.environment {
            let is_secret = variable.contains("PASSWORD") && !variable.ends_with("FILE");
            assert!(!is_secret, "{name}: {variable}={value:?} belongs into a file");
        }
        for (other, dependency) in &service.depends_on {
            let expected =
                if other == "setup" { "service_completed_successfully" } else { "service_healthy" };
            assert!(dependency.condition == expected || dependency.condition == "service_started", "{name}");
        }
    }
}

#[test]
fn cluster_has_every_role_and_prometheus_scrapes_each_process() {
    let Some(project) = Project::read() else { return };
    let roles: Vec<_> = project.barrages().map(|(_, service)| service.arguments()[0].as_str()).collect();
    let once = ["entry", "archiver", "courier", "push", "webhooks", "probe"].map(|role| (role, 1));
    for (role, number) in once.into_iter().chain([("gateway", 2), ("uplink", 2)]) {
        assert_eq!(roles.iter().filter(|it| **it == role).count(), number, "{role}");
    }
    let scraped = std::fs::read_to_string(
        super::model::repository().join("dashboards/provisioning/prometheus/prometheus.yml"),
    )
    .unwrap();
    for (name, service) in project.barrages() {
        let port = service.port_of("--admin-listen").expect("an admin listener");
        let target = match service.profiles.is_empty() {
            true => format!("{name}:{port}"),
            // It is found by its name while it runs, and missed by no alert while it does not.
            false => format!("dns_sd_configs: [{{names: [{name}], type: A, port: {port},"),
        };
        assert!(scraped.contains(&target), "prometheus.yml does not scrape {target}");
    }
}

#[test]
fn setup_keeps_secrets_and_every_configuration_is_valid() {
    let Some(project) = Project::read() else { return };
    let mut site = Site::new(project);
    site.run_setup();
    let key = site.volume("barrage-secrets").join("token.key");
    let first = std::fs::read(&key).unwrap();
    site.run_setup();
    assert_eq!(std::fs::read(&key).unwrap(), first, "a second start keeps the key");
    let names: Vec<_> = site.project.barrages().map(|(name, _)| name.clone()).collect();
    let file = site.volume("barrage-secrets").join("barrage.toml");
    for name in names {
        let environment = site.environment(&name).into_iter().filter(|(name, _)| name != "BARRAGE_CONFIG");
        let mut command = Command::new(BINARY);
        command.args(["config", "check", "--config"]).arg(&file).envs(environment);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut nats = Command::new(programs::nats_server());
    let output =
        nats.arg("-t").arg("--config").arg(site.volume("nats-secrets").join("nats.conf")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    if let Some(promtool) = programs::tool("promtool") {
        let mut command = Command::new(promtool);
        let file = super::model::repository().join("dashboards/provisioning/prometheus/prometheus.yml");
        let output = command.args(["check", "config"]).arg(file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn passwords_of_setup_differ_and_are_not_in_the_clone() {
    let Some(project) = Project::read() else { return };
    let mut site = Site::new(project);
    site.run_setup();
    let parts = ["nats", "redis", "postgres", "grafana"];
    let password =
        |part| std::fs::read_to_string(site.volume(&format!("{part}-secrets")).join("password")).unwrap();
    let passwords: BTreeSet<_> = parts.into_iter().map(password).collect();
    assert_eq!(passwords.len(), parts.len());
    assert!(passwords.iter().all(|password| password.len() == 64), "{passwords:?}");
}
