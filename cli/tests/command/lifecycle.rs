//! The commands of what people do with tokens over their lives.

use std::process::Stdio;
use std::time::Duration;

#[cfg(unix)]
use assert_cmd::Command;
use cloudflare_access_simulator::{
    ACCOUNT_ID, API_TOKEN, Fault, FaultKind, IssuedToken, Operation, Simulator, Wait, ZONE_ID,
};

use crate::program::{ID, assert_shown, child, commands, end, first_id, program, run, simulator};
#[cfg(unix)]
use crate::program::{bare_shell, shell};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Makes a token that lives this long.
fn living(simulator: &Simulator, name: &str, duration: &str) {
    let (code, _, stderr) = run(program(simulator).args(["create", name, "--duration", duration, "--show-secret"]));
    assert_eq!(code, 0, "{stderr}");
}

fn passes(simulator: &Simulator, token: &IssuedToken) -> bool {
    simulator.authenticate(&token.token.client_id, token.client_secret.expose()).is_ok()
}

/// The one command of a message.
fn only(commands: &[String]) -> String {
    let [command] = commands else { panic!("{commands:?}") };
    command.clone()
}

/// A line of a message, pasted into a shell.
#[cfg(unix)]
fn typed(simulator: &Simulator, line: &str) -> Command {
    Command::from_std(shell(simulator, std::path::Path::new("/"), line))
}

/// The value of a `CF_ACCESS_…` line.
fn value<'a>(lines: &'a str, name: &str) -> &'a str {
    lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_else(|| panic!("{lines}"))
}

fn assert_pair_passes(simulator: &Simulator, lines: &str) {
    let (id, secret) = (value(lines, "CF_ACCESS_CLIENT_ID"), value(lines, "CF_ACCESS_CLIENT_SECRET"));
    assert_eq!(simulator.authenticate(id, secret), Ok(()));
}

// --- What expires

#[test]
fn expiring_shows_what_ends_soonest_first_and_loses_nothing() {
    let simulator = simulator();
    assert_shown!(program(&simulator).args(["expiring", "--within", "30d"]), @r"
    exit 0
    --- stdout
    No token expires in this time.
    --- stderr
    ");
    for (name, duration) in [("later", "60d"), ("in ten days", "10d"), ("in a day", "25h"), ("never", "forever")] {
        living(&simulator, name, duration);
    }
    run(program(&simulator).args(["create", "off", "--duration", "5d", "--disabled", "--show-secret"]));
    assert_shown!(program(&simulator).args(["expiring", "--within", "30d"]), @r"
    exit 0
    --- stdout
    NAME         ID                                    CLIENT ID                                EXPIRES      LAST USED  STATE
    in a day     [id]  [client id]  in 25 hours  never      on
    in ten days  [id]  [client id]  in 10 days   never      on
    off          [id]  [client id]  in 5 days    never      off

    1 lives longer, 1 never expires.
    --- stderr
    ");
}

#[test]
fn expiring_in_json_tells_disabled_and_everlasting_tokens_apart() {
    let simulator = simulator();
    living(&simulator, "soon", "5d");
    living(&simulator, "never", "forever");
    simulator.advance(6 * DAY);
    let (code, stdout, stderr) = run(program(&simulator).args(["expiring", "--within", "1d", "--output", "json"]));
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 0, "{stderr}");
    assert_eq!((&report["clock"], &report["later"]), (&"server".into(), &0.into()), "{stdout}");
    assert_eq!(report["expiring"][0]["token"]["name"], "soon");
    let left = report["expiring"][0]["seconds_left"].as_i64().unwrap();
    assert!((-86_400 - 600..=-86_400).contains(&left), "{left}");
    assert_eq!(report["forever"][0]["name"], "never");
    assert_eq!((&report["disabled"], &report["unreadable"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert!(stderr.contains("clock is off by more than a minute"), "{stderr}");
}

#[test]
fn expiring_fails_where_it_is_told_to_and_a_token_is_due() {
    let simulator = simulator();
    living(&simulator, "soon", "5d");
    run(program(&simulator).args(["create", "off", "--duration", "1d", "--disabled", "--show-secret"]));
    for (within, arguments, code) in [("10d", &[][..], 0), ("10d", &["--fail"], 12), ("2d", &["--fail"], 0)] {
        let (ended, _, stderr) = run(program(&simulator).args(["expiring", "--within", within]).args(arguments));
        assert_eq!(ended, code, "{within} {arguments:?}: {stderr}");
    }
}

// --- Renewal

#[test]
fn refresh_expiring_renews_in_place_and_a_second_run_does_nothing() {
    let simulator = simulator();
    living(&simulator, "due", "5d");
    living(&simulator, "later", "60d");
    assert_shown!(program(&simulator).args(["refresh-expiring", "--within", "30d"]), @r"
    exit 0
    --- stdout
    NAME  ID                                    EXPIRES       RESULT
    due   [id]  in 12 months  renewed
    --- stderr
    ");
    assert!(simulator.tokens(simulator.account())[0].expires_at > simulator.now() + 300 * DAY);
    assert_shown!(program(&simulator).args(["refresh-expiring", "--within", "30d"]), @r"
    exit 0
    --- stdout
    Nothing was due.
    --- stderr
    ");
    assert!(simulator.issued_secrets().len() == 2, "no new secret was made");
}

#[test]
fn refresh_expiring_leaves_expired_tokens_and_other_names_alone_unless_it_is_told_otherwise() {
    let simulator = simulator();
    for (name, duration) in [("dead", "1h"), ("CI", "10d"), ("other", "10d")] {
        living(&simulator, name, duration);
    }
    simulator.advance(DAY);
    let renewed = |arguments: &[&str]| {
        let renew = ["refresh-expiring", "--within", "30d", "--output", "json"];
        let (code, stdout, stderr) = run(program(&simulator).args(renew).args(arguments));
        let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((code, &report["tokens"][1]), (0, &serde_json::Value::Null), "at most one: {stdout}{stderr}");
        report["tokens"][0]["name"].as_str().map(str::to_owned)
    };
    assert_eq!(renewed(&["--name", "CI"]).as_deref(), Some("CI"));
    assert_eq!(renewed(&[]).as_deref(), Some("other"));
    assert_eq!(renewed(&[]), None, "the one that has expired stays so");
    assert_eq!(renewed(&["--expired"]).as_deref(), Some("dead"));
}

#[test]
fn refresh_expiring_goes_on_after_a_failure_and_exits_with_a_code_of_its_own() {
    let simulator = simulator();
    for name in ["one", "two", "three"] {
        living(&simulator, name, "5d");
    }
    let renew = ["refresh-expiring", "--within", "30d"];
    let limited = FaultKind::RateLimited { wait: Wait::Seconds(600) };
    simulator.inject(Fault::new(limited).on(Operation::Refresh).skipping(2));
    let (code, stdout, stderr) = run(program(&simulator).args(renew));
    let count = |text: &str| stdout.matches(text).count();
    assert_eq!((code, count(" renewed"), count("429 Too Many Requests")), (11, 2, 1), "{stdout}");
    assert_eq!(
        stderr,
        "error: 1 of 3 tokens that were due could not be renewed\n\
         Wait 600 seconds before the next request. Run it again: it renews what is still due.\n  access-tokens refresh-expiring --within 30d\n"
    );

    simulator.inject(Fault::new(FaultKind::error(409, 12132, "busy")).on(Operation::Refresh));
    let (code, stdout, _) = run(program(&simulator).args(renew).args(["--output", "json"]));
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let [only] = report["tokens"].as_array().unwrap().as_slice() else {
        panic!("what was renewed is not due: {stdout}")
    };
    assert_eq!((code, &only["token"]), (11, &serde_json::Value::Null));
    assert_eq!((&only["error"]["kind"], &only["error"]["outcome"]), (&"conflict".into(), &"not-applied".into()));
}

#[test]
fn what_is_made_of_refresh_and_rotate_is_for_accounts_only_and_env_is_for_one_token() {
    let simulator = simulator();
    for arguments in [
        &["refresh-expiring", "--within", "30d"][..],
        &["watch", "--within", "30d", "--every", "6h"],
        &["issue", "CI", "--show-secret"],
        &["finish-issue", "key"],
    ] {
        let mut zone = program(&simulator);
        zone.env_remove("CLOUDFLARE_ACCOUNT_ID").args(["--zone", ZONE_ID]).args(arguments);
        let (code, _, stderr) = run(&mut zone);
        assert!(code == 2 && stderr.contains("for accounts only"), "{stderr}");
    }
    for arguments in [
        &["expiring", "--within", "30d"][..],
        &["refresh-expiring", "--within", "30d"],
        &["find", "CI"],
        &["resolve-create", "--name", "CI", "--since", "2026-01-01T00:00:00Z"],
    ] {
        let (code, _, stderr) = run(program(&simulator).args(arguments).args(["--output", "env"]));
        assert!(code == 2 && stderr.contains("--output env is for one token"), "{stderr}");
    }
    assert_eq!(simulator.request_count(), 0);
}

// --- Overlap and switch

#[test]
fn an_overlap_is_begun_extended_and_ended() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    assert_shown!(program(&simulator).args(["rotate", "CI", "--overlap", "24h", "--show-secret"]), @r"
    exit 0
    --- stdout
    name             CI
    id               [id]
    client id        [client id]
    state            on
    expires          [time] (in 12 months)
    duration         8760h
    last used        never
    created          [time] (less than a minute ago)
    updated          [time] (less than a minute ago)
    secret version   2
    previous secret  until [time] (in 24 hours)
    client secret    [secret]

    The secret is shown this once. Keep it now.
    --- stderr
    Read the token: its secret is version 1.
    The destinations can take a new secret.
    The state folder knows what is about to happen.
    The token has a new secret, kept in the state folder. The old one passes until [time].
    Done: the state folder no longer has the secret.
    ");
    assert!(passes(&simulator, &old));
    assert_shown!(program(&simulator).args(["extend-overlap", "CI", "--overlap", "3d"]), @r"
    exit 0
    --- stdout
    name             CI
    id               [id]
    client id        [client id]
    state            on
    expires          [time] (in 12 months)
    duration         8760h
    last used        [time] (less than a minute ago)
    created          [time] (less than a minute ago)
    updated          [time] (less than a minute ago)
    secret version   2
    previous secret  until [time] (in 3 days)
    --- stderr
    ");
    simulator.advance(2 * DAY);
    assert!(passes(&simulator, &old), "extended");
    assert_shown!(program(&simulator).args(["end-overlap", "CI"]), @r#"
    exit 10
    --- stdout
    --- stderr
    error: not confirmed: End the old secret of token "CI" ([id]) now? Every machine that still uses it is locked out.
    There is no terminal to ask on. To do it without being asked:
      access-tokens end-overlap CI --yes
    "#);
    assert!(passes(&simulator, &old), "not confirmed");
    assert_shown!(program(&simulator).args(["end-overlap", "CI", "--yes"]), @r#"
    exit 0
    --- stdout
    No old secret of "CI" ([id]) passes any longer.
    --- stderr
    "#);
    assert!(!passes(&simulator, &old), "ended");
    let (code, _, stderr) = run(program(&simulator).args(["extend-overlap", "CI", "--overlap", "3d"]));
    assert!(code == 6 && stderr.contains("does not come back"), "{stderr}");
}

#[test]
fn an_overlap_that_is_not_there_is_said_to_be_missing() {
    let simulator = simulator();
    let _ = simulator.add_token(simulator.account(), "CI");
    let (code, _, stderr) = run(program(&simulator).args(["extend-overlap", "CI", "--overlap", "3d"]));
    assert_eq!((code, stderr.as_str()), (0, "Nothing to extend: the token has no old secret.\n"));
}

#[test]
fn an_overlap_follows_the_apis_clock() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    simulator.advance(30 * DAY);
    let rotate = ["rotate", "CI", "--overlap", "24h", "--output", "env"];
    let (code, stdout, stderr) = run(program(&simulator).args(rotate));
    assert_eq!(code, 0, "{stderr}");
    assert_pair_passes(&simulator, &stdout);
    assert!(passes(&simulator, &old), "by this machine's clock the overlap would be over");
}

#[test]
fn a_rotation_over_a_running_overlap_is_refused_and_is_asked_about_where_it_may_end_it() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    let rotate = ["rotate", "CI", "--overlap", "24h", "--output", "env"];
    assert_eq!(run(program(&simulator).args(rotate)).0, 0);
    assert_shown!(program(&simulator).args(rotate), @r"
    exit 6
    --- stdout
    --- stderr
    Read the token: its secret is version 2.
    The destinations can take a new secret.
    The state folder knows what is about to happen.
    error: an overlap is running until [time]: a rotation ends the old secret, which machines may still use; call `end-overlap` once none does, or pass `end-running-overlap`
    Wait until the overlap is over; or, once no machine uses the old secret any longer, end it:
      access-tokens end-overlap [id]
    --end-running-overlap rotates all the same, and locks out every machine that still uses the old secret.
    ");
    let end = "--end-running-overlap";
    assert_shown!(program(&simulator).args(rotate).arg(end), @r#"
    exit 10
    --- stdout
    --- stderr
    error: not confirmed: Give token "CI" ([id]) a new secret while an overlap is running? The older of its two secrets ends now: every machine that still uses it is locked out.
    There is no terminal to ask on. To do it without being asked:
      access-tokens rotate CI --overlap 24h --output env --end-running-overlap --yes
    "#);
    assert!(passes(&simulator, &old) && simulator.issued_secrets().len() == 2);
    let (code, stdout, stderr) = run(program(&simulator).args(rotate).args([end, "--yes"]));
    assert_eq!(code, 0, "{stderr}");
    assert_pair_passes(&simulator, &stdout);
    assert!(!passes(&simulator, &old));
    let (code, ..) = run(program(&simulator).args(["rotate", "CI", end, "--show-secret"]));
    assert_eq!(code, 2, "without an overlap there is nothing to end another for");
}

#[test]
fn an_overlap_of_no_time_is_refused_before_anything_is_sent() {
    let simulator = simulator();
    for command in ["rotate", "extend-overlap"] {
        let (code, _, stderr) = run(program(&simulator).args([command, ID, "--overlap", "0s"]));
        assert!(code == 2 && stderr.contains("at least a second"), "{stderr}");
    }
    let (code, ..) = run(program(&simulator).args(["rotate", ID, "--overlap", "24h"]));
    assert_eq!((code, simulator.request_count()), (2, 0), "no place for the secret");
}

#[test]
fn disable_asks_and_says_that_the_overlap_ends_and_enable_does_not_bring_it_back() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    let (_, new, _) = run(program(&simulator).args(["rotate", "CI", "--overlap", "24h", "--output", "env"]));
    assert_shown!(program(&simulator).args(["disable", "CI"]), @r#"
    exit 10
    --- stdout
    --- stderr
    error: not confirmed: Switch token "CI" ([id]) off? Every machine that uses it is locked out until it is switched on again, and the old secret of a rotation ends for good.
    There is no terminal to ask on. To do it without being asked:
      access-tokens disable CI --yes
    "#);
    assert_pair_passes(&simulator, &new);
    assert_shown!(program(&simulator).args(["disable", "CI", "--yes"]), @r#"
    exit 0
    --- stdout
    "CI" ([id]) is off. The old secret of a rotation, if there was one, has ended for good.
    --- stderr
    "#);
    assert!(!simulator.tokens(simulator.account())[0].enabled && !passes(&simulator, &old));
    assert_shown!(program(&simulator).args(["enable", "CI"]), @r#"
    exit 0
    --- stdout
    "CI" ([id]) is on. Its current secret passes until the token expires, [time].
    --- stderr
    "#);
    assert_pair_passes(&simulator, &new);
    assert!(!passes(&simulator, &old));
}

#[test]
fn whatever_locks_machines_out_is_asked_about_by_whatever_verb() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    let (past, later) = (simulator.timestamp_in(Duration::ZERO), simulator.timestamp_in(HOUR));
    let version = "--client-secret-version";
    let until = "--previous-client-secret-expires-at";
    let asked = |arguments: &[&str]| {
        let before = simulator.tokens(simulator.account());
        let (code, stdout, stderr) = run(program(&simulator).args(arguments));
        assert_eq!((code, stdout.as_str()), (10, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains("locked out") && only(&commands(&stderr)).ends_with(" --yes"), "{stderr}");
        assert_eq!(simulator.tokens(simulator.account()).len(), before.len());
        assert!(passes(&simulator, &old), "{arguments:?}");
    };
    for arguments in [
        &["delete", "CI"][..],
        &["disable", "CI"],
        &["update", "CI", "--enabled", "false"],
        &["update", "CI", "--name", "CD", "--enabled", "false"],
        &["ensure", "CI", "--enabled", "false", "--show-secret"],
        &["rotate", "CI", "--show-secret"],
        &["rotate", "CI", "--previous-expires-at", &past, "--show-secret"],
        &["update", "CI", version, "2", "--show-secret"],
        &["update", "CI", version, "2", until, &past, "--show-secret"],
    ] {
        asked(arguments);
    }
    let (code, _, stderr) = run(program(&simulator).args(["rotate", "CI", "--overlap", "24h", "--show-secret"]));
    assert_eq!(code, 0, "{stderr}");
    for arguments in [
        &["end-overlap", "CI"][..],
        &["update", "CI", until, &past],
        &["rotate", "CI", "--previous-expires-at", &later, "--show-secret"],
        &["rotate", "CI", "--overlap", "24h", "--end-running-overlap", "--show-secret"],
        &["update", "CI", version, "3", until, &later, "--show-secret"],
    ] {
        asked(arguments);
    }
    for arguments in [
        &["update", "CI", version, "2", "--show-secret"][..],
        &["update", "CI", until, &later],
        &["ensure", "CI", "--enabled", "true", "--show-secret"],
        &["ensure", "new", "--enabled", "false", "--show-secret"],
        &["ensure", "new", "--enabled", "false", "--show-secret"],
    ] {
        let (code, _, stderr) = run(program(&simulator).args(arguments));
        assert_eq!(code, 0, "{arguments:?}: {stderr}");
    }
    assert!(passes(&simulator, &old));
}

// --- Names

#[test]
fn find_lists_exact_matches_only() {
    let simulator = simulator();
    for name in ["CI", "CI 2", "ci"] {
        let _ = simulator.add_token(simulator.account(), name);
    }
    assert_shown!(program(&simulator).args(["find", "CI"]), @r"
    exit 0
    --- stdout
    NAME  ID                                    CLIENT ID                                EXPIRES       LAST USED  STATE
    CI    [id]  [client id]  in 12 months  never      on
    --- stderr
    ");
    assert_shown!(program(&simulator).args(["find", "CD"]), @r"
    exit 0
    --- stdout
    No tokens.
    --- stderr
    ");
}

#[test]
fn ensure_says_what_it_did_and_gives_a_secret_only_for_what_it_made() {
    let simulator = simulator();
    assert_shown!(program(&simulator).args(["ensure", "CI"]), @r"
    exit 2
    --- stdout
    --- stderr
    error: where should the secret go? Nothing was sent.
    The API shows it once. Give --secret-file FILE or --secret-command COMMAND, or --show-secret to print it, or --output env or json.
    ");
    assert_eq!(simulator.request_count(), 0);
    assert_shown!(program(&simulator).args(["ensure", "CI", "--duration", "30d", "--output", "json"]), @r#"
    exit 0
    --- stdout
    {
      "change": "created",
      "id": "[id]",
      "client_id": "[client id]",
      "client_secret": "[secret]",
      "name": "CI",
      "duration": "720h",
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
    assert_shown!(program(&simulator).args(["ensure", "CI", "--duration", "30d", "--show-secret"]), @r"
    exit 0
    --- stdout
    name            CI
    id              [id]
    client id       [client id]
    state           on
    expires         [time] (in 30 days)
    duration        720h
    last used       never
    created         [time] (less than a minute ago)
    updated         [time] (less than a minute ago)
    secret version  1
    --- stderr
    The token [id] was unchanged.
    ");
    let (code, stdout, stderr) =
        run(program(&simulator).args(["ensure", "CI", "--enabled", "false", "--output", "env", "--yes"]));
    assert!(code == 0 && stderr.contains("was updated") && !stdout.contains("SECRET"), "{stdout}{stderr}");
    assert!(!simulator.tokens(simulator.account())[0].enabled);
    let _ = simulator.add_token(simulator.account(), "CI");
    assert_shown!(program(&simulator).args(["ensure", "CI", "--output", "env"]), @r"
    exit 6
    --- stdout
    --- stderr
    error: 2 tokens have this name: [id], [id]; name one by its id
    ");
}

#[test]
fn ensure_may_run_again_with_the_secret_file_that_it_wrote() {
    let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
    let path = folder.path().join("ci.env");
    let ensure = || run(program(&simulator).args(["ensure", "CI", "--secret-file"]).arg(&path));
    let (code, stdout, stderr) = ensure();
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(code, 0, "{stderr}");
    assert_pair_passes(&simulator, &kept);
    assert!(!format!("{stdout}{stderr}").contains(value(&kept, "CF_ACCESS_CLIENT_SECRET")), "{stdout}{stderr}");
    let (code, _, stderr) = ensure();
    assert!(code == 0 && stderr.contains("was unchanged"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), kept);
    run(program(&simulator).args(["delete", "CI", "--yes"]));
    simulator.clear_requests();
    let (code, _, stderr) = ensure();
    assert!(code == 1 && stderr.contains("nothing was changed"), "{stderr}");
    assert!(simulator.tokens(simulator.account()).is_empty());
}

#[cfg(unix)]
#[test]
fn the_advice_after_a_lost_create_finds_the_token_and_the_way_on() {
    let simulator = simulator();
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
    let (code, _, stderr) = run(program(&simulator).args(["create", "CI", "--show-secret"]));
    assert_eq!(code, 9, "{stderr}");
    let resolve = only(&commands(&stderr));
    assert_shown!(&mut typed(&simulator, &resolve), @r"
    exit 0
    --- stdout
    NAME  ID                                    CLIENT ID                                EXPIRES       LAST USED  STATE
    CI    [id]  [client id]  in 12 months  never      on
    --- stderr
    Nobody has its secret, unless others use the name. Get one:
      access-tokens rotate [id]
    Or delete the token:
      access-tokens delete [id]
    ");
    let (_, _, stderr) = run(&mut typed(&simulator, &resolve));
    let rotate = commands(&stderr)[0].clone();
    let (code, stdout, stderr) = run(&mut typed(&simulator, &format!("{rotate} --yes --output env")));
    assert_eq!(code, 0, "{stderr}");
    assert_pair_passes(&simulator, &stdout);
}

#[cfg(unix)]
#[test]
fn where_a_look_finds_no_token_it_does_not_promise_that_none_is_made() {
    let simulator = simulator();
    let look = ["resolve-create", "--name", "CI", "--since", "2100-01-01T00:00:00Z"];
    assert_shown!(program(&simulator).args(look), @r"
    exit 0
    --- stdout
    No tokens.
    --- stderr
    No token with this name has been made since that time, so far. A create that got no answer may still be under way: look once more in a minute, and create it again only if there is none then.
      access-tokens resolve-create --name CI --since [time]
    ");
}

#[cfg(unix)]
#[test]
fn the_advice_after_a_lost_create_holds_for_any_name_account_base_url_and_clock() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("the token");
    std::fs::write(&credentials, API_TOKEN).unwrap();
    for verb in ["create", "ensure"] {
        let now = simulator().now();
        for (name, time) in [("cost $HOME `id`", now - 10 * HOUR), ("it's", now + 10 * HOUR), ("-x", now)] {
            let simulator = Simulator::builder().clock_stands_at(time).start_on_thread().unwrap();
            simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
            let mut create = program(&simulator);
            create.env_remove("CLOUDFLARE_API_TOKEN").env_remove("CLOUDFLARE_BASE_URL");
            create.env("CLOUDFLARE_ACCOUNT_ID", "0".repeat(32)).args([verb, "--show-secret"]);
            create.args(["--account", ACCOUNT_ID, "--base-url", simulator.base_url(), "--credentials-file"]);
            let (code, _, stderr) = run(create.arg(&credentials).args(["--", name]));
            assert_eq!(code, 9, "{stderr}");
            let mut look = bare_shell(folder.path(), &only(&commands(&stderr)));
            look.env("CLOUDFLARE_ACCOUNT_ID", "0".repeat(32));
            let (code, stdout, stderr) = run(&mut Command::from_std(look));
            let id = first_id(&simulator);
            assert!(code == 0 && stdout.contains(&id), "{verb} {name} {time}: {stdout}{stderr}");
            for command in ["rotate", "delete"] {
                let line = format!("  access-tokens {command} {id} --account {ACCOUNT_ID} --credentials-file ");
                assert!(stderr.contains(&line), "{stderr}");
            }
        }
    }
}

// --- Issue

/// There is one token with this name, and the pair of these lines is its own and passes.
fn assert_issued(simulator: &Simulator, name: &str, lines: &str) {
    let tokens = simulator.tokens(simulator.account());
    let [token] = tokens.as_slice() else { panic!("{} tokens: {tokens:?}", tokens.len()) };
    assert_eq!((token.name.as_str(), token.client_id.as_str()), (name, value(lines, "CF_ACCESS_CLIENT_ID")));
    assert_pair_passes(simulator, lines);
}

#[test]
fn issue_shows_its_key_before_anything_is_sent_and_names_the_token_once_the_secret_is_there() {
    let simulator = simulator();
    let (code, ..) = run(program(&simulator).args(["issue", "CI"]));
    assert_eq!((code, simulator.request_count()), (2, 0), "no place for the secret");
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
    let issue = ["issue", "CI", "--duration", "30d", "--output", "env"];
    let (code, stdout, stderr) = run(program(&simulator).args(issue));
    assert_eq!(code, 0, "{stderr}");
    assert_issued(&simulator, "CI", &stdout);
    assert_eq!(simulator.tokens(simulator.account())[0].duration, "720h");
    let key = stderr.strip_prefix("Issuing under the key ").and_then(|rest| rest.split_once('.')).unwrap().0;
    assert_eq!(commands(&stderr), [format!("access-tokens issue CI --duration 30d --output env --key {key}")]);
    let created = simulator.requests().into_iter().find(|request| request.operation == Some(Operation::Create));
    assert_eq!(created.unwrap().json()["name"], format!("CI [issue:{key}]"));
}

#[test]
fn issue_with_a_key_tells_only_the_result() {
    let simulator = simulator();
    assert_shown!(program(&simulator).args(["issue", "CI", "--key", "k-1", "--show-secret"]), @r"
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
    client secret   [secret]

    The secret is shown this once. Keep it now.
    --- stderr
    ");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("CI.env");
    let issue = ["issue", "CD", "--key", "k-2", "--output", "json", "--secret-file"];
    let (code, stdout, stderr) = run(program(&simulator).args(issue).arg(&path));
    let (token, kept) = (serde_json::from_str::<serde_json::Value>(&stdout).unwrap(), std::fs::read_to_string(&path));
    assert_eq!(
        (code, &token["name"], &token["client_secret"]),
        (0, &"CD".into(), &serde_json::Value::Null),
        "{stderr}"
    );
    assert_pair_passes(&simulator, &kept.unwrap());
    for key in ["", "a b", "a]"] {
        let (code, _, stderr) = run(program(&simulator).args(["issue", "CI", "--show-secret", "--key", key]));
        assert!(code == 2 && stderr.contains("1 to 64 of the characters"), "{stderr}");
    }
}

#[cfg(unix)]
#[test]
fn issue_that_runs_out_of_time_says_how_to_go_on_and_the_command_does() {
    let simulator = simulator();
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Update).forever());
    let issue = ["issue", "CI; $(date)", "--timeout", "2s", "--output", "env"];
    let (code, stdout, stderr) = run(program(&simulator).args(issue));
    assert_eq!((code, stdout.as_str()), (9, ""), "{stderr}");
    assert!(simulator.issued_secrets().iter().all(|secret| !stderr.contains(secret.expose())), "{stderr}");
    let (before, go_on) = match commands(&stderr).as_slice() {
        [before, go_on] => (before.clone(), go_on.clone()),
        _ => panic!("{stderr}"),
    };
    assert_eq!(before, go_on);
    simulator.clear_faults();
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run(&mut Command::from_std(shell(&simulator, folder.path(), &go_on)));
    assert_eq!(code, 0, "{stderr}");
    assert_issued(&simulator, "CI; $(date)", &stdout);
}

#[cfg(unix)]
#[test]
fn issue_that_could_not_name_its_token_has_stored_the_secret_and_says_how_to_finish() {
    let (simulator, folder) = (simulator(), tempfile::tempdir().unwrap());
    let path = folder.path().join("CI.env");
    simulator.inject(Fault::new(FaultKind::HtmlPage { status: 503 }).on(Operation::Update).forever());
    let issue = ["issue", "CI", "--key", "k-1", "--max-retries", "0", "--secret-file"];
    let (code, _, stderr) = run(program(&simulator).args(issue).arg(&path));
    assert_eq!(code, 9, "{stderr}");
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_issued(&simulator, "CI [issue:k-1]", &kept);
    simulator.clear_faults();
    assert_eq!(commands(&stderr), ["access-tokens resume CI"]);
    for (code, text) in [(0, "name            CI\n"), (5, "nothing is unfinished about CI")] {
        let mut finish = Command::from_std(shell(&simulator, folder.path(), &commands(&stderr)[0]));
        let (ended, stdout, stderr) = run(&mut finish);
        assert!(ended == code && format!("{stdout}{stderr}").contains(text), "{stdout}{stderr}");
    }
    assert_issued(&simulator, "CI", &kept);
}

#[cfg(target_os = "linux")]
#[test]
fn issue_whose_secret_cannot_be_printed_leaves_the_token_to_be_issued_again() {
    let simulator = simulator();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let issue = ["issue", "CI", "--key", "k-1", "--output", "env"];
    let state = tempfile::tempdir().unwrap();
    let output = child(&simulator).env("XDG_STATE_HOME", state.path()).args(issue).stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(16), "{stderr}");
    assert_eq!(simulator.tokens(simulator.account())[0].name, "CI [issue:k-1]");
    let issue = "access-tokens issue CI --key k-1 --output env";
    assert_eq!(commands(&stderr), ["access-tokens resume CI"], "{stderr}");
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run(&mut Command::from_std(shell(
        &simulator,
        folder.path(),
        &format!("XDG_STATE_HOME={} {issue}", state.path().display()),
    )));
    assert_eq!(code, 0, "{stderr}");
    assert_issued(&simulator, "CI", &stdout);
}

#[test]
fn issue_that_the_api_refuses_has_nothing_to_go_on_with() {
    let simulator = simulator();
    simulator.inject(Fault::new(FaultKind::error(400, 12130, "quota")).on(Operation::Create));
    assert_shown!(program(&simulator).args(["issue", "CI", "--key", "k-1", "--show-secret"]), @r"
    exit 6
    --- stdout
    --- stderr
    error: 400 Bad Request; quota (code 12130); check the id and the values, and the number of tokens: 50 an account by default
    Cloudflare's name for the request (cf-ray): [ray]
    ");
}

#[cfg(target_os = "linux")]
#[test]
fn a_message_that_cannot_be_written_costs_neither_a_secret_nor_the_exit_code() {
    let simulator = simulator();
    let run_with_full_error_stream = |arguments: &[&str]| {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = child(&simulator);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(full);
        let mut child = command.spawn().unwrap();
        end(&mut child);
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    for command in ["create", "issue", "ensure"] {
        let (code, shown) = run_with_full_error_stream(&[command, command, "-o", "env", "-v"]);
        let secret = simulator.issued_secrets().pop().unwrap();
        assert!(code == 0 && shown.contains(secret.expose()), "{command}: {code}");
    }
    let (code, _) = run_with_full_error_stream(&["get", "nobody", "-v"]);
    assert_eq!(code, 5);
}
