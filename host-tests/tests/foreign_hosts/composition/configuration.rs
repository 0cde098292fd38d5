//! The settings of the plugin from `wasi:config` instead of the environment, through `adapters/config-environment`.

use std::process::Command;

use cloudflare_access_host_tests::edge::samples;
use cloudflare_access_host_tests::programs::output;
use cloudflare_access_host_tests::{LIMIT, component_under_test, fetched, interfaces};
use cloudflare_access_simulator::{API_TOKEN, Simulator};

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_takes_its_settings_from_wasi_config_of_either_draft() {
    let simulator = Simulator::start().await.expect("a simulator");
    let account = simulator.account().clone();
    let _ = simulator.add_token(&account, "CI pipeline");
    // wasmtime has 0.2.0-draft up to version 39, and 0.2.0-rc.1 after that.
    for (release, feature) in [("wasmtime-36", &["draft"][..]), ("wasmtime-48", &[])] {
        let adapter = samples::built("adapters", "config-environment", feature);
        let plugin = samples::file("configured-plugin", &samples::plugged(component_under_test(), &[&adapter]));
        let call = |settings: &[(&str, &str)], function: &str| {
            let mut wasmtime = fetched::command(release);
            wasmtime.args(["run", "-S", "http,config"]);
            for (name, value) in settings {
                wasmtime.arg("-S").arg(format!("config-var={name}={value}"));
            }
            // The environment is granted, and it is not what counts.
            wasmtime.args(["--env", "CLOUDFLARE_API_TOKEN=of-the-environment", "--invoke", function]).arg(&plugin);
            let output = output(wasmtime, LIMIT);
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        };
        let settings = [
            ("CLOUDFLARE_API_TOKEN", API_TOKEN),
            ("cloudflare_base_url", simulator.base_url()),
            ("CLOUDFLARE_ACCESS_SCOPE", &format!("account:{}", account.id())),
            ("CLOUDFLARE_ACCESS_OPERATIONS", "read"),
        ];
        let list = format!("list-all(account(\"{}\"), {{:}}, none)", account.id());
        let said = call(&settings, &list);
        assert!(said.contains("CI pipeline"), "{release}: {said}");
        let said = call(&settings, &format!("refresh(\"{}\", \"x\", none)", account.id()));
        assert!(said.contains("CLOUDFLARE_ACCESS_OPERATIONS does not allow this function"), "{release}: {said}");
        let said = call(&settings[1..], &list);
        assert!(said.contains("invalid-configuration"), "{release}: {said}");
    }
    assert_eq!(simulator.requests().len(), 2, "one for each release");
}

#[test]
fn for_spin_the_services_stand_on_what_spin_has_and_its_manifest_gives_them_their_variables() {
    let manifest = include_str!("../../../../samples/spin/spin.toml");
    let spin = ["spin"];
    let adapter = samples::built("adapters", "config-environment", &spin);
    let plugin = samples::plugged(component_under_test(), &[&adapter]);
    let service = samples::plugged(&samples::built("samples", "rotate-service", &spin), &[&plugin]);
    let reader = samples::built("samples", "pair-reader", &spin);
    for (name, component, variables) in [
        (
            "rotate-service",
            service,
            &["rotate_caller_secret", "rotate_account_id", "rotate_overlap_seconds", "cloudflare_api_token"][..],
        ),
        ("pair-reader", reader, &["application_url"]),
    ] {
        let mut validate = Command::new(fetched::program("wasm-tools"));
        validate.arg("validate").arg(samples::file(&format!("{name}-for-spin"), &component));
        let validated = output(validate, LIMIT);
        assert!(validated.status.success(), "{name}: {}", String::from_utf8_lossy(&validated.stderr));
        let (imports, _) = interfaces(&component);
        let mut drafts: Vec<_> = imports.iter().filter(|import| !import.contains("@0.2.2")).collect();
        drafts.sort();
        assert_eq!(drafts, ["wasi:config/store@0.2.0-draft-2024-09-27", "wasi:keyvalue/store@0.2.0-draft2"], "{name}");
        assert!(manifest.contains(&format!("source = \"{name}-for-spin.wasm\"\n")), "{name}");
        let (_, given) = manifest.split_once(&format!("[component.{name}.variables]\n")).expect("its variables");
        let given = given.split("\n[").next().expect("a table");
        for variable in variables.iter().chain(&["rotate_token_id", "rotate_store"]) {
            assert!(given.contains(&format!("{variable} = \"")), "{name}: {variable}");
        }
    }
}
