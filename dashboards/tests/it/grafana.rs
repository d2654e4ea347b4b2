//! The JSON of each dashboard has the type that Grafana's own schema gives it.

use std::path::Path;
use std::process::Command;

use barrage_dashboards::dashboards;
use serde_json::{Value, json};

const TYPES: &str = include_str!("../../check/grafana.ts");

/// Compiles dashboards against the types of `@grafana/schema`, and returns what the compiler says.
fn compile(boards: &[(String, Value)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("types.ts"), TYPES).unwrap();
    let mut files = Vec::new();
    for (name, board) in boards {
        let text = format!(
            "import type {{ Checked }} from './types';\nexport const dashboard: Checked = {board:#};\n"
        );
        std::fs::write(folder.path().join(format!("{name}.ts")), text).unwrap();
        files.push(format!("{name}.ts"));
    }
    std::fs::write(folder.path().join("tsconfig.json"), project(&files).to_string()).unwrap();
    let tsc = crate::root().join("web/node_modules/.bin/tsc");
    let output = Command::new(tsc).args(["-p", "."]).current_dir(folder.path()).output();
    let output = output.expect("the compiler of the page (`cargo xtask setup` installs it)");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn project(files: &[String]) -> Value {
    let schema = crate::root().join("target/tools/grafana-schema/node_modules/@grafana/schema/dist/esm");
    assert!(schema.is_dir(), "these tests need @grafana/schema: `cargo xtask setup` installs it");
    let schema = schema.canonicalize().unwrap();
    let panel = |kind: &str, file: &str| {
        let path = format!("raw/composable/{kind}/panelcfg/x/{file}PanelCfg_types.gen.d.ts");
        json!([Path::new(&schema).join(path)])
    };
    json!({
        "files": files,
        "compilerOptions": {
            "strict": true, "noEmit": true, "skipLibCheck": true, "target": "es2022", "types": [],
            "module": "esnext", "moduleResolution": "bundler",
            "paths": {
                "@grafana/schema": [schema.join("index.d.mts")],
                "@grafana/schema/heatmap": panel("heatmap", "Heatmap"),
                "@grafana/schema/stat": panel("stat", "Stat"),
                "@grafana/schema/timeseries": panel("timeseries", "TimeSeries"),
            }
        }
    })
}

#[test]
fn dashboards_have_the_types_of_grafanas_schema() {
    let boards: Vec<_> = dashboards().iter().map(|board| (board.uid(), board.json())).collect();
    assert_eq!(compile(&boards), "");
}

#[test]
fn unknown_field_and_unknown_value_are_found() {
    let mut board = dashboards()[0].json();
    board["panels"][1]["options"]["colorMode"] = json!("valu");
    let wrong = compile(&[("value".into(), board)]);
    assert!(wrong.contains("value.ts") && wrong.contains("valu"), "{wrong:?}");
    let mut board = dashboards()[0].json();
    board["refreshh"] = json!("30s");
    assert!(compile(&[("field".into(), board)]).contains("refreshh"));
}
