//! The real program `access-tokens` against the simulator: what it prints, where a secret goes, and how it ends.

#![cfg_attr(not(unix), allow(dead_code, unused_imports, reason = "signals, shells and full disks are tested on Unix"))]

mod destinations;
mod dry_run;
mod interrupted;
mod lifecycle;
mod lost_answer;
mod program;
mod readme;
mod recipes;
mod rotation;
mod secrets;
mod verify;
mod watch;
#[path = "../../../host-tests/src/within.rs"]
mod within;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Fault, FaultKind, Operation, Simulator, Wait, ZONE_ID};

use crate::program::{ID, assert_shown, bare_program, child, program, run, simulator};

// --- What it prints

#[test]
fn a_list_is_a_table_with_times_in_words() {
    let simulator = simulator();
    assert_shown!(program(&simulator).arg("list"), @r"
    exit 0
    --- stdout
    No tokens.
    --- stderr
    ");
    let used = simulator.add_token(simulator.account(), "deploy");
    simulator.authenticate(&used.token.client_id, used.client_secret.expose()).unwrap();
    run(program(&simulator).args(["create", "CI", "--duration", "20d", "--disabled", "--show-secret"]));
    run(program(&simulator).args(["create", "backup", "--duration", "forever", "--show-secret"]));
    assert_shown!(program(&simulator).arg("list"), @r"
    exit 0
    --- stdout
    NAME    ID                                    CLIENT ID                                EXPIRES       LAST USED               STATE
    deploy  [id]  [client id]  in 12 months  less than a minute ago  on
    CI      [id]  [client id]  in 20 days    never                   off
    backup  [id]  [client id]  never         never                   on
    --- stderr
    ");
}

#[test]
fn a_list_is_filtered_by_switch_use_and_end_by_the_clock_of_the_api() {
    let simulator = simulator();
    let day = Duration::from_hours(24);
    for (name, duration) in [("old", "300d"), ("used", "300d"), ("off", "300d")] {
        run(program(&simulator).args(["create", name, "--duration", duration, "--show-secret"]));
    }
    run(program(&simulator).args(["disable", "off", "--yes"]));
    simulator.advance(100 * day);
    run(program(&simulator).args(["create", "new", "--duration", "10d", "--show-secret"]));
    let used = simulator.tokens(simulator.account()).into_iter().find(|token| token.name == "used").unwrap();
    let secret = simulator.issued_secrets().swap_remove(1);
    simulator.authenticate(&used.client_id, secret.expose()).unwrap();
    for (arguments, names) in [
        (&["--enabled"][..], &["old", "used", "new"][..]),
        (&["--disabled"], &["off"]),
        (&["--unused-since", "90d"], &["old", "off"]),
        (&["--unused-since", "90d", "--enabled"], &["old"]),
        (&["--expires-within", "30d"], &["new"]),
        (&["--expires-within", "200d"], &["old", "used", "off", "new"]),
    ] {
        let (code, stdout, stderr) = run(program(&simulator).args(["list", "--output", "json"]).args(arguments));
        assert_eq!(code, 0, "{stderr}");
        let listed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let listed: Vec<_> = listed.as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap()).collect();
        assert_eq!(listed, names, "{arguments:?}");
    }
    assert_eq!(run(program(&simulator).args(["list", "--enabled", "--disabled"])).0, 2);
}

#[test]
fn a_list_fits_the_columns_of_a_terminal() {
    let simulator = simulator();
    for name in ["a name that is much too long for a terminal", "CI"] {
        let used = simulator.add_token(simulator.account(), name);
        simulator.authenticate(&used.token.client_id, used.client_secret.expose()).unwrap();
    }
    assert_shown!(program(&simulator).env("COLUMNS", "80").arg("list"), @r"
    exit 0
    --- stdout
    NAME                  ID                                    EXPIRES  USED  STATE
    a name that is much…  [id]  in 12mo  now   on
    CI                    [id]  in 12mo  now   on
    --- stderr
    ");
    for columns in [70, 80, 120] {
        let (_, stdout, _) = run(program(&simulator).env("COLUMNS", columns.to_string()).arg("list"));
        assert!(stdout.lines().all(|line| line.chars().count() <= columns), "{stdout}");
    }
    let (_, stdout, _) = run(program(&simulator).env("COLUMNS", "300").arg("list"));
    assert!(stdout.contains("CLIENT ID") && stdout.contains("much too long for a terminal"), "{stdout}");
}

#[test]
fn json_has_the_names_of_the_api_and_always_the_same_keys() {
    let simulator = simulator();
    assert_shown!(program(&simulator).args(["list", "--output", "json"]), @r"
    exit 0
    --- stdout
    []
    --- stderr
    ");
    assert_shown!(program(&simulator).args(["create", "CI", "--output", "json"]), @r#"
    exit 0
    --- stdout
    {
      "id": "[id]",
      "client_id": "[client id]",
      "client_secret": "[secret]",
      "name": "CI",
      "duration": "8760h",
      "enabled": true,
      "expires_at": "[time]",
      "created_at": "[time]",
      "updated_at": "[time]",
      "last_seen_at": null,
      "client_secret_version": 1,
      "previous_client_secret_expires_at": null,
      "additional_fields": {}
    }
    --- stderr
    "#);
    assert_shown!(program(&simulator).args(["list", "--output", "json"]), @r#"
    exit 0
    --- stdout
    [
      {
        "id": "[id]",
        "client_id": "[client id]",
        "name": "CI",
        "duration": "8760h",
        "enabled": true,
        "expires_at": "[time]",
        "created_at": "[time]",
        "updated_at": "[time]",
        "last_seen_at": null,
        "client_secret_version": 1,
        "previous_client_secret_expires_at": null,
        "additional_fields": {}
      }
    ]
    --- stderr
    "#);
}

#[test]
fn one_token_is_shown_with_all_its_fields() {
    let simulator = simulator();
    run(program(&simulator).args(["create", "CI", "--show-secret"]));
    assert_shown!(program(&simulator).args(["get", "CI"]), @r"
    exit 0
    --- stdout
    name            CI
    id              [id]
    client id       [client id]
    state           on
    expires         [time] (in 12 months)
    duration        8760h
    last used       never
    created         [time] (less than a minute ago)
    updated         [time] (less than a minute ago)
    secret version  1
    --- stderr
    ");
    assert_shown!(program(&simulator).args(["get", "CI", "--output", "env"]), @r"
    exit 0
    --- stdout
    CF_ACCESS_CLIENT_ID=[client id]
    --- stderr
    ");
}

#[test]
fn no_colour_reaches_a_pipe() {
    let simulator = simulator();
    run(program(&simulator).args(["create", "CI", "--disabled", "--show-secret"]));
    let (_, stdout, stderr) = run(program(&simulator).args(["list", "-v"]));
    assert!(stderr.contains("service_token_call"), "{stderr}");
    assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "{stdout}{stderr}");
    let (_, coloured, _) = run(program(&simulator).env("CLICOLOR_FORCE", "1").args(["list"]));
    assert!(coloured.contains('\u{1b}'), "{coloured}");
    let (_, stdout, _) = run(program(&simulator).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").args(["list"]));
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
}

// --- Where a secret goes

#[test]
fn a_secret_needs_a_place_before_anything_is_sent() {
    let simulator = simulator();
    assert_shown!(program(&simulator).args(["create", "CI"]), @r"
    exit 2
    --- stdout
    --- stderr
    error: where should the secret go? Nothing was sent.
    The API shows it once. Give --secret-file FILE or --secret-command COMMAND, or --show-secret to print it, or --output env or json.
    ");
    let (code, ..) = run(program(&simulator).args(["rotate", ID, "--yes"]));
    assert_eq!((code, simulator.request_count()), (2, 0));
}

#[test]
fn a_secret_that_is_asked_for_is_shown_below_the_table() {
    let simulator = simulator();
    assert_shown!(program(&simulator).args(["create", "CI", "--duration", "100d", "--show-secret"]), @r"
    exit 0
    --- stdout
    name            CI
    id              [id]
    client id       [client id]
    state           on
    expires         [time] (in 3 months)
    duration        2400h
    last used       never
    created         [time] (less than a minute ago)
    updated         [time] (less than a minute ago)
    secret version  1
    client secret   [secret]

    The secret is shown this once. Keep it now.
    --- stderr
    ");
}

#[test]
fn env_output_is_what_a_machine_needs() {
    let simulator = simulator();
    let (code, stdout, _) = run(program(&simulator).args(["create", "CI", "--output", "env"]));
    let value = |name: &str| stdout.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
    let (id, secret) = (value("CF_ACCESS_CLIENT_ID"), value("CF_ACCESS_CLIENT_SECRET"));
    assert_eq!((code, simulator.authenticate(id, secret)), (0, Ok(())));
}

#[test]
fn a_secret_file_is_new_private_and_the_only_place_of_the_secret() {
    let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
    let path = folder.path().join("secret.env");
    for output in ["table", "json", "env"] {
        let create = ["create", "CI", "--output", output, "--secret-file"];
        let (code, stdout, stderr) = run(program(&simulator).args(create).arg(&path));
        let secret = simulator.issued_secrets().last().unwrap().expose().to_owned();
        assert_eq!(code, 0, "{stderr}");
        assert!(!stdout.contains(&secret) && !stderr.contains(&secret), "{stdout}{stderr}");
        assert!(std::fs::read_to_string(&path).unwrap().contains(&format!("CF_ACCESS_CLIENT_SECRET={secret}\n")));
        assert_private(&path);
        std::fs::remove_file(&path).unwrap();
    }
}

#[cfg(unix)]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(not(unix))]
fn assert_private(_: &Path) {}

#[test]
fn a_secret_file_that_exists_is_not_touched_and_nothing_is_sent() {
    let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
    let path = folder.path().join("secret.env");
    std::fs::write(&path, "precious").unwrap();
    let (code, _, stderr) = run(program(&simulator).args(["create", "CI", "--secret-file"]).arg(&path));
    assert_eq!((code, simulator.request_count()), (1, 0), "{stderr}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_secret_file_is_gone_when_there_is_no_secret() {
    let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
    let path = folder.path().join("secret.env");
    simulator.inject(FaultKind::Error { status: 400, code: 12130, message: "no".into() });
    let (code, ..) = run(program(&simulator).args(["create", "CI", "--secret-file"]).arg(&path));
    assert_eq!(code, 6);
    assert!(!path.exists());
}

// --- The operations

#[test]
fn a_duration_is_sent_without_loss() {
    let simulator = simulator();
    run(program(&simulator).args(["create", "CI", "--duration", "1500ms", "--show-secret"]));
    assert_eq!(simulator.requests()[0].json()["duration"], "1500ms");
}

#[test]
fn update_changes_what_is_given_and_nothing_else() {
    let simulator = simulator();
    run(program(&simulator).args(["create", "CI", "--show-secret"]));
    let (code, ..) = run(program(&simulator).args(["update", "CI", "--name", "CD", "--enabled", "false", "--yes"]));
    assert_eq!(code, 0);
    let body = simulator.requests().last().unwrap().json();
    assert_eq!(body, serde_json::json!({ "name": "CD", "enabled": false }));
    let (code, ..) = run(program(&simulator).args(["update", "CD"]));
    assert_eq!(code, 2, "nothing to change");
}

#[test]
fn update_with_a_higher_version_gives_the_new_secret() {
    let simulator = simulator();
    run(program(&simulator).args(["create", "CI", "--show-secret"]));
    let update = ["update", "CI", "--client-secret-version", "2", "--output", "env", "--yes"];
    let (code, stdout, _) = run(program(&simulator).args(update));
    assert_eq!(code, 0);
    assert!(stdout.contains(simulator.issued_secrets().last().unwrap().expose()), "{stdout}");
}

#[test]
fn rotate_with_a_grace_period_does_not_ask_and_keeps_the_old_secret() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    let (code, stdout, stderr) = run(program(&simulator).args(["rotate", "CI", "--grace", "24h", "--output", "env"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains(simulator.issued_secrets().last().unwrap().expose()), "{stdout}");
    assert_eq!(simulator.authenticate(&old.token.client_id, old.client_secret.expose()), Ok(()));
}

#[test]
fn what_cannot_be_undone_is_not_done_without_a_yes() {
    let simulator = simulator();
    let token = simulator.add_token(simulator.account(), "CI");
    assert_shown!(program(&simulator).args(["delete", "CI"]), @r#"
    exit 10
    --- stdout
    --- stderr
    error: not confirmed: Delete token "CI" ([id]) for good? Every machine that uses it is locked out.
    There is no terminal to ask on. To do it without being asked:
      access-tokens delete CI --yes
    "#);
    assert_shown!(program(&simulator).args(["rotate", "CI", "--output", "env"]), @r#"
    exit 10
    --- stdout
    --- stderr
    error: not confirmed: Give token "CI" ([id]) a new secret and end its old one now? Every machine that still uses it is locked out (a later end of the old secret leaves it time).
    There is no terminal to ask on. To do it without being asked:
      access-tokens rotate CI --output env --yes
    "#);
    assert_eq!(simulator.authenticate(&token.token.client_id, token.client_secret.expose()), Ok(()));
    assert_shown!(program(&simulator).args(["delete", "CI", "--yes"]), @r#"
    exit 0
    --- stdout
    Deleted "CI" ([id]).
    --- stderr
    "#);
    assert!(simulator.tokens(simulator.account()).is_empty());
}

#[test]
fn delete_says_whether_the_token_was_there() {
    let simulator = simulator();
    let lost = || simulator.inject(Fault::new(FaultKind::Close).on(Operation::Delete).after_commit());
    let id = simulator.add_token(simulator.account(), "CI").token.id;
    lost();
    assert_shown!(program(&simulator).args(["delete", "CI", "--yes"]), @r#"
    exit 0
    --- stdout
    "CI" ([id]) is gone. An earlier attempt of this command may have deleted it; its answer was lost.
    --- stderr
    "#);
    assert!(simulator.faults().is_empty());
    let (code, _, stderr) = run(program(&simulator).args(["delete", &id, "--yes"]));
    assert!(code == 5 && stderr.contains("404"), "{stderr}");
    let json = |id: &str| {
        let (code, stdout, stderr) = run(program(&simulator).args(["delete", id, "--yes", "--output", "json"]));
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str::<serde_json::Value>(&stdout).unwrap()
    };
    let id = simulator.add_token(simulator.account(), "CI").token.id;
    let deleted = json(&id);
    assert_eq!((&deleted["deletion"], &deleted["token"]["id"]), (&"deleted".into(), &id.clone().into()));
    let id = simulator.add_token(simulator.account(), "CI").token.id;
    lost();
    assert_eq!(json(&id), serde_json::json!({"deletion": "already-gone", "id": id, "token": null}));
}

#[test]
fn refresh_prolongs() {
    let simulator = simulator();
    let token = simulator.add_token(simulator.account(), "CI").token;
    simulator.advance(std::time::Duration::from_hours(48));
    let (code, _, stderr) = run(program(&simulator).args(["refresh", "CI", "--secret-file", "ci.env"]));
    let rotate = "access-tokens rotate CI --overlap 24h --show-secret".to_owned();
    assert_eq!((code, program::commands(&stderr), simulator.request_count()), (2, vec![rotate], 0), "{stderr}");
    let (code, stdout, _) = run(program(&simulator).args(["refresh", &token.id]));
    assert!(code == 0 && stdout.contains("Its secret is as it was."), "{stdout}");
    assert!(simulator.tokens(simulator.account())[0].expires_at > token.expires_at);
}

#[test]
fn a_zone_has_no_refresh_and_rotates_with_an_overlap_only() {
    let simulator = Simulator::builder().zones_refuse_api_tokens(false).start_on_thread().unwrap();
    let zone = |arguments: &[&str]| {
        run(program(&simulator).env_remove("CLOUDFLARE_ACCOUNT_ID").args(["--zone", ZONE_ID]).args(arguments))
    };
    for arguments in [&["refresh", ID][..], &["rotate", ID, "--yes", "--show-secret"]] {
        let (code, _, stderr) = zone(arguments);
        assert_eq!(code, 2);
        assert!(stderr.contains("for accounts only"), "{stderr}");
    }
    assert_eq!(simulator.request_count(), 0);
    assert_eq!(zone(&["create", "CI", "--show-secret"]).0, 0);
    let (code, stdout, stderr) = zone(&["rotate", "CI", "--overlap", "24h", "--output", "env"]);
    assert!(code == 0 && stdout.contains(simulator.issued_secrets().last().unwrap().expose()), "{stderr}");
}

// --- Names

#[test]
fn a_client_id_stands_for_its_token() {
    let simulator = simulator();
    let token = simulator.add_token(simulator.account(), "CI").token;
    let _ = simulator.add_token(simulator.account(), "CI");
    let id_of = |argument: &str| {
        let (code, stdout, stderr) = run(program(&simulator).args(["get", argument, "--output", "json"]));
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str::<serde_json::Value>(&stdout).unwrap()["id"].clone()
    };
    assert_eq!(id_of(&token.client_id), token.id.as_str());
    // A name may look like a client id.
    let unlucky = simulator.add_token(simulator.account(), "00000000000000000000000000000000.access").token;
    assert_eq!(id_of(&unlucky.name), unlucky.id.as_str());
    let (code, _, stderr) = run(program(&simulator).args(["get", "11111111111111111111111111111111.access"]));
    assert!(code == 5 && stderr.contains("no token has the client id or the name \"1111"), "{stderr}");
    let (code, stdout, _) = run(program(&simulator).args(["find", &token.client_id, "--output", "json"]));
    let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, found.as_array().unwrap().len(), &found[0]["id"]), (0, 1, &token.id.into()));
}

#[test]
fn a_name_stands_for_an_id_when_exactly_one_token_has_it() {
    let simulator = simulator();
    assert_shown!(program(&simulator).args(["get", "CI"]), @r#"
    exit 5
    --- stdout
    --- stderr
    error: no token has the id, the client id or the name "CI"
    List all tokens of this account or zone:
      access-tokens list
    "#);
    let _ = simulator.add_token(simulator.account(), "CI");
    let _ = simulator.add_token(simulator.account(), "CI nightly");
    simulator.clear_requests();
    assert_eq!(run(program(&simulator).args(["get", "CI"])).0, 0);
    assert_eq!(simulator.request_count(), 1, "the list has the token");
    let _ = simulator.add_token(simulator.account(), "CI");
    assert_shown!(program(&simulator).args(["get", "CI"]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: 2 tokens have the name "CI"
    Give one of their ids:
      [id]  created [time]
      [id]  created [time]
    "#);
}

// --- Failures

#[test]
fn exit_codes_tell_the_kind_of_failure() {
    let simulator = simulator();
    let error = |status, code| FaultKind::Error { status, code, message: "text".into() };
    for (fault, code) in [
        (error(403, 10000), 4),
        (error(404, 12135), 5),
        (error(409, 1), 6),
        (FaultKind::RateLimited { wait: Wait::Seconds(600) }, 7),
        (FaultKind::HtmlPage { status: 523 }, 8),
    ] {
        simulator.inject(Fault::new(fault.clone()).on(Operation::Get));
        let (shown, _, stderr) = run(program(&simulator).args(["get", ID, "--max-retries", "0"]));
        assert_eq!(shown, code, "{fault:?}: {stderr}");
    }
    assert_eq!(run(program(&simulator).args(["get"])).0, 2, "the command line");
    assert_eq!(run(program(&simulator).args(["get", ".."])).0, 5, "a name that is not there");
    assert_eq!(run(program(&simulator).env_remove("CLOUDFLARE_API_TOKEN").args(["get", ID])).0, 3, "no credential");
}

#[test]
fn a_failure_names_the_hint_and_the_ray_id() {
    let simulator = simulator();
    assert_shown!(program(&simulator).env("CLOUDFLARE_API_TOKEN", "a-token-that-nobody-has-made").args(["list"]), @r#"
    exit 4
    --- stdout
    --- stderr
    error: 403 Forbidden; Authentication error (code 10000); the credential is wrong; or it is for another account; or its IP filter excludes this address; or it lacks the permission "Access: Service Tokens Read" (to list and get) or "Access: Service Tokens Write" (for everything), which an OAuth token has only where the scope was asked for at log-in
    Cloudflare's name for the request (cf-ray): [ray]
    "#);
}

#[test]
fn with_json_output_a_failure_is_json_on_standard_error() {
    let simulator = simulator();
    let failed = |arguments: &[&str]| {
        let (code, stdout, stderr) = run(program(&simulator).args(arguments).args(["--output", "json"]));
        let failure: serde_json::Value = serde_json::from_str(&stderr).unwrap_or_else(|_| panic!("{stderr}"));
        let mut failure = failure["error"].clone();
        assert_eq!((stdout.as_str(), &failure["code"]), ("", &code.into()), "{stderr}");
        failure["ray_id"].take();
        failure
    };
    simulator.inject(Fault::new(FaultKind::error(400, 12130, "no")).on(Operation::Create));
    let message = failed(&["create", "CI"]);
    assert_eq!(
        (&message["exit"], &message["kind"], &message["outcome"], &message["status"]),
        (&"refused".into(), &"rejected".into(), &"not-applied".into(), &400.into())
    );
    let api_error = &message["api_errors"][0];
    assert_eq!((&api_error["code"], &api_error["message"]), (&12130.into(), &"no".into()));
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
    let lost = failed(&["create", "CI"]);
    assert_eq!((&lost["exit"], &lost["outcome"]), (&"may-have-changed".into(), &"unknown".into()));
    assert!(lost["commands"][0].as_str().unwrap().starts_with("access-tokens resolve-create"), "{lost}");
    let unknown = failed(&["get", "nobody"]);
    assert_eq!(
        (&unknown["exit"], &unknown["kind"], &unknown["commands"][0]),
        (&"not-found".into(), &serde_json::Value::Null, &"access-tokens list".into())
    );
}

#[test]
fn with_json_output_a_wrong_command_line_is_json_too() {
    for (arguments, message) in [
        (&["get", "--output", "json"][..], "the following required arguments were not provided: <TOKEN>"),
        (&["-ojson", "gte", "CI"], "unrecognized subcommand 'gte'"),
        (&["list", "--unused-since", "soon", "--output=json"], "invalid value 'soon' for '--unused-since <DURATION>'"),
        (&["-o", "json"], "'access-tokens' requires a subcommand"),
        (&["-o", "json", "auth"], "a command is missing"),
        (&["list", "--output", "json"], "no account"),
    ] {
        let (code, stdout, stderr) = run(bare_program().args(arguments));
        let failure: serde_json::Value = serde_json::from_str(&stderr).unwrap_or_else(|_| panic!("{stderr}"));
        let failure = &failure["error"];
        assert_eq!((code, stdout.as_str(), &failure["exit"]), (2, "", &"usage".into()), "{stderr}");
        assert!(failure["message"].as_str().unwrap().starts_with(message), "{stderr}");
    }
    let (code, stdout, _) = run(bare_program().args(["--output", "json", "list", "--help"]));
    assert!(code == 0 && stdout.contains("Usage: access-tokens list"), "{stdout}");
}

#[test]
fn an_api_at_a_private_address_is_reached_by_an_option_only() {
    let list = ["list", "--account", ACCOUNT_ID, "--base-url", "https://0.0.0.0:1/", "--timeout", "1s"];
    let program = || {
        let mut program = bare_program();
        program.env("CLOUDFLARE_API_TOKEN", API_TOKEN).args(list);
        program
    };
    let (code, _, stderr) = run(&mut program());
    let advice = "access-tokens list --account acc00000000000000000000000000001 --base-url https://0.0.0.0:1/ \
                  --timeout 1s --allow-private-addresses";
    assert_eq!((code, program::commands(&stderr)), (3, vec![advice.to_owned()]), "{stderr}");
    // It is this machine, where nothing listens.
    for allowed in
        [program().arg("--allow-private-addresses"), program().env("CLOUDFLARE_ALLOW_PRIVATE_ADDRESSES", "true")]
    {
        let (code, _, stderr) = run(allowed);
        assert!(code == 8 && !stderr.contains("--allow-private-addresses"), "{stderr}");
    }
    let (code, _, stderr) = run(program().env("CLOUDFLARE_ALLOW_PRIVATE_ADDRESSES", "maybe"));
    assert!(code == 3 && stderr.contains("CLOUDFLARE_ALLOW_PRIVATE_ADDRESSES is neither true nor false"), "{stderr}");
}

#[test]
fn json_passes_numbers_of_unknown_fields_unchanged() {
    let simulator = simulator();
    let body = r#"{"success":true,"errors":[],"messages":[],"result":[{"id":"ID","name":"CI","count":12345678901234567890123,
        "ratio":1.10,"nested":{"big":98765432109876543210}}],"result_info":{"page":1,"per_page":1000,"count":1,"total_count":1}}"#
        .replace("\"ID\"", &format!("\"{ID}\""));
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    simulator.inject(FaultKind::Response { status: 200, headers, body: body.as_str().into() });
    let (code, stdout, stderr) = run(program(&simulator).args(["list", "--output", "json"]));
    assert_eq!(code, 0, "{stderr}");
    for text in ["\"count\": 12345678901234567890123,", "\"ratio\": 1.10", "{\"big\":98765432109876543210}"] {
        assert!(stdout.contains(text), "{text} is missing in {stdout}");
    }
}

#[test]
fn an_unknown_outcome_is_told_with_what_to_do() {
    let simulator = simulator();
    simulator.inject(Fault::new(FaultKind::HtmlPage { status: 520 }).after_commit());
    assert_shown!(program(&simulator).args(["create", "CI", "--show-secret"]), @r#"
    exit 9
    --- stdout
    --- stderr
    error: 520 Cloudflare: unknown error with a body that is not JSON (text/html; charset=UTF-8); it may have been done all the same
    The token may exist, with a secret that nobody has. Look for it before you create it again:
      access-tokens resolve-create --name CI --since [time]
    Cloudflare's name for the request (cf-ray): [ray]
    "#);
}

#[test]
fn a_server_that_sends_the_credential_back_does_not_get_it_to_the_terminal() {
    let simulator = simulator();
    let sent = format!("Bearer {API_TOKEN}");
    let body =
        serde_json::json!({"success": false, "errors": [{"code": 1000, "message": format!("bad header {sent}")}]});
    let headers = [("content-type", "application/json"), ("cf-ray", API_TOKEN)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let refusal = FaultKind::Response { status: 400, headers, body: body.to_string().as_str().into() };
    simulator.inject(Fault::new(refusal).forever());
    let since = ["--since", "2026-01-01T00:00:00Z"];
    let commands: [&[&str]; 18] = [
        &["list"],
        &["get", ID],
        &["create", "CI", "--show-secret"],
        &["update", ID, "--name", "CD"],
        &["delete", ID, "--yes"],
        &["refresh", ID],
        &["rotate", ID, "--overlap", "24h", "--show-secret"],
        &["expiring", "--within", "30d"],
        &["refresh-expiring", "--within", "30d"],
        &["end-overlap", ID, "--yes"],
        &["extend-overlap", ID, "--overlap", "24h"],
        &["find", "CI"],
        &["ensure", "CI", "--show-secret"],
        &["issue", "CI", "--show-secret"],
        &["finish-issue", "key"],
        &["resolve-create", "--name", "CI", since[0], since[1]],
        &["disable", ID, "--yes"],
        &["enable", ID],
    ];
    for command in commands {
        let (code, stdout, stderr) = run(program(&simulator).args(command).arg("-vv"));
        assert_ne!(code, 0, "{command:?}");
        assert!(stderr.contains("bad header Bearer [redacted]"), "{command:?}: {stderr}");
        assert!(stderr.contains("service_token_call") && !stderr.contains("cf-ray"), "{command:?}: {stderr}");
        assert!(!stdout.contains(API_TOKEN) && !stderr.contains(API_TOKEN), "{command:?}: {stdout}{stderr}");
    }
}

#[test]
fn the_timeout_covers_all_calls_of_a_command_together() {
    let simulator = simulator();
    let _ = simulator.add_token(simulator.account(), "CI");
    // Each call has time enough, and both together have not.
    for operation in [Operation::List, Operation::Delete] {
        let delay = FaultKind::Delay { duration: Duration::from_millis(1200) };
        simulator.inject(Fault::new(delay).on(operation).forever());
    }
    let delete = ["delete", "CI", "--yes", "--max-retries", "0", "--timeout", "2s"];
    let (code, _, stderr) = run(program(&simulator).args(delete));
    assert!([8, 9].contains(&code), "{code} {stderr}");
    for timeout in ["0s", "50d"] {
        let (code, _, stderr) = run(program(&simulator).args(["list", "--timeout", timeout]));
        assert!(code == 2 && stderr.contains("--timeout"), "{stderr}");
    }
}

#[test]
fn a_wait_that_the_api_asks_for_is_told() {
    let simulator = simulator();
    simulator.inject(FaultKind::RateLimited { wait: Wait::Seconds(600) });
    let (_, _, stderr) = run(program(&simulator).args(["list"]));
    assert!(stderr.contains("Wait 600 seconds"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_a_true_message() {
    for (command, advice) in [
        ("create", "\n  access-tokens resolve-create --name CI --since 2"),
        ("issue", "Go on under the same key:\n  access-tokens issue CI --show-secret --key "),
    ] {
        let simulator = simulator();
        simulator.inject(FaultKind::NeverAnswer);
        let mut issue = child(&simulator);
        issue.args([command, "CI", "--show-secret"]).stderr(Stdio::piped());
        let mut child = issue.spawn().unwrap();
        program::wait_for_request(&simulator);
        program::send("-INT", &child);
        program::end(&mut child);
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert!(stderr.contains(advice), "{stderr}");
    }
}

// --- Settings

#[test]
fn a_credential_may_come_from_a_file_and_never_from_an_argument() {
    let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
    let path = folder.path().join("token");
    for text in [format!("{API_TOKEN}\n"), format!("export CLOUDFLARE_API_TOKEN='{API_TOKEN}'\n")] {
        std::fs::write(&path, text).unwrap();
        let mut program = program(&simulator);
        program.env_remove("CLOUDFLARE_API_TOKEN").args(["list", "--credentials-file"]).arg(&path);
        let (code, _, stderr) = run(&mut program);
        assert_eq!(code, 0, "{stderr}");
        #[cfg(unix)]
        assert!(stderr.contains("chmod 600"), "{stderr}");
    }
    for argument in ["--token", "--api-token", "--api-key"] {
        assert_eq!(run(program(&simulator).args(["list", argument, "x"])).0, 2);
    }
}

#[test]
fn a_set_up_that_cannot_work_is_told_before_anything_is_sent() {
    let simulator = simulator();
    assert_shown!(bare_program().args(["list", "--account", ACCOUNT_ID]), @r"
    exit 3
    --- stdout
    --- stderr
    error: no credential: set CLOUDFLARE_API_TOKEN, or CLOUDFLARE_API_KEY with CLOUDFLARE_EMAIL
    Or put the token into a file and give --credentials-file.
    ");
    assert_shown!(program(&simulator).env_remove("CLOUDFLARE_ACCOUNT_ID").args(["list"]), @r"
    exit 2
    --- stdout
    --- stderr
    error: no account: give --account or set CLOUDFLARE_ACCOUNT_ID (or --zone for a zone)
    ");
    assert_shown!(program(&simulator).env("CLOUDFLARE_ZONE_ID", ZONE_ID).args(["list"]), @r"
    exit 2
    --- stdout
    --- stderr
    error: both an account and a zone: CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_ZONE_ID are set; give --account or --zone, which come before them
    ");
    let (code, _, stderr) = run(program(&simulator).args(["list", "--zone", ZONE_ID, "--account", ACCOUNT_ID]));
    assert!(code == 2 && stderr.contains("cannot be used with"), "{stderr}");
    assert_shown!(program(&simulator).env("CLOUDFLARE_API_KEY", "k").args(["list"]), @r"
    exit 3
    --- stdout
    --- stderr
    error: both CLOUDFLARE_API_TOKEN and CLOUDFLARE_API_KEY are set; unset one, so that it is clear which is used
    Or put the token into a file and give --credentials-file.
    ");
    assert_shown!(program(&simulator).args(["list", "--base-url", "http://api.example.com"]), @r#"
    exit 3
    --- stdout
    --- stderr
    error: the base URL has the scheme "http" on host "api.example.com"; use https, or http on a loopback host
    "#);
    assert_eq!(simulator.request_count(), 0);
}

#[test]
fn options_come_before_the_environment_where_empty_counts_as_absent() {
    let simulator = Simulator::builder().zones_refuse_api_tokens(false).start_on_thread().unwrap();
    let other = "1".repeat(32);
    for (variables, arguments) in [
        (&[("CLOUDFLARE_ZONE_ID", ZONE_ID)][..], &["--account", ACCOUNT_ID][..]),
        (&[("CLOUDFLARE_ACCOUNT_ID", &other), ("CLOUDFLARE_ZONE_ID", ZONE_ID)], &["--account", ACCOUNT_ID]),
        (&[("CLOUDFLARE_ACCOUNT_ID", &other)], &["--zone", ZONE_ID]),
        (&[("CLOUDFLARE_ZONE_ID", "")], &[]),
        (&[("CLOUDFLARE_CREDENTIALS_FILE", "")], &[]),
        (&[("CLOUDFLARE_API_BASE_URL", " "), ("CLOUDFLARE_COMPLIANCE_REGION", "")], &[]),
        (&[("CLOUDFLARE_API_KEY", " "), ("CLOUDFLARE_EMAIL", "")], &[]),
    ] {
        let (code, _, stderr) = run(program(&simulator).envs(variables.iter().copied()).arg("list").args(arguments));
        assert_eq!(code, 0, "{variables:?} {arguments:?}: {stderr}");
    }
    let (code, _, stderr) = run(program(&simulator).args(["list", "--account", ""]));
    assert!(code == 2 && stderr.contains("--account is empty"), "{stderr}");
}

#[test]
fn what_editors_and_windows_leave_at_the_ends_of_a_value_is_taken_off() {
    let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
    let path = folder.path().join("token");
    let account = format!("{ACCOUNT_ID}\r");
    for (begin, end) in [("", "\n"), ("", "\r\n"), ("\u{feff}", ""), (" ", "\t")] {
        let token = format!("{begin}{API_TOKEN}{end}");
        let mut by_variable = program(&simulator);
        by_variable.env("CLOUDFLARE_API_TOKEN", &token).env("CLOUDFLARE_ACCOUNT_ID", &account).arg("list");
        assert_eq!(run(&mut by_variable).0, 0, "{token:?}");
        for text in [token, format!("{begin}CLOUDFLARE_API_TOKEN={API_TOKEN}{end}")] {
            std::fs::write(&path, &text).unwrap();
            let mut by_file = program(&simulator);
            by_file.env_remove("CLOUDFLARE_API_TOKEN").args(["list", "--credentials-file"]).arg(&path);
            assert_eq!(run(&mut by_file).0, 0, "{text:?}");
            let mut by_input = program(&simulator);
            by_input.env_remove("CLOUDFLARE_API_TOKEN").args(["list", "--credentials-file", "-"]).write_stdin(text);
            let (code, _, stderr) = run(&mut by_input);
            assert_eq!((code, stderr.as_str()), (0, ""));
        }
    }
}

#[test]
fn a_credential_that_cannot_be_right_is_named_with_its_variable_and_not_shown() {
    let simulator = simulator();
    for (variable, value, text) in [
        ("CLOUDFLARE_API_TOKEN", "\"hunter2\"", "quotes"),
        ("CLOUDFLARE_API_TOKEN", "Bearer hunter2", "Bearer"),
        ("CLOUDFLARE_API_TOKEN", "hun\nter2", "white space"),
        ("CLOUDFLARE_API_TOKEN", "cfast_hunter2", "secret of a service token"),
        ("CLOUDFLARE_API_TOKEN", "CF_DNS_API_TOKEN", "name of a variable"),
        ("CLOUDFLARE_API_KEY", "cfut_hunter2", "set it as CLOUDFLARE_API_TOKEN"),
    ] {
        let mut list = program(&simulator);
        list.env_remove("CLOUDFLARE_API_TOKEN").env("CLOUDFLARE_EMAIL", "me@example.com").env(variable, value);
        let (code, _, stderr) = run(list.arg("list"));
        assert!(code == 3 && stderr.contains(&format!("error: {variable} ")) && stderr.contains(text), "{stderr}");
        assert!(!stderr.contains("ter2") && !stderr.contains("CF_DNS"), "{stderr}");
    }
    let mut other_name = program(&simulator);
    other_name.env_remove("CLOUDFLARE_API_TOKEN").env("CF_API_TOKEN", "hunter2").arg("list");
    assert_shown!(&mut other_name, @r#"
    exit 3
    --- stdout
    --- stderr
    error: no credential: set CLOUDFLARE_API_TOKEN, or CLOUDFLARE_API_KEY with CLOUDFLARE_EMAIL
    CF_API_TOKEN is set, and this command reads CLOUDFLARE_API_TOKEN:
      export CLOUDFLARE_API_TOKEN="$CF_API_TOKEN"
    "#);
    assert_eq!(simulator.request_count(), 0);
}

#[test]
fn a_base_url_by_its_other_name_is_taken_and_an_argument_comes_before_both() {
    let simulator = simulator();
    let elsewhere = "http://127.0.0.1:9/";
    let mut by_the_other_name = program(&simulator);
    by_the_other_name.env_remove("CLOUDFLARE_BASE_URL").env("CLOUDFLARE_API_BASE_URL", simulator.base_url());
    let mut by_argument = program(&simulator);
    by_argument.env("CLOUDFLARE_BASE_URL", elsewhere).args(["--base-url", simulator.base_url()]);
    for (requests, program) in [(1, &mut by_the_other_name), (2, &mut by_argument)] {
        let (code, _, stderr) = run(program.arg("list"));
        assert_eq!((code, simulator.request_count()), (0, requests), "{stderr}");
    }
}

#[test]
fn a_credential_of_a_compliance_region_goes_to_the_api_of_that_region_alone() {
    // A proxy that lets nothing through tells where the program wants to go.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    std::fs::write(&path, "CLOUDFLARE_API_TOKEN=t\nCLOUDFLARE_COMPLIANCE_REGION=fedramp_high\n").unwrap();
    let mut to_proxy = bare_program();
    to_proxy.env("HTTPS_PROXY", proxy).args([
        "list",
        "--account",
        ACCOUNT_ID,
        "--max-retries",
        "0",
        "--credentials-file",
    ]);
    let (code, _, stderr) = run(to_proxy.arg(&path));
    assert_eq!(code, 8, "{stderr}");
    assert_eq!(asked.join().unwrap().trim_end(), "CONNECT api.fed.cloudflare.com:443 HTTP/1.1");

    let (simulator, other) = (simulator(), simulator());
    let region = |region: &str| {
        let mut list = program(&simulator);
        list.env("CLOUDFLARE_COMPLIANCE_REGION", region).arg("list");
        list
    };
    assert_shown!(region("eu").env_remove("CLOUDFLARE_BASE_URL"), @r#"
    exit 3
    --- stdout
    --- stderr
    error: CLOUDFLARE_COMPLIANCE_REGION is "eu"; the regions are public and fedramp_high; for another API set CLOUDFLARE_BASE_URL alone
    "#);
    assert_shown!(&mut region("fedramp_high"), @r"
    exit 3
    --- stdout
    --- stderr
    error: CLOUDFLARE_BASE_URL and CLOUDFLARE_COMPLIANCE_REGION name different APIs; leave one of them out, since a credential of one API must not be sent to the other
    ");
    assert_shown!(region("fedramp_high").args(["--base-url", other.base_url()]), @r"
    exit 3
    --- stdout
    --- stderr
    error: --base-url and CLOUDFLARE_COMPLIANCE_REGION name different APIs; leave one of them out, since a credential of one API must not be sent to the other
    ");
    assert_shown!(program(&simulator).arg("list").env("CLOUDFLARE_API_BASE_URL", other.base_url()), @r"
    exit 3
    --- stdout
    --- stderr
    error: CLOUDFLARE_BASE_URL and CLOUDFLARE_API_BASE_URL name different APIs; leave one of them out, since a credential of one API must not be sent to the other
    ");
    let (code, _, stderr) = run(program(&simulator).args(["list", "--credentials-file"]).arg(&path));
    assert!(
        code == 3 && stderr.contains("CLOUDFLARE_BASE_URL and CLOUDFLARE_COMPLIANCE_REGION name different"),
        "{stderr}"
    );
    assert_eq!((simulator.request_count(), other.request_count()), (0, 0));
}

#[test]
fn a_certificate_authority_of_ones_own_is_trusted_when_given() {
    let simulator = Simulator::builder().self_signed_tls().unwrap().start_on_thread().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, simulator.certificate_pem().unwrap()).unwrap();
    let (code, _, stderr) = run(program(&simulator).args(["list", "--max-retries", "0"]));
    assert_eq!(code, 8, "{stderr}");
    let (code, _, stderr) = run(program(&simulator).args(["list", "--ca-certificates"]).arg(&path));
    assert_eq!(code, 0, "{stderr}");
}

// --- What needs no API

#[test]
fn the_demo_holds() {
    let (code, stdout, stderr) = run(bare_program().arg("demo"));
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("All 8 steps held.") && !stdout.contains('✗'), "{stdout}");
}

const COMMANDS: [&str; 21] = [
    "auth",
    "verify",
    "list",
    "get",
    "create",
    "update",
    "delete",
    "refresh",
    "rotate",
    "expiring",
    "refresh-expiring",
    "watch",
    "end-overlap",
    "extend-overlap",
    "find",
    "ensure",
    "issue",
    "finish-issue",
    "resolve-create",
    "disable",
    "enable",
];

#[test]
fn completions_and_man_page_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, _) = run(bare_program().args(["completions", shell]));
        assert!(code == 0 && COMMANDS.iter().all(|command| script.contains(command)), "{shell}");
    }
    let (code, page, _) = run(bare_program().arg("man-page"));
    assert_eq!(code, 0);
    for command in COMMANDS {
        let title = format!("ACCESS-TOKENS {}", command.to_uppercase());
        assert!(page.contains(&title), "{title} is missing in {page}");
    }
    for part in [".TH access-tokens", "Exit status", "secret\\-file", "CLOUDFLARE_API_TOKEN"] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
}

#[test]
fn the_version_names_the_revision_and_the_component() {
    let (code, version, _) = run(bare_program().arg("--version"));
    let digest = cloudflare_access_host::COMPONENT_SHA256;
    let expected = format!(
        "access-tokens {}\nrevision:  unknown, built from a working tree\ncomponent: sha256:{digest}\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!((code, version), (0, expected));
    assert_eq!(run(bare_program().arg("-V")).1, format!("access-tokens {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_has_the_verbs_in_groups_the_exit_codes_and_examples() {
    let (code, help, _) = run(bare_program().arg("--help"));
    assert!(code == 0 && help.contains("something may have changed: look before you try again"), "{help}");
    for command in COMMANDS {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(command) || line.contains(", enable ")),
            "{help}"
        );
    }
    let parts =
        ["Tokens:", "Secrets:", "Expiry:", "This program:", "Options of every command:", "Examples:", "Exit status:"];
    let places: Vec<_> =
        parts.iter().map(|part| help.find(&format!("\n{part}")).unwrap_or_else(|| panic!("{part} {help}"))).collect();
    assert!(places.is_sorted(), "{help}");
}

#[test]
fn help_of_a_command_shows_its_own_options_before_those_of_the_connection() {
    for command in COMMANDS.iter().filter(|command| **command != "auth") {
        let (code, help, _) = run(bare_program().args([command, "--help"]));
        let connection = help.find("\nConnection:").unwrap_or_else(|| panic!("{help}"));
        let own = help.find("\nOptions:").unwrap_or_else(|| panic!("{help}"));
        let account = help.find("--account").unwrap();
        assert!(code == 0 && own < connection && connection < account, "{help}");
        let example = help.find("\nExamples:").unwrap_or_else(|| panic!("{help}"));
        assert!(help[example..].contains(&format!("\n  access-tokens {command}")), "{help}");
    }
}
